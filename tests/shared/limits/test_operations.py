"""COM-40 … COM-44: use and limit, lifted for one, frozen above it, listed, explained."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from portal.config.schema_parts import Formula
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared.accounts.models import Account
from portal.shared.limits import operations as limits
from portal.shared.limits.rules import Step
from tests.cast import NOW

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FIRST, TENANT = "C000001", ["--tenant", "facility", "--operator", "大森"]


@pytest.fixture
def tenant(app):
    """The facility brand with room for two members, where the cast's first account has two."""
    found = app.extensions["tenants"].current().by_key["facility"]
    return found.model_copy(update={"limits": found.limits | {"members": 2}})


@pytest.fixture
def account(inside):
    """The first account, inside its brand."""
    with inside("facility"):
        yield session().scalars(select(Account).order_by(Account.id)).first()


@pytest.fixture
def do(run):
    """Run `flask limits …` at the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["limits", *words, *TENANT])
        assert result.exit_code == expect, result.output
        return str(result.output)

    return command


@pytest.mark.parametrize(
    ("limit", "room"), [(3, ""), (2, "上限に達しています"), (1, "上限を超えているため")]
)
@ONE
def test_full_and_frozen_say_so(tenant, account, limit, room):
    """COM-41, COM-43: nobody is taken away; nobody is added."""
    tight = tenant.model_copy(update={"limits": tenant.limits | {"members": limit}})
    found = limits.usage_of(tight, "members", account)
    assert (found.used, found.limit, bool(found.room)) == (2, limit, not room)
    assert room in found.room.reason
    if room:
        with pytest.raises(limits.LimitReached, match=room):
            limits.reserve(tight, "members", account)


def test_one_account_is_allowed_more_until_a_day(tenant, account):
    """COM-44: with a reason, the last day included; afterwards the rules again, with what was added."""
    last = NOW.date() + timedelta(days=30)
    found = limits.override(tenant, "members", account, 5, "合宿のため", until=last, by=SYSTEM)
    session().commit()
    assert found.steps == (Step("登録上限", 2), Step("個別に承った追加", 3))
    with clock.freeze(clock.local(last.year, last.month, last.day, 23, 59)):
        assert limits.usage_of(tenant, "members", account).limit == 5
    with clock.freeze(clock.local(last.year, last.month, last.day, 23, 59) + timedelta(minutes=1)):
        assert limits.usage_of(tenant, "members", account).limit == 2
    event = session().scalars(select(AuditEvent).where(AuditEvent.action == "limit.lift")).one()
    assert (event.subject, event.account_id) == (account.subject, account.id)
    assert event.changes == {
        "limit": "members",
        "value": [2, 5],
        "reason": "合宿のため",
        "until": str(last),
    }


@ONE
def test_another_account_keeps_the_rules_number(tenant, account):
    """COM-44: and what was lifted does not lower a limit that rose meanwhile."""
    limits.override(tenant, "members", account, 5, "x", by=SYSTEM)
    other = session().scalars(select(Account).order_by(Account.id.desc())).first()
    assert other is not None
    assert limits.usage_of(tenant, "members", other).limit == 2
    assert limits.usage_of(tenant, "billing_addresses", account).limit == 20
    risen = tenant.model_copy(update={"limits": tenant.limits | {"members": 9}})
    assert limits.usage_of(risen, "members", account).limit == 9


@ONE
@pytest.mark.parametrize(
    ("value", "until", "said"),
    [(2, None, "より大きい数"), (1, None, "より大きい数"), (5, date(2026, 11, 22), "過ぎた")],
)
def test_what_is_no_lift_is_refused(tenant, account, value, until, said):
    """COM-44"""
    with pytest.raises(RuleBroken, match=said):
        limits.override(tenant, "members", account, value, "x", until=until, by=SYSTEM)


@ONE
def test_a_lift_is_taken_back(tenant, account):
    """COM-44: 0 goes back to the rules; who is above them then is frozen."""
    limits.override(tenant, "members", account, 5, "x", by=SYSTEM)
    tighter = tenant.model_copy(update={"limits": tenant.limits | {"members": 1}})
    assert list(limits.over(tighter)) == []
    assert limits.override(tighter, "members", account, 0, "終了", by=SYSTEM).limit == 1
    ((name, owner, use),) = limits.over(tighter)
    assert (name, owner.subject, use.used, use.limit) == ("members", f"account:{FIRST}", 2, 1)


@ONE
def test_an_owner_that_no_formula_fits_is_listed_by_the_plain_number(tenant, account):
    """COM-43: also where every formula begins higher than that."""
    formulas = (Formula(base=9, when={"product": "another"}),)
    tight = tenant.model_copy(
        update={"limits": tenant.limits | {"members": 1}, "formulas": {"members": formulas}}
    )
    ((name, _owner, use),) = limits.over(tight)
    assert (name, use.used, use.limit) == ("members", 2, 1)


def test_commands_explain_lift_and_list(do):
    """COM-44, OPS-13: as a table and as data; a mistake is one line."""
    explained = json.loads(do("explain", "members", FIRST, "--json"))
    assert (explained["used"], explained["limit"], explained["steps"][0]["label"]) == (
        2,
        50,
        "登録上限",
    )
    assert "2 / 50" in do("explain", "members", FIRST)
    assert (
        do("lift", "members", FIRST, "60", "--reason", "増員", "--until", "2026-12-31")
        == f"{FIRST}: 2 / 60\n"
    )
    assert "個別に承った追加" in do("explain", "members", FIRST)
    assert json.loads(do("over", "--json")) == []
    for words in (("nothing", FIRST), ("members", "C999999")):
        told = do("explain", *words, expect=2)
        assert len(told.strip().splitlines()) == 1
    assert "より大きい数" in do("lift", "members", FIRST, "50", "--reason", "x", expect=2)


@ONE
def test_what_a_changed_file_would_do_is_shown_before(run, settings, tmp_path):
    """OPS-04, COM-43: keys then and now, tenants that come and go, and whom a lowered limit would freeze."""
    text = settings.tenants_file.read_text("utf-8")
    changed = tmp_path / "next.toml"
    head = '[tenants.facility]\nname = "試験設備"\n'
    assert head in text
    changed.write_text(
        text.replace(head, '[tenants.facility]\nname = "新設備"\nlimits.members = 1\n')
        + '[tenants.fresh]\nname = "新"\n'
    )
    result = run.invoke(args=["tenants", "diff", str(changed), "--json"])
    assert result.exit_code == 0, result.output
    rows = {
        (row["tenant"], row["key"]): (row["now"], row["then"]) for row in json.loads(result.stdout)
    }
    assert rows["facility", "name"] == ("試験設備", "新設備")
    assert rows["facility", "limits.members"] == (50, 1)
    assert rows["facility", "over members"] == (f"account:{FIRST}", "2 / 1")
    assert rows["fresh", ""] == ("", "is there")
    assert not [key for key in rows if key[0] == "studio"]
    changed.write_text("broken =")
    broken = run.invoke(args=["tenants", "diff", str(changed)])
    assert (broken.exit_code, "next.toml:1" in broken.output) == (2, True)
