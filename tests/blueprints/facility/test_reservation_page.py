"""The page of one reservation: what it shows at each status, its papers, and to whom it exists (FAC-03, FAC-04)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.blueprints.facility import booking as bookings
from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Facility, Reservation, Status
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts.models import Account, Member
from portal.shared.billing.lines import BillLine
from portal.web.document_views import LATE
from tests.cast import CANARY

BOOKED = clock.local(2026, 11, 2, 9, 5)
START = clock.local(2026, 11, 20, 13, 30)
LINES = [
    BillLine("利用料 <3時間>", 3, "時間", 4500, 10),
    BillLine("お飲み物", 2, "本", 120, 8, reduced=True),
    BillLine("お値引き", 1, "式", -1000, 10),
]
REPORT = operations.WorkReport("切削", "大森")
PAPERS = {"invoice": "請求書発行", "work-report": "作業完了報告書発行", "receipt": "領収書発行"}
DASH = "—"
TRACK = ["予約受付", "予約確定", "ご利用中", "ご利用済", "請求確定", "お支払済"]
Step = Callable[[str, Status], None]


def cards(answer: TestResponse) -> dict[str, dict[str, str]]:
    """The page as a member reads it: each card's labels and values."""
    assert answer.status_code == 200
    found = re.findall(r'<section class="card" id="(\w+)".*?</section>', answer.text, re.DOTALL)
    parts = re.findall(r'<section class="card" id="\w+"(.*?)</section>', answer.text, re.DOTALL)
    pair = r"<dt>(.*?)</dt><dd>(.*?)</dd>"
    return {
        name: {
            unescape(label): unescape(value) for label, value in re.findall(pair, part, re.DOTALL)
        }
        for name, part in zip(found, parts, strict=True)
    }


def track(answer: TestResponse) -> tuple[list[str], list[str]]:
    """The steps that are done, and the one where the reservation stands."""
    done = re.findall(r'<li class="done">.*?<span>([^<]+)<', answer.text, re.DOTALL)
    here = r'<li aria-current="step">\s*<i[^>]*>\d</i>\s*<span>([^<]+)<'
    return done, re.findall(here, answer.text)


def badge(answer: TestResponse) -> tuple[str, str]:
    found = re.search(r'<span class="badge (\w+)">([^<]+)</span>', answer.text)
    assert found, "no badge"
    return found[1], found[2]


def papers(answer: TestResponse) -> dict[str, str]:
    """Each button of 帳票発行: the address that it leads to, or the reason why it is off."""
    part = answer.text.split('id="papers"')[1].split("</section>")[0]
    given: dict[str, str] = {}
    for item in part.split("<li>")[1:]:
        words = re.sub(r"<svg.*?</svg>", "", item)
        if link := re.search(r'<a class="btn sec" href="([^"]+)">([^<]+)</a>', words):
            given[link[2]] = link[1]
            continue
        off = re.search(
            r'aria-disabled="true" aria-describedby="([\w-]+)">([^<]+)</button>(.*)',
            words,
            re.DOTALL,
        )
        assert off, item
        reason = re.search(rf'<span class="why" id="{off[1]}">([^<]+)</span>', off[3])
        assert reason, "no reason beside the button that is off"
        given[off[2]] = reason[1]
    return given


@pytest.fixture
def step(app: Flask, inside: Callable[[str], Any]) -> Step:
    """Let an operator do one step with the reservation, an hour after the one before."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    moments = iter(START + timedelta(hours=n) for n in range(20))
    does: dict[Status, Callable[[Reservation], object]] = {
        Status.CONFIRMED: lambda r: operations.confirm(tenant, r, by=SYSTEM),
        Status.IN_USE: lambda r: operations.start(tenant, r, by=SYSTEM),
        Status.USED: lambda r: operations.finish(tenant, r, REPORT, by=SYSTEM),
        Status.BILLED: lambda r: operations.fix_amount(tenant, r, LINES, by=SYSTEM),
        Status.PAID: lambda r: operations.record_payment(tenant, r, by=SYSTEM),
        Status.CANCELLED: lambda r: operations.cancel(tenant, r, charge=0, by=SYSTEM),
    }

    def take(number: str, to: Status) -> None:
        with inside("facility"), clock.freeze(next(moments)):
            does[to](queries.any_reservation(number))
            session().commit()

    return take


@pytest.fixture
def number(app: Flask, inside: Callable[[str], Any]) -> str:
    """A reservation of account 1 with something in every field."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"), clock.freeze(BOOKED):
        hanako = session().scalars(select(Member).where(Member.email == "hanako@one.example")).one()
        hanako.department, hanako.telephone = "製造<部>", "0312345678"
        account = session().get_one(Account, hanako.account_id)
        account.prefecture, account.city, account.street = "東京都", "港区", "1-2-3"
        booking = bookings.Booking(
            session().scalars(select(Facility)).one(),
            START,
            START + timedelta(hours=3),
            purpose='試作 "A&B"',
            remarks="<script>alert(1)</script>",
            headcount=12,
            options=["集塵機", "保護<メガネ>"],
        )
        made = bookings.create_reservation(tenant, account, hanako, booking, by=SYSTEM)
        session().commit()
        return made.number


