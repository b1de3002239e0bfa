"""The tables in a tenant's section of `tenants.toml` that every brand shares (OPS-01, COM-04)."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from portal.config import schema_base as kinds
from portal.config.schema_base import Day, Each, Flag, Line, Name, Section, Whole
from portal.config.schema_password import PasswordRules
from portal.core.business_days import is_business_day

STATIC = Path(__file__).parents[1] / "static"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST_CLOSURE = timedelta(days=180)
_KEY = r"^[a-z][a-z0-9_]{0,29}$"
Count = Annotated[Whole, Field(ge=0, le=100_000)]


def _once(words: list[str], said: str) -> None:
    if len(set(words)) < len(words):
        raise ValueError(f"{said} twice: {', '.join(words)}")


class SignIn(Section):
    """How members come in (COM-10 … COM-15)."""

    items: Literal["email_password", "login_id_password", "login_id_email_password"] = (
        "email_password"
    )
    """What the sign-in page asks for."""
    forgot: Literal["mail", "mail_phone", "operator"] = "mail"
    """A forgotten password: mail a link to the e-mail address; ask for the telephone number too; or
    have the member ask an operator.
    """
    second_factor: Literal["off", "optional", "required"] = "optional"
    """A second step after the password (COM-13): nobody has one, each member chooses, all must."""
    factors: Each[Literal["mail", "totp"]] = Field(("mail", "totp"), min_length=1)
    """Which second steps there are: a mailed code, an authenticator app."""
    remember_device_days: Whole = Field(30, ge=0, le=365)
    """For how many days a browser may be spared the second step; 0 is never."""
    passkeys: Literal["off", "second_step", "sign_in"] = "off"
    """Passkeys (WebAuthn): none, instead of the second step's code, or to sign in with alone."""
    registration: Flag = False
    """Whether people may register by themselves, proving their e-mail address."""
    email_change: Literal["password", "old_address", "operator"] = "password"
    """A changed e-mail address: asked for with the present address and password; through a link
    that is mailed to the old address; or done by an operator.
    """
    managed_by: Literal["representative", "everyone", "operator"] = "representative"
    """Who adds and removes an account's members."""
    member_word: Literal["担当者", "利用者"] = "担当者"
    """What pages call the people who sign in for an account."""
    fresh_minutes: Whole = Field(15, ge=1, le=120)
    """Minutes that a typed password counts for what needs it again."""
    notify_new_device: Flag = True
    """Mail the member about a sign-in from a browser that is new for them."""
    notify_sign_in: Flag = Field(False, description="Mail the member at each sign-in (COM-14).")
    notify_changes: Flag = True
    """Mail 会員情報変更のお知らせ when a profile or an address was changed (COM-34)."""
    password: PasswordRules = Field(PasswordRules(), description="Which passwords may be set.")
    idle_minutes: Whole = Field(
        120, ge=5, le=1440, description="Minutes without a page after which a session ends."
    )
    absolute_hours: Whole = Field(
        12, ge=1, le=720, description="Hours after which a session ends in any case."
    )
    sign_in_tries: Whole = Field(
        10, ge=3, le=100, description="Tries for one member from one address before a pause."
    )
    sign_in_tries_overall: Whole = Field(1000, ge=20, le=1_000_000)
    """Failed tries of everybody together before new browsers pause; known ones still come in."""
    sign_in_window_minutes: Whole = Field(
        5, ge=1, le=1440, description="Minutes that tries are counted over."
    )


class Theme(Section):
    """How the brand looks. Each pair of colours that carries text needs a contrast of 4.5:1
    (WCAG 2.2 AA).
    """

    brand: kinds.Colour = Field(
        "#0b4a8f", description="Buttons, links and the line at the top: #rrggbb."
    )
    brand_strong: kinds.Colour = "#083767"
    """The darker shade: buttons under the pointer, the place one is at."""
    brand_weak: kinds.Colour = Field("#e8f0fa", description="The pale shade behind marked entries.")
    on_brand: kinds.Colour = Field("#ffffff", description="Text on brand and on brand_strong.")
    radius: Whole = Field(8, ge=0, le=24, description="How round corners are, in pixels.")
    mark: str = Field("", max_length=2, pattern=r"^[^\p{Cc}]*$")
    """One or two characters in the coloured square; when absent, the first of the name."""
    logo: str | None = Field(
        None,
        max_length=120,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9][A-Za-z0-9_-]*)*\.(?:svg|png|webp)$",
    )
    """A picture to show instead of the mark, 34 pixels high: a file under portal/static, e.g.
    logos/atelier.svg.
    """

    # A file that is not there would show as a broken picture on every page of the brand.
    @field_validator("logo")
    @classmethod
    def _is_there(cls, logo: str | None) -> str | None:
        if logo and not (STATIC / logo).is_file():
            raise ValueError(f"there is no file portal/static/{logo}")
        return logo


