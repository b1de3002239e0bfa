"""The inquiry form, made for its category (COM-50)."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request
from flask_wtf.file import MultipleFileField
from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Optional

from portal.config.schema_parts import InquiryCategory, InquiryField
from portal.pages.auth.forms import email_field
from portal.pages.inquiries.times import clock_field, day_field, day_in_words
from portal.shared.inquiries.files import ACCEPTED
from portal.shared.inquiries.models import CHANNELS, Status
from portal.shared.inquiries.queries import UNFINISHED_KEY
from portal.web import forms
from portal.web.forms import (
    DayField,
    Form,
    TokenField,
    agreement,
    body_field,
    choices,
    code_line,
    line,
    name_line,
    one_of,
)
from portal.web.i18n import lazy as _l

CHANGES_CATEGORY = "category"
"""The value of the button `step` that shows another category's fields and sends nothing yet."""


class SearchForm(forms.SearchForm):
    """マイアクティビティ: what a member searches past inquiries by (SUP-13)."""

    text = line(_l("キーワード"), longest=100)
    status = one_of(
        _l("状態"),
        (
            (UNFINISHED_KEY, _l("受付・対応中")),
            *((status.value, _l(status.label)) for status in Status),
        ),
        _l("すべて"),
        default="",
    )
    channel = one_of(_l("受付方法"), ((k, _l(v)) for k, v in CHANNELS.items()), _l("すべて"))
    product = one_of(_l("製品"), (), _l("すべて"))
    about = code_line(_l("対象"), longest=40)
    unread = one_of(_l("未読"), [("1", _l("未読の回答あり"))], _l("すべて"))
    since = DayField(_l("受付日（開始）"))
    until = DayField(_l("受付日（終了）"))

    def offer(
        self, *, channels: Iterable[str], products: Mapping[str, str], has_numbers: bool
    ) -> None:
        """Leave what this brand has, and drop what it has not (COM-03)."""
        offered = [(key, _l(CHANNELS[key])) for key in channels]
        self.channel.choices = choices(offered, _l("すべて"))
        self.product.choices = choices(products.items(), _l("すべて"))
        if len(offered) < 2:
            del self.channel
        if not products:
            del self.product
        if not has_numbers:
            del self.about


class MessageForm(Form):
    """A further message."""

    first: tuple[str, ...] = ("writer",)
    body = body_field(_l("メッセージ"))
    files = MultipleFileField(_l("添付ファイル"), render_kw={"accept": ",".join(ACCEPTED)})


class TrapField(StringField):  # type: ignore[misc]
    """What people do not see and programs fill in."""


class CategoryField(RadioField):  # type: ignore[misc]
    """お問合せ区分, shown on the confirm page by its label."""

    def words(self) -> str:
        """The label of what was chosen."""
        return next((str(one.label) for one in self.choices if one.value == self.data), "")


class ContractField(SelectField):  # type: ignore[misc]
    """A number that is chosen, shown on the confirm page with its words."""

    def words(self) -> str:
        """The words of what was chosen."""
        return next((str(one.label) for one in self.choices if one.value == self.data), "")


@dataclass(frozen=True)
class Offer:
    """What a form offers to choose from: who writes, what it may be about, and what each of those
    has.

    `subjects` are (number, words), None for guests, who have no account and type the number.
    `units` are the names of what each number has, e.g. apps, by number. `opening` is from when to
    when (HH:MM) something can be wished for.
    """

    categories: tuple[InquiryCategory, ...]
    writers: list[str] = field(default_factory=list)
    subjects: list[tuple[str, str]] | None = None
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opening: tuple[str, str] | None = None


def writer_field(names: list[str]) -> dict[str, Any]:
    """Which of those who share a sign-in is writing; nothing where it is one person's (SUP-07)."""
    values = zip(names, names, strict=True)
    asked = one_of(_l("ご記入者"), values, _l("選択してください"), required=True)
    return {"writer": asked} if len(names) > 1 else {}


def message_form(writers: list[str]) -> Any:
    """The form of a further message, which asks who writes where several share a sign-in.

    Its `key` is the message's own, so that it is written once however often it is sent (COM-22).
    """
    fields = {**writer_field(writers), "key": TokenField(longest=32)}
    made = type("WrittenForm", (MessageForm,), fields)()
    made.key.data = made.key.data or secrets.token_hex(16)
    return made


def inquiry_form(
    category: InquiryCategory, offer: Offer, data: Mapping[str, Any] | None = None
) -> Any:
    """The form of a member's inquiry; `data` as `typed` gave it.

    The number that the way to the form named goes along unseen (`subject`), whatever category is
    chosen (FAC-06).
    """
    fields = {"subject": HiddenField(), **writer_field(offer.writers)}
    return _form(category, offer, data or {}, fields)


def guest_form(category: InquiryCategory, offer: Offer) -> Any:
    """The form of somebody who is not signed in: with name and address, without files (COM-53)."""
    fields = {
        "name": name_line(_l("お名前"), required=True),
        "email": email_field(_l("メールアドレス")),
        "stamp": HiddenField(),
        "website": TrapField(),
        "files": None,
        "filled_in": _goes_back_or_changes,
    }
    return _form(category, offer, {}, fields)


