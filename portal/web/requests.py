"""How a request finds its tenant and its member, before any view runs (architecture.md, "How a
request flows").

Host → tenant, else a plain 404; the tenant's scope is opened; a brand's pages exist only where its
module is on; then session → member in one query. Pages are closed unless they are marked `@public`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar, cast

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    flash,
    g,
    redirect,
    request,
    stream_with_context,
    url_for,
)
from flask import session as cookie
from flask_login import LoginManager, current_user
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import NotFound, ServiceUnavailable
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as BaseResponse
from wtforms.validators import ValidationError

from portal.config import Registry, Tenant
from portal.core import Actor, clock, session, tenant_scope, transaction_mode
from portal.settings import Settings
from portal.shared.accounts.models import Right
from portal.shared.auth import sessions
from portal.shared.auth.sessions import Client, SignedIn
from portal.shared.auth.sign_in import Entry
from portal.shared.interrupted import owner_of
from portal.web import interrupted
from portal.web.i18n import translate as _
from portal.web.uploads import UploadRequest, open_for_files
from portal.web.urls import path_with_query, sign_in_url

F = TypeVar("F", bound=Callable[..., Any])
ViewFlag = Callable[[Any], Any]
"""What stands above a view: `public`, `feature("…")`, `needs(…)`, `fresh`, `takes_files`."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_TENANTLESS = frozenset({"health.livez", "health.readyz", "home.script", "static"})


def _flag(name: str, value: object) -> Callable[[F], F]:
    def mark(view: F) -> F:
        setattr(view, name, value)
        return view

    return mark


def _flag_of(name: str) -> Any:
    """What the view of this request is marked with, or None."""
    return getattr(current_app.view_functions[request.endpoint or ""], name, None)


public = _flag("is_public", True)
"""Marks a view as open to people who are not signed in."""

require_recent_password = _flag("is_fresh", True)
"""Marks a view as one that needs the password typed just now (security.md §4.17)."""

called_by_script = _flag("is_script_call", True)
"""Marks a view that a script calls: it can be led elsewhere, but shown no page."""

asked_by_itself = _flag("is_asked_by_itself", True)
"""Marks a view that a page asks without anybody pressing something: when the session is over it
leads nowhere, because what is being typed on that page would be lost. The next button does, and
keeps what was typed.
"""

takes_files = _flag("takes_files", True)
"""Marks a view as one that takes files: as large as the tenant's inquiries allow (security.md
§4.21).
"""


def require_feature(name: str) -> Callable[[F], F]:
    """Mark a view as part of a feature: where the tenant has it off, there is no such page
    (COM-03).
    """
    return _flag("feature", name)


def require_right(right: Right) -> Callable[[F], F]:
    """Mark a view as one for members whom their account lets do such things."""
    return _flag("right", right)


def with_flags(view: F, marks: Iterable[ViewFlag]) -> F:
    """A view that is made for several addresses, under these marks."""
    for mark in marks:
        mark(view)
    return view


