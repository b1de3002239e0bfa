"""The pages of a support desk (SUP-02, SUP-04, SUP-05)."""

from typing import Any

from flask import Blueprint

from portal.blueprints.auth.forms import email_field
from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import Contract
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.core import NotFound, Tenant, to_html
from portal.shared.auth.sessions import SignedIn
from portal.shared.limits import operations as limits
from portal.web.forms import Form, agreement, choices, line, one_of
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import actor, fresh, link_base, member, tenant
from portal.web.submit import Answer, done, submit

bp = Blueprint("support", __name__)
_STEPS = {
    "representation": (
        operations.hand_over,
        _l("主担当を引き継ぐ"),
        _l("主担当を引き継ぎました。"),
    ),
    "removal": (operations.remove_contact, _l("登録の削除"), _l("削除しました。")),
}


def home(here: Tenant, who: SignedIn) -> dict[str, Any]:
    """The my page's own part: the contracts, with how many contacts each has and may have."""
    contracts = queries.contracts(who.account_id)
    uses = limits.uses(here, CONTACTS, contracts)
    return {"contracts": [(one, uses[one.id]) for one in contracts]}


@bp.get("/contracts")
def contracts() -> str:
    """ご契約と担当者."""
    return render("support/contracts.html", **home(tenant(), member()))


@bp.get("/contracts/<number>")
def contract(number: str) -> str:
    """One contract: what it has, who may ask, how many there may be and why."""
    found = queries.contract(member().account_id, number)
    return render(
        "support/contract.html",
        contract=found,
        units=queries.units(found),
        contacts=queries.contacts(found),
        use=limits.use(tenant(), CONTACTS, found),
        may=operations.can_manage(tenant(), found, member().member_id),
        purposes=to_html(tenant().texts.get("purposes", "")),
    )


def _managed(number: str) -> Contract:
    """The account's own contract, for its 主担当 where that is switched on. Raises NotFound, RuleBroken."""
    found = queries.contract(member().account_id, number)
    if not operations.can_manage(tenant(), found, member().member_id):
        raise NotFound("ページが見つかりません")
    return found


class ContactForm(Form):
    """A person to be registered, who has agreed to what their data are used for (SUP-06, SUP-17)."""

    family_name = line(_l("姓"), required=True, longest=40)
    given_name = line(_l("名"), longest=40)
    email = email_field(_l("メールアドレス"))
    duty = one_of(_l("ご担当"))
    agreed = agreement(_l("個人情報の利用目的に同意する"))


@bp.route("/contracts/<number>/contacts/new", methods=["GET", "POST"])
@fresh
def add_contact(number: str) -> Answer:
    """担当者の追加, by the 主担当."""
    found, form = _managed(number), ContactForm()
    form.duty.choices = choices(
        ((duty, duty) for duty in tenant().section("support").duties), _("選択しない")
    )

    def add() -> Answer:
        typed = form.typed()
        who = Registrant(
            typed["family_name"], typed["given_name"], typed["email"], typed["duty"] or ""
        )
        operations.add_contact(tenant(), found, who, by=actor(), link_base=link_base())
        return done(_("登録しました。ご本人へメールでお知らせします。"), f"/contracts/{number}")

    use, purposes = (
        limits.use(tenant(), CONTACTS, found),
        to_html(tenant().texts.get("purposes", "")),
    )
    return submit(
        "support/contact_form.html", form, add, contract=found, use=use, purposes=purposes
    )


@bp.route(
    "/contracts/<number>/contacts/<int:contact_id>/<any(representation, removal):step>",
    methods=["GET", "POST"],
)
@fresh
def change_contact(number: str, contact_id: int, step: str) -> Answer:
    """主担当 handed over, or a 副担当 removed: asked once more, then at once."""
    contract, form, (do, title, said) = _managed(number), Form(), _STEPS[step]
    contact = next(
        (one for one, _email in queries.contacts(contract) if one.id == contact_id), None
    )
    if contact is None:
        raise NotFound("担当者が見つかりません。")

    def change() -> Answer:
        do(contract, contact, by=actor())
        return done(said, f"/contracts/{number}")

    return submit(
        "support/contact_change.html", form, change, contract=contract, contact=contact, title=title
    )
