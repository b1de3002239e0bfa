"""COM-70: what no document can print is refused where it is typed, and never later in the way of a bill."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import func, select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Facility, Reservation
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared.accounts.models import Account, Member
from portal.shared.billing.lines import BillLine
from portal.shared.invoicing.items import check_lines

FORM = "/facility/facilities/LC-01/reservation"
BOOKING = {
    "day": "2026-11-25",
    "starts": "10:00",
    "ends": "12:00",
    "headcount": "1",
    "purpose": "試作",
}
ADDRESS = {
    "name": "株式会社髙﨑",
    "department": "経理部",
    "person": "𠮷田",
    "postal_code": "1000001",
    "prefecture": "東京都",
    "city": "千代田区",
    "street": "千代田1-1",
    "building": "",
    "telephone": "",
    "fax": "",
}
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UNDRAWABLE = ("\U0001f600", "홍", "张")
FINISH = ("--done", "加工", "--worker", "大森", "--minutes", "60")
Do = Callable[..., Result]


@pytest.fixture
def do(run) -> Do:
    """Run a command of the facility brand."""

    def command(*words: str) -> Result:
        result: Result = run.invoke(args=["facility", *words, "--tenant", "facility"])
        return result

    return command


def printed(visit, number: str, slug: str) -> str:
    page = visit("facility", "hanako").get(f"/facility/reservations/{number}/{slug}.pdf")
    assert page.mimetype == "application/pdf", page.text
    pages = PdfReader(BytesIO(page.data)).pages
    return "".join("".join(one.extract_text().split()) for one in pages)


@ONE
@pytest.mark.parametrize("char", UNDRAWABLE)
def test_a_purpose_that_no_document_can_print_is_refused_at_its_field(visit, char: str) -> None:
    """COM-23, COM-70: the character is named, and everything typed stays."""
    refused = visit("facility", "hanako").post(FORM, BOOKING | {"purpose": f"試作{char}"})
    assert refused.status_code == 422
    error = refused.text.partition('id="purpose-e"')[2].partition("</p>")[0]
    assert f"「{char}」（U+{ord(char):04X}）は帳票に印字できない文字です" in error
    assert f'value="試作{char}"' in refused.text


@ONE
def test_rare_kanji_of_names_are_taken_everywhere(visit) -> None:
    """COM-70: 𠮷 and 髙﨑 print."""
    page = visit("facility", "hanako")
    assert page.post(FORM, BOOKING | {"purpose": "𠮷野 髙﨑の試作"}).status_code == 303
    assert page.post("/billing-addresses/new", ADDRESS).status_code == 303


@ONE
@pytest.mark.parametrize("field", ["name", "department", "person", "city", "street", "building"])
def test_an_address_that_no_document_can_print_is_refused_at_its_field(visit, field: str) -> None:
    """COM-31, COM-70."""
    typed = ADDRESS | {field: ADDRESS[field] + "\U0001f600"}
    refused = visit("facility", "hanako").post("/billing-addresses/new", typed)
    assert refused.status_code == 422
    assert "U+1F600" in refused.text.partition(f'id="{field}-e"')[2].partition("</p>")[0]


@ONE
@pytest.mark.parametrize(
    "field", ["account_name", "family_name", "given_name", "department", "building"]
)
def test_a_profile_that_no_document_can_print_is_refused_at_its_field(visit, field: str) -> None:
    """FAC-07, COM-70: names of account and members are copied into what is billed."""
    refused = visit("facility", "hanako").post("/account/profile", {field: "花\U0001f600"})
    assert refused.status_code == 422
    assert "U+1F600" in refused.text.partition(f'id="{field}-e"')[2].partition("</p>")[0]


@pytest.mark.parametrize(
    ("purpose", "billing"), [("試作\U0001f600", {}), ("試作", {"name": "\U0001f600商事"})]
)
def test_what_was_stored_before_stands_as_a_geta_and_is_billed_all_the_same(
    do: Do, visit, inside, cast, purpose: str, billing: dict[str, str]
) -> None:
    """COM-70, FAC-04: also a reservation whose copies have an emoji can be billed, issued and drawn."""
    with inside("facility"):
        found = queries.any_reservation(cast.requested)
        found.purpose = purpose
        found.billing = {**found.billing, **billing}
        session().commit()
    for words in (
        ("confirm", cast.requested),
        ("start", cast.requested),
        ("finish", cast.requested, *FINISH),
        ("fix-amount", cast.requested, "--line", "利用料:1:式:4500"),
        ("issue", cast.requested),
    ):
        done = do(*words)
        assert done.exit_code == 0, done.output
    said = printed(visit, cast.requested, "invoice") + printed(visit, cast.requested, "work-report")
    assert "〓" in said
    assert "\U0001f600" not in said


def test_a_reservation_with_an_emoji_is_cancelled_with_a_charge(do: Do, inside, cast) -> None:
    """FAC-05, COM-70."""
    with inside("facility"):
        queries.any_reservation(cast.requested).purpose = "\U0001f600"
        session().commit()
    assert do("cancel", cast.requested, "--charge", "1000").exit_code == 0
    assert do("issue", cast.requested).exit_code == 0


def test_operators_correct_what_a_reservation_copied(do: Do, visit, inside, cast) -> None:
    """COM-33, FAC-12: audited; what is issued then says it, and an issued invoice is replaced."""
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        found.billing = {**found.billing, "name": "\U0001f600商事"}
        operations.BILLING.readdress(found)
        session().commit()
    assert do("issue", cast.billed).exit_code == 0
    assert "〓商事" in printed(visit, cast.billed, "invoice")
    same = ("--line", "利用料:3:時間:4500", "--reason", "宛名の訂正")
    changed = do(
        "edit-reservation", cast.billed, "--purpose", "試作2", "--billing-name", "笑顔商事"
    )
    assert changed.exit_code == 0, (changed.output, changed.exception)
    assert changed.output == "FR000002: billing, purpose changed\n"
    assert do("correct", cast.billed, *same).exit_code == 0
    assert "笑顔商事" in printed(visit, cast.billed, "invoice")
    assert "請求明細が変わっていません" in do("correct", cast.billed, *same).output
    with inside("facility"):
        event = session().scalars(
            select(AuditEvent).where(AuditEvent.action == "reservation.edit_copies")
        )
        changes: Any = event.one().changes
        assert changes["purpose"][1] == "試作2"
        assert changes["billing"][1]["name"] == "笑顔商事"


@ONE
@pytest.mark.parametrize("option", ["--purpose", "--billing-name", "--billing-address"])
def test_a_correction_that_no_document_can_print_is_refused(do: Do, cast, option: str) -> None:
    """COM-70."""
    refused = do("edit-reservation", cast.billed, option, "\U0001f600")
    assert refused.exit_code == 2
    assert "U+1F600" in refused.output


@ONE
@pytest.mark.parametrize(
    "words",
    [
        ("finish", "FR000001", "--done", "\U0001f600", *FINISH[2:]),
        ("finish", "FR000001", *FINISH[:2], "--worker", "\U0001f600", *FINISH[4:]),
        ("finish", "FR000001", *FINISH, "--materials", "ネジ、\U0001f600"),
        ("fix-amount", "FR000001", "--line", "利用料\U0001f600:1:式:4500"),
        ("fix-amount", "FR000001", "--line", "利用料:1:\U0001f600:4500"),
        ("correct", "FR000002", "--line", "利用料:1:式:1", "--reason", "\U0001f600"),
        ("refund", "FR000002", "--line", "利用料:1:式:1", "--reason", "\U0001f600"),
        ("edit", "LC-01", "--name", "加工機\U0001f600"),
    ],
)
def test_what_an_operator_types_is_checked_at_once(do: Do, inside, tenant, words) -> None:
    """COM-70, FAC-12: work report, lines, reasons, names of facilities."""
    with inside("facility"):
        found = queries.any_reservation("FR000001")
        operations.confirm(tenant, found, by=SYSTEM)
        operations.start(tenant, found, by=SYSTEM)
        if words[0] == "fix-amount":
            operations.finish(tenant, found, operations.WorkReport("加工", "大森", 60), by=SYSTEM)
        session().commit()
    refused = do(*words)
    assert (refused.exit_code, "U+1F600" in refused.output) == (2, True), refused.output


@ONE
def test_the_rule_of_lines_holds_without_the_command(inside, tenant, cast) -> None:
    """COM-70: it is the operation's, so that whatever comes to bill asks it too."""
    with inside("facility"), pytest.raises(RuleBroken, match="印字できない"):
        check_lines(tenant, [BillLine("\U0001f600", 1, "式", 1, 10)])


