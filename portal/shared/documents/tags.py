"""The structure of a PDF for screen readers (tagged PDF): headings, paragraphs, tables with heads.

xhtml2pdf and ReportLab write none. Each paragraph is marked here while it is drawn, in the order in
which it is read; a table that has a head is a table, any other only lays things out. What is not
text of the document, its lines and the foot of each page, stays outside.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFString
from reportlab.platypus.tables import Table
from xhtml2pdf.xhtml2pdf_reportlab import PmlParagraph, PmlTable

ALTERNATIVE = "印影"
"""What a picture is read out as: the only one on our documents is the issuer's seal."""

_BEGIN_ARTIFACT = "/Artifact BMC"
_END = "EMC"


class Element:
    """A node of the structure: its kind (P, H1, Table, TR, TD …) and what is in it."""

    def __init__(self, kind: str, parent: "Element | None" = None, page: int = 0) -> None:
        self.kind = kind
        self.page = page
        self.children: list[Element | int] = []
        self.dictionary = PDFDictionary({})
        if parent is not None:
            parent.children.append(self)


class Structure:
    """The structure of one document, as it grows while the document is drawn.

    `pages` holds for each page which element each piece of marked text (by its number) belongs to.
    """

    def __init__(self) -> None:
        self.root = Element("Document")
        self.pages: list[list[Element]] = [[]]
        self._open = [self.root]

    def next_page(self) -> None:
        """What comes next is on another page."""
        self.pages.append([])

    def begin(self, kind: str) -> None:
        """All that is drawn until `end` is in a new element of `kind`."""
        self._open.append(Element(kind, self._open[-1], len(self.pages) - 1))

    def end(self) -> None:
        """Nothing more belongs to what began last."""
        self._open.pop()

    @contextmanager
    def text(self, canvas: Any, kind: str) -> Iterator[None]:
        """Text drawn inside the block is a `kind` of its own, or its cell's content."""
        cell = self._open[-1]
        element = cell if cell.kind in ("TH", "TD") else Element(kind, cell, len(self.pages) - 1)
        numbered = self.pages[-1]
        element.children.append(len(numbered))
        canvas._code.append(f"/{element.kind} <</MCID {len(numbered)}>> BDC")
        numbered.append(element)
        yield
        canvas._code.append(_END)

    def write(self, document: Any) -> None:
        """Put the structure into ReportLab's `document`, all of whose pages are finished."""
        pages = document.Pages.pages
        tree = PDFDictionary({"Type": PDFName("StructTreeRoot")})
        _write(self.root, tree, document, pages)
        numbers: list[Any] = []
        # Not strict: the last page, too, was followed by a `next_page`, so there is one list more.
        for number, (page, elements) in enumerate(zip(pages, self.pages, strict=False)):
            page.StructParents = number
            page.Tabs = PDFName("S")
            # ReportLab writes only those entries of a page that it knows by name.
            page.__NoDefault__ = [*page.__NoDefault__, "StructParents", "Tabs"]
            refs = [document.Reference(element.dictionary) for element in elements]
            numbers += [number, document.Reference(PDFArray(refs))]
        tree["K"] = document.Reference(self.root.dictionary)
        tree["ParentTree"] = document.Reference(PDFDictionary({"Nums": PDFArray(numbers)}))
        tree["ParentTreeNextKey"] = len(pages)
        document.Catalog.StructTreeRoot = tree
        document.Catalog.MarkInfo = PDFDictionary({"Marked": "true"})


def _write(element: Element, parent: PDFDictionary, document: Any, pages: list[Any]) -> None:
    kids: list[Any] = []
    for child in element.children:
        if isinstance(child, Element):
            _write(child, element.dictionary, document, pages)
            kids.append(document.Reference(child.dictionary))
        else:
            kids.append(child)
    facts = {"S": PDFName(element.kind), "P": document.Reference(parent), "K": PDFArray(kids)}
    if any(isinstance(child, int) for child in element.children):
        facts["Pg"] = document.Reference(pages[element.page])
    # Screen readers find the head of a cell by its scope (PDF/UA).
    if element.kind == "TH":
        facts["A"] = PDFDictionary({"O": PDFName("Table"), "Scope": PDFName("Column")})
    if element.kind == "Figure":
        facts["Alt"] = PDFString(ALTERNATIVE)
    element.dictionary.dict.update(facts)


@contextmanager
def artifact(canvas: Any) -> Iterator[None]:
    """What is drawn inside the block is furniture, which is not read out."""
    canvas._code.append(_BEGIN_ARTIFACT)
    yield
    canvas._code.append(_END)


def install() -> None:
    """Make paragraphs and tables of xhtml2pdf mark themselves on canvases that have a structure."""
    PmlParagraph.draw = _marking(PmlParagraph.draw)
    PmlTable.draw = _draw_table


def _marking(draw: Callable[[Any], None]) -> Callable[[Any], None]:
    def draw_marked(paragraph: Any) -> None:
        structure: Structure = paragraph.canv.structure
        with structure.text(paragraph.canv, _kind_of(paragraph)):
            draw(paragraph)

    return draw_marked


def _kind_of(paragraph: Any) -> str:
    if getattr(paragraph, "outline", False):
        return f"H{paragraph.outlineLevel + 1}"
    return "Figure" if any(hasattr(frag, "cbDefn") for frag in paragraph.frags) else "P"


def _draw_table(table: Any) -> None:
    if not table._repeatCount():
        Table.draw(table)
        return
    structure: Structure = table.canv.structure
    # Set while the table is drawn, since a table that is split over pages is several.
    table._renderCB = _mark_cell
    structure.begin("Table")
    Table.draw(table)
    structure.end()


def _mark_cell(table: Any, event: str, row: int = 0, *_place: Any) -> None:
    """What ReportLab tells of a table while it draws it."""
    structure: Structure = table.canv.structure
    if event == "startRow":
        structure.begin("TR")
    elif event == "startCell":
        structure.begin("TH" if row < table._repeatCount() else "TD")
    elif event in ("endCell", "endRow"):
        structure.end()
