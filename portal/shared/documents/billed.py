"""The papers of what is billed, whatever it is: issued once, corrected, given back (COM-33, COM-71,
COM-72).

A record that is billed has `number`, `account_id`, `billing` (the address as it was copied), `lines`, `total`,
`paid_at`, `documents_due_at` and `traded_on`, the day that its papers are about.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import select

from portal.config import Tenant
from portal.core import SYSTEM, Actor, RuleBroken, audit, clock, gettext_noop, session, text
from portal.core.jobs import Job
from portal.shared.billing import lines as bill_lines
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import Rounding, totals_excluded
from portal.shared.billing.terms import Shift, due_date
from portal.shared.documents import operations as documents
from portal.shared.documents.content import (
    Content,
    Correction,
    InvoiceContent,
    Issuer,
    Party,
    ReceiptContent,
)
from portal.shared.documents.models import Document, DocumentKind
from portal.shared.documents.typefaces import check_drawable

log = logging.getLogger(__name__)
_CORRECTED = "ご請求内容を訂正しました。訂正後の帳票は、マイページからダウンロードできます。"
_REFUNDED = (
    "ご請求金額の一部を返還いたします。返還請求書は、マイページの「帳票」からダウンロードできます。"
)
_PARTY = frozenset({"name", "honorific", "address", "department", "person"})
_NOT_AT_RATE = gettext_noop(
    "税率%(rate)s%%の請求がないため、返還できません。請求時の税率（%(known)s）を指定してください。"
)
_MORE_AT_RATE = gettext_noop("税率%(rate)s%%の返還金額の合計が、請求した金額を超えます。")
NOTHING_ISSUED = gettext_noop("請求書がまだ発行されていません。")


def bill(tenant: Tenant, lines: Sequence[BillLine], traded_on: date) -> dict[str, Any]:
    """Lines, total (yen, tax included) and due date, as a record keeps them.

    Raises RuleBroken below zero, and for what no document can print (COM-70).
    """
    check_drawable([[line.description, line.unit] for line in lines], "lines")
    total = totals_excluded([line.tax_line for line in lines], Rounding(tenant.tax.rounding)).total
    if total < 0:
        raise RuleBroken("ご請求金額がマイナスになります。", field="lines")
    terms = tenant.terms
    due = due_date(
        traded_on, terms.closing_day, terms.months, Shift(terms.shift), tenant.calendar.is_open
    )
    return {"lines": bill_lines.to_json(lines), "total": total, "due_date": due}


def issuer_of(tenant: Tenant) -> Issuer:
    """The tenant as the issuer of documents."""
    known = tenant.issuer.model_dump(exclude={"kind"}, exclude_none=True)
    return Issuer(
        **known | {"name": known["name"] or tenant.company, "accent": tenant.theme.brand_strong}
    )


def recipient_of(record: Any) -> Party:
    """Whom the documents are for: the billing address as it was copied (COM-33).

    An individual, who is their own contact person, is named once, with 様. A department that ends
    the company's name already is not named again.
    """
    known = {name: value for name, value in record.billing.items() if name in _PARTY}
    name = known["name"]
    person = known.get("person", "")
    if _without_blanks(name) in map(_without_blanks, (person, record.contact.get("name", ""))):
        known |= {"honorific": "様", "person": ""}
    if name.endswith(known.get("department") or "\n"):
        known["department"] = ""
    return Party(
        postal_code=text.format_postal_code(record.billing.get("postal_code", "")), **known
    )


def _without_blanks(name: str) -> str:
    return text.search_key(name).replace(" ", "")


def heads(tenant: Tenant, record: Any) -> dict[str, Any]:
    """What every document begins with; its number is given when it is issued."""
    return {
        "number": "",
        "issued_on": clock.today(),
        "recipient": recipient_of(record),
        "issuer": issuer_of(tenant),
    }


def invoice(tenant: Tenant, record: Any, **facts: Any) -> InvoiceContent:
    """The invoice of a record whose amount is fixed."""
    lines = tuple(bill_lines.from_json(record.lines))
    rounding = Rounding(tenant.tax.rounding)
    return InvoiceContent(
        **heads(tenant, record), due_on=record.due_date, lines=lines, rounding=rounding, **facts
    )


def receipt(tenant: Tenant, record: Any, proviso: str) -> ReceiptContent:
    """The receipt of a record that is paid."""
    lines = [line.tax_line for line in bill_lines.from_json(record.lines)]
    paid_on = clock.to_local(record.paid_at or clock.now()).date()
    totals = totals_excluded(lines, Rounding(tenant.tax.rounding))
    return ReceiptContent(**heads(tenant, record), paid_on=paid_on, totals=totals, proviso=proviso)


@dataclass(frozen=True)
class OrderDocuments:
    """How the records of a kind are papered. `makers` are all that there can be, with what each
    says.

    `due` are those that can be issued now; it raises RuleBroken when there are none yet. `tell`
    mails the customer.
    """

    makers: Mapping[DocumentKind, Callable[[Tenant, Any], Content]]
    due: Callable[[Any], Collection[DocumentKind]]
    tell: Callable[..., None]

    def issue(self, tenant: Tenant, record: Any, *, by: Actor) -> list[int]:
        """Issue what is due, each once; returns the jobs that draw."""
        # The worker issues by itself: locked, so that a command at the same moment issues nothing
        # twice.
        session().refresh(record, with_for_update=True)
        due = self.due(record)
        issued = documents.about(record.account_id, record.number)
        missing = [
            (kind, make) for kind, make in self.makers.items() if kind in due and kind not in issued
        ]
        record.documents_due_at = None
        made = [_issue(tenant, record, kind, make(tenant, record), by=by) for kind, make in missing]
        return [job.id for _document, job in made]

    def issue_due(self, tenant: Tenant, model: type[Any], *, limit: int = 100) -> int:
        """Issue what is due of the records of `model`, each in a transaction of its own; returns of
        how many.

        One that cannot be issued is logged and tried again the next time; operators see it in their
        worklist.
        """
        due = select(model.id).where(model.documents_due_at.is_not(None))
        waiting = session().scalars(due.order_by(model.documents_due_at, model.id).limit(limit))
        issued = 0
        for record_id in waiting.all():
            record = session().get_one(model, record_id)
            try:
                self.issue(tenant, record, by=SYSTEM)
                session().commit()
                issued += 1
            except RuleBroken:
                session().rollback()
                log.exception("documents of %s %s are not issued", model.__tablename__, record_id)
        return issued

    def correct(
        self, tenant: Tenant, record: Any, lines: Sequence[BillLine], reason: str, *, by: Actor
    ) -> list[int]:
        """Bill other lines than were billed: invoice and receipt are issued anew, naming what they
        replace (COM-72).

        The earlier documents stay as they are. The due date does not move. Returns the jobs that
        draw. Raises RuleBroken before an invoice was issued, when nothing differs, and for a reason
        that cannot be printed.
        """
        check_drawable(reason, "reason")
        session().refresh(record, with_for_update=True)
        issued = documents.about(record.account_id, record.number)
        if DocumentKind.INVOICE not in issued:
            raise RuleBroken(NOTHING_ISSUED)
        billed = bill(tenant, lines, record.traded_on)
        if billed["lines"] == record.lines and self._is_for(tenant, record, issued):
            raise RuleBroken("請求明細が変わっていません。", field="lines")
        before = record.total
        record.lines = billed["lines"]
        record.total = billed["total"]
        audit.record(
            f"{record.__tablename__}.correct",
            record,
            by=by,
            reason=reason,
            total=[before, record.total],
        )
        self.tell(tenant, record, _CORRECTED, label="ご請求内容の訂正")
        drawn = []
        for kind in (DocumentKind.INVOICE, DocumentKind.RECEIPT):
            if old := issued.get(kind):
                corrects = Correction(old.number, documents.issued_on(old.issued_at), reason)
                content = replace(self.makers[kind](tenant, record), corrects=corrects)
                document, job = _issue(tenant, record, kind, content, by=by)
                old.replaced_by = document.number
                drawn.append(job.id)
        return drawn

    def _is_for(self, tenant: Tenant, record: Any, issued: Mapping[DocumentKind, Document]) -> bool:
        """Whether the invoice is for whom it would be now: an operator may have corrected the
        copied address.
        """
        present = self.makers[DocumentKind.INVOICE](tenant, record).to_json()["recipient"]
        return bool(issued[DocumentKind.INVOICE].content["recipient"] == present)

    def refund(
        self, tenant: Tenant, record: Any, lines: Sequence[BillLine], reason: str, *, by: Actor
    ) -> list[int]:
        """Give a part of what was paid back: 適格返還請求書, which names the invoice (COM-71, COM-72).

        Returns the job that draws it. Raises RuleBroken before the payment, for more than was paid
        or billed at a rate, and for a reason that cannot be printed.
        """
        check_drawable(reason, "reason")
        session().refresh(record, with_for_update=True)
        issued = documents.of_thing(record.account_id, record.number)
        old = next(
            (document for document in reversed(issued) if document.kind is DocumentKind.INVOICE),
            None,
        )
        if old is None or not record.paid_at:
            raise RuleBroken("ご入金の前は、返還ではなく訂正をしてください。")
        amount = bill(tenant, lines, record.traded_on)["total"]
        earlier = [document for document in issued if document.kind is DocumentKind.CREDIT_NOTE]
        before = -sum(document.total for document in earlier)
        if before + amount > (record.total or 0):
            raise RuleBroken("返還金額の合計が、お支払い金額を超えます。", field="lines")
        _require_billed_rates(record, [*_lines_of(earlier), *lines])
        audit.record(f"{record.__tablename__}.refund", record, by=by, reason=reason, total=amount)
        self.tell(tenant, record, _REFUNDED, label="ご請求金額の返還")
        billed: Any = self.makers[DocumentKind.INVOICE](tenant, record)
        facts = (("元の請求書番号", old.number), *billed.references)
        content = replace(
            billed,
            lines=tuple(lines),
            due_on=None,
            references=facts,
            remarks=f"返還の理由：{reason}",
        )
        _document, job = _issue(
            tenant, record, DocumentKind.CREDIT_NOTE, content, by=by, total=-amount
        )
        return [job.id]


def _lines_of(issued: Iterable[Document]) -> Iterator[BillLine]:
    """The lines of all these invoices or credit notes."""
    for document in issued:
        yield from bill_lines.from_json(document.content["lines"])


def _require_billed_rates(record: Any, given_back: Iterable[BillLine]) -> None:
    """What is given back of a bill bears the rates of that bill, and no more of each than was
    billed.

    Raises RuleBroken at the lines.
    """
    left: Counter[tuple[int, bool]] = Counter()
    billed = bill_lines.from_json(record.lines)
    for line in billed:
        left[line.rate, line.reduced] += line.amount
    for line in given_back:
        if (line.rate, line.reduced) not in left:
            known = "、".join(f"{rate}%" for rate in sorted({line.rate for line in billed}))
            raise RuleBroken(_NOT_AT_RATE, field="lines", rate=line.rate, known=known)
        left[line.rate, line.reduced] -= line.amount
    for (rate, _is_reduced), amount in left.items():
        if amount < 0:
            raise RuleBroken(_MORE_AT_RATE, field="lines", rate=rate)


def _issue(
    tenant: Tenant,
    record: Any,
    kind: DocumentKind,
    content: Content,
    *,
    by: Actor,
    total: int | None = None,
) -> tuple[Document, Job]:
    """Issue one document for `total` yen (that of the record), filed under the day of trade that it
    prints.
    """
    if total is None:
        total = record.total or 0
    return documents.issue(
        kind,
        content,
        style=tenant.numbers[kind.value],
        account_id=record.account_id,
        counterparty=record.billing["name"],
        about=record.number,
        transaction_date=content.transaction_date,
        total=total if kind.bears_amount else 0,
        by=by,
    )
