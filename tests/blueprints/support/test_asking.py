"""SUP-01: at a support desk only registered contacts ask and chat, about their own contracts."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.blueprints.support import operations as contracts
from portal.blueprints.support import queries
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM, Actor
from portal.core.db import session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.chats import operations as chats
from portal.shared.inquiries import asking, inbound, operations
from portal.shared.inquiries.asking import MayNotAsk
from portal.shared.inquiries.inbound import Outcome
from portal.shared.inquiries.models import Inquiry
from portal.shared.inquiries.operations import Asked, Writer
from portal.shared.limits import operations as limits
from tests.cast import PASSWORD
from tests.support.contracts import contract_of

OPEN_AT = clock.local(2026, 11, 24, 10)
TYPED = {"category": "other", "body": "動きません。", "agreed": "y"}


@pytest.fixture
def tenant(app: Flask):
    """The desk, in business hours."""
    with clock.freeze(OPEN_AT):
        yield app.extensions["tenants"].current().by_key["desk"]


@pytest.fixture
def people(tenant, inside) -> dict[str, int]:
    """山田 is a contact of CT00000001, 伊藤 of CT00000002, 佐藤 of none; 鈴木's account has no contract."""
    hashed = passwords.hash_password(PASSWORD)
    found: dict[str, int] = {}

    def add(account, name: str) -> Member:
        person = Person(name, "", f"{name}@one.example", is_representative=name == "sato")
        made = accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        session().flush()
        found[name] = made.id
        return made

    with inside("desk"):
        first = accounts.add_account(tenant, by=SYSTEM, name="一番")
        second = accounts.add_account(tenant, by=SYSTEM, name="二番")
        contract_of(tenant, first, add(first, "yamada"))
        contract_of(tenant, first, add(first, "ito"), product="data-link")
        add(first, "sato")
        add(second, "suzuki")
        session().commit()
    return found


@pytest.fixture
def enter(visit, people):
    """Sign in at the desk."""

    def go(name: str):
        visitor = visit("desk")
        visitor.post("/sign-in", {"email": f"{name}@one.example", "password": PASSWORD})
        return visitor

    return go


@pytest.fixture
def as_member(people):
    """A member as operations get them: who writes, and who acts."""

    def make(name: str) -> tuple[Writer, Actor]:
        member = session().get_one(Member, people[name])
        writer = Writer(member.name, member.email, member.account_id, member.id)
        return writer, Actor("member", member.name, member.id, member.account_id)

    return make


def how_many(inside) -> int:
    with inside("desk"):
        return session().scalar(select(func.count(Inquiry.id))) or 0


@pytest.mark.parametrize(
    ("name", "why"),
    [("sato", "問い合わせご担当者」として登録された方から"), ("suzuki", "ご契約がないため")],
)
def test_whoever_is_no_contact_reads_why_and_whom_to_ask_at_form_and_post(enter, inside, name, why):
    """SUP-01: the representative too; nothing is written by any of the forms."""
    visitor = enter(name)
    for path in ("/inquiries/new", "/inquiries/new/confirm", "/chat"):
        page = visitor.get(path)
        assert page.status_code == 403, path
        assert why in page.text
        assert ("yamada 様" in page.text) is (name == "sato")
    for path, data in (
        ("/inquiries/new", TYPED),
        ("/inquiries/new/confirm", {"draft": "x"}),
        ("/chat", TYPED | {"about": "CT00000001"}),
    ):
        assert visitor.post(path, data).status_code == 403, path
    assert 'aria-disabled="true"' in visitor.get("/inquiries").text
    assert how_many(inside) == 0


def test_a_contact_asks_and_chats_about_their_own_contracts_alone(enter, inside):
    """SUP-01: another contract of the account is neither offered nor taken."""
    visitor = enter("yamada")
    page = visitor.get("/chat").text
    assert "CT00000001" in page
    assert "CT00000002" not in page
    assert visitor.post("/chat", TYPED | {"about": "CT00000002"}).status_code == 422
    assert how_many(inside) == 0
    assert visitor.post("/chat", TYPED | {"about": "CT00000001"}).status_code == 303
    with inside("desk"):
        assert session().scalars(select(Inquiry.about)).all() == ["CT00000001"]


