"""What documents say, as plain values (COM-70, COM-71).

They are kept with each issued document, so that it is known what it was made from (COM-72).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, TypeAdapter

from portal.core.clock import to_local
from portal.shared.billing.lines import BillLine
from portal.shared.billing.tax import RateTotal, Rounding, Totals, totals_excluded, totals_included

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
RegistrationNumber = Annotated[str, Field(pattern=r"^(T\d{13})?$")]
DEFAULT_ACCENT = "#12395b"


class Untaxed(StrEnum):
    """Why what bears 0% bears no tax: the law knows three reasons, and a document says which."""

    OUTSIDE = "不課税"
    EXEMPT = "非課税"
    EXPORTED = "免税"

    @property
    def label(self) -> str:
        """How it stands among the totals per rate."""
        return f"対象外（{self.value}）" if self is Untaxed.OUTSIDE else self.value


@dataclass(frozen=True)
class Party:
    """Whom a document is for. `honorific` is 御中 for a company, 様 for a person.

    Where a `person` is named, the 様 is theirs and the company has no honorific.
    """

    name: str
    honorific: str = "御中"
    postal_code: str = ""
    address: str = ""
    department: str = ""
    person: str = ""


@dataclass(frozen=True)
class Issuer:
    """Who issues it. `registration_number` is T and 13 digits; `bank` is where to pay.

    `seal` is what the square seal says, if there is one; `accent` is the tenant's colour.
    """

    name: str
    registration_number: RegistrationNumber = ""
    postal_code: str = ""
    address: str = ""
    telephone: str = ""
    person: str = ""
    bank: str = ""
    seal: str = ""
    accent: Colour = DEFAULT_ACCENT


@dataclass(frozen=True)
class Correction:
    """The document that this one replaces, and why (COM-72)."""

    number: str
    issued_on: date
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What every document says; it can be written as JSON and read back."""

    number: str
    issued_on: date
    recipient: Party
    issuer: Issuer
    remarks: str = ""
    corrects: Correction | None = None

    @property
    def transaction_date(self) -> date:
        """The day of the trade, by which the document is found again: the one that is printed on it
        (COM-74).
        """
        return self.issued_on

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON column."""
        plain: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The content that `to_json` wrote.

        Raises pydantic.ValidationError when it is anything else.
        """
        read: Self = _adapter(cls).validate_python(dict(data))
        return read


_adapters: dict[type[Content], TypeAdapter[Any]] = {}


def _adapter(kind: type[Content]) -> TypeAdapter[Any]:
    """What reads and writes this kind of content: making one takes some 10 ms, so each is made
    once.
    """
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


@dataclass(frozen=True, kw_only=True)
class InvoiceContent(Content):
    """請求書, a qualified invoice (COM-71); and 適格返還請求書, whose lines are what is given back,
    positive.

    `traded_on` to `traded_until` is when the goods or services were delivered; `discount` (yen) is
    off the lines' sum, with tax if the prices include it; `references` are further facts beside the
    dates, such as an order's number. `day_label` heads the column of the lines' days. `untaxed` is
    why the lines at 0% bear no tax, such as the 不課税 of a cancellation's charge.
    `simplified` (簡易版) is for a sale that a payment company bills formally: it bears neither
    registration number nor bank account.
    """

    traded_on: date
    lines: tuple[BillLine, ...]
    traded_until: date | None = None
    due_on: date | None = None
    subject: str = ""
    rounding: Rounding = Rounding.DOWN
    prices_include_tax: bool = False
    discount: int = 0
    simplified: bool = False
    references: tuple[tuple[str, str], ...] = ()
    day_label: str = "納品日"
    untaxed: Untaxed = Untaxed.OUTSIDE

    @property
    def transaction_date(self) -> date:
        """The day on which all was delivered (取引日)."""
        # Documents are searched by this day (電子帳簿保存法), so it is one day even of a longer
        # delivery.
        return self.traded_until or self.traded_on

    @cached_property
    def totals(self) -> Totals:
        """Totals and tax, rounded once per rate."""
        reckon = totals_included if self.prices_include_tax else totals_excluded
        return reckon([line.tax_line for line in self.lines], self.rounding, self.discount)

    @property
    def reduced_rates(self) -> list[RateTotal]:
        """The reduced rates on it, which the ※ stands for."""
        # A qualified invoice marks what bears the reduced rate (消費税法第57条の4); the footnote
        # that explains the mark is printed only where there is any.
        return [rate for rate in self.totals.per_rate if rate.reduced]


@dataclass(frozen=True)
class Material:
    """Something used up; `quantity` as it is to be read."""

    name: str
    quantity: str
    unit: str = ""


@dataclass(frozen=True)
class Labour:
    """Who worked, when, and how many minutes."""

    person: str
    day: date
    minutes: int


@dataclass(frozen=True, kw_only=True)
class WorkReportContent(Content):
    """作業完了報告書: what was done in a reservation, by whom, how long and with what (FAC-04,
    FAC-12).
    """

    reservation_number: str
    facility: str
    used_from: AwareDatetime
    used_until: AwareDatetime
    work: str
    labour: tuple[Labour, ...] = ()
    materials: tuple[Material, ...] = ()
    subject: str = ""

    @property
    def transaction_date(self) -> date:
        """The day on which the use ended."""
        return self.used[1].date()

    @property
    def used(self) -> tuple[datetime, datetime]:
        """From when to when it was used, in Asia/Tokyo."""
        return to_local(self.used_from), to_local(self.used_until)

    @property
    def used_minutes(self) -> int:
        """How long it was used."""
        return int((self.used_until - self.used_from).total_seconds()) // 60

    @property
    def labour_minutes(self) -> int:
        """How long everybody worked, together."""
        return sum(labour.minutes for labour in self.labour)


@dataclass(frozen=True, kw_only=True)
class ReceiptContent(Content):
    """領収書.

    `by_card` marks クレジットカード利用, `paid_by` names any other way of paying that is known;
    `issue` counts from 1, and from the second on it says 再発行. `traded_on` to `traded_until` is
    when what was paid for was delivered; `untaxed` is as on an invoice.
    """

    paid_on: date
    totals: Totals
    proviso: str
    by_card: bool = False
    paid_by: str = ""
    issue: int = 1
    traded_on: date | None = None
    traded_until: date | None = None
    untaxed: Untaxed = Untaxed.OUTSIDE

    @property
    def payment_method(self) -> str:
        """How it was paid, as it is printed; empty where nobody knows."""
        return "クレジットカード利用" if self.by_card else self.paid_by

    @property
    def transaction_date(self) -> date:
        """The day of the payment (領収日)."""
        return self.paid_on


KINDS: dict[str, type[Content]] = {
    "invoice": InvoiceContent,
    "work_report": WorkReportContent,
    "receipt": ReceiptContent,
    "credit_note": InvoiceContent,
}
