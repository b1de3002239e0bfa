"""Finding articles in Japanese: by pairs of characters, on both databases alike (SUP-14; docs/decisions/knowledge.md).

Texts and what is looked for are folded to one form (width, case, kana). A pair narrows by its index, the rarest first;
LIKE then sees to it that a word stands there as a whole. The index also has the order, so that common words stop early.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, insert, not_, or_, select
from sqlalchemy.orm import aliased

from portal.core import text
from portal.core.db import discard, session
from portal.core.markdown import to_text
from portal.shared.knowledge.models import Article, Posting

SHOWN = 20
Snippet = tuple[str, str, str]
"""What comes before, the word as it is written there, what follows."""
_LONGEST, _MOST_COUNTED, _MOST_ASKED, _COMMON, _AT_ONCE = 100, 12, 4, 1000, 500
_A = Article.__table__
_CLUSTER = re.compile("[^\uff9e\uff9f\u3099\u309a][\uff9e\uff9f\u3099\u309a]*")  # a kana with its voicing mark


def readable(products: Iterable[str]) -> ColumnElement[bool]:
    """What who has these products may read: the one condition of everything that members see of articles."""
    own = (_A.c.products.contains(f",{key},", autoescape=True) for key in products)
    return and_(_A.c.withdrawn_at.is_(None), or_(_A.c.products == "", *own))


@lru_cache(maxsize=20_000)
def _folded(cluster: str) -> str:
    return "\n" if cluster == "\n" else text.search_key(cluster).replace("・", "")


def fold(written: str) -> str:
    """The form in which texts are compared; only the ends of blocks are left of what is blank."""
    return "".join(map(_folded, _CLUSTER.findall(written)))


def words(asked: str) -> list[str]:
    """What must all be found. A long vowel at a word's end may be left out: サーバー finds サーバ."""
    folded = (fold(word) for word in asked[:_LONGEST].split())
    return list(dict.fromkeys(re.sub("(?<=..)ー+$", "", word) for word in folded if word))


def _grams(key: str) -> dict[int, None]:
    """Its pairs of characters, each as a number, in order."""
    return dict.fromkeys(ord(a) << 21 | ord(b) for a, b in pairwise(key) if "\n" not in (a, b))


def _moment(article: Article) -> int:
    return int(article.updated_at.timestamp())


def forget(article: Article) -> None:
    """Take an article out, before it is changed."""
    known, own = list(_grams(article.text_key)), (Posting.moment == _moment(article), Posting.article_id == article.id)
    for at in range(0, len(known), _AT_ONCE):
        discard(Posting, Posting.gram.in_(known[at : at + _AT_ONCE]), *own)


def index(article: Article) -> None:
    """Put an article in as it stands now, behind a `forget`. The caller commits."""
    article.title_key = fold(article.title)
    article.text_key = f"{article.title_key}\n{fold(to_text(article.body))}"
    session().flush()
    row, titles = {"article_id": article.id, "moment": _moment(article)}, _grams(article.title_key)
    rows = [{"gram": gram, "in_title": gram in titles, **row} for gram in _grams(article.text_key)]
    session().execute(insert(Posting), rows)


def find(asked: str, products: Sequence[str]) -> tuple[list[tuple[Any, Snippet]], bool]:
    """The first articles with all words, by title before by text, the newest first; and whether there are more."""
    keys = words(asked)
    grams = _rarest(list(dict.fromkeys(gram for key in keys for gram in _grams(key)))[:_MOST_COUNTED])
    rows: list[Any] = []
    if keys and grams is not None:
        for by_title in (True, False):
            if len(rows) <= SHOWN:
                matching = _matching(keys, grams, by_title=by_title).where(readable(products))
                rows += session().execute(matching.limit(SHOWN + 1 - len(rows)))
    return [(row, snippet(to_text(row.body), keys)) for row in rows[:SHOWN]], len(rows) > SHOWN


def _rarest(grams: list[int]) -> list[int] | None:
    """The few that narrow most, the rarest first; None when one of them stands nowhere."""
    counted = [
        select(func.count(some.c.article_id)).scalar_subquery()
        for some in (select(Posting.article_id).where(Posting.gram == g).limit(_COMMON).subquery() for g in grams)
    ]
    counts = dict(zip(grams, session().execute(select(*counted)).one(), strict=True)) if grams else {}
    return None if 0 in counts.values() else sorted(grams, key=counts.__getitem__)[:_MOST_ASKED]


def _matching(keys: list[str], grams: list[int], *, by_title: bool) -> Any:
    """SELECT of what has all of `keys` in its title; or in its text, but not in its title."""
    in_title = [_A.c.title_key.contains(key, autoescape=True) for key in keys]
    sure = set(grams)  # a word of two characters stands wherever its pair does
    in_text = [_A.c.text_key.contains(k, autoescape=True) for k in keys if len(k) != 2 or not sure & {*_grams(k)}]
    statement = select(Article.number, Article.title, Article.updated_at, Article.body)
    statement = statement.where(*in_title) if by_title else statement.where(not_(and_(*in_title)), *in_text)
    if not grams:  # single characters alone
        return statement.order_by(Article.updated_at.desc(), Article.id.desc())
    first, *others = [aliased(Posting) for _ in grams]
    of: list[ColumnElement[bool]] = [first.in_title.is_(True)] if by_title else []
    for other, gram in zip(others, grams[1:], strict=True):
        same = other.gram == gram, other.moment == first.moment, other.article_id == first.article_id
        of.append(exists().where(*same, *([other.in_title.is_(True)] if by_title else [])))
    found = statement.join_from(Article, first, first.article_id == Article.id).where(first.gram == grams[0], *of)
    return found.order_by(first.moment.desc(), first.article_id.desc())


def snippet(plain: str, keys: Iterable[str]) -> Snippet:
    """The first place in a text where a word stands; its beginning where none does."""
    clusters, key = _CLUSTER.findall(plain), fold(plain)
    spread = [at for at, cluster in enumerate(clusters) for _ in _folded(cluster)]
    places = ((at, at + len(word) - 1) for word in keys if (at := key.find(word)) >= 0)
    first, last = min(((spread[begin], spread[end] + 1) for begin, end in places), default=(0, 0))
    begin, end = max(first - 30, 0), last + 70
    before, after = "".join(clusters[begin:first]), "".join(clusters[last:end])
    return ("…" if begin else "") + before, "".join(clusters[first:last]), after + ("…" if clusters[end:] else "")
