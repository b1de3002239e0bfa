"""請求書送付先の管理, お届け先の管理: one set of pages for every kind of address (COM-31, COM-32)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect
from werkzeug.wrappers import Response

from portal.blueprints.contacts.forms import AddressForm
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken, Stale
from portal.shared.contacts import operations
from portal.shared.contacts.models import Address, Kind
from portal.web.confirm import ConfirmFlow
from portal.web.errors import refused
from portal.web.forms import Form
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, member, tenant

bp = Blueprint("contacts", __name__)
_BOOK = "<any('billing', 'delivery'):kind>-addresses"
TITLES = {Kind.BILLING: _l("請求書送付先"), Kind.DELIVERY: _l("お届け先")}


def _kind(kind: str) -> Kind:
    """The kind of address these pages are about; where the tenant has it off, there is no page (COM-03)."""
    if not tenant().has(f"{kind}_addresses"):
        raise NotFound("ページが見つかりません")
    return Kind(kind)


def _own(kind: str, number: str) -> Address:
    return operations.find(member().account_id, _kind(kind), number)


def _one(kind: str, number: str) -> Address | None:
    """The address that these steps change, or None when they add one ("new")."""
    return None if _kind(kind) and number == "new" else _own(kind, number)


def _flow(kind: str, number: str = "") -> ConfirmFlow:
    """Adding and editing are the same steps at two places."""
    return ConfirmFlow(f"{kind}-address", f"/{kind}-addresses/{number or 'new'}")


def _shown(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "what": TITLES[Kind(kind)], "home": f"/{kind}-addresses", **more}


@bp.get(f"/{_BOOK}")
def book(kind: str) -> str:
    """The account's addresses."""
    found = operations.book(member().account_id, _kind(kind))
    rows = [(address, operations.number_of(address)) for address in found]
    use = operations.use(tenant(), member().account_id, Kind(kind))
    return render("contacts/book.html", rows=rows, use=use, **_shown(kind))


@bp.route(f"/{_BOOK}/<number>", methods=["GET", "POST"])
def form(kind: str, number: str) -> str | Response:
    """入力, of a new address ("new") or one that is there. "住所を自動入力" fills in and never overwrites (COM-24)."""
    address = _one(kind, number)
    flow = _flow(kind, number)
    form = AddressForm(data=flow.typed() or (_present(address) if address else None))
    shown = _shown(kind, form=form, number=number, address=address, others=_others(address))
    if not form.is_submitted() or form.filled_in():
        return render("contacts/form.html", **shown)
    if not form.validate():
        return render_invalid("contacts/form.html", **shown)
    return flow.keep(form.typed())


def _present(address: Address) -> dict[str, Any]:
    return {name: getattr(address, name) for name in (*operations.FIELDS, "version")}


def _others(address: Address | None) -> int:
    return len(operations.book(address.account_id, address.kind)) - 1 if address else 0


@bp.get(f"/{_BOOK}/<number>/confirm")
def confirm(kind: str, number: str) -> str | Response:
    """内容確認."""
    _one(kind, number)
    flow = _flow(kind, number)
    review = flow.review()
    if review is None:
        return redirect(flow.form_href, 303)
    token, data = review
    rows = AddressForm(data=data).rows()
    shown = _shown(kind, rows=rows, token=token, back=flow.back_href(token), here=flow.confirm_href)
    return render("contacts/confirm.html", **shown)


@bp.post(f"/{_BOOK}/<number>/confirm")
def save(kind: str, number: str) -> Response:
    """登録する: once; what is refused goes back to the form with everything typed."""
    flow, typed = _flow(kind, number), {}
    address = _one(kind, number)

    def do(data: dict[str, Any]) -> None:
        typed.update(data)
        if address:
            operations.edit(address, data, by=actor())
        else:
            operations.add(tenant(), member().account_id, _kind(kind), data, by=actor())

    try:
        return flow.finish(do)
    except RuleBroken as error:
        session().rollback()
        return _again(kind, number, typed, error)


def _again(kind: str, number: str, typed: dict[str, Any], error: RuleBroken) -> Response:
    """The form with what was typed; after somebody else's save with both values (COM-26)."""
    address = _one(kind, number)
    shown = _shown(kind, number=number, address=address, others=_others(address))
    if not isinstance(error, Stale) or address is None:
        return refused("contacts/form.html", AddressForm(data=typed), error, **shown)
    present = _present(address)
    form = AddressForm(data=typed | {"version": present["version"]})
    both = form.differences(AddressForm(data=present))
    response = render_invalid("contacts/form.html", form=form, both=both, **shown)
    response.status_code = 409
    return response


@bp.get(f"/{_BOOK}/<number>/done")
def done(kind: str, number: str) -> str:
    """完了."""
    _one(kind, number)
    return render("contacts/done.html", **_shown(kind))


@bp.route(f"/{_BOOK}/<number>/removal", methods=["GET", "POST"])
def remove(kind: str, number: str) -> str | Response:
    """削除する, asked once more."""
    address, form = _own(kind, number), Form()
    if not form.validate_on_submit():
        return render("contacts/removal.html", form=form, address=address, **_shown(kind))
    operations.remove(address, by=actor())
    session().commit()
    flash(_("削除しました。"), "ok")
    return redirect(f"/{kind}-addresses", 303)


@bp.post(f"/{_BOOK}/<number>/usual")
def make_usual(kind: str, number: str) -> Response:
    """代表にする."""
    operations.make_usual(_own(kind, number), by=actor())
    session().commit()
    flash(_("代表を変更しました。"), "ok")
    return redirect(f"/{kind}-addresses", 303)