class Pages(Blueprint):
    """A blueprint whose views all stand under the same marks."""

    def __init__(self, name: str, import_name: str, *marks: ViewFlag) -> None:
        super().__init__(name, import_name)
        self._marks = marks

    def add_url_rule(
        self, rule: str, endpoint: Any = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """As in every blueprint."""
        super().add_url_rule(rule, endpoint, with_flags(view_func, self._marks), *args, **options)


def afterwards(do: Callable[[], object]) -> None:
    """A short write of its own behind the read: loaded rows are gone then."""
    with transaction_mode("write"):
        do()
        session().commit()


def check_right(right: Right | None) -> None:
    """Refuse a member whose account does not let them do such things. Raises Forbidden."""
    if right:
        member().may(right).require()


def settings() -> Settings:
    """The settings of the running application."""
    return cast(Settings, current_app.extensions["settings"])


def registry() -> Registry:
    """The registry of tenants of the running application."""
    return cast(Registry, current_app.extensions["tenants"])


def tenant() -> Tenant:
    """The tenant of this request."""
    return cast(Tenant, g.tenant)


def member() -> SignedIn:
    """The signed-in member of this request; only in views that are not public."""
    return cast(SignedIn, current_user._get_current_object())


def actor() -> Actor:
    """The signed-in member as the audit trail names them."""
    return member().actor(request.remote_addr or "")


def cookie_name(of: Settings, what: str = "portal") -> str:
    """The session cookie's name; the ``__Host-`` prefix ties it to one host over HTTPS (security.md
    §4.7).
    """
    return f"__Host-{what}" if of.scheme == "https" else what


def _cookie_traits() -> dict[str, Any]:
    """For this host only, and for no script."""
    return {
        "secure": settings().scheme == "https",
        "httponly": True,
        "samesite": "Lax",
        "path": "/",
    }


def clear_session_cookie(response: BaseResponse) -> None:
    """Take the session's token back, with what forms were sent with and what the browser kept of
    the pages.

    Not "cookies": that would reach beyond this host, and the other brands' sessions would end as
    well.
    """
    _renew_csrf_token()
    response.delete_cookie(cookie_name(settings()), **_cookie_traits())
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def _renew_csrf_token() -> None:
    """Let the next page make a CSRF token: none outlives a sign-in or a sign-out (security.md
    §4.9).
    """
    cookie.pop("csrf_token", None)
    g.pop("csrf_token", None)  # Flask-WTF's own copy for this request


def client() -> Client:
    """Where this request comes from."""
    return Client(request.remote_addr or "", request.user_agent.string)


def session_token() -> str:
    """The token of the session cookie, or nothing."""
    return request.cookies.get(cookie_name(settings()), "")


def device_token() -> str:
    """The token by which this browser is known, or nothing."""
    return request.cookies.get(cookie_name(settings(), "device"), "")


def give_session(response: BaseResponse, token: str) -> BaseResponse:
    """Give the browser the token of its session."""
    response.set_cookie(cookie_name(settings()), token, **_cookie_traits())
    return response


def let_in(response: BaseResponse, entry: Entry) -> BaseResponse:
    """Give the browser what signing in brought: the session, and a name for the browser when it is
    new.
    """
    _renew_csrf_token()
    give_session(response, entry.token)
    if entry.device_token:
        name = cookie_name(settings(), "device")
        response.set_cookie(
            name, entry.device_token, max_age=sessions.DEVICE_LIFETIME, **_cookie_traits()
        )
    return response


def init_app(app: Flask, of: Settings, login_manager: LoginManager) -> None:
    """Hang the steps on the application, in their order."""
    app.request_class = UploadRequest
    if of.proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, of.proxy_hops, of.proxy_hops)  # type: ignore[method-assign]
    login_manager.init_app(app)
    login_manager.request_loader(_load_member)
    # Before everything, the CSRF check too: whatever refuses a request then does so in the brand's
    # look, and a form whose session is over has no valid CSRF token any more.
    app.before_request_funcs.setdefault(None, [])[:0] = [_open_scope, _gate, _catch_interrupted]
    app.before_request(_require_member)
    app.teardown_request(_close_scope)


def _open_scope() -> None:
    if request.endpoint in _TENANTLESS:
        return
    found = registry().current().for_host(request.host)
    if found is None or "\0" in request.path:  # no number holds a NUL, and PostgreSQL takes none
        raise NotFound
    g.tenant = found
    if request.endpoint and _flag_of("takes_files"):
        open_for_files(found.inquiries.most_megabytes)
    g.scope = ExitStack()
    g.scope.enter_context(tenant_scope(found.key))
    g.scope.enter_context(transaction_mode("read" if request.method in _READS else "write"))


def _close_scope(_error: BaseException | None) -> None:
    scope: ExitStack | None = g.pop("scope", None)
    if scope is not None:
        scope.close()


def streamed(parts: Iterator[bytes]) -> Iterator[bytes]:
    """`parts` made while they are sent, in a scope of their own: Flask closes the request's before
    it iterates.
    """
    key = tenant().key

    def inside() -> Iterator[bytes]:
        with tenant_scope(key), transaction_mode("read"):
            yield from parts

    return stream_with_context(inside())


