"""FAC-05, FAC-09: the forms that ask for a change or a cancellation: which reservation, and when."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.blueprints.facility import booking, queries
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts.models import Account, Member
from portal.shared.inquiries.models import Inquiry, Status

NEW = "/inquiries/new"
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CANCEL = {"category": "cancel", "f_reason": "", "body": "取りやめます。", "agreed": "y"}
CHANGE = {
    "category": "change",
    "f_day": "2026-12-04",
    "f_from": "",
    "f_what": "午後へ",
    "body": "お願いします。",
    "agreed": "y",
}


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def two(inside, tenant, cast) -> tuple[str, str]:
    """Two reservations of one account, three and twelve days ahead: 50% and nothing to pay."""
    with inside("facility"):
        first = queries.any_reservation(cast.requested)
        start = clock.local(2026, 11, 26, 13)
        booking.reschedule(tenant, first, start, start + timedelta(hours=3), by=SYSTEM)
        account = session().get_one(Account, first.account_id)
        who = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        machine = queries.facility("LC-01")
        later = start + timedelta(days=12)
        wanted = booking.Booking(machine, later, later + timedelta(hours=3))
        second = booking.create_reservation(tenant, account, who, wanted, by=SYSTEM)
        session().commit()
        return first.number, second.number


def facts(page: str) -> str:
    """What the form says of the reservation that is chosen."""
    return page.partition('id="category-fields"')[2].partition("</dl>")[0]


def send(visitor: Any, typed: dict[str, str], path: str = NEW) -> str:
    """The page of 内容確認, and then the last press."""
    sent = visitor.post(path, typed)
    assert sent.status_code == 303, sent.text
    confirm = str(visitor.get(sent.location).text)
    token = {"draft": sent.location.rpartition("=")[2]}
    assert visitor.post(f"{NEW}/confirm", token, page=sent.location).status_code == 303
    return confirm


@ONE
def test_what_is_said_of_a_reservation_follows_the_one_that_is_chosen(visit, two):
    """FAC-05: by the button without scripts and by htmx, whatever number the address names."""
    first, second = two
    page = visit("facility", "hanako")
    opened = page.get(f"{NEW}?category=cancel&about={first}").text
    assert first in facts(opened)
    assert "ご利用料金の50%" in facts(opened)
    select_tag = re.search(r'<select[^>]*name="about"[^>]*>', opened)
    assert select_tag
    assert 'data-hx-trigger="change"' in select_tag[0]
    for path in (NEW, f"{NEW}?category=cancel&about={first}"):
        changed = page.post(path, CANCEL | {"about": second, "step": "category"})
        assert changed.status_code == 200
        assert second in facts(changed.text)
        assert first not in facts(changed.text)
        assert "かかりません" in facts(changed.text)
    confirm = page.post(NEW, CANCEL | {"about": second})
    assert "かかりません" in page.get(confirm.location).text
    assert "50%" not in page.get(confirm.location).text


@ONE
def test_after_going_back_another_reservation_can_be_chosen(visit, two):
    """FAC-05, COM-22: what is chosen in the form comes before what the draft says."""
    first, second = two
    page = visit("facility", "hanako")
    draft = page.post(NEW, CANCEL | {"about": first}).location.rpartition("=")[2]
    back = f"{NEW}?draft={draft}"
    assert first in facts(page.get(back).text)
    changed = page.post(back, CANCEL | {"about": second, "step": "category"})
    assert second in facts(changed.text)
    assert first not in facts(changed.text)


def test_a_second_cancellation_is_told_at_the_field_while_one_is_open(visit, inside, two):
    """FAC-05, COM-23: with the number of the first; another reservation, and a closed request, stand in no way."""
    first, second = two
    page = visit("facility", "hanako")
    send(page, CANCEL | {"about": first})
    with inside("facility"):
        asked = session().scalars(select(Inquiry)).one()
        number = asked.number
    refused = page.post(NEW, CANCEL | {"about": first})
    assert refused.status_code == 422
    error = refused.text.partition('id="about-e"')[2].partition("</p>")[0]
    assert f"すでにお申し込みいただいています（受付番号 {number}）" in error
    assert "取りやめます。" in refused.text
    assert page.post(NEW, CHANGE | {"about": first}).status_code == 303
    assert page.post(NEW, CANCEL | {"about": second}).status_code == 303
    with inside("facility"):
        session().scalars(select(Inquiry)).one().status = Status.CLOSED
        session().commit()
    assert page.post(NEW, CANCEL | {"about": first}).status_code == 303


@ONE
@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"f_day": "2020-01-01"}, "f_day", "本日以降の日付を入力してください。"),
        ({"f_day": "2026-11-22"}, "f_day", "本日以降の日付を入力してください。"),
        ({"f_day": "あした"}, "f_day", "日付は、2026/11/22のように入力してください。"),
        ({"f_day": "2026-02-30"}, "f_day", "日付は、2026/11/22のように入力してください。"),
        ({"f_from": "03:00"}, "f_from", "09:00から18:00までの時刻を入力してください。"),
        ({"f_from": "18:01"}, "f_from", "09:00から18:00までの時刻を入力してください。"),
        ({"f_from": "25:00"}, "f_from", "時刻は、13:30のように入力してください。"),
    ],
)
def test_what_nobody_can_wish_for_is_told_at_its_field(visit, two, change, field, message):
    """FAC-09, COM-23: a day that is past, a time outside opening hours, and what is neither."""
    refused = visit("facility", "hanako").post(NEW, CHANGE | {"about": two[0]} | change)
    assert refused.status_code == 422
    assert message in refused.text.partition(f'id="{field}-e"')[2].partition("</p>")[0]
    assert f'value="{change[field]}"' in refused.text


def test_a_wished_day_is_shown_as_days_are_shown_everywhere(visit, inside, two):
    """FAC-09, COM-50: on 内容確認, in the thread, and kept so for operators."""
    page = visit("facility", "hanako")
    typed = CHANGE | {"about": two[0], "f_day": "２０２６年１２月４日", "f_from": "９:００"}
    confirm = send(page, typed)
    assert "2026/12/04(金)" in confirm
    assert "2026-12-04" not in confirm
    with inside("facility"):
        made = session().scalars(select(Inquiry)).one()
        assert made.fields[:2] == [["ご希望日", "2026/12/04(金)"], ["ご希望の開始時刻", "09:00"]]
        number = made.number
    assert "2026/12/04(金)" in page.get(f"/inquiries/{number}").text


@ONE
def test_today_can_be_wished_for_and_going_back_keeps_the_day(visit, two):
    """COM-22, COM-23: the field of the browser wants it as ISO."""
    page = visit("facility", "hanako")
    sent = page.post(NEW, CHANGE | {"about": two[0], "f_day": "2026/11/23"})
    assert sent.status_code == 303
    back = page.get(f"{NEW}?draft={sent.location.rpartition('=')[2]}").text
    day = re.search(r'<input[^>]*name="f_day"[^>]*>', back)
    assert day
    assert 'value="2026-11-23"' in day[0]
    assert 'type="date"' in day[0]
