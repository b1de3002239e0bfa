"""COM-21: every search finds a word however it is spelled, in the list and in what was typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from portal.blueprints.facility import queries as facility
from portal.blueprints.facility.models import Reservation
from portal.blueprints.support import queries as support
from portal.core import audit, clock
from portal.core.actor import SYSTEM, Actor
from portal.core.db import session
from portal.core.folding import Folded
from portal.core.text import ALIKE, ALIKE_WORDS, folded
from portal.shared.accounts.models import Account, Member
from portal.shared.documents import operations as documents
from portal.shared.documents.models import Document
from portal.shared.inquiries import queries as inquiries
from portal.shared.inquiries.operations import Asked, Writer, ask
from portal.shared.members import history
from portal.shared.notices import operations as notices
from portal.shared.searching import Keywords, Search, folded_pattern
from tests.cast import NOW
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
SPELLINGS = [
    ("(株)見本", "株式会社見本", "㈱見本", "（株）見本"),
    ("(有)見本", "有限会社見本", "㈲見本", "（有）見本"),
    ("デザイン", "ﾃﾞｻﾞｲﾝ", "でざいん"),
    ("高崎", "髙﨑", "高﨑", "髙崎"),
    ("渡辺", "渡邊", "渡邉"),
    ("斎藤", "齋藤", "齊藤", "斉藤"),
    ("浜田", "濵田", "濱田"),
    ("徳島", "德島", "德嶋"),
    ("レーザー", "れーざー", "ﾚｰｻﾞｰ", "レーザ", "れーざ"),
    ("第12号", "第１２号"),
    ("A-1", "Ａ－１", "a‐1"),
]
PAIRS = [(one, other) for group in SPELLINGS for one in group for other in group if one != other]
SEARCHES: dict[str, Search] = {
    "reservations": facility._MINE,
    "contracts": support._LISTED,
    "inquiries": inquiries._MINE,
    "notices": notices._search(0),
    "history": history._MINE,
    "documents": documents._MINE,
}


@pytest.mark.parametrize(("written", "asked"), PAIRS)
def test_a_column_holds_each_spelling_of_a_word(inside: Any, written: str, asked: str) -> None:
    """COM-21: on both databases, whichever of two spellings is stored and which is typed."""
    with inside("facility"):
        column = Folded(literal(f"前{written}後"))
        # A long vowel in the middle of a word is a part of it.
        if written.endswith("ザ"):
            column = Folded(literal(written))
        found = select(column.like(folded_pattern(asked), escape="\\"))
        assert session().scalar(found), (written, asked)


def test_both_databases_fold_all_variants_as_python_does(inside: Any) -> None:
    """COM-21: one list serves Python and SQL."""
    everything = "".join(ALIKE) + "".join(ALIKE_WORDS) + "㈱㈲①ﾃﾞＡ"
    with inside("facility"):
        assert session().scalar(select(Folded(literal(everything)))) == folded(everything)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=lambda d: d.name)
def test_what_people_type_is_compared_folded_in_every_list(name: str, dialect: Any) -> None:
    """COM-21: whatever a list has for words compares the column as `Folded` makes it."""
    for key, criterion in SEARCHES[name]._criteria.items():
        if isinstance(criterion, Keywords):
            search = Search(SEARCHES[name]._listed, {key: criterion})
            statement = search._listed.where(criterion.holds(literal("x")))
            sql = str(statement.compile(dialect=dialect))
            # Each LIKE has its folded column.
            likes = sql.count(" LIKE ")
            folds = sql.count("portal_folded(") if dialect.name == "sqlite" else sql.count("NFKC")
            assert folds == likes > 0, (name, key, sql)


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/notices", "text"),
        ("/inquiries", "text"),
        ("/facility/reservations", "facility"),
        ("/account/history", "person"),
    ],
)
@pytest.mark.parametrize(("written", "asked"), [(group[-1], group[0]) for group in SPELLINGS])
def test_a_page_finds_what_is_spelled_otherwise(
    app: Flask, visit: Visit, inside: Any, path: str, parameter: str, written: str, asked: str
) -> None:
    """COM-21: notices, inquiries, reservations and 変更履歴."""
    with inside("facility"), clock.freeze(NOW):
        hanako = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        notices.publish(f"【印】{written}", "本文", by=SYSTEM)
        session().execute(update(Reservation).values(facility_name=f"【印】{written}"))
        asked_for = Asked("other", f"【印】{written}")
        tenant = app.extensions["tenants"].current().by_key["facility"]
        writer = Writer(hanako.name, hanako.email, hanako.account_id, hanako.id)
        ask(tenant, writer, asked_for, by=SYSTEM)
        audit.record("member.sign_in", hanako, by=Actor("member", f"【印】{written}"))
        session().commit()
    visitor = visit("facility", "hanako")
    assert f"【印】{written}" in visitor.get(path, query_string={parameter: asked}).text
    assert f"【印】{written}" not in visitor.get(path, query_string={parameter: "無い語"}).text


def test_operators_find_customers_members_and_documents_in_each_spelling(
    run: Any, inside: Any
) -> None:
    """COM-21, COM-74, OPS-13"""
    with inside("facility"):
        account = session().scalars(select(Account).order_by(Account.id)).first()
        assert account is not None
        account.name = "㈱髙﨑ﾃﾞｻﾞｲﾝ"
        account.name_kana = "タカサキデザイン"
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member.family_name = "髙﨑"
        member.family_kana = "タカサキ"
        session().execute(update(Document).values(counterparty="㈱髙﨑ﾃﾞｻﾞｲﾝ"))
        session().commit()
        number = account.number
    asked = ("株式会社高崎", "(株) 高崎", "でざいん", "たかさき", number.lower())
    for words in asked:
        assert number in _column(run, "accounts", "find", words, key="number"), words
    for words in ("高崎", "高﨑 花子", "たかさき"):
        assert "hanako" in _column(run, "members", "find", words, key="login id"), words


def _column(run: Any, *args: str, key: str) -> list[str]:
    found = run.invoke(args=[*args, "--json", "--tenant", "facility"])
    assert found.exit_code == 0, found.output
    return [row[key] for row in json.loads(found.stdout)]


def test_no_list_is_forgotten_here(app: Flask) -> None:
    """COM-21: whatever module has a search, its words are compared as above."""
    found = {
        name
        for name, module in sys.modules.items()
        if name.startswith("portal.")
        for value in vars(module).values()
        if isinstance(value, Search) and value not in SEARCHES.values()
    }
    assert not found
