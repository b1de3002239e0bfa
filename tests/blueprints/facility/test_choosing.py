"""FAC-11: what is said before one books: free times of all facilities, rules, prices, and that a time is taken."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from pydantic import ValidationError

from portal import create_app
from portal.blueprints.facility import booking, queries
from portal.blueprints.facility.config import FacilityConfig
from portal.blueprints.facility.models import Facility
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import db, session
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

FORM = "/facility/facilities/LC-01/reservation"
TYPED = {
    "day": "2026-11-25",
    "starts": "10:00",
    "ends": "12:00",
    "headcount": "2",
    "purpose": "試作部品の切断",
    "remarks": "台車を使います",
}
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def priced(settings, tmp_path, cheap_passwords):
    """A visitor of a portal where one of two options has a price."""
    file = tmp_path / "tenants.toml"
    old = 'facility = { options = ["集塵機", "保護メガネ"] }'
    new = 'facility = { options = ["集塵機", "保護メガネ"], option_prices = { "集塵機" = 1500 } }'
    file.write_text(settings.tenants_file.read_text().replace(old, new))
    app = create_app(type(settings)(**{**vars(settings), "tenants_file": file}))
    with clock.freeze(NOW):
        visitor = Visitor(app, "facility")
        visitor.sign_in("hanako", PASSWORD)
        yield visitor
    with app.app_context():
        db.engine.dispose()


def take(inside, tenant: Tenant, cast: Any, starts: Any, hours: int) -> None:
    """Somebody else has the machine from `starts` on."""
    with inside("facility"):
        found = queries.any_reservation(cast.strangers)
        booking.reschedule(tenant, found, starts, starts + timedelta(hours=hours), by=SYSTEM)
        session().commit()


def test_one_page_says_what_is_free_on_a_day_across_facilities(visit, inside, tenant, cast):
    """FAC-11: spans by facility, with their buffer; a link leads to the form at that time."""
    with inside("facility"):
        session().add(Facility(code="MC-01", name="切削機", hourly_price=9000, daily_price=60000))
        session().commit()
    take(inside, tenant, cast, clock.local(2026, 11, 25, 11), 2)
    page = visit("facility", "hanako")
    shown = page.get("/facility/facilities?day=2026-11-25").text.partition("<tbody>")[2]
    rows = shown.partition("</tbody>")[0].split("<tr>")[1:]
    spans = [re.findall(r"(\d\d:\d\d〜\d\d:\d\d)<", row) for row in rows]
    assert spans == [["09:00〜10:30", "13:30〜18:00"], ["09:00〜18:00"]]
    assert f'href="{FORM}?day=2026-11-25&amp;starts=13:30"' in rows[0]
    take(inside, tenant, cast, clock.local(2026, 11, 26, 9), 9)
    assert page.get("/facility/facilities?day=2026-11-26").text.count("空きはありません") == 1
    for wrong in ("x", "2026-13-01", "0001-01-01", "9999-12-31"):
        refused = page.get("/facility/facilities", query_string={"day": wrong})
        assert refused.status_code == 422
        assert "切削機" in refused.text
    assert "空きはありません" not in page.get("/facility/facilities").text


@ONE
@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2026-11-28", "休業日です。ほかの日をお選びください。"),
        ("2026-11-22", "過ぎた日時はご予約いただけません。"),
        ("2028-01-01", "2027/05/23までの日付をお選びください。"),
        ("x", "日付は、2026/11/22のように入力してください。"),
    ],
)
def test_a_day_that_nobody_can_have_is_told_alike_in_the_search_and_in_the_form(
    visit, day, message
):
    """FAC-11, COM-23: one word for a closed day, and days that are past are not searched."""
    page = visit("facility", "hanako")
    for refused in (
        page.get("/facility/facilities", query_string={"day": day}),
        page.post(FORM, TYPED | {"day": day}),
    ):
        assert refused.status_code == 422
        assert message in refused.text.partition('id="day-e"')[2].partition("</p>")[0]
        assert "空きはありません" not in refused.text


@ONE
def test_the_week_says_opening_hours_the_shortest_time_and_the_buffer(visit):
    """FAC-11: before a time is chosen; the form says the buffer too."""
    page = visit("facility", "hanako")
    week = page.get("/facility/facilities/LC-01").text
    assert "ご利用は09:00から18:00まで、30分単位、60分以上です。" in week
    for text in (week, page.get(FORM).text):
        assert "ご利用とご利用の間に、準備のため15分をいただいています。" in text


@ONE
def test_the_week_marks_closed_days_and_the_time_between_two_uses(visit, inside, tenant, cast):
    """FAC-11: 休業日 as in search and form, △ where the buffer alone is in the way."""
    take(inside, tenant, cast, clock.local(2026, 11, 25, 11), 2)
    week = visit("facility", "hanako").get("/facility/facilities/LC-01?week=2026-11-25").text
    rows = re.findall(r'<th scope="row">(\d\d:\d\d)</th>(.*?)</tr>', week, re.DOTALL)
    kinds = {at: re.findall(r'<td class="(\w+)-slot">', cells) for at, cells in rows}
    closed = ["closed"] * 2
    assert kinds["10:00"] == ["closed", "free", "buffer", "free", "free", *closed]
    assert kinds["12:30"] == ["closed", "free", "taken", "free", "free", *closed]
    assert kinds["13:00"] == ["closed", "free", "buffer", "free", "free", *closed]
    assert "休：休業日" in week
    assert "△：準備時間" in week


def test_a_time_within_the_buffer_is_told_as_such(visit, inside, tenant, cast):
    """FAC-11, COM-22: another's use ends when this one would begin."""
    take(inside, tenant, cast, clock.local(2026, 11, 25, 11), 2)
    refused = visit("facility", "hanako").post(FORM, TYPED | {"starts": "13:00", "ends": "14:00"})
    assert refused.status_code == 422
    assert "前後のご利用の準備に15分をいただいています。" in refused.text
    assert "ほかのご予約と重なっています" not in refused.text