def chat_form(
    categories: tuple[InquiryCategory, ...], offer: Offer, longest: int, *, about_is_needed: bool
) -> Any:
    """What begins a chat (SUP-11), once for each `key`; what it is about is chosen, or can be."""
    fields: dict[str, Any] = writer_field(offer.writers)
    if offer.subjects:
        label = _l("ご契約") if about_is_needed else _l("対象")
        fields["about"] = _subject_field(
            label, offer.subjects, is_sent=False, is_needed=about_is_needed
        )
    fields["category"] = one_of(
        _l("お問合せ区分"),
        ((one.key, one.label) for one in categories),
        _l("選択してください"),
        required=True,
    )
    fields["body"] = body_field(_l("お問合せ内容"), longest=longest)
    fields["agreed"] = agreement(_l("プライバシーポリシーに同意する"))
    fields["key"] = TokenField(longest=32)
    made = type("ChatForm", (Form,), fields)()
    made.key.data = made.key.data or secrets.token_hex(16)
    return made


def answers(category: InquiryCategory, data: Mapping[str, Any]) -> dict[str, str]:
    """What was typed into the category's own fields, by their keys; days as they are shown
    everywhere.
    """
    typed = {field.key: str(data.get(_name(field)) or "") for field in category.fields}
    days = {field.key for field in category.fields if field.kind == "date"}
    return {key: day_in_words(value) if key in days else value for key, value in typed.items()}


def _form(
    category: InquiryCategory, offer: Offer, data: Mapping[str, Any], fields: Mapping[str, Any]
) -> Any:
    """The category's own fields before the text, and what else this form asks for."""
    about = request.form.get("about", data.get("about"))
    made: dict[str, Any] = {"filled_in": _changes_category, **fields}
    asked = map(_name, category.fields)
    made["first"] = ("category", "writer", "name", "email", "about", *asked, "body")
    made["category"] = CategoryField(
        _l("お問合せ区分"),
        choices=[SelectChoice(one.key, one.label) for one in offer.categories],
        validators=[DataRequired(_l("選択してください。"))],
    )
    if category.about and category.about_own and offer.subjects is not None:
        is_sent = request.method == "POST"
        made["about"] = _subject_field(category.about, offer.subjects, is_sent=is_sent)
    elif category.about:
        made["about"] = code_line(category.about, required=True, longest=40)
    for one in category.fields:
        made[_name(one)] = _field(one, offer, about)
    made["body"] = body_field(_l("お問合せ内容"))
    made["agreed"] = agreement(_l("プライバシーポリシーに同意する"))
    filled = {name: value for name, value in data.items() if value not in (None, "")}
    return type("InquiryForm", (MessageForm,), made)(data={**filled, "category": category.key})


def _changes_category(_form: Any) -> bool:
    return request.form.get("step") == CHANGES_CATEGORY


def _goes_back_or_changes(_form: Any) -> bool:
    return request.form.get("step") in ("edit", CHANGES_CATEGORY)


def _subject_field(
    label: Any, subjects: list[tuple[str, str]], *, is_sent: bool, is_needed: bool = True
) -> Any:
    """One of what the account has; where there is but one, it is chosen already.

    In a form that `is_sent` what is not sent was not chosen: nobody cancels a reservation that they
    did not name.
    """
    only = subjects[0][0] if len(subjects) == 1 and is_needed else None
    listed = choices(subjects, _l("選択してください") if is_needed else _l("選択しない"))
    must_be_chosen = is_needed and bool(subjects)
    return ContractField(
        label,
        choices=listed[1:] if only else listed,
        validators=[DataRequired(_l("選択してください。")) if must_be_chosen else Optional()],
        default=None if is_sent else only,
        invalid_choice_message=_l("一覧から選択してください。"),
    )


def _name(field: InquiryField) -> str:
    return f"f_{field.key}"


def _field(asked: InquiryField, offer: Offer, about: str | None) -> Any:
    """One further field of a category, as its kind wants it."""
    if asked.kind == "unit":
        return _unit_field(asked, offer, about)
    if asked.kind == "choice":
        values = zip(asked.choices, asked.choices, strict=True)
        empty = _l("選択してください") if asked.required else _l("選択しない")
        return one_of(asked.label, values, empty, required=asked.required)
    if asked.kind == "text":
        return body_field(asked.label, required=asked.required, longest=2000)
    if asked.kind == "date":
        return day_field(asked.label, required=asked.required, is_wish=asked.wish)
    if asked.kind == "time":
        within = offer.opening if asked.wish else None
        return clock_field(asked.label, required=asked.required, within=within)
    return line(asked.label, required=asked.required, longest=200)


def _unit_field(asked: InquiryField, offer: Offer, about: str | None) -> SelectField:
    """One of what the chosen contract has; of every contract, under its words, until one is chosen
    (SUP-10).
    """
    units = offer.units
    if about is not None and about in units:
        units = {about: units[about]}
    words = dict(offer.subjects or ())
    listed = [SelectChoice("", _l("選択してください") if asked.required else _l("選択しない"))]
    for number, names in units.items():
        group = words.get(number) if len(units) > 1 else None
        listed += [SelectChoice(name, name, optgroup=group) for name in names]
    is_needed = asked.required and len(listed) > 1
    return SelectField(
        asked.label,
        choices=listed,
        validators=[InputRequired(_l("選択してください。")) if is_needed else Optional()],
        invalid_choice_message=_l("選択したご契約のものを選んでください。"),
    )
