"""SUP-05, SUP-06, SUP-17: the 主担当 changes a contract's contacts on the page, where the tenant switches it on."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import event, select

from portal import create_app
from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import ContractContact, UnitKind
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.audit_chain import find_faults
from portal.core.db import db, session, tenant_scope
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member, Right
from portal.shared.auth import passwords
from portal.web.brand import offered_rights
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW = "/support/contracts/CT00000001/contacts/new"
MAIN = Registrant("山田", "太郎", "yamada@one.example", "契約担当")
DEPUTY = Registrant("伊藤", "花", "ito@one.example")
THIRD = {
    "family_name": "佐藤",
    "given_name": "次郎",
    "email": "sato@one.example",
    "duty": "業務担当",
    "agreed": "y",
}


@pytest.fixture
def desk(settings, tmp_path, cheap_passwords):
    """A portal whose desk has it on, with one contract of two contacts and room for one more."""
    changed = tmp_path / "tenants.toml"
    head = "support.products ="
    changed.write_text(
        settings.tenants_file.read_text().replace(head, f"support.self_service = true\n{head}")
    )
    app = create_app(type(settings)(**{**vars(settings), "tenants_file": changed}))
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with clock.freeze(NOW):
        with app.app_context(), tenant_scope("desk"):
            account = accounts.add_account(tenant, by=SYSTEM, name="一番")
            for product in ("manage", "data-link"):
                contract = operations.add_contract(
                    tenant, account, product, date(2022, 9, 1), by=SYSTEM
                )
                operations.add_unit(contract, UnitKind.APP, "勤怠", by=SYSTEM)
                operations.register(tenant, contract, [MAIN, DEPUTY], by=SYSTEM)
            for member in session().scalars(select(Member)):
                member.password_hash = passwords.hash_password(PASSWORD)
            session().commit()
        yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def enter(desk):
    """Sign in at the desk."""

    def go(who: Registrant) -> Visitor:
        visitor = Visitor(desk, "desk")
        assert (
            visitor.post("/sign-in", {"email": who.email, "password": PASSWORD}).status_code == 303
        )
        return visitor

    return go


def people(app) -> list[tuple[str, str, str]]:
    with app.app_context(), tenant_scope("desk"):
        contacts = queries.contacts(queries.any_contract("CT00000001"))
        return [(one.role.value, one.person, email) for one, email in contacts]


def contact_id(app, person: str) -> int:
    with app.app_context(), tenant_scope("desk"):
        of = ContractContact.person == person, ContractContact.contract_id == 1
        return int(session().scalars(select(ContractContact.id).where(*of)).one())


def press(visitor: Visitor, page: str, typed: dict[str, str]):
    """Send the form, and press the button of 内容確認."""
    kept = visitor.post(page, typed)
    assert kept.status_code == 303, kept.text
    return visitor.post(f"{page}/confirm", {"draft": kept.location.rpartition("=")[2]})


def test_the_main_contact_adds_one_who_is_mailed_a_link(desk, enter):
    """SUP-05, SUP-17, COM-41: purposes shown and agreed to, use and limit beside, full afterwards."""
    main = enter(MAIN)
    page = main.get("/support/contracts/CT00000001/contacts/new").text
    for word in ("お問い合わせにお答えするため", "<b>2</b> / 3名", "個人情報の利用目的"):
        assert word in page, word
    shown = main.get(main.post(NEW, THIRD).location).text
    assert all(word in shown for word in ("佐藤", "次郎", "sato@one.example", "業務担当"))
    assert len(people(desk)) == 2, "nothing is saved before the last button"
    answer = press(main, NEW, THIRD)
    assert (answer.status_code, answer.location) == (303, f"{NEW}/done")
    assert people(desk)[-1] == ("deputy", "佐藤 次郎", "sato@one.example")
    shown = main.get("/support/contracts/CT00000001").text
    assert "<b>3</b> / 3名" in shown
    assert 'aria-disabled="true"' in shown
    with desk.app_context(), tenant_scope("desk"):
        mailed = (
            session()
            .scalars(select(OutboxMail.recipient).where(OutboxMail.event == "set_password"))
            .all()
        )
        assert "sato@one.example" in mailed
        agreed = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "contract.add_contact"))
            .all()[-1]
        )
        assert len(agreed.changes["agreed"]) == 64
        assert list(find_faults()) == []
    full = main.post(NEW, THIRD | {"family_name": "鈴木", "email": "four@one.example"})
    assert (
        full.status_code,
        "上限に達しています" in full.text,
        "four@one.example" in full.text,
    ) == (422, True, True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family_name": "株式会社一番", "given_name": ""}, "個人名を入力"),
        ({"family_name": "情報システム部", "given_name": ""}, "個人名を入力"),
        ({"family_name": "総務", "given_name": ""}, "個人名を入力"),
        ({"family_name": "山田/伊藤", "given_name": ""}, "おひとりずつ"),
        ({"family_name": "伊藤", "given_name": "花", "email": "ito@one.example"}, "すでにこの"),
        ({"agreed": ""}, "同意が必要です。"),
        ({"email": "nowhere"}, "メールアドレス"),
        ({"duty": "社長"}, "選択"),
    ],
)
@ONE
def test_what_is_wrong_is_told_and_everything_typed_kept(desk, enter, changes, said):
    """SUP-06, COM-23"""
    answer = enter(MAIN).post("/support/contracts/CT00000001/contacts/new", THIRD | changes)
    assert answer.status_code == 422
    assert said in answer.text
    assert (THIRD | changes)["family_name"] in answer.text
    assert len(people(desk)) == 2


def test_the_main_contact_hands_over_and_then_may_no_more(desk, enter):
    """SUP-04, SUP-05: what follows for both is said before the button, which names the act."""
    main, path = (
        enter(MAIN),
        f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}/representation",
    )
    page = main.get(path).text
    for words in (
        "主担当を伊藤 花様に変更する</button>",
        "山田 太郎様は副担当になり、担当者の追加・変更・削除はできなくなります。",
        "伊藤 花様が、このご契約の担当者の追加・変更・削除を行います。",
    ):
        assert words in page
    assert main.post(path).status_code == 303
    assert [(role, person) for role, person, _email in people(desk)] == [
        ("main", "伊藤 花"),
        ("deputy", "山田 太郎"),
    ]
    assert main.get(path).status_code == 404
    assert "サポート窓口で承ります" in main.get("/support/contracts/CT00000001").text


def test_a_deputy_is_removed_and_the_main_contact_never(desk, enter):
    """SUP-04, SUP-05"""
    main = enter(MAIN)
    tenant = desk.extensions["tenants"].current().by_key["desk"]
    with desk.app_context(), tenant_scope("desk"):
        contract, sato = queries.any_contract("CT00000001"), Registrant("佐藤", "", DEPUTY.email)
        operations.add_contact(tenant, contract, sato, by=SYSTEM)
        session().commit()
    own = f"/support/contracts/CT00000001/contacts/{contact_id(desk, '山田 太郎')}/removal"
    refused = main.post(own)
    assert (refused.status_code, "引き継いでください" in refused.text) == (422, True)
    path = f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}/removal"
    page = main.get(path).text
    for words in (
        "このご契約についてお問い合わせいただけなくなります。",
        "同じメールアドレスの佐藤様の登録は残ります。",
        "ログインは引き続きできます。",
        "削除する</button>",
    ):
        assert words in page
    assert main.post(path).status_code == 303
    assert people(desk) == [
        ("main", "山田 太郎", "yamada@one.example"),
        ("deputy", "佐藤", "ito@one.example"),
    ]


@ONE
def test_nobody_else_may(desk, enter, visit):
    """COM-02, SUP-05: a deputy, a contact of another contract, and a desk where it is off."""
    deputy = enter(DEPUTY)
    for path in ("new", f"{contact_id(desk, '伊藤 花')}/removal"):
        assert deputy.get(f"/support/contracts/CT00000001/contacts/{path}").status_code == 404
        assert (
            deputy.post(
                f"/support/contracts/CT00000001/contacts/{path}", THIRD, page="/support/contracts"
            ).status_code
            == 404
        )
    foreign = contact_id(desk, "伊藤 花")
    assert (
        enter(MAIN).get(f"/support/contracts/CT00000002/contacts/{foreign}/removal").status_code
        == 404
    )
    off = visit("desk")
    off.post("/sign-in", {"email": MAIN.email, "password": PASSWORD})
    assert off.get("/support/contracts/CT00000001/contacts/new").status_code == 404
    assert "担当者の変更を依頼する" in off.get("/support/contracts/CT00000001").text


@ONE
def test_fifty_contracts_ask_as_much_as_two(desk, enter):
    """performance.md: constant queries a page."""
    main, asked = enter(MAIN), []
    with desk.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
    main.get("/support/contracts")
    two, asked[:] = len(asked), []
    tenant = desk.extensions["tenants"].current().by_key["desk"]
    with desk.app_context(), tenant_scope("desk"):
        account = accounts.all_accounts()[0]
        for _turn in range(48):
            operations.add_contract(tenant, account, "manage", date(2022, 9, 1), by=SYSTEM)
        session().commit()
    asked[:] = []
    page = main.get("/support/contracts").text
    assert page.count("/support/contracts/CT") == 20
    assert "全50件" in page
    assert len(asked) == two


@ONE
def test_contracts_are_searched_and_downloaded(desk, enter):
    """COM-21, SUP-02: by number, product and the form's days; the CSV is the list; back to where it was left."""
    main = enter(MAIN)
    tenant = desk.extensions["tenants"].current().by_key["desk"]
    with desk.app_context(), tenant_scope("desk"):
        account = accounts.all_accounts()[0]
        for day in range(1, 25):
            operations.add_contract(tenant, account, "manage", date(2026, 2, day), by=SYSTEM)
        session().commit()
        numbers = [one.number for one in queries.contracts(account.id)]
    assert "全26件" in main.get("/support/contracts").text
    found = main.get("/support/contracts?number=26").text
    assert "全1件" in found
    assert f"/support/contracts/{numbers[-1]}?list=number%3D26" in found
    back = main.get(f"/support/contracts/{numbers[-1]}?list=number%3D26").text
    assert 'href="/support/contracts?number=26"' in back
    dated = main.get("/support/contracts?since=2026-02-20&until=2026-02-22")
    assert "全3件" in dated.text
    rows = main.get("/support/contracts.csv?since=2026-02-20&until=2026-02-22").text.splitlines()
    assert rows[0].lstrip("\ufeff") == "契約番号,製品,お申込日,登録担当者"
    assert [row.split(",")[2] for row in rows[1:]] == ["2026/02/20", "2026/02/21", "2026/02/22"]
    assert main.get("/support/contracts?since=2026-02-22&until=2026-02-20").status_code == 422
    assert "条件に一致するものはありません" in main.get("/support/contracts?number=ZZ").text


