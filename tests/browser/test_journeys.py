"""What a member does, from coming in to going out, with scripts and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Address, SignedIn
from tests.cast import PASSWORD
from tests.support.browser import PHONE, PageFor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
both = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "plain"])


@both
def test_from_sign_in_to_one_reservation_and_back(
    signed_in: SignedIn, address: Address, javascript: bool
) -> None:
    """COM-10, COM-21, FAC-01, FAC-02, FAC-03: the address always tells what is shown."""
    page = signed_in(javascript=javascript)
    page.get_by_role("navigation", name="メインメニュー").get_by_role(
        "link", name="ご利用履歴"
    ).click()
    expect(page.get_by_role("status")).to_contain_text("全3件中")
    page.get_by_label("予約番号").fill("FR000002")
    page.get_by_role("button", name="検索").click()
    expect(page.get_by_role("status")).to_contain_text("全1件中")
    expect(page).to_have_url(re.compile(r"/facility/reservations\?.*number=FR000002"))
    page.get_by_role("link", name="FR000002").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ご予約 FR000002")
    page.go_back()
    expect(page.get_by_label("予約番号")).to_have_value("FR000002")
    expect(page.get_by_role("status")).to_contain_text("全1件中")
    page.get_by_role("link", name="リセット").click()
    expect(page.get_by_role("status")).to_contain_text("全3件中")


@both
def test_a_search_that_cannot_be_says_why(
    signed_in: SignedIn, address: Address, javascript: bool
) -> None:
    """COM-23, FAC-02: with scripts the list alone is replaced, never the page put inside it."""
    page = signed_in(javascript=javascript)
    page.goto(address("facility") + "/facility/reservations")
    page.get_by_label("ご利用日（開始）").fill("2026-11-20")
    page.get_by_label("ご利用日（終了）").fill("2026-11-01")
    page.get_by_role("button", name="検索").click()
    expect(page.get_by_role("alert").filter(has_text="終了日は")).to_be_visible()
    expect(page.locator("main")).to_have_count(1)
    expect(page.get_by_label("ご利用日（開始）")).to_have_value("2026-11-20")


@both
def test_an_invoice_is_downloaded(signed_in: SignedIn, address: Address, javascript: bool) -> None:
    """FAC-04"""
    page = signed_in(javascript=javascript)
    page.goto(address("facility") + "/facility/reservations/FR000002")
    with page.expect_download() as download:
        page.get_by_role("link", name="請求書発行").click()
    assert download.value.suggested_filename.endswith(".pdf")
    assert download.value.path().read_bytes().startswith(b"%PDF-")


def test_a_refused_document_says_when_it_can_be_had(signed_in: SignedIn, address: Address) -> None:
    """FAC-04: the button is off, reachable by keyboard, and described by its reason."""
    page = signed_in()
    page.goto(address("facility") + "/facility/reservations/FR000001")
    button = page.get_by_role("button", name="請求書発行")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(
        "ご利用後、ご請求金額が確定するとダウンロードできます。"
    )


@both
def test_a_profile_is_changed_in_three_steps(
    signed_in: SignedIn, address: Address, javascript: bool
) -> None:
    """COM-22, FAC-07: back keeps what was typed; done is done once."""
    page = signed_in(javascript=javascript)
    page.goto(address("facility") + "/account/profile")
    _complete_profile(page)
    page.get_by_label("部署名").fill("製造部")
    page.get_by_role("button", name="入力内容を確認する").click()
    expect(page.locator("[aria-current=step]")).to_contain_text("内容確認")
    page.get_by_role("link", name="戻る", exact=True).click()
    expect(page.get_by_label("部署名")).to_have_value("製造部")
    page.get_by_role("button", name="入力内容を確認する").click()
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("会員情報の変更が完了しました")
    page.goto(address("facility") + "/account/profile")
    expect(page.get_by_label("部署名")).to_have_value("製造部")


def _complete_profile(page: Page) -> None:
    """The cast's account has no address yet."""
    page.get_by_label("郵便番号").fill("１４４－００３５")
    page.get_by_label("都道府県").select_option("東京都")
    page.get_by_label("市区町村").fill("大田区")
    page.get_by_label("町名・番地").fill("南蒲田9-99-1")
    page.get_by_label("代表電話番号").fill("0300001001")


def test_a_wrong_profile_moves_to_the_summary(signed_in: SignedIn, address: Address) -> None:
    """COM-23: the summary has the focus and leads to the field."""
    page = signed_in()
    page.goto(address("facility") + "/account/profile")
    _complete_profile(page)
    page.get_by_label("郵便番号").fill("12")
    page.get_by_role("button", name="入力内容を確認する").click()
    expect(page.locator(".summary")).to_be_focused()
    page.get_by_role("link", name=re.compile("郵便番号")).click()
    expect(page.get_by_label("郵便番号")).to_be_focused()


@both
def test_the_language_is_switched_and_stays(
    signed_in: SignedIn, address: Address, javascript: bool
) -> None:
    page = signed_in(javascript=javascript)
    page.goto(address("facility") + "/notices")
    page.get_by_role("button", name="English").click()
    expect(page).to_have_url(re.compile("/notices$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("All notices")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("お知らせ一覧")


def test_signing_in_and_searching_needs_no_mouse(address: Address, page_for: PageFor) -> None:
    """COM-10, COM-21: Tab, Enter and typing are enough; the first Tab offers to skip to the content."""
    page = page_for()
    page.goto(address("facility") + "/sign-in?next=/facility/reservations")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="本文へ移動")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("ログインID")).to_be_focused()
    page.keyboard.type("hanako")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/facility/reservations(#main)?$"))
    page.get_by_role("link", name="本文へ移動").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("予約番号")).to_be_focused()
    page.keyboard.type("FR000003")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("全1件中")
    expect(page.get_by_label("予約番号")).to_be_focused()


def test_the_phones_menu_opens_and_closes_by_keyboard(signed_in: SignedIn) -> None:
    page = signed_in(width=PHONE)
    menu = page.locator("details.more")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="担当者の管理")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="担当者の管理")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_a_first_page_is_at_most_four_requests(address: Address, page_for: PageFor) -> None:
    """ui.md: the page, one style sheet, one script, the icons."""
    page = page_for()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address("facility") + "/sign-in", wait_until="networkidle")
    assert len(set(asked)) <= 4, asked


def test_a_long_text_is_counted_near_its_limit_and_never_cut_off(
    signed_in: SignedIn, address: Address
) -> None:
    """COM-23: nothing is said of a short one; what is pasted arrives whole, and the page says how long it is."""
    page = signed_in(javascript=True)
    page.goto(address("facility") + "/inquiries/new")
    body = page.get_by_label("お問い合わせ内容")
    counter = page.locator('[data-counter="body"]')
    body.fill("短い")
    page.wait_for_timeout(700)
    expect(counter).to_be_empty()
    body.fill("😀" * 9_500)
    expect(counter).to_have_text("9,500 / 10,000文字")
    body.fill("あ" * 12_000)
    expect(counter).to_have_text("12,000 / 10,000文字")
    page.get_by_role("button", name="入力内容を確認する").click()
    expect(page.get_by_role("alert").first).to_contain_text(
        "10,000文字以内で入力してください（現在12,000文字）。"
    )
    assert len(body.input_value()) == 12_000
