"""担当者の管理, 利用者管理: who signs in for the account (RENT-10, COM-30)."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect
from werkzeug.wrappers import Response

from portal.blueprints.account import bp
from portal.blueprints.account.forms import person_form
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.auth import people
from portal.shared.auth.enrolment import Person
from portal.shared.auth.models import Member
from portal.web.confirm import ConfirmFlow
from portal.web.errors import refused, said
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render, render_invalid
from portal.web.requests import actor, clear_session_cookie, feature, fresh, link_base, member, tenant

PAGE = "/account/members"
FLOW = ConfirmFlow("member", f"{PAGE}/new")


def _managed() -> None:
    """404 where an operator looks after members, 422 with the reason for who may not."""
    if tenant().sign_in.managed_by == "operator":
        raise NotFound("ページが見つかりません")
    people.can_manage(tenant(), is_representative=member().is_representative).require()


def _own(number: str) -> Member:
    _managed()
    return people.find(member().account_id, number)


@bp.get("/members")
@feature("contacts")
def members() -> str:
    """The members of the account, and how many there may be."""
    if tenant().sign_in.managed_by == "operator":
        raise NotFound("ページが見つかりません")
    roster = people.roster(member().account_id)
    return render(
        "account/members.html",
        roster=[
            (
                m,
                people.number_of(m),
                people.can_remove(tenant(), m, len(roster) - 1),
                m.id == member().member_id,
            )
            for m in roster
        ],
        use=people.use(tenant(), member().account_id),
        may=people.can_manage(tenant(), is_representative=member().is_representative),
    )


@bp.route("/members/new", methods=["GET", "POST"])
@feature("contacts")
@fresh
def member_form() -> str | Response:
    """入力."""
    _managed()
    form = person_form(tenant().sign_in.items, FLOW.typed())
    if not form.is_submitted():
        return render("account/member_form.html", form=form)
    if not form.validate():
        return render_invalid("account/member_form.html", form=form)
    return FLOW.keep(form.typed())


@bp.get("/members/new/confirm")
@feature("contacts")
def member_confirm() -> str | Response:
    """内容確認."""
    review = FLOW.review()
    if review is None:
        return redirect(FLOW.form_href, 303)
    token, data = review
    rows = person_form(tenant().sign_in.items, data).rows()
    return render("account/member_confirm.html", rows=rows, token=token, back=FLOW.back_href(token))


@bp.post("/members/new/confirm")
@feature("contacts")
@fresh
def member_add() -> Response:
    """登録: once, and what is refused goes back to the form with everything typed."""
    _managed()
    typed: dict[str, Any] = {}

    def add(data: dict[str, Any]) -> None:
        typed.update(data)
        people.add(tenant(), member().account_id, Person(**data), by=actor(), link_base=link_base())

    try:
        return FLOW.finish(add)
    except RuleBroken as error:
        session().rollback()
        return refused("account/member_form.html", person_form(tenant().sign_in.items, typed), error)


@bp.get("/members/new/done")
@feature("contacts")
def member_done() -> str:
    """完了."""
    _managed()
    return render("account/member_done.html")


@bp.post("/members/<number>/invitation")
@feature("contacts")
def invite_member(number: str) -> Response:
    """設定依頼メールを再送する."""
    found = _own(number)
    try:
        people.invite_again(tenant(), found, by=actor(), link_base=link_base())
    except RuleBroken as error:
        session().rollback()
        flash(said(error), "warn")
    else:
        session().commit()
        flash(_("パスワード設定依頼メールを再送しました。"), "ok")
    return redirect(PAGE, 303)


@bp.route("/members/<number>/removal", methods=["GET", "POST"])
@feature("contacts")
@fresh
def remove_member(number: str) -> str | Response:
    """削除: asked once more, then at once."""
    found, form = _own(number), Form()
    is_self = found.id == member().member_id
    if not form.validate_on_submit():
        return render("account/member_removal.html", form=form, person=found, is_self=is_self)
    people.remove(tenant(), found, by=actor())
    session().commit()
    flash(_("削除しました。"), "ok")
    response = redirect("/sign-in" if is_self else PAGE, 303)
    if is_self:
        clear_session_cookie(response)
    return response


@bp.route("/members/<number>/representation", methods=["GET", "POST"])
@feature("contacts")
@fresh
def hand_over(number: str) -> str | Response:
    """代表を変更."""
    found, form = _own(number), Form()
    if not form.validate_on_submit():
        return render("account/member_representation.html", form=form, person=found)
    people.hand_over(tenant(), found, by=actor())
    session().commit()
    flash(_("代表を変更しました。"), "ok")
    return redirect(PAGE, 303)
