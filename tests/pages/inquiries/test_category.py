"""COM-50, COM-23: choosing another お問い合わせ区分 shows its fields and keeps everything that was typed."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import func, select

from portal.core.db import session
from portal.shared.inquiries.models import Inquiry
from tests.pages.inquiries.test_guest import PAGE as GUEST
from tests.pages.inquiries.test_guest import TYPED, settings, stamp_of

__all__ = ["settings"]  # the facility brand lets guests write
NEW = "/inquiries/new"
ASK = {
    "category": "change",
    "about": "FR000001",
    "f_day": "2026-12-01",
    "f_what": "午後へ",
    "body": "お願いします。\n<b>至急</b>",
    "agreed": "y",
}
CHANGE = {"step": "category"}


def value_of(page: str, name: str) -> str:
    """What a form's input holds."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    return unescape(found[1]) if found else ""


def is_kept(page: str) -> bool:
    """Whether the text and the consent stand in the form."""
    consent = re.search(r'<input[^>]*name="agreed"[^>]*>', page)
    return "お願いします。\n&lt;b&gt;至急" in page and bool(consent and "checked" in consent[0])


def test_categories_are_radio_buttons_and_no_links(visit):
    """COM-50: all of them, the one that the address names chosen; a button shows its fields without scripts."""
    page = visit("facility", "hanako").get(f"{NEW}?category=cancel").text
    radios = re.findall(r'<input[^>]*name="category"[^>]*type="radio"[^>]*>', page)
    assert [re.findall(r'value="(\w+)"', one)[0] for one in radios] == ["change", "cancel", "other"]
    assert ["checked" in one for one in radios] == [False, True, False]
    assert "category=change" not in page
    assert '<button class="btn sec sm" name="step" value="category" formnovalidate>' in page


def test_changing_the_category_keeps_text_consent_and_number(visit, inside):
    """COM-23: there and back, also by way of a category that asks for no number; nothing is sent."""
    visitor = visit("facility", "hanako")
    cancel = visitor.post(NEW, ASK | CHANGE | {"category": "cancel"})
    assert cancel.status_code == 200
    assert is_kept(cancel.text)
    assert '<option selected value="FR000001">' in cancel.text
    assert 'name="f_reason"' in cancel.text
    assert "入力してください。" not in cancel.text
    other = visitor.post(NEW, ASK | CHANGE | {"category": "other"}).text
    assert is_kept(other)
    assert re.search(r'<input type="hidden" name="about" value="FR000001">', other)
    again = visitor.post(NEW, ASK | CHANGE).text
    assert is_kept(again)
    assert value_of(again, "f_day") == "2026-12-01"
    assert "午後へ</textarea>" in again
    with inside("facility"):
        assert session().scalar(select(func.count(Inquiry.id))) == 0


def test_what_was_typed_for_another_category_goes_nowhere(visit, inside):
    """COM-50: the inquiry holds what its own category asks for."""
    visitor = visit("facility", "hanako")
    kept = visitor.post(NEW, ASK | {"category": "other"})
    shown = visitor.get(kept.location).text
    assert "その他お問合せ" in shown
    token = {"draft": kept.location.rpartition("=")[2]}
    assert visitor.post(f"{NEW}/confirm", token).status_code == 303
    with inside("facility"):
        made = session().scalars(select(Inquiry)).one()
        assert (made.category, made.about, made.fields) == ("other", "", [])


def test_a_guest_changes_the_category_and_keeps_everything(visit):
    """COM-53, COM-23: name, address, text, consent, stamp; then the next steps go on as ever."""
    visitor = visit("facility")
    stamp = stamp_of(visitor.get(GUEST).text)
    typed = TYPED | {"stamp": stamp, "body": ASK["body"], "about": "FR000009", "category": "cancel"}
    changed = visitor.post(GUEST, typed | CHANGE)
    assert changed.status_code == 200
    assert is_kept(changed.text)
    assert value_of(changed.text, "name") == TYPED["name"]
    assert value_of(changed.text, "about") == "FR000009"
    assert stamp_of(changed.text) == stamp
    confirm = visitor.post(GUEST, typed).text
    assert "予約のキャンセルを希望" in confirm
    back = visitor.post(GUEST, typed | {"step": "edit"}).text
    assert is_kept(back)


@pytest.mark.parametrize("category", ["", "nothing", "あ", "x" * 500])
def test_no_such_category_is_the_one_for_everything_else(visit, category):
    """COM-50: also typed by hand."""
    page = visit("facility", "hanako").post(NEW, ASK | CHANGE | {"category": category})
    assert page.status_code == 200
    assert is_kept(page.text)
