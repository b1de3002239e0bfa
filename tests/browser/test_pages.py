"""Each page at 390, 768 and 1280: nothing that axe objects to, nothing wider than the window, nothing cut off."""

from __future__ import annotations

from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from portal.blueprints.support import operations as support
from portal.blueprints.support.models import UnitKind
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.knowledge import operations as knowledge
from portal.shared.knowledge.models import Article
from portal.shared.knowledge.operations import Written
from tests.browser.conftest import Address, SignedIn
from tests.cast import NOW, PASSWORD
from tests.support.browser import DESKTOP, PHONE, PageFor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
TAGS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
OPEN = ("/sign-in", "/forgotten-password", "/legal/privacy", "/set-password/none")
MEMBERS = (
    "/",
    "/facility/reservations",
    "/facility/reservations?number=none",
    "/facility/reservations?since=2026-11-02&until=2026-11-01",
    "/account/profile",
    "/account/profile/done",
    "/account/password",
    "/account/mail",
    "/account/security",
    "/account/second-factor",
    "/account/second-factor/app",
    "/account/members",
    "/account/members/new",
    "/account/email",
    "/account/history",
    "/account/export",
    "/account/withdrawal",
    "/account/proof",
    "/billing-addresses",
    "/billing-addresses/new",
    "/inquiries",
    "/inquiries/new",
    "/notices",
    "/facility/facilities",
    "/facility/facilities/LC-01",
    "/facility/facilities/LC-01/reservation",
    "/calendar",
    "/documents",
    "/nowhere",
)
NUMBERS = {"facility": "FR", "studio": "SR"}


TABLET = 768
CUT = """() => {
  const width = document.documentElement.clientWidth;
  const chosen = "a, button, input, select, textarea, label, summary, legend, th, td, h1, h2, h3, .badge";
  const seen = (one) => one.getClientRects().length && getComputedStyle(one).visibility !== "hidden";
  const hides = (one) => getComputedStyle(one).overflowX !== "visible";
  const tells = (one) => `${one.tagName} ${(one.innerText || one.name || "").trim().slice(0, 30)}`;
  const aside = (one) => one.closest(".vh, .skip, [hidden], [inert]") || one.type === "hidden";
  const cut = (one) => {
    const box = one.getBoundingClientRect();
    if (box.left < -1 || box.right > width + 1) return "outside the window";
    if (!one.matches("input, select, textarea") && hides(one) && one.scrollWidth > one.clientWidth + 1) return "cut";
    for (let of = one.parentElement; of && of !== document.body; of = of.parentElement) {
      const frame = of.getBoundingClientRect();
      if (hides(of) && (box.left < frame.left - 1 || box.right > frame.right + 1)) return "cut";
    }
  };
  return [...document.querySelectorAll(chosen)].filter((one) => seen(one) && !aside(one))
    .map((one) => [cut(one), tells(one)]).filter(([how]) => how).map((told) => told.join(": "));
}"""
"""What can be chosen or read and is not wholly there, sideways; what is meant for screen readers alone is left out."""


def cut(page: Page) -> list[str]:
    """What is cut off on the page, at its own width and, of a wide one, at a tablet's as well."""
    own = page.viewport_size
    assert own
    found = []
    for width in (own["width"], *((TABLET,) if own["width"] == DESKTOP else ())):
        page.set_viewport_size({"width": width, "height": own["height"]})
        found += [f"{page.url} at {width}: {told}" for told in page.evaluate(CUT)]
    page.set_viewport_size(own)
    return found


def faults(page: Page) -> list[str]:
    """What is wrong with the page as it stands."""
    found = [
        f"{page.url} {violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in Axe().run(page, options=TAGS).response["violations"]
    ]
    wider = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    found += [f"{page.url} is {wider}px too wide"] if wider > 0 else []
    return [*found, *cut(page)]


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("brand", ["facility", "studio"])
def test_pages_for_members_are_without_fault(
    signed_in: SignedIn, address: Address, brand: str, width: int
) -> None:
    page = signed_in(brand, width=width)
    reservations = [f"/facility/reservations/{NUMBERS[brand]}00000{number}" for number in (1, 2, 3)]
    wrong: list[str] = []
    for path in (*MEMBERS, *reservations):
        page.goto(address(brand) + path)
        wrong += faults(page)
    page.goto(address(brand) + "/notices")
    page.locator(".notice a").first.click()
    page.locator(".prose").wait_for()
    wrong += faults(page)
    page.goto(address(brand) + "/account/profile")
    page.get_by_label("郵便番号").fill("1")
    page.get_by_role("button", name="入力内容を確認する").click()
    page.locator(".summary").wait_for()
    assert wrong + faults(page) == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("brand", ["facility", "studio", "shop"])
def test_open_pages_are_without_fault(
    page_for: PageFor, address: Address, brand: str, width: int
) -> None:
    page = page_for(width)
    wrong: list[str] = []
    for path in OPEN:
        page.goto(address(brand) + path)
        wrong += faults(page)
    assert wrong == []


