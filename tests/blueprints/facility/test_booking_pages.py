"""FAC-11 in pages: facilities, a week, 入力 → 内容確認 → 完了, and what is refused on the way."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import func, select

from portal.blueprints.facility import booking, queries
from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, Member
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Kind
from tests.cast import CANARY

FORM = "/facility/facilities/LC-01/reservation"
TYPED: dict[str, Any] = {
    "day": "２０２６年１１月２５日",
    "starts": "10:00",
    "ends": "12:00",
    "headcount": "２",
    "purpose": "試作部品の切断",
    "remarks": "台車を使います\r\n<b>",
}


def picture(width: int = 40, height: int = 30) -> bytes:
    """A PNG picture."""
    out = io.BytesIO()
    Image.effect_noise((width, height), 60).save(out, "PNG")
    return out.getvalue()


PNG = picture()


def reservations(inside) -> int:
    with inside("facility"):
        return session().scalar(select(func.count(Reservation.id))) or 0


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def taken(inside, tenant) -> Callable[[], str]:
    """The other account books Wednesday from ten to twelve."""

    def book() -> str:
        with inside("facility"):
            machine = session().scalars(select(Facility)).one()
            member = session().scalars(select(Member).where(Member.login_id == "yumi")).one()
            start = clock.local(2026, 11, 25, 10)
            wanted = booking.Booking(machine, start, start + timedelta(hours=2))
            account = session().get_one(Account, member.account_id)
            number = booking.create_reservation(tenant, account, member, wanted, by=SYSTEM).number
            session().commit()
            return number

    return book


def test_the_list_shows_what_can_be_had_and_nothing_of_the_twin(visit, inside):
    """FAC-11: name, description, prices, place, people; what is closed is not there, nor by its address."""
    with inside("facility"):
        machine = session().scalars(select(Facility)).one()
        machine.description, machine.place, machine.capacity = (
            "切断と彫刻。",
            "1階 A区画（24㎡）",
            4,
        )
        closed = Facility(
            code="ZZ-99", name="休止中の炉", hourly_price=1, daily_price=1, is_active=False
        )
        session().add(closed)
        session().commit()
    page = visit("facility", "hanako")
    listed = page.get("/facility/facilities").text
    for word in ("切断と彫刻。", "1時間 ¥4,500／1日 ¥28,000", "1階 A区画（24㎡）", "4名"):
        assert word in listed
    assert "休止中の炉" not in listed
    assert CANARY["studio"] not in listed
    for path in ("", "/reservation", "/reservation/confirm", "/reservation/done", "/photo"):
        for code in ("ZZ-99", "NO-00"):
            assert page.get(f"/facility/facilities/{code}{path}").status_code == 404


def test_a_brand_without_facilities_says_so(visit, inside):
    """COM-20: an empty list is no empty page."""
    with inside("facility"):
        session().scalars(select(Facility)).one().is_active = False
        session().commit()
    assert (
        "ご予約いただける設備はありません"
        in visit("facility", "hanako").get("/facility/facilities").text
    )


def test_a_week_turns_within_what_can_be_reserved(visit, taken):
    """FAC-11: free times lead to the form, taken ones say so, no week before this one or past the last."""
    taken()
    page = visit("facility", "hanako")
    week = page.get("/facility/facilities/LC-01").text
    assert f"{FORM}?day=2026-11-25&amp;starts=13:00" in week
    assert f"{FORM}?day=2026-11-25&amp;starts=11:00" not in week
    assert f"{FORM}?day=2026-11-23" not in week  # 勤労感謝の日
    assert week.count('class="taken-slot"') == 5
    assert 'id="week-previous"' not in week
    assert 'href="/facility/facilities/LC-01?week=2026-11-30"' in week
    last = page.get("/facility/facilities/LC-01?week=2030-01-01").text
    assert 'id="week-next"' not in last
    for wrong in ("x", "0000-00-00", "2026-W48", "9999-12-31", "0001-01-01"):
        assert (
            page.get("/facility/facilities/LC-01", query_string={"week": wrong}).status_code == 200
        )
    part = page.get(
        "/facility/facilities/LC-01?week=2026-11-30", headers={"HX-Request": "true"}
    ).text
    assert part.lstrip().startswith('<div id="week">')


def test_a_reservation_is_asked_for_once(visit, inside):
    """FAC-11, COM-22: what was typed is shown with its price; a second press does nothing more; a mail goes out."""
    page = visit("facility", "kenichi")
    before = reservations(inside)
    sent = page.post(FORM, TYPED | {"options": ["集塵機", "保護メガネ"]})
    assert sent.status_code == 303
    confirm = page.get(sent.location)
    for word in ("2026/11/25(水) 10:00〜12:00", "¥9,000", "集塵機、保護メガネ", "&lt;b&gt;"):
        assert word in confirm.text
    draft = re.search(r'name="draft" value="([^"]+)"', confirm.text)
    assert draft
    for _press in range(2):
        done = page.post(f"{FORM}/confirm", {"draft": draft[1]}, page=sent.location)
        assert (done.status_code, done.location) == (303, f"{FORM}/done")
    assert reservations(inside) == before + 1
    number = re.search(r"FR\d{6}", page.get(done.location).text)
    assert number
    with inside("facility"):
        made = queries.any_reservation(number[0])
        assert (made.status, made.price, made.headcount) == (Status.REQUESTED, 9000, 2)
        assert made.options == ["集塵機", "保護メガネ"]
        assert made.starts_at == clock.local(2026, 11, 25, 10)
        assert made.held_until == clock.local(2026, 11, 25, 12, 15)
        assert made.remarks == "台車を使います\n<b>"
        assert made.contact["name"].endswith("健一")
        subjects = [mail.subject for mail in session().scalars(select(OutboxMail))]
        assert [s for s in subjects if number[0] in s and "予約受付" in s]
    assert "¥9,000" in page.get(f"/facility/reservations/{number[0]}").text
    back = page.get(f"{FORM}?draft={draft[1]}").text
    assert 'value="2026-11-25"' in back
    assert "試作部品の切断" in back


def test_an_option_that_is_sent_often_is_chosen_once(visit, inside):
    """FAC-11: in the order in which it was chosen, on 内容確認 and kept."""
    page = visit("facility", "hanako")
    sent = page.post(FORM, TYPED | {"options": ["保護メガネ", "集塵機"] + ["保護メガネ"] * 50})
    confirm = page.get(sent.location).text
    assert "保護メガネ、集塵機</dd>" in confirm
    page.post(f"{FORM}/confirm", {"draft": sent.location.rpartition("=")[2]}, page=sent.location)
    with inside("facility"):
        newest = select(Reservation).order_by(Reservation.id.desc()).limit(1)
        assert session().scalars(newest).one().options == ["保護メガネ", "集塵機"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"day": ""}, "入力してください。"),
        ({"day": "2026-11-22"}, "過ぎた日時はご予約いただけません。"),
        ({"day": "2026-11-28"}, "休業日です。"),
        ({"day": "2027-06-01"}, "2027/05/23までの日付をお選びください。"),
        ({"starts": "", "ends": "12:00"}, "選択してください。"),
        ({"starts": "12:00", "ends": "10:00"}, "終了時刻は開始時刻より後にしてください。"),
        ({"starts": "10:00", "ends": "10:30"}, "60分以上でお選びください。"),
        ({"starts": "10:01"}, "一覧から選択してください。"),
        ({"headcount": "0"}, "1以上の数字で入力してください。"),
        ({"headcount": "5"}, "4名までご利用いただけます。"),
        ({"purpose": ""}, "入力してください。"),
        ({"purpose": "あ" * 201}, "200文字以内で入力してください（現在201文字）。"),
        ({"options": "爆薬"}, "一覧から選択してください。"),
        ({"options": ["集塵機", "免費", "爆薬"]}, "一覧から選択してください。"),
        ({"billing": "0" * 16}, "一覧から選択してください。"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_wrong_is_said_at_its_field_and_all_is_kept(visit, inside, change, said):
    """COM-23, FAC-11: 422, the message, what was typed."""
    with inside("facility"):
        session().scalars(select(Facility)).one().capacity = 4
        session().commit()
    answer = visit("facility", "hanako").post(FORM, TYPED | change)
    assert answer.status_code == 422
    summary = answer.text.split('class="summary"')[1].split("</div>")[0]
    assert said in summary
    assert "台車を使います" in answer.text


def test_who_is_slower_goes_back_to_the_form_with_everything_typed(visit, inside, taken):
    """FAC-11, COM-22: taken between confirming and pressing; another time then goes through."""
    page = visit("facility", "hanako")
    sent = page.post(FORM, TYPED)
    draft = sent.location.rpartition("=")[2]
    taken()
    before = reservations(inside)
    refused = page.post(f"{FORM}/confirm", {"draft": draft}, page=sent.location)
    assert refused.status_code == 422
    assert "ほかのご予約と重なっています" in refused.text
    assert "試作部品の切断" in refused.text
    assert reservations(inside) == before
    again = page.post(FORM, TYPED | {"starts": "13:00", "ends": "14:00"})
    done = page.post(
        f"{FORM}/confirm", {"draft": again.location.rpartition("=")[2]}, page=again.location
    )
    assert done.status_code == 303
    assert reservations(inside) == before + 1


def test_the_billing_address_that_was_chosen_is_copied(visit, inside, tenant):
    """FAC-03, COM-31: the usual one stands there already; another can be chosen."""
    names = dict.fromkeys(contacts.FIELDS, "") | {"postal_code": "1000001", "prefecture": "東京都"}
    with inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        made = [
            contacts.add(tenant, member.account_id, Kind.BILLING, names | {"name": name}, by=SYSTEM)
            for name in ("第一請求先", "第二請求先")
        ]
        session().commit()
        numbers = [contacts.number_of(address) for address in made]
    page = visit("facility", "hanako")
    assert re.search(rf'<option selected value="{numbers[0]}">第一請求先', page.get(FORM).text)
    sent = page.post(FORM, TYPED | {"billing": numbers[1]})
    assert "第二請求先" in page.get(sent.location).text
    page.post(f"{FORM}/confirm", {"draft": sent.location.rpartition("=")[2]}, page=sent.location)
    with inside("facility"):
        newest = (
            session().scalars(select(Reservation).order_by(Reservation.id.desc()).limit(1)).one()
        )
        assert (newest.billing["name"], newest.billing["address"]) == ("第二請求先", "東京都")


def test_the_picture_is_an_operators_png(visit, inside, run, tmp_path):
    """FAC-11: set by CLI, shown on the pages, kept by its digest."""
    file, text = tmp_path / "a.png", tmp_path / "a.txt"
    file.write_bytes(PNG)
    text.write_text("no picture", encoding="utf-8")
    page = visit("facility", "hanako")
    assert "<img" not in page.get("/facility/facilities").text
    assert page.get("/facility/facilities/LC-01/photo").status_code == 404
    words = ["facility", "set-photo", "LC-01", "--tenant", "facility"]
    wrong = run.invoke(args=[*words, str(text)])
    assert (wrong.exit_code, wrong.stderr) == (2, "Error: 2MBまでのPNG画像を指定してください。\n")
    assert run.invoke(args=[*words, str(file)]).exit_code == 0
    assert 'src="/facility/facilities/LC-01/photo?v=' in page.get("/facility/facilities").text
    photo = page.get("/facility/facilities/LC-01/photo")
    assert (photo.status_code, photo.mimetype, photo.data) == (200, "image/png", PNG)
    assert visit("studio", "hanako").get("/facility/facilities/LC-01/photo").status_code == 404


def damaged(data: bytes) -> bytes:
    """The picture with one byte of its rows changed."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    ("data", "because"),
    [
        pytest.param(PNG[:-400], "途中で切れている", id="cut off"),
        pytest.param(PNG[:20], "途中で切れている", id="a head without a size"),
        pytest.param(PNG[:40], "途中で切れている", id="a head alone"),
        pytest.param(damaged(PNG), "壊れています", id="one byte changed"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"0" * 100, "大きすぎます", id="no size"),
        pytest.param(PNG[:16] + b"\x00\x00\xff\xff" * 2 + PNG[24:], "大きすぎます", id="huge"),
        pytest.param(b"GIF89a" + PNG, "2MBまでのPNG画像", id="another kind"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_half_a_picture_is_refused_and_the_present_one_stays(run, inside, tmp_path, data, because):
    """FAC-11: it is decoded to its last row before it is taken."""
    file = tmp_path / "a.png"
    file.write_bytes(data)
    refused = run.invoke(args=["facility", "set-photo", "LC-01", str(file), "--tenant", "facility"])
    assert refused.exit_code == 2
    assert because in refused.stderr
    with inside("facility"):
        assert session().scalars(select(Facility)).one().photo == ""
