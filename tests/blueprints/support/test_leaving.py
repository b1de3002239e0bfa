"""COM-16, SUP-04, SUP-07: customers, and people of theirs, who leave while something is open at the support desk."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from portal.blueprints.support import operations, queries
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.core.actor import SYSTEM, operator
from portal.core.audit import AuditEvent
from portal.core.audit_chain import find_faults
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.auth import operator_actions, passwords
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.models import Inquiry, Status
from portal.shared.inquiries.operations import Asked, Writer
from portal.shared.limits import operations as limits
from portal.shared.members import operations as members
from portal.shared.members import withdrawal
from tests.cast import PASSWORD
from tests.support.client import Visitor
from tests.support.contracts import contract_of

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RULE = "受付・対応中のお問い合わせがある間は、退会できません。"
SHARED = "support@one.example"


@pytest.fixture
def tenant(app):
    """The support desk."""
    return app.extensions["tenants"].current().by_key["desk"]


@pytest.fixture
def account(tenant, inside):
    """A customer: yamada represents it and is 主担当; 伊藤 and 佐藤 share an address."""
    hashed = passwords.hash_password(PASSWORD)
    with inside("desk"):
        made = accounts.add_account(tenant, by=SYSTEM, name="一番")
        people = [
            accounts.add_member(
                tenant,
                made,
                accounts.Person(family, given, email, is_representative=family == "山田"),
                by=SYSTEM,
                password_hash=hashed,
            )
            for family, given, email in (
                ("山田", "太郎", "yamada@one.example"),
                ("伊藤", "花", SHARED),
            )
        ]
        contract = contract_of(tenant, made, *people, product="data-link")
        sato = Registrant("佐藤", "次郎", SHARED)
        limits.override(tenant, CONTACTS, contract, 9, "試験", by=SYSTEM)
        operations.add_contact(tenant, contract, sato, by=SYSTEM)
        session().commit()
        return made.id


@pytest.fixture
def desk(inside, account):
    """Inside the desk, with the account there."""
    with inside("desk"):
        yield session().get_one(Account, account)


def member(email: str = "yamada@one.example") -> Member:
    return session().scalars(select(Member).where(Member.email == email)).one()


def ask(tenant, email: str = "yamada@one.example") -> Inquiry:
    who = member(email)
    writer = Writer(who.name, who.email, who.account_id, who.id)
    return inquiries.ask(tenant, writer, Asked("other", "動きません。"), by=SYSTEM)


def only_own(tenant):
    """The tenant, where each sign-in reads its own inquiries."""
    rules = tenant.inquiries.model_copy(update={"visible_to": "member"})
    return tenant.model_copy(update={"inquiries": rules})


@pytest.mark.parametrize("status", list(Status))
def test_an_inquiry_that_waits_for_the_desk_keeps_the_account(tenant, desk, status):
    """COM-16: 受付 and 対応中 block, told with how many; 回答済, which nobody may ever close, does not."""
    ask(tenant)
    made = ask(tenant)
    for one in session().scalars(select(Inquiry)):
        if status != Status.RECEIVED:
            inquiries.move(one, status, by=operator("木村"))
    assert made.status == status
    is_open = status in (Status.RECEIVED, Status.IN_PROGRESS)
    found = withdrawal.open_business(tenant, desk)
    assert [str(what.message) for what in found] == [
        "受付・対応中のお問い合わせが2件あります。"
    ] * is_open
    if is_open:
        with pytest.raises(RuleBroken, match="お手続き中"):
            withdrawal.withdraw(tenant, desk, "", by=operator("木村"))
        assert desk.status == AccountStatus.ACTIVE
        return
    withdrawal.withdraw(tenant, desk, "", by=operator("木村"))
    assert desk.status == AccountStatus.WITHDRAWN


def test_what_others_asked_is_told_apart_where_each_reads_their_own(tenant, desk):
    """COM-16, SUP-13: the list that the representative is led to does not show them."""
    ask(tenant)
    ask(tenant, SHARED)
    assert [str(what.message) for what in withdrawal.open_business(only_own(tenant), desk)] == [
        "受付・対応中のお問い合わせが1件あります。",
        "ほかの方（伊藤 花）の受付・対応中のお問い合わせが1件あります。",
    ]


@ONE
def test_the_page_of_leaving_leads_to_just_what_is_open(app, tenant, inside, account):
    """COM-16, COM-21: the rule, the count and the list come from one place."""
    visitor = Visitor(app, "desk")
    visitor.post("/sign-in", {"email": "yamada@one.example", "password": PASSWORD})
    page = visitor.get("/account/withdrawal").text
    assert RULE in page
    assert "受付・対応中のお問い合わせが1件" not in page
    with inside("desk"):
        first = ask(tenant).number
        closed = ask(tenant)
        inquiries.answer(tenant, closed, "直りました。", by=operator("木村"))
        answered = closed.number
        session().commit()
    page = visitor.get("/account/withdrawal").text
    href = re.search(r'href="([^"]+)">受付・対応中のお問い合わせが1件あります。', page)
    assert href
    shown = visitor.get(href[1]).text
    assert f"/inquiries/{first}" in shown
    assert f"/inquiries/{answered}" not in shown
    assert visitor.post("/account/withdrawal", {"reason": ""}).status_code == 422
    with inside("desk"):
        assert session().get_one(Account, account).status == AccountStatus.ACTIVE


def test_nobody_is_removed_while_they_are_in_charge_of_a_contract(tenant, desk):
    """SUP-04: there is always a 主担当 who can sign in; an operator is told the same."""
    members.hand_over(tenant, member(SHARED), by=SYSTEM)
    with pytest.raises(RuleBroken, match="CT00000001（連携）の主担当です。先に、サポート窓口へ"):
        members.remove(tenant, member(), by=operator("木村"))
    contract = queries.any_contract("CT00000001")
    operations.hand_over(tenant, contract, queries.contact(contract, "佐藤 次郎"), by=SYSTEM)
    members.remove(tenant, member(), by=operator("木村"))
    assert member().status == MemberStatus.REMOVED
    assert [one.person for one, _email in queries.contacts(contract)] == ["佐藤 次郎", "伊藤 花"]


def test_a_removed_member_takes_everybody_at_the_address_off_the_contracts(tenant, desk):
    """SUP-07, COM-90: told beforehand, counted no more, audited, and nothing of it comes back."""
    contract = queries.any_contract("CT00000001")
    assert [str(what) for what in members.losses(tenant, member(SHARED))] == [
        "ご契約 CT00000001（連携）の問い合わせご担当者の登録: 伊藤 花、佐藤 次郎"
    ]
    assert limits.usage_of(tenant, CONTACTS, contract).used == 3
    members.remove(tenant, member(SHARED), by=operator("木村"))
    session().commit()
    assert [one.person for one, _email in queries.contacts(contract)] == ["山田 太郎"]
    assert limits.usage_of(tenant, CONTACTS, contract).used == 1
    trail = select(AuditEvent).where(AuditEvent.action == "contract.remove_contact")
    ended = [(one.actor_name, one.changes["person"]) for one in session().scalars(trail)]
    assert ended == [("木村", "伊藤 花"), ("木村", "佐藤 次郎")]
    assert list(find_faults()) == []


@ONE
def test_the_pages_of_members_say_what_a_removal_would_end(app, inside, account):
    """SUP-04, SUP-07: who is in charge, with the contract; who else loses the sign-in."""
    visitor = Visitor(app, "desk")
    visitor.post("/sign-in", {"email": "yamada@one.example", "password": PASSWORD})
    with inside("desk"):
        members.hand_over(
            app.extensions["tenants"].current().by_key["desk"], member(SHARED), by=SYSTEM
        )
        session().commit()
        numbers = {who: members.number_of(member(who)) for who in ("yamada@one.example", SHARED)}
    boss = Visitor(app, "desk")
    boss.post("/sign-in", {"email": SHARED, "password": PASSWORD})
    told = '<a href="/support/contracts/CT00000001">ご契約 CT00000001（連携）の主担当です。</a>'
    assert told in boss.get("/account/members").text
    path = f"/account/members/{numbers['yamada@one.example']}/removal"
    page = boss.get(path).text
    assert told in page
    assert 'aria-disabled="true"' in page
    refused = boss.post(path)
    assert (refused.status_code, "この方は削除できません" in refused.text) == (422, True)
    with inside("desk"):
        members.hand_over(
            app.extensions["tenants"].current().by_key["desk"],
            member("yamada@one.example"),
            by=SYSTEM,
        )
        session().commit()
    path = f"/account/members/{numbers[SHARED]}/removal"
    page = visitor.get(path).text
    assert "このメールアドレスの方全員がログインできなくなり" in page
    assert "伊藤 花、佐藤 次郎" in page
    assert visitor.post(path).status_code == 303
    with inside("desk"):
        assert member(SHARED).status == MemberStatus.REMOVED


@ONE
def test_an_operator_removes_a_member_but_nobody_in_charge(run, inside, account):
    """SUP-04, OPS-13: `flask members remove`."""

    def remove(who: str):
        words = ["members", "remove", who, "--tenant", "desk", "--operator", "監督", "--yes"]
        return run.invoke(args=words)

    refused = remove("yamada@one.example")
    assert refused.exit_code == 2
    removed = remove(SHARED)
    assert (removed.exit_code, "removed" in removed.output) == (0, True), removed.output
    with inside("desk"):
        contacts = queries.contacts(queries.any_contract("CT00000001"))
        assert [one.person for one, _email in contacts] == ["山田 太郎"]


def test_a_contract_that_lost_everybody_awaits_a_first_registration(tenant, desk):
    """COM-16, SUP-04: with a customer who left, and is merged into another, it names nobody who cannot sign in."""
    other = accounts.add_account(tenant, by=SYSTEM, name="二番")
    withdrawal.withdraw(tenant, desk, "", by=operator("木村"))
    operator_actions.merge(desk, other, by=operator("木村"))
    session().commit()
    contract = queries.any_contract("CT00000001")
    assert (contract.account_id, queries.contacts(contract)) == (other.id, [])
    suzuki = Registrant("鈴木", "一", "suzuki@two.example")
    operations.register(tenant, contract, [suzuki], by=SYSTEM)
    assert [one.role.value for one, _email in queries.contacts(contract)] == ["main"]


def test_both_are_mailed_when_the_main_contact_changes_and_who_is_removed(tenant, desk):
    """COM-34, SUP-04: where the tenant has changes told, and only there."""
    rules = tenant.sign_in.model_copy(update={"notify_changes": True})
    loud = tenant.model_copy(update={"sign_in": rules})
    quiet = tenant.model_copy(
        update={"sign_in": rules.model_copy(update={"notify_changes": False})}
    )
    contract = queries.any_contract("CT00000001")
    sato = queries.contact(contract, "佐藤 次郎")
    operations.hand_over(loud, contract, sato, by=SYSTEM)
    operations.remove_contact(loud, contract, queries.contact(contract, "山田 太郎"), by=SYSTEM)
    ito = queries.contact(contract, "伊藤 花")
    operations.remove_contact(quiet, contract, ito, by=SYSTEM)
    told = select(OutboxMail).where(OutboxMail.event == "contact_changed").order_by(OutboxMail.id)
    mails = [
        (mail.recipient, mail.body.partition(" 様")[0], "削除" in mail.body)
        for mail in session().scalars(told)
    ]
    assert mails == [
        (SHARED, "一番\n佐藤 次郎", False),
        ("yamada@one.example", "一番\n山田 太郎", False),
        ("yamada@one.example", "一番\n山田 太郎", True),
    ]