def test_only_rights_that_the_brand_has_a_use_for_are_offered(app):
    """COM-03: a support desk sells nothing but has addresses to bill to; nobody quotes for a facility."""
    by_key = app.extensions["tenants"].current().by_key
    with app.app_context():
        assert offered_rights(by_key["desk"]) == {Right.BILLING, Right.SUPPORT, Right.MANAGE}
        booked = {Right.ORDERS, Right.BILLING, Right.SUPPORT, Right.MANAGE}
        assert offered_rights(by_key["facility"]) == booked


def edited(**changes: str) -> dict[str, str]:
    """What 伊藤's form would send."""
    typed = {"family_name": "伊藤", "given_name": "花", "email": DEPUTY.email, "duty": ""}
    return typed | {"agreed": "y", "version": "1"} | changes


def test_a_contact_is_edited_with_a_look_at_it_first(desk, enter):
    """SUP-05, COM-22: name, duty and address; an address without a sign-in gets a link, the trail both values."""
    main, path = (
        enter(MAIN),
        f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}",
    )
    assert path in main.get("/support/contracts/CT00000001").text
    page = main.get(path).text
    assert all(f'value="{value}"' in page for value in ("伊藤", "花", DEPUTY.email))
    changes = edited(family_name="加藤", duty="業務担当", email="kato@one.example")
    answer = press(main, path, changes)
    assert (answer.status_code, answer.location) == (303, f"{path}/done")
    assert main.get(answer.location).status_code == 200
    assert people(desk) == [
        ("main", "山田 太郎", MAIN.email),
        ("deputy", "加藤 花", "kato@one.example"),
    ]
    with desk.app_context(), tenant_scope("desk"):
        mails = select(OutboxMail.recipient).where(OutboxMail.event == "set_password")
        assert "kato@one.example" in session().scalars(mails).all()
        trail = select(AuditEvent).where(AuditEvent.action == "contract.edit_contact")
        event = session().scalars(trail).one()
        assert event.changes["person"] == ["伊藤 花", "加藤 花"]
        assert event.changes["email"] == [DEPUTY.email, "kato@one.example"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"email": "kato@one.example"}, [DEPUTY.email, "kato@one.example"]),
        ({"family_name": "加藤"}, [DEPUTY.email]),
        ({}, []),
    ],
    ids=["another address", "another name", "nothing"],
)
def test_a_contact_who_is_changed_by_another_is_told_at_both_addresses(desk, enter, changes, told):
    """COM-34, SUP-05: the old address learns where mail goes now."""
    main, path = (
        enter(MAIN),
        f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}",
    )
    press(main, path, edited(**changes))
    with desk.app_context(), tenant_scope("desk"):
        mails = select(OutboxMail).where(OutboxMail.event == "contact_edited")
        found = session().scalars(mails.order_by(OutboxMail.id)).all()
        assert [mail.recipient for mail in found] == told
        for mail in found:
            assert "CT00000001" in mail.body
            assert ("kato@one.example" in mail.body) is ("email" in changes)


