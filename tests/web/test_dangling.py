"""OPS-03: a tenants file that leaves data dangling is refused, at `check` and while the portal runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import create_app
from portal.blueprints.support.models import Contract
from portal.core import clock
from portal.core.db import db, session, tenant_scope
from portal.settings import ROOT, Settings
from portal.shared.accounts.models import Account, Member, MemberStatus, login_key
from portal.shared.inquiries.models import Inquiry, Status
from portal.shared.members import operations as members
from portal.web.dangling import LAST_GOOD

GOOD = (ROOT / "tests" / "tenants.toml").read_text(encoding="utf-8")
Edit = Callable[[str], str]


@pytest.fixture
def served(settings: Settings, app: Flask, tmp_path: Path) -> Any:
    """A portal with a tenants file of its own, and data that hang on it."""
    del app
    file = tmp_path / "tenants.toml"
    file.write_text(GOOD, encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    (home / LAST_GOOD).write_text(GOOD, encoding="utf-8")
    made = create_app(replace(settings, tenants_file=file, home=home))
    with made.app_context():
        _fill()
        db.session.remove()
    yield made
    with made.app_context():
        db.engine.dispose()


def _fill() -> None:
    with tenant_scope("desk"):
        account = Account(number="C000001", name="契約の会社", created_at=clock.now())
        session().add(account)
        session().flush()
        contract = Contract(number="CT1", account_id=account.id, product="manage")
        contract.product_label, contract.form_on = "業務", date(2026, 1, 1)
        contract.created_at = clock.now()
        session().add(contract)
        session().commit()
    with tenant_scope("facility"):
        for number, status in enumerate((Status.RECEIVED, Status.CLOSED)):
            inquiry = Inquiry(number=f"IQ{number}", category="change", label="変更", status=status)
            inquiry.name, inquiry.email = "来訪者", "guest@one.example"
            inquiry.created_at = inquiry.updated_at = clock.now()
            session().add(inquiry)
        session().commit()


def without(tenant: str, following: str) -> Edit:
    def edit(text: str) -> str:
        head, _table, rest = text.partition(f"[tenants.{tenant}]")
        return head + f"[tenants.{following}]" + rest.partition(f"[tenants.{following}]")[2]

    return edit


def put(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


HANGING: dict[str, tuple[Edit, str]] = {
    "a tenant": (without("studio", "shop"), "tenants.studio: is gone, but 2 customers"),
    "a product": (
        put('{ key = "manage", label = "業務" }, ', ""),
        "tenants.desk.support.products: 'manage' is gone, but 1 contracts of it hang on it",
    ),
    "a module": (
        put('modules = ["facility"]', "modules = []"),
        "tenants.facility.modules: 'facility' is off, but 3 reservations are not finished",
    ),
    "an issuer that no document can print": (
        put('name = "試験設備"', 'name = "試験設備"\nissuer = { bank = "銀行😀" }'),
        "tenants.facility.issuer.bank: 「😀」（U+1F600）は帳票に印字できない文字です",
    ),
    "a way to sign in": (
        put('sign_in = { items = "login_id_password"', 'sign_in = { items = "email_password"'),
        "tenants.facility.sign_in.items: is changed, but 3 members cannot sign in that way",
    ),
    "the inquiries of a brand": (
        put("features.document_links", "features.inquiries = false\nfeatures.document_links"),
        "tenants.facility.features.inquiries: is off, but 1 inquiries are not closed",
    ),
    "a category": (
        put('key = "change"', 'key = "changes"'),
        "categories: 'change' is gone, but 1 inquiries of it are not closed",
    ),
}


@pytest.mark.parametrize("what", HANGING)
def test_what_data_hang_on_is_not_taken_away_by_a_file(served: Flask, what: str) -> None:
    """OPS-03: the last good file stays in force, and `check` counts what hangs there."""
    edit, message = HANGING[what]
    registry = served.extensions["tenants"]
    before = registry.current()
    changed = edit(GOOD).replace('when = { product = "manage" }\n', "")
    registry.path.write_text(changed, encoding="utf-8")
    registry._look_at = 0.0
    assert registry.current() is before
    assert len(registry.mistakes) == 1, registry.mistakes
    assert message in str(registry.mistakes[0])
    assert (registry.mistakes[0].line == 1) == (what == "a tenant"), "no line is to blame for it"
    checked = served.test_cli_runner().invoke(args=["tenants", "check"])
    assert (checked.exit_code, message in checked.stdout) == (2, True), checked.output


def test_what_nothing_hangs_on_goes(served: Flask) -> None:
    """OPS-03: a brand without customers, a product without contracts."""
    registry = served.extensions["tenants"]
    changed = without("shop", "desk")(GOOD)
    changed = put(', { key = "data-link", label = "連携" }', "")(changed)
    registry.path.write_text(changed, encoding="utf-8")
    registry._look_at = 0.0
    assert set(registry.current().by_key) == {"desk", "facility", "studio", "works"}
    assert registry.mistakes == ()


def test_members_who_are_gone_hold_no_way_to_sign_in(served: Flask) -> None:
    """OPS-03, COM-10: a brand whose members have all left may ask for something else."""
    registry = served.extensions["tenants"]
    with served.app_context(), tenant_scope("facility"):
        for member in session().scalars(select(Member)):
            members.shut_out(member, MemberStatus.REMOVED)
        session().commit()
        db.session.remove()
    changed = put('items = "login_id_password"', 'items = "login_id_email_password"')(GOOD)
    registry.path.write_text(changed, encoding="utf-8")
    registry._look_at = 0.0
    assert registry.current().by_key["facility"].sign_in.items == "login_id_email_password"
    assert registry.mistakes == ()


def test_letters_that_a_database_does_not_fold_lock_nobody_out(served: Flask) -> None:
    """OPS-03: a login ID with such letters is kept as Python folds it."""
    registry = served.extensions["tenants"]
    with served.app_context(), tenant_scope("facility"):
        member = session().scalars(select(Member)).first()
        assert member is not None
        member.login_id = "STRAẞE"
        member.login_key = login_key("login_id_password", login_id="STRAẞE", email=member.email)
        session().commit()
        db.session.remove()
    registry.path.write_text(GOOD + "\n", encoding="utf-8")
    registry._look_at = 0.0
    registry.current()
    assert registry.mistakes == ()


def test_a_file_is_asked_about_while_a_request_is_under_way(served: Flask) -> None:
    """OPS-03: its session, its scope and what it has not committed yet stay as they are."""
    registry = served.extensions["tenants"]
    with served.app_context(), tenant_scope("facility"):
        account = Account(number="C777777", name="途中", created_at=clock.now())
        session().add(account)
        session().flush()
        mine = session()
        registry.path.write_text(without("studio", "shop")(GOOD), encoding="utf-8")
        registry._look_at = 0.0
        registry.current()
        assert session() is mine
        assert account in session()
        session().rollback()
