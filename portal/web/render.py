"""One way to answer with HTML: a whole page, or the fragment of it that htmx asked for."""

from typing import Any

from flask import Response, make_response, render_template, request


def wants_fragment() -> bool:
    """Whether htmx asked for a part of the page: not when it boosts a link, nor when it restores history."""
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


def render_invalid(template: str, http_status: int = 422, *, fragment: str = "", **context: Any) -> Response:
    """A form with its errors, what was typed kept (COM-23)."""
    response = make_response(render(template, fragment=fragment, **context), http_status)
    return response if fragment else whole(response)


def whole(response: Response) -> Response:
    """Tell htmx that this is a whole page: its main part replaces the present one and never lands inside a list."""
    if wants_fragment():
        response.headers["HX-Retarget"] = response.headers["HX-Reselect"] = "#main"
        response.headers["HX-Reswap"] = "outerHTML"
    return response
