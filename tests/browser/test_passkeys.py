"""The whole ceremony in Chromium, with its virtual authenticator (COM-13, security.md §4.16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from portal.settings import ROOT, Settings
from tests.browser.conftest import Address, serve
from tests.browser.test_pages import faults
from tests.cast import PASSWORD
from tests.support.browser import DESKTOP, PHONE, PageFor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PAGE = "/account/passkeys"


@pytest.fixture(scope="module")
def address(
    drawn_template: Path,
    make_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Address]:
    """A portal whose brand "facility" lets passkeys in alone, and "studio" in place of the code."""
    brands = (ROOT / "tests" / "tenants.toml").read_text(encoding="utf-8")
    for rule in ("sign_in", "second_step"):
        brands = brands.replace(
            'forgot = "operator" }', f'forgot = "operator", passkeys = "{rule}" }}', 1
        )
    file = tmp_path_factory.mktemp("brands") / "tenants.toml"
    file.write_text(brands, encoding="utf-8")
    with serve(drawn_template, make_settings, tmp_path_factory, tenants_file=file) as where:
        yield where


@pytest.fixture
def phone(page_for: PageFor) -> Callable[..., Page]:
    """A page in a browser with an authenticator that knows its person."""

    def make(width: int = DESKTOP, **options: Any) -> Page:
        page = page_for(width, **options)
        page.set_default_timeout(8000)
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        kind = {"protocol": "ctap2", "transport": "internal", "automaticPresenceSimulation": True}
        able = {"hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
        session.send("WebAuthn.addVirtualAuthenticator", {"options": kind | able})
        return page

    return make


def sign_in(page: Page, base: str, login_id: str = "hanako") -> None:
    """With the password."""
    page.goto(base + "/sign-in")
    page.fill("[name=login_id]", login_id)
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="ログイン", exact=True).click()


def sign_out(page: Page) -> None:
    page.get_by_role("banner").get_by_role("button", name="ログアウト").click()
    page.wait_for_url("**/sign-in")


def add(page: Page, base: str, name: str) -> None:
    """Register a passkey on the page for it."""
    page.goto(base + PAGE)
    page.get_by_label("パスキーの名前").fill(name)
    page.get_by_role("button", name="パスキーを追加する").click()
    expect(page.get_by_text("パスキーを登録しました。")).to_be_visible()


def test_registering_signing_in_without_a_password_and_removing(
    phone: Callable[..., Page], address: Address
) -> None:
    """COM-13: from the first passkey to none; the same device is not asked to make a second."""
    page, base = phone(), address("facility")
    sign_in(page, base)
    page.wait_for_url(base + "/")
    add(page, base, "会社のパソコン")
    expect(page.get_by_role("cell", name="会社のパソコン", exact=True)).to_be_visible()
    page.get_by_label("パスキーの名前").fill("もう一つ")
    page.get_by_role("button", name="パスキーを追加する").click()
    expect(page.get_by_role("alert")).to_have_text(
        "パスキーを利用できませんでした。もう一度お試しください。"
    )
    sign_out(page)
    page.goto(base + "/sign-in?next=/facility/reservations")
    page.get_by_role("button", name="パスキーでログイン").click()
    page.wait_for_url(base + "/facility/reservations")
    page.goto(base + PAGE)
    assert faults(page) == []
    page.get_by_role("button", name="会社のパソコン").click()
    expect(page.get_by_text("登録されているパスキーはありません。")).to_be_visible()
    sign_out(page)
    page.get_by_role("button", name="パスキーでログイン").click()
    expect(page.get_by_text("入力内容に誤りがあります。")).to_be_visible()
    assert faults(page) == []


def test_answering_the_second_step(phone: Callable[..., Page], address: Address) -> None:
    """COM-13, RENT-05: instead of the mailed code."""
    page, base = phone(), address("studio")
    sign_in(page, base)
    page.wait_for_url(base + "/")
    add(page, base, "会社のパソコン")
    page.goto(base + "/account/second-factor")
    page.get_by_label("利用する（メールで認証コードを受け取る）").check()
    page.get_by_label("現在のパスワード").fill(PASSWORD)
    page.get_by_role("button", name="変更する").click()
    sign_out(page)
    expect(page.get_by_role("button", name="パスキーでログイン")).to_have_count(0)
    sign_in(page, base)
    expect(page.get_by_role("button", name="認証する", exact=True)).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="パスキーで認証する").click()
    page.wait_for_url(base + "/")
    expect(page.get_by_role("banner").get_by_role("button", name="ログアウト")).to_be_visible()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_page_is_without_fault(
    phone: Callable[..., Page], address: Address, width: int
) -> None:
    """COM-13: empty, and with a passkey of a long name."""
    page, base = phone(width), address("facility")
    sign_in(page, base, "kenichi" if width == PHONE else "yumi")
    page.wait_for_url(base + "/")
    page.goto(base + PAGE)
    wrong = faults(page)
    add(page, base, "本社三階の共用パソコン（ウィンドウズ）の指紋認証")
    assert wrong + faults(page) == []


def test_without_scripts_nothing_is_offered_that_does_nothing(
    page_for: PageFor, address: Address
) -> None:
    """COM-25: the password still lets in, and the page says why nothing can be added."""
    page, base = page_for(javascript=False), address("facility")
    page.goto(base + "/sign-in")
    expect(page.get_by_role("button", name="パスキーでログイン")).to_be_hidden()
    sign_in(page, base)
    page.goto(base + PAGE)
    expect(page.get_by_role("button", name="パスキーを追加する")).to_be_hidden()
    expect(page.get_by_text("JavaScriptを有効にしてください。")).to_be_visible()
