"""COM-42, RENT-10: the limit, the last member, a name to sign in with, whatever comes at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.errors import RuleBroken
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import links
from portal.shared.auth.links import Purpose
from portal.shared.members import email_change
from portal.shared.members import operations as members
from tests.cast import NOW

Together = Callable[..., list[Any]]


def _kinds(results: list[Any]) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def _member(login_id: str) -> Member:
    return session().scalars(select(Member).where(Member.login_id == login_id)).one()


def test_of_sixteen_adds_with_one_place_left_one_gets_through(
    app: Flask, inside, together: Together
) -> None:
    """COM-42: on both databases."""
    brand = app.extensions["tenants"].current().by_key["facility"]
    tight = brand.model_copy(update={"limits": brand.limits | {"members": 3}})

    def add(turn: int) -> Any:
        with clock.freeze(NOW):
            person = Person("同時", str(turn), f"p{turn}@one.example", login_id=f"p{turn:03}")
            made = members.add(tight, _member("hanako").account_id, person, by=SYSTEM)
            session().commit()
            return made

    assert _kinds(together(16, add)) == ["LimitReached"] * 15 + ["Member"]
    with inside("facility"):
        assert len(members.roster(_member("hanako").account_id)) == 3


def test_two_hundred_adds_at_the_limit_never_pass_it(
    app: Flask, inside, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-42: whatever number comes at the same moment, on both databases."""
    brand = app.extensions["tenants"].current().by_key["facility"]
    tight = brand.model_copy(update={"limits": brand.limits | {"members": 7}})

    def add(turn: int) -> list[Any]:
        return [_try(partial(_add, tight, turn * 10 + n)) for n in range(10)]

    monkeypatch.setattr(members, "_MOST_ADDED", 1000)
    results = [result for results in together(20, add) for result in results]
    assert (len(results), results.count("Member")) == (200, 5)
    assert set(results) == {"Member", "LimitReached"}
    with inside("facility"):
        assert len(members.roster(_member("hanako").account_id)) == 7


def _add(tenant: Any, n: int) -> Member:
    with clock.freeze(NOW):
        person = Person("同時", str(n), f"p{n}@one.example", login_id=f"p{n:03}")
        account = _member("hanako").account_id
        made = members.add(tenant, account, person, by=SYSTEM)
        session().commit()
        return made


def _try(work: Callable[[], Any]) -> str:
    try:
        return type(work()).__name__
    except RuleBroken as error:
        session().rollback()
        return type(error).__name__


def test_of_two_who_remove_each_other_one_stays(app: Flask, inside, together: Together) -> None:
    """RENT-10: the last one cannot be removed."""
    brand = app.extensions["tenants"].current().by_key["facility"]
    rules = brand.sign_in.model_copy(update={"managed_by": "everyone"})
    tenant = brand.model_copy(update={"sign_in": rules})

    def remove(turn: int) -> Any:
        with clock.freeze(NOW):
            members.remove(tenant, _member(("hanako", "kenichi")[turn]), by=SYSTEM)
            session().commit()
            return "removed"

    assert _kinds(together(2, remove)) == ["RuleBroken", "str"]
    with inside("facility"):
        account = (
            session().scalars(select(Member.account_id).where(Member.login_id == "hanako")).one()
        )
        assert [m.is_representative for m in members.roster(account)] == [True]


def test_of_eight_presses_behind_the_new_addresss_link_one_counts(
    app: Flask, inside, together: Together
) -> None:
    """SHOP-03, security.md §4.12"""
    brand = app.extensions["tenants"].current().by_key["facility"]
    with clock.freeze(NOW), inside("facility"):
        token = links.issue(
            _member("hanako").id, Purpose.PROVE_EMAIL, payload={"email": "new@one.example"}
        )
        session().commit()

    def confirm(_turn: int) -> Any:
        with clock.freeze(NOW):
            email_change.confirm(brand, token, address="")
            return "changed"

    assert _kinds(together(8, confirm)) == ["DeadLink"] * 7 + ["str"]


def test_of_two_who_take_one_address_one_is_told(app: Flask, inside, together: Together) -> None:
    """COM-10: the constraint decides; whoever is second reads so instead of a crash."""
    brand = app.extensions["tenants"].current().by_key["facility"]
    rules = brand.sign_in.model_copy(update={"items": "email_password"})
    tenant = brand.model_copy(update={"sign_in": rules})
    with clock.freeze(NOW), inside("facility"):
        taken = {"email": "same@one.example"}
        tokens = [
            links.issue(_member(who).id, Purpose.PROVE_EMAIL, payload=taken)
            for who in ("hanako", "yumi")
        ]
        session().commit()

    def confirm(turn: int) -> Any:
        with clock.freeze(NOW):
            email_change.confirm(tenant, tokens[turn], address="")
            return "changed"

    assert _kinds(together(2, confirm)) == ["RuleBroken", "str"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("late", ["remove", "hand_over"])
def test_who_was_read_before_the_lock_is_read_again_behind_it(
    app: Flask, inside, late: str
) -> None:
    """COM-30: a removal and a hand-over at once never leave an account without its representative.

    SQLite has one writer at a time: there nobody reads before another's write ends.
    """
    tenant = app.extensions["tenants"].current().by_key["facility"]
    do = {"remove": members.remove, "hand_over": members.hand_over}
    early = "hand_over" if late == "remove" else "remove"

    def other() -> None:
        with app.app_context(), tenant_scope("facility"), clock.freeze(NOW):
            do[early](tenant, _member("kenichi"), by=SYSTEM)
            session().commit()

    with clock.freeze(NOW), inside("facility"):
        who = _member("kenichi")
        account = who.account_id
        thread = Thread(target=other)
        thread.start()
        thread.join()
        with pytest.raises(RuleBroken):
            do[late](tenant, who, by=SYSTEM)
        session().rollback()
        assert [m.is_representative for m in members.roster(account)].count(True) == 1
