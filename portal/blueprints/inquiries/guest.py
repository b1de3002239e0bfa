"""お問い合わせ without signing in (COM-53). What was typed goes along in the form: there is nobody to keep it for."""

from typing import Any

from flask import redirect, request
from wtforms import HiddenField, StringField

from portal.blueprints.auth.forms import email_field
from portal.blueprints.inquiries import bp, category_named
from portal.blueprints.inquiries.forms import answers, inquiry_form
from portal.core.db import session
from portal.core.errors import NotFound
from portal.shared.inquiries import guests
from portal.shared.inquiries.operations import Asked, Writer
from portal.web.forms import line
from portal.web.i18n import lazy as _l
from portal.web.render import render
from portal.web.requests import link_base, public, tenant
from portal.web.submit import Answer, submit


class TrapField(StringField):  # type: ignore[misc]
    """What people do not see and programs fill in."""


def _form(category: Any) -> Any:
    """The category's form with who writes before it."""
    mine = {
        "name": line(_l("お名前"), required=True),
        "email": email_field(_l("メールアドレス")),
        "stamp": HiddenField(),
        "website": TrapField(),
        "files": None,
        "filled_in": lambda _form: request.form.get("step") == "edit",
    }
    return inquiry_form(category, None, mine)


@bp.route("/inquiries/guest", methods=["GET", "POST"])
@public
def guest() -> Answer:
    """入力 and 内容確認 at one address; 戻る and 送信する are its buttons."""
    if not tenant().inquiries.guests:
        raise NotFound("ページが見つかりません")
    category = category_named(request.values.get("category"))
    form = _form(category)
    shown: dict[str, Any] = {"category": category, "categories": tenant().inquiries.categories}
    form.stamp.data = form.stamp.data or guests.stamp()

    def go_on() -> Answer:
        if request.form.get("step") == "send":
            return _send(form, category)
        hidden = {name: value for name, value in request.form.items() if name not in ("csrf_token", "step")}
        return render("inquiries/guest_confirm.html", rows=form.rows(), hidden=hidden, **shown)

    return submit("inquiries/guest.html", form, go_on, **shown)


def _send(form: Any, category: Any) -> Answer:
    """Once; what filled in the unseen field is thanked and forgotten."""
    if not form.website.data:
        typed = form.typed()
        asked = Asked(category.key, typed["body"], typed.get("about") or "", answers(category, typed))
        writer, address = Writer(typed["name"], typed["email"]), request.remote_addr or ""
        form.stamp.data = guests.stamp()  # for the form that what is refused goes back to
        guests.ask(tenant(), writer, asked, typed["stamp"], address=address, link_base=link_base())
        session().commit()
    return redirect("/inquiries/guest/done", 303)


@bp.get("/inquiries/guest/done")
@public
def guest_done() -> str:
    """完了: the number is in the mail."""
    return render("inquiries/guest_done.html")
