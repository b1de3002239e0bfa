"""Every button that the facility brand's own guide names, pressed by its label: as representative and as an ordinary
contact person, with scripts and without, at 1280 and 390 px (FAC-01 … FAC-12)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Served, SignedIn
from tests.support.browser import DESKTOP, PHONE

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
WALKS = [
    pytest.param(
        login, width, javascript, id=f"{login}-{width}-{'scripts' if javascript else 'plain'}"
    )
    for login in ("hanako", "kenichi")
    for width in (DESKTOP, PHONE)
    for javascript in (True, False)
    if login == "hanako"
    or javascript == (width == PHONE)  # the ordinary one once each way: minutes count
]
TUESDAY = date(2026, 12, 8)
LOGINS = count(1)


class Walk:
    """A person at the facility brand, who finds things by their labels."""

    def __init__(self, page: Page, served: Served, is_narrow: bool) -> None:
        self.page, self.served, self.is_narrow = page, served, is_narrow

    def go(self, label: str) -> None:
        """Through the menu, as the width has it."""
        if self.is_narrow:
            self.page.locator("details.more summary").click()
            self.page.locator(".sheet").get_by_role("link", name=label, exact=True).click()
        else:
            menu = self.page.get_by_role("navigation", name="メインメニュー")
            menu.get_by_role("link", name=label, exact=True).click()
        self.page.wait_for_load_state()

    def press(self, label: str) -> None:
        """A button."""
        self.page.locator("main").get_by_role("button", name=label, exact=True).click()
        self.page.wait_for_load_state()

    def follow(self, label: str, nth: int = 0) -> None:
        """A link, whatever is read out behind its label."""
        self.page.locator("main").get_by_role("link", name=label).nth(nth).click()
        self.page.wait_for_load_state()

    def choose_category(self, label: str) -> None:
        """お問い合わせ区分: at once with scripts, by a button without."""
        self.page.get_by_label(label).check()
        button = self.page.get_by_role("button", name="区分を変更")
        if button.is_visible():
            button.click()
        expect(self.page.get_by_label(label)).to_be_checked()
        self.page.wait_for_load_state("networkidle")

    def sees(self, *words: str) -> None:
        for word in words:
            expect(self.page.locator("main")).to_contain_text(word)

    def is_at(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def download(self, label: str) -> bytes:
        with self.page.expect_download() as found:
            self.page.locator("main").get_by_role("link", name=label).click()
        return found.value.path().read_bytes()

    def ask(self, **typed: str) -> str:
        """入力 → 内容確認 → 戻る → 内容確認 → 完了 of an inquiry; its number."""
        for name, value in typed.items():
            self.page.locator(f"[name={name}]").fill(value)
        self.page.get_by_label("お問い合わせ内容").fill("よろしくお願いします。")
        self.page.get_by_label("プライバシーポリシーに同意する").check()
        self.press("入力内容を確認する")
        self.follow("戻る")
        expect(self.page.get_by_label("お問い合わせ内容")).to_have_value("よろしくお願いします。")
        self.press("入力内容を確認する")
        self.press("送信する")
        self.is_at("お問い合わせを受け付けました")
        number = re.search(r"[A-Z]+\d{4,}", self.page.locator("main").inner_text())
        assert number
        return number[0]


@pytest.fixture
def walk(signed_in: SignedIn, address: Any) -> Any:
    def begin(login: str, width: int, javascript: bool) -> Walk:
        page = signed_in("facility", login, width=width, javascript=javascript)
        return Walk(page, address, width == PHONE)

    return begin


@pytest.mark.parametrize(("login", "width", "javascript"), WALKS)
def test_reservations_from_booking_to_what_became_of_them(walk, login, width, javascript):
    """FAC-01 … FAC-06, FAC-11, FAC-12: booked, changed by an operator, cancelled with its charge; two PDFs."""
    w: Walk = walk(login, width, javascript)
    turn = [p.values for p in WALKS].index((login, width, javascript))
    w.follow("お知らせ一覧を見る")
    w.go("ご利用履歴")
    w.page.get_by_label("予約番号").fill("FR000002")
    w.page.get_by_label("ステータス").select_option(label="請求確定")
    w.page.get_by_label("設備予約情報").fill("レーザー")
    w.page.get_by_label("表示順").select_option(label="予約完了日が古い")
    w.press("検索")
    expect(w.page.get_by_role("status")).to_contain_text("全1件中")
    w.follow("FR000002")
    w.sees(
        "ご予約情報",
        "ご利用情報",
        "お支払情報",
        "お支払期限",
        "ご請求金額",
        "お支払い状況",
        "帳票発行",
        "関連情報",
    )
    papers = [w.download(f"{name}発行") for name in ("作業完了報告書", "請求書")]
    assert all(paper.startswith(b"%PDF-") for paper in papers)
    assert papers[0] != papers[1]
    w.go("ご利用履歴")
    w.page.get_by_label("表示順").select_option(label="予約完了日が新しい")
    w.press("検索")
    w.follow("リセット")

    number = _book(w, TUESDAY + timedelta(days=7 * turn))
    w.follow("ご予約を見る")
    w.is_at(f"ご予約 {number}")
    w.follow("変更申込フォーム")
    expect(w.page.get_by_label("予約番号")).to_have_value(number)
    inquiry = w.ask(f_day="2026-12-10", f_what="翌日に変更したいです。")
    _operator_changes(w, number, inquiry, TUESDAY + timedelta(days=7 * turn + 1))
    w.go("ご利用履歴")
    w.follow(number)
    w.sees("コンタクト履歴", "未読", "13:00〜15:00")
    w.follow("予約内容の変更を希望")
    w.sees("翌日の13時からに変更しました。")
    w.page.get_by_label("メッセージ").fill("ありがとうございます。")
    w.press("送信する")
    w.sees("ありがとうございます。")
    w.go("ご利用履歴")
    w.follow(number)
    w.follow("新しいメッセージを作成")
    w.ask()
    w.go("ご利用履歴")
    w.follow(number)
    w.follow("キャンセル申込フォーム")
    w.ask(f_reason="都合により")
    assert "キャンセル ¥4,500" in w.served.operate("facility", "cancel", number, "--charge", "4500")
    w.go("ご利用履歴")
    w.follow(number)
    w.sees("キャンセル日時", "¥4,500", "お支払い待ち", "ご利用前のご予約に限り")


def _book(w: Walk, day: date) -> str:
    w.go("設備のご予約")
    w.follow("空き状況を見る")
    w.page.goto(f"{w.served('facility')}/facility/facilities/LC-01?week={day}")
    w.page.locator(f"td a[href*='day={day}'][href*='starts=10:00']").click()
    w.page.get_by_label("終了時刻").select_option("12:00")
    w.page.get_by_label("ご利用目的").fill("試作")
    w.page.get_by_label("集塵機").check()
    w.press("入力内容を確認する")
    w.sees("10:00〜12:00", "¥9,000", "集塵機")
    w.follow("戻る")
    expect(w.page.get_by_label("集塵機")).to_be_checked()
    w.press("入力内容を確認する")
    w.press("予約を申し込む")
    w.is_at("ご予約を受け付けました")
    found = re.search(r"FR\d{6}", w.page.locator("main").inner_text())
    assert found
    return found[0]


def _operator_changes(w: Walk, number: str, inquiry: str, day: date) -> None:
    """An operator finds the request, moves the reservation, confirms it, answers."""
    assert inquiry in w.served.operate("inquiries", "list")
    w.served.operate("facility", "reschedule", number, f"{day}T13:00", f"{day}T15:00")
    w.served.operate("facility", "confirm", number)
    w.served.operate("inquiries", "answer", inquiry, "--text", "翌日の13時からに変更しました。")


@pytest.mark.parametrize(("login", "width", "javascript"), WALKS)
def test_members_addresses_and_questions(walk, login, width, javascript):
    """FAC-01, FAC-07 … FAC-09: what each may, and what an ordinary contact person is refused with its reason."""
    w: Walk = walk(login, width, javascript)
    is_representative = login == "hanako"
    w.go("会員情報の変更")
    if is_representative:
        for label, value in (
            ("市区町村", "港区"),
            ("町名・番地", "芝1-1"),
            ("郵便番号", "１０５ー００１４"),
        ):
            w.page.get_by_label(label).fill(value)
        w.page.get_by_label("都道府県").select_option("東京都")
        expect(w.page.get_by_role("link", name="会員の退会")).to_be_visible()
    w.page.get_by_label("部署名").fill("製造部")
    w.press("入力内容を確認する")
    w.press("保存")
    w.is_at("会員情報の変更が完了しました")
    w.go("会員情報の変更")
    w.follow("パスワードを変更する")
    w.is_at("パスワードの変更")

    w.go("担当者の管理")
    w.sees("（代表）")
    if is_representative:
        _add_and_remove_a_member(w)
    else:
        off = w.page.get_by_role("button", name="新しく登録する")
        expect(off).to_have_accessible_description(
            "追加・削除は、代表の方と権限のある方だけが行えます。"
        )

    w.go("請求書送付先の管理")
    w.follow("新しく登録する")
    typed = {
        "会社名・お名前": "経理部",
        "郵便番号": "1050014",
        "市区町村": "港区",
        "町名・番地": "芝1-1",
    }
    for label, value in typed.items():
        w.page.get_by_label(label).fill(value)
    w.page.get_by_label("都道府県").select_option("東京都")
    w.press("入力内容を確認する")
    w.press("登録する")
    w.go("請求書送付先の管理")
    w.follow("経理部")
    w.follow("請求書送付先情報を削除する")
    w.press("削除する")

    w.go("お問い合わせ")
    for label in ("予約内容の変更を希望", "予約のキャンセルを希望", "その他お問合せ"):
        w.choose_category(label)
    w.ask()


def _add_and_remove_a_member(w: Walk) -> None:
    w.follow("新しく登録する")
    login = f"kato-{next(LOGINS)}"
    for name, value in (("family_name", "加藤"), ("given_name", "光"), ("login_id", login)):
        w.page.locator(f"[name={name}]").fill(value)
    w.page.get_by_label("メールアドレス").fill(f"{login}@one.example")
    w.press("入力内容を確認する")
    w.press("登録")
    w.is_at("登録が完了しました")
    w.go("担当者の管理")
    w.follow("加藤 光")
    w.page.get_by_label("部署名").fill("営業部")
    w.press("入力内容を確認する")
    w.press("登録")
    w.go("担当者の管理")
    w.follow("加藤 光")
    w.follow("担当者情報を削除する")
    w.press("削除する")
    expect(w.page.locator("main")).not_to_contain_text("加藤")


def test_the_charge_follows_the_reservation_that_is_chosen(walk):
    """FAC-05: with scripts, at once; the form opens at one reservation and asks about another."""
    w: Walk = walk("hanako", DESKTOP, True)
    first, second = (_book(w, date(2027, 4, 6) + timedelta(days=7 * n)) for n in range(2))
    w.page.goto(f"{w.served('facility')}/inquiries/new?category=cancel&about={first}")
    chosen = w.page.locator("#category-fields dl")
    expect(chosen).to_contain_text(first)
    w.page.get_by_label("予約番号").select_option(second)
    expect(chosen).to_contain_text(second)
    expect(chosen).not_to_contain_text(first)
    w.page.get_by_label("予約番号").select_option(first)
    expect(chosen).to_contain_text(first)
