"""`flask demo`: brands filled with believable data, and who can sign in where (OPS-20)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from demo import init_app as add_commands
from portal import create_app
from portal.blueprints.facility import booking
from portal.blueprints.facility.models import Reservation, Status
from portal.blueprints.facility.slots import at_clock
from portal.core import clock, migrate
from portal.core.db import db, session, tenant_scope
from portal.core.outbox import OutboxMail
from portal.settings import ROOT
from portal.shared.accounts.models import Account, Member
from portal.shared.contacts.models import Address, Kind
from portal.shared.inquiries.models import OPERATOR_CHANNEL, Inquiry
from tests.cast import NOW
from tests.support.client import Visitor

BRANDS = """
[tenants.studio]
name = "試験スタジオ"
modules = ["facility"]
sign_in = { items = "login_id_password", forgot = "operator" }
mail = { name = "試験スタジオ", address = "noreply@studio.example" }
numbers = { reservation = { prefix = "SR", digits = 6 } }
[tenants.atelier]
name = "試験工房"
modules = ["facility"]
sign_in = { items = "login_id_email_password" }
numbers = { reservation = { prefix = "AR", digits = 6 } }
[tenants.shop]
name = "試験商店"
modules = ["shop"]
sign_in = { items = "email_password" }
"""
ITEMS = {
    "studio": {"login_id", "password"},
    "atelier": {"login_id", "email", "password"},
    "shop": {"email", "password"},
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory, make_settings, cheap_passwords) -> Iterator[Flask]:
    """A demo of the tests' brands, filled once for the whole file; its tests leave it as it was."""
    folder = tmp_path_factory.mktemp("demo")
    url, tenants = f"sqlite:///{folder / 'portal.sqlite3'}", folder / "tenants.toml"
    tenants.write_text(BRANDS, encoding="utf-8")
    migrate.upgrade(ROOT / "migrations", url)
    app = create_app(make_settings(url, demo=True, tenants_file=tenants))
    add_commands(app)
    with clock.freeze(NOW):
        app.extensions["first load"] = app.test_cli_runner().invoke(args=["demo", "load"])
        yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def invoke(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["demo", *words])


def entries(app: Flask) -> list[dict[str, Any]]:
    return list(json.loads(invoke(app, "accounts", "--json").stdout))


def counted(app: Flask) -> dict[str, list[int]]:
    """How many accounts, members, reservations and mails each brand has."""
    found = {}
    for key in app.extensions["tenants"].current().by_key:
        with app.app_context(), tenant_scope(key):
            kinds = (Account, Member, Reservation, OutboxMail)
            found[key] = [
                session().scalar(select(func.count()).select_from(kind)) or 0 for kind in kinds
            ]
    return found


def test_accounts_as_json_have_the_form_that_programs_rely_on(demo: Flask) -> None:
    """OPS-20: a list of tenant, host, role and the sign-in form's own fields, for every brand."""
    found = entries(demo)
    assert {tuple(entry) for entry in found} == {("tenant", "host", "role", "fields")}
    assert [entry["tenant"] for entry in found] == [key for key in ITEMS for _ in range(4)]
    assert {(entry["tenant"], entry["host"]) for entry in found} == {
        (key, f"{key}.localhost") for key in ITEMS
    }
    assert [entry["role"] for entry in found[:4]] == [
        "representative",
        "member",
        "representative",
        "member",
    ]
    for entry in found:
        assert all(isinstance(value, str) and value for value in entry["fields"].values())
        assert set(entry["fields"]) == ITEMS[entry["tenant"]]


def test_a_port_is_part_of_the_host(demo: Flask) -> None:
    """OPS-20: the address is one that a browser can open."""
    studio = demo.extensions["tenants"].current().by_key["studio"]
    studio.live_at("localhost", scheme="http", port=8080)
    try:
        assert entries(demo)[0]["host"] == "studio.localhost:8080"
        assert "http://studio.localhost:8080/" in invoke(demo, "accounts").stdout
    finally:
        studio.live_at("localhost", scheme="http", port=None)


def test_accounts_as_a_table_show_address_role_and_what_to_type(demo: Flask) -> None:
    """OPS-10, OPS-20."""
    drawn = invoke(demo, "accounts").stdout
    assert drawn.split()[:3] == ["address", "role", "sign-in"]
    assert drawn.count("http://studio.localhost/") == 4
    for word in ("representative", "yoshida", "sakura-Doori-58"):
        assert word in drawn
    assert "\x1b" not in drawn


