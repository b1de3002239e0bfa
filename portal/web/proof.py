"""What matters asks for the password typed just now, and nobody loses what they typed meanwhile.

A page that is opened too late leads to パスワードの確認 and back (security.md §4.17). A form that
is sent too late is answered with that page too, what was typed in its hidden fields: the password
goes with all of it to the very address that the form went to, is proved, and the view runs. So
nothing is kept on the server, and no link makes anybody send a form.
"""

from flask import Flask, after_this_request, request
from werkzeug.wrappers import Response
from wtforms import PasswordField
from wtforms.validators import InputRequired

from portal.core import RuleBroken, session
from portal.shared.auth import password_reset
from portal.web.errors import refused
from portal.web.forms import Form
from portal.web.i18n import lazy as _l
from portal.web.render import render_invalid
from portal.web.requests import has_flag, is_reading, lead, member, tenant
from portal.web.session_cookies import give_session
from portal.web.urls import path_with_query, proof_url
from portal.web.validators import MaxLength

_PAGE = "account/proof.html"
_PASSWORD = "present_password"  # noqa: S105 - a field's name, no secret


class PresentPasswordForm(Form):
    """The present password beside whatever else was typed: its name is no other form's."""

    present_password = PasswordField(
        _l("現在のパスワード"),
        validators=[InputRequired(_l("入力してください。")), MaxLength(256)],
        render_kw={"autocomplete": "current-password"},
    )


def init_app(app: Flask) -> None:
    """Ask before views that are marked `@fresh`, after portal.web.requests has found who comes."""
    app.before_request(_require_recent_password)


def _require_recent_password() -> Response | None:
    if not has_flag("is_fresh") or password_reset.is_fresh(tenant(), member().proved_at):
        return None
    if is_reading() or has_flag("is_script_call"):
        return lead(proof_url)
    return _prove_and_go_on()


def _prove_and_go_on() -> Response | None:
    """Let the form through if the present password came with it; else ask, what was typed kept."""
    form = PresentPasswordForm()
    if _PASSWORD not in request.form or not form.validate():
        return render_invalid(
            _PAGE,
            form=form,
            field=form.present_password,
            typed=_typed_besides(),
            action=path_with_query(request),
        )
    try:
        token = password_reset.prove_password(
            tenant(), member(), form.present_password.data, form_field=_PASSWORD
        )
    except RuleBroken as error:
        session().rollback()
        return refused(
            _PAGE,
            form,
            error,
            field=form.present_password,
            typed=_typed_besides(),
            action=path_with_query(request),
        )

    # Proving renews the session's token; the view that runs now makes the response.
    @after_this_request
    def give(response: Response) -> Response:
        return give_session(response, token)

    return None


def _typed_besides() -> list[tuple[str, str]]:
    """Name and value of everything in the form that was sent but the password and the token."""
    return [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in ("csrf_token", _PASSWORD)
    ]
