"""Every way in and out at the six demo brands, with scripts and without (COM-10 … COM-16)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from http.client import HTTPConnection
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Page, expect

from demo import people as demo
from portal import create_app
from portal.core import clock, migrate
from portal.core.actor import SYSTEM
from portal.core.db import db, session, tenant_scope
from portal.settings import ROOT, Settings
from portal.shared.accounts import operations as accounts
from portal.shared.auth import operator_actions
from tests.browser.conftest import Address, serve
from tests.browser.test_pages import faults
from tests.cast import NOW
from tests.support.browser import PHONE, PageFor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
both = pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "plain"])
BRANDS = ("facility", "studio", "molds", "rental", "shop", "support", "workshop")
ITEMS = {
    "facility": {"ログインID": "yoshida"},
    "studio": {"ログインID": "yoshida"},
    "molds": {"メールアドレス": "yoshida@takasaki-seiki.example"},
    "rental": {"ログインID": "yoshida", "メールアドレス": "yoshida@takasaki-seiki.example"},
    "shop": {"メールアドレス": "yoshida@takasaki-seiki.example"},
    "support": {"メールアドレス": "yoshida@takasaki-seiki.example"},
    "workshop": {"メールアドレス": "yoshida@takasaki-seiki.example"},
}
"""What each brand's source says is asked for, in its order."""
TANAKA = "tanaka@takasaki-seiki.example"
"""At "rental" an operator has asked this member for a new password."""
WRONG = "入力内容に誤りがあります。もう一度ご確認ください。"


@pytest.fixture(scope="module")
def demo_home(
    make_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
    cheap_passwords: None,
) -> Path:
    """A home folder with the people of the demo in all six brands."""
    home = tmp_path_factory.mktemp("demo")
    url = f"sqlite:///{home / 'portal.sqlite3'}"
    migrate.upgrade(ROOT / "migrations", url)
    app = create_app(make_settings(url, home=home, tenants_file=ROOT / "tenants.toml"))
    with app.app_context(), clock.freeze(NOW):
        for key, tenant in app.extensions["tenants"].current().by_key.items():
            with tenant_scope(key):
                demo.fill(tenant)
                if key == "rental":
                    operator_actions.require_change(accounts.find_member(TANAKA), by=SYSTEM)
                session().commit()
        db.session.remove()
        db.engine.dispose()
    return home


@pytest.fixture
def address(
    demo_home: Path,
    make_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Address]:
    """The six brands as the demo shows them, its mailbox with them."""
    brands = ROOT / "tenants.toml"
    with serve(demo_home, make_settings, tmp_path_factory, tenants_file=brands, demo=True) as where:
        yield where


@pytest.fixture
def visitor(page_for: PageFor) -> Callable[..., Page]:
    """A browser of its own."""

    def make(**options: object) -> Page:
        page = page_for(**options)
        page.set_default_timeout(8000)
        return page

    return make


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def sign_in(page: Page, base: str, brand: str, password: str = demo.PASSWORD, **other: str) -> None:
    page.goto(base + "/sign-in")
    for label, value in (ITEMS[brand] | other).items():
        page.get_by_label(label, exact=False).first.fill(value)
    page.get_by_label("パスワード").first.fill(password)
    press(page, "ログイン")


def arrived(page: Page) -> None:
    # Each brand's own word for it (Brand.words).
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text(re.compile("様の(マイページ|My Account)"))


def mails(page: Page, base: str) -> list[tuple[str, str]]:
    """Subject and text of the brand's mails, the newest first, as its mailbox shows them."""
    del page
    listed = _read(base, "/demo/mailbox")
    found = re.findall(r'<a href="(/demo/mailbox/\d+)">([^<]+)</a>', listed)
    return [(unescape(subject), _text(_read(base, href))) for href, subject in found]


def _read(base: str, path: str) -> str:
    """A page of the brand, read without the browser, which is busy with another."""
    host = base.removeprefix("http://")
    asked = HTTPConnection("127.0.0.1", int(host.rpartition(":")[2]))
    asked.request("GET", path, headers={"Host": host})
    text = asked.getresponse().read().decode()
    asked.close()
    return text


