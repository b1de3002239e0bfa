"""The pages of a support desk (SUP-02, SUP-04, SUP-05)."""

from typing import Any

from flask import Blueprint, url_for
from wtforms import HiddenField

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import Contract, ContractContact, Role
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.config import Tenant
from portal.core import Decision, NotFound, PageLink, Query, gettext_noop, to_html
from portal.pages.auth.forms import email_field
from portal.shared.accounts.models import Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.inquiries import asking
from portal.shared.inquiries import queries as inquiries
from portal.shared.limits import operations as limits
from portal.web import lists
from portal.web.forms import (
    DayField,
    Form,
    SearchForm,
    agreement,
    choices,
    code_line,
    name_line,
    one_of,
)
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, member, require_recent_password, tenant
from portal.web.submit import (
    Answer,
    ConfirmedForm,
    ConfirmFlow,
    done,
    register_confirmed_form,
    submit,
)
from portal.web.validators import version_number

bp = Blueprint("support", __name__)
_OPEN_SHOWN = 5
"""How many open inquiries the my page shows."""


def home(here: Tenant, who: SignedIn) -> dict[str, Any]:
    """The my page's own part: where to ask, what is open, and the contracts with their contacts."""
    opened = inquiries.open_ones(here, who, _OPEN_SHOWN) if here.has("inquiries") else []
    return {**_LIST.shown(), "may_ask": _may_ask(here, who), "open_inquiries": opened}


def _may_ask(here: Tenant, who: SignedIn, about: str = "") -> Decision:
    """Whether the member may ask about this contract, or about any (SUP-01)."""
    right = who.may(Right.SUPPORT)
    return right and asking.can_ask(here, who.account_id, who.member_id, about)


