"""The inquiry form, made for its category (COM-50)."""

from collections.abc import Iterable
from typing import Any

from flask import request
from flask_wtf.file import MultipleFileField
from wtforms import BooleanField, SelectField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from portal.core import text
from portal.core.tenancy.schema_parts import InquiryCategory, InquiryField
from portal.shared.inquiries.files import ACCEPTED
from portal.shared.inquiries.models import CHANNELS, Status
from portal.web import forms
from portal.web.forms import DayField, Form, choices, line, normaliser
from portal.web.i18n import lazy as _l

LONGEST = 10_000


class SearchForm(forms.SearchForm):
    """マイアクティビティ: what a member searches past inquiries by (SUP-13)."""

    text = line(_l("キーワード"), longest=100)
    status = SelectField(
        _l("状態"), choices=choices(((s.value, _l(s.label)) for s in Status), _l("すべて")), validators=[Optional()]
    )
    channel = SelectField(
        _l("受付方法"),
        choices=choices(((k, _l(v)) for k, v in CHANNELS.items()), _l("すべて")),
        validators=[Optional()],
    )
    about = line(_l("対象"), longest=40)
    since = DayField(_l("受付日（開始）"))
    until = DayField(_l("受付日（終了）"))


def body_field(label: Any, *, required: bool = True, longest: int = LONGEST) -> TextAreaField:
    """Text of several lines."""
    wanted = DataRequired(_l("入力してください。")) if required else Optional()
    too_long = Length(max=longest, message=_l("%(max)d文字以内で入力してください。"))
    return TextAreaField(label, filters=[normaliser(text.multiline)], validators=[wanted, too_long])


class MessageForm(Form):
    """A further message."""

    body = body_field(_l("メッセージ"))
    files = MultipleFileField(_l("添付ファイル"), render_kw={"accept": ",".join(ACCEPTED)})

    def uploaded(self) -> list[tuple[str, bytes]]:
        """Name and content of what was chosen."""
        chosen = request.files.getlist("files")
        return [(file.filename, file.read()) for file in chosen if file.filename]


def writer_field(names: list[str]) -> dict[str, Any]:
    """Which of those who share a sign-in is writing; nothing where it is one person's (SUP-07)."""
    if len(names) < 2:
        return {}
    return {"writer": _select(_l("ご記入者"), ((name, name) for name in names))}


def message_form(writers: list[str]) -> Any:
    """The form of a further message, which asks who writes where several share a sign-in."""
    return type("WrittenForm", (MessageForm,), writer_field(writers))()


def inquiry_form(
    category: InquiryCategory,
    data: dict[str, Any] | None,
    more: dict[str, Any] | None = None,
    own: Iterable[tuple[str, str]] = (),
) -> Any:
    """The form of this category, with its own fields before the text, and `more`; `data` as `typed` gave it.

    `own` is what the account has that it may be about: number and words (SUP-10).
    """
    fields: dict[str, Any] = {
        "first": ("writer", "name", "email", "about", *map(_name, category.fields)),
        **(more or {}),
    }
    if category.about and category.about_own:
        own = list(own)
        fields["about"] = _select(category.about, own, required=bool(own))
    elif category.about:
        fields["about"] = line(category.about, required=True, longest=40)
    fields |= {_name(field): _field(field) for field in category.fields}
    fields["body"] = body_field(_l("お問合せ内容"))
    fields["agreed"] = BooleanField(
        _l("プライバシーポリシーに同意する"), validators=[InputRequired(_l("同意が必要です。"))]
    )
    made = type("InquiryForm", (MessageForm,), fields)
    return made(data=data)


def answers(category: InquiryCategory, data: dict[str, Any]) -> dict[str, str]:
    """What was typed into the category's own fields, by their keys."""
    return {field.key: str(data.get(_name(field)) or "") for field in category.fields}


def _name(field: InquiryField) -> str:
    return f"f_{field.key}"


def _select(label: Any, values: Iterable[tuple[str, str]], *, required: bool = True) -> SelectField:
    needed = [InputRequired(_l("選択してください。"))] if required else [Optional()]
    return SelectField(label, choices=choices(values, ""), validators=needed)


def _field(field: InquiryField) -> Any:
    if field.kind == "choice":
        return _select(field.label, ((one, one) for one in field.choices), required=field.required)
    if field.kind == "text":
        return body_field(field.label, required=field.required, longest=2000)
    shown = {"type": field.kind} if field.kind in ("date", "time") else {}
    return line(field.label, required=field.required, longest=200, render_kw=shown)
