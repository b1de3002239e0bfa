"""The inquiry form, made for its category (COM-50)."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import request
from flask_wtf.file import MultipleFileField
from wtforms import Field, HiddenField, RadioField, SelectField, StringField
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
    FormData,
    TokenField,
    agreement,
    body_field,
    choices,
    code_line,
    form_with,
    line,
    name_line,
    one_of,
)
from portal.web.i18n import Label
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


class WriterForm(Form):
    """What is written by one of several persons who may share a sign-in (SUP-07)."""

    first: tuple[str, ...] = ("writer",)
    writer = one_of(_l("ご記入者"), (), _l("選択してください"), required=True)

    def offer_writers(self, names: Sequence[str]) -> None:
        """Offer these names to choose from; nothing is asked where the sign-in is one person's."""
        if len(names) > 1:
            self.writer.choices = choices(zip(names, names, strict=True), _l("選択してください"))
        else:
            del self.writer


class FilesForm(WriterForm):
    """What is written with files."""

    files = MultipleFileField(_l("添付ファイル"), render_kw={"accept": ",".join(ACCEPTED)})


class MessageForm(FilesForm):
    """A further message.

    Its `key` is the message's own, so that it is written once however often it is sent (COM-22).
    """

    body = body_field(_l("メッセージ"))
    key = TokenField(longest=32)


class TrapField(StringField):  # type: ignore[misc]
    """What people do not see and programs fill in."""


def _chosen_label(field: RadioField | SelectField) -> str:
    """The label of what was chosen; nothing for what is no choice."""
    return next((str(one.label) for one in field.choices if one.value == field.data), "")


class CategoryField(RadioField):  # type: ignore[misc]
    """お問い合わせ区分, shown on the confirm page by its label."""

    def words(self) -> str:
        """The label of what was chosen."""
        return _chosen_label(self)


class ContractField(SelectField):  # type: ignore[misc]
    """A number that is chosen, shown on the confirm page with its words."""

    def words(self) -> str:
        """The words of what was chosen."""
        return _chosen_label(self)


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


class InquiryForm(FilesForm):
    """お問い合わせ: what every category's form asks for; `_category_fields` are besides.

    The number that the way to the form named goes along unseen (`subject`), whatever category is
    chosen (FAC-06).
    """

    subject = HiddenField()
    category = CategoryField(
        _l("お問い合わせ区分"), validators=[DataRequired(_l("選択してください。"))]
    )
    body = body_field(_l("お問い合わせ内容"))
    agreed = agreement(_l("プライバシーポリシーに同意する"))

    def __init__(self, category: InquiryCategory, offer: Offer, data: FormData) -> None:
        # Before the base's, which puts the fields in this order.
        keys = map(_name, category.fields)
        self.first = ("category", "writer", "name", "email", "about", *keys, "body")
        filled = {name: value for name, value in data.items() if value not in (None, "")}
        super().__init__(data=filled | {"category": category.key})
        self.category.choices = [SelectChoice(one.key, one.label) for one in offer.categories]
        self.offer_writers(offer.writers)

    def filled_in(self) -> bool:
        """Whether another category was chosen."""
        return request.form.get("step") == CHANGES_CATEGORY


class GuestInquiryForm(InquiryForm):
    """お問い合わせ of somebody who is not signed in: with name and address, without files (COM-53).

    `website` is not seen by people; `stamp` says when the form was drawn.
    """

    subject = None
    files = None
    name = name_line(_l("お名前"), required=True)
    email = email_field(_l("メールアドレス"))
    stamp = HiddenField()
    website = TrapField()

    def filled_in(self) -> bool:
        """Whether 戻る was pressed on the confirm page, or another category was chosen."""
        return request.form.get("step") in ("edit", CHANGES_CATEGORY)


class ChatForm(WriterForm):
    """What begins a chat (SUP-11), once for each `key`."""

    first = ("writer", "about", "category", "body", "agreed")
    category = one_of(_l("お問い合わせ区分"), (), _l("選択してください"), required=True)
    agreed = agreement(_l("プライバシーポリシーに同意する"))
    key = TokenField(longest=32)


def message_form(writers: list[str]) -> MessageForm:
    """The form of a further message, with a key of its own."""
    form = MessageForm()
    form.offer_writers(writers)
    # Kept when the form is shown again: the second try is the same message.
    form.key.data = form.key.data or secrets.token_hex(16)
    return form


def inquiry_form(category: InquiryCategory, offer: Offer, data: FormData) -> InquiryForm:
    """The form of a member's inquiry of this category; `data` as `typed` gave it."""
    fields = _category_fields(category, offer, data)
    return form_with(InquiryForm, fields)(category, offer, data)


