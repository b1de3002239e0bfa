"""A form that is sent when the password was typed too long ago asks for it, and loses nothing (security.md §4.17)."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from portal.core import clock
from portal.core.db import session
from portal.shared.accounts.models import Member
from portal.shared.members import operations as members
from tests.cast import NOW, PASSWORD

PAGE = "/account/members"
KATO = {"family_name": "加藤", "given_name": "光", "login_id": "kato", "email": "kato@one.example"}
LATER = NOW + timedelta(minutes=16)
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def kenichi(inside):
    """What the ordinary member is called in addresses, and whether they are still there."""

    def read() -> tuple[str, bool]:
        with inside("facility"):
            found = session().query(Member).filter_by(email="kenichi@one.example").one()
            return members.number_of(found), found.status == "active"

    return read


@ONE
def test_a_form_that_is_sent_too_late_asks_for_the_password_and_loses_nothing(visit):
    """security.md §4.17, COM-23: fifteen minutes for a form as for a page; what was typed goes on with the password."""
    visitor = visit("facility", "hanako")
    with clock.freeze(NOW + timedelta(minutes=14, seconds=59)):
        assert "draft=" in visitor.post(f"{PAGE}/new", KATO, page="/account/email").location
    with clock.freeze(NOW + timedelta(minutes=15)):
        late = visitor.post(f"{PAGE}/new?x=1", KATO, page="/account/email")
        assert late.status_code == 422
        assert f'action="{PAGE}/new?x=1"' in late.text
        assert "入力された内容は失われていません" in late.text
        kept = hidden_fields(late.text)
        assert {name: kept[name] for name in KATO} == KATO
        assert "present_password" not in kept
        wrong = visitor.post(f"{PAGE}/new", kept | {"present_password": "wrong-guess-1"})
        assert (wrong.status_code, "現在のパスワードが正しくありません" in wrong.text) == (
            422,
            True,
        )
        assert "wrong-guess-1" not in wrong.text
        right = visitor.post(
            f"{PAGE}/new", hidden_fields(wrong.text) | {"present_password": PASSWORD}
        )
        assert "draft=" in right.location
        again = visitor.post(f"{PAGE}/new", KATO)
        assert "draft=" in again.location, "and the password counts for the next fifteen minutes"


def hidden_fields(page: str) -> dict[str, str]:
    """What the form of the page sends without being seen, its CSRF token among it."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    found += re.findall(r'<input id="csrf_token" name="(csrf_token)"[^>]*value="([^"]*)">', page)
    return {name: unescape(value) for name, value in found}


@ONE
def test_a_button_that_is_pressed_too_late_does_its_thing_after_the_password(visit, kenichi):
    """security.md §4.17: and nothing before; the guesses are counted as everywhere."""
    visitor, path = visit("facility", "hanako"), f"{PAGE}/{kenichi()[0]}/removal"
    with clock.freeze(LATER):
        late = visitor.post(path, page="/account/email")
        assert (late.status_code, kenichi()[1]) == (422, True)
        for _guess in range(10):
            visitor.post(path, {"present_password": "wrong-guess-1"})
        assert visitor.post(path, {"present_password": PASSWORD}).status_code == 429
        assert kenichi()[1]
    with clock.freeze(LATER + timedelta(minutes=5)):
        done = visitor.post(path, {"present_password": PASSWORD})
        assert (done.status_code, kenichi()[1]) == (303, False)


@ONE
def test_a_form_goes_no_further_without_the_token_of_its_page(visit, kenichi):
    """security.md §4.9: the page that asks for the password is no way around the check."""
    visitor, path = visit("facility", "hanako"), f"{PAGE}/{kenichi()[0]}/removal"
    with clock.freeze(LATER):
        data = {"present_password": PASSWORD}
        assert visitor.client.post(path, base_url=visitor.base, data=data).status_code == 400
        assert kenichi()[1]


@ONE
def test_htmx_gets_the_whole_page_that_asks(visit):
    """COM-25: as for every form that is shown again."""
    visitor = visit("facility", "hanako")
    with clock.freeze(LATER):
        late = visitor.post(f"{PAGE}/new", KATO, headers={"HX-Request": "true"})
        assert (late.status_code, late.headers["HX-Retarget"]) == (422, "#main")
