"""COM-03: searches, choices and settings offer what the brand and the account have, and nothing else."""

from __future__ import annotations

import re
from datetime import date

import pytest

from portal.blueprints.support import operations as contracts
from portal.blueprints.support import queries
from portal.blueprints.support.models import UnitKind
from portal.core.actor import SYSTEM, Actor
from portal.core.db import session
from portal.settings import ROOT
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.inquiries import operations
from portal.shared.inquiries.operations import Asked, Writer
from tests.cast import PASSWORD
from tests.support.contracts import contract_of

CATEGORIES = """
inquiries.categories = [
  { key = "product", label = "製品", about = "契約番号", about_own = true, fields = [
    { key = "app", label = "アプリ", kind = "unit", required = false } ] },
  { key = "other", label = "その他お問合せ" },
]
"""


@pytest.fixture
def settings(database_url, make_settings, tmp_path):
    """The desk asks for the app."""
    text = (ROOT / "tests" / "tenants.toml").read_text(encoding="utf-8")
    file = tmp_path / "tenants.toml"
    file.write_text(text.replace("[tenants.desk]\n", f"[tenants.desk]{CATEGORIES}"), "utf-8")
    return make_settings(database_url, home=tmp_path / "home", tenants_file=file)


@pytest.fixture
def yamada(app, visit, inside):
    """A contact of two contracts: "manage" with 勤怠 and an ended 工数, "data-link" with 銀行データ連携."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    hashed = passwords.hash_password(PASSWORD)
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        person = Person("山田", "太郎", "yamada@one.example", is_representative=True)
        member = accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        session().flush()
        first = contract_of(tenant, account, member)
        second = contract_of(tenant, account, member, product="data-link")
        contracts.add_unit(first, UnitKind.APP, "勤怠", by=SYSTEM)
        contracts.add_unit(first, UnitKind.APP, "工数", by=SYSTEM)
        contracts.end_unit(first, UnitKind.APP, "工数", by=SYSTEM)
        contracts.add_unit(second, UnitKind.CONNECTION, "銀行データ連携", by=SYSTEM)
        writer = Writer(member.name, member.email, account.id, member.id)
        by = Actor("member", member.name, member.id, account.id)
        for contract in (first, second):
            asked = Asked("product", "動きません。", about=contract.number)
            operations.ask(tenant, writer, asked, by=by)
        session().commit()
    visitor = visit("desk")
    visitor.post("/sign-in", {"email": "yamada@one.example", "password": PASSWORD})
    return visitor


def options(page: str, name: str) -> list[str]:
    """The values that a select offers."""
    found = re.search(rf'<select[^>]*name="{name}".*?</select>', page, re.DOTALL)
    return re.findall(r'value="([^"]*)"', found[0])[0:] if found else []


def test_the_app_is_one_of_the_chosen_contracts(yamada):
    """SUP-10: those in use, under each contract until one is chosen; another contract's is refused."""
    page = yamada.get("/inquiries/new?category=product").text
    assert options(page, "f_app") == ["", "勤怠", "銀行データ連携"]
    assert '<optgroup label="CT00000001　業務">' in page
    typed = {"category": "product", "about": "CT00000001", "body": "x", "agreed": "y"}
    shown = yamada.post("/inquiries/new", typed | {"step": "category"}).text
    assert options(shown, "f_app") == ["", "勤怠"]
    refused = yamada.post("/inquiries/new", typed | {"f_app": "銀行データ連携"})
    assert (refused.status_code, "選択したご契約のもの" in refused.text) == (422, True)
    kept = yamada.post("/inquiries/new", typed | {"f_app": "勤怠"})
    assert all(word in yamada.get(kept.location).text for word in ("CT00000001　業務", "勤怠"))


def test_past_inquiries_are_searched_by_product(yamada):
    """SUP-13: of the products that the account has; the CSV the same."""
    page = yamada.get("/inquiries").text
    assert options(page, "product") == ["", "manage", "data-link"]
    for product, found, other in (("manage", "1", "2"), ("data-link", "2", "1")):
        for path in ("/inquiries", "/inquiries.csv"):
            answer = yamada.get(f"{path}?product={product}").text
            assert f"IQ0000000{found}" in answer
            assert f"IQ0000000{other}" not in answer
    assert yamada.get("/inquiries?product=erp").status_code == 422


def test_a_brand_offers_the_ways_in_that_it_has(yamada, visit):
    """COM-03: no chat and mail to search for at a facility, no product, and no mails that are never sent."""
    desk = yamada.get("/inquiries").text
    assert options(desk, "channel") == ["", "web", "chat", "mail"]
    facility = visit("facility", "hanako")
    page = facility.get("/inquiries").text
    assert (options(page, "channel"), options(page, "product")) == (["", "web", "operator"], [])
    kinds = r'name="(status|reminders|inquiries)"'
    assert set(re.findall(kinds, yamada.get("/account/mail").text)) == {"inquiries"}
    assert set(re.findall(kinds, facility.get("/account/mail").text)) == {
        "status",
        "reminders",
        "inquiries",
    }


def test_the_labels_are_the_sources(yamada, visit):
    """SUP-10, SUP-13, FAC-07: as the brands' customers know them."""
    home = yamada.get("/").text
    for word in ("Webから問い合わせ", "チャットで問い合わせ", "マイアクティビティ"):
        assert word in home
    assert home.index("ナレッジから探す") < home.index("問い合わせる</h2>")
    assert home.index("問い合わせる</h2>") < home.index("未完了のお問い合わせ</h2>")
    assert home.index("未完了のお問い合わせ</h2>") < home.index("お知らせ</h2>")
    assert home.count('href="/inquiries/IQ0000000') == 2
    facility = visit("facility", "hanako")
    for path, word in (
        ("/account/members", "担当者の一覧</h2>"),
        ("/account/members/new", "担当者の情報</h1>"),
        ("/billing-addresses", "請求書送付先の一覧</h2>"),
        ("/billing-addresses/new", "請求書送付先の情報</h1>"),
    ):
        assert word in facility.get(path).text, path


def test_a_contract_without_contacts_says_so(app, visit, inside):
    """SUP-01: who has an account and no registration reads that, too."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    hashed = passwords.hash_password(PASSWORD)
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="二番")
        contracts.add_contract(tenant, account, "manage", date(2022, 9, 1), by=SYSTEM)
        person = Person("鈴木", "一", "suzuki@two.example", is_representative=True)
        accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        session().commit()
        assert queries.main_contacts(account.id)[0][1] == ""
    visitor = visit("desk")
    visitor.post("/sign-in", {"email": "suzuki@two.example", "password": PASSWORD})
    assert "未登録" in visitor.get("/inquiries/new").text
