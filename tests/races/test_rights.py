"""COM-30: rights that are taken, and an account that is handed over, while somebody else presses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.core import Actor, audit, clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.members import operations as members
from tests.cast import NOW, PASSWORD

Together = Callable[..., list[Any]]
ALL = "quotes,orders,billing,support,manage"


def _member(login_id: str) -> Member:
    return session().scalars(select(Member).where(Member.login_id == login_id)).one()


@pytest.fixture
def brand(app: Flask) -> Any:
    """The first brand's configuration."""
    return app.extensions["tenants"].current().by_key["facility"]


@pytest.fixture
def actors(brand: Any, inside: Callable[[str], Any]) -> dict[str, Actor]:
    """Who acts, as their requests found them: the representative, one who manages, one who may nothing."""
    with clock.freeze(NOW), inside("facility"):
        person = Person("加藤", "光", "kato@one.example", login_id="kato", rights="support")
        members.add(brand, _member("hanako").account_id, person, by=SYSTEM)
        session().commit()
        kato = _member("kato")
        kato.password_hash = _member("hanako").password_hash
        _member("kenichi").rights = ALL
        session().commit()
        assert PASSWORD
        return {name: _member(name).actor("192.0.2.1") for name in ("hanako", "kenichi", "kato")}


def _save(brand: Any, login_id: str, rights: str, by: Actor) -> str:
    with clock.freeze(NOW):
        who = _member(login_id)
        data = {name: getattr(who, name) for name in members.PROFILE}
        data |= {"version": who.version, "rights": rights}
        try:
            members.save_profile(brand, who.id, data, by=by)
        except RuleBroken as error:
            session().rollback()
            return error.message
        session().commit()
        return "saved"


def test_rights_taken_between_confirm_and_save_give_nothing(
    brand: Any, inside: Callable[[str], Any], actors: dict[str, Actor]
) -> None:
    """COM-30: the request of who managed was on its way; behind the lock they do not any more."""
    with inside("facility"):
        assert _save(brand, "kenichi", "support", actors["hanako"]) == "saved"
    with inside("facility"):
        assert "追加・削除は" in _save(brand, "kato", ALL, actors["kenichi"])
        assert _member("kato").rights == "support"
    with inside("facility"):
        assert "変更できません" in _save(brand, "kenichi", ALL, actors["kenichi"])
        assert _member("kenichi").rights == "support"


@pytest.mark.parametrize("turn", range(4))
def test_who_loses_the_right_at_the_same_moment_gives_it_before_or_not_at_all(
    brand: Any,
    inside: Callable[[str], Any],
    together: Together,
    actors: dict[str, Actor],
    turn: int,
) -> None:
    """COM-30: never after, in the order of the trail."""
    first, second = ("hanako", "kenichi") if turn % 2 else ("kenichi", "hanako")

    def press(place: int) -> str:
        who = (first, second)[place]
        target, rights = ("kenichi", "support") if who == "hanako" else ("kato", ALL)
        return _save(brand, target, rights, actors[who])

    results = dict(zip((first, second), together(2, press), strict=True))
    assert results["hanako"] == "saved"
    with inside("facility"):
        found = select(audit.AuditEvent).where(audit.AuditEvent.action == "member.profile")
        events = session().scalars(found.order_by(audit.AuditEvent.sequence)).all()
        subjects = [event.subject for event in events]
        given = _member("kato").rights == ALL
    assert given is (results["kenichi"] == "saved")
    assert subjects == (["member:kato"] if given else []) + ["member:kenichi"]


def test_of_eight_hand_overs_in_flight_one_counts(
    brand: Any, inside: Callable[[str], Any], together: Together, actors: dict[str, Actor]
) -> None:
    """COM-30: whoever represented when they pressed, and does no more, hands nothing over."""

    def press(turn: int) -> str:
        with clock.freeze(NOW):
            try:
                members.hand_over(
                    brand, _member(("kenichi", "kato")[turn % 2]), by=actors["hanako"]
                )
            except RuleBroken as error:
                session().rollback()
                return error.message
            session().commit()
            return "handed over"

    results = together(8, press)
    assert results.count("handed over") == 1
    assert len(set(results)) == 2
    with inside("facility"):
        account = _member("hanako").account_id
        assert [m.is_representative for m in members.roster(account)].count(True) == 1


def test_a_hand_over_and_a_change_of_rights_at_once_leave_no_rights_that_nobody_gave(
    brand: Any, inside: Callable[[str], Any], together: Together, actors: dict[str, Actor]
) -> None:
    """COM-30: who stops representing in that moment gives before it, or not at all."""

    def press(turn: int) -> str:
        if turn:
            return _save(brand, "kato", ALL, actors["hanako"])
        with clock.freeze(NOW):
            members.hand_over(brand, _member("kenichi"), by=actors["hanako"])
            session().commit()
            return "handed over"

    with inside("facility"):
        _member("hanako").rights = ""
        session().commit()
    handed, saved = together(2, press)
    assert handed == "handed over"
    with inside("facility"):
        assert (_member("kato").rights == ALL) is (saved == "saved")
        assert _member("kenichi").is_representative
