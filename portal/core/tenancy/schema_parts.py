"""The tables inside a tenant's section of `tenants.toml` that every brand shares (OPS-01, COM-04)."""

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from portal.core.business_days import is_business_day
from portal.core.tenancy.schema_base import (
    EMAIL,
    Colour,
    Day,
    Each,
    Flag,
    Line,
    Name,
    PostalCode,
    Section,
    Telephone,
    Whole,
)
from portal.core.tenancy.schema_password import PasswordRules

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST_CLOSURE = timedelta(days=180)


class SignIn(Section):
    """How members come in (COM-10 … COM-15)."""

    items: Literal["email_password", "login_id_password", "login_id_email_password"] = Field(
        default="email_password", description="What the sign-in page asks for."
    )
    forgot: Literal["mail", "mail_phone", "operator"] = Field(
        default="mail",
        description="A forgotten password: mail a link to the e-mail address; ask for the telephone number too; "
        "or have the member ask an operator.",
    )
    second_factor: Literal["off", "optional", "required"] = Field(
        default="optional",
        description="A second step after the password (COM-13): nobody has one, each member chooses, all must.",
    )
    factors: Each[Literal["mail", "totp"]] = Field(
        default=("mail", "totp"),
        min_length=1,
        description="Which second steps there are: a mailed code, an authenticator app.",
    )
    remember_device_days: Whole = Field(
        default=30, ge=0, le=365, description="For how many days a browser may be spared the second step; 0 is never."
    )
    passkeys: Literal["off", "second_step", "sign_in"] = Field(
        default="off",
        description="Passkeys (WebAuthn): none, instead of the second step's code, or to sign in with alone.",
    )
    registration: Flag = Field(
        default=False, description="Whether people may register by themselves, proving their e-mail address."
    )
    email_change: Literal["password", "old_address", "operator"] = Field(
        default="password",
        description="A changed e-mail address: asked for with the present address and password; through a link that is "
        "mailed to the old address; or done by an operator.",
    )
    managed_by: Literal["representative", "everyone", "operator"] = Field(
        default="representative", description="Who adds and removes an account's members."
    )
    member_word: Literal["担当者", "利用者"] = Field(
        default="担当者", description="What pages call the people who sign in for an account."
    )
    fresh_minutes: Whole = Field(
        default=15, ge=1, le=120, description="Minutes that a typed password counts for what needs it again."
    )
    notify_new_device: Flag = Field(
        default=True, description="Mail the member about a sign-in from a browser that is new for them."
    )
    notify_sign_in: Flag = Field(default=False, description="Mail the member at each sign-in (COM-14).")
    notify_changes: Flag = Field(
        default=True, description="Mail 会員情報変更のお知らせ when a profile or an address was changed (COM-34)."
    )
    password: PasswordRules = Field(default=PasswordRules(), description="Which passwords may be set.")
    idle_minutes: Whole = Field(
        default=120, ge=5, le=1440, description="Minutes without a page after which a session ends."
    )
    absolute_hours: Whole = Field(default=12, ge=1, le=720, description="Hours after which a session ends in any case.")
    sign_in_tries: Whole = Field(
        default=10, ge=3, le=100, description="Tries for one member from one address before a pause."
    )
    sign_in_window_minutes: Whole = Field(default=5, ge=1, le=1440, description="Minutes that tries are counted over.")


class Theme(Section):
    """How the brand looks. Each pair of colours that carries text needs a contrast of 4.5:1 (WCAG 2.2 AA)."""

    brand: Colour = Field(default="#0b4a8f", description="Buttons, links and the line at the top: #rrggbb.")
    brand_strong: Colour = Field(
        default="#083767", description="The darker shade: buttons under the pointer, the place one is at."
    )
    brand_weak: Colour = Field(default="#e8f0fa", description="The pale shade behind marked entries.")
    on_brand: Colour = Field(default="#ffffff", description="Text on brand and on brand_strong.")
    radius: Whole = Field(default=8, ge=0, le=24, description="How round corners are, in pixels.")
    mark: str = Field(
        default="",
        max_length=2,
        pattern=r"^[^\p{Cc}]*$",
        description="One or two characters in the coloured square; when absent, the first of the name.",
    )
    logo: str | None = Field(
        default=None,
        max_length=120,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9][A-Za-z0-9_-]*)*\.(?:svg|png|webp)$",
        description="A picture to show instead of the mark: a file under portal/static, e.g. logos/atelier.svg.",
    )


class Contact(Section):
    """How customers reach the brand."""

    telephone: Telephone = Field(default="", description="Shown in the footer and in mails, e.g. 03-0000-0000.")
    hours: Line = Field(default="", description="When the telephone is answered, e.g. 平日 9:00〜17:30.")
    email: str = Field(
        default="", max_length=254, pattern=rf"^(?:{EMAIL})?$", description="Where customers may write to."
    )
    postal_code: PostalCode = Field(default="", description="Seven digits, e.g. 000-0001.")
    address: Line = Field(default="", description="The rest of the postal address.")