class ContractSearch(SearchForm):
    """What a member searches contracts by."""

    number = code_line(_l("契約番号"), longest=30)
    product = one_of(_l("製品"), default="")
    since = DayField(_l("お申込日（開始）"))
    until = DayField(_l("お申込日（終了）"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = asking.products(tenant(), member().account_id)
        products = ((key, product.label) for key, product in offered.items())
        self.product.choices = choices(products, _l("すべて"))


def _find(asked: dict[str, Any]) -> Query:
    return queries.listing(member().account_id, **asked)


def _context(page: lists.Page) -> dict[str, Any]:
    """The contracts on the page, with how many contacts each has and may have."""
    contracts = queries.by_ids([row.id for row in page.rows])
    uses = limits.usages_of(tenant(), CONTACTS, contracts)
    return {"contracts": [(one, uses[one.id]) for one in contracts]}


_LIST = lists.Listing(
    "support.contracts",
    ("support/contracts.html", "support/_contracts.html"),
    ContractSearch,
    _find,
    [lists.Sort("oldest", "登録の古い順", queries.MADE, queries.TIE, descending=False)],
    None,
    {
        gettext_noop("契約番号"): "number",
        gettext_noop("製品"): "product_label",
        gettext_noop("お申込日"): "form_on",
        gettext_noop("登録担当者"): "contacts",
    },
    _context,
)
_LIST.register(bp, "/contracts")


@bp.get("/contracts/<number>")
def contract(number: str) -> str:
    """One contract: what it has, who may ask, how many there may be and why."""
    found = queries.contract(member().account_id, number)
    return render(
        "support/contract.html",
        contract=found,
        back=_LIST.way_back(),
        units=queries.units(found),
        contacts=queries.contacts(found),
        use=limits.usage_of(tenant(), CONTACTS, found),
        may=operations.can_manage(tenant(), found, member().member_id),
        may_ask=_may_ask(tenant(), member(), found.number),
        purposes=to_html(tenant().texts.get("purposes", "")),
    )


def _managed(number: str) -> Contract:
    """The account's own contract, for its 主担当 where that is switched on.

    Raises NotFound, RuleBroken.
    """
    found = queries.contract(member().account_id, number)
    if not operations.can_manage(tenant(), found, member().member_id):
        raise NotFound("ページが見つかりません")
    return found


class ContactForm(Form):
    """A person to be registered, who agreed to what their data are used for (SUP-06, SUP-17)."""

    version = HiddenField(filters=[version_number])
    family_name = name_line(_l("姓"), required=True, longest=40)
    given_name = name_line(_l("名"), longest=40)
    email = email_field(_l("メールアドレス"))
    duty = one_of(_l("ご担当"))
    agreed = agreement(_l("個人情報の利用目的に同意する"))


def _make_form(data: dict[str, Any] | None) -> ContactForm:
    form = ContactForm(data=data)
    duties = tenant().section("support").duties
    form.duty.choices = choices(((duty, duty) for duty in duties), _("選択しない"))
    return form


def _registrant(data: dict[str, Any]) -> Registrant:
    return Registrant(
        family_name=data["family_name"],
        given_name=data["given_name"],
        email=data["email"],
        duty=data["duty"] or "",
    )


def _contact(contract: Contract, contact_id: str) -> tuple[ContractContact, str]:
    """A contact of this contract, with the address. Raises NotFound."""
    for one, email in queries.contacts(contract):
        if str(one.id) == contact_id:
            return one, email
    raise NotFound("担当者が見つかりません。")


def _present(contact: ContractContact, email: str) -> dict[str, Any]:
    """A contact as it stands, with its version."""
    family_name, _space, given_name = contact.person.partition(" ")
    return {
        "version": contact.version,
        "family_name": family_name,
        "given_name": given_name,
        "email": email,
        "duty": contact.duty,
    }


def _limit_and_purposes(contract: Contract) -> dict[str, Any]:
    """What the pages of a contact say of the contract: how many there may be, what their data are
    used for.
    """
    return {
        "contract": contract,
        "use": limits.usage_of(tenant(), CONTACTS, contract),
        "purposes": to_html(tenant().texts.get("purposes", "")),
    }


def _contact_steps(number: str, who: str) -> ConfirmedForm:
    """Adding ("new") and editing a contact are the same steps, by the 主担当 (SUP-05)."""
    found = _managed(number)
    contact, email = (None, "") if who == "new" else _contact(found, who)

    def check(data: dict[str, Any]) -> None:
        operations.check_registrant(tenant(), found, _registrant(data), contact=contact)

    def save(data: dict[str, Any]) -> None:
        registrant = _registrant(data)
        if contact is None:
            operations.add_contact(tenant(), found, registrant, by=actor())
            return
        operations.edit_contact(
            tenant(), found, contact, registrant, int(data["version"]), by=actor()
        )

    def shown(_typed: dict[str, Any]) -> dict[str, Any]:
        return {**_limit_and_purposes(found), "contact": contact, "who": who}

    return ConfirmedForm(
        ConfirmFlow(
            kind="contract-contact",
            subject=f"{number}/{who}",
            form=PageLink("support.contact_form", {"number": number, "who": who}),
        ),
        ("support/contact_form.html", "support/contact_confirm.html", "support/contact_done.html"),
        make=_make_form,
        save=save,
        check=check,
        present=(lambda: _present(contact, email)) if contact else None,
        shown=shown,
    )


register_confirmed_form(
    bp,
    "/contracts/<number>/contacts/<who>",
    "contact",
    _contact_steps,
    taking=[require_recent_password],
)


@bp.route("/contracts/<number>/contacts/<int:contact_id>/representation", methods=["GET", "POST"])
@require_recent_password
def hand_over(number: str, contact_id: int) -> Answer:
    """主担当の変更: what follows for both, asked once more, then at once (SUP-04)."""
    contract = _managed(number)
    contact, _email = _contact(contract, str(contact_id))

    def change() -> Answer:
        operations.hand_over(tenant(), contract, contact, by=actor())
        message = _("主担当を%(who)s様に変更しました。", who=contact.person)
        return done(message, url_for("support.contract", number=number))

    main = next((one for one, _mail in queries.contacts(contract) if one.role == Role.MAIN), None)
    page = "support/contact_representation.html"
    return submit(page, Form(), change, contract=contract, contact=contact, main=main)


@bp.route("/contracts/<number>/contacts/<int:contact_id>/removal", methods=["GET", "POST"])
@require_recent_password
def remove_contact(number: str, contact_id: int) -> Answer:
    """担当者の削除: what follows, asked once more, then at once (SUP-05)."""
    contract = _managed(number)
    contact, email = _contact(contract, str(contact_id))

    def change() -> Answer:
        operations.remove_contact(tenant(), contract, contact, by=actor())
        return done(_("削除しました。"), url_for("support.contract", number=number))

    return submit(
        "support/contact_removal.html",
        Form(),
        change,
        contract=contract,
        contact=contact,
        email=email,
        staying=queries.sharing(contract, contact),
    )
