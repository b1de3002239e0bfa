"""ナレッジ: search, categories, one article, what I follow (SUP-14, SUP-15)."""

from datetime import timedelta
from functools import partial
from typing import Any

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from portal.core import Actor, NotFound, jobs, require_key, session, to_html
from portal.extensions import csrf
from portal.shared.knowledge import operations, search
from portal.web import lists
from portal.web.brand import products_of
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import (
    FlaggedBlueprint,
    actor,
    client,
    member,
    public,
    registry,
    require_feature,
    tenant,
)
from portal.web.urls import local_path

bp = FlaggedBlueprint("knowledge", __name__, require_feature("knowledge"))
_NEWEST = lists.Sort("newest", "新しい順", operations.NEWEST, operations.TIE)


def _tell(payload: dict[str, Any]) -> None:
    here = registry().current().by_key[require_key()]
    products = partial(products_of, here)
    operations.notify_followers(
        here, payload["article"], is_new=payload.get("is_new", False), products=products
    )


TELL_JOB = jobs.JobKind(operations.TELL, _tell, jobs.Lease(timedelta(minutes=15)))
"""Thousands may follow what an article belongs to."""


def _mine() -> tuple[str, ...]:
    """The products of the member's account: they decide what is read, found and counted."""
    return products_of(tenant(), [member().account_id])[member().account_id]


@bp.get("/knowledge")
def index() -> str:
    """What a search finds; else categories, and the newest articles of the place that the address
    names, or of all.
    """
    asked = request.args.get("q", "")
    number = request.args.get("place", "")
    products = _mine()
    shown: dict[str, Any] = {"asked": asked}
    if search.words(asked):
        shown["hits"], shown["more"] = search.find(asked, products)
    else:
        categories = shown["categories"] = operations.overview(products)
        nearby = [(category.place, place) for category in categories for place in category.places]
        within = [one for category, one in nearby if number in ("", category.number, one.number)]
        place = shown["place"] = next((one for one in within if one.number == number), None)
        if number and place is None:
            raise NotFound("分類が見つかりません。")
        query = operations.listing(products, [one.id for one in within])
        state = {"place": number} if number else {}
        cursor = request.args.get("page", "")
        shown["page"] = lists.paginate(
            query, _NEWEST, path=url_for("knowledge.index"), state=state, cursor=cursor
        )
        shown["stance"] = operations.stance(place, member().member_id) if place else None
    return render("knowledge/index.html", fragment="knowledge/_results.html", **shown)


@bp.get("/knowledge/<number>")
def article(number: str) -> str:
    """One article."""
    found, places = operations.find(_mine(), number)
    body = to_html(found.body)
    stance = operations.stance(found, member().member_id)
    return render("knowledge/article.html", article=found, places=places, body=body, stance=stance)


@bp.post("/knowledge/<number>")
def react(number: str) -> Response:
    """役に立ったか, フォローする, フォローをやめる: of an article, a section or a category."""
    said = {
        name: request.form[name] == "yes"
        for name in ("is_helpful", "follows")
        if name in request.form
    }
    if said:
        operations.react(
            operations.find_target(_mine(), number), member().member_id, by=actor(), **said
        )
        session().commit()
        follows = (
            _("フォローしました。新しい記事や更新をメールでお知らせします。")
            if said.get("follows")
            else ""
        )
        thanks = (
            _("ご回答ありがとうございました。")
            if "is_helpful" in said
            else _("フォローをやめました。")
        )
        flash(follows or thanks, "ok")
    return redirect(local_path(request.form.get("next"), url_for("knowledge.index")), 303)


@bp.get("/knowledge/following")
def following() -> str:
    """What I follow."""
    places, articles = operations.followed(_mine(), member().member_id)
    return render("knowledge/following.html", places=places, articles=articles)


@bp.route("/knowledge/unfollow/<token>", methods=["GET", "POST"])
@csrf.exempt  # type: ignore[untyped-decorator]  # mail programs post here by themselves (RFC 8058)
@public
def unfollow(token: str) -> str:
    """What a mail's link opens: a button, and what comes of it."""
    member_id, found = operations.opened(token)
    title = found.title
    done = request.method == "POST"
    if done:
        operations.unfollow(
            member_id, found, by=Actor("guest", "one-click", address=client().address)
        )
        session().commit()
    return render("knowledge/unfollow.html", title=title, done=done)
