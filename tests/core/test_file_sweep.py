"""Stored files that nothing points at are removed, and no others (COM-02, COM-16, COM-72)."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from portal.blueprints.facility.models import Facility
from portal.core import clock, file_sweep
from portal.core.audit import AuditEvent
from portal.core.db import session, tenant_scope
from portal.core.files import file_store
from portal.shared.accounts.models import Account
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.drafts import Draft
from tests.cast import NOW
from tests.support.client import Visitor
from tests.support.stored_files import let_files_age, stored_files

round_of_work = importlib.import_module("portal.cli.worker").round_of_work
Inside = Callable[[str], Any]
DAY = timedelta(days=1)
FORM = "/inquiries/new?category=other"
ASKED = {"body": "お願いします。", "agreed": "y"}


def attach(visitor: Visitor, content: bytes) -> str:
    """Fill in a form with a file, and leave it at 内容確認; the draft's token."""
    kept = visitor.post(FORM, ASKED | {"files": (io.BytesIO(content), "図面.txt")})
    assert kept.status_code == 303, kept.text
    return str(kept.location).rpartition("=")[2]


def sweep_at(app: Flask, after: timedelta, tenant: str = "facility") -> int:
    with clock.freeze(NOW + after), app.app_context(), tenant_scope(tenant):
        return file_sweep.sweep(DAY).files


def test_files_of_forms_that_were_never_sent_go_after_a_day(
    app: Flask, visit: Callable[..., Visitor]
) -> None:
    """COM-22: with their drafts, by the worker's tidying."""
    visitor = visit("facility", "hanako")
    before = stored_files(app)
    for number in range(5):
        attach(visitor, f"draft {number}".encode())
    drafted = set(stored_files(app)) - set(before)
    assert len(drafted) == 5
    let_files_age(app, NOW)
    for after, left in ((timedelta(hours=23), 5), (timedelta(hours=25), 0)):
        with clock.freeze(NOW + after), app.app_context():
            round_of_work(tidy=True)
        assert len(drafted & set(stored_files(app))) == left


def test_a_file_that_was_sent_stays(
    app: Flask, visit: Callable[..., Visitor], inside: Inside
) -> None:
    """COM-50: its message points at it, for as long as there is one."""
    visitor = visit("facility", "hanako")
    token = attach(visitor, b"sent")
    visitor.post("/inquiries/new/confirm", {"draft": token}, page=FORM)
    let_files_age(app, NOW)
    with inside("facility"):
        session().execute(delete(Draft))
        session().commit()
    assert sweep_at(app, 100 * DAY) == 0
    with inside("facility"):
        assert file_store().get(file_store().put(b"sent")) == b"sent"


def test_a_draft_keeps_its_files_however_old_they_are(
    app: Flask, visit: Callable[..., Visitor]
) -> None:
    """COM-22: the same content was put long ago by somebody else, who sent it nowhere."""
    visitor = visit("facility", "hanako")
    attach(visitor, b"old content")
    let_files_age(app, NOW - 20 * DAY)
    assert sweep_at(app, timedelta(hours=1)) == 0
    assert sweep_at(app, timedelta(hours=1), "studio") == 0


def _document(key: str) -> Document:
    account = session().scalars(select(Account).order_by(Account.id).limit(1)).one()
    return Document(
        account_id=account.id,
        kind=DocumentKind.INVOICE,
        number="X-1",
        about="test:1",
        counterparty="一番",
        transaction_date=NOW.date(),
        total=1,
        content={},
        sha256=key,
        issued_at=NOW,
    )


@pytest.mark.parametrize("of", ["document", "photo"])
def test_what_documents_and_photos_point_at_stays(app: Flask, inside: Inside, of: str) -> None:
    """COM-72: the law makes a brand keep its documents."""
    with inside("facility"):
        key = file_store().put(of.encode())
        if of == "document":
            session().add(_document(key))
        else:
            session().scalars(select(Facility).limit(1)).one().photo = key
        session().commit()
    let_files_age(app, NOW)
    sweep_at(app, 400 * DAY)
    with inside("facility"):
        assert file_store().get(key) == of.encode()


