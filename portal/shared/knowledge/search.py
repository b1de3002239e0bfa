"""Finding articles in Japanese: by pairs of characters, on both databases alike (SUP-14;
docs/decisions/knowledge.md).

Texts and what is looked for are folded to one form (`portal.core.text.search_key`). A
pair narrows by its index, the rarest first; LIKE then sees to it that a word stands there as a
whole. The index also has the order, so that common words stop early.
"""

import re
from collections.abc import Generator, Iterable
from contextlib import closing
from functools import cache, lru_cache
from itertools import islice, pairwise
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
)

from portal.core import delete_where, execute_core, require_key, session, text
from portal.core.markdown import to_text
from portal.shared.knowledge.models import Article, Posting

SHOWN = 20
Snippet = tuple[str, str, str]
"""What comes before, the word as it is written there, what follows."""
_LONGEST = 100
_MOST_COUNTED = 12
_MOST_ASKED = 6
_COMMON = 1000
_AT_ONCE = 100
_A = Article.__table__
_P = Posting.__table__
# What is folded as a whole: (株) and (有), which are one word; or a kana with its voicing mark,
# which may be a character of its own.
_CLUSTER = re.compile("[(（][株有][)）]|[^\uff9e\uff9f\u3099\u309a][\uff9e\uff9f\u3099\u309a]*")


def readable(products: Iterable[str]) -> ColumnElement[bool]:
    """What who has these products may read.

    The one condition of everything that members see of articles.
    """
    own = (_A.c.products.contains(f",{key},", autoescape=True) for key in products)
    return and_(_A.c.withdrawn_at.is_(None), or_(_A.c.products == "", *own))


@lru_cache(maxsize=20_000)
def _folded(cluster: str) -> str:
    if cluster == "\n":
        return cluster
    return text.search_key(cluster).replace("・", "")


def fold(written: str) -> str:
    """The form in which texts are compared; only the ends of blocks are left of what is blank."""
    return "".join(map(_folded, _CLUSTER.findall(written)))


def words(asked: str) -> list[str]:
    """What must all be found.

    A long vowel at a word's end may be left out: サーバー finds サーバ.
    """
    folded = (fold(word) for word in asked[:_LONGEST].split())
    return list(dict.fromkeys(text.without_last_long_vowel(word) for word in folded if word))


def pairs(key: str) -> dict[int, None]:
    """Its pairs of characters, each as a number, in order."""
    # A code point has 21 bits: two of them are one number, which an index holds in eight bytes.
    return dict.fromkeys(ord(a) << 21 | ord(b) for a, b in pairwise(key) if "\n" not in (a, b))


def _moment(article: Article) -> int:
    return round(article.updated_at.timestamp() * 1_000_000)


def forget(article: Article) -> None:
    """Take an article out, before it is changed."""
    known = list(pairs(article.text_key))
    own = (Posting.moment == _moment(article), Posting.article_id == article.id)
    for at in range(0, len(known), _AT_ONCE):
        delete_where(Posting, Posting.gram.in_(known[at : at + _AT_ONCE]), *own)


def index(article: Article) -> None:
    """Put an article in as it stands now, behind a `forget`. The caller commits."""
    article.title_key = fold(article.title)
    article.plain = to_text(article.body)
    article.text_key = f"{article.title_key}\n{fold(article.plain)}"
    session().flush()
    row = {"article_id": article.id, "moment": _moment(article)}
    titles = pairs(article.title_key)
    rows = [{"gram": gram, "in_title": gram in titles, **row} for gram in pairs(article.text_key)]
    if rows:
        session().execute(insert(Posting), rows)


FoundRow = Row[Any]
"""`number`, `title`, `updated_at` and `plain` of an article."""


def find(asked: str, products: Iterable[str]) -> tuple[list[tuple[FoundRow, Snippet]], bool]:
    """The first articles with all words, by title before by text, the newest first.

    Returns also whether there are more.
    """
    keys = words(asked)
    rows: list[FoundRow] = []
    distinct = dict.fromkeys(gram for key in keys for gram in pairs(key))
    grams = _rarest(list(distinct)[:_MOST_COUNTED])
    if keys and grams is not None:
        for by_title in (True, False):
            with closing(_matching(keys, grams, readable(products), by_title=by_title)) as found:
                rows += islice(found, SHOWN + 1 - len(rows))
    return [(row, snippet(row.plain, keys)) for row in rows[:SHOWN]], len(rows) > SHOWN


