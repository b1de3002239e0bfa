"""SUP-14, SUP-15: two who come at the same moment vote, follow, put and tell as if one came after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.blueprints.support import queries
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.knowledge import operations, search
from portal.shared.knowledge.models import Article, Place, Posting, Stance
from portal.shared.knowledge.operations import Written
from tests.cast import NOW

Together = Callable[..., list[Any]]
WRITTEN = Written("shime", "勤怠", "締め", "締め処理", (), "本文です。")
FOLLOWERS = 30


@pytest.fixture
def article(app: Flask, inside: Any) -> int:
    """An article with many followers, most of them in two ways, that has just been updated."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        made, _said = operations.put(WRITTEN, by=SYSTEM, quiet=True)
        places = session().scalars(select(Place)).all()
        for n in range(FOLLOWERS):
            person = Person("担当", f"{n}", f"m{n}@one.example")
            member = accounts.add_member(tenant, account, person, by=SYSTEM)
            session().flush()
            for what in (made, places[n % len(places)]):
                operations.react(what, member.id, by=SYSTEM, follows=True)
        made.mailed_to = 0
        session().commit()
        return made.id


def test_of_several_workers_each_follower_hears_once(
    app: Flask, inside: Any, together: Together, article: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUP-15: the job may run twice, after a lease that ran out."""
    monkeypatch.setattr(operations, "AT_ONCE", 4)
    tenant = app.extensions["tenants"].current().by_key["desk"]

    def work(_turn: int) -> None:
        with clock.freeze(NOW), tenant_scope("desk"):
            operations.notify_followers(tenant, article, is_new=True, products=queries.products)

    together(4, work)
    with inside("desk"):
        mails = select(OutboxMail.recipient).where(OutboxMail.event == "knowledge_article")
        assert sorted(session().scalars(mails)) == sorted(
            f"m{n}@one.example" for n in range(FOLLOWERS)
        )


def test_the_same_file_put_by_several_is_one_article(inside: Any, together: Together) -> None:
    """SUP-14: one publishes, the rest find it unchanged; its pairs stand there once."""

    def put(_turn: int) -> str:
        with clock.freeze(NOW), tenant_scope("desk"):
            said = operations.put(WRITTEN, by=SYSTEM)[1]
            session().commit()
            return said

    assert sorted(together(6, put)) == ["published", *["unchanged"] * 5]
    with inside("desk"):
        made = session().scalars(select(Article)).one()
        assert session().scalar(select(func.count(Place.id))) == 2
        assert session().scalar(select(func.count(Posting.id))) == len(search.pairs(made.text_key))


def test_votes_and_follows_pressed_twice_are_one(
    inside: Any, together: Together, article: int
) -> None:
    """SUP-14, SUP-15"""
    with inside("desk"):
        session().query(Stance).delete()
        session().commit()
        member_id = session().scalars(select(Member.id)).first()
        assert member_id is not None

    def press(turn: int) -> None:
        with clock.freeze(NOW), tenant_scope("desk"):
            what: Any = (
                session().get_one(Article, article)
                if turn % 2
                else session().scalars(select(Place)).first()
            )
            operations.react(what, member_id, by=SYSTEM, follows=True)
            session().commit()

    together(8, press)
    with inside("desk"):
        assert session().scalar(select(func.count(Stance.id)).where(Stance.follows)) == 2
