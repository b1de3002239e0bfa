"""COM-72, COM-74: whatever is altered behind the portal's back is found, by row, file and number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.blueprints.facility import operations, queries
from portal.core import SYSTEM, session
from portal.shared.documents import verification
from tests.cast import Cast
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


def test_documents_of_before_are_sealed_as_they_stand(issued, inside) -> None:
    """COM-72: from then on a change shows; nothing is sealed twice."""
    with inside("facility"):
        assert verification.unsealed() == []
        assert verification.seal(by=SYSTEM) == 0
        found = queries.any_reservation(Cast.billed)
        assert operations.money(found).invoices[0].number == "FI000001"
        session().rollback()
