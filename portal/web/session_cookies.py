"""The cookies of whoever signs in: the session's token, and the one by which a browser is known
(security.md §4.7).
"""

from datetime import timedelta
from typing import cast

from flask import current_app, g, request
from flask import session as cookie
from werkzeug.wrappers import Response

from portal.settings import Settings
from portal.shared.auth import sessions
from portal.shared.auth.sign_in import Entry


def _settings() -> Settings:
    return cast(Settings, current_app.extensions["settings"])


def cookie_name(settings: Settings, name: str = "portal") -> str:
    """The session cookie's name, or another's; the ``__Host-`` prefix ties it to one host over
    HTTPS (security.md §4.7).
    """
    return f"__Host-{name}" if settings.scheme == "https" else name


def _set_cookie(
    response: Response, name: str, token: str, max_age: timedelta | None = None
) -> None:
    """Give the browser a token, for this host only and for no script; until it is closed where
    there is no `max_age`.
    """
    response.set_cookie(
        cookie_name(_settings(), name),
        token,
        max_age=max_age,
        path="/",
        secure=_settings().scheme == "https",
        httponly=True,
        samesite="Lax",  # not Strict: who follows a link in a mail is signed in
    )


def clear_session_cookie(response: Response) -> None:
    """Take the session's token back, with what forms were sent with and what the browser kept of
    the pages.
    """
    _renew_csrf_token()
    # A browser takes a cookie away only by the same traits with which it was given.
    response.delete_cookie(
        cookie_name(_settings()),
        path="/",
        secure=_settings().scheme == "https",
        httponly=True,
        samesite="Lax",
    )
    # Not "cookies": that reaches beyond this host, and the other brands' sessions would end too.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def _renew_csrf_token() -> None:
    """Let the next page make a CSRF token: none outlives a sign-in or a sign-out (security.md
    §4.9).
    """
    cookie.pop("csrf_token", None)
    g.pop("csrf_token", None)  # Flask-WTF's own copy for this request


def session_token() -> str:
    """The token of the session cookie, or nothing."""
    return request.cookies.get(cookie_name(_settings()), "")


def device_token() -> str:
    """The token by which this browser is known, or nothing."""
    return request.cookies.get(cookie_name(_settings(), "device"), "")


def give_session(response: Response, token: str) -> Response:
    """Give the browser the token of its session."""
    _set_cookie(response, "portal", token)
    return response


def let_in(response: Response, entry: Entry) -> Response:
    """Give the browser what signing in brought: the session, and a name for the browser when it is
    new.
    """
    _renew_csrf_token()
    give_session(response, entry.token)
    if entry.device_token:
        _set_cookie(response, "device", entry.device_token, max_age=sessions.DEVICE_LIFETIME)
    return response
