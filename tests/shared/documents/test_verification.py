"""COM-72, COM-74: whatever is altered behind the portal's back is found, by row, file and number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from flask import Flask

from portal.config import NumberFormat
from portal.core import SYSTEM, jobs, session
from portal.core.audit_chain import find_faults as find_chain_faults
from portal.shared.documents import operations as documents
from portal.shared.documents import verification
from portal.shared.documents.content import InvoiceContent
from portal.shared.documents.models import DocumentKind
from tests.cast import Cast
from tests.support.old_documents import issue_as_before
from tests.support.raw import superuser

CHANGES = [
    ("UPDATE document SET total = total + 1 WHERE number = 'FI000001'", "FI000001: is not what"),
    (
        "UPDATE document SET transaction_date = '2026-01-01' WHERE number = 'FI000001'",
        "FI000001: is not what",
    ),
    (
        "UPDATE document SET counterparty = '別人' WHERE number = 'FI000001'",
        "FI000001: is not what",
    ),
    ("UPDATE document SET content = '{}' WHERE number = 'FI000001'", "FI000001: is not what"),
    (
        "UPDATE document SET sha256 = (SELECT sha256 FROM document WHERE number = 'FW000001') "
        "WHERE number = 'FI000001'",
        "FI000001: its file is not the one",
    ),
    ("DELETE FROM document WHERE number = 'FI000001'", "FI000001: is in the trail, but"),
    ("DELETE FROM document WHERE number = 'FI000001'", "invoice 1: number was given out"),
    ("UPDATE document SET number = 'FI000009' WHERE number = 'FI000001'", "FI000009: is not in"),
]


@pytest.fixture
def issued(app: Flask, run: Any) -> None:
    """The cast's billed reservation, its invoice and work report issued and drawn."""
    result = run.invoke(args=["facility", "issue", Cast.billed, "--tenant", "facility"])
    assert result.exit_code == 0, result.output


def faults(inside: Callable[[str], Any]) -> list[str]:
    with inside("facility"):
        return [str(fault) for fault in verification.find_faults()]


def test_what_was_issued_is_whole(issued, inside) -> None:
    """COM-72"""
    assert faults(inside) == []


@pytest.mark.parametrize(("statement", "found"), CHANGES)
def test_an_altered_document_is_named(issued, app, inside, statement, found) -> None:
    """COM-72: total, date, counterparty, content, file, row and number."""
    with superuser(app) as connection:
        connection.execute(statement)
    assert any(one.startswith(found) for one in faults(inside)), faults(inside)


def test_documents_of_before_are_sealed_as_they_stand_and_only_once(
    app, inside, invoice: InvoiceContent
) -> None:
    """COM-72: unsealed they are compared by their bytes alone; from then on every change shows."""
    with inside("facility"):
        issue_as_before("FI000001", DocumentKind.INVOICE, invoice.to_json())
        assert verification.count_unsealed() == 1
        assert list(verification.find_faults()) == []
        assert verification.seal(by=SYSTEM) == 1
        session().commit()
        assert verification.count_unsealed() == 0
        assert verification.seal(by=SYSTEM) == 0
        assert list(find_chain_faults()) == []
    assert faults(inside) == []
    with superuser(app) as connection:
        connection.execute("UPDATE document SET total = total + 1 WHERE number = 'FI000001'")
    (fault,) = faults(inside)
    assert fault.startswith("FI000001: is not what was issued")


def test_what_nobody_issued_is_never_sealed(issued, app, inside) -> None:
    """COM-72: sealing would make a document that was put in from behind look issued."""
    with superuser(app) as connection:
        connection.execute("UPDATE document SET number = 'FI000009' WHERE number = 'FI000001'")
    with inside("facility"):
        assert verification.count_unsealed() == 0
        assert verification.seal(by=SYSTEM) == 0
        session().commit()
    assert any(one.startswith("FI000009: is not in the trail") for one in faults(inside))


def test_two_kinds_with_one_number_are_told_apart(app, inside, invoice: InvoiceContent) -> None:
    """COM-72: numbers are without doubles by kind; the trail says which kind it means."""
    content = replace(invoice, number="")
    with inside("facility"):
        for kind in (DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE):
            _document, job = documents.issue(
                kind,
                content,
                style=NumberFormat(prefix="X", digits=6),
                account_id=1,
                counterparty="株式会社一番",
                about="FR000002",
                transaction_date=date(2026, 10, 14),
                total=49_238,
                by=SYSTEM,
            )
            session().commit()
            assert jobs.run(job.id)
        session().rollback()
    assert faults(inside) == []
    with superuser(app) as connection:
        connection.execute("DELETE FROM document WHERE kind = 'credit_note'")
    assert "X000001: is in the trail, but its row is gone" in faults(inside)
