"""COM-24, COM-31, COM-33: address books, and postal codes from a local table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.blueprints.facility import booking as reservations
from portal.blueprints.facility.models import Facility, Reservation
from portal.core import clock
from portal.core.actor import SYSTEM, Actor
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken, Stale
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, Member
from portal.shared.contacts import operations, postal
from portal.shared.contacts.models import Address, Kind
from portal.shared.contacts.postal import Place
from portal.shared.limits import operations as limits
from tests.cast import NOW

DATA = {
    "name": "髙﨑精機 経理部",
    "department": "経理部",
    "person": "佐藤 一",
    "postal_code": "1440035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田1-2-3",
    "building": "",
    "telephone": "0300001001",
    "fax": "",
}


@pytest.fixture
def tenant(app):
    return app.extensions["tenants"].current().by_key["facility"]


@pytest.fixture
def account(inside):
    """Work at the first brand, with its first account."""
    with inside("facility"), clock.freeze(NOW):
        yield session().scalars(select(Account).order_by(Account.id)).first()


def add(tenant, account, **changes) -> Address:
    return operations.add(tenant, account.id, Kind.BILLING, DATA | changes, by=SYSTEM)


@pytest.mark.parametrize(
    ("code", "places"),
    [
        ("1440035", [Place("東京都", "大田区", "南蒲田")]),
        ("4980000", [Place("愛知県", "弥富市", ""), Place("三重県", "桑名郡木曽岬町", "")]),
        ("1008111", [Place("東京都", "千代田区", "千代田1-1")]),
        ("9999999", []),
        ("", []),
    ],
)
def test_a_postal_code_is_a_place_or_several_or_none(code, places):
    """COM-24: an office's own code knows its street."""
    assert list(postal.find(code)) == places


def test_the_first_is_the_usual_one_and_stays_so(tenant, account):
    """COM-31: （代表）; another takes the role when somebody says so."""
    first, second = add(tenant, account), add(tenant, account, name="第二")
    assert [a.is_usual for a in operations.address_list(account.id, Kind.BILLING)] == [True, False]
    operations.make_usual(tenant, second, by=SYSTEM)
    session().commit()
    assert [a.name for a in operations.address_list(account.id, Kind.BILLING)] == [
        "第二",
        first.name,
    ]
    assert operations.usual(account.id, Kind.DELIVERY) is None


def test_the_usual_one_is_removed_only_as_the_last(tenant, account):
    """COM-31: it can be handed over first."""
    first, second = add(tenant, account), add(tenant, account, name="第二")
    with pytest.raises(RuleBroken, match="先に代表を変更"):
        operations.remove(tenant, first, by=SYSTEM)
    operations.remove(tenant, second, by=SYSTEM)
    operations.remove(tenant, first, by=SYSTEM)
    assert operations.address_list(account.id, Kind.BILLING) == []


def test_a_stale_save_is_told_and_changes_nothing(tenant, account):
    """COM-26"""
    made = add(tenant, account)
    operations.edit(tenant, made, DATA | {"name": "新しい名前", "version": 1}, by=SYSTEM)
    session().commit()
    with pytest.raises(Stale):
        operations.edit(tenant, made, DATA | {"name": "古い画面から", "version": 1}, by=SYSTEM)
    session().rollback()
    assert operations.address_list(account.id, Kind.BILLING)[0].name == "新しい名前"


def test_there_are_as_many_as_the_tenant_allows(tenant, account):
    """COM-41: and a removed one makes room."""
    tight = tenant.model_copy(update={"limits": tenant.limits | {"billing_addresses": 2}})
    add(tight, account)
    second = add(tight, account)
    with pytest.raises(limits.LimitReached):
        add(tight, account)
    operations.remove(tenant, second, by=SYSTEM)
    add(tight, account)


def test_a_number_finds_ones_own_address_of_its_kind_only(tenant, account):
    """COM-02"""
    made = add(tenant, account)
    number = operations.number_of(made)
    assert operations.find(account.id, Kind.BILLING, number).id == made.id
    for who, kind in ((account.id + 1, Kind.BILLING), (account.id, Kind.DELIVERY)):
        with pytest.raises(NotFound):
            operations.find(who, kind, number)


def test_what_was_booked_keeps_the_address_of_its_day(tenant, account):
    """COM-33: a changed or removed address reaches later business only."""
    member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
    facility = session().scalars(select(Facility)).one()
    made = add(tenant, account)

    def book(day: int) -> Reservation:
        start = NOW + timedelta(days=day)
        booking = reservations.Booking(facility, start, start + timedelta(hours=2))
        return reservations.create_reservation(tenant, account, member, booking, by=SYSTEM)

    before = book(3)
    operations.edit(tenant, made, DATA | {"name": "移転後の名前", "version": 1}, by=SYSTEM)
    after = book(4)
    operations.remove(tenant, made, by=SYSTEM)
    last = book(5)
    session().commit()
    names = [r.billing["name"] for r in (before, after, last)]
    assert names == ["髙﨑精機 経理部", "移転後の名前", account.name]
    assert before.billing["address"] == "東京都大田区南蒲田1-2-3"


@pytest.mark.parametrize("kind", list(Kind))
def test_each_change_is_mailed_to_the_persons_concerned(tenant, account, kind):
    """COM-32, COM-34: who did it and the representative, for either kind of address; or nobody, as the tenant says."""
    hanako, kenichi = session().scalars(select(Member).order_by(Member.id)).all()[:2]
    by = Actor("member", kenichi.name, kenichi.id, kenichi.account_id)

    def mailed() -> list[str]:
        told = (
            select(OutboxMail.recipient)
            .where(OutboxMail.event == "address_changed")
            .order_by(OutboxMail.id)
        )
        return list(session().scalars(told))

    made = operations.add(tenant, account.id, kind, DATA, by=by)
    assert mailed() == [hanako.email, kenichi.email]
    operations.edit(tenant, made, DATA | {"name": "新しい名前", "version": 1}, by=by)
    operations.edit(tenant, made, DATA | {"name": "新しい名前", "version": 2}, by=by)
    assert len(mailed()) == 4, "what changes nothing is not told"
    quiet = tenant.model_copy(
        update={"sign_in": tenant.sign_in.model_copy(update={"notify_changes": False})}
    )
    operations.remove(quiet, made, by=by)
    assert len(mailed()) == 4
    subject = (
        session()
        .scalars(select(OutboxMail.subject).where(OutboxMail.event == "address_changed"))
        .first()
    )
    assert subject == f"【試験設備】会員情報変更のお知らせ（{kind.label}）"
