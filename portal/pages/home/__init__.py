"""The my page's top, the brand's look, its legal texts and the language switch."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request
from flask import session as cookie
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from portal.core import to_html
from portal.pages import inquiries
from portal.shared.notices import operations as notices
from portal.web.brand import Attention, Brand, brands_of, reader
from portal.web.bundle import bundle
from portal.web.i18n import asked_language
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import member, public, tenant
from portal.web.urls import local_path

bp = Blueprint("home", __name__)
_NEWEST_NOTICES = 3


@dataclass(frozen=True, slots=True)
class Part:
    """What one module shows of the my page: what the page begins with, and a section of its own."""

    title: str
    lead: Markup
    body: Markup


@bp.get("/")
def top() -> str:
    """<name>様のマイページ: notices and what the brand offers (COM-20, FAC-01)."""
    parts = [_part(brand) for brand in brands_of(tenant())]
    return render(
        "home/top.html",
        attention=list(_attention()),
        parts=[part for part in parts if part is not None],
        notices=notices.newest(reader(tenant(), member()), _NEWEST_NOTICES),
    )


def _part(brand: Brand) -> Part | None:
    """A module's part, drawn with its own values alone: two modules may call theirs alike."""
    if brand.home is None:
        return None
    context = brand.home(tenant(), member())
    lead = render_template(brand.home_lead, **context) if brand.home_lead else ""
    body = render_template(brand.home_template, **context)
    return Part(brand.home_title, Markup(lead), Markup(body))  # noqa: S704 - drawn by templates


def _attention() -> Iterator[Attention]:
    """What awaits the member, in shared modules and in each brand, every place once (COM-20)."""
    seen = set()
    for item in _every_attention():
        if item.count and item.link.path not in seen:
            seen.add(item.link.path)
            yield item


def _every_attention() -> Iterator[Attention]:
    if tenant().has("inquiries"):
        yield inquiries.unread_answers()
    for brand in brands_of(tenant()):
        yield from brand.attention(tenant(), member())


@bp.get("/theme.css")
@public
def theme() -> Response:
    """The style sheet with the brand's colours at its end: a file, because the CSP bars inline
    style.
    """
    return _kept(Response(bundle().style_of(tenant()), mimetype="text/css"))


@bp.get("/app.js")
@public
def script() -> Response:
    """The one script of every page."""
    return _kept(Response(bundle().script, mimetype="text/javascript"))


def _kept(response: Response) -> Response:
    """An address with a digest never changes what it answers; one without is asked again."""
    response.headers["Cache-Control"] = (
        "public, max-age=31536000, immutable" if request.args else "no-cache"
    )
    return response


@bp.get("/legal/<name>")
@public
def legal(name: str) -> str:
    """The brand's own texts (COM-04)."""
    titles = {
        "privacy": _("プライバシーポリシー"),
        "terms": _("利用規約"),
        "commerce": _("特定商取引法に基づく表記"),
        "accessibility": _("アクセシビリティ"),
    }
    if name not in titles:
        raise NotFound
    body = to_html(tenant().texts.get(name, ""))
    return render("home/legal.html", heading=titles[name], body=body)


@bp.post("/language")
@public
def language() -> BaseResponse:
    """Switch the language and go back."""
    chosen = asked_language()
    if chosen:
        cookie["language"] = chosen
    return redirect(local_path(request.form.get("next")), 303)
