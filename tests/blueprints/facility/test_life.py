"""A reservation's whole life, as the operator types it and the customer sees it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import MOVES, Status
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail

FINISH = [
    "--done",
    "切削",
    "--worker",
    "大森",
    "--minutes",
    "60",
    "--materials",
    "ネジ、アクリル板",
]


@pytest.fixture
def do(run):
    """Run a command of the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["facility", *words, "--tenant", "facility", "--operator", "監督"])
        assert result.exit_code == expect, result.output
        return str(result.output)

    return command


def test_from_request_to_payment_each_step_shows_and_is_mailed(do, visit, inside, cast):
    """FAC-10, FAC-12, COM-80: each step is mailed and audited with the operator's name."""
    number = cast.requested
    page = visit("facility", cast.representative)
    steps = [
        (["confirm", number], "予約確定", "ご予約確定のお知らせ"),
        (["start", number], "ご利用中", "ご利用開始のお知らせ"),
        (["finish", number, *FINISH], "ご利用済", "ご利用終了のお知らせ"),
        (
            ["fix-amount", number, "--line", "利用料:3:時間:4500"],
            "請求確定",
            "ご請求金額確定のお知らせ",
        ),
        (["pay", number], "お支払済", "ご入金確認のお知らせ"),
    ]
    for words, label, _subject in steps:
        assert label in do(*words)
        assert label in page.get(f"/facility/reservations/{number}").text
    with inside("facility"):
        mails = list(session().scalars(select(OutboxMail).order_by(OutboxMail.id)))
        subjects = [mail.subject for mail in mails if mail.event == "reservation_status"]
        assert f"/reservations/{number}\n" in mails[-1].body
        actions = [
            e.action
            for e in session().scalars(
                select(AuditEvent).where(AuditEvent.subject == f"reservation:{number}")
            )
            if e.actor_name == "監督"
        ]
    told = [f"【試験設備】{subject}（{number}）" for _words, _label, subject in steps]
    assert subjects[-len(steps) :] == told
    assert actions == [
        f"reservation.{s}" for s in ("confirmed", "in_use", "used", "billed", "paid")
    ]


def test_papers_are_refused_with_the_reason_then_given_byte_for_byte(do, visit, cast):
    """FAC-04, COM-72, COM-73: only the account that it belongs to gets it, always the same."""
    mine, stranger = visit("facility", cast.representative), visit("facility", cast.stranger)
    unbilled, billed = (
        f"/facility/reservations/{cast.requested}",
        f"/facility/reservations/{cast.billed}",
    )
    refused = mine.get(f"{unbilled}/invoice.pdf")
    assert refused.status_code == 422
    assert operations.NOT_BEFORE_BILLED in refused.text
    assert operations.NOT_BEFORE_BILLED in mine.get(unbilled).text

    do("issue", cast.billed)
    first = mine.get(f"{billed}/invoice.pdf")
    assert first.data.startswith(b"%PDF")
    assert mine.get(f"{billed}/invoice.pdf").data == first.data
    etag = {"If-None-Match": first.headers["ETag"]}
    assert mine.get(f"{billed}/invoice.pdf", headers=etag).status_code == 304
    assert mine.get(f"{billed}/work-report.pdf").data.startswith(b"%PDF")
    assert stranger.get(f"{billed}/invoice.pdf").status_code == 404
    assert "documents issued: 0" in do("issue", cast.billed)


def test_every_move_that_is_not_in_the_table_is_refused(inside, app, cast):
    """FAC-10: what the table of moves does not have cannot be done."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        reservation = queries.any_reservation(cast.cancelled)
        for to in Status:
            if to in MOVES[Status.CANCELLED]:
                continue
            assert not operations.can_move(reservation, to)
            with pytest.raises(RuleBroken):
                operations.LIFE.move(tenant, reservation, to, by=SYSTEM)
        assert queries.any_reservation(cast.cancelled).status is Status.CANCELLED


def test_a_mistake_is_one_line_and_exit_code_2(do, cast):
    """OPS-10: mistakes are told shortly."""
    for words in (
        ["confirm", cast.cancelled],
        ["confirm", "NOPE"],
        ["fix-amount", cast.billed, "--line", "x"],
    ):
        said = do(*words, expect=2)
        assert len(said.strip().splitlines()) == 1
    assert "FR000001" in do("list", "--json")


def test_a_dry_run_changes_nothing(do, inside, cast):
    """OPS-10: --dry-run."""
    do("confirm", cast.requested, "--dry-run")
    with inside("facility"):
        assert queries.any_reservation(cast.requested).status is Status.REQUESTED


def test_an_import_names_every_bad_line_and_takes_nothing(do, inside, tmp_path):
    """FAC-12, OPS-12: all or nothing, repeatable."""
    file = tmp_path / "facilities.csv"
    good = (
        "設備コード,設備名,説明,時間料金,日料金\nX-1,旋盤,,１０００,8000\nX-2,研磨機,,2000,9000\n"
    )
    file.write_text(good + "X-2,二重,,1,1\nX-3,,,1,1\nX-4,穴あけ,,abc,1\n", encoding="cp932")
    said = do("import-facilities", str(file), expect=2)
    assert all(f"{line}行目" in said for line in (4, 5, 6))
    with inside("facility"):
        assert queries.facility_by_code("X-1") is None
    file.write_text(good, encoding="utf-8-sig")
    assert "2 added, 0 known" in do("import-facilities", str(file))
    assert "0 added, 2 known" in do("import-facilities", str(file))
