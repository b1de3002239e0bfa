"""Form fields that forgive: full-width digits, stray spaces and hyphens are normalised, not refused
(COM-23).

Free text stays as it was typed, and no field cuts off what is too long: the answer says how long it
is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from flask import request
from flask_wtf import FlaskForm
from flask_wtf.form import _Auto
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    DateField,
    Field,
    FileField,
    HiddenField,
    IntegerField,
    MultipleFileField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional, ValidationError

from portal.core import LabelledEnum, RuleBroken, clock, text
from portal.web import interrupted
from portal.web.form_words import get_translations
from portal.web.i18n import Label
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.validators import MaxLength, drawable, normaliser, presence

FormData = dict[str, Any]
"""What was typed into a form, by the names of its fields: what each field makes of it."""
RenderKeywords = Mapping[str, str]
"""Further attributes of a field's element, e.g. inputmode."""
_UNSEEN = ("CSRFTokenField", "HiddenField", "PasswordField", "TrapField")
"""The types of fields that a confirm page does not show."""


class Form(FlaskForm):  # type: ignore[misc]
    """Base of all forms: what was typed is normalised, and a broken rule finds its field."""

    first: tuple[str, ...] = ()
    """The names of the fields that the page shows first, where it has another order than the
    classes declare.
    """
    is_refused = False
    """Whether a rule refused what was typed well: the summary of errors has another title then."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """Where the data come from, and the words for what is wrong with them."""

        get_translations = get_translations

        def wrap_formdata(self, form: FlaskForm, formdata: object) -> object:
            """What was sent: files for the fields of files, text for all others, and never JSON."""
            sent = request.form.keys() & form._fields.keys()
            # The confirm page sends a draft's token alone: what was typed is in the draft (COM-22).
            if "draft" in request.form and not sent - {"csrf_token"}:
                return None
            if formdata is not _Auto:
                return formdata
            if form.is_submitted():
                return _sent_as_form(form)
            return interrupted.fill_in(form._fields)

    def __init__(
        self, formdata: object = _Auto, *, data: Mapping[str, object] | None = None
    ) -> None:
        """`formdata` is that of the request unless another is given; `data` stands in the fields
        where there is none.
        """
        super().__init__(formdata, data=data)
        # Errors are listed and rows are confirmed in the order of the page (COM-23).
        leading = [name for name in self.first if name in self._fields]
        for name in reversed(leading):
            self._fields.move_to_end(name, last=False)

    def filled_in(self) -> bool:
        """Whether a button was pressed that fills in and sends nothing yet; see
        `portal.web.address`.
        """
        return False

    def blame(self, error: RuleBroken, message: str) -> None:
        """Show a rule's `message` at the field it names, or above the form."""
        self.is_refused = True
        field = self._fields.get(error.field) if error.field else None
        if field is not None:
            field.errors = [*field.errors, message]
        else:
            self.form_errors.append(message)

    def typed(self) -> FormData:
        """What was typed, without the token and without passwords: fit to be kept as a draft."""
        return {
            name: field.data
            for name, field in self._fields.items()
            if name != "csrf_token" and not isinstance(field, PasswordField)
        }

    def rows(self) -> list[tuple[str, str]]:
        """Label and value of every visible field as people write it, for the confirm page, in the
        page's order.
        """
        return [
            (str(field.label.text), _as_read(field)) for field in self if field.type not in _UNSEEN
        ]

    def differences(self, present: Form) -> list[tuple[str, str, str]]:
        """Label, what was typed and what is there now, where the two differ (COM-26)."""
        both = zip(self.rows(), present.rows(), strict=True)
        return [(label, new, old) for (label, new), (_label, old) in both if new != old]


B = TypeVar("B", bound=Form)


def form_with(base: type[B], fields: Mapping[str, Field]) -> type[B]:
    """`base` with further fields that only the request can tell, by their names (WTForms, "Dynamic
    Form Composition"): a class for this request, because adding them to `base` would give them to
    everybody.
    """

    class Extended(base):  # type: ignore[valid-type, misc]
        pass

    for name, field in fields.items():
        setattr(Extended, name, field)
    return Extended


