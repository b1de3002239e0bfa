"""A browser that forgets: each request is made with the cookies it came in with, whatever the answers before said."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse

from portal.web.session_cookies import cookie_name
from tests.cast import PASSWORD
from tests.security.ground import Ground
from tests.security.town import FACILITIES, STRANGER, email_of
from tests.support.client import Visitor


class Browser:
    """Somebody at a brand's address, signed in where a login ID is given."""

    def __init__(self, ground: Ground, brand: str, login_id: str | None = None) -> None:
        self.brand = brand
        self.login_id = login_id
        self.base = f"http://{brand}.localhost"
        visitor = Visitor(ground.app, brand)
        if login_id:
            _sign_in(visitor, brand, login_id)
        self.csrf_token = visitor._fresh_token()
        settings = ground.app.extensions["settings"]
        names = (
            cookie_name(settings),
            cookie_name(settings, "device"),
            ground.app.config["SESSION_COOKIE_NAME"],
        )
        found = [visitor.client.get_cookie(name, domain=f"{brand}.localhost") for name in names]
        self.cookies = {cookie.key: cookie.value for cookie in found if cookie}
        self._client = ground.app.test_client(use_cookies=False)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Open a page, and read it to its end: a stream that is left open keeps its request."""
        return self._open(path, "GET", **more)

    def post(self, path: str, fields: Any = None, **more: Any) -> TestResponse:
        """Send a form with this browser's own token."""
        data: MultiDict[str, Any] = MultiDict(fields or {})
        data["csrf_token"] = self.csrf_token
        if any(isinstance(value, FileStorage) for _name, value in data.items(multi=True)):
            return self._open(path, "POST", data=data, **more)
        pairs = list(data.items(multi=True))
        body = urlencode(pairs, errors="surrogatepass").encode()
        kind = "application/x-www-form-urlencoded"
        return self._open(path, "POST", data=body, content_type=kind, **more)

    def send(self, path: str, data: bytes, content_type: str, **more: Any) -> TestResponse:
        """Send these very bytes; the token goes as a header."""
        headers = {"X-CSRFToken": self.csrf_token, **more.pop("headers", {})}
        return self._open(
            path, "POST", data=data, content_type=content_type, headers=headers, **more
        )

    def _open(self, path: str, method: str, **more: Any) -> TestResponse:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, **more.pop("headers", {})}
        return self._client.open(
            path, method=method, base_url=self.base, headers=headers, buffered=True, **more
        )


def browser_of(ground: Ground, brand: str, login_id: str | None) -> Browser:
    """Somebody's browser, the same for all tests; that they signed in is part of the ground."""
    if (brand, login_id) not in ground.browsers:
        ground.browsers[brand, login_id] = Browser(ground, brand, login_id)
        ground.keep()
    found: Browser = ground.browsers[brand, login_id]
    return found


def _sign_in(visitor: Visitor, brand: str, login_id: str) -> None:
    """By login ID at the facilities, by e-mail address at the desks."""
    address = f"{login_id}@{'two' if login_id == STRANGER else 'one'}.example"
    email = address if brand in FACILITIES else email_of(brand, login_id)
    typed = {"login_id": login_id, "email": email, "password": PASSWORD}
    answer = visitor.post("/sign-in", typed)
    assert answer.status_code == 303, answer.text
