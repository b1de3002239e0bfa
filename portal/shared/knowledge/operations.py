"""Publishing, reading, judging and following articles (SUP-14, SUP-15)."""

import hmac
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from portal.config import NumberFormat, Tenant
from portal.core import (
    Actor,
    NotFound,
    audit,
    clock,
    gettext_noop,
    jobs,
    numbering,
    require_key,
    signer,
    text,
)
from portal.core.db import Query, get_or_404, insert_or_ignore, session, update_where
from portal.shared import mailing
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.knowledge import search
from portal.shared.knowledge.models import Article, Place, Stance

TELL = "knowledge.tell"
AT_ONCE = 100
"""How many followers are mailed in one transaction."""
_HEAD = {"key": 60, "category": 60, "section": 60, "title": 120, "products": 900}
_OPTIONAL = ("section", "products")
_A = Article.__table__
NEWEST = _A.c.updated_at
TIE = _A.c.id
_ABSENT = gettext_noop("記事が見つかりません。")
Products = Callable[[Collection[int]], Mapping[int, Collection[str]]]
"""What products each of these accounts has."""


@dataclass
class Category:
    """A category with its sections, and how many articles there are in each."""

    place: Place
    count: int = 0
    sections: list[tuple[Place, int]] = field(default_factory=list)

    @property
    def places(self) -> list[Place]:
        """Itself and its sections."""
        return [self.place, *(section for section, _count in self.sections)]


@dataclass(frozen=True, slots=True)
class Written:
    """An article as its file has it."""

    key: str
    category: str
    section: str
    title: str
    products: tuple[str, ...]
    body: str


def read(file: str) -> Written:
    """``---``, a head of ``name: value`` lines, ``---``, the text.

    Raises ValueError, saying what is wrong.
    """
    # Windows' editors put a byte order mark first and end lines with two characters.
    plain = file.removeprefix("\ufeff").replace("\r\n", "\n")
    parts = re.fullmatch(r"---\n(.*?)\n---\n(.*)", plain, re.DOTALL)
    if not parts or not (body := text.multiline(parts[2])):
        raise ValueError("write ---, a head of `name: value` lines, ---, the text")
    head = _read_head(parts[1])
    products = {key.strip() for key in head["products"].split(",")} - {""}
    return Written(
        key=head["key"],
        category=head["category"],
        section=head["section"],
        title=head["title"],
        products=tuple(sorted(products)),
        body=body,
    )


def _read_head(written: str) -> dict[str, str]:
    """The head's values by name, "" for what is left out.

    Raises ValueError for what will not do.
    """
    head = dict.fromkeys(_HEAD, "")
    for line in written.splitlines():
        if line.strip():
            name, _colon, value = line.partition(":")
            head[name.strip()] = text.normalise(value)
    for name, value in head.items():
        is_known = name in _HEAD and len(value) <= _HEAD[name]
        if not is_known or not (value or name in _OPTIONAL):
            raise ValueError(f"{name} in the head: unknown, empty, or longer than it may be")
    return head


def put(written: Written, *, by: Actor, quiet: bool = False) -> tuple[Article, str]:
    """Publish, update (a job mails followers, unless `quiet`: SUP-15), or find it "unchanged".

    The caller commits.
    """
    place = _place(written.category, written.section)
    article = _article(written.key, place.id)
    said = "published" if article.withdrawn_at or not article.title else "updated"
    # Between commas, so that the key "desk" is not found in "desktop"; "" is everybody's.
    products = f",{','.join(written.products)}," if written.products else ""
    wanted = {
        "place_id": place.id,
        "title": written.title,
        "body": written.body,
        "products": products,
    }
    if said == "updated" and wanted == {name: getattr(article, name) for name in wanted}:
        return article, "unchanged"
    # Taken out of the index first: what it holds is known by the text and the moment of before.
    search.forget(article)
    article.place_id = place.id
    article.title = written.title
    article.body = written.body
    article.products = products
    article.updated_at = clock.now()
    article.withdrawn_at = None
    search.index(article)
    if not quiet:
        article.mailed_to = 0
        jobs.enqueue(TELL, {"article": article.id, "is_new": said == "published"})
    audit.record(
        "knowledge.put",
        article,
        by=by,
        said=said,
        title=written.title,
        products=products,
        quiet=quiet,
    )
    return article, said


