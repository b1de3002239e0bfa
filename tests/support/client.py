"""A visitor of one brand, who reads pages and sends forms as a browser would, CSRF token included."""

from __future__ import annotations

import re
import secrets
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse


class ReadingClient(FlaskClient):
    """A client that takes each answer to its end, as a browser does: an open file is closed then.

    What never ends is left as it is, and what is asked for with ``buffered=False``.
    """

    def open(self, *args: Any, buffered: bool | None = None, **kwargs: Any) -> TestResponse:
        """Ask for a page."""
        answer = super().open(*args, buffered=bool(buffered), **kwargs)
        if buffered is None and answer.mimetype != "text/event-stream":
            answer.make_sequence()
        return answer


class Visitor:
    """A person with a browser at one brand's address."""

    def __init__(self, app: Flask, tenant: str) -> None:
        self.client = app.test_client()
        self.base = f"http://{tenant}.localhost"

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, base_url=self.base, **kwargs)

    def post(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        page: str | None = None,
        **kwargs: Any,
    ) -> TestResponse:
        """Send a form with the token of this visitor's session, as every page of theirs has it (see `token`).

        A form is opened first only when `page` says which.
        """
        token = self.token(page) if page else self._fresh_token()
        answer = self.client.post(
            path, base_url=self.base, data={"csrf_token": token, **(data or {})}, **kwargs
        )
        # A large body lies in a temporary file, which the test client leaves open.
        answer.request.environ["wsgi.input"].close()
        return answer

    def token(self, page: str) -> str:
        """The CSRF token on a page."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page).text)
        assert found, f"no token on {page}"
        return unescape(found[1])

    def _fresh_token(self) -> str:
        """What the next page would say, without drawing it: most tests are about what comes after."""
        with self.client.session_transaction(base_url=self.base) as kept:
            raw = kept.setdefault("csrf_token", secrets.token_hex(20))
        return str(
            URLSafeTimedSerializer(
                self.client.application.secret_key or "", salt="wtf-csrf-token"
            ).dumps(raw)
        )

    def sign_in(self, login_id: str, password: str) -> TestResponse:
        """Sign in with login ID and password."""
        return self.post("/sign-in", {"login_id": login_id, "password": password})
