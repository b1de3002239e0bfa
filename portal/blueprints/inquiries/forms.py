"""The inquiry form, made for its category (COM-50)."""

from collections.abc import Iterable
from typing import Any

from flask import request
from flask_wtf.file import MultipleFileField

from portal.core.tenancy.schema_parts import InquiryCategory, InquiryField
from portal.shared.inquiries.files import ACCEPTED
from portal.shared.inquiries.models import CHANNELS, Status
from portal.web import forms
from portal.web.forms import DayField, Form, agreement, body_field, line, one_of, status_field
from portal.web.i18n import lazy as _l


class SearchForm(forms.SearchForm):
    """マイアクティビティ: what a member searches past inquiries by (SUP-13)."""

    text = line(_l("キーワード"), longest=100)
    status = status_field(_l("状態"), Status)
    channel = one_of(_l("受付方法"), ((k, _l(v)) for k, v in CHANNELS.items()), _l("すべて"))
    about = line(_l("対象"), longest=40)
    unread = one_of(_l("未読"), [("1", _l("未読の回答あり"))], _l("すべて"))
    since = DayField(_l("受付日（開始）"))
    until = DayField(_l("受付日（終了）"))


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
    asked = one_of(_l("ご記入者"), zip(names, names, strict=True), required=True)
    return {"writer": asked} if len(names) > 1 else {}


def message_form(writers: list[str]) -> Any:
    """The form of a further message, which asks who writes where several share a sign-in."""
    return type("WrittenForm", (MessageForm,), writer_field(writers))()


def inquiry_form(
    category: InquiryCategory,
    data: dict[str, Any] | None,
    more: dict[str, Any] | None = None,
    own: Iterable[tuple[str, str]] | None = None,
) -> Any:
    """The form of this category, with its own fields before the text, and `more`; `data` as `typed` gave it.

    `own` is what the account has that it may be about: number and words (SUP-10). None for guests, who
    have no account and type the number.
    """
    first = ("writer", "name", "email", "about", *map(_name, category.fields))
    fields: dict[str, Any] = {"first": first, **(more or {})}
    if category.about and category.about_own and own is not None:
        own = list(own)
        fields["about"] = one_of(category.about, own, required=bool(own))
    elif category.about:
        fields["about"] = line(category.about, required=True, longest=40)
    fields |= {_name(field): _field(field) for field in category.fields}
    fields["body"] = body_field(_l("お問合せ内容"))
    fields["agreed"] = agreement(_l("プライバシーポリシーに同意する"))
    return type("InquiryForm", (MessageForm,), fields)(data=data)


def answers(category: InquiryCategory, data: dict[str, Any]) -> dict[str, str]:
    """What was typed into the category's own fields, by their keys."""
    return {field.key: str(data.get(_name(field)) or "") for field in category.fields}


def _name(field: InquiryField) -> str:
    return f"f_{field.key}"


def _field(field: InquiryField) -> Any:
    if field.kind == "choice":
        return one_of(
            field.label, zip(field.choices, field.choices, strict=True), required=field.required
        )
    if field.kind == "text":
        return body_field(field.label, required=field.required, longest=2000)
    shown = {"type": field.kind} if field.kind in ("date", "time") else {}
    return line(field.label, required=field.required, longest=200, render_kw=shown)
