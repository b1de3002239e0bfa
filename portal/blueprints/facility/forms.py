"""The search form of reservations (FAC-02) and the request for one (FAC-11)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import Any, Self

from flask_wtf import FlaskForm
from wtforms import SelectMultipleField
from wtforms.validators import InputRequired, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from portal.blueprints.facility.booking import Booking
from portal.blueprints.facility.models import Facility, Status
from portal.blueprints.facility.quotes import Quote, price_of, prices_of, quote
from portal.blueprints.facility.slots import Hours, at_clock
from portal.config import Tenant
from portal.core import RuleBroken, to_local
from portal.core.money import yen
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Address
from portal.shared.orders.models import address_copy
from portal.web import forms
from portal.web.formatting import from_to
from portal.web.forms import (
    ClockField,
    CountField,
    DayField,
    Form,
    body_field,
    choices,
    code_line,
    line,
    one_of,
    status_field,
)
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _


class SearchForm(forms.SearchForm):
    """What a member searches reservations by."""

    number = code_line(_l("予約番号"), longest=20)
    status = status_field(_l("ステータス"), Status)
    payment = one_of(
        _l("お支払い状況"),
        [("unpaid", _l("お支払い待ち")), ("overdue", _l("お支払期限超過"))],
        _l("すべて"),
    )
    facility = line(_l("設備予約情報"))
    since = DayField(_l("ご利用日（開始）"))
    since_time = ClockField(_l("ご利用時刻（開始）"))
    until = DayField(_l("ご利用日（終了）"))
    until_time = ClockField(_l("ご利用時刻（終了）"))

    def validate_since_time(self, field: ClockField) -> None:
        """A time is one of a day."""
        del field
        self._require_day(self.since)

    def validate_until_time(self, field: ClockField) -> None:
        """A time is one of a day, and on the day of the start not before it."""
        self._require_day(self.until)
        same_day = self.until.data and self.until.data == self.since.data
        both = field.data and self.since_time.data
        if same_day and both and field.data < self.since_time.data:
            raise ValidationError(_l("終了時刻は開始時刻以降の時刻を入力してください。"))

    def _require_day(self, day: DayField) -> None:
        if not day.data and not day.errors:
            raise ValidationError(_l("日付も入力してください。"))

    def asked(self) -> dict[str, Any]:
        """As in every search; a day with its time as one instant."""
        asked = super().asked()
        for edge in ("since", "until"):
            time = asked.pop(f"{edge}_time", None)
            if time is not None:
                asked[edge] = at_clock(asked[edge], f"{time:%H:%M}")
        return asked


class DaySearchForm(FlaskForm):  # type: ignore[misc]
    """The day for which all facilities are looked through, one that can be reserved; read from the
    query string.
    """

    class Meta:
        """A GET form needs no token."""

        csrf = False

    day = DayField(_l("ご利用日"))

    def __init__(self, hours: Hours, formdata: Any) -> None:
        super().__init__(formdata)
        self.hours = hours

    def validate_day(self, field: DayField) -> None:
        """As the request for a use says it: neither past nor too far ahead, and no 休業日."""
        if not field.data:  # what is no day is told by the field itself
            return
        try:
            self.hours.check_day(field.data)
        except RuleBroken as refused:
            raise ValidationError(_(refused.message, **refused.params)) from None


def _each_once(chosen: list[str] | None) -> list[str]:
    """A filter: what was chosen, once each and in its order."""
    return list(dict.fromkeys(chosen or ()))


class BookingForm(Form):
    """What is asked for a use of a facility. The times and options offered are the tenant's."""

    day = DayField(_l("ご利用日"), validators=[InputRequired(_l("入力してください。"))])
    starts = one_of(_l("開始時刻"), required=True)
    ends = one_of(_l("終了時刻"), required=True)
    headcount = CountField(_l("ご利用人数"), default=1)
    purpose = line(_l("ご利用目的"), required=True, longest=200, printed=True)
    options = SelectMultipleField(
        _l("オプション"),
        filters=[_each_once],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
        invalid_choice_message=_l("一覧から選択してください。"),
    )
    billing = one_of(_l("請求書送付先"))
    remarks = body_field(_l("備考"), required=False, longest=1000)

    tenant: Tenant
    facility: Facility
    addresses: Sequence[Address] = ()

    @classmethod
    def of(
        cls,
        tenant: Tenant,
        hours: Hours,
        facility: Facility,
        addresses: Sequence[Address],
        data: dict[str, Any],
    ) -> Self:
        """The form of a facility, filled with what `typed` gave or a chosen time says."""
        given = {name: value for name, value in data.items() if value}
        # The day comes from an address, in which anything may stand; the form then begins without
        # one.
        with suppress(ValueError):
            given["day"] = date.fromisoformat(given.pop("day", ""))
        numbers = [contacts.number_of(address) for address in addresses]
        if addresses and "purpose" not in data:  # a new form: the usual address
            given["billing"] = numbers[0]
        made = cls(data=given)
        made.tenant = tenant
        made.facility = facility
        made.addresses = addresses
        # Each list from the rules, so that what nobody could book is not offered.
        for field, times in ((made.starts, hours.starts()), (made.ends, hours.edges()[1:])):
            field.choices = choices(((at, at) for at in times), _l("選択してください"))
        prices = prices_of(tenant, hours.config.options)
        made.options.choices = [
            (name, _with_price(name, prices.get(name))) for name in hours.config.options
        ]
        # By number, never by id: ids of rows do not show.
        names = zip(numbers, (address.name for address in addresses), strict=True)
        made.billing.choices = choices(names, _l("会員情報の住所"))
        return made

    def booking(self) -> Booking:
        """What is asked for, in the operations' words."""
        # The form knows an address by its number; a made-up one is none of the account's.
        chosen = [
            address
            for address in self.addresses
            if contacts.number_of(address) == self.billing.data
        ]
        return Booking(
            self.facility,
            at_clock(self.day.data, self.starts.data),
            at_clock(self.day.data, self.ends.data),
            purpose=self.purpose.data or "",
            remarks=self.remarks.data or "",
            headcount=self.headcount.data,
            options=self.options.data or (),
            billing=address_copy(chosen[0]) if chosen else {},
        )

    def typed(self) -> dict[str, Any]:
        """As in every form, the day as text."""
        return super().typed() | {"day": self.day.data.isoformat()}

    def rows(self) -> list[tuple[str, str]]:
        """What is asked for and what it will cost."""
        wanted = self.booking()
        return [
            (_("設備"), self.facility.name),
            (_("ご利用日時"), from_to(wanted.starts_at, wanted.ends_at)),
            (_("ご利用人数"), _("%(n)s名", n=wanted.headcount)),
            (_("ご利用目的"), wanted.purpose),
            (_("オプション"), "、".join(wanted.options)),
            (_("請求書送付先"), wanted.billing.get("name", _("会員情報の住所"))),
            (_("備考"), wanted.remarks),
            *self._costs(wanted),
        ]

    def _costs(self, wanted: Booking) -> list[tuple[str, str]]:
        """What the facility and each option cost without tax, and what it comes to with tax."""
        price = price_of(self.facility, wanted.starts_at, wanted.ends_at)
        prices = prices_of(self.tenant, wanted.options)
        # Taxed at the rate of the day of use, which may be another one than today's.
        day = to_local(wanted.starts_at).date()
        made = quote(self.tenant, price, wanted.options, prices, day)
        return quote_rows(made)


def quote_rows(made: Quote) -> list[tuple[str, str]]:
    """A quote as label and value, for 内容確認 and the reservation's page."""
    options = [
        (_("オプション：%(name)s", name=name), yen(price))
        for name, price in made.option_prices.items()
    ]
    later = [(_("オプション：%(name)s", name=name), _("ご利用後に確定")) for name in made.unpriced]
    return [
        (_("ご利用料金（税抜）"), yen(made.facility_price)),
        *options,
        *later,
        (_("料金の目安（税抜）"), yen(made.totals.net)),
        (_("料金の目安（税込）"), yen(made.totals.total)),
    ]


def _with_price(name: str, price: int | None) -> str:
    """An option as it is chosen, with what it costs where that is known."""
    if price is None:
        return name
    return _("%(name)s（＋%(price)s）", name=name, price=yen(price))
