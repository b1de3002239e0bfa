"""HTML to PDF (COM-70): our own templates only, no network, no files but the tenant's assets.

What may be read while a document is made is settled here and nowhere else (a document with an
address of its own could otherwise read the machine's files or call out). The same content gives the
same bytes (COM-72): a file bears its document's date. Pages are numbered once the last one is
known: xhtml2pdf's own count lays everything out twice.
"""

import gc
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, cast

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.platypus.tables import CellStyle
from xhtml2pdf import document, pisa
from xhtml2pdf.builders.printmarks import MarkedCanvas
from xhtml2pdf.config.resources import ResourceAccessError, ResourceAccessPolicy
from xhtml2pdf.xhtml2pdf_reportlab import PmlBaseDoc

from portal.core.clock import to_local
from portal.shared.documents import kinsoku, tags, typefaces
from portal.shared.documents.content import KINDS
from portal.shared.documents.models import DocumentKind
from portal.shared.documents.paging import paged
from portal.shared.documents.properties import describe
from portal.shared.documents.setting import pdf_environment

RENDER_SECONDS = 30
LEFT = 18 * mm
RIGHT = 192 * mm
BASELINE = 11 * mm
ROOM = 150 * mm
SIZE = 7.5
INK = HexColor("#5b6675")
RULE = HexColor("#c9d1da")
_MEGABYTE = 1024 * 1024
_LIMITS = {
    "allow_remote": False,
    "max_resource_bytes": 2 * _MEGABYTE,
    "max_fetch_seconds": 1,
    "max_local_bytes": 2 * _MEGABYTE,
    "max_image_pixels": 4_000_000,
    "max_resources": 20,
    "max_total_bytes": 8 * _MEGABYTE,
    "max_render_seconds": RENDER_SECONDS,
    "max_document_bytes": 4 * _MEGABYTE,
    "max_depth": 60,
}
_BETWEEN_TAGS = re.compile("> *\n *<")
_CAPACITY = 64 * _MEGABYTE
"""What xhtml2pdf keeps in memory; beyond, it would write customers' data to a temporary file."""

# ReportLab keeps typefaces and settings for the whole process: one document at a time.
_rendering = Lock()


class PdfFailed(Exception):
    """A document could not be made: a mistake in a template or a limit passed, never the customer's
    doing.
    """


_stamp: ContextVar[tuple[str, datetime]] = ContextVar("pdf_stamp")


@contextmanager
def stamped(footer: str, created: datetime) -> Iterator[None]:
    """Documents built inside the block bear this footer and (aware) date."""
    token = _stamp.set((footer, created))
    try:
        yield
    finally:
        _stamp.reset(token)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No looking for garbage meanwhile: a long document is hundreds of thousands of objects, all in
    use, and looking through them again and again takes a fifth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class NumberedCanvas(MarkedCanvas):  # type: ignore[misc]
    """Keeps the pages until the last one is known, then writes the foot of each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[dict[str, Any]] = []
        self.structure = tags.Structure()
        self._footer, self._created = _stamp.get()
        # In place of the clock, for the dates and the file's identifier.
        local = to_local(self._created)
        self._doc._timeStamp = SimpleNamespace(YMDhms=tuple(local.timetuple())[:6], dhh=9, dmm=0)
        self._doc.signature = hashlib.md5(local.isoformat().encode(), usedforsecurity=False)

    def showPage(self) -> None:
        """Put the finished page aside."""
        self._pages.append(dict(self.__dict__))
        self.structure.next_page()
        self._startPage()

    def save(self) -> None:
        """Write all pages, each with its foot."""
        pages = self._pages
        for number, state in enumerate(pages, 1):
            self.__dict__.update(state)
            with tags.artifact(self):
                self._foot(f"{number} / {len(pages)} ページ")
            super().showPage()
        self.structure.write(self._doc)
        describe(self, self._created)
        super().save()

    def _foot(self, label: str) -> None:
        self.setStrokeColor(RULE)
        self.setLineWidth(0.4)
        self.line(LEFT, BASELINE + 4 * mm, RIGHT, BASELINE + 4 * mm)
        self.setFillColor(INK)
        footer = typefaces.clean(self._footer)
        # A long name is set smaller, so that it does not run into the number of the page.
        size = min(SIZE, SIZE * ROOM / (typefaces.width(footer, SIZE) or 1))
        text = self.beginText(LEFT, BASELINE)
        for family, piece in typefaces.runs(footer):
            text.setFont(family, size)
            text.textOut(piece)
        self.drawText(text)
        self.setFont(typefaces.MAIN, SIZE)
        self.drawRightString(RIGHT, BASELINE, label)


class NumberedDoc(PmlBaseDoc):  # type: ignore[misc]
    """What xhtml2pdf shall build: a document whose pages are numbered.

    Its pages begin in a typeface that is in the file, not in ReportLab's Helvetica, which is not.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, initialFontName=typefaces.MAIN, **kwargs)

    def build(self, flowables: list[Any], *args: Any, **kwargs: Any) -> None:
        """Lay the story out on pages (see `paging`) and write it."""
        super().build(list(paged(flowables)), *args, **kwargs)

    def _makeCanvas(self, filename: Any = None, canvasmaker: Any = None) -> Any:
        return super()._makeCanvas(filename=filename, canvasmaker=NumberedCanvas)