@ONE
def test_a_draft_for_one_contact_is_nothing_to_another_nor_to_another_contract(desk, enter):
    """COM-22: what was typed for a new contact goes to no other form's confirm page or button."""
    main = enter(MAIN)
    token = main.post(NEW, THIRD).location.rpartition("=")[2]
    deputy = f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}"
    before = people(desk)
    for form in (deputy, "/support/contracts/CT00000002/contacts/new"):
        shown = main.get(f"{form}/confirm?draft={token}")
        assert (shown.status_code, shown.location) == (303, form)
        assert main.post(f"{form}/confirm", {"draft": token}).status_code == 400
    assert people(desk) == before


@ONE
def test_an_edit_that_comes_second_is_told_and_shown_both_values(desk, enter):
    """COM-26"""
    main, path = (
        enter(MAIN),
        f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}",
    )
    late = main.post(path, edited(given_name="咲"))
    assert press(main, path, edited(given_name="光")).status_code == 303
    token = {"draft": late.location.rpartition("=")[2]}
    told = main.post(f"{path}/confirm", token)
    assert told.status_code == 409
    assert all(word in told.text for word in ("ほかの方が先に更新しました", "咲", "光"))
    assert [person for _role, person, _email in people(desk)] == ["山田 太郎", "伊藤 光"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family_name": "総務", "given_name": ""}, "個人名を入力"),
        ({"family_name": "山田／伊藤"}, "おひとりずつ"),
        ({"family_name": "山田", "given_name": "太郎", "email": MAIN.email}, "すでにこの"),
    ],
)
@ONE
def test_an_edit_is_refused_like_a_registration(desk, enter, changes, said):
    """SUP-06: before 内容確認 already."""
    path = f"/support/contracts/CT00000001/contacts/{contact_id(desk, '伊藤 花')}"
    answer = enter(MAIN).post(path, edited(**changes))
    assert (answer.status_code, said in answer.text) == (422, True)


