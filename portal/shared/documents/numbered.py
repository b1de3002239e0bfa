"""Page n / m in one layout pass, and a fixed creation date (COM-70).

With it the same content gives the same bytes (COM-72). xhtml2pdf's own page count would lay the
whole document out twice.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from xhtml2pdf.builders.printmarks import MarkedCanvas
from xhtml2pdf.xhtml2pdf_reportlab import PmlBaseDoc

from portal.core.clock import to_local
from portal.shared.documents import typefaces

LEFT, RIGHT, BASELINE = 18 * mm, 192 * mm, 11 * mm
ROOM = 150 * mm
SIZE = 7.5
INK, RULE = HexColor("#5b6675"), HexColor("#c9d1da")


_stamp: ContextVar[tuple[str, datetime]] = ContextVar("pdf_stamp")


@contextmanager
def stamped(footer: str, created: datetime) -> Iterator[None]:
    """Documents built inside the block bear this footer and (aware) date."""
    token = _stamp.set((footer, created))
    try:
        yield
    finally:
        _stamp.reset(token)


class NumberedCanvas(MarkedCanvas):  # type: ignore[misc]
    """Keeps the pages until the last one is known, then writes the foot of each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[dict[str, Any]] = []
        self._footer, created = _stamp.get()
        _date(self._doc, created)

    def showPage(self) -> None:
        """Put the finished page aside."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Write all pages, each with its foot."""
        pages = self._pages
        for number, state in enumerate(pages, 1):
            self.__dict__.update(state)
            self._foot(f"{number} / {len(pages)} ページ")
            super().showPage()
        super().save()

    def _foot(self, label: str) -> None:
        self.setStrokeColor(RULE)
        self.setLineWidth(0.4)
        self.line(LEFT, BASELINE + 4 * mm, RIGHT, BASELINE + 4 * mm)
        self.setFillColor(INK)
        footer = typefaces.clean(self._footer)
        size = min(SIZE, SIZE * ROOM / (typefaces.width(footer, SIZE) or 1))
        text = self.beginText(LEFT, BASELINE)
        for family, piece in typefaces.runs(footer):
            text.setFont(family, size)
            text.textOut(piece)
        self.drawText(text)
        self.setFont(typefaces.MAIN, SIZE)
        self.drawRightString(RIGHT, BASELINE, label)


class NumberedDoc(PmlBaseDoc):  # type: ignore[misc]
    """What xhtml2pdf shall build: a document whose pages are numbered."""

    def _makeCanvas(self, filename: Any = None, canvasmaker: Any = None) -> Any:
        return super()._makeCanvas(filename=filename, canvasmaker=NumberedCanvas)


def _date(pdf: Any, created: datetime) -> None:
    """Replace ReportLab's reading of the clock by `created`, in the dates and in the file's identifier."""
    local = to_local(created)
    pdf._timeStamp = SimpleNamespace(
        t=created.timestamp(), lt=local.timetuple(), YMDhms=tuple(local.timetuple())[:6], dhh=9, dmm=0, datetime=local
    )
    pdf.signature = hashlib.md5(local.isoformat().encode(), usedforsecurity=False)
