"""The my page's top and what stands on every page: the brand's own places, texts and words (COM-03, COM-04, COM-20)."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts.models import Member
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.operations import Asked, Writer
from tests.cast import PASSWORD

PLACES = [
    "/",
    "/facility/reservations",
    "/facility/facilities",
    "/documents",
    "/account/members",
    "/billing-addresses",
    "/inquiries/new",
    "/account/profile",
    "/notices",
]
LEGAL = {
    "privacy": "プライバシーポリシー",
    "terms": "利用規約",
    "commerce": "特定商取引法に基づく表記",
    "accessibility": "アクセシビリティ",
}
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def navigation(page: str) -> str:
    """The main menu of a page."""
    return page[page.index('<nav class="side"') : page.index("</nav>")]


def current(page: str) -> list[str]:
    """Where the main menu says one is."""
    return re.findall(r'<a href="([^"]+)" aria-current="page">', navigation(page))


def test_the_top_greets_with_the_accounts_name_and_shows_what_is_new(visit, cast):
    """COM-20, FAC-01: the newest notices with a link to all, and the account's own reservations."""
    page = visit("facility", cast.representative).get("/").text
    assert "<h1>カナリア甲株式会社一番様のマイページ</h1>" in page
    assert '<a href="/notices/N0001">カナリア甲からのお知らせ</a>' in page
    assert '<a href="/notices">お知らせ一覧を見る</a>' in page
    assert cast.requested in page
    assert cast.strangers not in page
    assert "カナリア乙" not in page


@ONE
def test_every_page_has_the_same_menu_and_marks_the_present_place(visit, cast):
    """COM-20: one place is marked, on the pages below it too; where there is none, none."""
    visitor = visit("facility", cast.representative)
    for path in PLACES:
        page = visitor.get(path).text
        assert re.findall(r'<a href="([^"]+)"', navigation(page)) == PLACES, path
        assert current(page) == [path]
    assert current(visitor.get("/notices/N0001").text) == ["/notices"]
    assert current(visitor.get(f"/facility/reservations/{cast.requested}").text) == [
        "/facility/reservations"
    ]
    assert current(visitor.get("/account/password").text) == []


@ONE
@pytest.mark.parametrize("feature", ["notices", "contacts", "billing_addresses", "inquiries"])
def test_a_feature_that_is_off_is_nowhere_on_the_top_page(other, cast, feature):
    """COM-03: no menu entry, no card, no link to one of its things."""
    visitor = other(f"features.{feature} = false", cast.representative)
    page = visitor.get("/").text
    gone = {"notices": "/notices", "inquiries": "/inquiries"}.get(
        feature, f"/{feature.replace('_', '-')}"
    )
    assert f'href="{gone}' not in page
    assert ("カナリア甲からのお知らせ" in page) is (feature != "notices")
    assert len(re.findall("<a href", navigation(page))) == len(PLACES) - 1
    if feature == "notices":
        assert visitor.get("/notices/N0001").status_code == 404


@ONE
@pytest.mark.parametrize(
    "path", [*PLACES[1:], "/facility/reservations?status=paid&page=2", "/account/password"]
)
def test_who_is_not_signed_in_is_led_to_the_page_afterwards(visit, cast, path):
    """COM-10: through the sign-in page's own address, and by signing in there."""
    visitor = visit("facility")
    asked = visitor.get(path)
    assert asked.status_code == 303
    typed = {"login_id": cast.representative, "password": PASSWORD}
    answer = visitor.post(asked.headers["Location"], typed)
    assert answer.headers["Location"] == path


@ONE
def test_the_top_itself_asks_to_sign_in_without_a_detour(visit):
    """COM-10: no next where there is nothing to go back to; htmx is told to load the page whole."""
    visitor = visit("facility")
    assert visitor.get("/").headers["Location"] == "/sign-in"
    part = visitor.get("/facility/reservations", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (
        204,
        "/sign-in?next=/facility/reservations",
    )


@ONE
@pytest.mark.parametrize(("name", "heading"), LEGAL.items())
def test_a_legal_text_is_the_brands_own_and_open_to_all(other, visit, name, heading):
    """COM-04: Markdown from the tenants file, sanitised; linked from every page's foot."""
    text = '"**第1条** <script>alert(1)</script> [押す](javascript:alert(1))"'
    visitor = other(f"texts = {{ {name} = {text} }}")
    answer = visitor.get(f"/legal/{name}")
    assert answer.status_code == 200
    assert f"<h1>{heading}</h1>" in answer.text
    prose = re.search(r'<div class="prose">(.*?)</div>', answer.text, re.DOTALL)
    assert prose
    assert "<strong>第1条</strong>" in prose[1]
    assert "<script" not in prose[1]
    assert "href" not in prose[1]
    assert f'<a href="/legal/{name}">{heading}</a>' in visitor.get("/sign-in").text
    assert "内容は現在準備中です。" in visit("studio").get(f"/legal/{name}").text


@ONE
@pytest.mark.parametrize("name", ["withdrawal", "none", "Privacy", "privacy/", "..%2Flivez", "%00"])
def test_there_are_no_other_legal_pages(visit, name):
    """COM-04: neither for texts that belong to another page."""
    assert visit("facility").get(f"/legal/{name}").status_code == 404


@ONE
def test_every_page_names_the_company_and_whom_to_call(visit, cast):
    """COM-04: at the foot, also for who is not signed in."""
    for path, who in (("/sign-in", None), ("/", cast.representative), ("/legal/terms", None)):
        foot = visit("studio", who).get(path).text.partition('<footer class="foot">')[2]
        assert "<b>試験スタジオ</b>" in foot
        assert (
            '<a href="tel:03-0000-0002">03-0000-0002</a><span class="hours">平日 10:00–17:00</span>'
            in foot
        )


def test_what_awaits_the_member_is_counted_and_leads_there(visit, inside, app, cast):
    """COM-20: an unread answer and a bill; nothing when nothing waits; another account's never."""
    assert "お支払い待ちのご予約" in visit("facility", "kenichi").get("/").text
    assert "未読の回答" not in visit("facility", "hanako").get("/").text
    assert 'id="attention"' not in visit("facility", "yumi").get("/").text
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        hanako = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        writer = Writer(hanako.name, hanako.email, hanako.account_id, hanako.id)
        asked = inquiries.ask(tenant, writer, Asked("other", "質問です。"), by=SYSTEM)
        inquiries.answer(tenant, asked, "お答えします。", [], by=SYSTEM)
        operations.record_payment(tenant, queries.any_reservation(cast.billed), by=SYSTEM)
        session().commit()
        number = asked.number
    page = visit("facility", "hanako")
    top = page.get("/").text.split('id="attention"')[1].split("</section>")[0]
    assert '<a href="/inquiries?unread=1">未読の回答</a>' in top
    assert "1件" in top
    assert "お支払い待ち" not in top
    page.get(f"/inquiries/{number}")
    assert 'id="attention"' not in page.get("/").text
