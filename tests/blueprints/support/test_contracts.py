"""SUP-01 … SUP-07, COM-43: contracts, who of a customer may ask, and how many."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import ContractContact, Role, UnitKind
from portal.blueprints.support.names import check_person
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.core.actor import SYSTEM
from portal.core.db import session, update_where
from portal.core.errors import NotFound, RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import passwords
from portal.shared.inquiries.models import Inquiry
from portal.shared.limits import operations as limits
from portal.shared.members import withdrawal
from tests.cast import PASSWORD

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
YAMADA = Registrant("山田", "太郎", "yamada@one.example", "契約担当")
ITO = Registrant("伊藤", "花", "support@one.example", "業務担当")
SATO = Registrant("佐藤", "", "support@one.example")


@pytest.fixture
def tenant(app):
    """The desk."""
    return app.extensions["tenants"].current().by_key["desk"]


@pytest.fixture
def account(inside, tenant):
    """A customer of the desk, inside its scope."""
    with inside("desk"):
        made = accounts.add_account(tenant, by=SYSTEM, name="株式会社一番", telephone="0300001001")
        session().commit()
        yield made


@pytest.fixture
def contract(tenant, account):
    """A contract of "manage" with an older form, one app and one option: three may be registered."""
    made = operations.add_contract(tenant, account, "manage", date(2022, 9, 30), by=SYSTEM)
    operations.add_unit(made, UnitKind.APP, "勤怠", by=SYSTEM)
    operations.add_unit(made, UnitKind.OPTION, "入退差異オプション", by=SYSTEM)
    session().commit()
    return made


@pytest.fixture
def registered(tenant, contract):
    """The same with 山田 as 主担当 and 伊藤 as 副担当."""
    operations.register(tenant, contract, [YAMADA, ITO], by=SYSTEM)
    session().commit()
    return contract


def names(contract) -> list[tuple[str, str]]:
    return [(one.role.value, one.person) for one, _email in queries.contacts(contract)]


def test_the_first_registration_brings_main_and_deputies_and_mails_each_address(tenant, registered):
    """SUP-03, SUP-04, COM-12: one 主担当; whoever has no password yet gets a link to set it."""
    assert names(registered) == [("main", "山田 太郎"), ("deputy", "伊藤 花")]
    mailed = (
        session()
        .scalars(select(OutboxMail.recipient).where(OutboxMail.event == "set_password"))
        .all()
    )
    assert sorted(mailed) == ["support@one.example", "yamada@one.example"]
    use = limits.usage_of(tenant, CONTACTS, registered)
    assert (use.used, use.limit, use.exactly_one) == (2, 3, "主担当")
    with pytest.raises(RuleBroken, match="登録済み"):
        operations.register(tenant, registered, [YAMADA], by=SYSTEM)


@pytest.mark.parametrize(
    ("form", "people", "said"),
    [
        (date(2022, 9, 30), 3, ""),
        (date(2022, 9, 30), 4, "1名から3名まで"),
        (date(2022, 10, 1), 2, ""),
        (date(2022, 10, 1), 3, "1名から2名まで"),
        (date(2022, 10, 1), 0, "1名から2名まで"),
    ],
)
@ONE
def test_how_many_come_first_goes_by_the_form(tenant, account, form, people, said):
    """SUP-03: the rest is added later, up to the same limit."""
    made = operations.add_contract(tenant, account, "manage", form, by=SYSTEM)
    operations.add_unit(made, UnitKind.APP, "勤怠", by=SYSTEM)
    several = [Registrant(f"人{n}", "一", f"p{n}@one.example") for n in range(people)]
    if said:
        with pytest.raises(RuleBroken, match=said):
            operations.register(tenant, made, several, by=SYSTEM)
        return
    operations.register(tenant, made, several, by=SYSTEM)
    for n in range(people, 3):
        operations.add_contact(
            tenant, made, Registrant(f"人{n}", "一", f"p{n}@one.example"), by=SYSTEM
        )
    with pytest.raises(limits.LimitReached):
        operations.add_contact(tenant, made, YAMADA, by=SYSTEM)


def test_several_share_an_address_and_each_counts(tenant, registered):
    """SUP-07: one sign-in, one mail, names joined; the same person twice is refused, whoever comes first."""
    operations.add_contact(tenant, registered, SATO, by=SYSTEM)
    session().commit()
    member = session().scalars(select(Member).where(Member.email == "support@one.example")).one()
    assert queries.people(member.id) == ["伊藤 花", "佐藤"]
    assert limits.usage_of(tenant, CONTACTS, registered).used == 3
    operations.add_unit(registered, UnitKind.APP, "工数", by=SYSTEM)
    with pytest.raises(RuleBroken, match="すでにこのご契約"):
        operations.add_contact(tenant, registered, SATO, by=SYSTEM)
    assert limits.usage_of(tenant, CONTACTS, registered).used == 3


@pytest.mark.parametrize(
    ("family", "given", "field"),
    [
        *((name, "", "family_name") for name in ("株式会社一番", "一番（株）", "㈱一番")),
        *((name, "", "family_name") for name in ("情報システム部", "総務課", "経理係", "営業部")),
        *((name, "", "family_name") for name in ("お客様窓口", "サポートセンター", "DX推進部")),
        *((name, "", "family_name") for name in ("第一営業部", "お客様相談室", "IT部", "社長室")),
        *((name, "", "family_name") for name in ("総務", "情報システム", "サポート")),
        *(("山田", name, "given_name") for name in ("サポート窓口", "総務部", "総務", "㈱一番")),
        ("一般社団法人", "協会", "family_name"),
        ("経理", "総務", "given_name"),
        ("山田/伊藤", "", "family_name"),
        ("山田", "太郎・花子/次郎", "given_name"),
    ],
)
def test_what_is_no_persons_name_is_refused_at_the_part_to_blame(family, given, field):
    """SUP-06"""
    with pytest.raises(RuleBroken, match=r"個人名|おひとりずつ") as refused:
        check_person(family, given)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "family",
    [
        *("阿部", "服部", "矢部", "渡部", "岡部", "磯部", "安部", "綾部", "刑部", "田部", "物部"),
        *("長谷部", "日下部", "曽我部", "長宗我部", "氷室", "小室", "三室", "山田"),
    ],
)
def test_a_real_surname_stands_alone(family):
    """SUP-06: 部 and 室 at the end make no department of a surname."""
    check_person(family, "")


@pytest.mark.parametrize(
    "name", ["阿部 太郎", "服部 花子", "課長 島", "John Smith", "窓口 美咲", "係 一郎", "総務 太郎"]
)
def test_persons_may_be_called_what_they_are_called(name):
    """SUP-06: only the end of the whole name tells a department."""
    check_person(*name.split())


@ONE
def test_an_operator_takes_a_name_even_so(tenant, registered):
    """SUP-06: 窓口 alone looks like a department; the message says that the given name may be filled in."""
    person = Registrant("窓口", "", "madoguchi@one.example")
    with pytest.raises(RuleBroken, match="「名」も入力すると"):
        operations.add_contact(tenant, registered, person, by=SYSTEM)
    operations.add_contact(tenant, registered, person, by=SYSTEM, even_so=True)
    assert ("deputy", "窓口") in names(registered)


def test_the_main_contact_is_handed_over_and_never_removed(tenant, registered):
    """SUP-04: exactly one, always."""
    main, deputy = (one for one, _email in queries.contacts(registered))
    with pytest.raises(RuleBroken, match="引き継いで"):
        operations.remove_contact(tenant, registered, main, by=SYSTEM)
    operations.hand_over(tenant, registered, deputy, by=SYSTEM)
    session().commit()
    assert names(registered) == [("main", "伊藤 花"), ("deputy", "山田 太郎")]
    operations.remove_contact(
        tenant, registered, queries.contact(registered, "山田 太郎"), by=SYSTEM
    )
    session().commit()
    assert names(registered) == [("main", "伊藤 花")]
    with pytest.raises(NotFound):
        queries.contact(registered, "山田 太郎")


def test_an_ended_app_freezes_and_takes_nothing_away(tenant, registered):
    """COM-43: listed, nobody added until it fits again."""
    operations.add_contact(tenant, registered, SATO, by=SYSTEM)
    operations.end_unit(registered, UnitKind.APP, "勤怠", by=SYSTEM)
    session().commit()
    ((name, owner, use),) = limits.over(tenant)
    assert (name, owner.subject, use.used, use.limit) == (CONTACTS, registered.subject, 3, 2)
    assert len(names(registered)) == 3
    with pytest.raises(limits.LimitReached, match="超えている"):
        operations.add_contact(tenant, registered, YAMADA, by=SYSTEM)
    with pytest.raises(NotFound):
        operations.end_unit(registered, UnitKind.APP, "勤怠", by=SYSTEM)
    operations.add_unit(registered, UnitKind.APP, "勤怠", by=SYSTEM)
    assert list(limits.over(tenant)) == []


def test_the_database_keeps_to_one_main_contact(registered):
    """SUP-04: whatever an operation forgets."""
    deputy = queries.contact(registered, "伊藤 花")
    with pytest.raises(IntegrityError):
        update_where(ContractContact, ContractContact.id == deputy.id, role=Role.MAIN)
    session().rollback()


def test_members_see_their_own_contracts_alone(tenant, inside, visit):
    """SUP-05, COM-41, COM-02: who may ask, how many there may be and why; nobody else's."""
    with inside("desk"):
        account, other = (
            accounts.add_account(tenant, by=SYSTEM, name=name) for name in ("一番", "二番")
        )
        contract = operations.add_contract(tenant, account, "manage", date(2022, 9, 30), by=SYSTEM)
        operations.add_unit(contract, UnitKind.APP, "勤怠", by=SYSTEM)
        operations.add_unit(contract, UnitKind.OPTION, "入退差異オプション", by=SYSTEM)
        operations.register(tenant, contract, [YAMADA, ITO], by=SYSTEM)
        member = session().scalars(select(Member).where(Member.email == YAMADA.email)).one()
        member.password_hash = passwords.hash_password(PASSWORD)
        number = contract.number
        theirs = operations.add_contract(
            tenant, other, "data-link", date(2025, 1, 1), by=SYSTEM
        ).number
        session().commit()
    page = visit("desk")
    entered = page.post("/sign-in", {"email": YAMADA.email, "password": PASSWORD})
    assert (entered.status_code, entered.location) == (303, "/"), entered.text
    listed = page.get("/support/contracts").text
    assert "<b>2</b> / 3名" in listed
    assert theirs not in listed + page.get("/").text
    shown = page.get(f"/support/contracts/{number}").text
    people = ("山田 太郎", "主担当", "伊藤 花", "副担当", "業務担当")
    for word in (*people, "<b>2</b> / 3名", "ご利用中のアプリ", "勤怠", "入退差異オプション"):
        assert word in shown, word
    assert f"category=contacts&amp;about={number}" in shown
    assert page.get(f"/support/contracts/{theirs}").status_code == 404
    assert "上限超過" not in listed
    with inside("desk"):
        contract = queries.any_contract(number)
        operations.add_contact(tenant, contract, SATO, by=SYSTEM)
        operations.end_unit(contract, UnitKind.APP, "勤怠", by=SYSTEM)
        session().commit()
    assert (
        '<b>3</b> / 2名 <span class="badge err">上限超過</span>'
        in page.get("/support/contracts").text
    )


