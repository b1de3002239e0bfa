"""One my page with two modules, walked at 1280 and 390 px: both lists, a reservation made, a contact edited, the
calendar, and an inquiry about each (OPS-01, COM-20)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from portal.blueprints.facility.models import Facility
from portal.blueprints.support import operations as support
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from tests.browser.conftest import Served, serve
from tests.cast import NOW, PASSWORD
from tests.support.browser import DESKTOP, PHONE, PageFor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
DAY = date(2026, 12, 8)
CONTRACT = "CT00000001"
DEPUTY = "ito@one.example"


def _fill(served: Served) -> None:
    """An account with a machine to reserve and a contract with two contacts."""
    app = served.app
    with app.app_context(), tenant_scope("works"), clock.freeze(NOW):
        tenant = app.extensions["tenants"].current().by_key["works"]
        account = accounts.add_account(tenant, by=SYSTEM, name="株式会社二つ")
        person = Person("山田", "花子", "yamada@one.example", is_representative=True)
        accounts.add_member(tenant, account, person, by=SYSTEM)
        session().add(
            Facility(code="LC-01", name="レーザー加工機", hourly_price=4500, daily_price=28000)
        )
        contract = support.add_contract(tenant, account, "machine", date(2026, 4, 1), by=SYSTEM)
        people = [
            Registrant("山田", "花子", "yamada@one.example"),
            Registrant("伊藤", "健", DEPUTY),
        ]
        support.register(tenant, contract, people, by=SYSTEM)
        for member in session().query(Member):
            member.password_hash = passwords.hash_password(PASSWORD)
        session().commit()


@pytest.fixture(scope="module")
def works(drawn_template, make_settings, tmp_path_factory) -> Iterator[Served]:
    """The portal that has it."""
    with serve(drawn_template, make_settings, tmp_path_factory) as served:
        assert isinstance(served, Served)
        _fill(served)
        yield served


def _go(page: Page, label: str, *, is_narrow: bool) -> None:
    """Through the menu, as the width has it."""
    if is_narrow:
        page.locator("details.more summary").click()
        page.locator(".sheet").get_by_role("link", name=label, exact=True).click()
    else:
        menu = page.get_by_role("navigation", name="メインメニュー")
        menu.get_by_role("link", name=label, exact=True).click()
    page.wait_for_load_state("networkidle")


def _press(page: Page, label: str) -> None:
    page.locator("main").get_by_role("button", name=label, exact=True).click()
    page.wait_for_load_state("networkidle")


def _is_at(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def _is_no_wider_than_the_screen(page: Page) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wider, page.url


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_both_modules_are_walked_through(works: Served, page_for: PageFor, width: int) -> None:
    """OPS-01, COM-20, COM-21, FAC-11, SUP-05, COM-50"""
    page = page_for(width)
    page.set_default_timeout(15_000)
    is_narrow = width == PHONE
    page.goto(works("works") + "/sign-in")
    page.get_by_label("メールアドレス").fill("yamada@one.example")
    page.get_by_label("パスワード").fill(PASSWORD)
    _press(page, "ログイン")
    _is_at(page, "株式会社二つ様のマイページ")
    for heading in ("ご利用履歴の一覧", "ご契約と担当者"):
        expect(page.get_by_role("heading", level=2, name=heading)).to_be_visible()
    _is_no_wider_than_the_screen(page)

    number = _reserve(page, width, is_narrow=is_narrow)
    _go(page, "ご利用履歴", is_narrow=is_narrow)
    expect(page.get_by_role("link", name=number)).to_be_visible()
    _edit_contact(page, width, is_narrow=is_narrow)
    _make_feeds(page, is_narrow=is_narrow)
    _ask(page, "予約内容の変更を希望", "予約番号", number, is_narrow=is_narrow)
    _ask(page, "工作機の不具合", "契約番号", CONTRACT, is_narrow=is_narrow)
    _go(page, "マイアクティビティ", is_narrow=is_narrow)
    for about in (number, CONTRACT):
        expect(page.get_by_role("cell", name=about).first).to_be_visible()
    _is_no_wider_than_the_screen(page)


def _reserve(page: Page, width: int, *, is_narrow: bool) -> str:
    """A use of the machine, at another time for each width; its number."""
    _go(page, "設備のご予約", is_narrow=is_narrow)
    page.get_by_role("link", name="空き状況を見る").click()
    page.goto(
        f"{page.url.partition('?')[0]}/reservation?day={DAY}&starts={'10' if is_narrow else '14'}:00"
    )
    page.get_by_label("終了").select_option("12:00" if is_narrow else "16:00")
    page.get_by_label("ご利用目的").fill(f"試作 {width}")
    _press(page, "入力内容を確認する")
    _press(page, "予約を申し込む")
    _is_at(page, "ご予約を受け付けました")
    return page.locator("dl.rows dd").first.inner_text()


def _edit_contact(page: Page, width: int, *, is_narrow: bool) -> None:
    """The deputy's name, by the 主担当."""
    _go(page, "ご契約と担当者", is_narrow=is_narrow)
    page.get_by_role("link", name=CONTRACT).click()
    row = page.get_by_role("row").filter(has_text=DEPUTY)
    row.get_by_role("link", name="変更する").click()
    page.wait_for_load_state("networkidle")
    page.locator("[name=given_name]").fill(f"健{width}")
    page.get_by_label("個人情報の利用目的に同意する").check()
    _press(page, "入力内容を確認する")
    page.locator("main form button").last.click()
    _is_at(page, "担当者の情報を変更しました")


def _make_feeds(page: Page, *, is_narrow: bool) -> None:
    """カレンダー連携."""
    _go(page, "設備のご予約", is_narrow=is_narrow)
    page.get_by_role("link", name="カレンダー連携").click()
    page.wait_for_load_state("networkidle")
    page.locator("main form button").first.click()
    address = page.get_by_label("カレンダーのアドレス（ご予約）")
    assert "/calendar/facility/" in address.input_value()


def _ask(page: Page, category: str, label: str, number: str, *, is_narrow: bool) -> None:
    """An inquiry of a module's own category, about one of its numbers."""
    _go(page, "お問い合わせ", is_narrow=is_narrow)
    page.get_by_label(category).check()
    page.wait_for_load_state("networkidle")
    about = page.get_by_label(label)
    about.select_option(number)
    page.wait_for_load_state("networkidle")
    if page.get_by_label("ご希望日").count():
        page.get_by_label("ご希望日").fill("2026-12-15")
    page.get_by_label("お問い合わせ内容").fill("よろしくお願いします。")
    page.get_by_label("プライバシーポリシーに同意する").check()
    _press(page, "入力内容を確認する")
    _press(page, "送信する")
    _is_at(page, "お問い合わせを受け付けました")
