"""Issuing, drawing, reading and finding documents (COM-70 to COM-74)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from portal.config.schema_parts import NumberFormat
from portal.core import audit, clock, jobs
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.core.files import file_store
from portal.core.jobs import PAUSES, Job, WorkStatus
from portal.core.money import LARGEST
from portal.shared.accounts.models import Account
from portal.shared.documents import operations, pdf, verification
from portal.shared.documents.content import InvoiceContent
from portal.shared.documents.digest import content_digest
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.documents.verification import Fault
from tests.cast import NOW

STYLE = NumberFormat(prefix="FI", digits=6)
Issue = Callable[..., tuple[Document, Job]]


@pytest.fixture
def issue(invoice: InvoiceContent) -> Issue:
    """Issue an invoice, in the running transaction of the tenant in scope."""

    def make(**changes: Any) -> tuple[Document, Job]:
        values: dict[str, Any] = {
            "style": STYLE,
            "account_id": 1,
            "counterparty": "株式会社一番",
            "about": "FR000002",
            "transaction_date": date(2026, 10, 14),
            "total": 49_238,
            "by": SYSTEM,
        }
        kind = changes.pop("kind", DocumentKind.INVOICE)
        return operations.issue(kind, changes.pop("content", invoice), **(values | changes))

    return make


def files(home: Path) -> list[Path]:
    return [path for path in (home / "files").rglob("*") if path.is_file()]


def test_issued_documents_are_numbered_without_gap_or_double(inside, issue) -> None:
    """COM-72: a number that a rolled-back transaction took is given to the next one."""
    with inside("facility"):
        assert issue()[0].number == "FI000001"
        session().rollback()
        numbers = []
        for _ in range(3):
            numbers.append(issue()[0].number)
            session().commit()
        assert numbers == ["FI000001", "FI000002", "FI000003"]


def test_each_kind_and_each_brand_counts_for_itself(inside, issue) -> None:
    """COM-02, COM-72."""
    with inside("facility"):
        issue()
        assert (
            issue(kind=DocumentKind.RECEIPT, style=NumberFormat(prefix="RC", digits=4))[0].number
            == "RC0001"
        )
        session().commit()
    with inside("studio"):
        own = session().scalars(select(Account.id)).first()
        assert issue(account_id=own)[0].number == "FI000001"


def test_the_number_and_the_instant_are_kept_with_what_it_was_made_from(
    inside, issue, invoice
) -> None:
    """COM-72: the content can be read back as it was, number and all."""
    with inside("facility"):
        document, job = issue(content=replace(invoice, number=""))
        assert InvoiceContent.from_json(document.content) == replace(invoice, number="FI000001")
        assert (document.issued_at, document.sha256, document.size, document.drawn_at) == (
            NOW,
            "",
            0,
            None,
        )
        assert (job.kind, job.payload, job.due_at) == (
            "documents.draw",
            {"document": document.id},
            NOW,
        )
        event = (
            session()
            .scalars(select(AuditEvent).order_by(AuditEvent.sequence.desc()).limit(1))
            .one()
        )
        assert (event.action, event.subject, event.changes) == (
            "document.issue",
            "document:FI000001",
            {"kind": "invoice", "total": 49_238, "digest": content_digest(document)},
        )


def test_what_no_typeface_draws_is_a_geta_and_keeps_no_document_from_being_drawn(
    inside, issue, settings, invoice
) -> None:
    """COM-70, COM-72: copies from before it was refused; wherever in the content it stands."""
    bad = replace(invoice.lines[0], description="部品\U0001f600")
    with inside("facility"):
        for content in (
            replace(invoice, lines=(invoice.lines[0], bad)),
            replace(invoice, recipient=replace(invoice.recipient, person="\ue000")),
            replace(invoice, references=(("番号", "\x07"),)),
        ):
            document, job = issue(content=content)
            wanted = document.id
            session().commit()
            assert jobs.run(job.id)
            document = session().get_one(Document, wanted)
            path = settings.home / "files" / "facility" / document.sha256[:2] / document.sha256
            assert "〓" in PdfReader(path).pages[0].extract_text()


def test_a_document_is_drawn_once_and_its_bytes_never_change(
    inside, issue, settings, invoice
) -> None:
    """COM-72: a second drawing, a changed program, a later day: the stored bytes stay."""
    with inside("facility"):
        document, job = issue()
        session().commit()
        wanted = document.id
        assert jobs.run(job.id)
        document = session().get_one(Document, wanted)
        file, filename, digest = operations.open_file(document)
        with file:
            data = file.read()
        assert data == pdf.render_document("invoice", document.content, NOW)
        assert (document.size, document.drawn_at, digest) == (len(data), NOW, document.sha256)
        assert filename == "20261014_株式会社一番_49238_FI000001.pdf"
        document.content = document.content | {"remarks": "あとから"}
        session().commit()
        with clock.freeze(NOW + timedelta(days=365)):
            operations.draw({"document": wanted})
        assert file_store().get(session().get_one(Document, wanted).sha256) == data
        assert [path.name for path in files(settings.home)] == [digest]
        drawn = session().scalars(
            select(AuditEvent.action).where(AuditEvent.subject == "document:FI000001")
        )
        assert list(drawn) == ["document.issue", "document.draw"]


def test_a_file_name_fits_every_file_system_however_long_the_counterparty_is() -> None:
    """COM-74, 電子帳簿保存法: 255 bytes; it is cut between two characters, the number stays whole."""
    document = Document(
        kind=DocumentKind.CREDIT_NOTE,
        number="CN00000001",
        counterparty="あ" * 100,
        transaction_date=date(2026, 10, 14),
        total=-999_999_999_999,
    )
    assert len(document.filename.encode()) <= 255
    assert document.filename == f"20261014_{'あ' * 60}_-999999999999_CN00000001.pdf"


def test_of_two_who_draw_at_once_the_first_stays(inside, issue, settings, monkeypatch) -> None:
    """COM-72: a worker and a command may meet over one document."""
    with inside("facility"):
        document, _job = issue()
        session().commit()
        wanted, real = document.id, vars(operations)["draw_document"]

        def slow(kind: str, content: Any, created: Any) -> bytes:
            monkeypatch.setattr(operations, "draw_document", real)
            operations.draw({"document": wanted})
            return bytes(real(kind, {**content, "remarks": "二番目"}, created))

        monkeypatch.setattr(operations, "draw_document", slow)
        operations.draw({"document": wanted})
        kept = session().get_one(Document, wanted, populate_existing=True)
        assert file_store().get(kept.sha256) == real("invoice", kept.content, NOW)
        assert list(verification.find_faults()) == []
        drawn = select(AuditEvent.id).where(AuditEvent.action == "document.draw")
        assert len(session().scalars(drawn).all()) == 1, "what came too late left no trace"


def test_a_full_disk_leaves_nothing_behind_and_the_next_try_succeeds(
    inside, issue, settings, monkeypatch
) -> None:
    """COM-72: no half file, no half document; the job is put off for a little, and repeated."""

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with inside("facility"):
        document, job = issue()
        session().commit()
        wanted, due = document.id, job.id
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full)
            assert not jobs.run(due)
        assert files(settings.home) == []
        with pytest.raises(RuleBroken, match="準備しています"):
            operations.open_file(session().get_one(Document, wanted))
        stored = session().get_one(Job, due)
        assert (stored.status, stored.due_at) == (WorkStatus.WAITING, NOW + PAUSES[0])
        assert "No space left" in stored.last_error
        session().rollback()
        with clock.freeze(NOW + PAUSES[0]):
            assert jobs.run_due() == 1
        assert file_store().get(session().get_one(Document, wanted).sha256).startswith(b"%PDF")


def test_a_mistake_in_the_content_is_kept_with_the_job_and_draws_nothing(
    inside, issue, settings
) -> None:
    """COM-72."""
    with inside("facility"):
        document, job = issue()
        document.content = document.content | {"lines": "none"}
        session().commit()
        wanted, due = document.id, job.id
        assert not jobs.run(due)
        assert session().get_one(Document, wanted).sha256 == ""
        assert session().get_one(Job, due).last_error.startswith("PdfFailed: ValidationError")
    assert files(settings.home) == []


def test_what_is_not_there_is_not_found(inside) -> None:
    with inside("facility"), pytest.raises(NotFound):
        operations.open_file(None)


def test_the_newest_document_about_a_thing_is_the_one_given(inside, issue) -> None:
    """COM-72: a correction is a new document, and from then on the one that is offered; COM-73: to its account."""
    with inside("facility"):
        first, _ = issue()
        second, _ = issue()
        receipt, _ = issue(kind=DocumentKind.RECEIPT, style=NumberFormat(prefix="RC", digits=4))
        issue(about="FR000009")
        assert operations.about(1, "FR000002")[DocumentKind.INVOICE] is second is not first
        assert operations.about(1, "FR000002") == {
            DocumentKind.INVOICE: second,
            DocumentKind.RECEIPT: receipt,
        }
        assert operations.about(2, "FR000002") == {}
        assert operations.about(2, "FR000002") == {}
        assert DocumentKind.WORK_REPORT not in operations.about(1, "FR000002")


def test_the_archive_is_searched_by_date_amount_and_counterparty(inside, issue) -> None:
    """COM-74: ranges with both ends in, zero yen is an amount, % is a character, newest first."""
    days, totals = (
        (date(2026, 10, 1), date(2026, 10, 31), date(2027, 1, 1)),
        (0, 1_000, 2 * LARGEST),
    )
    names = ("髙﨑精機", "100%工房", "𠮷田_商店")
    with inside("facility"):
        for day, total, name in zip(days, totals, names, strict=True):
            issue(transaction_date=day, total=total, counterparty=name)
        issue(transaction_date=days[0], total=5, counterparty="髙﨑精機")

        def hits(**words: Any) -> list[str]:
            return [document.number[-1] for document in operations.search(**words)]

        assert hits() == ["3", "2", "4", "1"]
        assert hits(limit=2) == ["3", "2"]
        assert hits(since=days[1]) == ["3", "2"]
        assert hits(until=days[1]) == ["2", "4", "1"]
        assert hits(since=days[0], until=days[0]) == ["4", "1"]
        assert hits(most=0) == ["1"]
        assert hits(least=1, most=1_000) == ["2", "4"]
        assert hits(least=0) == ["3", "2", "4", "1"]
        assert hits(least=LARGEST) == ["3"]
        assert hits(counterparty="%") == ["2"]
        assert hits(counterparty="_") == ["3"]
        assert hits(counterparty="𠮷田") == ["3"]
        assert hits(counterparty="髙﨑", least=1, since=days[0], until=days[1]) == ["4"]
        assert hits(counterparty="高崎") == ["4", "1"]  # whichever way it is written


def test_verify_names_what_is_changed_and_what_is_gone_and_passes_over_what_is_undrawn(
    inside, issue, settings
) -> None:
    """COM-72, COM-74: one changed byte is enough, and another brand's file is no stand-in."""
    with inside("facility"):
        made = [issue()[0] for _ in range(4)]
        for document, data in zip(made, (b"one", b"two", b"three"), strict=False):
            document.sha256 = key = file_store().put(data)
            audit.record("document.draw", document, by=SYSTEM, digest_of_bytes=key)
        session().flush()
        assert list(verification.find_faults()) == []
        changed, gone = (
            settings.home / "files" / "facility" / d.sha256[:2] / d.sha256 for d in made[1:3]
        )
        changed.write_bytes(b"twp")
        elsewhere = settings.home / "files" / "studio" / gone.parent.name / gone.name
        elsewhere.parent.mkdir(parents=True)
        gone.rename(elsewhere)
        assert list(verification.find_faults()) == [
            Fault(made[1].number, "bytes do not match the digest"),
            Fault(made[2].number, "file is missing"),
        ]