def _gate() -> None:
    """404 for a brand's page where its module is off; 503 in maintenance."""
    if "tenant" not in g or request.endpoint is None:
        return
    here = tenant()
    if here.status == "maintenance":
        raise ServiceUnavailable
    brands = current_app.extensions["brands"]
    if request.blueprint in brands and request.blueprint not in here.modules:
        raise NotFound
    wanted = _flag_of("feature")
    if wanted and not here.has(wanted):
        raise NotFound


def _is_open() -> bool:
    """Whether everybody may open this address, or there is none."""
    endpoint = request.endpoint
    return endpoint is None or endpoint in _TENANTLESS or bool(_flag_of("is_public"))


def _catch_interrupted() -> BaseResponse | None:
    """Lose no form that comes when its session is over: to the sign-in page, and back to what was
    typed.

    So it is too for a page that was drawn before the same member signed out and in again in another
    tab, whose CSRF token is no longer valid: straight back to the page. Nothing is done; what
    another member drew is refused.
    """
    if request.method in _READS or _is_open():
        return None
    if not current_user.is_authenticated:
        if _flag_of("is_asked_by_itself"):
            return Response(status=204)
        if interrupted.is_bare_press() and not _flag_of("is_script_call"):
            _say_that_nothing_was_done()
        return lead(sign_in_url, owner=interrupted.page_owner())
    owner = owner_of(member().member_id)
    if interrupted.page_owner() != owner or _has_csrf_token():
        return None
    flash(
        _("この画面は古くなっていました。内容をご確認のうえ、もう一度ボタンを押してください。"),
        "warn",
    )
    return lead(_straight_back, owner=owner)


def _say_that_nothing_was_done() -> None:
    if request.endpoint != "auth.sign_out":
        flash(
            _(
                "ログインの有効期限が切れていたため、まだ処理されていません。ログイン後に、もう一度お試しください。"
            ),
            "warn",
        )


def _straight_back(page: str) -> str:
    return page


def _has_csrf_token() -> bool:
    try:
        validate_csrf(request.headers.get("X-CSRFToken") or request.form.get("csrf_token"))
    except ValidationError:
        return False
    return True


def _require_member() -> BaseResponse | None:
    if _is_open():
        return None
    endpoint = request.endpoint
    if not current_user.is_authenticated:
        return Response(status=204) if _flag_of("is_asked_by_itself") else lead(sign_in_url)
    if member().must_change_password and endpoint not in ("account.password", "auth.sign_out"):
        return redirect(url_for("account.password"), 303)
    check_right(_flag_of("right"))
    _touch(member())
    return None


def has_flag(name: str) -> bool:
    """Whether the view of this request, if there is one, carries this mark."""
    return request.endpoint is not None and bool(_flag_of(name))


def is_reading() -> bool:
    """Whether this request changes nothing."""
    return request.method in _READS


def lead(page: Callable[[str], str], *, owner: str | None = None) -> BaseResponse:
    """Lead to another page and back from there, with what was sent kept for `owner`; htmx is told
    to load it whole.
    """
    back_to = path_with_query(request)
    if not is_reading():
        back_to, is_lost = interrupted.keep(owner)
        if is_lost:
            flash(
                _("入力された内容は保存できませんでした。お手数ですが、もう一度ご入力ください。"),
                "warn",
            )
    target = page(back_to)
    if request.headers.get("HX-Request"):
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target, 303)


def _load_member(_request: Any) -> SignedIn | None:
    """Flask-Login's loader: the cookie's session at this tenant.

    Another brand's cookie opens nothing here.
    """
    token = "tenant" in g and session_token()
    return sessions.look_up(token, idle_minutes=tenant().sign_in.idle_minutes) if token else None


def _touch(who: SignedIn) -> None:
    """Keep the session alive: a short write of its own, at most once in five minutes."""
    if clock.now() - who.seen_at < sessions.TOUCH_EVERY:
        return
    afterwards(lambda: sessions.touch(who.session_id))
