"""Form fields that forgive: full-width digits, stray spaces and hyphens are normalised, not refused
(COM-23).

Free text stays as it was typed, and no field cuts off what is too long: the answer says how long it
is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

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
from wtforms.validators import DataRequired, InputRequired, NumberRange, Optional, ValidationError

from portal.core import LabelledEnum, RuleBroken, clock, text
from portal.shared.documents.typefaces import UndrawableText, check_drawable
from portal.web import interrupted
from portal.web.form_words import get_translations
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _

PREFECTURES = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 "
    "埼玉県 千葉県 東京都 神奈川県 新潟県 富山県 石川県 福井県 山梨県 長野県 "
    "岐阜県 静岡県 愛知県 三重県 滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 "
    "鳥取県 島根県 岡山県 広島県 山口県 徳島県 香川県 愛媛県 高知県 福岡県 "
    "佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県 "
).split()


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

        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> Any:
            """What was sent: files for the fields of files, text for all others, and never JSON.

            The confirm page sends a draft's token alone: what was typed is in the draft (COM-22).
            """
            sent = request.form.keys() & form._fields.keys()
            if "draft" in request.form and not sent - {"csrf_token"}:
                return None
            if formdata is not _Auto:
                return formdata
            if form.is_submitted():
                return _sent_as_form(form)
            return interrupted.fill_in(form._fields)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
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
        """Show a rule's `message` at the field it names, or above the form; nothing was mistyped."""
        self.is_refused = True
        field = self._fields.get(error.field) if error.field else None
        if field is not None:
            field.errors = [*field.errors, message]
        else:
            self.form_errors.append(message)

    def typed(self) -> dict[str, Any]:
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
        unseen = ("CSRFTokenField", "HiddenField", "PasswordField", "TrapField")
        return [(str(f.label.text), _as_read(f)) for f in self if f.type not in unseen]

    def differences(self, present: Form) -> list[tuple[str, str, str]]:
        """Label, what was typed and what is there now, where the two differ (COM-26)."""
        both = zip(self.rows(), present.rows(), strict=True)
        return [(label, new, old) for (label, new), (_label, old) in both if new != old]


def _sent_as_form(form: FlaskForm) -> MultiDict[str, Any]:
    """The text and the files of the request, each for the fields that take such.

    Flask-WTF mixes them, so that a file under the name of a text field came as its value, and
    reads a JSON body as if its numbers and lists had been typed.
    """
    sent: MultiDict[str, Any] = MultiDict(request.form)
    for name, field in form._fields.items():
        if isinstance(field, FileField | MultipleFileField):
            sent.setlist(name, request.files.getlist(name))
    return sent


def _as_read(field: Field) -> str:
    """What was typed into a field, as people read it: a field may have `words` for that."""
    if hasattr(field, "words"):
        return str(field.words())
    return _("はい") if field.data is True else str(field.data or "")


