"""Days and times that a category asks for: kept as text, because drafts are JSON, and shown as
everywhere (COM-50).
"""

from collections.abc import Callable
from datetime import date, datetime

from wtforms import StringField
from wtforms.validators import ValidationError

from portal.core import clock, text
from portal.web.formatting import on_date
from portal.web.forms import DayField, Form
from portal.web.i18n import Label
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.validators import normaliser, presence


class DayTextField(StringField):  # type: ignore[misc]
    """A day as ``2026-12-04``."""

    def words(self) -> str:
        """The day as it is shown everywhere."""
        return day_in_words(self.data or "")


def day_in_words(typed: str) -> str:
    """``2026/12/04(金)``; what is no day stays as it is."""
    day = _day(typed)
    return on_date(day) if day else typed


def day_field(label: Label, *, required: bool, is_wish: bool) -> StringField:
    """A day; one that is wished for is not past."""
    wrong = _l("日付は、2026/11/22のように入力してください。")
    validators = [presence(required)]
    if is_wish:
        validators.append(_not_past)
    return DayTextField(
        label,
        filters=[normaliser(_iso_day, wrong)],
        validators=validators,
        render_kw={"type": "date"},
    )


def clock_field(label: Label, *, required: bool, within: tuple[str, str] | None) -> StringField:
    """A time of day, `within` two of them (HH:MM) where that is given."""
    wrong = _l("時刻は、13:30のように入力してください。")
    validators = [presence(required)]
    if within is not None:
        opening, closing = within
        validators.append(_between(opening, closing))
    return StringField(
        label,
        filters=[normaliser(_clock_time, wrong)],
        validators=validators,
        render_kw={"type": "time"},
    )


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None


def _iso_day(typed: str) -> str:
    """Any spelling of a day that people can mean as ISO. Raises ValueError."""
    plain = text.normalise(typed)
    for style in DayField.FORMATS:
        try:
            day = datetime.strptime(plain, style).replace(tzinfo=clock.TOKYO).date()
        except ValueError:
            continue
        if clock.FIRST_DAY <= day <= clock.LAST_DAY:
            return day.isoformat()
    raise ValueError


def _clock_time(typed: str) -> str:
    """A time of day as ``09:30``. Raises ValueError."""
    plain = text.normalise(typed)
    style = "%H:%M"
    if plain.count(":") > 1:  # some browsers send the seconds of a time field
        style = "%H:%M:%S"
    return f"{datetime.strptime(plain, style).replace(tzinfo=clock.TOKYO):%H:%M}"


def _not_past(_form: Form, field: StringField) -> None:
    day = _day(field.data)
    if day and day < clock.today():
        raise ValidationError(_("本日以降の日付を入力してください。"))


def _between(opening: str, closing: str) -> Callable[[Form, StringField], None]:
    """A validator of times of day; what is no time is told by the field itself."""

    def check(_form: Form, field: StringField) -> None:
        if not field.errors and not opening <= field.data <= closing:
            raise ValidationError(
                _(
                    "%(opening)sから%(closing)sまでの時刻を入力してください。",
                    opening=opening,
                    closing=closing,
                )
            )

    return check
