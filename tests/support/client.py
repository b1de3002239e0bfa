"""A visitor of one brand, who reads pages and sends forms as a browser would, CSRF token included."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse


class Visitor:
    """A person with a browser at one brand's address."""

    def __init__(self, app: Flask, tenant: str) -> None:
        self.client = app.test_client()
        self.base = f"http://{tenant}.localhost"

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, base_url=self.base, **kwargs)

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, page: str | None = None, **kwargs: Any
    ) -> TestResponse:
        """Send a form; its token is read from `page` (the same address when None)."""
        return self.client.post(
            path, base_url=self.base, data={"csrf_token": self.token(page or path), **(data or {})}, **kwargs
        )

    def token(self, page: str) -> str:
        """The CSRF token on a page."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page).text)
        assert found, f"no token on {page}"
        return unescape(found[1])

    def sign_in(self, login_id: str, password: str) -> TestResponse:
        """Sign in with login ID and password."""
        return self.post("/sign-in", {"login_id": login_id, "password": password})