class MailSender(Section):
    """Whom the brand's mails are from (COM-81)."""

    name: str = Field(
        default="",
        max_length=60,
        pattern=r'^[^\p{Cc}<>"]*$',
        description="The name that mailboxes show; when absent, the brand's name.",
    )
    address: str = Field(
        default="",
        max_length=254,
        pattern=rf"^(?:{EMAIL})?$",
        description="The sender's e-mail address; when absent, no-reply@ the brand's own host.",
    )


class ClosedPeriod(Section):
    """Days on which the brand is closed (年末年始, お盆), the first and the last included."""

    name: Name = Field(description="What the closure is called, e.g. 年末年始.")
    first: Day = Field(description="The first closed day, e.g. 2026-12-29.")
    last: Day = Field(description="The last closed day, the same as first for a single one.")

    @field_validator("last")
    @classmethod
    def _in_order(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("first", last)
        if not timedelta() <= last - first <= _LONGEST_CLOSURE:
            raise ValueError(f"{last} is not within {_LONGEST_CLOSURE.days} days from the first day, {first}")
        return last


class Calendar(Section):
    """The days that the brand works."""

    weekly_closed: Each[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=("sat", "sun"), max_length=6, description="Closed every week; at least one day stays open."
    )
    holidays: Flag = Field(default=True, description="Closed on Japan's national holidays.")
    closed: tuple[ClosedPeriod, ...] = Field(
        default=(), max_length=100, description="The brand's own closures, one [[…calendar.closed]] each."
    )

    def is_open(self, day: date) -> bool:
        """Whether the brand works on `day`."""
        weekly = [WEEKDAYS.index(name) for name in self.weekly_closed]
        return is_business_day(day, weekly, self.holidays, [(period.first, period.last) for period in self.closed])


class Issuer(Section):
    """Who issues invoices and other documents (COM-70, COM-71)."""

    name: str = Field(
        default="", max_length=60, pattern=r"^[^\p{Cc}]*$", description="As printed; when absent, the company."
    )
    registration_number: str | None = Field(
        default=None,
        pattern=r"^T[0-9]{13}$",
        description="適格請求書発行事業者の登録番号: T and 13 digits. Without it invoices are not qualified ones.",
    )
    postal_code: PostalCode = Field(default="", description="Seven digits; when absent, that of contact.")
    address: Line = Field(default="", description="As printed; when absent, that of contact.")
    telephone: Telephone = Field(default="", description="As printed; when absent, that of contact.")
    person: Line = Field(default="", description="Who is in charge of invoices.")
    bank: Line = Field(default="", description="Where to pay: bank, branch, kind, number, holder.")
    seal: str = Field(
        default="", max_length=16, pattern=r"^[^\p{Cc}]*$", description="What the square seal on documents says; 角印."
    )


class NumberFormat(Section):
    """How the public numbers of one kind are written, e.g. ``EC00012345``."""

    prefix: str = Field(
        default="", max_length=8, pattern=r"^(?:[A-Z][A-Z0-9]*-?)?$", description="Capital letters, e.g. EC or INV-."
    )
    digits: Whole = Field(default=8, ge=4, le=10, description="How many digits follow, zero-padded.")


class TaxRate(Section):
    """One rate of consumption tax, in effect until a newer one of its kind begins."""

    rate: Whole = Field(ge=0, le=30, description="Percent.")
    reduced: Flag = Field(default=False, description="Whether this is the reduced rate (軽減税率, marked ※).")
    since: Day = Field(description="The first day it is in effect.")


class Tax(Section):
    """Consumption tax."""

    rates: Annotated[tuple[TaxRate, ...], Field(min_length=1, max_length=20)] = Field(
        default=(TaxRate(rate=10, since=date(2019, 10, 1)), TaxRate(rate=8, reduced=True, since=date(2019, 10, 1))),
        description="All rates with the day each begins; the rate of the day of the sale applies.",
    )
    rounding: Literal["down", "up", "half"] = Field(
        default="down", description="What becomes of a fraction of a yen, once per rate and document."
    )

    @field_validator("rates")
    @classmethod
    def _one_at_a_time(cls, rates: tuple[TaxRate, ...]) -> tuple[TaxRate, ...]:
        begun = [(rate.since, rate.reduced) for rate in rates]
        if len(set(begun)) < len(begun):
            raise ValueError("two rates of the same kind begin on the same day")
        if all(rate.reduced for rate in rates):
            raise ValueError("there is no standard rate; add one with reduced = false")
        return rates


class PaymentTerms(Section):
    """When accounts that pay later are billed, and when they pay (締め日・支払期限)."""

    closing_day: Whole = Field(default=31, ge=1, le=31, description="Day of the month; 31 is the end of any month.")
    months: Whole = Field(default=1, ge=0, le=6, description="Due at the end of the month, so many after closing.")
    shift: Literal["none", "next", "previous"] = Field(
        default="none", description="What becomes of a due date on a closed day: the open day after or before it."
    )
