"""COM-02, COM-22: what was typed for one object is nothing to any other form, object or member.

The flows are read from the application's own addresses: a new one fails here until somebody says how it is filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.core import audit
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope, update_where
from portal.shared.accounts.models import Member
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.shared.drafts import Draft
from portal.shared.members import operations as members
from tests.cast import NOW
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
PERSON = {"family_name": "加藤", "given_name": "光", "version": "1", "rights": ["billing"]}
ADDRESS = {
    "name": "経理センター",
    "postal_code": "144-0035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田1-2-3",
    "telephone": "03-0000-1001",
    "version": "1",
}
COMPANY = {
    "account_name": "カナリア甲株式会社",
    "account_telephone": "03-0000-1001",
    "account_version": "1",
}


@dataclass(frozen=True)
class Flow:
    """A flow for one object: its endpoint's stem, the address of its form, and a valid form."""

    stem: str
    form: str
    typed: dict[str, Any] = field(hash=False)
    query: str = ""


@pytest.fixture
def flows(app: Flask) -> list[Flow]:
    """Every flow of the facility brand, for two objects where there are several."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with app.app_context(), tenant_scope("facility"):
        update_where(Reservation, Reservation.id > 0, status=Status.PAID, paid_at=NOW)
        ids = {m.login_id: (m.id, m.account_id) for m in session().scalars(select(Member))}
        account_id = ids["hanako"][1]
        mill = Facility(code="LC-02", name="フライス盤", hourly_price=3000, daily_price=20000)
        session().add(mill)
        numbers = []
        for name in ("一課", "二課"):
            typed = dict.fromkeys(contacts.FIELDS, "") | {"name": name}
            added = contacts.add(tenant, account_id, Kind.BILLING, typed, by=SYSTEM)
            session().flush()
            numbers.append(contacts.number_of(added))
        session().commit()
        who = {login_id: members.number_by_id(ids[login_id][0]) for login_id in ids}
    booking = {
        "day": "2026-11-25",
        "starts": "10:00",
        "ends": "12:00",
        "headcount": "1",
        "purpose": "試作",
    }
    return [
        # First: what the others begin would stand in its way.
        Flow("account.withdrawal", "/account/withdrawal", {"reason": "移転のため"}),
        Flow("account.profile", "/account/profile", PERSON | ADDRESS | COMPANY),
        Flow(
            "account.member",
            "/account/members/new",
            PERSON | {"login_id": "kato", "email": "kato@one.example"},
        ),
        Flow("account.member", f"/account/members/{who['hanako']}", PERSON),
        Flow("account.member", f"/account/members/{who['kenichi']}", PERSON),
        Flow("contacts.address", "/billing-addresses/new", ADDRESS),
        Flow("contacts.address", f"/billing-addresses/{numbers[0]}", ADDRESS),
        Flow("contacts.address", f"/billing-addresses/{numbers[1]}", ADDRESS),
        Flow("facility.booking", "/facility/facilities/LC-01/reservation", booking),
        Flow("facility.booking", "/facility/facilities/LC-02/reservation", booking),
        Flow(
            "inquiries.inquiry",
            "/inquiries/new",
            {"body": "お願いします。", "agreed": "y"},
            "?category=other",
        ),
    ]


def _draft(visitor: Visitor, flow: Flow) -> str:
    """Fill in the form of `flow`; gives the token of what was kept."""
    kept = visitor.post(flow.form + flow.query, flow.typed)
    assert kept.status_code == 303, (flow.form, kept.text)
    path, _, token = kept.location.partition("?draft=")
    assert path == f"{flow.form}/confirm"
    return str(token)


def _traces(app: Flask) -> tuple[int, int]:
    """How many things were done at the brand, and how many drafts were used up."""
    with app.app_context(), tenant_scope("facility"):
        done = session().scalar(select(func.count()).select_from(audit.AuditEvent))
        used = session().scalar(select(func.count(Draft.id)).where(Draft.used_at.is_not(None)))
        return done or 0, used or 0


def _refused(visitor: Visitor, flow: Flow, token: str) -> Iterator[str]:
    """Send a foreign token to both pages of `flow`; yields what was not refused."""
    page = f"{flow.form}/confirm"
    shown = visitor.get(f"{page}?draft={token}")
    if shown.status_code == 200 or "加藤" in shown.text:
        yield f"GET {page} shows it"
    saved = visitor.post(page, {"draft": token})
    back = (saved.status_code, saved.location) == (303, flow.form)
    if saved.status_code not in (400, 403, 404) and not back:
        yield f"POST {page} answers {saved.status_code} {saved.location}"


def test_every_flow_of_the_application_is_looked_at(app: Flask, flows: list[Flow]) -> None:
    """COM-22: each endpoint with 内容確認; only the guest's form keeps nothing on the server."""
    confirmed = {
        endpoint.removesuffix("_confirm")
        for endpoint in app.view_functions
        if endpoint.endswith("_confirm")
    }
    by_hand = {"account.withdrawal"}
    at_the_desk = {"support.contact"}  # tests/blueprints/support/test_self_service.py
    assert {flow.stem for flow in flows} == (confirmed | by_hand) - at_the_desk
    paths = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith("/confirm")]
    assert len(set(paths)) == len(confirmed | by_hand)


def test_a_draft_for_one_object_is_refused_by_every_other_form(
    app: Flask, visit: Visit, flows: list[Flow]
) -> None:
    """COM-22: each draft at each other confirm page and its button; nothing is done, no draft is used up."""
    visitor = visit("facility", "hanako")
    tokens = {flow: _draft(visitor, flow) for flow in flows}
    before = _traces(app)
    wrong = [
        (flow.form, said)
        for flow, token in tokens.items()
        for other in flows
        if other != flow
        for said in _refused(visitor, other, token)
    ]
    assert wrong == []
    assert _traces(app) == before


@pytest.mark.parametrize("login_id", ["kenichi", "yumi"], ids=["colleague", "stranger"])
def test_a_draft_of_another_member_is_refused_by_its_own_form(
    app: Flask, visit: Visit, inside: Callable[[str], Any], flows: list[Flow], login_id: str
) -> None:
    """COM-02, COM-22: also where the other member may do all that its owner may."""
    with inside("facility"):
        members = session().scalars(select(Member).where(Member.login_id != "hanako"))
        for member in members:
            member.rights = "quotes,orders,billing,support,manage"
        session().commit()
    owner, other = visit("facility", "hanako"), visit("facility", login_id)
    tokens = {flow: _draft(owner, flow) for flow in flows}
    before = _traces(app)
    wrong = [
        (flow.form, said) for flow, token in tokens.items() for said in _refused(other, flow, token)
    ]
    assert wrong == []
    assert _traces(app) == before


def test_each_draft_is_taken_where_it_belongs(app: Flask, visit: Visit, flows: list[Flow]) -> None:
    """COM-22: so that the refusals above say something."""
    visitor = visit("facility", "hanako")
    saved = 0
    for flow in flows:
        shown = re.search(r'name="version"[^>]*value="([0-9]+)"', visitor.get(flow.form).text)
        version = {"version": shown[1]} if shown else {}  # the profile was saved just before
        token = _draft(visitor, replace(flow, typed=flow.typed | version))
        assert visitor.get(f"{flow.form}/confirm?draft={token}").status_code == 200, flow.form
        if flow.stem == "account.withdrawal":
            continue  # the password is asked for once more there
        answer = visitor.post(f"{flow.form}/confirm", {"draft": token})
        assert answer.location == f"{flow.form}/done", (flow.form, answer.text)
        saved += 1
    assert _traces(app)[1] == saved == len(flows) - 1