@ONE
def test_a_name_that_was_taken_even_so_does_not_stand_in_the_way_of_its_duty(desk, enter):
    """SUP-06: 窓口 alone looks like a department; an operator took it."""
    tenant = desk.extensions["tenants"].current().by_key["desk"]
    with desk.app_context(), tenant_scope("desk"):
        contract = queries.any_contract("CT00000001")
        abe = Registrant("窓口", "", "abe@one.example")
        operations.add_contact(tenant, contract, abe, by=SYSTEM, even_so=True)
        session().commit()
    path = f"/support/contracts/CT00000001/contacts/{contact_id(desk, '窓口')}"
    typed = edited(family_name="窓口", given_name="", email=abe.email, duty="業務担当")
    assert press(enter(MAIN), path, typed).status_code == 303


def test_those_who_share_a_sign_in_are_shown_joined(desk, enter):
    """SUP-07: at the head of every page; each counts against the limit."""
    tenant = desk.extensions["tenants"].current().by_key["desk"]
    with desk.app_context(), tenant_scope("desk"):
        contract = queries.any_contract("CT00000001")
        sato = Registrant("佐藤", "次郎", DEPUTY.email)
        operations.add_contact(tenant, contract, sato, by=SYSTEM)
        session().commit()
    deputy = enter(DEPUTY)
    assert "伊藤 花/佐藤 次郎 様" in deputy.get("/").text
    assert "伊藤 花/佐藤 次郎" in deputy.get("/inquiries/new").text
    assert "<b>3</b> / 3名" in deputy.get("/support/contracts/CT00000001").text
