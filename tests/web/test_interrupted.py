"""COM-23, COM-25: a form that is sent when the session is over is not lost, and nobody else's."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse
from wtforms import PasswordField

import portal
from portal.blueprints.facility.models import Reservation
from portal.core import clock
from portal.core.db import session
from portal.shared import interrupted
from portal.shared.accounts.models import Account
from portal.shared.contacts.models import Address
from portal.shared.interrupted import InterruptedForm
from portal.web.forms import Form
from portal.web.interrupted import FIELD, NEVER_KEPT
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
ADDRESS = "/billing-addresses/new"
TYPED = {"name": "経理センター", "city": "大田区", "telephone": "０３-００００-１００１"}
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OVER = NOW + timedelta(hours=13)
"""When a session of this morning has been idle too long, at every brand."""
WAITS = "入力された内容は保存してあります"
FILLED_IN = "まだ送信されていません"


def owner_on(page: TestResponse) -> str:
    """The hidden field by which the page says whose it is."""
    found = re.search(rf'name="{FIELD}" value="([^"]+)"', page.text)
    assert found
    return unescape(found[1])


def opened(visitor: Visitor, path: str, typed: dict[str, Any]) -> dict[str, Any]:
    """Open the page's form and fill it in; what its button will send."""
    page = visitor.get(path)
    return typed | {FIELD: owner_on(page), "csrf_token": visitor.token(path)}


def sign_in(visitor: Visitor, way: str, login_id: str = "hanako") -> str:
    """Sign in on the page that one was led to; where that leads on."""
    entered = visitor.post(way, {"login_id": login_id, "password": PASSWORD})
    assert entered.status_code == 303
    return str(entered.location)


def kept_rows(inside: Callable[[str], Any], tenant: str = "facility") -> list[InterruptedForm]:
    """Everything that is kept."""
    with inside(tenant):
        return list(session().scalars(select(InterruptedForm).order_by(InterruptedForm.id)))


def value_of(page: str, name: str) -> str:
    """What stands in a field."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert found, name
    value = re.search(r'value="([^"]*)"', found[0])
    return unescape(value[1]) if value else ""


@pytest.fixture(params=["expired", "signed out in another tab", "all cookies gone"])
def lose(request: pytest.FixtureRequest) -> Callable[[Visitor], Any]:
    """End the session that a page was drawn in; gives the instant at which the form is then sent."""

    def end(visitor: Visitor) -> Any:
        if request.param == "expired":
            return OVER
        if request.param == "signed out in another tab":
            assert visitor.post("/sign-out").status_code == 303
            return NOW
        for cookie in list(visitor.client._cookies or {}):
            visitor.client.delete_cookie(cookie[2], domain=cookie[0], path=cookie[1])
        return NOW

    return end


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_a_form_sent_when_the_session_is_over_is_filled_in_again_after_signing_in(
    visit: Visit, inside: Callable[[str], Any], lose: Callable[[Visitor], Any], htmx: bool
) -> None:
    """COM-23: said on the sign-in page; filled in, nothing saved by itself; pressed, it goes on."""
    visitor = visit("facility", "hanako")
    sent = opened(visitor, ADDRESS, TYPED)
    headers = {"HX-Request": "true"} if htmx else {}
    with clock.freeze(lose(visitor)):
        led = visitor.client.post(ADDRESS, base_url=visitor.base, data=sent, headers=headers)
        way = led.headers["HX-Redirect"] if htmx else led.location
        assert led.status_code == (204 if htmx else 303)
        assert way.startswith(f"/sign-in?next={ADDRESS}%3Fkept%3D")
        assert WAITS in visitor.get(way).text
        wrong = visitor.post(way, {"login_id": "hanako", "password": "wrong"})
        assert WAITS in wrong.text, "also after a wrong password"
        on = sign_in(visitor, way)
        page = visitor.get(on)
        assert (page.status_code, FILLED_IN in page.text) == (200, True)
        assert value_of(page.text, "name") == "経理センター"
        assert value_of(page.text, "telephone") == "03-0000-1001", "as every form has it"
        with inside("facility"):
            assert session().scalars(select(Address)).all() == []
        rest = {"postal_code": "144-0035", "prefecture": "東京都", "street": "南蒲田1-2-3"}
        assert visitor.post(ADDRESS, TYPED | rest).location.startswith(f"{ADDRESS}/confirm?draft=")


@pytest.mark.parametrize("login_id", ["kenichi", "yumi"], ids=["colleague", "stranger"])
def test_another_member_who_signs_in_gets_nothing_of_it(
    visit: Visit, lose: Callable[[Visitor], Any], login_id: str
) -> None:
    """COM-02: the same page, empty; also with the address copied to a browser of theirs."""
    visitor = visit("facility", "hanako")
    sent = opened(visitor, ADDRESS, TYPED)
    with clock.freeze(lose(visitor)):
        way = visitor.client.post(ADDRESS, base_url=visitor.base, data=sent).location
        on = sign_in(visitor, way, login_id)
        page = visitor.get(on).text
        assert (value_of(page, "name"), FILLED_IN in page) == ("", False)
        assert "経理センター" not in page
        own = visit("facility", "hanako")
        assert value_of(own.get(on).text, "name") == "経理センター", "it is still its owner's"


def test_another_tenant_has_nothing_of_it(visit: Visit, inside: Callable[[str], Any]) -> None:
    """COM-02: neither the kept form nor the page's token means anything at the twin."""
    visitor, twin = visit("facility", "hanako"), visit("studio", "hanako")
    sent = opened(visitor, ADDRESS, TYPED)
    with clock.freeze(OVER):
        way = visitor.post(ADDRESS, sent).location
        at_twin = visit("studio")
        assert WAITS not in at_twin.get(way).text
        page = at_twin.get(sign_in(at_twin, way)).text
        assert (value_of(page, "name"), FILLED_IN in page) == ("", False)
        visit("studio").post(ADDRESS, sent)
    assert twin.get(ADDRESS).status_code == 200
    assert kept_rows(inside, "studio") == []


