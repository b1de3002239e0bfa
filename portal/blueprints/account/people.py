"""会員情報の変更 (FAC-07), and 担当者の管理, 利用者管理: who signs in for the account (RENT-10, COM-30)."""

from functools import partial
from typing import Any

from flask import flash, redirect
from werkzeug.wrappers import Response

from portal.blueprints.account import bp
from portal.blueprints.account.forms import MemberForm, PersonForm, ProfileForm
from portal.core import NotFound, RuleBroken, format_telephone, session
from portal.shared.auth import people
from portal.shared.auth.enrolment import Person
from portal.shared.auth.models import Member, Right
from portal.shared.limits import operations as limits
from portal.web.errors import said
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.lists import csv_response
from portal.web.render import render
from portal.web.requests import (
    actor,
    clear_session_cookie,
    feature,
    fresh,
    link_base,
    member,
    tenant,
)
from portal.web.submit import ConfirmFlow, Steps, add_steps, done

PAGE = "/account/members"


def _profile_steps() -> Steps:
    who = member()

    def make(data: dict[str, Any] | None) -> ProfileForm:
        form = ProfileForm(data=data)
        if not who.is_representative:
            form.lock_account(people.read_profile(who.member_id))
        return form

    return Steps(
        ConfirmFlow(
            kind="profile", subject=people.number_by_id(who.member_id), form_href="/account/profile"
        ),
        ("account/profile.html", "account/profile_confirm.html", "account/profile_done.html"),
        make=make,
        save=lambda data: people.save_profile(tenant(), who.member_id, data, by=actor()),
        present=lambda: people.read_profile(who.member_id),
    )


add_steps(bp, "/profile", "profile", _profile_steps)


def _offered() -> None:
    """404 where an operator looks after members."""
    if tenant().sign_in.managed_by == "operator":
        raise NotFound("ページが見つかりません")


def _managed() -> None:
    """The same, and 422 with the reason for who may not."""
    _offered()
    people.can_manage(tenant(), member()).require()


def _own(number: str) -> Member:
    _managed()
    return people.find(member().account_id, number)


@bp.get("/members")
@feature("contacts")
def members() -> str:
    """The members of the account, and how many there may be."""
    _offered()
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
        use=limits.use(tenant(), "members", member().account_id),
        may=people.can_manage(tenant(), member()),
    )


@bp.get("/members.csv")
@feature("contacts")
def members_csv() -> Response:
    """The list as CSV (COM-21)."""
    _offered()
    header = [
        _("お名前"),
        _("部署名"),
        _("メールアドレス"),
        _("電話番号"),
        _("代表"),
        _("できること"),
    ]
    return csv_response(
        "members", header, [_cells(m) for m in people.roster(member().account_id)], tuple
    )


def _cells(who: Member) -> tuple[str, ...]:
    rights = [
        _(right.label) for right in Right if who.is_representative or right in who.rights.split(",")
    ]
    telephone = format_telephone(who.telephone) if who.telephone else ""
    return (
        who.name,
        who.department,
        who.email,
        telephone,
        "○" if who.is_representative else "",
        "、".join(rights),
    )


def _steps(number: str) -> Steps:
    """Adding ("new") and editing are the same steps; the representative edits everybody, the others themselves."""
    pages = "account/member_form.html", "account/member_confirm.html", "account/member_done.html"
    flow = ConfirmFlow(kind="member", subject=number, form_href=f"{PAGE}/{number}")
    steps = partial(Steps, flow, pages)
    here, who, base = tenant(), member(), link_base()
    if number == "new":
        _managed()
        return steps(
            make=partial(PersonForm, items=here.sign_in.items),
            save=lambda data: people.add(
                here, who.account_id, Person(**data), by=actor(), link_base=base
            ),
            shown=lambda _typed: {"number": number},
        )
    found = people.find(who.account_id, number)
    people.can_edit(here, who, found).require()
    may_remove = people.can_remove(here, found, len(people.roster(who.account_id)) - 1)
    may, gives = people.can_manage(here, who), people.can_give_rights(here, who, found)
    return steps(
        make=partial(MemberForm, gives_rights=gives),
        save=lambda data: people.save_profile(here, found.id, data, by=actor()),
        present=lambda: {
            name: getattr(found, name) for name in (*people.PROFILE, "version", "rights")
        },
        shown=lambda _typed: {
            "number": number,
            "person": found,
            "may_remove": may_remove if may else may,
        },
    )


add_steps(bp, "/members/<number>", "member", _steps, feature("contacts"), taking=[fresh])


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
        return redirect(PAGE, 303)
    return done(_("パスワード設定依頼メールを再送しました。"), PAGE)


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
    response = done(_("削除しました。"), "/sign-in" if is_self else PAGE)
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
    return done(_("代表を変更しました。"), PAGE)
