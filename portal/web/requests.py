"""How a request finds its tenant and its member, before any view runs (architecture.md, "How a
request flows").

Host → tenant, else a plain 404; the tenant's scope is opened; a brand's pages exist only where its
module is on; then session → member in one query. Pages are closed unless they are marked `@public`.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, TypeVar, cast

from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    current_app,
    flash,
    g,
    redirect,
    request,
    url_for,
)
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
from portal.shared.interrupted import owner_of
from portal.web import interrupted
from portal.web.i18n import translate as _
from portal.web.session_cookies import session_token
from portal.web.uploads import UploadRequest, open_for_files
from portal.web.urls import path_with_query, sign_in_url

View = Callable[..., Any]
F = TypeVar("F", bound=View)
ViewFlag = Callable[[View], View]
"""What stands above a view: `public`, `require_feature("…")`, `require_right(…)`, `takes_files`."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_TENANTLESS = frozenset({"health.livez", "health.readyz", "home.script", "static"})


def _flag(name: str, value: object) -> Callable[[F], F]:
    def set_flag(view: F) -> F:
        setattr(view, name, value)
        return view

    return set_flag


def _flag_of(name: str) -> object:
    """The flag of this request's view, or None."""
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


def with_flags(view: F, flags: Iterable[ViewFlag]) -> F:
    """A view that is made for several addresses, with these flags."""
    for flag in flags:
        flag(view)
    return view


class FlaggedBlueprint(Blueprint):
    """A blueprint whose views all have the same flags: none can be forgotten on a new one."""

    def __init__(self, name: str, import_name: str, *flags: ViewFlag) -> None:
        super().__init__(name, import_name)
        self._flags = flags

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: View | None = None,
        provide_automatic_options: bool | None = None,
        **options: object,
    ) -> None:
        """Add a view, as every blueprint does, with the blueprint's flags on it."""
        if view_func is not None:
            view_func = with_flags(view_func, self._flags)
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


def afterwards(do: Callable[[], object]) -> None:
    """Do a short write behind the read, in a transaction of its own; loaded rows are gone then."""
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


def client() -> Client:
    """Where this request comes from."""
    return Client(request.remote_addr or "", request.user_agent.string)


def init_app(app: Flask, settings: Settings, login_manager: LoginManager) -> None:
    """Register what runs before every view, in its order."""
    app.request_class = UploadRequest
    hops = settings.proxy_hops
    if hops:
        # Exactly as many as there are: of one more, whoever sends X-Forwarded-For would choose the
        # address that limits and the audit trail go by.
        app.wsgi_app = ProxyFix(app.wsgi_app, hops, hops)  # type: ignore[method-assign]
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
    # What a page shows begins with its brand: an unknown host gets nothing of any.
    found = registry().current().for_host(request.host)
    if found is None or "\0" in request.path:  # no number holds a NUL, and PostgreSQL takes none
        raise NotFound
    g.tenant = found
    if request.endpoint and _flag_of("takes_files"):
        open_for_files(found.inquiries.most_megabytes)
    g.scope = ExitStack()
    g.scope.enter_context(tenant_scope(found.key))
    # On SQLite a write locks all others out, so a page that only shows must not begin one.
    g.scope.enter_context(transaction_mode("read" if is_reading() else "write"))


def _close_scope(_error: BaseException | None) -> None:
    scope: ExitStack | None = g.pop("scope", None)
    if scope is not None:
        scope.close()


def _gate() -> None:
    """404 for a brand's page where its module is off; 503 in maintenance."""
    if "tenant" not in g or request.endpoint is None:
        return
    here = tenant()
    if here.status == "maintenance":
        raise ServiceUnavailable
    # Not 403: a page of a module that is off is no page of this tenant.
    brands = current_app.extensions["brands"]
    if request.blueprint in brands and request.blueprint not in here.modules:
        raise NotFound
    feature = _flag_of("feature")
    if isinstance(feature, str) and not here.has(feature):
        raise NotFound


def _is_open() -> bool:
    """Whether everybody may open this address, or there is none."""
    endpoint = request.endpoint
    return endpoint is None or endpoint in _TENANTLESS or bool(_flag_of("is_public"))


def _catch_interrupted() -> BaseResponse | None:
    """Lose no form that comes when its session is over: to the sign-in page, and back to what was
    typed.

    Nothing is done.
    """
    if is_reading() or _is_open():
        return None
    if not current_user.is_authenticated:
        if _flag_of("is_asked_by_itself"):
            return Response(status=204)
        if interrupted.is_bare_press() and not _flag_of("is_script_call"):
            _flash_nothing_was_done()
        return lead(sign_in_url, owner=interrupted.page_owner())
    # The page may have been drawn before the same member signed out and in again in another tab:
    # its CSRF token is no longer valid. What another member's page sends is refused further on.
    owner = owner_of(member().member_id)
    if interrupted.page_owner() != owner or _has_csrf_token():
        return None
    flash(
        _("この画面は古くなっていました。内容をご確認のうえ、もう一度ボタンを押してください。"),
        "warn",
    )
    return lead(_straight_back, owner=owner)


def _flash_nothing_was_done() -> None:
    if request.endpoint == "auth.sign_out":  # what was wanted has come about
        return
    message = _(
        "ログインの有効期限が切れていたため、まだ処理されていません。"
        "ログイン後に、もう一度お試しください。"
    )
    flash(message, "warn")


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
        if _flag_of("is_asked_by_itself"):
            return Response(status=204)
        return lead(sign_in_url)
    if member().must_change_password and endpoint not in ("account.password", "auth.sign_out"):
        return redirect(url_for("account.password"), 303)
    right = _flag_of("right")
    if isinstance(right, Right):
        check_right(right)
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
    # A redirect would be followed by the browser before htmx sees it, and the other page would be
    # put into a part of this one.
    if request.headers.get("HX-Request"):
        return Response(status=204, headers={"HX-Redirect": target})
    return redirect(target, 303)


def _load_member(_request: Request) -> SignedIn | None:
    """Flask-Login's loader: the cookie's session at this tenant.

    Another brand's cookie opens nothing here.
    """
    if "tenant" not in g or not session_token():
        return None
    return sessions.look_up(session_token(), idle_minutes=tenant().sign_in.idle_minutes)


def _touch(who: SignedIn) -> None:
    """Keep the session alive: a short write of its own, at most once in five minutes."""
    # Once for each page would make every reader a writer, and writers wait for one another.
    if clock.now() - who.seen_at < sessions.TOUCH_EVERY:
        return

    def touch() -> None:
        sessions.touch(who.session_id)

    afterwards(touch)