def _sent_as_form(form: FlaskForm) -> MultiDict[str, object]:
    """The text and the files of the request, each for the fields that take such.

    Flask-WTF mixes them, so that a file under the name of a text field came as its value, and
    reads a JSON body as if its numbers and lists had been typed.
    """
    sent: MultiDict[str, object] = MultiDict(request.form)
    for name, field in form._fields.items():
        if isinstance(field, FileField | MultipleFileField):
            sent.setlist(name, request.files.getlist(name))
    return sent


def _as_read(field: Field) -> str:
    """What was typed into a field, as people read it: a field may have `words` for that."""
    if hasattr(field, "words"):
        return str(field.words())
    if field.data is True:
        return _("はい")
    return str(field.data or "")


_LONG_LINE = 200
"""From so many characters on, people type sentences and want to know how many are left."""


def line(
    label: Label,
    *,
    required: bool = False,
    longest: int = 100,
    printed: bool = False,
    clean: Callable[[str], str] = text.one_line,
    render_kw: RenderKeywords | None = None,
) -> StringField:
    """One line of free text, as it was typed; of another kind where `clean` makes it that.

    Of one that is `printed` on documents every character can be drawn (COM-70).
    """
    validators = [presence(required), MaxLength(longest, is_counted=longest >= _LONG_LINE)]
    if printed:
        validators.append(drawable)
    return StringField(
        label, filters=[normaliser(clean)], validators=validators, render_kw=render_kw or {}
    )


def name_line(
    label: Label, *, required: bool = False, longest: int = 100, printed: bool = False
) -> StringField:
    """One line for a person's name or a part of an address: in the usual width, ① and ㈱ stay."""
    return line(label, required=required, longest=longest, printed=printed, clean=text.usual_width)


def code_line(
    label: Label,
    *,
    required: bool = False,
    longest: int = 100,
    render_kw: RenderKeywords | None = None,
) -> StringField:
    """One line for a number, a code or another name by which something is found."""
    return line(
        label, required=required, longest=longest, clean=text.normalise, render_kw=render_kw
    )


def cleaned(
    label: Label,
    clean: Callable[[str], str],
    wrong: Label,
    *,
    required: bool = False,
    longest: int = 254,
    kind: type[StringField] = StringField,
    render_kw: RenderKeywords | None = None,
) -> StringField:
    """Text of a known shape (telephone, postal code, kana, e-mail): `clean` normalises it, `wrong`
    refuses it.
    """
    return kind(
        label,
        filters=[normaliser(str.strip), normaliser(clean, wrong)],
        validators=[presence(required), MaxLength(longest)],
        render_kw=render_kw or {},
    )


class TelephoneField(StringField):  # type: ignore[misc]
    """A telephone number, kept as digits, which people read and write with hyphens."""

    def words(self) -> str:
        """The number as people write it; what is no such number as it was typed."""
        return text.format_telephone(str(self.data or ""))

    def _value(self) -> str:
        """What stands in the box."""
        return self.words()


class PostalCodeField(StringField):  # type: ignore[misc]
    """A postal code, kept as digits, which people read and write with a hyphen."""

    def words(self) -> str:
        """The code as people write it; what is no such code as it was typed."""
        return text.format_postal_code(str(self.data or ""))

    def _value(self) -> str:
        """What stands in the box."""
        return self.words()


def choices(values: Iterable[tuple[str, Label]], empty: Label) -> list[SelectChoice]:
    """Select choices as (value, label), beginning with an empty one."""
    return [SelectChoice(value, label) for value, label in (("", empty), *values)]


def one_of(
    label: Label,
    values: Iterable[tuple[str, Label]] = (),
    empty: Label = "",
    *,
    required: bool = False,
    default: str | None = None,
) -> SelectField:
    """One of these values (value, label), or `empty`; a form may set its `choices` later."""
    needed = InputRequired(_l("選択してください。")) if required else Optional()
    return SelectField(
        label,
        choices=choices(values, empty),
        validators=[needed],
        invalid_choice_message=_l("一覧から選択してください。"),
        default=default,
    )