class Contact(Section):
    """How customers reach the brand."""

    telephone: kinds.Telephone = Field(
        "", description="Shown in the footer and in mails, e.g. 03-0000-0000."
    )
    hours: Line = Field("", description="When the telephone is answered, e.g. 平日 9:00〜17:30.")
    email: kinds.Email = Field("", description="Where customers may write to.")
    postal_code: kinds.PostalCode = Field("", description="Seven digits, e.g. 000-0001.")
    address: Line = Field("", description="The rest of the postal address.")


class MailSender(Section):
    """Whom the brand's mails are from (COM-81)."""

    name: str = Field("", max_length=60, pattern=r'^[^\p{Cc}<>"]*$')
    """The name that mailboxes show; when absent, the brand's name."""
    address: kinds.Email = Field(
        "", description="The sender's e-mail address; when absent, no-reply@ the brand's own host."
    )
    inbound: kinds.Email = ""
    """Where customers' mails come in (SUP-12), answers to the brand's own among them; when absent,
    none do.
    """
    require_authenticated: Flag = False
    """Whether a mail that comes in counts only when authentication_host found that it is from the
    domain in From; any other is kept for operators, and neither answered nor made an inquiry.
    """
    authentication_host: str = Field("", max_length=254, pattern=r"^[A-Za-z0-9.-]*$")
    """The name under which the mail server before the portal writes Authentication-Results, e.g.
    mx.example.jp.
    """
    refused_days: Whole = Field(90, ge=1, le=3650)
    """Days after which a mail that became no inquiry is removed."""
    refused_megabytes: Whole = Field(200, ge=0, le=100_000)
    """All mails together that became no inquiry; beyond it who wrote and when is kept, and not the
    mail itself.
    """
    refused_per_sender: Whole = Field(20, ge=0, le=10_000)
    """Mails of one sender that are kept of those within a day; of further ones only who wrote and
    when.
    """

    @model_validator(mode="after")
    def _names_whom_it_believes(self) -> Self:
        if self.require_authenticated and not self.authentication_host:
            raise ValueError("require_authenticated needs authentication_host, whose word it is")
        return self


class Storage(Section):
    """How much customers may store, and when files that nothing needs any more are removed."""

    account_megabytes: Whole = Field(1000, ge=1, le=1_000_000)
    """All files of one account together, with those of forms that are not yet sent."""
    address_megabytes: Whole = Field(500, ge=1, le=1_000_000)
    """Files that may be sent from one network address within a day."""
    unused_hours: Whole = Field(24, ge=1, le=720)
    """Hours that a file stays which nothing points at (an abandoned form's, an erased account's)
    before the worker removes it.
    """


