"""Answers: a whole page, the fragment of it that htmx asked for, or a file to keep."""

import re
from typing import IO, Any
from urllib.parse import quote

from flask import Response, make_response, render_template, request
from werkzeug.wsgi import FileWrapper

from portal.core.files import size_of


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
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}",
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


def _file_response(file: IO[bytes], **headers: Any) -> Response:
    """An answer that never has the whole file in memory (PEP 3333's `wsgi.file_wrapper`)."""
    size = size_of(file)
    wrap = request.environ.get("wsgi.file_wrapper", _Parts)
    response = Response(wrap(file), direct_passthrough=True, **headers)
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
