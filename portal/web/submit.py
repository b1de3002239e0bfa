"""A form's GET and POST, written once: shown, refused with everything typed kept, or done (COM-23)."""

from collections.abc import Callable
from typing import Any

from flask import flash, redirect
from werkzeug.wrappers import Response

from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.web.errors import refused
from portal.web.forms import Form
from portal.web.render import render, render_invalid

Answer = str | Response


def submit(page: str, form: Form, do: Callable[[], Answer], **shown: Any) -> Answer:
    """`page` with the form in it, until what is typed is valid; then what `do` answers.

    What a rule refuses stands at the field it names, and nothing is half-done. NotFound goes on to its own page.
    """
    if not form.is_submitted() or form.filled_in():
        return render(page, form=form, **shown)
    if not form.validate():
        return render_invalid(page, form=form, **shown)
    try:
        return do()
    except NotFound:
        raise
    except RuleBroken as error:
        session().rollback()
        return refused(page, form, error, **shown)


def done(message: str, to: str) -> Response:
    """Commit, and on to `to`, where `message` says that it is done."""
    session().commit()
    flash(message, "ok")
    return redirect(to, 303)