class ClosedPeriod(Section):
    """Days on which the brand is closed (年末年始, お盆), the first and the last included."""

    name: Name = Field(description="What the closure is called, e.g. 年末年始.")
    first: Day = Field(description="The first closed day, e.g. 2026-12-29.")
    last: Day = Field(description="The last closed day, the same as first for a single one.")

    @field_validator("last")
    @classmethod
    def _in_order(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("first", last)
        # Longer is a mistyped year: nothing could be booked, and due dates would run away.
        if not timedelta() <= last - first <= _LONGEST_CLOSURE:
            raise ValueError(
                f"{last} is not within {_LONGEST_CLOSURE.days} days from the first day, {first}"
            )
        return last


class Calendar(Section):
    """The days that the brand works."""

    weekly_closed: Each[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        ("sat", "sun"), max_length=6
    )
    """Closed every week; at least one day stays open."""
    holidays: Flag = Field(True, description="Closed on Japan's national holidays.")
    closed: tuple[ClosedPeriod, ...] = Field((), max_length=100)
    """The brand's own closures, one [[…calendar.closed]] each."""

    def is_open(self, day: date) -> bool:
        """Whether the brand works on `day`."""
        # As Python counts the days of a week: Monday is 0.
        weekly = list(map(WEEKDAYS.index, self.weekly_closed))
        return is_business_day(
            day, weekly, self.holidays, [(period.first, period.last) for period in self.closed]
        )


class Issuer(Section):
    """Who issues invoices and other documents (COM-70, COM-71)."""

    name: str = Field(
        "",
        max_length=60,
        pattern=r"^[^\p{Cc}]*$",
        description="As printed; when absent, the company.",
    )
    kind: Literal["company", "sole_proprietor"] = "company"
    """Whose registration number it is: a company's has a check digit, a sole proprietor's
    (個人事業主) has none.
    """
    registration_number: str | None = Field(None, pattern=r"^T[0-9]{13}$")
    """適格請求書発行事業者の登録番号: T and 13 digits.

    Without it invoices are not qualified ones.
    """
    postal_code: kinds.PostalCode = Field(
        "", description="Seven digits; when absent, that of contact."
    )
    address: Line = Field("", description="As printed; when absent, that of contact.")
    telephone: kinds.Telephone = Field("", description="As printed; when absent, that of contact.")
    person: Line = Field("", description="Who is in charge of invoices.")
    bank: Line = Field("", description="Where to pay: bank, branch, kind, number, holder.")
    seal: str = Field("", max_length=16, pattern=r"^[^\p{Cc}]*$")
    """What the square seal on documents says; 角印."""


class NumberFormat(Section):
    """How the public numbers of one kind are written, e.g. ``EC00012345``."""

    prefix: str = Field("", max_length=8, pattern=r"^(?:[A-Z][A-Z0-9]*-?)?$")
    """Capital letters, e.g. EC or INV-."""
    digits: Whole = Field(8, ge=4, le=10, description="How many digits follow, zero-padded.")


class TaxRate(Section):
    """One rate of consumption tax, in effect until a newer one of its kind begins."""

    rate: Whole = Field(ge=0, le=30, description="Percent.")
    reduced: Flag = Field(
        False, description="Whether this is the reduced rate (軽減税率, marked ※)."
    )
    since: Day = Field(description="The first day it is in effect.")


class Tax(Section):
    """Consumption tax."""

    rates: Annotated[tuple[TaxRate, ...], Field(min_length=1, max_length=20)] = (
        # Both rates in force since the reduced one (軽減税率) came with the rise to 10 percent.
        TaxRate(rate=10, since=date(2019, 10, 1)),
        TaxRate(rate=8, reduced=True, since=date(2019, 10, 1)),
    )
    """All rates with the day each begins; the rate of the day of the sale applies."""
    rounding: Literal["down", "up", "half"] = "down"
    """What becomes of a fraction of a yen, once per rate and document."""

    @field_validator("rates")
    @classmethod
    def _one_at_a_time(cls, rates: tuple[TaxRate, ...]) -> tuple[TaxRate, ...]:
        begun = [(rate.since, rate.reduced) for rate in rates]
        if len(set(begun)) < len(begun):
            raise ValueError("two rates of the same kind begin on the same day")
        # What is not reduced would have no rate at all, found when the first bill is drawn.
        if all(rate.reduced for rate in rates):
            raise ValueError("there is no standard rate; add one with reduced = false")
        return rates


class PaymentTerms(Section):
    """When accounts that pay later are billed, and when they pay (締め日・支払期限)."""

    closing_day: Whole = Field(
        31, ge=1, le=31, description="Day of the month; 31 is the end of any month."
    )
    months: Whole = Field(
        1, ge=0, le=6, description="Due at the end of the month, so many after closing."
    )
    shift: Literal["none", "next", "previous"] = "none"
    """What becomes of a due date on which banks are closed (Saturdays, Sundays, national holidays
    and 12/31 to 1/3, whatever the brand's calendar says): the bank day after or before it.
    """
    invoicing: Literal["per_order", "closing"] = "per_order"
    """An invoice for each order as soon as its amount is fixed, or one on each closing day for all
    that an account ordered (`flask invoices close`).
    """
    remind_after_days: Whole = Field(
        3, ge=0, le=60, description="Days after the due date when a customer is reminded; 0 never."
    )


class InquiryField(Section):
    """One more thing that a category asks for."""

    key: str = Field(pattern=_KEY, description="Small letters, digits and _; never changes.")
    label: Name = Field(description="As customers read it.")
    kind: Literal["line", "text", "date", "time", "choice", "unit"] = Field(
        "line",
        description="What is typed, or chosen; a unit is one of what the contract has, "
        "e.g. an app.",
    )
    choices: Each[Name] = Field(
        (), max_length=30, description="For a choice: what there is to choose from."
    )
    required: Flag = Field(True, description="Whether it must be filled in.")
    wish: Flag = Field(
        False,
        description="Whether it is wished for: a date that is not past, a time within the brand's "
        "hours.",
    )

    @model_validator(mode="after")
    def _wishes_for_a_time(self) -> "InquiryField":
        if self.wish and self.kind not in ("date", "time"):
            raise ValueError(f'{self.key}: wish belongs to kind = "date" and kind = "time"')
        return self

    @model_validator(mode="after")
    def _has_choices(self) -> "InquiryField":
        if bool(self.choices) != (self.kind == "choice"):
            raise ValueError(f'{self.key}: choices belong to kind = "choice", which needs some')
        return self


class InquiryCategory(Section):
    """One kind of inquiry."""

    key: str = Field(
        pattern=_KEY, description="Small letters, digits and _; links lead to it by this."
    )
    label: Name = Field(description="As customers read it.")
    module: str | None = None
    """Whose it is, where several modules are on: the numbers to choose from are that module's, and
    its rule says who may ask. When absent, all modules' numbers, and everybody may ask.
    """
    about: Name | None = Field(
        None, description="What number it is about, e.g. 予約番号; when absent, none is asked for."
    )
    about_own: Flag = Field(
        False, description="Whether it is chosen from what the account has, e.g. its contracts."
    )
    fields: tuple[InquiryField, ...] = Field((), max_length=20)
    """What else is asked for, one [[…fields]] each."""

    @model_validator(mode="after")
    def _units_need_their_owner(self) -> "InquiryCategory":
        if any(field.kind == "unit" for field in self.fields) and not self.about_own:
            raise ValueError(f'{self.key}: kind = "unit" needs about and about_own = true')
        return self


class Inquiries(Section):
    """お問い合わせ."""

    categories: Annotated[tuple[InquiryCategory, ...], Field(min_length=1, max_length=50)] = (
        InquiryCategory(key="other", label="その他のお問い合わせ"),
    )
    """What may be asked about, one [[…categories]] each; the last one is for everything else."""
    visible_to: Literal["account", "member"] = "account"
    """Who reads a thread: everybody of the account, or who began it."""
    text_in_mail: Flag = False
    """Whether the mail about an answer holds its text, or a link alone (COM-52)."""
    guests: Flag = Field(
        False, description="Whether people who are not signed in may write (COM-53)."
    )
    most_files: Whole = Field(5, ge=0, le=20, description="Files with one message.")
    most_megabytes: Whole = Field(20, ge=1, le=50, description="All files of one message together.")

    @field_validator("categories")
    @classmethod
    def _each_once(cls, categories: tuple[InquiryCategory, ...]) -> tuple[InquiryCategory, ...]:
        for keys in ([c.key for c in categories], *([f.key for f in c.fields] for c in categories)):
            _once(keys, "a key stands")
        return categories

    def category(self, key: object) -> InquiryCategory | None:
        """The category with this key, or None."""
        return next((category for category in self.categories if category.key == key), None)


class Chat(Section):
    """チャット, on the days that the calendar has open (SUP-11). Clock times are Asia/Tokyo's."""

    opening: kinds.ClockTime = Field("09:00", description="When a chat can be begun from, HH:MM.")
    closing: kinds.ClockTime = Field("17:30", description="Until when, HH:MM.")
    stream: Flag = True
    """Whether pages are told of news at once, or ask every 3 seconds: for proxies that cut
    streams.
    """

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.closing <= self.opening:
            raise ValueError(f"closing at {self.closing} is not after opening at {self.opening}")
        return self


class Extra(Section):
    """So many more, whatever the owner has."""

    label: Name = Field(description="Why, as customers read it, e.g. 含まれるアプリ.")
    count: Count = Field(description="How many.")


class PerUnit(Section):
    """So many more for each unit of a kind."""

    unit: Name = Field(description="The kind that is counted, e.g. app or connection.")
    label: Name = Field(description="The kind as customers read it, e.g. ご利用中のアプリ.")
    each: Count = Field(1, description="How many for each of them.")
    besides: Each[Name] = Field(
        (), description="Units of these names are counted elsewhere, and not again."
    )


class Formula(Section):
    """How one limit comes about."""

    when: dict[str, Name] = Field({})
    """What the owner must be for this formula, e.g. { product = "manage" }; empty fits all."""
    base: Count = Field(description="How many there may be of in any case.")
    extras: tuple[Extra, ...] = Field(
        (), max_length=20, description="What is added, one table each."
    )
    per: tuple[PerUnit, ...] = Field((), max_length=20, description="What is added for each unit.")
    exactly_one: Name | None = None
    """The role that exactly one of them has, always, e.g. 主担当; when absent, none."""
    base_first_from: Day | None = None
    """With application forms of this day or later only the base may be registered at first; when
    absent, the full number (SUP-03).
    """

    @field_validator("per")
    @classmethod
    def _each_kind_once(cls, per: tuple[PerUnit, ...]) -> tuple[PerUnit, ...]:
        _once([one.unit for one in per], "a kind of unit is counted")
        return per

    def fits(self, owner: Mapping[str, str]) -> bool:
        """Whether this formula is for an owner that is this."""
        return all(owner.get(name) == value for name, value in self.when.items())


def _in_order(formulas: tuple[Formula, ...]) -> tuple[Formula, ...]:
    """The formulas of one limit; of those that fit, the first counts.

    Raises ValueError for one that never does.
    """
    # What asks for all that an earlier one asks for, and more, is always taken by that.
    for place, formula in enumerate(formulas):
        if any(formula.when.items() >= earlier.when.items() for earlier in formulas[:place]):
            raise ValueError(
                f"formula {place + 1} is never reached: an earlier one fits whatever it fits"
            )
    return formulas


Formulas = Annotated[
    tuple[Formula, ...], Field(min_length=1, max_length=50), AfterValidator(_in_order)
]
