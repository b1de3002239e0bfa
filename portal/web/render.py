"""Answers: a whole page, the fragment of it that htmx asked for, or a file to keep."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from flask import Response, make_response, render_template, request, stream_with_context

from portal.core import tenant_scope, transaction_mode
from portal.web.requests import tenant


def wants_fragment() -> bool:
    """Whether htmx asked for a part of the page: not when it boosts a link, nor when it restores
    history.
    """
    headers = request.headers
    # Going back, htmx asks for the page anew where its cache has none, and puts in what comes.
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Request-Type", "partial") == "partial"
        and not headers.get("HX-Boosted")
        and not headers.get("HX-History-Restore-Request")
    )


Context = dict[str, object]
"""What a template is given, by the names that stand in it."""


def render(template: str, *, fragment: str = "", **context: object) -> str:
    """The page `template`, or only its part `fragment`, which the page includes as a file."""
    return render_context(template, context, fragment=fragment)


def render_context(template: str, context: Context, *, fragment: str = "") -> str:
    """As `render`, for a context that was put together elsewhere."""
    if fragment and wants_fragment():
        template = fragment
    return render_template(template, **context)


def render_invalid(
    template: str, http_status: int = 422, *, fragment: str = "", **context: object
) -> Response:
    """A form with its errors, what was typed kept (COM-23)."""
    return render_invalid_context(template, context, http_status, fragment=fragment)


def render_invalid_context(
    template: str, context: Context, http_status: int = 422, *, fragment: str = ""
) -> Response:
    """As `render_invalid`, for a context that was put together elsewhere."""
    html = render_context(template, context, fragment=fragment)
    response = make_response(html, http_status)
    if fragment:
        return response
    return whole(response)


def whole(response: Response) -> Response:
    """Tell htmx that this is a whole page: its main part replaces the present one."""
    # Without these htmx would put it into the part that it asked for, inside a list e.g.
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
    # Old browsers read the plain name, all others the one after it.
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    encoded = f"UTF-8''{quote(filename)}"
    headers = {
        "Content-Disposition": f'attachment; filename="{plain}"; filename*={encoded}',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    response = Response(data, mimetype=media_type, headers=headers)
    response.set_etag(digest)
    return response.make_conditional(request)  # type: ignore[return-value]


def streamed(parts: Iterator[bytes]) -> Iterator[bytes]:
    """`parts` made while they are sent, in a tenant's scope and a transaction of their own."""
    key = tenant().key

    def inside() -> Iterator[bytes]:
        # Flask closes the request's before it iterates.
        with tenant_scope(key), transaction_mode("read"):
            yield from parts

    return stream_with_context(inside())