def guest_form(category: InquiryCategory, offer: Offer) -> GuestInquiryForm:
    """The form of a guest's inquiry of this category."""
    fields = _category_fields(category, offer, {})
    return form_with(GuestInquiryForm, fields)(category, offer, {})


def chat_form(
    categories: tuple[InquiryCategory, ...], offer: Offer, longest: int, *, about_is_needed: bool
) -> ChatForm:
    """The form that begins a chat, with a text of at most `longest` characters; what it is about is
    chosen, or can be.
    """
    fields = {"body": body_field(_l("お問い合わせ内容"), longest=longest)}
    if offer.subjects:
        label = _l("ご契約") if about_is_needed else _l("対象")
        fields["about"] = _subject_field(
            label, offer.subjects, is_sent=False, is_needed=about_is_needed
        )
    form = form_with(ChatForm, fields)()
    form.category.choices = choices(
        ((one.key, one.label) for one in categories), _l("選択してください")
    )
    form.offer_writers(offer.writers)
    form.key.data = form.key.data or secrets.token_hex(16)
    return form


def answers(category: InquiryCategory, data: FormData) -> dict[str, str]:
    """What was typed into the category's own fields, by their keys; days as they are shown
    everywhere.
    """
    answered = {}
    for asked in category.fields:
        typed = str(data.get(_name(asked)) or "")
        answered[asked.key] = day_in_words(typed) if asked.kind == "date" else typed
    return answered


def _category_fields(category: InquiryCategory, offer: Offer, data: FormData) -> dict[str, Field]:
    """What the form of a category asks for besides: its number and its own fields, by their names
    in the form.
    """
    fields: dict[str, Field] = {}
    if category.about and category.about_own and offer.subjects is not None:
        is_sent = request.method == "POST"
        fields["about"] = _subject_field(category.about, offer.subjects, is_sent=is_sent)
    elif category.about:
        fields["about"] = code_line(category.about, required=True, longest=40)
    # What is sent goes before the draft: the choice of a contract decides which units it has.
    about = request.form.get("about", data.get("about"))
    for one in category.fields:
        fields[_name(one)] = _field(one, offer, about)
    return fields


def _subject_field(
    label: Label, subjects: list[tuple[str, str]], *, is_sent: bool, is_needed: bool = True
) -> ContractField:
    """One of what the account has; where there is but one that is needed, it is chosen already,
    unless the form `is_sent`.
    """
    listed = choices(subjects, _l("選択してください") if is_needed else _l("選択しない"))
    default = None
    if len(subjects) == 1 and is_needed:
        del listed[0]
        # What is not sent was not chosen: nobody cancels a reservation that they did not name.
        default = None if is_sent else subjects[0][0]
    must_be_chosen = is_needed and bool(subjects)
    return ContractField(
        label,
        choices=listed,
        validators=[DataRequired(_l("選択してください。")) if must_be_chosen else Optional()],
        default=default,
        invalid_choice_message=_l("一覧から選択してください。"),
    )


def _name(field: InquiryField) -> str:
    return f"f_{field.key}"


def _field(asked: InquiryField, offer: Offer, about: str | None) -> Field:
    """One further field of a category, as its kind wants it."""
    if asked.kind == "unit":
        return _unit_field(asked, offer, about)
    if asked.kind == "choice":
        values = zip(asked.choices, asked.choices, strict=True)
        return one_of(asked.label, values, _empty_label(asked), required=asked.required)
    if asked.kind == "text":
        return body_field(asked.label, required=asked.required, longest=2000)
    if asked.kind == "date":
        return day_field(asked.label, required=asked.required, is_wish=asked.wish)
    if asked.kind == "time":
        within = offer.opening if asked.wish else None
        return clock_field(asked.label, required=asked.required, within=within)
    return line(asked.label, required=asked.required, longest=200)


def _empty_label(asked: InquiryField) -> Label:
    """What the list says where nothing is chosen."""
    return _l("選択してください") if asked.required else _l("選択しない")


def _unit_field(asked: InquiryField, offer: Offer, about: str | None) -> SelectField:
    """One of what the chosen contract has; of every contract, under its words, until one is chosen
    (SUP-10).
    """
    units = offer.units
    if about is not None and about in units:
        units = {about: units[about]}
    words = dict(offer.subjects or ())
    listed = [SelectChoice("", _empty_label(asked))]
    for number, names in units.items():
        group = words.get(number) if len(units) > 1 else None
        listed += [SelectChoice(name, name, optgroup=group) for name in names]
    is_needed = asked.required and len(listed) > 1  # nobody can choose where there is nothing
    return SelectField(
        asked.label,
        choices=listed,
        validators=[InputRequired(_l("選択してください。")) if is_needed else Optional()],
        invalid_choice_message=_l("選択したご契約のものを選んでください。"),
    )