@ONE
def test_commands_add_no_customer_that_no_document_can_name(run) -> None:
    """COM-70, OPS-13."""
    for words in (
        ("accounts", "add", "\U0001f600商事"),
        ("members", "add", "C00000001", "佐藤\U0001f600", "花子", "a@one.example"),
        ("members", "add", "C00000001", "佐藤", "花子\U0001f600", "a@one.example"),
    ):
        refused = run.invoke(args=[*words, "--tenant", "facility"])
        assert (refused.exit_code, "U+1F600" in refused.output) == (2, True), refused.output


@ONE
def test_an_import_names_the_line_that_no_document_can_print(run, inside, tmp_path: Path) -> None:
    """COM-70, OPS-12: facilities, old reservations, members; all or nothing."""
    facilities = "設備コード,設備名,説明,時間料金,日料金\nX1,加工機\U0001f600,,1,1\n"
    reservations = (
        "予約番号,会員番号,設備コード,開始日時,終了日時,ステータス,予約完了日時,ご請求金額,ご利用目的\n"
        "OLD1,{},LC-01,2025/01/06 09:00,2025/01/06 10:00,お支払済,2025/01/01 09:00,1,\U0001f600\n"
    )
    members = "会員番号,会社名,ログインID,メールアドレス,姓,名\nX9,\U0001f600商事,x999,x@one.example,佐藤,花\n"
    with inside("facility"):
        number = session().scalars(select(Account.number).limit(1)).one()
        before = [
            session().scalar(select(func.count(one.id))) for one in (Facility, Reservation, Member)
        ]
    for words, text in (
        (("facility", "import-facilities"), facilities),
        (("facility", "import-reservations"), reservations.format(number)),
        (("members", "import"), members),
    ):
        file = tmp_path / "file.csv"
        file.write_text(text, encoding="utf-8")
        refused = run.invoke(args=[*words, str(file), "--tenant", "facility"])
        assert (refused.exit_code, "U+1F600" in refused.output) == (2, True), refused.output
        assert "2行目" in refused.output
    with inside("facility"):
        after = [
            session().scalar(select(func.count(one.id))) for one in (Facility, Reservation, Member)
        ]
    assert after == before


@pytest.fixture
def tenant(app: Flask) -> Any:
    """The facility brand."""
    return app.extensions["tenants"].current().by_key["facility"]