def status_field(label: Label, statuses: type[LabelledEnum]) -> SelectField:
    """What a search asks for by state."""
    return one_of(label, ((s.value, _l(s.label)) for s in statuses), _l("すべて"), default="")


def body_field(label: Label, *, required: bool = True, longest: int = 10_000) -> TextAreaField:
    """Text of several lines."""
    too_long = MaxLength(longest, is_counted=True)
    return TextAreaField(
        label, filters=[normaliser(text.multiline)], validators=[presence(required), too_long]
    )


def agreement(label: Label) -> BooleanField:
    """What must be agreed to."""
    return BooleanField(label, validators=[InputRequired(_l("同意が必要です。"))])


class TokenField(HiddenField):  # type: ignore[misc]
    """A hidden field for a token of at most `longest` characters that the page made itself.

    What no page can have made is refused and forgotten: the form that is shown again has a new one.
    """

    data: str

    def __init__(self, label: Label = "", *, longest: int, **options: object) -> None:
        super().__init__(label, **options)
        self._as_made = re.compile(rf"[A-Za-z0-9_-]{{0,{longest}}}")

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take the token."""
        super().process_formdata(valuelist)
        # Cleared as well: sent again with the next try, it would be refused again.
        if self.data and not self._as_made.fullmatch(self.data):
            self.data = ""
            raise ValueError(_("送信された内容に誤りがあります。"))


class CountField(IntegerField):  # type: ignore[misc]
    """A whole number from 1 to `maximum`, that may be typed with full-width digits."""

    def __init__(self, label: Label, maximum: int = 999, **options: object) -> None:
        within = NumberRange(1, maximum, message=_l("1以上の数字で入力してください。"))
        super().__init__(label, [InputRequired(_l("入力してください。")), within], **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Normalise before parsing."""
        try:
            super().process_formdata([normaliser(text.normalise)(value) for value in valuelist])
        except ValueError:
            raise ValueError(_("1以上の数字で入力してください。")) from None


class DayField(DateField):  # type: ignore[misc]
    """A date that may be left out, and typed with slashes or full-width digits.

    Days that nobody means, whose neighbours no calendar has, are refused (clock.FIRST_DAY).
    """

    data: Any  # a date; None only where it may be left out
    FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")

    def __init__(
        self,
        label: Label,
        validators: Sequence[Callable[[Form, Field], object]] = (),
        **options: object,
    ) -> None:
        super().__init__(label, validators or [Optional()], format=list(self.FORMATS), **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Normalise before parsing."""
        try:
            super().process_formdata([normaliser(text.normalise)(value) for value in valuelist])
        except ValueError:
            raise ValueError(_("日付は、2026/11/22のように入力してください。")) from None
        if self.data and not clock.FIRST_DAY <= self.data <= clock.LAST_DAY:
            self.data = None
            raise ValueError(_("1900年から2199年までの日付を入力してください。"))


class ClockField(TimeField):  # type: ignore[misc]
    """A time of day that may be left out, and typed with full-width digits."""

    data: Any  # a time; None only where it may be left out

    def __init__(self, label: Label, **options: object) -> None:
        super().__init__(label, [Optional()], format=["%H:%M", "%H:%M:%S"], **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Normalise before parsing."""
        try:
            super().process_formdata([normaliser(text.normalise)(value) for value in valuelist])
        except ValueError:
            raise ValueError(_("時刻は、13:30のように入力してください。")) from None


class SearchForm(FlaskForm):  # type: ignore[misc]
    """What is typed to search a list, a time from `since` to `until` at its end; read from the
    query string.
    """

    class Meta:
        """A GET form needs no token."""

        csrf = False
        get_translations = get_translations

    since: DayField
    until: DayField

    def validate_until(self, field: DayField) -> None:
        """The end is not before the start."""
        if field.data and self.since.data and field.data < self.since.data:
            raise ValidationError(_l("終了日は開始日以降の日付を入力してください。"))

    def asked(self) -> FormData:
        """What was asked for, as the queries take it."""
        return {name: value for name, value in self.data.items() if value}
