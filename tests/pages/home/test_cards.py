"""Each card of the top page leads to a list of exactly as many rows as it says, at every brand (COM-20)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask

from portal.blueprints.facility import booking, operations, queries
from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.billing.lines import BillLine
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.operations import Asked, Writer
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

MORE_THAN_A_PAGE = 23


def cards(visitor: Visitor) -> list[tuple[str, int]]:
    """Address and number of each card on the top page."""
    page = visitor.get("/").text
    part = page.partition('id="attention"')[2].partition("</section>")[0]
    found = re.findall(r'<a href="([^"]+)">[^<]+</a>\s*<span[^>]*>(\d+)件', part)
    return [(unescape(href), int(count)) for href, count in found]


def rows(visitor: Visitor, href: str) -> int:
    """How many rows the list at `href` has, over all of its pages."""
    seen = 0
    following: str | None = href
    while following:
        page = visitor.get(following)
        assert page.status_code == 200
        body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
        seen += body.count("<tr>")
        turn = re.search(r'<a class="btn sec" rel="next" href="([^"]+)"', page.text)
        following = unescape(turn[1]) if turn else None
    return seen


@pytest.fixture
def desk_member(app: Flask, inside: Callable[[str], Any]) -> str:
    """A member at the support desk, by their e-mail address."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="窓口一番", telephone="0300001001")
        person = Person("窓口", "花子", "hanako@desk.example", is_representative=True)
        accounts.add_member(
            tenant, account, person, by=SYSTEM, password_hash=passwords.hash_password(PASSWORD)
        )
        session().commit()
    return "hanako@desk.example"


def ask_and_answer(tenant: Tenant, email: str, how_many: int) -> None:
    """So many inquiries of a member with an unread answer, and one without."""
    member = session().query(Member).filter(Member.email == email).one()
    writer = Writer(member.name, member.email, member.account_id, member.id)
    category = tenant.inquiries.categories[-1].key
    for place in range(how_many + 1):
        asked = inquiries.ask(tenant, writer, Asked(category, f"質問{place}"), by=SYSTEM)
        if place:
            inquiries.answer(tenant, asked, "お答えします。", by=SYSTEM)
    session().commit()


def bill(tenant: Tenant, email: str, how_many: int) -> None:
    """So many uses that are billed and not paid, and as many cancellations whose charge is not paid."""
    member = session().query(Member).filter(Member.email == email).one()
    account = session().get_one(Account, member.account_id)
    machine = session().query(Facility).one()
    for place in range(2 * how_many):
        starts = NOW + timedelta(days=1 + place)
        wanted = booking.Booking(machine, starts, starts + timedelta(hours=1))
        made = booking.create_reservation(tenant, account, member, wanted, by=SYSTEM)
        if place % 2:
            operations.cancel(tenant, made, by=SYSTEM, charge=1000)
            continue
        with clock.freeze(starts + timedelta(hours=1)):
            use_and_bill(tenant, made)
    session().commit()


def use_and_bill(tenant: Tenant, made: Reservation) -> None:
    """Bring a requested reservation to 請求確定."""
    operations.confirm(tenant, made, by=SYSTEM)
    operations.start(tenant, made, by=SYSTEM)
    operations.finish(tenant, made, operations.WorkReport("切削", "大森", 60), by=SYSTEM)
    operations.fix_amount(tenant, made, [BillLine("利用料", 1, "時間", 4500, 10)], by=SYSTEM)


@pytest.mark.parametrize("brand", ["facility", "studio", "desk"])
def test_the_number_on_a_card_is_the_number_of_rows_behind_it(
    app, visit, inside, desk_member, brand
):
    """COM-20, COM-21: bills and cancellation charges, unread answers; more than a page of each."""
    tenant = app.extensions["tenants"].current().by_key[brand]
    email = desk_member if brand == "desk" else "hanako@one.example"
    with inside(brand):
        ask_and_answer(tenant, email, MORE_THAN_A_PAGE)
        if "facility" in tenant.modules:
            bill(tenant, email, MORE_THAN_A_PAGE)
    visitor = visit(brand)
    name = "email" if brand == "desk" else "login_id"
    signed_in = visitor.post(
        "/sign-in", {name: email if brand == "desk" else "hanako", "password": PASSWORD}
    )
    assert signed_in.status_code == 303
    found = cards(visitor)
    assert len(found) == (1 if brand == "desk" else 2)
    for href, count in found:
        assert count >= MORE_THAN_A_PAGE
        assert rows(visitor, href) == count, href


def test_an_unpaid_cancellation_charge_is_among_what_is_to_be_paid(app, visit, inside, cast):
    """FAC-02, FAC-05: the list of what is to be paid says so of what was cancelled too."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        operations.cancel(tenant, queries.any_reservation(cast.requested), by=SYSTEM, charge=1000)
        session().commit()
        assert queries.any_reservation(cast.requested).status is Status.CANCELLED
    page = visit("facility", "hanako").get("/facility/reservations?payment=unpaid").text
    assert cast.requested in page
    assert cast.billed in page
    assert cast.cancelled not in page
