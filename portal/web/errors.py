"""Every failure ends in a page: in the brand's look where there is a brand, plain where there is
none (COM-01).
"""

import errno
import logging
import secrets
from collections.abc import Sequence

from flask import Flask, Response, current_app, g, make_response, render_template, request
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from portal.core import (
    DatabaseBusy,
    Forbidden,
    NotFound,
    RuleBroken,
    Stale,
    gettext_noop,
    security_log,
)
from portal.shared.auth.links import DeadLink
from portal.shared.auth.throttling import TooMany
from portal.web import interrupted
from portal.web.forms import Form
from portal.web.i18n import translate as _
from portal.web.render import render_invalid, render_invalid_context, whole
from portal.web.requests import has_flag

log = logging.getLogger(__name__)
_GONE = gettext_noop(
    "この登録はすでに削除されているか、見つかりません。保存はされていません。"
    "入力された内容を下に表示します。"
)
_NOT_POSSIBLE = gettext_noop("この操作はできません")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Gone(NotFound):
    """A record that somebody removed while it was being filled in; `typed` is what was typed, label
    and value.
    """

    def __init__(self, missing: NotFound, typed: list[tuple[str, str]]) -> None:
        super().__init__(missing.message)
        self.typed = typed


def page(
    code: int,
    message: str = "",
    *,
    typed: Sequence[tuple[str, str]] = (),
    heading: str = "",
    form_href: str = "",
) -> Response:
    """The error page of `code`, with `heading` and `message` in place of the usual words, and what
    was `typed`.

    `form_href` is where the form stands that was sent.
    """
    body = render_template(
        "errors/error.html",
        code=code,
        message=message,
        typed=typed,
        heading=heading,
        form_href=form_href,
    )
    response = whole(make_response(body, code))
    if code == 429:
        return _later(response)
    return response


def _later(response: Response, seconds: int = 30) -> Response:
    response.headers["Retry-After"] = str(seconds)
    return response


def _unavailable(error: Exception) -> Response:
    """503 without touching the database, the templates' context or the disk: each may be what is
    away.
    """
    log.error("unavailable: %s", type(error).__name__)
    # Not by render_template, which asks the context processors first.
    body = current_app.jinja_env.get_template("errors/unavailable.html").render()
    return _later(make_response(body, 503))


def _http(error: HTTPException) -> Response:
    code = error.code or 500
    if code < 400:  # werkzeug's redirects are exceptions too
        return make_response(error.get_response())
    if code == 503:
        return _unavailable(error)
    if code == 403:
        report_forbidden()
    response = _too_large() if code == 413 and "tenant" in g else page(code)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def report_forbidden() -> None:
    """Log that somebody asked for what they may not (security.md §4.27)."""
    _report("forbidden")


def _too_large() -> Response:
    """Say how much this page takes, and lead back to the form: nothing of it could be read
    (COM-23).
    """
    # A browser sends nine bytes for a Japanese character of a plain form, three beside files.
    in_plain_form = (request.max_content_length or 0) // 9
    beside_files = (request.max_form_memory_size or 0) // 3
    maximum = min(in_plain_form, beside_files) // 10_000 * 10_000
    message = _("一度に送信できる文章は、約%(count)s文字までです。", count=f"{maximum:,}")
    if has_flag("takes_files"):
        message += _("添付ファイルは、合計%(mb)sMBまでです。", mb=g.tenant.inquiries.most_megabytes)
    message += _("送信された内容は保存されていません。減らしてから、もう一度お試しください。")
    return page(413, message, form_href=interrupted.page_of_form())


def _csrf(_error: CSRFError) -> Response:
    _report("csrf.refused")
    return page(400)


def _report(event: str) -> None:
    """Log a refused request as a security event: what by its endpoint, who by an id."""
    # Neither the address nor a name: both may hold what the log must not, a token or who somebody
    # is.
    member_id = current_user.member_id if current_user.is_authenticated else None
    security_log.report(
        event,
        method=request.method,
        endpoint=request.endpoint,
        member=member_id,
        address=request.remote_addr,
        request=g.get("request_id"),
    )


def _not_found(error: NotFound) -> Response:
    """404; what was typed for a record that is gone is shown, so that it is not lost (COM-23)."""
    if isinstance(error, Gone) and error.typed:
        return page(404, _(_GONE), typed=error.typed)
    return page(404)


def _rule(error: RuleBroken) -> Response:
    """A rule that a view did not handle itself: the page says which, nothing has been changed."""
    if isinstance(error, DeadLink):
        return render_invalid("auth/dead_link.html")
    if isinstance(error, NotFound):
        return _not_found(error)
    if isinstance(error, TooMany):
        return _later(page(429, _(error.message)), error.seconds)
    if isinstance(error, Forbidden):
        report_forbidden()
        return page(403, message_of(error))
    if isinstance(error, Stale):
        return page(409, message_of(error))
    return page(422, message_of(error), heading=_(_NOT_POSSIBLE))  # nothing was mistyped


def message_of(error: RuleBroken) -> str:
    """The rule's message in the reader's language; what it is filled in with may be such a message
    too.
    """
    params = {}
    for name, value in error.params.items():
        params[name] = message_of(value) if isinstance(value, RuleBroken) else value
    return _(error.message, **params)


def _machine(error: OSError | DBAPIError) -> Response:
    """A full disk and a database that is away are no crash: it passes."""
    if isinstance(error, OperationalError):
        return _unavailable(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return _unavailable(error)
    return _crash(error)


def _crash(error: Exception) -> Response:
    log.error("request %s failed", g.get("request_id", ""), exc_info=error)
    try:
        return page(500)
    except Exception:  # the page itself may need what is broken
        return _unavailable(error)


def _name_request() -> None:
    g.setdefault("request_id", secrets.token_hex(6))


def init_app(app: Flask) -> None:
    """Give every request an id and every failure its page."""
    # First of all, so that the page of whatever fails next can show it.
    app.before_request_funcs[None].insert(0, _name_request)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(RuleBroken, _rule)
    app.register_error_handler(DatabaseBusy, _unavailable)
    app.register_error_handler(DBAPIError, _machine)
    app.register_error_handler(OSError, _machine)
    # A test that runs into a mistake of ours is to fail with its traceback.
    if not app.config["TESTING"]:
        app.register_error_handler(Exception, _crash)


def refused(template: str, form: Form, error: RuleBroken, **context: object) -> Response:
    """The form again, with what a rule said at the field it names.

    429 where something was tried too often, 403 for want of a right.
    """
    form.blame(error, message_of(error))
    http_status = 422
    if isinstance(error, Forbidden):
        report_forbidden()
        http_status = 403
    elif isinstance(error, TooMany):
        http_status = 429
    response = render_invalid_context(template, context | {"form": form}, http_status)
    if isinstance(error, TooMany):
        return _later(response, error.seconds)
    return response