def test_what_is_cut_off_is_found(signed_in: SignedIn, address: Address) -> None:
    """A row of links that scrolls sideways, and one that stands outside, are told; the usual page is not."""
    page = signed_in(width=PHONE)
    page.goto(address("facility") + "/account/profile")
    assert cut(page) == []
    page.evaluate(
        """() => document.querySelector("main").insertAdjacentHTML("beforeend",
            '<div id="row"><a href="/">一</a><a href="/">二</a></div><a href="/" id="out">三</a>')"""
    )
    page.evaluate(
        """() => {
            Object.assign(document.querySelector("#row").style, { overflow: "auto", display: "flex", width: "90px" });
            document.querySelectorAll("#row a").forEach((one) => { one.style.flex = "0 0 60px"; });
            Object.assign(document.querySelector("#out").style, { position: "absolute", left: "385px", width: "90px" });
        }"""
    )
    assert [told.partition(": ")[2] for told in cut(page)] == [
        "cut: A 二",
        "outside the window: A 三",
    ]


def test_the_phones_open_menu_is_without_fault(signed_in: SignedIn) -> None:
    page = signed_in(width=PHONE)
    page.locator("details.more summary").click()
    assert faults(page) == []


def test_english_pages_are_without_fault_on_the_phone(
    signed_in: SignedIn, address: Address
) -> None:
    page = signed_in(width=PHONE)
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="日本語").wait_for()
    wrong: list[str] = []
    for path in ("/", "/facility/reservations/FR000002", "/account/profile"):
        page.goto(address("facility") + path)
        wrong += faults(page)
    assert wrong == []


@pytest.fixture
def unfollowing(address: Address) -> str:
    """Somebody of the desk with a contract, who can read an article; the token of a mail about it."""
    with address.app.app_context(), clock.freeze(NOW), tenant_scope("desk"):  # type: ignore[attr-defined]
        if session().query(Article).count() == 0:
            tenant = address.app.extensions["tenants"].current().by_key["desk"]  # type: ignore[attr-defined]
            account = accounts.add_account(tenant, by=SYSTEM, name="一番")
            hashed, who = (
                passwords.hash_password(PASSWORD),
                Person("山田", "花子", "hanako@one.example"),
            )
            accounts.add_member(tenant, account, who, by=SYSTEM, password_hash=hashed)
            contract = support.add_contract(tenant, account, "manage", date(2022, 9, 1), by=SYSTEM)
            support.add_unit(contract, UnitKind.APP, "勤怠", by=SYSTEM)
            people = [
                Registrant("山田", "花子", "hanako@one.example"),
                Registrant("伊藤", "花", "hanako@one.example"),
            ]
            support.register(tenant, contract, people, by=SYSTEM)
            body = "ダコクを直す手順です。\n\n|日|時|\n|---|---|\n|月|9|\n\n1. 開く\n2. 押す"
            for section in ("", "打刻"):
                knowledge.put(
                    Written(f"a{section}", "勤怠", section, f"打刻の修正{section}", (), body),
                    by=SYSTEM,
                )
            session().commit()
        return knowledge.token_of(
            session().query(Member).filter_by(email="hanako@one.example").one().id, "KB0001"
        )


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_desk_is_without_fault(
    page_for: PageFor, address: Address, unfollowing: str, width: int
) -> None:
    """SUP-02, SUP-10, SUP-11, SUP-13: contracts, one of them, inquiries, their form and search, the chat's door."""
    page = at_the_desk(page_for(width), address("desk"))
    wrong: list[str] = []
    asked = (
        "/inquiries",
        "/inquiries?text=x",
        "/inquiries?since=2026-11-02&until=2026-11-01",
        "/inquiries/new",
    )
    for path in (
        "/",
        "/support/contracts",
        "/support/contracts/CT00000001",
        *asked,
        "/inquiries/new?category=contacts",
        "/chat",
    ):
        page.goto(address("desk") + path)
        wrong += faults(page)
    assert wrong == []


def at_the_desk(page: Page, base: str) -> Page:
    """The page, signed in."""
    page.goto(base + "/sign-in")
    page.locator("[name=email]").fill("hanako@one.example")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main button.btn").first.click()
    page.wait_for_url(base + "/")
    return page


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_knowledge_base_is_without_fault(
    page_for: PageFor, address: Address, unfollowing: str, width: int
) -> None:
    """SUP-14, SUP-15: categories, what is found and what is not, an article, what I follow, a mail's link."""
    page = at_the_desk(page_for(width), address("desk"))
    wrong: list[str] = []
    found = (
        "",
        "?q=打刻",
        "?q=存在しない",
        "?place=KC0001",
        "/KB0001",
        "/following",
        f"/unfollow/{unfollowing}",
    )
    for path in found:
        page.goto(f"{address('desk')}/knowledge{path}")
        wrong += faults(page)
    page.goto(address("desk") + "/knowledge/KB0001")
    page.locator("button[name=follows]").click()
    page.locator(".flash").wait_for()
    page.get_by_role("button", name="はい").click()
    page.get_by_text("とお答えいただきました").wait_for()
    wrong += faults(page)
    page.goto(address("desk") + "/knowledge")
    page.get_by_label("キーワード").fill("ﾀﾞｺｸ")
    page.get_by_label("キーワード").press("Enter")
    page.locator("mark").first.wait_for()
    assert page.locator("mark").first.inner_text() == "ダコク"
    assert "?q=" in page.url
    assert wrong + faults(page) == []