def _rarest(grams: list[int]) -> list[int] | None:
    """The few that narrow most, the rarest first; None when one of them stands nowhere."""
    if not grams:
        return []
    counts = dict(zip(grams, execute_core(_counting(len(grams)), _bound(grams)).one(), strict=True))
    if 0 in counts.values():
        return None
    return sorted(grams, key=counts.__getitem__)[:_MOST_ASKED]


def _bound(grams: list[int]) -> dict[str, object]:
    """The values of the parameters that `_holds` has, and of the tenant."""
    bound: dict[str, object] = {f"gram{place}": gram for place, gram in enumerate(grams)}
    bound["tenant"] = require_key()
    return bound


@cache
def _counting(grams: int) -> Select[*tuple[int, ...]]:
    """How often each of so many pairs stands somewhere, as far as it matters."""
    postings = [
        select(_P.c.id).where(_holds(_P, place)).limit(_COMMON).subquery() for place in range(grams)
    ]
    return select(*(select(func.count()).select_from(some).scalar_subquery() for some in postings))


def _holds(posting: FromClause, place: int) -> ColumnElement[bool]:
    """A posting of the pair that is bound at this place."""
    return and_(
        posting.c.tenant_id == bindparam("tenant"), posting.c.gram == bindparam(f"gram{place}")
    )


@cache
def _candidates(grams: int, by_title: bool) -> Select[int]:
    """Where all of so many pairs stand, the newest first.

    Asked of their index alone, and read as it is needed.
    """
    first, *others = [_P.alias(f"p{place}") for place in range(grams)]
    of = [_holds(first, 0)]
    for place, other in enumerate(others, 1):
        same = other.c.moment == first.c.moment, other.c.article_id == first.c.article_id
        of.append(exists().where(_holds(other, place), *same, *_titled(other, by_title)))
    newest = select(first.c.article_id).where(*of, *_titled(first, by_title))
    newest = newest.order_by(first.c.moment.desc(), first.c.article_id.desc())
    return newest.execution_options(yield_per=_AT_ONCE)


def _titled(posting: FromClause, by_title: bool) -> list[ColumnElement[bool]]:
    if not by_title:
        return []
    return [posting.c.in_title.is_(True)]


def _matching(
    keys: list[str], grams: list[int], may_read: ColumnElement[bool], *, by_title: bool
) -> Generator[FoundRow, None, None]:
    """What has all of `keys` in its title; or in its text, but not in its title.

    Looked at some at a time.
    """
    in_title = and_(*(_A.c.title_key.contains(key, autoescape=True) for key in keys))
    matching = (
        select(_A.c.number, _A.c.title, _A.c.updated_at, _A.c.plain)
        .where(_A.c.tenant_id == require_key(), may_read)
        .order_by(_A.c.updated_at.desc(), _A.c.id.desc())
        .limit(SHOWN + 1)
    )
    if by_title:
        matching = matching.where(in_title)
    else:
        # A word of two characters stands wherever its pair does: LIKE need not look for it.
        sure = set(grams)
        unsure = [key for key in keys if len(key) != 2 or not sure & {*pairs(key)}]
        in_text = [_A.c.text_key.contains(key, autoescape=True) for key in unsure]
        matching = matching.where(not_(in_title), *in_text)
    if not grams:  # single characters alone
        yield from execute_core(matching)
        return
    # Few at first, then more: a common word has its twenty soon, and the others are never read.
    size = _AT_ONCE
    with execute_core(_candidates(len(grams), by_title), _bound(grams)).scalars() as found:
        while some := found.fetchmany(size):
            yield from execute_core(matching.where(_A.c.id.in_(some)))
            size = min(size * 4, _COMMON)


def snippet(plain: str, keys: Iterable[str]) -> Snippet:
    """The first place in a text where a word stands; its beginning where none does."""
    clusters = _CLUSTER.findall(plain)
    key = fold(plain)
    spread = [at for at, cluster in enumerate(clusters) for _ in _folded(cluster)]
    # Found in the folded text, shown from the written one: `spread` leads from each folded
    # character back to the cluster that it came of.
    places = ((at, at + len(word) - 1) for word in keys if (at := key.find(word)) >= 0)
    first, last = min(((spread[begin], spread[end] + 1) for begin, end in places), default=(0, 0))
    begin = max(first - 30, 0)
    end = last + 70
    before = "".join(clusters[begin:first])
    after = "".join(clusters[last:end])
    if begin > 0:
        before = f"…{before}"
    if end < len(clusters):
        after = f"{after}…"
    return before, "".join(clusters[first:last]), after
