"""Where a document's pages end (COM-70): totals stay whole, and no last page holds next to nothing.

ReportLab fills each page to its foot and takes what is left over to the next, be it one line of a
table or a bank account alone. Here the end is known before a page is cut: the last page gets the
totals with the lines above them, or a quarter of a page, whichever is more.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus.doctemplate import ActionFlowable, NullActionFlowable
from reportlab.platypus.flowables import Flowable, KeepTogether, PageBreak
from xhtml2pdf.reportlab_paragraph import Paragraph
from xhtml2pdf.xhtml2pdf_reportlab import PmlTable

COMPANY = 25 * mm
"""How much of what stands above the totals goes with them to the last page: three lines or so."""

SMALLEST_PART = 12 * mm
"""What stays behind of something divided: a head alone, or a line, looks like a mistake."""

SMALLEST_SHARE = 0.25
LARGEST_SHARE = 0.45
_UNBOUNDED = 0xFFFFFFF
_NEVER_FITS = 0xFFFFFF


def paged(story: Iterable[Any]) -> Iterator[Any]:
    """`story`, cut into pages by its height as well as where it breaks them itself."""
    for breaks, run in groupby(story, _is_break):
        if breaks:
            yield from run
        else:
            yield PagedStory(run)


def _is_break(flowable: Any) -> bool:
    return isinstance(flowable, ActionFlowable | PageBreak)


class PagedStory(Flowable):  # type: ignore[misc]
    """All of a document that is not drawn yet. It is never drawn itself: asked to split, it answers
    with what the present page holds, a page break and another of its kind.
    """

    def __init__(self, content: Iterable[Any]) -> None:
        super().__init__()
        self._content = list(content)

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """Higher than any page, so that ReportLab asks for a split."""
        return width, _NEVER_FITS

    def split(self, width: float, height: float) -> list[Any]:
        """What the page still has room for (`width` and `height` in points), then the rest.

        An action that does nothing comes first: ReportLab would draw what comes first as it is, and
        what is kept together cannot be drawn, only split.
        """
        return [NullActionFlowable(), *self._page(width, height)]

    def _page(self, width: float, height: float) -> list[Any]:
        frame = self._frame
        content = list(_opened(self._content, self.canv, width, frame._aH))
        heights = _heights(content, self.canv, width)
        total = sum(heights)
        if total <= height:
            return content
        # As much as the end needs, but neither a scrap of a page nor so much that this one looks
        # empty.
        share = min(
            max(_end_height(content, heights) + COMPANY, SMALLEST_SHARE * frame._aH),
            LARGEST_SHARE * frame._aH,
        )
        here, rest = self._cut(content, heights, width, min(height, total - share))
        if not here and frame._atTop:
            # Nothing divides the first piece, so ReportLab shrinks or cuts it as it can.
            return [*rest[:1], *paged(rest[1:])]
        return [*here, PageBreak(), *paged(rest)]

    def _cut(
        self, content: list[Any], heights: list[float], width: float, room: float
    ) -> tuple[list[Any], list[Any]]:
        """What fits into `room` points, and the rest; a head goes with what it heads."""
        here: list[Any] = []
        for flowable, height in zip(content, heights, strict=True):
            if height > room:
                break
            here.append(flowable)
            room -= height
        rest = content[len(here) :]
        parts = _divided(rest[0], self.canv, width, room) if room > 0 else []
        if len(parts) > 1:
            return [*here, parts[0]], [*parts[1:], *rest[1:]]
        # A heading at the foot of a page goes to the next one with what it heads.
        while here and here[-1].getKeepWithNext():
            rest.insert(0, here.pop())
        return here, rest


def _opened(content: Iterable[Any], canvas: Any, width: float, page: float) -> Iterator[Any]:
    """`content`, with what is to be kept together but is higher than a page taken apart."""
    for flowable in content:
        if isinstance(flowable, KeepTogether):
            flowable.wrapOn(canvas, width, page)
            height = flowable._H
            if height > page:
                yield from _opened(flowable._content, canvas, width, page)
                continue
        yield flowable


def _heights(content: list[Any], canvas: Any, width: float) -> list[float]:
    """How much of the page each takes, in points, the space above it included."""
    heights: list[float] = []
    above = 0.0
    for flowable in content:
        _width, height = flowable.wrapOn(canvas, width, _UNBOUNDED)
        if isinstance(flowable, KeepTogether):
            height = flowable._H
        if isinstance(flowable, PmlTable):
            # Measured once: each page would measure all the rows to come again.
            flowable._argH = list(flowable._rowHeights)
        # As ReportLab's frames have it: of two spaces that meet, the larger one counts.
        before = max(flowable.getSpaceBefore() - above, 0) if heights else 0
        above = flowable.getSpaceAfter()
        heights.append(before + height + above)
    return heights


def _end_height(content: list[Any], heights: list[float]) -> float:
    """How high the document's end is: the last of what is kept together, and all below it."""
    kept = [place for place, flowable in enumerate(content) if isinstance(flowable, KeepTogether)]
    return sum(heights[kept[-1] :]) if kept else 0.0


def _divided(flowable: Any, canvas: Any, width: float, room: float) -> list[Any]:
    """`flowable` in two where `room` points end, or nothing where it does not divide."""
    if isinstance(flowable, KeepTogether):
        return []
    if isinstance(flowable, Paragraph):
        # No last line of a paragraph stands alone at the top of a page.
        flowable.allowWidows = 0
    room -= flowable.getSpaceBefore()
    if room < SMALLEST_PART:
        return []
    parts: list[Any] = flowable.splitOn(canvas, width, room)
    if len(parts) == 2 and isinstance(flowable, PmlTable):
        return _without_lonely_row(flowable, parts, canvas, width)
    return parts


def _without_lonely_row(table: Any, parts: list[Any], canvas: Any, width: float) -> list[Any]:
    """`parts` of a table with two rows or more in each: the last row is often the sum of the
    others.
    """
    heads = table._repeatCount()
    above = parts[0]._nrows
    if parts[1]._nrows - heads < 2 <= above - heads:
        parts = table.splitOn(canvas, width, sum(table._rowHeights[: above - 1]))
    return parts if len(parts) == 2 and parts[0]._nrows - heads >= 2 else []
