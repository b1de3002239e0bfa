"""What points at a stored file says so by its type: the sweep would remove what nothing points at (COM-72)."""

from __future__ import annotations

import ast

import sqlalchemy as sa

from portal import blueprints  # noqa: F401 - imports every model
from portal.core.db import Base
from portal.core.files import FileKey, FileKeysJSON
from tests.meta.counts import ROOT

DIGESTS = {
    "audit_event.actor_login",  # as long, and a name
    "audit_event.digest",
    "audit_event.mac",
    "audit_head.digest",
    "calendar_feed.token_digest",
    "device.token_digest",
    "document_link.token_digest",
    "inbound_mail.digest",
    "inquiry.consent",
    "member_session.token_digest",
    "one_time_code.code_digest",
    "one_time_link.token_digest",
    "recovery_code.code_digest",
    "registration.code_digest",
    "registration.token_digest",
}
"""Columns as long as a file's key that are something else."""
JSON_WITHOUT_FILES = {
    "interrupted_form.data",
    "reservation.option_prices",
    "audit_event.changes",
    "invoice.billing",
    "invoice.contact",
    "invoice_item.billing",
    "invoice_item.contact",
    "invoice_item.facts",
    "document.content",
    "inquiry.fields",
    "job.payload",
    "member.mail_choices",
    "one_time_link.payload",
    "outbox_mail.headers",
    "registration.data",
    "reservation.billing",
    "reservation.contact",
    "reservation.options",
    "reservation.work_report",
}


def _columns() -> list[sa.Column[object]]:
    return [column for table in Base.metadata.sorted_tables for column in table.columns]


def test_every_column_as_long_as_a_files_key_is_one_or_known_to_be_none() -> None:
    """COM-72: who adds a column decides it here."""
    found = {
        str(column)
        for column in _columns()
        if isinstance(column.type, sa.String) and column.type.length == 64
    }
    assert found - DIGESTS == set()


def test_every_json_column_is_known_to_hold_files_or_not() -> None:
    """COM-22: a draft names the files that were attached."""
    holding = {str(column) for column in _columns() if isinstance(column.type, FileKeysJSON)}
    others = {str(column) for column in _columns() if isinstance(column.type, sa.JSON)}
    assert holding == {"draft.data"}
    assert others - JSON_WITHOUT_FILES == set()


def test_the_columns_that_point_at_files_are_these() -> None:
    """COM-72"""
    found = {str(column) for column in _columns() if isinstance(column.type, FileKey)}
    assert found == {
        "document.sha256",
        "facility.photo",
        "inbound_mail.kept",
        "inquiry_file.sha256",
    }


def test_stored_files_are_removed_by_the_sweep_alone() -> None:
    """COM-72: whoever removes one by hand does not know who else points at it."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "portal").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "remove_older"
    ]
    assert [place.partition(":")[0] for place in found] == ["portal/core/file_sweep.py"]
