"""請求書送付先の管理, お届け先の管理: the pages of every kind of address (COM-31, COM-32)."""

from flask import Blueprint, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField

from portal.core import NotFound, PageLink, format_telephone
from portal.shared.accounts.models import Right
from portal.shared.contacts import operations
from portal.shared.contacts.models import Address, Kind
from portal.shared.limits import operations as limits
from portal.web import lists
from portal.web.address import AddressFields, telephone_field
from portal.web.forms import Form, FormData, line, name_line
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import Context, render_context
from portal.web.requests import actor, check_right, member, tenant
from portal.web.submit import ConfirmedForm, ConfirmFlow, done, register_confirmed_form
from portal.web.validators import version_number

bp = Blueprint("contacts", __name__)
_BOOK = "<any('billing', 'delivery'):kind>-addresses"
RIGHTS = {Kind.BILLING: Right.BILLING, Kind.DELIVERY: Right.ORDERS}
"""What a member needs to change them; all see them."""


class AddressForm(AddressFields):
    """送付先."""

    first = ("name", "department", "person")
    version = HiddenField(filters=[version_number])
    name = line(_l("会社名・お名前"), required=True, printed=True)
    department = line(_l("部署名"), longest=80, printed=True)
    person = name_line(_l("ご担当者"), longest=80, printed=True)
    telephone = telephone_field(_l("電話番号"))
    fax = telephone_field(_l("FAX番号"))


def _kind(kind: str) -> Kind:
    """The kind of address these pages are about; where the tenant has it off, there is no page
    (COM-03).
    """
    if not tenant().has(f"{kind}_addresses"):
        raise NotFound("ページが見つかりません")
    return Kind(kind)


def _own(kind: str, number: str) -> Address:
    check_right(RIGHTS[_kind(kind)])
    return operations.find(member().account_id, _kind(kind), number)


def _steps(kind: str, number: str) -> ConfirmedForm:
    """Adding ("new") and editing are the same steps.

    "住所を自動入力" fills in and never overwrites (COM-24).
    """
    check_right(RIGHTS[_kind(kind)])
    flow = ConfirmFlow(
        kind=f"{kind}-address",
        subject=number,
        form=PageLink("contacts.address_form", {"kind": kind, "number": number}),
    )
    if number == "new":
        return _adding_steps(flow, Kind(kind))
    # Inside: somebody else may have removed it while the form was being filled in.
    with flow.record_needed(_make_form):
        address = _own(kind, number)
    return _editing_steps(flow, address)


_PAGES = ("contacts/form.html", "contacts/confirm.html", "contacts/done.html")


def _make_form(data: FormData | None) -> AddressForm:
    return AddressForm(data=data)


def _adding_steps(flow: ConfirmFlow, kind: Kind) -> ConfirmedForm:
    def save(data: FormData) -> None:
        operations.add(tenant(), member().account_id, kind, data, by=actor())

    def context(_typed: FormData) -> Context:
        return _page_context(kind) | {"number": "new", "address": None}

    return ConfirmedForm(flow, _PAGES, make=_make_form, save=save, shown=context)


def _editing_steps(flow: ConfirmFlow, address: Address) -> ConfirmedForm:
    kind = address.kind
    others = len(operations.address_list(address.account_id, kind)) - 1

    def save(data: FormData) -> None:
        operations.edit(tenant(), address, data, by=actor())

    def present() -> FormData:
        return {name: getattr(address, name) for name in (*operations.FIELDS, "version")}

    def context(_typed: FormData) -> Context:
        shown = {"number": flow.subject, "address": address, "others": others}
        return _page_context(kind) | shown

    return ConfirmedForm(flow, _PAGES, make=_make_form, save=save, present=present, shown=context)


def _page_context(kind: Kind) -> Context:
    """What every page of these addresses shows."""
    return {"kind": kind.value, "what": _(kind.label)}


@bp.get(f"/{_BOOK}")
def address_list(kind: str) -> str:
    """The account's addresses."""
    found = operations.address_list(member().account_id, _kind(kind))
    rows = [(address, operations.number_of(address)) for address in found]
    use = limits.usage_of(tenant(), f"{kind}_addresses", member().account_id)
    may = member().may(RIGHTS[Kind(kind)])
    context = _page_context(Kind(kind)) | {"rows": rows, "use": use, "may": may}
    return render_context("contacts/book.html", context)


@bp.get(f"/{_BOOK}.csv")
def address_list_csv(kind: str) -> Response:
    """The list as CSV (COM-21)."""
    header = [
        _(Kind(kind).label),
        _("部署名"),
        _("ご担当者"),
        _("住所"),
        _("電話番号"),
        _("FAX番号"),
        _("代表"),
    ]
    found = operations.address_list(member().account_id, _kind(kind))
    # Read now: the file is written in another scope, where these rows are nobody's any more.
    rows = [_cells(address) for address in found]
    return lists.csv_response(f"{kind}-addresses", header, rows, tuple)


def _cells(address: Address) -> tuple[str, ...]:
    return (
        address.name,
        address.department,
        address.person,
        address.address,
        format_telephone(address.telephone or ""),
        format_telephone(address.fax or ""),
        "○" if address.is_usual else "",
    )


register_confirmed_form(bp, f"/{_BOOK}/<number>", "address", _steps)


@bp.route(f"/{_BOOK}/<number>/removal", methods=["GET", "POST"])
def remove(kind: str, number: str) -> str | Response:
    """削除する, asked once more."""
    address = _own(kind, number)
    form = Form()
    if not form.validate_on_submit():
        context = _page_context(Kind(kind)) | {"form": form, "address": address}
        return render_context("contacts/removal.html", context)
    operations.remove(tenant(), address, by=actor())
    return done(_("削除しました。"), url_for("contacts.address_list", kind=kind))


@bp.post(f"/{_BOOK}/<number>/usual")
def make_usual(kind: str, number: str) -> Response:
    """代表にする."""
    operations.make_usual(tenant(), _own(kind, number), by=actor())
    return done(_("代表を変更しました。"), url_for("contacts.address_list", kind=kind))