@ONE
@pytest.mark.parametrize("token", ["", "made-up", "WyJhIiwwXQ.AAAA"])
def test_who_cannot_say_whose_page_it_was_keeps_nothing(
    visit: Visit, inside: Callable[[str], Any], token: str
) -> None:
    """security.md §4.21: strangers fill no table; they are led to the sign-in page and told."""
    visitor = visit("facility")
    led = visitor.post(ADDRESS, TYPED | {FIELD: token})
    assert (led.status_code, led.location) == (303, f"/sign-in?next={ADDRESS}")
    assert "保存できませんでした" in visitor.get(led.location).text
    assert kept_rows(inside) == []


def test_a_page_that_lay_open_too_long_is_kept_no_more(
    visit: Visit, inside: Callable[[str], Any]
) -> None:
    """COM-23: a week; and what was kept is there for an hour, then removed."""
    visitor = visit("facility", "hanako")
    sent = opened(visitor, ADDRESS, TYPED)
    with clock.freeze(NOW + interrupted.PAGE_LIFETIME + timedelta(seconds=1)):
        visitor.post(ADDRESS, sent)
        assert kept_rows(inside) == []
    with clock.freeze(OVER):
        way = visitor.post(ADDRESS, sent).location
        assert len(kept_rows(inside)) == 1
    with clock.freeze(OVER + interrupted.LIFETIME):
        assert WAITS not in visitor.get(way).text
        page = visitor.get(sign_in(visitor, way)).text
        assert value_of(page, "name") == ""
        with inside("facility"):
            assert interrupted.expire() == 1
            session().commit()
    assert kept_rows(inside) == []


