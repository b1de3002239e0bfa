"""The forms of a member's own pages.

Of a profile only the representative changes the account's part.
"""

from wtforms import HiddenField, RadioField, SelectField, SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from portal.core import text
from portal.pages.auth.forms import NewEmailForm, email_field, password_field
from portal.shared.accounts.models import USUAL_RIGHTS, Right
from portal.shared.accounts.rights import to_text
from portal.shared.members import operations as members
from portal.shared.notifications import How, Kind
from portal.web.address import AddressFields, telephone_field
from portal.web.forms import Form, FormData, body_field, cleaned, form_with, line, name_line
from portal.web.i18n import Label, translate
from portal.web.i18n import lazy as _l
from portal.web.validators import version_number

_KANA = _l("全角カタカナで入力してください。")


class _Company(AddressFields):
    first: tuple[str, ...] = ("account_name", "account_kana")
    account_name = line(_l("会社名・お名前"), required=True, printed=True)
    account_kana = cleaned(_l("会社名・お名前（カナ）"), text.katakana, _KANA, longest=100)
    account_telephone = telephone_field(_l("代表電話番号"), required=True)


class _Named(Form):
    family_name = name_line(_l("姓"), required=True, longest=40, printed=True)
    given_name = name_line(_l("名"), required=True, longest=40, printed=True)
    family_kana = cleaned(_l("セイ"), text.katakana, _KANA, longest=60)
    given_kana = cleaned(_l("メイ"), text.katakana, _KANA, longest=60)
    department = line(_l("部署名"), longest=80, printed=True)
    telephone = telephone_field(_l("電話番号"))

    def typed(self) -> FormData:
        """What was typed; rights, where they are asked for, as the database keeps them."""
        typed = super().typed()
        if "rights" in self:
            typed["rights"] = self.rights.as_text()
        return typed


class RightsField(SelectMultipleField):  # type: ignore[misc]
    """Tick boxes for what a member may do, only of what whoever ticks holds themself.

    What the member has besides is neither given nor taken: it stays, and is read out with the rest.
    """

    beyond: frozenset[Right] = frozenset()
    offered: frozenset[Right] = frozenset()

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: Label, **options: object) -> None:
        super().__init__(label, choices=[], **options)

    def offer(
        self,
        offered: frozenset[Right],
        held: frozenset[Right],
        present: frozenset[Right] = frozenset(),
    ) -> None:
        """Offer what the brand has a use for and whoever ticks holds; `present` is what the member
        has.
        """
        self.offered = offered
        givable = offered & held
        self.choices = [
            SelectChoice(right.value, _l(right.label)) for right in Right if right in givable
        ]
        self.beyond = present - givable
        not_held = (present - held) & offered
        if not_held:
            self.description = translate(
                "%(rights)sは、ご自身にない権限のため変更できません。", rights=_labels(not_held)
            )

    def process_data(self, value: object) -> None:
        """What stands in the record or in the draft: text as the database keeps it, or a list."""
        if isinstance(value, str):
            value = value.split(",")
        super().process_data(value)

    def chosen(self) -> frozenset[Right]:
        """What the member may do with what is ticked."""
        return frozenset(right for right in Right if right in (self.data or ())) | self.beyond

    def as_text(self) -> str:
        """What is chosen, as the database keeps it."""
        return to_text(self.chosen())

    def words(self) -> str:
        """What is chosen, as people read it."""
        return _labels(self.chosen() & self.offered)


def _labels(rights: frozenset[Right]) -> str:
    return "、".join(translate(right.label) for right in Right if right in rights)


class PersonForm(_Named):
    """A member to be: who they are, what they sign in with, what they may do."""

    first = (*members.PROFILE, "rights")
    login_id = cleaned(
        _l("ログインID"), text.login_id, _l(text.LOGIN_ID_FORMAT), required=True, longest=40
    )
    email = email_field(_l("メールアドレス"))
    rights = RightsField(_l("できること"), default=[right.value for right in USUAL_RIGHTS])

    def __init__(
        self,
        data: FormData | None,
        *,
        items: str,
        offered: frozenset[Right],
        held: frozenset[Right],
    ) -> None:
        """`items` is what the brand's sign-in asks for; a login ID is asked for where each member
        has one.
        """
        super().__init__(data=data)
        if offered:
            self.rights.offer(offered, held)
        else:
            del self.rights
        if items != "login_id_password":
            del self.login_id


class MemberForm(_Named):
    """A member as somebody else sees and changes them: the login ID never (COM-30)."""

    version = HiddenField(filters=[version_number])
    rights = RightsField(_l("できること"))

    def __init__(
        self,
        data: FormData | None,
        *,
        offered: frozenset[Right] = frozenset(),
        held: frozenset[Right] = frozenset(),
        present: frozenset[Right] = frozenset(),
    ) -> None:
        """What they may do is asked only of who says so, and of what those hold; nothing offered
        asks nothing.
        """
        super().__init__(data=data)
        if offered:
            self.rights.offer(offered, held, present)
        else:
            del self.rights


class ProfileForm(_Company, _Named):
    """会員情報."""

    version = HiddenField(filters=[version_number])
    account_version = HiddenField(filters=[version_number])

    def lock_account(self, present: FormData) -> None:
        """A member who is not the representative sees the account's data but cannot change it."""
        for name in members.ACCOUNT_PROFILE:
            field = self[name]
            field.data = present[name]
            # A browser knows no select that is readonly: a disabled one is neither changed nor
            # sent.
            off = "disabled" if isinstance(field, SelectField) else "readonly"
            field.render_kw = (field.render_kw or {}) | {off: True}
            field.validators = [Optional()]
            field.flags.locked = True


class ReasonForm(Form):
    """Why somebody leaves: theirs to say."""

    reason = body_field(_l("退会の理由"), required=False, longest=1000)


class EmailForm(NewEmailForm):
    """The new address, with the present one and the password."""

    first = ("present", "password")
    present = email_field(_l("現在のメールアドレス"))
    password = password_field(_l("現在のパスワード"), "current-password")


def mail_form(chosen: dict[Kind, How]) -> Form:
    """One choice for each kind of mail in `chosen`."""
    must = [InputRequired(_l("選択してください。"))]
    ways = [SelectChoice(how.value, _l(how.label)) for how in How]
    fields = {
        kind.value: RadioField(_l(kind.label), choices=ways, validators=must) for kind in chosen
    }
    return form_with(Form, fields)(data={kind.value: how.value for kind, how in chosen.items()})