@cache
def prepare() -> None:
    """Load typefaces and install our line breaking and page numbers, once; call it before a server
    forks.
    """
    typefaces.register()
    kinsoku.install()
    tags.install()
    document.PmlBaseDoc = NumberedDoc
    # Text that anything can carry, a fourth longer and slower, which nothing needs any more.
    rl_config.useA85 = 0
    # Selected in each cell before its text is, and so named in the file, used or not.
    CellStyle.fontname = typefaces.MAIN


@dataclass(frozen=True)
class StrictPolicy(ResourceAccessPolicy):  # type: ignore[misc]
    """Remembers what it refused: xhtml2pdf leaves such a picture out and goes on, we do not."""

    refused: list[str] = field(default_factory=list, compare=False)

    def check_url(self, url: str) -> None:
        """Raise ResourceAccessError unless `url` is part of the document itself."""
        self._remember(super().check_url, url)

    def check_path(self, path: str | Path) -> None:
        """Raise ResourceAccessError unless `path` is one of the tenant's assets, and there."""
        self._remember(super().check_path, path)
        if not Path(path).is_file():
            self.refused.append(str(path))

    def _remember(self, check: Any, place: str | Path) -> None:
        try:
            check(place)
        except ResourceAccessError:
            self.refused.append(str(place))
            raise


def render_pdf(
    html: str,
    *,
    footer: str,
    created: datetime,
    title: str = "",
    author: str = "",
    assets: Path | None = None,
) -> bytes:
    """The PDF of `html`, with `footer` and page n / m on each page, dated `created` (aware).

    `assets` is the one folder that pictures are read from; without it none are. The same arguments
    give the same bytes. Raises UndrawableText for a character that no typeface draws, PdfFailed for
    anything else.
    """
    prepare()
    typefaces.check_drawable(html + footer)
    policy = cast(StrictPolicy, StrictPolicy.server(assets, **_LIMITS))
    out = BytesIO()
    with _rendering, stamped(footer, created), _collector_paused():
        try:
            status = pisa.CreatePDF(
                html,
                dest=out,
                encoding="utf-8",
                capacity=_CAPACITY,
                # Addresses of pictures are relative to a file in the folder; it need not be there.
                path=str(assets / "document.html") if assets else "",
                context_meta={"title": title, "author": author},
                resource_policy=policy,
            )
        except Exception as error:
            raise PdfFailed(str(error)) from error
    if policy.refused:
        raise PdfFailed(f"not to be read: {policy.refused}")
    if status.err:
        raise PdfFailed(str(status.log))
    return out.getvalue()


def render_document(kind: str, context: Mapping[str, Any], created: datetime) -> bytes:
    """The PDF of a document of `kind` from its content as JSON (see `content`).

    Raises KeyError for an unknown kind, pydantic.ValidationError for content that is not of its
    kind, and what `render_pdf` raises.
    """
    content = KINDS[kind].from_json(context)
    issuer = content.issuer.name
    name = DocumentKind(kind).label
    title = f"{name} {content.number}"
    # Read back into types first: a template is never given content that is not of its kind.
    html = pdf_environment().get_template(f"pdf/{kind}.html").render(doc=content, title=name)
    # Indentation is for who reads a template; here each blank between tags is one more node.
    html = _BETWEEN_TAGS.sub("><", html)
    return render_pdf(
        html, footer=f"{issuer}　{title}", created=created, title=title, author=issuer
    )