def test_what_is_kept_is_bounded_in_number_and_size(
    visit: Visit, inside: Callable[[str], Any]
) -> None:
    """security.md §4.21: the newest few of a member, and none that is too long; that one is told."""
    visitor = visit("facility", "hanako")
    sent = opened(visitor, ADDRESS, TYPED)
    with clock.freeze(OVER):
        ways = [visitor.post(ADDRESS, sent | {"name": f"{n}"}).location for n in range(20)]
        assert len(kept_rows(inside)) == interrupted.MOST_KEPT
        long = visitor.post(ADDRESS, sent | {"street": "長" * interrupted.MOST_CHARACTERS})
        assert long.location == f"/sign-in?next={ADDRESS}"
        assert "保存できませんでした" in visitor.get(long.location).text
        many = {f"field{n}": "" for n in range(interrupted.MOST_FIELDS + 1)}
        assert visitor.post(ADDRESS, sent | many).location == f"/sign-in?next={ADDRESS}"
        assert len(kept_rows(inside)) == interrupted.MOST_KEPT
        assert value_of(visitor.get(sign_in(visitor, ways[-1])).text, "name") == "19"


@ONE
def test_files_and_secrets_are_not_kept(visit: Visit, inside: Callable[[str], Any]) -> None:
    """security.md §4.27: the text is there again, the files are to be chosen again, and the page says so."""
    visitor, path = visit("facility", "hanako"), "/inquiries/new?category=other"
    file = (BytesIO(b"%PDF-1.7 drawing"), "図面.pdf")
    secrets = {"password": PASSWORD, "code": "123456", "old_password": "a", "again": "b"}
    sent = opened(visitor, path, {"body": "お願いします。", "agreed": "y"} | secrets)
    with clock.freeze(OVER):
        way = visitor.post(path, sent | {"files": file}).location
        (kept,) = kept_rows(inside)
        assert kept.data == {
            "pairs": [["body", "お願いします。"], ["agreed", "y"]],
            "had_files": True,
        }
        page = visitor.get(sign_in(visitor, way)).text
        assert "お願いします。" in page
        assert "添付ファイルは、もう一度お選びください。" in page


def all_forms() -> Iterator[type[Form]]:
    """Every form of the portal."""
    for found in pkgutil.walk_packages(portal.__path__, "portal."):
        importlib.import_module(found.name)
    waiting = [Form]
    while waiting:
        form = waiting.pop()
        waiting += form.__subclasses__()
        yield form


def test_every_field_for_a_secret_is_left_out() -> None:
    """security.md §4.27: passwords and codes, whatever form they stand in."""
    secret = set()
    for form in all_forms():
        for name in dir(form):
            field = getattr(form, name)
            kwargs = getattr(field, "kwargs", {})
            is_code = kwargs.get("render_kw", {}).get("autocomplete") == "one-time-code"
            if is_code or getattr(field, "field_class", None) is PasswordField:
                secret.add(name)
    assert {"password", "old_password", "again", "code"} <= secret
    assert secret <= NEVER_KEPT


def test_a_page_of_before_is_filled_in_when_the_same_member_is_signed_in_again(
    visit: Visit, inside: Callable[[str], Any]
) -> None:
    """COM-23, security.md §4.9: its CSRF token is another session's: nothing is done, nothing is lost."""
    visitor = visit("facility", "hanako")
    sent = opened(visitor, ADDRESS, TYPED) | {"csrf_token": "of-a-session-of-before"}
    led = visitor.client.post(ADDRESS, base_url=visitor.base, data=sent)
    assert (led.status_code, led.location.startswith(f"{ADDRESS}?kept=")) == (303, True)
    page = visitor.get(led.location).text
    assert (value_of(page, "name"), FILLED_IN in page) == ("経理センター", True)
    with inside("facility"):
        assert session().scalars(select(Address)).all() == []


@ONE
def test_a_page_of_another_member_is_refused(visit: Visit, inside: Callable[[str], Any]) -> None:
    """COM-02, security.md §4.9: who is signed in now neither does nor sees what the one before typed."""
    visitor = visit("facility", "hanako")
    sent = opened(visitor, ADDRESS, TYPED) | {"csrf_token": "of-a-session-of-before"}
    visitor.post("/sign-out")
    visitor.sign_in("kenichi", PASSWORD)
    answer = visitor.client.post(ADDRESS, base_url=visitor.base, data=sent)
    assert (answer.status_code, "経理センター" in answer.text) == (400, False)
    assert kept_rows(inside) == []


