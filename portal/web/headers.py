"""Security headers on every answer, and what may be cached (security.md §4.18–20)."""

from flask import Flask, Response, g, request

from portal.settings import Settings

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), "
    "payment=(), serial=(), usb=()",
}
_HTTPS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def init_app(app: Flask, settings: Settings) -> None:
    """Add the headers to every answer of the application."""
    usual = dict(_HEADERS)
    if settings.scheme == "https":
        usual |= _HTTPS

    @app.after_request
    def _add_headers(response: Response) -> Response:
        headers = response.headers
        # An address with a token opens something by itself: no other page may be told it.
        if "token" in (request.view_args or {}):
            headers["Referrer-Policy"] = "no-referrer"
        for name, value in usual.items():
            headers.setdefault(name, value)
        headers.setdefault("X-Request-Id", g.get("request_id", ""))
        if request.endpoint != "static":
            headers.setdefault("Cache-Control", "no-store")
            # The page and its fragment have one address.
            response.vary.add("HX-Request")
        elif request.args:  # the digest of its content: another content has another address
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            headers["Cache-Control"] = "no-cache"
        return response
