"""Answers: a whole page, the fragment of it that htmx asked for, or a file to keep."""

import re
from collections.abc import Iterator, Mapping
from typing import IO
from urllib.parse import quote

from flask import Response, make_response, render_template, request, stream_with_context
from werkzeug.wsgi import FileWrapper

from portal.core import tenant_scope, transaction_mode
from portal.core.files import size_of
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


def pdf_response(file: IO[bytes], filename: str, digest: str) -> Response:
    """A PDF to keep."""
    return attachment(file, filename, "application/pdf", digest)


def attachment(
    content: bytes | IO[bytes], filename: str, media_type: str, digest: str = ""
) -> Response:
    """A file to keep; where it always has the same bytes the digest is its ETag.

    The name survives in Japanese (RFC 6266). Nothing in it runs, whatever it is (security.md
    §4.22), and no cache keeps it: a desk may be shared. An open file is closed once it is sent.
    """
    # Old browsers read the plain name, all others the one after it.
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    encoded = f"UTF-8''{quote(filename)}"
    headers = {
        "Content-Disposition": f'attachment; filename="{plain}"; filename*={encoded}',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    if isinstance(content, bytes):
        response = Response(content, mimetype=media_type, headers=headers)
    else:
        response = _file_response(content, mimetype=media_type, headers=headers)
    if digest:
        response.set_etag(digest)
        response.make_conditional(request)
    if response.status_code == 304 or request.method == "HEAD":
        response.close()  # nothing of it is sent
    return response


def _file_response(file: IO[bytes], *, mimetype: str, headers: Mapping[str, str]) -> Response:
    """An answer that never has the whole file in memory (PEP 3333's `wsgi.file_wrapper`)."""
    size = size_of(file)
    wrap = request.environ.get("wsgi.file_wrapper", _Parts)
    response = Response(wrap(file), direct_passthrough=True, mimetype=mimetype, headers=headers)
    response.content_length = size
    return response


class _Parts(FileWrapper):
    """A file as servers send it that have no way of their own; at its end it is closed."""

    def __next__(self) -> bytes:
        try:
            return super().__next__()
        except StopIteration:
            self.close()
            raise


def streamed(parts: Iterator[bytes]) -> Iterator[bytes]:
    """`parts` made while they are sent, in a tenant's scope and a transaction of their own."""
    key = tenant().key

    def inside() -> Iterator[bytes]:
        # Flask closes the request's before it iterates.
        with tenant_scope(key), transaction_mode("read"):
            yield from parts

    return stream_with_context(inside())
