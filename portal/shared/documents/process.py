"""Documents are drawn in a process that can be killed: what customers typed is set by a library
that may take any time over it (security.md §4.23).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from portal.core.sandbox import Limits, Refused, Sandbox, SandboxFailed
from portal.shared.documents.pdf import RENDER_SECONDS, PdfFailed, render_document
from portal.shared.documents.typefaces import UndrawableText

_LIMITS = Limits(
    seconds=RENDER_SECONDS, cpu_seconds=RENDER_SECONDS, memory_bytes=1024 * 1024 * 1024
)


def new_sandbox() -> Sandbox:
    """A sandbox that draws documents; a process needs one."""
    return Sandbox(f"{__name__}:render_task", _LIMITS)


_sandbox = new_sandbox()


def draw_document(
    kind: str, context: Mapping[str, Any], created: datetime, timeout: float = RENDER_SECONDS
) -> bytes:
    """As `render_document`, in a process of its own that is killed after `timeout` seconds.

    Raises UndrawableText, or PdfFailed for everything else.
    """
    task = {"kind": kind, "context": context, "created": created.isoformat()}
    try:
        made = _sandbox.run(task, seconds=timeout)
    except SandboxFailed as failed:
        raise PdfFailed(str(failed)) from failed
    except Refused as refused:
        raise _as_undrawable(refused.reason) from None
    # A child's word is not trusted: it has worked on what strangers typed.
    if not made.startswith(b"%PDF"):
        raise PdfFailed("what was drawn is no PDF")
    return made


def _as_undrawable(reason: str) -> UndrawableText | PdfFailed:
    """The child refuses by the one character that it cannot draw."""
    return UndrawableText(reason) if len(reason) == 1 else PdfFailed(reason)


def render_task(task: Mapping[str, Any]) -> bytes:
    """In the child: the PDF. Raises Refused with the character that cannot be drawn."""
    created = datetime.fromisoformat(task["created"])
    try:
        return render_document(task["kind"], task["context"], created)
    except UndrawableText as undrawable:
        raise Refused(str(undrawable.params["char"])) from None
