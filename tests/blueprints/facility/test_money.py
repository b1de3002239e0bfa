"""Ordered, billed and paid are three things (COM-71, COM-72, FAC-12; docs/decisions/billing.md)."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import select

from portal.blueprints.facility import operations, queries
from portal.blueprints.facility.models import Status
from portal.config import Tenant
from portal.core import SYSTEM, clock, session
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.billing.lines import BillLine
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.invoicing import operations as invoicing
from portal.shared.invoicing.models import Invoice
from portal.shared.invoicing.operations import Remittance
from portal.shared.invoicing.reminders import remind_overdue
from portal.shared.orders import closing
from tests.cast import NOW

TODAY = NOW.date()


@pytest.fixture
def tenant(app: Flask) -> Tenant:
    """The facility brand."""
    found: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return found


@pytest.fixture
def do(run: Any) -> Callable[..., Result]:
    """Run a command of the facility brand."""

    def command(*words: str) -> Result:
        result: Result = run.invoke(args=["facility", *words, "--tenant", "facility"])
        assert result.exit_code == 0, result.output
        return result

    return command


def printed(visit: Any, number: str, slug: str) -> str:
    pdf = visit("facility", "hanako").get(f"/facility/reservations/{number}/{slug}.pdf").data
    pages = PdfReader(io.BytesIO(pdf)).pages
    return "".join("".join(page.extract_text() for page in pages).split())


def test_a_bill_corrected_upwards_is_owed_and_its_receipt_says_what_came_in(
    do, visit, inside, cast
) -> None:
    """COM-72: paid ¥14,850, corrected to ¥22,000: the rest is owed, asked for and listed."""
    for words in (("issue",), ("pay",), ("issue",)):
        do(*words[:1], cast.billed)
    do("correct", cast.billed, "--line", "利用料:1:式:20000", "--reason", "時間の訂正")
    receipt = printed(visit, cast.billed, "receipt")
    assert "14,850" in receipt
    assert "22,000" not in receipt
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        assert (found.status, found.paid_at) == (Status.BILLED, None)
        assert operations.owed(found) == 22_000 - 14_850
        assert found in queries.worklist()
    page = visit("facility", "hanako").get(f"/facility/reservations/{cast.billed}").text
    assert "<dt>未入金の金額</dt><dd>¥7,150</dd>" in page
    assert "お支払い待ちのご予約" in visit("facility", "hanako").get("/").text
    do("pay", cast.billed)
    do("issue", cast.billed)
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        assert (found.status, operations.owed(found)) == (Status.PAID, None)
        kept = select(Document.total).where(Document.kind == DocumentKind.RECEIPT)
        assert session().scalars(kept.order_by(Document.id)).all() == [14_850, 7_150]


def test_a_part_of_what_is_owed_is_received_with_a_receipt_of_its_own(
    do, visit, inside, cast
) -> None:
    """COM-71: of a part nobody can say which rates it bears."""
    do("issue", cast.billed)
    do("pay", cast.billed, "--amount", "5000", "--on", "2026-11-20")
    do("issue", cast.billed)
    receipt = printed(visit, cast.billed, "receipt")
    assert "5,000" in receipt
    assert "¥14,850の一部" in receipt
    assert "2026年11月20日" in receipt
    page = visit("facility", "hanako").get(f"/facility/reservations/{cast.billed}").text
    assert "<dt>お支払い状況</dt><dd>一部お支払い済み</dd>" in page
    with inside("facility"):
        bodies = session().scalars(select(OutboxMail.body)).all()
        told = [body for body in bodies if "残りのご請求金額は、マイページで" in body]
        assert len(told) == 1
        assert "9,850" not in told[0], "how much is for whom the account lets see it"


def test_what_a_correction_settles_is_no_payment_that_was_confirmed(
    do, inside, tenant, cast
) -> None:
    """COM-72, COM-80: nothing came in, so nobody is thanked for it, of a use or of a charge."""
    do("issue", cast.billed)
    do("correct", cast.billed, "--line", "利用料:1:式:0", "--reason", "無料")
    do("cancel", cast.requested, "--charge", "1000")
    do("issue", cast.requested)
    do("correct", cast.requested, "--line", "キャンセル料:1:式:0", "--reason", "免除")
    with inside("facility"):
        for number in (cast.billed, cast.requested):
            known = operations.money(queries.any_reservation(number))
            assert (known.owed, known.received, list(known.payments)) == (0, 0, [])
        subjects = session().scalars(select(OutboxMail.subject)).all()
        assert sum("ご請求内容訂正のお知らせ" in one for one in subjects) == 2
        assert not [one for one in subjects if "ご入金" in one]


def test_nothing_is_given_back_by_no_document(do, run, cast) -> None:
    """COM-71: a credit note of ¥0 is refused at its lines."""
    for step in ("issue", "pay"):
        do(step, cast.billed)
    words = ["refund", cast.billed, "--line", "値引き:1:式:0", "--reason", "不調"]
    refused = run.invoke(args=["facility", *words, "--tenant", "facility"])
    assert (refused.exit_code, "1円以上" in refused.output) == (2, True), refused.output


def test_what_was_paid_too_much_is_shown_until_it_is_paid_back(
    do, visit, inside, tenant, cast
) -> None:
    """COM-72, FAC-12: operators see it in their worklist, the customer on the page."""
    do("issue", cast.billed)
    do("pay", cast.billed, "--amount", "20000")
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        assert (found.status, operations.money(found).overpaid) == (Status.PAID, 5_150)
        found.documents_due_at = None
        session().commit()
        assert cast.billed in [one.number for one in queries.worklist()]
    page = visit("facility", "hanako").get(f"/facility/reservations/{cast.billed}").text
    assert "<dt>ご返金予定</dt><dd>¥5,150</dd>" in page
    with inside("facility"):
        [payment] = operations.money(queries.any_reservation(cast.billed)).payments
        with pytest.raises(RuleBroken, match="返金できる金額"):
            invoicing.pay_back(payment, 5_151, TODAY, by=SYSTEM)
        assert invoicing.pay_back(payment, None, TODAY, by=SYSTEM) == 5_150
        session().commit()
        assert cast.billed not in [one.number for one in queries.worklist()]


def test_a_bill_is_not_corrected_below_what_was_given_back(do, run, inside, cast) -> None:
    """COM-72: refused, and everything stays as it was."""
    for step in ("issue", "pay"):
        do(step, cast.billed)
    do("refund", cast.billed, "--line", "値引き:1:式:4500", "--reason", "不調")
    words = ["correct", cast.billed, "--line", "利用料:1:式:4499", "--reason", "訂正"]
    refused = run.invoke(args=["facility", *words, "--tenant", "facility"])
    assert (refused.exit_code, "下回るご請求には訂正できません" in refused.output) == (2, True)
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        [invoice] = operations.money(found).invoices
        assert (found.total, invoice.total, invoice.credited) == (14_850, 14_850, 4_950)


def test_what_was_too_much_pays_for_what_is_asked_later(do, inside, cast) -> None:
    """COM-72: nobody owes what is theirs already: corrected down, then up again."""
    for step in ("issue", "pay"):
        do(step, cast.billed)
    for price, owed, overpaid in (("4500", None, 9_900), ("10000", None, 3_850)):
        do("correct", cast.billed, "--line", f"利用料:1:式:{price}", "--reason", "訂正")
        with inside("facility"):
            found = queries.any_reservation(cast.billed)
            assert (operations.owed(found), operations.money(found).overpaid) == (owed, overpaid)


def test_money_of_tomorrow_and_none_at_all_are_refused(inside, tenant, cast) -> None:
    """FAC-12: at the field that is wrong."""
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        for money, field in (
            (Remittance(amount=0, received_on=TODAY), "amount"),
            (Remittance(amount=1, received_on=TODAY + timedelta(days=1)), "received_on"),
        ):
            with pytest.raises(RuleBroken) as refused:
                operations.record_payment(tenant, found, by=SYSTEM, remittance=money)
            assert refused.value.field == field


def test_what_is_overdue_is_reminded_once(inside, tenant, cast) -> None:
    """COM-80: three days after the due date, for what is still owed."""
    with inside("facility"):
        found = queries.any_reservation(cast.billed)
        due = found.due_date
        assert due is not None
        for days, mails in ((2, 0), (3, 1), (4, 0)):
            day = due + timedelta(days=days)
            with clock.freeze(clock.local(day.year, day.month, day.day, 9)):
                assert remind_overdue(tenant) == mails
                session().commit()
        mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id.desc())).first()
        assert mail is not None
        assert "お支払期限を過ぎたご請求のお知らせ" in mail.subject


@pytest.fixture
def closing_tenant(tenant: Tenant) -> Tenant:
    """The brand, as one that bills at the end of the month."""
    terms = tenant.terms.model_copy(update={"invoicing": "closing"})
    changed = tenant.model_copy(update={"terms": terms})
    changed.live_at("portal.test", scheme="https", port=None)
    return changed


def used(tenant: Tenant, number: str, day: date, price: int) -> None:
    """The reservation, used on a day and billed for so much, with the next closing date."""
    found = queries.any_reservation(number)
    found.status = Status.USED
    found.held_until = None
    found.starts_at = clock.local(day.year, day.month, day.day, 10)
    found.ends_at = clock.local(day.year, day.month, day.day, 12)
    session().flush()
    operations.fix_amount(tenant, found, [BillLine("利用料", 1, "式", price, 10)], by=SYSTEM)


def test_orders_of_a_month_are_one_invoice_on_its_closing_day(inside, closing_tenant, cast) -> None:
    """COM-71: tax once over all, due by the terms; the same day again finds nothing."""
    with inside("facility"):
        used(closing_tenant, cast.requested, date(2026, 10, 7), 105)
        used(closing_tenant, cast.cancelled, date(2026, 10, 20), 105)
        session().commit()
        found = queries.any_reservation(cast.requested)
        assert operations.money(found).is_pending
        assert not operations.can_download(found, DocumentKind.INVOICE)
        with pytest.raises(RuleBroken, match="締め日の請求書"):
            operations.record_payment(closing_tenant, found, by=SYSTEM)
        made = closing.close(operations.BILLING, closing_tenant, date(2026, 10, 31), by=SYSTEM)
        [number] = [invoice.number for invoice in made]
        again = closing.close(operations.BILLING, closing_tenant, date(2026, 10, 31), by=SYSTEM)
        assert list(again) == []
    with inside("facility"):
        invoice = session().scalars(select(Invoice).where(Invoice.number == number)).one()
        # 210 yen bear 21 yen of tax; each by itself would bear 10.
        assert (invoice.total, invoice.due_on) == (231, date(2026, 11, 30))
        document = session().scalars(select(Document).where(Document.number == number)).one()
        assert document.content["subject"] == "2026年10月31日締め ご請求分（2件）"
        texts = [line["description"] for line in document.content["lines"]]
        assert texts == [f"{cast.requested} 利用料", f"{cast.cancelled} 利用料"]
        operations.record_payment(
            closing_tenant, queries.any_reservation(cast.requested), by=SYSTEM
        )
        session().commit()
        for one in (cast.requested, cast.cancelled):
            assert queries.any_reservation(one).status is Status.PAID
        drawn = operations.issue(closing_tenant, queries.any_reservation(cast.cancelled), by=SYSTEM)
        assert drawn
        receipts = select(Document.total).where(Document.kind == DocumentKind.RECEIPT)
        assert session().scalars(receipts).all() == [231]


def test_what_waits_for_a_closing_day_is_closed_also_when_the_terms_were_changed(
    inside, tenant, closing_tenant, cast
) -> None:
    """COM-71: otherwise it would never be billed."""
    with inside("facility"):
        used(closing_tenant, cast.requested, date(2026, 10, 7), 105)
        session().commit()
        assert tenant.terms.invoicing == "per_order"
        assert closing.close_due(operations.BILLING, tenant, by=SYSTEM) == 1
        assert not operations.money(queries.any_reservation(cast.requested)).is_pending


@pytest.mark.parametrize(
    ("day", "why"),
    [(date(2026, 10, 30), "締め日ではありません"), (date(2026, 11, 30), "まだ来ていません")],
)
def test_only_a_closing_day_that_has_come_is_closed(inside, closing_tenant, day, why) -> None:
    """COM-71: otherwise two runs would cut one month in two."""
    with inside("facility"), pytest.raises(RuleBroken, match=why):
        list(closing.close(operations.BILLING, closing_tenant, day, by=SYSTEM))