def test_a_confirm_page_is_where_it_was_after_signing_in(
    visit: Visit, inside: Callable[[str], Any]
) -> None:
    """COM-22: its draft lives on; the last button is pressed again, and counts once."""
    visitor, form = visit("facility", "hanako"), "/facility/facilities/LC-01/reservation"
    typed = {"day": "2026-11-25", "starts": "10:00", "ends": "12:00", "headcount": "1"}
    page = visitor.post(form, typed | {"purpose": "試作"}).location
    draft = page.partition("=")[2]
    visitor.post("/sign-out")
    way = visitor.post(f"{form}/confirm", {"draft": draft}).location
    assert WAITS in visitor.get(way).text
    assert sign_in(visitor, way) == page
    assert "試作" in visitor.get(page).text
    with inside("facility"):
        before = len(session().scalars(select(Reservation)).all())
    assert visitor.post(f"{form}/confirm", {"draft": draft}).location == f"{form}/done"
    with inside("facility"):
        assert len(session().scalars(select(Reservation)).all()) == before + 1


@ONE
def test_a_button_leads_back_to_the_page_it_stood_on(visit: Visit) -> None:
    """COM-25: an address that only takes is no page; another host's page is none of ours."""
    visitor, path = visit("facility", "hanako"), f"/account/members/{'0' * 16}/invitation"
    visitor.post("/sign-out")
    for sender, back in (
        (f"{visitor.base}/account/members", "?next=/account/members"),
        ("https://evil.example/account/members", ""),
        (f"{visitor.base}//evil.example", ""),
        ("", ""),
    ):
        headers = {"Referer": sender} if sender else {}
        assert visitor.post(path, headers=headers).location == f"/sign-in{back}", sender


@ONE
def test_the_sign_in_page_says_of_a_draft_only_that_it_waits(visit: Visit) -> None:
    """COM-22, COM-02: of one that was sent, or that there never was, it says nothing."""
    visitor, form = visit("facility", "hanako"), "/facility/facilities/LC-01/reservation"
    typed = {"day": "2026-11-25", "starts": "10:00", "ends": "12:00", "headcount": "1"}
    page = visitor.post(form, typed | {"purpose": "試作"}).location
    visitor.post(f"{form}/confirm", {"draft": page.partition("=")[2]})
    visitor.post("/sign-out")
    for draft in (page, f"{form}/confirm?draft=x%00y"):
        shown = visitor.get("/sign-in", query_string={"next": draft}).text
        assert WAITS not in shown
        assert "試作" not in shown


@ONE
def test_a_button_that_was_pressed_too_late_is_said_to_have_done_nothing(visit: Visit) -> None:
    """COM-23: so is signing out, which has nothing left to do."""
    visitor = visit("facility", "hanako")
    visitor.post("/sign-out")
    visitor.get("/sign-in")
    visitor.post("/sign-out")
    assert "まだ処理されていません" not in visitor.get("/sign-in").text
    visitor.post(f"/account/members/{'0' * 16}/invitation")
    assert "まだ処理されていません" in visitor.get("/sign-in").text


@ONE
def test_pages_for_everybody_say_nobodys_name(visit: Visit) -> None:
    """COM-02: the token stands on pages of signed-in members alone, and holds no key of theirs."""
    assert FIELD not in visit("facility").get("/sign-in").text
    page = visit("facility", "hanako").get(ADDRESS)
    assert owner_on(page)


def test_an_owner_is_one_members_at_one_tenant(app: Flask, inside: Callable[[str], Any]) -> None:
    """COM-02"""
    with inside("facility"):
        assert session().scalar(select(Account.id)) is not None
        own = [interrupted.owner_of(number) for number in range(50)]
        token = interrupted.page_token(1)
        assert interrupted.owner_by_token(token) == own[1]
    with inside("studio"):
        assert not {interrupted.owner_of(number) for number in range(50)} & set(own)
        assert interrupted.owner_by_token(token) is None
    assert len(set(own)) == 50