def _text(html: str) -> str:
    body = re.search(r'<pre class="mail">(.*?)</pre>', html, re.DOTALL)
    assert body
    return unescape(re.sub(r"<[^>]+>", "", body[1]))


def mailed(page: Page, base: str, subject: str, path: str) -> str:
    """The newest mailed link under `path`."""
    text = next(text for title, text in mails(page, base) if subject in title)
    found = re.search(rf"{re.escape(base)}{path}/\S+", text)
    assert found, text
    return found[0]


def code_of(page: Page, base: str) -> str:
    """The newest mailed code."""
    text = next(text for title, text in mails(page, base) if "認証コード" in title)
    found = re.search(r"\b\d{6}\b", text)
    assert found, text
    return found[0]


@both
@pytest.mark.parametrize("brand", BRANDS)
def test_each_brand_asks_for_its_items_and_no_others(
    visitor: Callable[..., Page], address: Address, brand: str, javascript: bool
) -> None:
    """COM-10, RENT-01: one wrong item, one message, everything but the password kept; then in, and out."""
    page, base = visitor(javascript=javascript), address(brand)
    page.goto(base + "/sign-in")
    labels = [
        re.sub(r"\s*必須$", "", text)
        for text in page.locator("main .field > label").all_inner_texts()
    ]
    assert labels == [*ITEMS[brand], "パスワード"]
    for label in (*ITEMS[brand], "パスワード"):
        wrong = {label: f"x{ITEMS[brand].get(label, '')}"}
        given = {name: value for name, value in wrong.items() if name != "パスワード"}
        sign_in(
            page,
            base,
            brand,
            password="wrong-word-71" if label == "パスワード" else demo.PASSWORD,
            **given,
        )
        expect(page.get_by_role("alert").first).to_contain_text(WRONG)
        expect(page.get_by_label("パスワード").first).to_have_value("")
        for name, value in (ITEMS[brand] | given).items():
            expect(page.get_by_label(name).first).to_have_value(value)
    sign_in(page, base, brand)
    arrived(page)
    page.goto(base + "/account/members")
    expect(page.get_by_role("heading", level=1)).to_contain_text("管理")
    page.get_by_role("banner").get_by_role("button").click()
    expect(page).to_have_url(re.compile("/sign-in$"))
    page.goto(base + "/account/members")
    expect(page).to_have_url(re.compile("/sign-in"))


@both
@pytest.mark.parametrize(
    ("brand", "fields"),
    [
        ("molds", {"メールアドレス": "ｙｏｓｈｉｄａ@takasaki-seiki.example"}),
        (
            "shop",
            {
                "メールアドレス": "yoshida@takasaki-seiki.example",
                "ご連絡先電話番号": "０３－００００－１００１",
            },
        ),
        (
            "rental",
            {
                "ログインID": "yoshida",
                "メールアドレス": "yoshida@takasaki-seiki.example",
                "ご連絡先電話番号": "0300001001",
            },
        ),
    ],
)
def test_a_forgotten_password_is_set_anew(
    visitor: Callable[..., Page],
    address: Address,
    brand: str,
    fields: dict[str, str],
    javascript: bool,
) -> None:
    """COM-12, RENT-06, SHOP-02: full-width digits and hyphens are forgiven; looking at the link changes nothing."""
    page, base, new = visitor(javascript=javascript), address(brand), "Kaede-84.xQ"
    page.goto(base + "/sign-in")
    page.get_by_role("link", name="パスワードをお忘れの方はこちら").click()
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    press(page, "再設定のメールを送る")
    expect(page.get_by_role("heading", level=1)).to_have_text("受け付けました")
    link = mailed(page, base, "再設定", "/set-password")
    for _look in range(2):
        page.goto(link)
        expect(page.get_by_role("heading", level=1)).to_have_text("パスワードの設定")
    if "ご連絡先電話番号" in fields:
        page.get_by_label("メールアドレス").fill(fields["メールアドレス"])
    page.get_by_label("新しいパスワード", exact=False).first.fill(new)
    page.get_by_label("新しいパスワード（確認）").fill(new)
    press(page, "設定する")
    expect(page.get_by_text("パスワードを設定しました。")).to_be_visible()
    sign_in(page, base, brand)
    expect(page.get_by_role("alert").first).to_contain_text(WRONG)
    sign_in(page, base, brand, new)
    arrived(page)
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("リンクをご利用いただけません")