def test_each_given_sign_in_works_on_the_brands_own_form(demo: Flask) -> None:
    """OPS-20: as many fields as the form has, no more and no fewer."""
    for entry in entries(demo):
        visitor = Visitor(demo, entry["tenant"])
        page = visitor.get("/sign-in").text
        assert set(entry["fields"]) <= set(re.findall(r'name="(\w+)"', page))
        answer = visitor.post("/sign-in", entry["fields"])
        assert answer.status_code == 303, entry
        assert visitor.get("/").status_code == 200
        wrong = Visitor(demo, entry["tenant"]).post(
            "/sign-in", entry["fields"] | {"password": "wrong"}
        )
        assert wrong.status_code == 422


def test_load_fills_every_brand_once_and_a_second_load_keeps_what_is_there(demo: Flask) -> None:
    """OPS-20: make run twice changes nothing."""
    first = demo.extensions["first load"]
    assert (first.exit_code, first.stdout) == (0, "studio: filled\natelier: filled\nshop: filled\n")
    before = counted(demo)
    assert before["studio"][:2] == before["atelier"][:2] == [2, 4]
    assert before["studio"][2] > 20
    assert before["shop"][:3] == [2, 4, 0]
    second = invoke(demo, "load")
    assert (second.exit_code, second.output) == (0, "")
    assert counted(demo) == before


def test_a_demo_sends_none_of_its_invented_mail_and_draws_the_newest_documents_first(
    demo: Flask,
) -> None:
    """OPS-20, COM-80."""
    waiting = demo.test_cli_runner().invoke(
        args=["mail", "list", "--status", "waiting", "--tenant", "studio", "--json"]
    )
    assert all(
        "ログイン" in mail["subject"] for mail in json.loads(waiting.stdout)
    )  # the tests' own
    from portal.core.jobs import Job

    with demo.app_context(), tenant_scope("studio"):
        order = session().scalars(select(Job).order_by(Job.due_at)).all()
        made = [job.created_at for job in order]
        assert made == sorted(made, reverse=True)
        assert len(made) > 10
        assert order[0].due_at >= NOW


def test_the_demos_reservations_keep_the_brands_own_rules(demo: Flask) -> None:
    """OPS-20, FAC-11: on open days and within hours; operators work by day, and never on a closed one."""
    tenant = demo.extensions["tenants"].current().by_key["studio"]
    with demo.app_context(), tenant_scope("studio"):
        rules = booking.hours(tenant)
        found = session().scalars(select(Reservation)).all()
        assert len(found) > 20
        assert {one.status for one in found} >= {Status.CONFIRMED, Status.BILLED, Status.PAID}
        for one in found:
            day = clock.to_local(one.starts_at).date()
            assert tenant.calendar.is_open(day), one.number
            edges = [at_clock(day, edge) for edge in rules.edges()]
            assert {one.starts_at, one.ends_at} <= set(edges), one.number
            assert one.booked_at < one.starts_at
            for at in filter(None, (one.cancelled_at, one.billed_at, one.paid_at)):
                local = clock.to_local(at)
                assert tenant.calendar.is_open(local.date()), one.number
                assert 9 <= local.hour <= 17, one.number
            assert one.cancelled_at is None or one.cancelled_at < one.starts_at
            assert one.documents_due_at is None, one.number


def test_the_demo_has_billing_addresses_and_talks_to_look_at(demo: Flask) -> None:
    """OPS-20, FAC-06, FAC-08: one talk that waits or is answered, one that an operator began, about a reservation."""
    with demo.app_context(), tenant_scope("studio"):
        kinds = select(Address.account_id).where(Address.kind == Kind.BILLING)
        assert len(set(session().scalars(kinds))) == 2
        talks = session().scalars(select(Inquiry)).all()
        assert {talk.channel for talk in talks} == {"web", OPERATOR_CHANNEL}
        numbers = set(session().scalars(select(Reservation.number)))
        abouts = {talk.about for talk in talks if talk.about}
        assert abouts
        assert abouts <= numbers


def test_where_there_are_customers_nothing_is_added(settings, cheap_passwords) -> None:
    """OPS-20: the demo never mixes with what is there."""
    app = create_app(replace(settings, demo=True))
    add_commands(app)
    with clock.freeze(NOW):
        before = counted(app)
        assert invoke(app, "load").stdout == "shop: filled\n"
        after = counted(app)
    assert (after["facility"], after["studio"]) == (before["facility"], before["studio"])
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_an_installation_that_is_no_demo_refuses_in_one_line(app, run) -> None:
    """OPS-10, OPS-20: nobody fills a real brand by mistake, nor is told passwords."""
    for words in (["load"], ["accounts"], ["accounts", "--json"]):
        result = run.invoke(args=["demo", *words])
        assert result.exit_code == 2
        assert result.output == "Error: this installation is not a demo (PORTAL_DEMO=1)\n"