@ONE
def test_commands_do_all_of_it(tenant, account, run):
    """OPS-10, SUP-05: from the contract to the hand-over; what is mistyped is one line."""
    session().rollback()

    def do(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["support", *words, "--tenant", "desk"])
        assert result.exit_code == expect, result.output
        return str(result.output)

    number = do("add-contract", "C000001", "manage", "--form", "2022-09-01").strip()
    assert do("add-unit", number, "app", "勤怠") == f"{number}: 0 / 3\n"
    do(
        "register",
        number,
        "--main",
        "山田:太郎:yamada@one.example:契約担当",
        "--deputy",
        "伊藤:花:support@one.example",
    )
    do("add-contact", number, "佐藤::support@one.example")
    do("hand-over", number, "伊藤 花")
    do("remove-contact", number, "山田 太郎")
    rows = json.loads(do("show", number, "--json"))
    assert [(row["role"], row["person"]) for row in rows] == [
        ("主担当", "伊藤 花"),
        ("副担当", "佐藤"),
    ]
    do("add-contact", number, "山田:太郎:yamada@one.example")
    assert do("end-unit", number, "app", "勤怠") == f"{number}: 3 / 2 (frozen)\n"
    for words, said in (
        (("add-contact", number, "山田"), "FAMILY:GIVEN:EMAIL"),
        (("add-contract", "C000001", "nothing", "--form", "2022-09-01"), "manage, data-link"),
        (("show", "CT999999"), "CT999999"),
        (("hand-over", number, "誰か"), "誰か"),
    ):
        assert said in do(*words, expect=2)