def _article(key: str, place_id: int) -> Article:
    """The article of that key, locked; a new one, still empty, where there is none.

    Two who come at once get one.
    """
    own = (
        select(Article)
        .where(Article.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if session().scalars(own).one_or_none() is None:
        number = numbering.next_number("knowledge", NumberFormat(prefix="KB", digits=4))
        now = clock.now()
        new = {
            "number": number,
            "key": key,
            "place_id": place_id,
            "published_at": now,
            "updated_at": now,
        }
        insert_or_ignore(Article, new, unique=("tenant_id", "key"))
    return session().scalars(own).one()


def _place(category: str, section: str) -> Place:
    # The category's own place too, where it is new: readers find the sections below it.
    own = select(Place).where(Place.category == category).order_by(Place.section)
    for name in ("", section):
        if session().scalar(own.where(Place.section == name)) is None:
            number = numbering.next_number("knowledge_place", NumberFormat(prefix="KC", digits=4))
            new = {"number": number, "category": category, "section": name}
            insert_or_ignore(Place, new, unique=("tenant_id", "category", "section"))
    return session().scalars(own.where(Place.section == section)).one()


def withdraw(number: str, *, by: Actor) -> None:
    """Show it no more. What members thought of it stays. The caller commits. Raises NotFound."""
    article = get_or_404(
        Article, Article.number == number, Article.withdrawn_at.is_(None), absent=_ABSENT
    )
    search.forget(article)
    article.withdrawn_at = clock.now()
    article.mailed_to = None
    audit.record("knowledge.withdraw", article, by=by)


def list_articles(limit: int) -> Sequence[Row[Article, Place, int, int]]:
    """For operators: articles by their numbers, with where they stand and how many readers thought
    each `helpful` or `unhelpful`.
    """
    helpful = func.count(case((Stance.is_helpful.is_(True), 1))).label("helpful")
    unhelpful = func.count(case((Stance.is_helpful.is_(False), 1))).label("unhelpful")
    counted = (
        select(Article, Place, helpful, unhelpful)
        .join(Place, Place.id == Article.place_id)
        .outerjoin(Stance, Stance.article_id == Article.id)
        .group_by(Article.id, Place.id)
        .order_by(Article.number)
        .limit(limit)
    )
    return session().execute(counted).all()


@lru_cache(maxsize=500)
def _listed(products: tuple[str, ...]) -> Select[*tuple[Any, ...]]:
    listed = select(_A.c.id, _A.c.number, _A.c.title, _A.c.updated_at).where(
        _A.c.tenant_id == bindparam("tenant")
    )
    return listed.where(
        search.readable(products), _A.c.place_id.in_(bindparam("places", expanding=True))
    )


def listing(products: tuple[str, ...], places: Collection[int]) -> Query:
    """The articles in these places that somebody with these products may read."""
    return Query(_listed(products), {"tenant": require_key(), "places": list(places)})


def overview(products: tuple[str, ...]) -> list[Category]:
    """Where there is something to read, in the order in which it came."""
    grouped = select(Article.place_id, func.count(Article.id)).where(search.readable(products))
    counts = dict(session().execute(grouped.group_by(Article.place_id)).all())
    found: dict[str, Category] = {}
    for place in session().scalars(select(Place).order_by(Place.id)):
        category = found.setdefault(place.category, Category(place))
        category.count += counts.get(place.id, 0)
        if place.section and place.id in counts:
            category.sections.append((place, counts[place.id]))
    return [category for category in found.values() if category.count]


def find(products: tuple[str, ...], number: str) -> tuple[Article, list[Place]]:
    """The article, and the category and section that it is in.

    Raises NotFound for what they may not read.
    """
    article = get_or_404(
        Article, Article.number == number, search.readable(products), absent=_ABSENT
    )
    return article, _places(article)


def _places(article: Article) -> list[Place]:
    place = session().get_one(Place, article.place_id)
    both = select(Place).where(
        Place.category == place.category, Place.section.in_(("", place.section))
    )
    return list(session().scalars(both.order_by(Place.section)))


def find_target(products: tuple[str, ...], number: str) -> Article | Place:
    """A place with something to read, or an article. Raises NotFound."""
    for category in overview(products):
        for place in category.places:
            if place.number == number:
                return place
    article, _places_of_it = find(products, number)
    return article


def stance(what: Article | Place, member_id: int) -> Stance | None:
    """What the member thinks of it, and whether they follow just that."""
    return (
        session()
        .scalars(select(Stance).where(Stance.member_id == member_id, _about(what) == what.id))
        .one_or_none()
    )


def react(what: Article | Place, member_id: int, *, by: Actor, **values: bool) -> None:
    """Note ``follows=…`` or ``is_helpful=…``: one of each a member, who may change it.

    The caller commits.
    """
    about = _about(what)
    insert_or_ignore(
        Stance,
        {"member_id": member_id, about.key: what.id},
        unique=("tenant_id", about.key, "member_id"),
    )
    update_where(Stance, Stance.member_id == member_id, about == what.id, **values)
    audit.record("knowledge.react", what, by=by, **values)


def _about(what: Article | Place) -> InstrumentedAttribute[int | None]:
    if isinstance(what, Article):
        return Stance.article_id
    return Stance.place_id


def followed(products: tuple[str, ...], member_id: int) -> tuple[list[Place], list[Article]]:
    """What the member follows and may read: places, and articles."""
    mine = Stance.member_id == member_id, Stance.follows
    own = set(session().scalars(select(Stance.place_id).where(*mine)))
    articles = select(Article).where(
        Article.id.in_(select(Stance.article_id).where(*mine)), search.readable(products)
    )
    places = [
        place for category in overview(products) for place in category.places if place.id in own
    ]
    return places, list(session().scalars(articles.order_by(Article.number)))


def token_of(member_id: int, number: str) -> str:
    """What ends, without a sign-in, a member's mails of an article.

    Made anew each time, kept nowhere.
    """
    return f"{member_id}-{number}-{signer.macs(TELL, member_id, number)[0].hex()}"


def opened(token: str) -> tuple[int, Article]:
    """Whose mail of which article brought this token. Raises NotFound for what is none."""
    claim, _dash, proof = token.rpartition("-")
    member_id, _dash, number = claim.partition("-")
    # By each of the server's keys: a mail of last week still ends its mails after a change of key.
    proofs = (mac.hex().encode() for mac in signer.macs(TELL, member_id, number))
    article = session().scalars(select(Article).where(Article.number == number)).one_or_none()
    if article is None or not any(hmac.compare_digest(known, proof.encode()) for known in proofs):
        raise NotFound("リンクが見つかりません。")
    return int(member_id), article


def unfollow(member_id: int, article: Article, *, by: Actor) -> None:
    """End all that leads to the mails of an article: following it, its section, its category.

    The caller commits.
    """
    if update_where(
        Stance, Stance.member_id == member_id, Stance.follows, _leading_to(article), follows=False
    ):
        audit.record("knowledge.unfollow", article, by=by)


def _leading_to(article: Article) -> ColumnElement[bool]:
    return or_(
        Stance.article_id == article.id,
        Stance.place_id.in_([place.id for place in _places(article)]),
    )


def notify_followers(tenant: Tenant, article_id: int, *, is_new: bool, products: Products) -> None:
    """Mail the followers who may read it, each once, some at a time.

    That it was added, or updated (SUP-15). Commits; killed at any moment, it goes on.
    """
    while True:
        article = session().get_one(Article, article_id, populate_existing=True)
        if (after := article.mailed_to) is None:
            return
        members = _followers(article, after)
        last = members[-1].id if len(members) == AT_ONCE else None
        # How far it has come moves on in the transaction of the mails: nobody is mailed twice, or
        # left out, wherever it stops.
        at_this_place = (Article.id == article_id, Article.mailed_to == after)
        if update_where(Article, *at_this_place, mailed_to=last):
            session().refresh(article)
            theirs = products({member.account_id for member in members})
            for member in members:
                if _is_for(article, theirs[member.account_id]):
                    _mail(tenant, article, member, is_new=is_new)
        session().commit()  # having done nothing where another worker was quicker


def _is_for(article: Article, products: Collection[str]) -> bool:
    """Whether who has these products may read the article."""
    return not article.products or any(f",{key}," in article.products for key in products)


def _followers(article: Article, after: int) -> Sequence[Member]:
    """The next of those who follow it, its section or its category.

    Indexes: the unique keys of knowledge_stance.
    """
    theirs = select(Stance.member_id).where(Stance.follows, _leading_to(article))
    there = Member.status == MemberStatus.ACTIVE, Account.status == AccountStatus.ACTIVE
    members = (
        select(Member)
        .join(Account, Account.id == Member.account_id)
        .where(Member.id.in_(theirs), *there)
    )
    return (
        session().scalars(members.where(Member.id > after).order_by(Member.id).limit(AT_ONCE)).all()
    )


def _mail(tenant: Tenant, article: Article, member: Member, *, is_new: bool) -> None:
    stop = tenant.url_to("knowledge.unfollow", token=token_of(member.id, article.number))
    mail = mailing.notify(
        tenant,
        "knowledge_article",
        member,
        article=article,
        is_new=is_new,
        link=tenant.url_to("knowledge.article", number=article.number),
        stop=stop,
    )
    # RFC 8058: mail programs show a button of their own, which ends the mails without a page.
    mail.headers = {
        **mail.headers,
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