def test_operations_refuse_what_no_page_offers(tenant, inside, as_member):
    """SUP-01: also when a command or another page calls them; an inquiry without a number gets the only contract."""
    with inside("desk"):
        for name, about in (("sato", ""), ("suzuki", ""), ("yamada", "CT00000002")):
            writer, by = as_member(name)
            asked = Asked("other", "動きません。", about=about)
            with pytest.raises(MayNotAsk):
                operations.ask(tenant, writer, asked, by=by)
            with pytest.raises(MayNotAsk):
                chats.start(tenant, writer, asked, by=by)
        writer, by = as_member("yamada")
        made = operations.ask(tenant, writer, Asked("other", "何か"), by=by)
        assert made.about == "CT00000001"
        _writer, stranger = as_member("ito")
        with pytest.raises(MayNotAsk):
            operations.write(tenant, made, "横から", [], by=stranger)
        session().rollback()


def test_who_is_contact_no_more_reads_on_and_writes_no_more(enter, tenant, inside, people):
    """SUP-01, SUP-04: by the thread's page; a mail of theirs is a stranger's."""
    visitor = enter("yamada")
    number = visitor.post("/chat", TYPED | {"about": "CT00000001"}).location.rpartition("/")[2]
    with inside("desk"):
        contract = queries.any_contract("CT00000001")
        main = queries.contact(contract, "yamada")
        other = Registrant("ito", "", "ito@one.example")
        kept = contracts.add_contact(tenant, contract, other, by=SYSTEM)
        contracts.hand_over(tenant, contract, kept, by=SYSTEM)
        contracts.remove_contact(tenant, contract, main, by=SYSTEM)
        session().commit()
    page = visitor.get(f"/inquiries/{number}")
    assert page.status_code == 200
    assert "動きません。" in page.text
    assert 'aria-disabled="true"' in page.text
    assert visitor.post(f"/inquiries/{number}", {"body": "まだです。"}).status_code == 403
    assert visitor.post(f"/chat/{number}", {"body": "まだです。"}).status_code == 403
    with inside("desk"):
        letter = f"From: yamada@one.example\nTo: desk@desk.example\nSubject: Re: {number}\n\nまだ"
        outcome = inbound.receive(tenant, letter.encode(), envelope_from="yamada@one.example")
        session().commit()
    assert outcome is Outcome.REFUSED
    assert how_many(inside) == 1


@pytest.mark.parametrize("name", ["sato", "suzuki"])
def test_a_mail_of_whoever_is_no_contact_never_becomes_an_inquiry(
    tenant, inside, people, name, run, tmp_path
):
    """SUP-01, SUP-12: through `flask inquiries receive` as through LMTP."""
    letter = f"From: {name}@one.example\nTo: desk@desk.example\nSubject: x\n\nbody\n"
    told = run.invoke(args=["inquiries", "receive", "--tenant", "desk"], input=letter)
    assert (told.exit_code, told.output) == (0, "250 2.0.0 refused\n")
    assert how_many(inside) == 0


def test_the_limit_of_open_chats_is_each_contracts_own(tenant, inside, as_member, people):
    """SUP-01, COM-40: three about one contract, and as many about another of the same account."""
    with inside("desk"):
        account = accounts.all_accounts()[0]
        yamada = session().get_one(Member, people["yamada"])
        contract_of(tenant, account, yamada, product="data-link")
        session().commit()
        writer, by = as_member("yamada")

        def start(about: str) -> None:
            asked = Asked("other", "動きません。", about=about)
            chats.start(tenant, writer, asked, by=by)
            session().commit()

        for about in ("CT00000001", "CT00000003"):
            for _turn in range(3):
                start(about)
            with pytest.raises(limits.LimitReached):
                start(about)
            session().rollback()
        use = limits.usage_of(tenant, "contract_chats", queries.any_contract("CT00000001"))
        assert (use.used, use.limit) == (3, 3)


def test_a_brand_without_such_a_rule_lets_everybody_ask_whom_the_account_lets(app, inside):
    """SUP-01 is the support desk's: at a facility brand there is no contract."""
    facility = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        assert asking.can_ask(facility, 1, 1)
        assert asking.rules_of(facility) == []