@ONE
def test_leaving_names_what_is_lost_and_erases_the_persons(tenant, registered):
    """COM-16"""
    account = session().scalars(select(Account)).one()
    (lost,) = withdrawal.losses(tenant, account)
    assert str(lost) == f"ご契約 {registered.number}（業務）のお問い合わせ窓口"
    withdrawal.withdraw(tenant, account, "解約", by=SYSTEM)
    withdrawal.erase(account, by=SYSTEM)
    session().commit()
    assert session().query(ContractContact).count() == 0


@ONE
def test_who_shares_an_address_says_who_is_writing(tenant, inside, visit):
    """SUP-07: asked where several do, answered under that name, one history; nobody else's name will do."""
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        contract = operations.add_contract(tenant, account, "manage", date(2022, 9, 30), by=SYSTEM)
        operations.add_unit(contract, UnitKind.APP, "勤怠", by=SYSTEM)
        operations.register(tenant, contract, [YAMADA, ITO, SATO], by=SYSTEM)
        for member in session().scalars(select(Member)):
            member.password_hash = passwords.hash_password(PASSWORD)
        session().commit()
    shared, alone = visit("desk"), visit("desk")
    shared.post("/sign-in", {"email": ITO.email, "password": PASSWORD})
    alone.post("/sign-in", {"email": YAMADA.email, "password": PASSWORD})
    form = "/inquiries/new?category=other"
    assert 'name="writer"' not in alone.get(form).text
    assert 'name="writer"' in shared.get(form).text
    typed = {"body": "動きません。", "agreed": "y"}
    for writer in ("", "山田 太郎", "誰か"):
        assert shared.post(form, typed | {"writer": writer}).status_code == 422
    kept = shared.post(form, typed | {"writer": "佐藤"})
    assert "佐藤" in shared.get(kept.location).text
    shared.post("/inquiries/new/confirm", {"draft": kept.location.rpartition("=")[2]}, page=form)
    with inside("desk"):
        (asked,) = session().query(Inquiry).all()
        assert (asked.name, asked.email) == ("佐藤", ITO.email)
    assert asked.number in shared.get("/inquiries").text
