"""会員情報の変更 (FAC-07), and 担当者の管理, 利用者管理: who signs in for the account (RENT-10,
COM-30).
"""

from collections.abc import Iterable

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response

from portal.core import NotFound, PageLink, RuleBroken, format_telephone, session
from portal.pages.account import bp
from portal.pages.account.forms import MemberForm, PersonForm, ProfileForm
from portal.shared.accounts import rights
from portal.shared.accounts.account_hooks import OpenBusiness
from portal.shared.accounts.models import Member, Right
from portal.shared.accounts.operations import Person
from portal.shared.limits import operations as limits
from portal.shared.members import operations as members
from portal.web.brand import offered_rights
from portal.web.errors import message_of
from portal.web.forms import Form, FormData
from portal.web.i18n import translate as _
from portal.web.lists import csv_response
from portal.web.render import Context, render
from portal.web.requests import actor, member, require_feature, require_recent_password, tenant
from portal.web.session_cookies import clear_session_cookie
from portal.web.submit import (
    Answer,
    ConfirmedForm,
    ConfirmFlow,
    done,
    register_confirmed_form,
    submit,
)


def _profile_steps() -> ConfirmedForm:
    who = member()

    def make(data: FormData | None) -> ProfileForm:
        form = ProfileForm(data=data)
        if not who.is_representative:
            form.lock_account(members.read_profile(who.member_id))
        return form

    def collect(form: ProfileForm) -> FormData:
        data = form.typed()
        if not who.is_representative:  # shown, not typed: another's change meanwhile is not undone
            for name in (*members.ACCOUNT_PROFILE, "account_version"):
                del data[name]
        return data

    def save(data: FormData) -> None:
        members.save_profile(tenant(), who.member_id, data, by=actor())

    def present() -> FormData:
        return members.read_profile(who.member_id)

    return ConfirmedForm(
        ConfirmFlow(
            kind="profile",
            subject=members.number_by_id(who.member_id),
            form=PageLink("account.profile_form"),
        ),
        ("account/profile.html", "account/profile_confirm.html", "account/profile_done.html"),
        make=make,
        save=save,
        collect=collect,
        present=present,
    )


register_confirmed_form(bp, "/profile", "profile", _profile_steps)


def _offered() -> None:
    """404 where an operator looks after members."""
    if tenant().sign_in.managed_by == "operator":
        raise NotFound("ページが見つかりません")


def _managed() -> None:
    """404 where an operator looks after members, and 422 with the reason for who may not."""
    _offered()
    rights.can_manage(tenant(), member()).require()


def _own(number: str) -> Member:
    _managed()
    return members.find(member().account_id, number)


@bp.get("/members")
@require_feature("contacts")
def member_list() -> str:
    """The members of the account, and how many there may be."""
    _offered()
    roster = members.roster_by_reading(member().account_id)
    kept = members.open_business(tenant(), member().account_id)
    return render(
        "account/members.html",
        kept={one: _shown(business) for one, business in kept.items()},
        roster=[
            (
                m,
                members.number_of(m),
                rights.can_edit(tenant(), member(), m),
                rights.can_remove(tenant(), member(), m, len(roster) - 1),
                m.id == member().member_id,
            )
            for m in roster
        ],
        use=limits.usage_of(tenant(), "members", member().account_id),
        may=rights.can_manage(tenant(), member()),
        may_hand_over=rights.can_hand_over(member()),
    )


@bp.get("/members.csv")
@require_feature("contacts")
def member_list_csv() -> Response:
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
    # Read now: the file is written in another scope, where these rows are nobody's any more.
    rows = [_cells(one) for one in members.roster_by_reading(member().account_id)]
    return csv_response("members", header, rows, tuple)


def _shown(business: Iterable[OpenBusiness]) -> list[tuple[str, str, str]]:
    """What keeps somebody from being removed: message, what to do about it, where."""
    return [(message_of(what.message), _(what.remedy), what.link.path) for what in business]


def _cells(who: Member) -> tuple[str, ...]:
    shown = rights.held_by(who) & offered_rights(tenant())
    labels = [_(right.label) for right in Right if right in shown]
    return (
        who.name,
        who.department,
        who.email,
        format_telephone(who.telephone or ""),
        "○" if who.is_representative else "",
        "、".join(labels),
    )


_PAGES = ("account/member_form.html", "account/member_confirm.html", "account/member_done.html")


