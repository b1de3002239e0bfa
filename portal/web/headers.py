"""Security headers on every answer, and what may be cached (security.md §4.18–20)."""

from flask import Flask, Response, g, request

from portal.settings import Settings

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)


def init_app(app: Flask, settings: Settings) -> None:
    """Add the headers to every answer of the application."""

    @app.after_request
    def _headers(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("X-Request-Id", g.get("request_id", ""))
        if settings.scheme == "https":
            headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        if request.endpoint == "static":
            headers["Cache-Control"] = "public, max-age=31536000, immutable" if request.args else "no-cache"
        else:
            headers.setdefault("Cache-Control", "no-store")
            response.vary.add("HX-Request")
        return response
