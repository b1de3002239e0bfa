"""The addresses that a brand's pages had before each brand's stood under its own key: mails that
were sent then, and bookmarks, still lead there (docs/decisions/addresses.md).
"""

from collections.abc import Iterable

from flask import Flask, redirect, request
from werkzeug.wrappers import Response

from portal.extensions import csrf
from portal.web.requests import public
from portal.web.urls import path_with_query


def register_moved(app: Flask, key: str, names: Iterable[str]) -> None:
    """Lead from ``/<name>`` and everything below it to the same under ``/<key>``.

    308 keeps a form that was open while the pages moved: its method and what was typed. The page
    that it leads to checks who asks, and the form's token.
    """

    @csrf.exempt  # type: ignore[untyped-decorator]
    @public
    def moved(rest: str = "") -> Response:
        del rest
        return redirect(f"/{key}{path_with_query(request)}", 308)

    for name in names:
        for rule in (f"/{name}", f"/{name}.csv", f"/{name}/<path:rest>"):
            app.add_url_rule(rule, f"{key}.moved", moved, methods=["GET", "POST"])