def test_each_status_shows_what_is_known_by_then(visit, step, number):
    """FAC-03, FAC-04: from request to payment; the times are those of the booking and of the operator's steps."""
    page = visit("facility", "hanako")
    path = f"/facility/reservations/{number}"
    later, fixed = "ご利用後に確定します", "¥14,009"  # 12,500 and its 10%, 240 and its 8%
    asked = ("予約完了日時", "2026/11/02(月) 09:05")
    confirmed = "2026/11/20(金) 13:30"
    off = dict.fromkeys(PAPERS.values(), operations.NOT_BEFORE_BILLED)
    waiting = dict.fromkeys(PAPERS.values(), LATE)  # read three days after the amount was fixed
    totals = {
        "小計（税抜）": "¥12,740",
        "消費税（10%対象 ¥12,500）": "¥1,250",
        "消費税（※8%対象 ¥240）": "¥19",
        "合計（税込）": "¥14,009",
    }
    unpaid, open_, paid = (
        (DASH, later, "未確定"),
        ("2026/12/31(木)", fixed, "お支払い待ち"),
        ("2026/12/31(木)", fixed, "お支払済"),
    )
    table = [
        (Status.REQUESTED, "warn", DASH, unpaid, off),
        (Status.CONFIRMED, "info", confirmed, unpaid, off),
        (Status.IN_USE, "info", confirmed, unpaid, off),
        (Status.USED, "mute", confirmed, unpaid, off),
        (
            Status.BILLED,
            "warn",
            confirmed,
            open_,
            waiting | {"領収書発行": operations.NOT_BEFORE_PAID},
        ),
        (Status.PAID, "ok", confirmed, paid, waiting),
    ]
    for place, (status, tone, confirmed_at, (due, amount, state), buttons) in enumerate(table):
        if place:
            step(number, status)
        answer = page.get(path)
        shown = cards(answer)
        has_something_to_do = status in (Status.REQUESTED, Status.CONFIRMED, Status.BILLED)
        assert list(shown) == [
            *(["next"] if has_something_to_do else []),
            *("booking", "use", "payment", "papers", "related", "contacts"),
        ]
        assert badge(answer) == (tone, TRACK[place])
        assert track(answer) == (TRACK[:place], [TRACK[place]])
        assert shown["booking"] == dict(
            [("予約番号", number), asked, ("予約確定日時", confirmed_at)]
        )
        is_billed = status in (Status.BILLED, Status.PAID)
        assert shown["payment"] == {
            "お支払方法": "銀行振込",
            "お支払期限": due,
            "ご請求金額": amount,
            "お支払い状況": state,
            **({"ご入金": f"{fixed}（2026/11/20(金)）"} if status is Status.PAID else {}),
            **(totals if is_billed else {}),
        }
        assert papers(answer) == buttons
        assert ("ご請求の明細" in answer.text) == (status in (Status.BILLED, Status.PAID))
    cells = [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", answer.text)]
    assert cells == [
        *("利用料 <3時間>", "3時間", "¥4,500", "¥13,500"),
        *("お飲み物※", "2本", "¥120", "¥240"),
        *("お値引き", "1式", "−¥1,000", "−¥1,000"),
    ]


def test_the_use_and_the_people_are_shown_as_booked_and_as_text(visit, inside, number):
    """FAC-03, COM-33: whatever happens to facility, account and member later, and whatever was typed."""
    with inside("facility"):
        hanako = session().scalars(select(Member).where(Member.email == "hanako@one.example")).one()
        account = session().get_one(Account, hanako.account_id)
        hanako.department, hanako.telephone = "あとの部", "0399999999"
        account.name, account.city = "あとの社名", "あとの住所"
        session().scalars(select(Facility)).one().name = "あとの設備"
        session().commit()
    pages = [
        visit("facility", who).get(f"/facility/reservations/{number}")
        for who in ("hanako", "kenichi")
    ]
    name = CANARY["facility"]
    for answer in pages:
        shown = cards(answer)
        assert shown["use"] == {
            "設備": f"{name}レーザー加工機",
            "ご利用日時": "2026/11/20(金) 13:30〜16:30",
            "オプション": "集塵機、保護<メガネ>",
            "ご利用人数": "12名",
            "ご利用目的": '試作 "A&B"',
            "備考": "<script>alert(1)</script>",
            "料金（税抜）": "¥13,500",
            "ご利用料金（税抜）": "¥13,500",
            "オプション：集塵機": "ご利用後に確定",
            "オプション：保護<メガネ>": "ご利用後に確定",
            "料金の目安（税抜）": "¥13,500",
            "料金の目安（税込）": "¥14,850",
        }
        assert shown["related"] == {
            "請求先": f"{name}株式会社一番",
            "住所": "東京都港区1-2-3",
            "部署名": "製造<部>",
            "ご担当者": f"{name} 花子",
            "お名前": f"{name} 花子",
            "電話番号": "03-1234-5678",
            "メールアドレス": "hanako@one.example",
        }
        assert answer.text.count("<dt>部署名</dt><dd>製造&lt;部&gt;</dd>") == 2
        main = answer.text.split('id="main"')[1].split("</main>")[0]
        assert "<script" not in main
        assert "<メガネ>" not in main
        assert "あとの" not in main
        assert f"<title>ご予約 {number}" in answer.text
        assert 'href="/facility/reservations"' in main


def test_what_is_not_known_is_a_dash_and_two_days_have_two_dates(visit, inside, cast):
    """FAC-03: no field is left out because it is empty; an amount of zero is an amount."""
    with inside("facility"):
        reservation = queries.any_reservation(cast.requested)
        reservation.starts_at, reservation.ends_at = START, START + timedelta(hours=24)
        reservation.held_until = reservation.price = None
        reservation.purpose = ""
        reservation.contact = {**reservation.contact, "department": "", "telephone": ""}
        reservation.billing = {"name": "一番"}
        reservation.total = 0
        session().commit()
    shown = cards(visit("facility", "hanako").get(f"/facility/reservations/{cast.requested}"))
    assert shown["use"]["ご利用日時"] == "2026/11/20(金) 13:30〜2026/11/21(土) 13:30"
    assert [shown["use"][label] for label in ("オプション", "ご利用目的", "備考")] == [DASH] * 3
    assert [shown["related"][label] for label in ("部署名", "電話番号", "住所", "ご担当者")] == [
        DASH
    ] * 4
    assert (shown["payment"]["ご請求金額"], shown["payment"]["お支払い状況"]) == (
        "¥0",
        "お支払いはありません",
    )


def test_a_cancelled_reservation_says_when_and_offers_no_step_and_no_paper(
    visit, step, cast, number
):
    """FAC-03, FAC-04: cancelled as a request, and after it was confirmed."""
    page = visit("facility", "hanako")
    step(number, Status.CONFIRMED)
    step(number, Status.CANCELLED)
    for which, confirmed, cancelled in (
        (number, "2026/11/20(金) 13:30", "2026/11/20(金) 14:30"),
        (cast.cancelled, DASH, "2026/10/14(水) 10:00"),
    ):
        answer = page.get(f"/facility/reservations/{which}")
        booking = cards(answer)["booking"]
        assert (booking["予約確定日時"], booking["キャンセル日時"]) == (confirmed, cancelled)
        assert badge(answer) == ("mute", "キャンセル")
        assert 'class="track"' not in answer.text
        assert list(papers(answer).values()) == [
            operations.ONLY_USED,
            *[operations.NOT_BEFORE_BILLED] * 2,
        ]
        for slug in PAPERS:
            assert page.get(f"/facility/reservations/{which}/{slug}.pdf").status_code == 422


def test_the_address_of_a_paper_answers_as_its_button_does(visit, step, run, number):
    """FAC-04, COM-72: the same reason with 422 at every status before; afterwards both lead to the same PDF."""
    page = visit("facility", "hanako")
    path = f"/facility/reservations/{number}"
    steps = [None, Status.CONFIRMED, Status.IN_USE, Status.USED, Status.BILLED, Status.PAID]
    for status in steps:
        if status:
            step(number, status)
        answer = page.get(path)
        buttons = papers(answer)
        assert set(buttons) == set(PAPERS.values())
        for slug, button in PAPERS.items():
            refused = page.get(f"{path}/{slug}.pdf")
            assert refused.status_code == 422
            assert refused.mimetype == "text/html"
            assert buttons[button] in refused.text
            assert f'href="{path}/{slug}.pdf"' not in answer.text
    assert run.invoke(args=["facility", "issue", number, "--tenant", "facility"]).exit_code == 0
    buttons = papers(page.get(path))
    assert buttons == {button: f"{path}/{slug}.pdf" for slug, button in PAPERS.items()}
    drawn = {href: page.get(href) for href in buttons.values()}
    for answer in drawn.values():
        assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
        assert answer.data.startswith(b"%PDF")
    assert len({answer.data for answer in drawn.values()}) == 3
    for other in ("delivery-note.pdf", "invoice", "work_report.pdf", "invoice.pdf.pdf"):
        assert page.get(f"{path}/{other}").status_code == 404


def test_what_is_not_ones_own_does_not_exist(visit, cast, run):
    """FAC-03, FAC-04: a foreign and an unknown number give the same page, byte for byte but for its reference."""
    assert (
        run.invoke(args=["facility", "issue", cast.billed, "--tenant", "facility"]).exit_code == 0
    )

    def told(answer: TestResponse) -> tuple[int, str, str | None]:
        token = r"[\w-]{20,}\.[\w-]{5,7}\.[\w-]{20,}"  # signed with the second at which it was made
        text = re.sub(rf"<code>.*?</code>|{token}|[FS]R\d+", "", answer.text)
        assert "ページが見つかりません" in text
        assert CANARY["facility"] not in text.split('id="main"')[-1]
        return answer.status_code, text, answer.headers.get("Content-Disposition")

    unknown, twins, broken = "FR999999", cast.twins, ("fr000001", "FR00000_", "%25", "FR000001%00")
    for who, foreign in (("hanako", [cast.strangers]), ("yumi", [cast.requested, cast.billed])):
        page = visit("facility", who)
        for paper in ("", "/invoice.pdf", "/work-report.pdf"):
            expected = told(page.get(f"/facility/reservations/{unknown}{paper}"))
            assert expected[0] == 404
            for number in (*foreign, twins):
                assert told(page.get(f"/facility/reservations/{number}{paper}")) == expected, number
        for number in broken:
            assert page.get(f"/facility/reservations/{number}").status_code == 404
    nobody = visit("facility")
    answers = [nobody.get(f"/facility/reservations/{number}") for number in (cast.billed, unknown)]
    assert [answer.status_code for answer in answers] == [answers[0].status_code] * 2
    assert all("/sign-in" in answer.headers["Location"] for answer in answers)


def test_what_is_to_be_paid_and_done_stands_first(visit, step, number):
    """FAC-03, FAC-05: the amount, until when and where to; the two forms with today's charge while there is time."""
    page = visit("facility", "hanako")
    answer = page.get(f"/facility/reservations/{number}")
    part = answer.text.split('id="next"')[1].split("</section>")[0]
    assert f'href="/inquiries/new?category=change&amp;about={number}"' in part
    assert f'href="/inquiries/new?category=cancel&amp;about={number}"' in part
    assert "¥13,500（ご利用料金の100%）" in part
    for status in (Status.CONFIRMED, Status.IN_USE, Status.USED, Status.BILLED):
        step(number, status)
    shown = cards(page.get(f"/facility/reservations/{number}"))
    assert next(iter(shown)) == "next"
    assert shown["next"] == {"お支払い待ち": "¥14,009", "お支払期限": "2026/12/31(木)"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_bank_account_stands_where_something_is_owed(other, cast):
    """FAC-03: as the invoice has it, beside the amount and in お支払情報."""
    page = other('issuer = { bank = "みずいろ銀行 普通 0001101" }', "hanako")
    shown = cards(page.get(f"/facility/reservations/{cast.billed}"))
    assert shown["next"]["お振込先"] == shown["payment"]["お振込先"] == "みずいろ銀行 普通 0001101"
    assert "みずいろ銀行" not in page.get(f"/facility/reservations/{cast.requested}").text


@pytest.mark.parametrize(
    ("began", "shown"),
    [
        (START - timedelta(days=3), "2026/11/17(火) 13:30〜14:38"),
        (START, "2026/11/20(金) 13:30〜14:38"),
        (START + timedelta(minutes=112), "2026/11/20(金) 15:22〜16:30"),
    ],
)
def test_a_use_other_than_booked_is_shown_with_the_time_that_it_took(
    visit, inside, number, began, shown
):
    """FAC-03, FAC-12: what was booked stays, and the page says what the work report says."""
    with inside("facility"):
        found = queries.any_reservation(number)
        found.status, found.used_from = Status.USED, began
        found.finished_at = found.used_until = began + timedelta(minutes=68)
        session().commit()
    use = cards(visit("facility", "hanako").get(f"/facility/reservations/{number}"))["use"]
    assert use.get("実際のご利用日時") == shown
    assert use["ご利用日時"].startswith("2026/11/20(金) 13:30")
