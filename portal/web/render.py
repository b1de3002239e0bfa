"""Answers: a whole page, the fragment of it that htmx asked for, or a file to keep."""

import re
from typing import Any
from urllib.parse import quote

from flask import Response, make_response, render_template, request


def wants_fragment() -> bool:
    """Whether htmx asked for a part of the page: not when it boosts a link, nor when it restores
    history.
    """
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Request-Type", "partial") == "partial"
        and not headers.get("HX-Boosted")
        and not headers.get("HX-History-Restore-Request")
    )


def render(template: str, *, fragment: str = "", **context: Any) -> str:
    """The page `template`, or only its part `fragment`, which the page includes as the same file."""
    if fragment and wants_fragment():
        return render_template(fragment, **context)
    return render_template(template, **context)


def render_invalid(
    template: str, http_status: int = 422, *, fragment: str = "", **context: Any
) -> Response:
    """A form with its errors, what was typed kept (COM-23)."""
    response = make_response(render(template, fragment=fragment, **context), http_status)
    return response if fragment else whole(response)


def whole(response: Response) -> Response:
    """Tell htmx that this is a whole page: its main part replaces the present one and never lands
    inside a list.
    """
    if wants_fragment():
        response.headers["HX-Retarget"] = response.headers["HX-Reselect"] = "#main"
        response.headers["HX-Reswap"] = "outerHTML"
    return response


def pdf_response(data: bytes, filename: str, digest: str) -> Response:
    """A PDF to keep."""
    return attachment(data, filename, "application/pdf", digest)


def attachment(data: bytes, filename: str, media_type: str, digest: str) -> Response:
    """A file to keep: always the same bytes, so the digest is its ETag; the name survives in
    Japanese (RFC 6266).

    Nothing in it runs, whatever it is (security.md §4.22), and no cache keeps it: a desk may be
    shared.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    response = Response(data, mimetype=media_type, headers=headers)
    response.set_etag(digest)
    return response.make_conditional(request)  # type: ignore[return-value]
