"""COM-16: what stands in the way of leaving, what ends with it, what is erased and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import String, Text, cast, inspect, select

from portal.blueprints.facility import operations
from portal.blueprints.facility import operations as reservations
from portal.blueprints.facility.models import Reservation, Status
from portal.cli.worker import round_of_work
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import Base, EnumType, emptied_personal, session, tenant_scope
from portal.core.errors import RuleBroken
from portal.core.files import file_store
from portal.core.jobs import Job
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, AccountStatus, Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import links, sessions
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.links import Purpose
from portal.shared.auth.sessions import Client
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from portal.shared.documents.models import Document
from portal.shared.inquiries import files
from portal.shared.inquiries import operations as inquiries
from portal.shared.members import withdrawal
from portal.tenancy.orm_guard import TenantOwned
from tests.cast import NOW, PASSWORD
from tests.support.links import is_alive
from tests.support.stored_files import let_files_age

PERSONAL = ("花子", "健一", "hanako", "kenichi", "株式会社一番", "0300001001")


@pytest.fixture
def free(brand, member):
    """The first account with everything paid or cancelled, its documents drawn."""
    account = session().get_one(Account, member().account_id)
    for found in session().scalars(select(Reservation).where(Reservation.account_id == account.id)):
        if found.status == Status.REQUESTED:
            reservations.cancel(brand, found, charge=0, by=SYSTEM)
        elif found.status == Status.BILLED:
            operations.issue(brand, found, by=SYSTEM)
            reservations.record_payment(brand, found, by=SYSTEM)
    session().commit()
    return account


def test_open_business_is_named_and_stands_in_the_way(brand, member, signed_in):
    """COM-16: unpaid and coming reservations, each by number and state; for an operator too."""
    account = session().get_one(Account, member().account_id)
    assert [str(what.message) for what in withdrawal.open_business(brand, account)] == [
        "「予約受付」のご予約が1件あります。",
        "お支払い待ちのご予約が1件あります。",
    ]
    assert not withdrawal.can_withdraw(brand, account, is_representative=True)
    for leave in (
        lambda: withdrawal.by_member(brand, signed_in(), "", PASSWORD, by=SYSTEM),
        lambda: withdrawal.withdraw(brand, account, "", by=SYSTEM),
    ):
        with pytest.raises(RuleBroken, match="お手続き中"):
            leave()
        session().rollback()
    assert member().login_key == "hanako"


def test_only_the_representative_and_only_with_the_password(brand, free, signed_in):
    """COM-16, security.md §4.17: the password again."""
    with pytest.raises(RuleBroken, match="代表の方だけ"):
        withdrawal.by_member(brand, signed_in("kenichi"), "", PASSWORD, by=SYSTEM)
    session().rollback()
    with pytest.raises(RuleBroken) as refused:
        withdrawal.by_member(brand, signed_in(), "", "wrong", by=SYSTEM)
    assert refused.value.field == "password"
    assert session().get_one(Account, free.id).status == AccountStatus.ACTIVE


def test_nobody_of_the_account_comes_in_any_more(brand, free, member, signed_in, letters):
    """COM-15, COM-16: sessions, links, browsers and names of all its members; each is mailed."""
    who = [member(), member("kenichi")]
    tokens = [sessions.open_session(m.id, Client(), lifetime=timedelta(days=9)) for m in who]
    mailed = [links.issue(m.id, Purpose.SET_PASSWORD) for m in who]
    known = [sessions.remember_device(m.id, Client())[1] for m in who]
    session().commit()
    withdrawal.by_member(brand, signed_in(), "移転のため", PASSWORD, by=SYSTEM)
    assert [sessions.look_up(token, idle_minutes=60) for token in tokens] == [None, None]
    assert not any(is_alive(token, Purpose.SET_PASSWORD) for token in mailed)
    assert not any(sessions.find_device(m.id, token) for m, token in zip(who, known, strict=True))
    assert {m.recipient for m in letters("withdrawn")} == {
        "hanako@one.example",
        "kenichi@one.example",
    }
    for login_id in ("hanako", "kenichi"):
        given = entrance.Credentials(password=PASSWORD, login_id=login_id)
        with pytest.raises(RuleBroken, match="入力内容に誤り"):
            entrance.sign_in(brand, given, Client())
    with pytest.raises(RuleBroken, match="すでに退会済み"):
        withdrawal.withdraw(brand, session().get_one(Account, free.id), "", by=SYSTEM)


def test_the_name_one_signed_in_with_is_free_again(brand, free, member):
    """SHOP-43: for a new registration."""
    withdrawal.withdraw(brand, free, "", by=SYSTEM)
    fresh = accounts.add_account(brand, by=SYSTEM, name="新しい会社")
    person = Person("吉田", "花子", "hanako@one.example", login_id="hanako", is_representative=True)
    assert accounts.add_member(brand, fresh, person, by=SYSTEM).login_key == "hanako"


def everything() -> dict[str, list[str]]:
    """Every text of every table of the brand in scope."""
    found: dict[str, list[str]] = {}
    for mapper in Base.registry.mappers:
        if issubclass(mapper.class_, TenantOwned):
            columns = [
                cast(getattr(mapper.class_, c.key), Text)
                for c in mapper.columns
                if c.key != "tenant_id"
            ]
            for row in session().execute(select(*columns)):
                found.setdefault(mapper.local_table.description, []).append(" ".join(map(str, row)))
    return found


def test_what_is_personal_is_erased_when_its_time_has_come(app, brand, free, member):
    """COM-16: by the job, not a day before; in every table but the trail and the documents, whose bytes stay."""
    account_id = free.id
    round_of_work()
    with tenant_scope("facility"):
        drawn = {d.number: file_store().get(d.sha256) for d in session().query(Document)}
        assert drawn
        account = session().get_one(Account, account_id)
        written = {
            **dict.fromkeys(contacts.FIELDS, "花子"),
            "postal_code": "1440035",
            "prefecture": "東京都",
        }
        written |= {"telephone": "", "fax": ""}
        contacts.add(brand, account_id, Kind.BILLING, written, by=SYSTEM)
        writer = inquiries.Writer("花子", "hanako@one.example", account_id, member().id)
        sent = [
            files.keep(brand, [(f"{name}.txt", name.encode())], by=SYSTEM)[0]
            for name in ("ours", "everybodys")
        ]
        asked = inquiries.Asked("other", "花子です。0300001001", files=sent)
        guest = inquiries.Asked("other", "別の方です。", files=sent[1:])
        guests = inquiries.Writer("別の方", "guest@else.example")
        inquiries.ask(brand, guests, guest, by=SYSTEM)
        inquiries.ask(brand, writer, asked, by=SYSTEM)
        withdrawal.withdraw(brand, account, "移転のため", by=SYSTEM)
        session().commit()
    with clock.freeze(NOW + timedelta(days=29)):
        round_of_work()
    with tenant_scope("facility"):
        assert session().get_one(Account, account_id).erased_at is None
    for _twice in range(2):
        with clock.freeze(NOW + timedelta(days=30, minutes=1)):
            round_of_work()
    let_files_age(app, NOW)
    with clock.freeze(NOW + timedelta(days=30, minutes=1)):
        round_of_work(tidy=True)
    with tenant_scope("facility"):
        assert session().get_one(Account, account_id).erased_at
        with pytest.raises(FileNotFoundError):
            file_store().get(sent[0].sha256)
        assert file_store().get(sent[1].sha256) == b"everybodys"
        left = {
            table: [text for text in texts if any(word in text for word in PERSONAL)]
            for table, texts in everything().items()
            if table not in ("audit_event", "document")
        }
        assert {table: texts for table, texts in left.items() if texts} == {}
        assert {d.number: file_store().get(d.sha256) for d in session().query(Document)} == drawn
        assert session().query(Job).filter(cast(Job.status, String) == "failed").count() == 0
        assert session().query(Member).filter_by(login_id="yumi").one().email == "yumi@two.example"
    with tenant_scope("studio"):
        assert (
            session().query(Member).filter_by(login_id="hanako").one().email == "hanako@one.example"
        )


def test_nobody_is_erased_who_has_not_left(brand, member):
    """COM-16"""
    with pytest.raises(RuleBroken, match="退会していない"):
        withdrawal.erase(session().get_one(Account, member().account_id), by=SYSTEM)


@pytest.mark.parametrize(
    ("model", "kept"),
    [
        (Account, {"tenant_id", "number", "tags", "status"}),
        (Member, {"tenant_id", "login_key", "rights", "second_factor", "status", "locale"}),
    ],
    ids=["account", "member"],
)
def test_every_text_of_a_customer_is_marked_as_personal_or_known_not_to_be(model, kept):
    """COM-16: who adds a column says which it is; `login_key` is freed when the member goes."""
    columns = inspect(model).columns
    texts = {column.key for column in columns if isinstance(column.type, (String, EnumType))}
    assert texts - kept == set(emptied_personal(model))
