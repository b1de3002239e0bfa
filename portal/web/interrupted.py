"""A form that is sent when the session is over, from the request's side: what is kept, and where it
is shown again.

It works by plain addresses: the way to the sign-in page leads back to the page, whose ``kept``
names what was typed. The form there is filled in and waits for its button. `Form` asks
`typed_before`; the layouts say it.
"""

from collections.abc import Iterable
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import current_app, g, request
from flask_login import current_user
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from portal.core import session
from portal.shared import drafts, interrupted
from portal.web.urls import local_path

FIELD = "form_owner"
"""The hidden field by which a page says whose it is."""
NEVER_KEPT = frozenset(
    {
        "csrf_token",
        "draft",
        FIELD,
        "password",
        "present_password",
        "old_password",
        "again",
        "code",
        "credential",
    }
)
"""Fields that are left out: secrets, and what is made anew (tests/web/test_interrupted.py holds it
to all forms).
"""
_KEPT = "kept"
_DRAFT = "draft"


def page_token() -> str:
    """What `FIELD` holds on a page of the signed-in member; "" on everybody's pages."""
    if "tenant" not in g or not current_user.is_authenticated:
        return ""
    token: str = g.get("page_token") or interrupted.page_token(current_user.member_id)
    g.page_token = token
    return token


def page_owner() -> str | None:
    """Whose page this request's form was drawn on, as far as it says so and is believed."""
    token = request.form.get(FIELD, "")
    if not token:
        return None
    return interrupted.owner_by_token(token)


def keep(owner: str | None) -> tuple[str, bool]:
    """Keep what this request sends, for `owner`; where to go on after signing in, and whether
    something is lost.

    Commits.
    """
    page = page_of_form(request.form.get("draft", ""))
    fields = request.form.items(multi=True)
    pairs = [(name, value) for name, value in fields if name not in NEVER_KEPT]
    # Of files only that there were some: nobody has checked them, and a disk is soon full.
    had_files = any(file.filename for _name, file in request.files.items(multi=True))
    if not pairs and not had_files:
        return page, False
    path, _, query = page.partition("?")
    sent = interrupted.Sent(pairs=pairs, had_files=had_files)
    if not owner:
        session().commit()
        return page, True
    token = interrupted.keep(owner, path, sent)
    session().commit()
    if not token:  # it is too much to keep
        return page, True
    asked = {name: values for name, values in parse_qs(query).items() if name != _KEPT}
    return f"{path}?{urlencode(asked | {_KEPT: token}, doseq=True)}", False


def is_bare_press() -> bool:
    """Whether only a button was pressed: nothing was typed, and no draft waits for it."""
    return not (request.form.keys() - NEVER_KEPT) and _DRAFT not in request.form


def page_of_form(draft: str = "") -> str:
    """The page on which the form stands: its own address where that is one, else the page that sent
    it.

    A confirm page names its `draft` in the address.
    """
    if _is_page(request.path):
        query = request.args.to_dict(flat=False)
        if draft:
            query["draft"] = [draft]
        return _with_query(request.path, urlencode(query, doseq=True))
    # htmx says where it is; a browser does by Referer, for which the Referrer-Policy lets it.
    sender = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    page = _with_query(sender.path, sender.query)
    is_ours = sender.netloc == request.host and local_path(page) == page
    if is_ours and _is_page(sender.path):
        return page
    return "/"


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _is_page(path: str) -> bool:
    """Whether the address can be opened."""
    adapter = current_app.create_url_adapter(request)
    try:
        return adapter is not None and bool(adapter.match(path, method="GET"))
    except HTTPException:
        return False


def typed_before() -> MultiDict[str, str] | None:
    """What the signed-in member sent to this page before their session was over; None when there is
    no such thing.
    """
    if "typed_before" not in g:
        g.typed_before = None
        token = request.args.get(_KEPT, "")
        if request.method == "GET" and token and current_user.is_authenticated:
            g.typed_before = interrupted.recall(token, current_user.member_id, request.path)
    found: interrupted.Sent | None = g.typed_before
    if found is None:
        return None
    return MultiDict(found.pairs)


def fill_in(fields: Iterable[str]) -> MultiDict[str, str] | None:
    """What is to be filled into the form with these field names, which the page then says; None for
    nothing.
    """
    typed = typed_before()
    if typed is None or not typed.keys() & set(fields):
        return None
    g.is_filled_in = True
    return typed


def notice() -> dict[str, bool] | None:
    """What the page says of what it filled in, for the layouts; None where it filled in nothing."""
    if not g.get("is_filled_in"):
        return None
    return {"had_files": g.typed_before.had_files}


def waits() -> bool:
    """Whether the page to go on to has something that was kept: for the pages on the way there."""
    query = parse_qs(urlsplit(local_path(request.args.get("next"))).query)
    kept = query.get(_KEPT, [""])[0]
    draft = query.get(_DRAFT, [""])[0]
    return bool(kept and interrupted.is_kept(kept)) or bool(draft and drafts.is_kept(draft))