def _new_steps(flow: ConfirmFlow) -> ConfirmedForm:
    """Adding a member: a name that is used is told on the way into 内容確認."""
    here = tenant()
    who = member()

    def make(data: FormData | None) -> PersonForm:
        return PersonForm(
            data, items=here.sign_in.items, offered=offered_rights(here), held=rights.held_by(who)
        )

    def collect(form: PersonForm) -> FormData:
        # The way to 内容確認 tells which names are used: nobody may try out thousands.
        members.count_check(who.account_id)
        return form.typed()

    def check(data: FormData) -> None:
        members.check_new(here, who.account_id, data, by=actor())

    def save(data: FormData) -> None:
        members.add(here, who.account_id, Person(**data), by=actor())

    def context(_typed: FormData) -> Context:
        return {"number": "new"}

    return ConfirmedForm(
        flow, _PAGES, make=make, save=save, collect=collect, check=check, shown=context
    )


def _steps(number: str) -> ConfirmedForm:
    """Adding ("new") and editing are the same steps; the representative edits everybody, the others
    themselves.
    """
    flow = ConfirmFlow(
        kind="member", subject=number, form=PageLink("account.member_form", {"number": number})
    )
    here = tenant()
    who = member()
    if number == "new":
        _managed()
        return _new_steps(flow)
    # Inside: somebody else may have removed them while the form was being filled in.
    with flow.record_needed(MemberForm):
        found = members.find(who.account_id, number)
    rights.can_edit(here, who, found).require()
    return _editing_steps(flow, found)


def _editing_steps(flow: ConfirmFlow, found: Member) -> ConfirmedForm:
    here = tenant()
    who = member()
    offered = frozenset[Right]()  # nothing offered: rights are not asked for at all
    if rights.can_give_rights(here, who, found):
        offered = offered_rights(here)
    may_remove = rights.can_manage(here, who)
    if may_remove:
        others = len(members.roster(who.account_id)) - 1
        may_remove = rights.can_remove(here, who, found, others)

    def make(data: FormData | None) -> MemberForm:
        return MemberForm(
            data, offered=offered, held=rights.held_by(who), present=rights.from_text(found.rights)
        )

    def save(data: FormData) -> None:
        members.save_profile(here, found.id, data, by=actor())

    def present() -> FormData:
        return {name: getattr(found, name) for name in (*members.PROFILE, "version", "rights")}

    def context(_typed: FormData) -> Context:
        return {"number": flow.subject, "person": found, "may_remove": may_remove}

    return ConfirmedForm(flow, _PAGES, make=make, save=save, present=present, shown=context)


register_confirmed_form(
    bp,
    "/members/<number>",
    "member",
    _steps,
    require_feature("contacts"),
    taking=[require_recent_password],
)


@bp.post("/members/<number>/invitation")
@require_feature("contacts")
def invite_member(number: str) -> Response:
    """設定依頼メールを再送する."""
    found = _own(number)
    try:
        members.invite_again(tenant(), found, by=actor())
    except RuleBroken as error:
        # A button in a list has no form that could show the reason.
        session().rollback()
        flash(message_of(error), "warn")
        return redirect(url_for("account.member_list"), 303)
    return done(_("パスワード設定依頼メールを再送しました。"), url_for("account.member_list"))


@bp.route("/members/<number>/removal", methods=["GET", "POST"])
@require_feature("contacts")
@require_recent_password
def remove_member(number: str) -> Answer:
    """削除: asked once more, then at once."""
    found = _own(number)
    form = Form()
    is_self = found.id == member().member_id
    kept = members.open_business(tenant(), found.account_id).get(found.id, [])

    def remove() -> Answer:
        members.remove(tenant(), found, by=actor())
        response = done(
            _("削除しました。"), url_for("auth.sign_in" if is_self else "account.member_list")
        )
        if is_self:  # their session ended with them
            clear_session_cookie(response)
        return response

    return submit(
        "account/member_removal.html",
        form,
        remove,
        person=found,
        is_self=is_self,
        kept=_shown(kept),
        losses=[message_of(what) for what in members.losses(tenant(), found)],
    )


@bp.route("/members/<number>/representation", methods=["GET", "POST"])
@require_feature("contacts")
@require_recent_password
def hand_over(number: str) -> str | Response:
    """代表を変更."""
    _offered()
    rights.can_hand_over(member()).require()
    found = members.find(member().account_id, number)
    form = Form()
    if not form.validate_on_submit():
        return render("account/member_representation.html", form=form, person=found)
    members.hand_over(tenant(), found, by=actor())
    return done(_("代表を変更しました。"), url_for("account.member_list"))
