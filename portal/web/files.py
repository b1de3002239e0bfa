"""Answers that are files."""

from urllib.parse import quote

from flask import Response, request


def pdf_response(data: bytes, filename: str, digest: str) -> Response:
    """A PDF to keep."""
    return attachment(data, filename, "application/pdf", digest)


def attachment(data: bytes, filename: str, media_type: str, digest: str) -> Response:
    """A file to keep: always the same bytes, so the digest is its ETag; the name survives in Japanese (RFC 6266).

    Nothing in it runs, whatever it is (security.md §4.22).
    """
    response = Response(data, mimetype=media_type)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in filename)
    response.headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename)}"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(digest)
    return response.make_conditional(request)  # type: ignore[return-value]
