"""Documents made in a process that can be killed (security.md §4.23)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from portal.core.sandbox import Sandbox
from portal.shared.documents import pdf, process
from portal.shared.documents.content import InvoiceContent
from portal.shared.documents.pdf import PdfFailed
from portal.shared.documents.typefaces import UndrawableText


@pytest.fixture(autouse=True)
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    own = process.new_sandbox()
    monkeypatch.setattr(process, "_sandbox", own)
    yield own
    own.close()


def test_it_is_the_same_document(invoice: InvoiceContent, created: datetime) -> None:
    """COM-72: which process drew a document makes no difference to its bytes."""
    content = invoice.to_json()
    for _ in range(2):
        assert process.draw_document("invoice", content, created) == pdf.render_document(
            "invoice", content, created
        )


def test_refusals_come_back_and_the_process_goes_on(
    invoice: InvoiceContent, created: datetime
) -> None:
    with pytest.raises(UndrawableText, match="U\\+1F600"):
        process.draw_document("invoice", replace(invoice, remarks="\U0001f600").to_json(), created)
    with pytest.raises(PdfFailed, match="KeyError"):
        process.draw_document("unknown", {}, created)
    assert process.draw_document("invoice", invoice.to_json(), created).startswith(b"%PDF")


def test_it_is_killed_when_it_takes_too_long(invoice: InvoiceContent, created: datetime) -> None:
    with pytest.raises(PdfFailed, match=r"0\.01"):
        process.draw_document("invoice", invoice.to_json(), created, timeout=0.01)
    assert process.draw_document("invoice", invoice.to_json(), created).startswith(b"%PDF")


def test_a_killed_process_is_started_again(
    invoice: InvoiceContent, created: datetime, sandbox: Sandbox
) -> None:
    process.draw_document("invoice", invoice.to_json(), created)
    assert sandbox.process_id is not None
    os.kill(sandbox.process_id, signal.SIGKILL)
    os.waitid(os.P_PID, sandbox.process_id, os.WEXITED | os.WNOWAIT)
    assert process.draw_document("invoice", invoice.to_json(), created).startswith(b"%PDF")


def test_it_inherits_no_secret(
    invoice: InvoiceContent, created: datetime, sandbox: Sandbox
) -> None:
    process.draw_document("invoice", invoice.to_json(), created)
    environ = Path(f"/proc/{sandbox.process_id}/environ").read_bytes()
    names = {entry.split(b"=")[0] for entry in environ.split(b"\0") if entry}
    assert names == {b"PYTHONPATH", b"PYTHONUTF8"}
