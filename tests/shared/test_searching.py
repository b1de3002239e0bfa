"""Searches of lists: what was left blank asks for nothing, each way to ask is built once (COM-21)."""

from __future__ import annotations

from datetime import date

import pytest

from portal.blueprints.facility.models import Reservation
from portal.core import clock
from portal.core.db import execute_core, get_or_404
from portal.core.errors import NotFound
from portal.shared.accounts.models import Account
from portal.shared.orders.workflow import set_once
from portal.shared.searching import Search, keywords, own, part, same, since, until

_R = Reservation.__table__
SEARCH = Search(
    own(_R, ("id", "number")),
    {
        "number": part(_R.c.number),
        "facility": same(_R.c.facility_name),
        "since": since(_R.c.starts_at),
        "until": until(_R.c.starts_at),
        "words": keywords(_R.c.number, _R.c.facility_name),
    },
)


@pytest.fixture
def account(inside, cast):
    """The account that has the cast's reservations."""
    with inside("facility"):
        yield get_or_404(Reservation, Reservation.number == cast.requested, absent="").account_id


def test_a_way_to_ask_is_built_once_and_blanks_ask_for_nothing_COM_21(account):
    first = SEARCH.find(
        {"number": "1", "facility": "", "since": None, "what": "x"}, account=account
    )
    again = SEARCH.find({"number": "2"}, account=account)
    assert first.statement is again.statement
    assert (first.values["number"], again.values["number"]) == ("%1%", "%2%")
    assert again.values["tenant"] == "facility"
    assert SEARCH.find({}, account=account).statement is not again.statement


@pytest.mark.parametrize("typed", ["%", "_", "\\", "FR%"])
def test_what_like_knows_is_looked_for_as_it_stands(account, typed):
    """COM-21: nobody searches by patterns."""
    query = SEARCH.find({"number": typed}, account=account)
    assert execute_core(query.statement, query.values).all() == []


def test_both_days_count(account, cast):
    """COM-21: dates are days in Tokyo."""
    found = get_or_404(Reservation, Reservation.number == cast.requested, absent="")
    day = clock.to_local(found.starts_at).date()
    query = SEARCH.find({"since": day, "until": day}, account=account)
    assert cast.requested in {row.number for row in execute_core(query.statement, query.values)}
    never = SEARCH.find({"until": date(2000, 1, 1)}, account=account)
    assert execute_core(never.statement, never.values).all() == []


def test_what_is_not_there_is_said(account):
    """COM-02."""
    with pytest.raises(NotFound, match="会員が見つかりません: C9"):
        get_or_404(
            Account, Account.number == "C9", absent="会員が見つかりません: %(number)s", number="C9"
        )


def test_an_instant_is_set_once(account, cast):
    """FAC-10: of two who note the same, one is told that it was first."""
    found = get_or_404(Reservation, Reservation.number == cast.requested, absent="")
    assert set_once(found, "reminded_at")
    assert not set_once(found, "reminded_at")


def test_all_words_must_be_found_whatever_blank_is_between_them(account, cast):
    """COM-21: each in any of the columns, in capitals or not, twice the same once; built once for so many words."""
    found = get_or_404(Reservation, Reservation.number == cast.requested, absent="")
    place = found.facility_name
    query = SEARCH.find({"words": f"{cast.requested.lower()}　{place} {place}"}, account=account)
    rows = execute_core(query.statement, query.values).all()
    assert [row.number for row in rows] == [cast.requested]
    assert SEARCH.find({"words": "a b"}, account=account).statement is query.statement
    none = SEARCH.find({"words": f"{cast.requested} nowhere"}, account=account)
    assert execute_core(none.statement, none.values).all() == []
    everything = SEARCH.find({"words": " 　"}, account=account)
    assert everything.statement is SEARCH.find({}, account=account).statement