def test_where_an_operator_resets_the_page_says_whom_to_call(
    visitor: Callable[..., Page], address: Address
) -> None:
    """COM-12: the facility's telephone and hours."""
    page = visitor()
    page.goto(address("facility") + "/forgotten-password")
    expect(page.get_by_text("03-0000-1101").first).to_be_visible()
    expect(page.locator("main form")).to_have_count(0)


@both
def test_a_password_that_must_be_changed_comes_before_everything_else(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """RENT-02, RENT-03: nothing else opens; the brand's own rules are said; then the new one signs in."""
    page, base = visitor(javascript=javascript), address("rental")
    sign_in(page, base, "rental", メールアドレス=TANAKA)
    expect(page.get_by_role("heading", level=1)).to_have_text("パスワードの変更")
    page.goto(base + "/account/members")
    expect(page.get_by_role("heading", level=1)).to_have_text("パスワードの変更")
    for new, said in (("kaede-84", "英大文字"), ("Kaede-84!", "記号"), ("Kaede-84.xQ", "")):
        page.get_by_label("現在のパスワード").fill(demo.PASSWORD)
        page.get_by_label("新しいパスワード", exact=False).first.fill(new)
        page.get_by_label("新しいパスワード（確認）").fill(new)
        press(page, "変更する")
        if said:
            expect(page.get_by_role("alert").first).to_contain_text(said)
    arrived(page)
    page.get_by_role("banner").get_by_role("button").click()
    sign_in(page, base, "rental", "Kaede-84.xQ", メールアドレス=TANAKA)
    arrived(page)


@both
def test_a_mailed_code_is_the_second_step(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """RENT-05, COM-13: chosen with the password; wrong, resent too soon, right; then spared on this device."""
    page, base = visitor(javascript=javascript), address("rental")
    sign_in(page, base, "rental")
    page.goto(base + "/account/second-factor")
    page.get_by_label("利用する（メールで認証コードを受け取る）").check()
    page.get_by_label("現在のパスワード").fill(demo.PASSWORD)
    press(page, "変更する")
    expect(page.get_by_text("多要素認証の設定を変更しました。")).to_be_visible()
    page.get_by_role("banner").get_by_role("button").click()
    sign_in(page, base, "rental")
    expect(page.get_by_role("heading", level=1)).to_have_text("ワンタイムパスワード認証")
    page.goto(base + "/account/profile")
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto(base + "/sign-in/second-step")
    press(page, "認証コードを再送する")
    expect(page.get_by_role("alert").first).to_contain_text("試行回数が多すぎます")
    right = code_of(page, base)
    page.get_by_label("認証コード").fill(f"{(int(right) + 1) % 10**6:06}")
    press(page, "認証する")
    expect(page.get_by_role("alert").first).to_contain_text("認証コードが正しくないか")
    page.get_by_label("認証コード").fill(f"{right[:3]} {right[3:]}")
    page.get_by_label("この端末では次回から省略する").check()
    press(page, "認証する")
    arrived(page)
    page.get_by_role("banner").get_by_role("button").click()
    sign_in(page, base, "rental")
    arrived(page)


@both
def test_an_app_and_its_recovery_codes_are_the_second_step(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """COM-13: the key may be typed; a code counts once; a recovery code stands in, once."""
    page, base = visitor(javascript=javascript), address("support")
    sign_in(page, base, "support")
    page.goto(base + "/account/second-factor/app")
    secret = page.locator("code").inner_text().replace(" ", "")
    code = pyotp.TOTP(secret).at(NOW)
    page.get_by_label("認証コード").fill(code)
    page.get_by_label("現在のパスワード").fill(demo.PASSWORD)
    press(page, "認証アプリを利用する")
    expect(page.locator("ul code")).to_have_count(10)
    codes = page.locator("ul code").all_inner_texts()
    page.get_by_role("banner").get_by_role("button").click()
    for again in range(2):
        sign_in(page, base, "support")
        page.get_by_label("認証コード").fill(code)
        press(page, "認証する")
        expect(page.get_by_role("alert").first).to_contain_text("認証コードが正しくないか")
        page.get_by_label("認証コード").fill(codes[0])
        press(page, "認証する")
        if again:
            expect(page.get_by_role("alert").first).to_contain_text("認証コードが正しくないか")
            continue
        arrived(page)
        page.get_by_role("banner").get_by_role("button").click()


@both
def test_a_stranger_is_thrown_out_by_the_mail_about_the_sign_in(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """COM-14, COM-15: "これは私ではありません" ends both sessions and voids the password; the reset leads back in."""
    mine, theirs, base = (
        visitor(javascript=javascript),
        visitor(javascript=javascript),
        address("rental"),
    )
    sign_in(mine, base, "rental")
    arrived(mine)
    sign_in(theirs, base, "rental")
    arrived(theirs)
    link = mailed(mine, base, "ログイン", "/not-me")
    mine.goto(link)
    arrived_still = theirs.goto(base + "/account/profile")
    assert arrived_still
    assert arrived_still.status == 200, "a look at the link changes nothing"
    press(mine, "これは私ではありません")
    for page in (mine, theirs):
        page.goto(base + "/account/profile")
        expect(page).to_have_url(re.compile("/sign-in"))
    sign_in(mine, base, "rental")
    expect(mine.get_by_role("alert").first).to_contain_text(WRONG)
    mine.goto(mailed(mine, base, "再設定", "/set-password"))
    mine.get_by_label("メールアドレス").fill("yoshida@takasaki-seiki.example")
    mine.get_by_label("新しいパスワード", exact=False).first.fill("Kaede-84.xQ")
    mine.get_by_label("新しいパスワード（確認）").fill("Kaede-84.xQ")
    press(mine, "設定する")
    sign_in(mine, base, "rental", "Kaede-84.xQ")
    arrived(mine)


@both
def test_another_browser_is_signed_out_from_afar(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """COM-15: at its next click; the present one stays."""
    here, there, base = (
        visitor(javascript=javascript),
        visitor(javascript=javascript),
        address("shop"),
    )
    for page in (there, here):
        sign_in(page, base, "shop")
        arrived(page)
    here.goto(base + "/account/security")
    press(here, "ほかの端末をすべてログアウト")
    expect(here.get_by_text("ほかの端末をすべてログアウトしました。")).to_be_visible()
    there.goto(base + "/account/profile")
    expect(there).to_have_url(re.compile("/sign-in"))
    here.goto(base + "/account/history")
    expect(here.get_by_role("cell", name=re.compile("すべての端末のログアウト"))).to_be_visible()


@both
def test_a_user_is_added_comes_in_and_is_removed(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """RENT-10: 2 / 10名, the mailed link sets the password, removal shuts out at the next click and is mailed."""
    boss, new, base = (
        visitor(javascript=javascript),
        visitor(javascript=javascript),
        address("rental"),
    )
    sign_in(boss, base, "rental")
    boss.goto(base + "/account/members")
    expect(boss.get_by_text("2 / 10名")).to_be_visible()
    boss.get_by_role("link", name="新しく登録する").click()
    boss.locator("[name=family_name]").fill("加藤")
    boss.locator("[name=given_name]").fill("光")
    boss.get_by_label("メールアドレス").fill("tanaka@takasaki-seiki.example")
    press(boss, "入力内容を確認する")
    expect(boss.get_by_role("alert").first).to_contain_text("すでに登録されています")
    expect(boss.locator("[name=family_name]")).to_have_value("加藤")
    boss.get_by_label("メールアドレス").fill("kato@takasaki-seiki.example")
    press(boss, "入力内容を確認する")
    press(boss, "登録")
    expect(boss.get_by_role("heading", level=1)).to_have_text("登録が完了しました")
    boss.goto(base + "/account/members")
    expect(boss.get_by_role("row", name=re.compile("加藤"))).to_contain_text("パスワード未設定")
    new.goto(mailed(new, base, "パスワード設定", "/set-password"))
    new.get_by_label("メールアドレス").fill("kato@takasaki-seiki.example")
    new.get_by_label("新しいパスワード", exact=False).first.fill("Hikari-29.z")
    new.get_by_label("新しいパスワード（確認）").fill("Hikari-29.z")
    press(new, "設定する")
    sign_in(new, base, "rental", "Hikari-29.z", メールアドレス="kato@takasaki-seiki.example")
    arrived(new)
    boss.goto(base + "/account/members")
    boss.get_by_role("row", name=re.compile("加藤")).get_by_role(
        "link", name=re.compile("削除")
    ).click()
    press(boss, "削除する")
    expect(boss.get_by_text("削除しました。")).to_be_visible()
    new.goto(base + "/account/profile")
    expect(new).to_have_url(re.compile("/sign-in"))
    assert any("会員情報変更" in subject and "削除" in text for subject, text in mails(new, base))


@both
def test_an_e_mail_address_is_changed_and_taken_back(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """SHOP-03: proved by the new address, told to the old one, undone from there."""
    page, base, new = (
        visitor(javascript=javascript),
        address("shop"),
        "hanako@takasaki-seiki.example",
    )
    sign_in(page, base, "shop")
    page.goto(base + "/account/email")
    page.get_by_label("現在のメールアドレス").fill(ITEMS["shop"]["メールアドレス"])
    page.get_by_label("現在のパスワード").fill(demo.PASSWORD)
    page.get_by_label("新しいメールアドレス", exact=False).first.fill(new)
    page.get_by_label("新しいメールアドレス（確認）").fill(new)
    press(page, "確認メールを送信する")
    expect(page.get_by_role("heading", level=1)).to_have_text("メールをお送りしました")
    page.goto(mailed(page, base, "メールアドレス確認", "/prove-email"))
    press(page, "変更する")
    page.context.clear_cookies()
    sign_in(page, base, "shop", メールアドレス=new)
    arrived(page)
    page.goto(mailed(page, base, "メールアドレス変更", "/undo-email"))
    press(page, "元に戻す")
    page.goto(base + "/account/profile")
    expect(page).to_have_url(re.compile("/sign-in"))
    assert mailed(page, base, "再設定", "/set-password")


@both
def test_an_e_mail_address_is_changed_by_way_of_the_old_one(
    visitor: Callable[..., Page], address: Address, javascript: bool
) -> None:
    """RENT-11: asked for by the old address, typed behind its link, proved by the new one."""
    page, base, new = (
        visitor(javascript=javascript),
        address("rental"),
        "hanako@takasaki-seiki.example",
    )
    sign_in(page, base, "rental")
    page.goto(base + "/account/email")
    press(page, "メールアドレス変更依頼")
    page.goto(mailed(page, base, "変更依頼受付", "/change-email"))
    page.get_by_label("新しいメールアドレス", exact=False).first.fill(new)
    page.get_by_label("新しいメールアドレス（確認）").fill(new)
    press(page, "確認メールを送信する")
    page.goto(mailed(page, base, "メールアドレス確認", "/prove-email"))
    press(page, "変更する")
    page.context.clear_cookies()
    sign_in(page, base, "rental", メールアドレス=new)
    arrived(page)


@both
@pytest.mark.parametrize("way", ["code", "link"])
def test_somebody_registers_looks_around_and_leaves(
    visitor: Callable[..., Page], address: Address, way: str, javascript: bool
) -> None:
    """MOLD-01, COM-16, COM-90: activated by code or link; history and data; 退会 in its steps; nobody comes back."""
    page, base, mine = visitor(javascript=javascript), address("molds"), "aoki@aoki.example"
    page.goto(base + "/sign-in")
    page.get_by_role("link", name="My Accountを作成").click()
    press(page, "登録する")
    expect(page.get_by_role("alert").first).to_contain_text("同意が必要です。")
    typed = {
        "email": mine,
        "account_name": "青木製作所",
        "family_name": "青木",
        "given_name": "涼",
        "postal_code": "１４４－００３５",
        "city": "大田区",
        "street": "南蒲田1-2-3",
        "account_telephone": "03-0000-2001",
        "password": "murasaki-77-hana",
        "again": "murasaki-77-hana",
    }
    for name, value in typed.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=prefecture]").select_option("東京都")
    page.locator("[name=agreed]").check()
    press(page, "登録する")
    expect(page.get_by_role("heading", level=1)).to_have_text("認証コードを入力")
    if way == "code":
        text = next(text for title, text in mails(page, base) if "会員登録のご確認" in title)
        found = re.search(r"\b([0-9A-F]{8})-([0-9A-F]{3})\b", text)
        assert found
        page.get_by_label("認証コード").fill("00000000-000")
        press(page, "登録を完了する")
        expect(page.get_by_role("alert").first).to_contain_text("認証コードが正しくないか")
        page.get_by_label("認証コード").fill(f"{found[1]}{found[2]}".lower())
    else:
        page.goto(mailed(page, base, "会員登録のご確認", "/register/activate"))
        expect(page.get_by_text("青木製作所")).to_be_visible()
        press(page, "登録を完了する")
        expect(page.get_by_role("alert").first).to_contain_text("パスワード")
        page.get_by_label("ご登録時に入力したパスワード").fill("murasaki-77-hana")
    press(page, "登録を完了する")
    expect(page.get_by_text("会員登録が完了しました。")).to_be_visible()
    sign_in(page, base, "molds", "murasaki-77-hana", メールアドレス=mine)
    arrived(page)
    page.goto(base + "/account/history")
    expect(page.get_by_role("cell", name=re.compile("会員登録"))).to_be_visible()
    page.goto(base + "/account/export")
    with page.expect_download() as download:
        press(page, "ダウンロードする")
    assert download.value.path().read_bytes().startswith(b"PK")
    page.goto(base + "/account/profile")
    page.get_by_role("link", name="会員の退会").click()
    page.get_by_label("退会の理由").fill("統合のため")
    press(page, "退会手続きへ")
    expect(page.get_by_text("統合のため")).to_be_visible()
    page.get_by_label("現在のパスワード").fill("murasaki-77-hana")
    press(page, "はい、退会します")
    expect(page.get_by_role("heading", level=1)).to_have_text("退会のお手続きが完了しました")
    sign_in(page, base, "molds", "murasaki-77-hana", メールアドレス=mine)
    expect(page.get_by_role("alert").first).to_contain_text(WRONG)


def test_a_whole_way_in_by_keyboard_alone_on_a_phone(
    visitor: Callable[..., Page], address: Address
) -> None:
    """COM-25: Tab, typing and Enter, from the sign-in page to the list of users."""
    page, base = visitor(width=PHONE), address("rental")
    page.goto(base + "/sign-in")
    for value in (*ITEMS["rental"].values(), demo.PASSWORD):
        _tab_to(page, "INPUT")
        page.keyboard.type(value)
    page.keyboard.press("Enter")
    arrived(page)
    page.goto(base + "/account/members")
    _tab_to(page, "A", "新しく登録する")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("利用者の情報")
    assert faults(page) == []


def _tab_to(page: Page, tag: str, text: str = "") -> None:
    for _press in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate(
            "() => [document.activeElement.tagName, document.activeElement.innerText]"
        )
        if at[0] == tag and text in (at[1] or ""):
            return
    raise AssertionError(f"no {tag} {text} is reached by Tab")


@pytest.mark.parametrize("width", [1280, PHONE])
def test_the_pages_of_ones_account_are_without_fault(
    visitor: Callable[..., Page], address: Address, width: int
) -> None:
    """COM-25: axe finds nothing, nothing is wider than the window, at both widths."""
    page, base = visitor(width=width), address("rental")
    wrong: list[str] = []
    page.goto(address("molds") + "/register")
    wrong += faults(page)
    press(page, "登録する")
    wrong += faults(page)
    sign_in(page, base, "rental")
    arrived(page)
    for path in (
        "members",
        "members/new",
        "email",
        "history",
        "export",
        "withdrawal",
        "proof",
        "email/sent",
    ):
        page.goto(f"{base}/account/{path}")
        wrong += faults(page)
    assert wrong == []