def normaliser(clean: Callable[[str], str], wrong: Any = None) -> Callable[[Any], Any]:
    """A WTForms filter that cleans text; what it cannot clean is refused as `wrong`, or left for a
    validator.
    """

    def apply(value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return ""
        try:
            return clean(value)
        except ValueError:
            if wrong:
                raise ValueError(wrong) from None
            return value.strip()

    return apply


class MaxLength:
    """A validator: at most `longest` characters; the message says how many there are.

    Unlike WTForms' own it sets no ``maxlength``, by which a browser cuts off what is pasted without
    a word. Where `is_counted`, the page counts along near the limit (js/counter.js).
    """

    def __init__(self, longest: int, *, is_counted: bool = False) -> None:
        self.longest = longest
        self.field_flags = {"counted": longest} if is_counted else {}

    def __call__(self, _form: Any, field: Field) -> None:
        """Refuse what is too long. Raises ValidationError."""
        count = len(field.data or "")
        if count > self.longest:
            raise ValidationError(
                _(
                    "%(max)s文字以内で入力してください（現在%(count)s文字）。",
                    max=f"{self.longest:,}",
                    count=f"{count:,}",
                )
            )


_LONG_LINE = 200
"""From so many characters on, people type sentences into a line and want to know how many are left."""


def line(
    label: Any,
    *,
    required: bool = False,
    longest: int = 100,
    printed: bool = False,
    clean: Callable[[str], str] = text.one_line,
    **kwargs: Any,
) -> StringField:
    """One line of free text, as it was typed; of another kind where `clean` makes it that.

    Of one that is `printed` on documents every character can be drawn (COM-70).
    """
    validators = [presence(required), MaxLength(longest, is_counted=longest >= _LONG_LINE)]
    if printed:
        validators.append(drawable)
    return StringField(label, filters=[normaliser(clean)], validators=validators, **kwargs)


def drawable(_form: Any, field: Field) -> None:
    """Refuse, naming it, a character that no typeface of the documents draws."""
    try:
        check_drawable(field.data)
    except UndrawableText as refused:
        raise ValidationError(_(refused.message, **refused.params)) from None


def name_line(label: Any, **kwargs: Any) -> StringField:
    """One line for a person's name or a part of an address: in the usual width, ① and ㈱ as typed."""
    return line(label, clean=text.usual_width, **kwargs)


def code_line(label: Any, **kwargs: Any) -> StringField:
    """One line for a number, a code or another name by which something is found."""
    return line(label, clean=text.normalise, **kwargs)


def presence(required: bool) -> Any:
    """The validator for a field that must, or need not, be filled in."""
    return DataRequired(_l("入力してください。")) if required else Optional()


def cleaned(
    label: Any,
    clean: Callable[[str], str],
    wrong: Any,
    *,
    required: bool = False,
    longest: int = 254,
    kind: type[StringField] = StringField,
    **kwargs: Any,
) -> StringField:
    """Text of a known shape (telephone, postal code, kana, e-mail): `clean` normalises it, `wrong`
    refuses it.
    """
    too_long = MaxLength(longest)
    filters = [normaliser(str.strip), normaliser(clean, wrong)]
    return kind(label, filters=filters, validators=[presence(required), too_long], **kwargs)


class DigitsField(StringField):  # type: ignore[misc]
    """Digits that people read and write with hyphens: a telephone number, a postal code."""

    def __init__(self, *args: Any, write: Callable[[str], str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._write = write

    def words(self) -> str:
        """The digits as people write them; what is no such number as it was typed."""
        return self._write(str(self.data or ""))

    def _value(self) -> str:
        """What stands in the box."""
        return self.words()


def version_number(value: Any) -> int:
    """A filter for the hidden version of a record: what is no version is 0, which is always stale
    (COM-26).
    """
    return text.whole_number(str(value)) or 0


def choices(values: Iterable[tuple[str, Any]], empty: Any) -> list[SelectChoice]:
    """Select choices as (value, label), beginning with an empty one."""
    return [SelectChoice(value, label) for value, label in (("", empty), *values)]


def one_of(
    label: Any,
    values: Iterable[tuple[str, Any]] = (),
    empty: Any = "",
    *,
    required: bool = False,
    **kwargs: Any,
) -> SelectField:
    """One of these values (value, label), or `empty`; a form may set its `choices` later."""
    needed = InputRequired(_l("選択してください。")) if required else Optional()
    return SelectField(
        label,
        choices=choices(values, empty),
        validators=[needed],
        invalid_choice_message=_l("一覧から選択してください。"),
        **kwargs,
    )


def status_field(label: Any, statuses: type[LabelledEnum]) -> SelectField:
    """What a search asks for by state."""
    return one_of(label, ((s.value, _l(s.label)) for s in statuses), _l("すべて"), default="")


def body_field(label: Any, *, required: bool = True, longest: int = 10_000) -> TextAreaField:
    """Text of several lines."""
    too_long = MaxLength(longest, is_counted=True)
    return TextAreaField(
        label, filters=[normaliser(text.multiline)], validators=[presence(required), too_long]
    )


def agreement(label: Any) -> BooleanField:
    """What must be agreed to."""
    return BooleanField(label, validators=[InputRequired(_l("同意が必要です。"))])


class TokenField(HiddenField):  # type: ignore[misc]
    """A hidden field for a token of at most `longest` characters that the page made itself.

    What no page can have made is refused and forgotten: the form that is shown again has a new one.
    """

    data: Any

    def __init__(self, *args: Any, longest: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._as_made = re.compile(rf"[A-Za-z0-9_-]{{0,{longest}}}")

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take the token."""
        super().process_formdata(valuelist)
        if self.data and not self._as_made.fullmatch(self.data):
            self.data = ""
            raise ValueError(_("送信された内容に誤りがあります。"))


class CountField(IntegerField):  # type: ignore[misc]
    """A whole number from 1 to `most`, that may be typed with full-width digits."""

    def __init__(self, label: Any, most: int = 999, **kwargs: Any) -> None:
        within = NumberRange(1, most, message=_l("1以上の数字で入力してください。"))
        super().__init__(label, [InputRequired(_l("入力してください。")), within], **kwargs)

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

    data: Any
    FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")

    def __init__(self, label: Any, validators: Any = None, **kwargs: Any) -> None:
        super().__init__(label, validators or [Optional()], format=list(self.FORMATS), **kwargs)

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

    data: Any

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(label, [Optional()], format=["%H:%M", "%H:%M:%S"], **kwargs)

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

    def asked(self) -> dict[str, Any]:
        """What was asked for, as the queries take it."""
        return {name: value for name, value in self.data.items() if value}