def test_each_brands_files_are_its_own_rows_business(app: Flask, inside: Inside) -> None:
    """COM-02: what another brand's row points at protects nothing here, and its folder is not looked into."""
    for tenant in ("facility", "studio"):
        with inside(tenant):
            key = file_store().put(b"the same in both")
    with inside("studio"):
        session().scalars(select(Facility).limit(1)).one().photo = key
        session().commit()
    let_files_age(app, NOW)
    sweep_at(app, 2 * DAY)
    assert [path.parts[-3] for path in stored_files(app) if path.name == key] == ["studio"]


def test_what_a_killed_process_left_half_written_goes_too(app: Flask, inside: Inside) -> None:
    """COM-72"""
    with inside("facility"):
        key = file_store().put(b"whole")
        session().scalars(select(Facility).limit(1)).one().photo = key
        session().commit()
    (whole,) = [path for path in stored_files(app) if path.name == key]
    half = whole.parent / "tmpabc123"
    half.write_bytes(b"who")
    let_files_age(app, NOW)
    sweep_at(app, 2 * DAY)
    assert whole.exists()
    assert not half.exists()


def test_a_database_that_is_younger_than_the_files_removes_none(
    app: Flask, inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    """COM-72: the right folder beside the wrong DATABASE_URL must not cost a brand its documents."""
    with inside("facility"):
        file_store().put(b"of another database")
        first = session().scalars(select(AuditEvent.at).where(AuditEvent.sequence == 1)).one()
    with inside("shop"):
        file_store().put(b"of a brand without any history here")
    let_files_age(app, first - DAY)
    before = stored_files(app)
    assert sweep_at(app, 2 * DAY) == sweep_at(app, 2 * DAY, "shop") == 0
    assert stored_files(app) == before
    assert "older than this database" in caplog.text


def test_putting_a_forgotten_file_again_makes_it_young(app: Flask, inside: Inside) -> None:
    """COM-22: whoever puts it is about to point at it."""
    with inside("facility"):
        key = file_store().put(b"forgotten")
    let_files_age(app, NOW)
    with inside("facility"):
        assert file_store().put(b"forgotten") == key
    assert sweep_at(app, 2 * DAY) == 0
    let_files_age(app, NOW)
    with inside("facility"):
        assert file_store().keep_young(key)
        assert not file_store().keep_young("0" * 64)
    assert sweep_at(app, 2 * DAY) == 0
    let_files_age(app, NOW)
    assert sweep_at(app, 2 * DAY) == 1


def test_a_sweep_holds_few_names_at_once_and_misses_none(
    app: Flask, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A brand may have hundreds of thousands of files."""
    monkeypatch.setattr(file_sweep, "_BATCH_SIZE", 3)
    seen: list[int] = []
    really = file_sweep.find_referenced

    def count(keys: set[str]) -> set[str]:
        seen.append(len(keys))
        return really(keys)

    monkeypatch.setattr(file_sweep, "find_referenced", count)
    with inside("facility"):
        for number in range(10):
            file_store().put(f"file {number}".encode())
    let_files_age(app, NOW)
    assert sweep_at(app, 2 * DAY) >= 10
    assert max(seen) <= 3


def test_a_file_that_is_put_again_during_a_sweep_is_not_taken(
    app: Flask, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-50: between the look at the database and the removal."""
    really = file_sweep.find_referenced

    def put_meanwhile(keys: set[str]) -> set[str]:
        found = really(keys)
        file_store().put(b"wanted again")
        return found

    with inside("facility"):
        key = file_store().put(b"wanted again")
    let_files_age(app, NOW)
    monkeypatch.setattr(file_sweep, "find_referenced", put_meanwhile)
    assert sweep_at(app, 2 * DAY) == 0
    with inside("facility"):
        assert file_store().get(key) == b"wanted again"