@pytest.mark.parametrize(
    ("party", "name"),
    [
        ("株式会社 一番", "20261014_株式会社 一番_0_N1.pdf"),
        ('A/B\\C:"D"*?<E>|', "20261014_ABCDE_0_N1.pdf"),
        ("改\r\n行\t", "20261014_改行_0_N1.pdf"),
        ("𠮷田", "20261014_𠮷田_0_N1.pdf"),
    ],
)
def test_a_file_is_named_by_date_counterparty_and_total(party: str, name: str) -> None:
    """COM-74, 電子帳簿保存法: sortable, and fit for every file system."""
    made = Document(
        kind=DocumentKind.INVOICE,
        counterparty=party,
        transaction_date=date(2026, 10, 14),
        total=0,
        number="N1",
    )
    assert made.filename == name


def test_a_work_report_is_filed_without_an_amount() -> None:
    """COM-74, FAC-04: neither in its name nor where documents are found; it bears none."""
    made = Document(
        kind=DocumentKind.WORK_REPORT,
        counterparty="株式会社一番",
        transaction_date=date(2026, 10, 14),
        total=14850,
        number="FW000001",
    )
    assert made.amount is None
    assert made.filename == "20261014_株式会社一番_FW000001.pdf"


def test_a_document_is_dated_in_tokyo() -> None:
    """COM-71: at 15:00 UTC the next day has begun."""
    at = clock.local(2026, 10, 31, 0)
    assert operations.issued_on(at) == date(2026, 10, 31)
    assert operations.issued_on(at - timedelta(seconds=1)) == date(2026, 10, 30)


@pytest.mark.parametrize("kind", DocumentKind)
def test_every_kind_has_a_name_a_template_and_a_content(kind: DocumentKind) -> None:
    """COM-70: what can be issued can be drawn."""
    from portal.shared.documents.content import KINDS
    from portal.shared.documents.setting import TEMPLATES

    titles = {
        "invoice": "請求書",
        "work_report": "作業完了報告書",
        "receipt": "領収書",
        "credit_note": "返金明細書",
    }
    assert kind.label == titles[kind.value]
    assert kind in KINDS
    assert (TEMPLATES / "pdf" / f"{kind}.html").is_file()
