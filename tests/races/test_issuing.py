"""FAC-04, COM-72: the worker and a command issue at the same moment: each document is there once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.documents.models import Document
from tests.cast import Cast


def test_documents_are_issued_once_by_worker_and_operator(
    app: Flask, together: Callable[..., list[Any]], inside
) -> None:
    """FAC-04, COM-72: four at once, the worker's way and the operator's; no number is given twice."""
    tenant = app.extensions["tenants"].current().by_key["facility"]

    def issue(turn: int) -> int:
        if turn % 2:
            return operations.issue_due(tenant)
        drawing = operations.issue(tenant, queries.any_reservation(Cast.billed), by=SYSTEM)
        session().commit()
        return len(drawing)

    results = together(4, issue)
    assert all(isinstance(result, int) for result in results), results
    with inside("facility"):
        found = session().scalars(select(Document).where(Document.about == Cast.billed)).all()
        assert sorted(document.kind.value for document in found) == ["invoice", "work_report"]
