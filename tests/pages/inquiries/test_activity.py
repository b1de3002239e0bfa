"""SUP-10, SUP-13: what an inquiry is about is chosen, how urgent it is; past ones are searched."""

from __future__ import annotations

import re
from datetime import date

import pytest
from pydantic import ValidationError

from portal import create_app
from portal.blueprints.support import operations as contracts
from portal.blueprints.support import queries
from portal.blueprints.support.operations import Registrant
from portal.config.schema_parts import InquiryField
from portal.core import clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.core.db import db, session, tenant_scope
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.auth import passwords
from portal.shared.inquiries import operations
from portal.shared.inquiries.operations import Asked, Writer
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CATEGORIES = """
inquiries.visible_to = "member"
inquiries.categories = [
  { key = "product", label = "製品", about = "契約番号", about_own = true, fields = [
    { key = "urgency", label = "緊急度", kind = "choice", choices = ["通常", "業務が止まっている"] } ] },
  { key = "other", label = "その他お問合せ" },
]
"""
YAMADA = Registrant("山田", "太郎", "yamada@one.example")


@pytest.fixture
def desk(settings, tmp_path, cheap_passwords):
    """A desk with such categories, one customer with a contract, another with theirs."""
    changed = tmp_path / "tenants.toml"
    changed.write_text(
        settings.tenants_file.read_text().replace("[tenants.desk]\n", f"[tenants.desk]{CATEGORIES}")
    )
    app = create_app(type(settings)(**{**vars(settings), "tenants_file": changed}))
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with clock.freeze(NOW):
        with app.app_context(), tenant_scope("desk"):
            for name in ("一番", "二番"):
                account = accounts.add_account(tenant, by=SYSTEM, name=name)
                contracts.add_contract(tenant, account, "manage", date(2022, 9, 1), by=SYSTEM)
            first = accounts.all_accounts()[0]
            person = accounts.Person(
                YAMADA.family_name, YAMADA.given_name, YAMADA.email, is_representative=True
            )
            hashed = passwords.hash_password(PASSWORD)
            member = accounts.add_member(tenant, first, person, by=SYSTEM, password_hash=hashed)
            session().flush()
            contract = queries.any_contract("CT00000001")
            contracts.register(tenant, contract, [YAMADA], by=SYSTEM)
            _fill(tenant, member)
            session().commit()
        yield app
    with app.app_context():
        db.engine.dispose()


def _fill(tenant, member: Member) -> None:
    """Three of them: by form in September, by chat in October, by mail in November."""
    writer = Writer(member.name, member.email, member.account_id, member.id)
    by = Actor("member", member.name, member.id, member.account_id)
    for month, channel, body in (
        (9, "web", "印刷が 50% で止まる"),
        (10, "chat", "ABCの設定"),
        (11, "mail", "請求書"),
    ):
        with clock.freeze(clock.local(2026, month, 15, 10)):
            asked = Asked("product", body, about="CT00000001")
            made = operations.ask(tenant, writer, asked, by=by, channel=channel)
            if channel == "chat":
                operations.answer(tenant, made, "再起動してください。", by=operator("木村"))


@pytest.fixture
def yamada(desk) -> Visitor:
    """Signed in."""
    visitor = Visitor(desk, "desk")
    visitor.post("/sign-in", {"email": YAMADA.email, "password": PASSWORD})
    return visitor


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", "321"),
        ("status=answered", "2"),
        ("channel=chat", "2"),
        ("channel=mail&status=received", "3"),
        ("text=再起動", "2"),
        ("text=abc", "2"),
        ("text=50%25", "1"),
        ("text=5_%25", ""),
        ("text=IQ00000002", "2"),
        ("text=ｉｑ０００００００２", "2"),
        ("text=で 印刷", "1"),
        ("text=止まる　印刷", "1"),
        ("text=印刷 設定", ""),
        ("text=製品 abc 再起動", "2"),
        ("text=山田 請求書", "3"),
        ("text=　", "321"),
        ("status=unfinished", "31"),
        ("about=CT00000001", "321"),
        ("about=CT00000009", ""),
        ("since=2026-10-15&until=2026/10/15", "2"),
        ("since=2026-10-16", "3"),
        ("until=2026-10-14", "1"),
    ],
)
def test_past_inquiries_are_searched(yamada, asked, found):
    """SUP-13, COM-21: by product, status, channel, period and free text, all together; the CSV the same."""
    page = yamada.get(f"/inquiries?{asked}").text
    numbers = [n for n in "321" if f'href="/inquiries/IQ0000000{n}"' in page]
    assert "".join(numbers) == found
    rows = yamada.get(f"/inquiries.csv?{asked}").text
    assert [n for n in "321" if f"IQ0000000{n}" in rows] == numbers
    assert ("条件に一致する" in page) is (not found)


@pytest.mark.parametrize(
    "asked", ["since=2026-10-15&until=2026-10-14", "since=yesterday", "channel=fax", "status=lost"]
)
@ONE
def test_a_search_that_makes_no_sense_says_so_and_shows_no_list(yamada, asked):
    """COM-23"""
    answer = yamada.get(f"/inquiries?{asked}")
    assert answer.status_code == 422
    assert "入力内容をご確認ください" in answer.text
    assert 'href="/inquiries/IQ' not in answer.text
    assert 'class="count"' not in answer.text


def test_what_it_is_about_is_one_of_the_accounts_own_contracts(yamada):
    """SUP-10, COM-02: chosen, with its product; somebody else's will not do; the urgency is asked."""
    page = yamada.get("/inquiries/new?category=product").text
    assert "CT00000001　業務" in page
    assert "CT00000002" not in page
    typed = {
        "about": "CT00000001",
        "f_urgency": "業務が止まっている",
        "body": "動きません。",
        "agreed": "y",
    }
    for changes in (
        {"about": "CT00000002"},
        {"about": ""},
        {"f_urgency": "いますぐ"},
        {"f_urgency": ""},
    ):
        assert yamada.post("/inquiries/new?category=product", typed | changes).status_code == 422, (
            changes
        )
    kept = yamada.post("/inquiries/new?category=product", typed)
    assert kept.status_code == 303
    confirm = yamada.get(kept.location).text
    assert "業務が止まっている" in confirm
    yamada.post(
        "/inquiries/new/confirm", {"draft": kept.location.rpartition("=")[2]}, page="/inquiries/new"
    )
    thread = yamada.get("/inquiries/IQ00000004").text
    assert "緊急度" in thread
    assert "業務が止まっている" in thread


def test_choices_belong_to_a_choice():
    """OPS-02"""
    for wrong in ({"kind": "choice"}, {"kind": "line", "choices": ["通常"]}):
        with pytest.raises(ValidationError, match="choices belong to kind"):
            InquiryField.model_validate({"key": "x", "label": "X", **wrong})


@ONE
def test_the_csv_has_the_heads_and_columns_of_the_page(yamada):
    """COM-21: one list of columns for both."""
    page = yamada.get("/inquiries").text
    heads = re.findall(r'<th scope="col">([^<]+)</th>', page)
    head, first = yamada.get("/inquiries.csv").text.lstrip("\ufeff").splitlines()[:2]
    assert head.replace('"', "").split(",") == heads
    assert "お名前" in heads
    assert "山田 太郎" in first
