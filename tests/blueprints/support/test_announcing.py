"""SUP-16: 重要な案内 reach every contact of the products concerned, once an address, whatever they chose."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import UnitKind
from portal.blueprints.support.operations import Registrant
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session, update_where
from portal.core.outbox import OutboxMail
from portal.shared import notifications
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member, MemberStatus
from portal.shared.auth import operator_actions, passwords
from portal.shared.notices.models import Notice
from portal.shared.notifications import How, Kind
from tests.cast import PASSWORD

BASE = "http://desk.localhost"
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEXT = "**12月1日**に停止します。\n\n詳しくはマイページをご覧ください。"


@pytest.fixture
def contacts(app, inside):
    """一番 has both products, 伊藤 and 佐藤 at one address; 二番 has "data-link", with 井上; 三番 has nothing."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        for name, people in (
            (
                "一番",
                {
                    "manage": ("山田:yamada", "伊藤:shared", "佐藤:shared"),
                    "data-link": ("山田:yamada",),
                },
            ),
            ("二番", {"data-link": ("井上:inoue",)}),
        ):
            account = accounts.add_account(tenant, by=SYSTEM, name=name)
            for product, who in people.items():
                contract = operations.add_contract(
                    tenant, account, product, date(2022, 1, 1), by=SYSTEM
                )
                for app_name in "一二三":
                    operations.add_unit(contract, UnitKind.APP, app_name, by=SYSTEM)
                several = [
                    Registrant(n, "", f"{at}@one.example")
                    for n, at in (spec.split(":") for spec in who)
                ]
                operations.register(tenant, contract, several, by=SYSTEM)
        other = accounts.add_account(tenant, by=SYSTEM, name="三番")
        person = accounts.Person("上田", "四郎", "ueda@one.example")
        accounts.add_member(tenant, other, person, by=SYSTEM)
        hashed = passwords.hash_password(PASSWORD)
        update_where(Member, Member.id > 0, password_hash=hashed)
        session().commit()
    return tenant


@pytest.fixture
def announce(run, contacts, inside):
    """The command: what it prints, and whom it mailed."""

    def do(*words: str, given: str = TEXT, expect: int = 0) -> tuple[str, list[str]]:
        words = (
            "support",
            "announce",
            "停止のお知らせ",
            "-",
            "--tenant",
            "desk",
            "--operator",
            "監督",
            *words,
        )
        result = run.invoke(args=list(words), input=given)
        assert result.exit_code == expect, result.output
        with inside("desk"):
            mails = (
                select(OutboxMail.recipient)
                .where(OutboxMail.event == "announcement")
                .order_by(OutboxMail.id)
            )
            return str(result.output), [to.partition("@")[0] for to in session().scalars(mails)]

    return do


def sees(visit, email: str) -> bool:
    """Whether this member has the announcement on their pages."""
    visitor = visit("desk")
    visitor.post("/sign-in", {"email": f"{email}@one.example", "password": PASSWORD})
    listed = ["停止のお知らせ" in visitor.get(path).text for path in ("/", "/notices")]
    opened = visitor.get("/notices/N0001").status_code == 200
    assert listed == [opened, opened]
    return opened


@pytest.mark.parametrize(
    ("words", "mailed", "readers"),
    [
        ((), ["inoue", "shared", "yamada"], {"inoue", "shared", "ueda", "yamada"}),
        (("--product", "manage"), ["shared", "yamada"], {"shared", "yamada"}),
        (("--product", "data-link"), ["inoue", "yamada"], {"inoue", "shared", "yamada"}),
        (
            ("--product", "data-link", "--product", "manage", "--product", "manage"),
            ["inoue", "shared", "yamada"],
            {"inoue", "shared", "yamada"},
        ),
    ],
)
def test_each_address_is_mailed_once_and_each_account_concerned_reads_it(
    announce, visit, words, mailed, readers
):
    """SUP-16: contacts are mailed, everybody of their accounts sees the notice; an announcement to all has no end."""
    output, found = announce(*words)
    assert (output, found) == (f"{len(mailed)} mailed\n", mailed)
    assert {
        email for email in ("inoue", "shared", "ueda", "yamada") if sees(visit, email)
    } == readers


def test_nobody_can_have_it_not_mailed(announce, inside):
    """SUP-16: not by the mail settings, and there is nothing in it to unfollow."""
    with inside("desk"):
        for member in session().scalars(select(Member)):
            notifications.choose(member, dict.fromkeys(Kind, How.OFF), by=SYSTEM)
        session().commit()
    assert announce()[1] == ["inoue", "shared", "yamada"]
    with inside("desk"):
        mail = (
            session().scalars(select(OutboxMail).where(OutboxMail.event == "announcement")).first()
        )
        assert mail is not None
        assert mail.headers == {"Reply-To": "desk@desk.example"}
        assert mail.subject == "【試験窓口】【重要】停止のお知らせ"
        assert "**12月1日**に停止します。\n\n詳しくは" in mail.body
        assert f"\n{BASE}/notices/N0001\n" in mail.body
        notice = session().scalars(select(Notice)).one()
        assert (notice.is_important, notice.body, notice.audience) == (True, TEXT, "")
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "support.announce"))
            .one()
        )
        assert (event.actor_name, event.subject, event.changes) == (
            "監督",
            "notice:N0001",
            {"products": [], "mailed": 3},
        )


def test_who_is_there_no_more_is_not_mailed(announce, inside, app):
    """SUP-16: removed contacts and members; who is only locked still is a contact."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        members = {m.email.partition("@")[0]: m for m in session().scalars(select(Member))}
        update_where(Member, Member.id == members["inoue"].id, status=MemberStatus.REMOVED)
        operator_actions.lock(members["yamada"], by=SYSTEM)
        for person in ("伊藤", "佐藤"):
            contract = queries.any_contract("CT00000001")
            contact = queries.contact(contract, person)
            operations.remove_contact(tenant, contract, contact, by=SYSTEM)
        session().commit()
    assert announce()[1] == ["yamada"]


def test_a_dry_run_says_how_many_and_mails_nobody(announce, inside):
    """OPS-10"""
    output, mailed = announce("--product", "manage", "--dry-run")
    assert (output.splitlines(), mailed) == (["2 mailed", "dry run: nothing was changed"], [])
    with inside("desk"):
        assert session().scalar(select(func.count(Notice.id))) == 0


@ONE
@pytest.mark.parametrize(
    ("words", "given", "said"),
    [(("--product", "nothing"), TEXT, "manage, data-link"), ((), " \n", "is empty")],
)
def test_a_mistake_is_one_line(announce, words, given, said):
    """OPS-10"""
    output, mailed = announce(*words, given=given, expect=2)
    assert said in output
    assert mailed == []


@ONE
def test_where_nobody_is_registered_nothing_is_published(run, inside):
    """SUP-16"""
    result = run.invoke(args=["support", "announce", "件名", "-", "--tenant", "desk"], input=TEXT)
    assert result.exit_code == 2
    assert "ご担当者がいません" in result.output


@ONE
def test_where_notices_are_off_the_letter_has_no_link(contacts, inside):
    """COM-03"""
    without = contacts.model_copy(update={"features": {**contacts.features, "notices": False}})
    with inside("desk"):
        operations.announce(without, "件名", TEXT, (), by=SYSTEM)
        body = (
            session()
            .scalars(select(OutboxMail.body).where(OutboxMail.event == "announcement"))
            .first()
        )
    assert body is not None
    assert "/notices/" not in body