def test_a_time_that_is_taken_is_told_on_the_way_into_the_confirm_page(visit, inside, tenant, cast):
    """FAC-11, COM-22: the form again with everything typed, before any last press."""
    take(inside, tenant, cast, clock.local(2026, 11, 25, 11), 2)
    answer = visit("facility", "hanako").post(FORM, TYPED)
    assert answer.status_code == 422
    assert "ほかのご予約と重なっています" in answer.text
    assert "試作部品の切断" in answer.text


@ONE
def test_options_say_their_price_and_are_totalled_before_booking(priced):
    """FAC-11: at the choice, and on 内容確認 with tax; what has no price is said to come later."""
    assert "集塵機（＋¥1,500）" in priced.get(FORM).text
    sent = priced.post(FORM, TYPED | {"options": ["集塵機", "保護メガネ"]})
    confirm = priced.get(sent.location).text
    rows = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", confirm))
    assert rows["ご利用料金（税抜）"] == "¥9,000"
    assert rows["オプション：集塵機"] == "¥1,500"
    assert rows["オプション：保護メガネ"] == "ご利用後に確定"
    assert rows["料金の目安（税抜）"] == "¥10,500"
    assert rows["料金の目安（税込）"] == "¥11,550"
    draft = sent.location.rpartition("=")[2]
    done = priced.post(f"{FORM}/confirm", {"draft": draft}, page=sent.location)
    number = re.search(r"FR\d{6}", priced.get(done.location).text)
    assert number
    shown = priced.get(f"/facility/reservations/{number[0]}").text
    assert "<dt>オプション：集塵機</dt><dd>¥1,500</dd>" in shown
    assert "<dt>料金の目安（税込）</dt><dd>¥11,550</dd>" in shown


@ONE
def test_what_a_reservation_was_quoted_stays_when_prices_change(visit, inside, cast):
    """COM-33: the page shows the price of the day it was booked."""
    with inside("facility"):
        found = queries.any_reservation(cast.requested)
        found.options = ["集塵機"]
        found.option_prices = {"集塵機": 700}
        session().commit()
    shown = visit("facility", "hanako").get(f"/facility/reservations/{cast.requested}").text
    assert "<dt>オプション：集塵機</dt><dd>¥700</dd>" in shown


def test_a_price_of_no_option_is_a_mistake():
    """OPS-02: with the nearest name."""
    with pytest.raises(ValidationError, match="did you mean"):
        FacilityConfig(options=("集塵機",), option_prices={"集塵器": 1})
    for wrong in (-1, "1", 1.5):
        with pytest.raises(ValidationError):
            FacilityConfig(options=("集塵機",), option_prices={"集塵機": wrong})


@ONE
def test_the_way_back_keeps_search_order_and_page(visit, cast):
    """COM-21: from a reservation to the list as it was left, and nowhere else."""
    page = visit("facility", "hanako")
    listed = page.get("/facility/reservations?status=billed&sort=oldest").text
    href = re.search(rf'href="(/facility/reservations/{cast.billed}[^"]*)"', listed)
    assert href
    back = page.get(href[1]).text
    assert 'href="/facility/reservations?status=billed&amp;sort=oldest"' in back
    plain = re.search(
        rf'href="(/facility/reservations/{cast.billed}[^"]*)"',
        page.get("/facility/reservations").text,
    )
    assert plain
    assert plain[1] == f"/facility/reservations/{cast.billed}"
    for strange in ("https://evil.example/", "//evil.example", "x=1&status=", "%00", "a" * 9000):
        answer = page.get(f"/facility/reservations/{cast.billed}", query_string={"list": strange})
        assert answer.status_code == 200
        found = re.findall(r'href="([^"]*)"[^>]*>(?:<svg.*?</svg>)?ご利用履歴へ戻る', answer.text)
        assert found == ["/facility/reservations"], strange
