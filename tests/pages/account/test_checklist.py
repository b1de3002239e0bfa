"""What the checklist asks of pages all together (security.md §4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from portal.core import clock
from portal.core.db import session
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import passwords
from tests.cast import NOW, PASSWORD
from tests.support.timing import assert_alike, assert_same_work

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ASKS_AGAIN = {
    "account.email": "password",
    "account.email_request": "fresh",
    "account.second_factor_page": "password",
    "account.second_factor_app": "password",
    "account.recovery_codes": "password",
    "account.passkeys": "fresh",
    "account.remove_passkey": "fresh",
    "account.member_form": "fresh",
    "account.member_save": "fresh",
    "account.remove_member": "fresh",
    "account.hand_over": "fresh",
    "account.export_data": "fresh",
    "account.withdraw": "password",
    "support.contact_form": "fresh",
    "support.contact_save": "fresh",
    "support.hand_over": "fresh",
    "support.remove_contact": "fresh",
    "account.password": "old_password",
}
"""What matters, and how the password is asked for: by the form itself, or by having been typed just now."""


@ONE
def test_what_matters_asks_for_the_password(app: Flask, visit) -> None:
    """security.md §4.17: e-mail, second factor, removal, withdrawal and what else could be turned against a member."""
    marked = {name for name, view in app.view_functions.items() if getattr(view, "is_fresh", False)}
    known = {name for name, way in ASKS_AGAIN.items() if way == "fresh"}
    assert known <= marked
    assert marked - known - {"account.passkey_options"} == set(), "say here what else asks"
    visitor = visit("facility", "hanako")
    paths = {
        "account.email": "/account/email",
        "account.second_factor_page": "/account/second-factor",
    }
    paths |= {
        "account.second_factor_app": "/account/second-factor/app",
        "account.password": "/account/password",
    }
    for name, path in paths.items():
        assert f'name="{ASKS_AGAIN[name]}"' in visitor.get(path).text, path


def test_no_form_sets_what_it_does_not_show(visit, inside) -> None:
    """security.md §4.25: a role, another account, a way around the second step or the password are no fields."""
    sent = {
        "family_name": "田中",
        "given_name": "健一",
        "is_representative": "1",
        "account_id": "2",
        "password_hash": "x",
        "second_factor": "off",
        "must_change_password": "",
        "login_id": "boss",
        "status": "active",
        "account_name": "乗っ取り株式会社",
        "email": "kenichi@evil.example",
    }
    visitor = visit("facility", "kenichi")
    page = visitor.get("/account/profile").text
    for name in ("version", "account_version"):
        sent[name] = page.split(f'name="{name}"')[1].split('value="')[1].split('"')[0]
    kept = visitor.post("/account/profile", sent)
    assert kept.status_code == 303
    token = kept.location.rpartition("=")[2]
    visitor.post("/account/profile/confirm", {"draft": token, **sent}, page="/account/profile")
    with inside("facility"):
        member = session().query(Member).filter_by(login_id="kenichi").one()
        assert (member.family_name, member.is_representative) == ("田中", False)
        assert (member.email, member.account_id) == ("kenichi@one.example", 1)
        assert passwords.verify(member.password_hash, PASSWORD)
        assert session().query(Account).filter(Account.name.contains("乗っ取り")).count() == 0


@ONE
def test_a_sign_in_takes_the_same_time_whoever_is_named(visit, monkeypatch) -> None:
    """security.md §4.2: medians for a known and an unknown member, measured in turns."""
    from pwdlib.hashers.argon2 import Argon2Hasher

    real = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", real)
    monkeypatch.setattr(passwords, "_ABSENT", real.hash("nobody's"))
    visitor = visit("facility")
    token = visitor.token("/sign-in")
    monkeypatch.setattr(passwords, "outdated", lambda _hash: False)

    def sign_in(who: str, turn: int) -> None:
        with clock.freeze(NOW + timedelta(hours=turn)):
            data = {"csrf_token": token, "login_id": who, "password": "wrong"}
            assert (
                visitor.client.post("/sign-in", base_url=visitor.base, data=data).status_code == 422
            )

    with visit_hashes(visit, real):
        assert_alike(("kenichi", "nobody"), sign_in, 1.25)
        assert_same_work(visitor.client.application, ("kenichi", "nobody"), sign_in)


def visit_hashes(visit, hasher):
    """While the block lasts, the known member's password is hashed at the real cost."""
    from contextlib import contextmanager

    from portal.core.db import tenant_scope

    @contextmanager
    def costly():
        app = visit("facility").client.application
        with app.app_context(), tenant_scope("facility"):
            session().query(Member).filter_by(login_id="kenichi").update(
                {"password_hash": hasher.hash(PASSWORD)}, synchronize_session=False
            )
            session().commit()
        yield

    return costly()
