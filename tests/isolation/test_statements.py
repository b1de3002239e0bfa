"""COM-02: what the SQL guard reads out of an SQL text. A condition holds only if no row can pass without it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.tenancy.sql_guard import StatementChecker
from portal.tenancy.statements import NotTenantScoped, StatementReader

OWNED = frozenset({"account", "reservation"})
HELD_A, HELD_R = "a.tenant_id = ?", "r.tenant_id = ?"
FROM_A = "SELECT a.name FROM account AS a"
INSERT = "INSERT INTO account (name, tenant_id) "


def _held(sql: str) -> list[tuple[int | str, ...]]:
    return StatementReader(OWNED).read(sql).held


@pytest.mark.parametrize(
    ("sql", "held"),
    [
        ("SELECT account.name FROM account WHERE account.tenant_id = ?", [(0,)]),
        ('SELECT "account".name FROM "account" WHERE "account".tenant_id = ? LIMIT ?', [(0,)]),
        ("SELECT account.name FROM account WHERE account.tenant_id = %(t_1)s::VARCHAR", [("t_1",)]),
        ("SELECT account.name FROM account WHERE account.tenant_id = %s", [(0,)]),
        (f"{FROM_A} WHERE a.name = ? AND {HELD_A}", [(1,)]),
        (f"{FROM_A} WHERE (a.name = ? OR a.name = ?) AND {HELD_A}", [(2,)]),
        (f"{FROM_A} WHERE ((a.id > ?) AND ({HELD_A}))", [(1,)]),
        (f"{FROM_A} WHERE a.id BETWEEN ? AND ? AND {HELD_A} ORDER BY a.id", [(2,)]),
        (
            f"{FROM_A} WHERE a.name LIKE '% OR ''x' ESCAPE '?' AND {HELD_A} FOR UPDATE OF account",
            [(0,)],
        ),
        (
            f"{FROM_A} WHERE a.at > %(n)s::TIMESTAMP WITH TIME ZONE AND a.tenant_id = %(t)s",
            [("t",)],
        ),
        (f"{FROM_A} WHERE a.name IS NOT DISTINCT FROM ? AND {HELD_A}", [(1,)]),
        (
            f"{FROM_A} WHERE CASE WHEN (a.id > ? OR a.id < ?) THEN 1 ELSE 0 END = 1 AND {HELD_A}",
            [(2,)],
        ),
        (f"{FROM_A} WHERE {HELD_A} AND {HELD_A}", [(0, 1)]),
        (f"{FROM_A}, reservation AS r WHERE {HELD_A} AND {HELD_R}", [(0,), (1,)]),
        (f"{FROM_A} JOIN reservation AS r ON {HELD_R} AND {HELD_A}", [(1,), (0,)]),
        (
            f"{FROM_A} LEFT OUTER JOIN reservation AS r ON r.x = a.x AND {HELD_R} WHERE {HELD_A}",
            [(1,), (0,)],
        ),
        (
            f"{FROM_A} LEFT OUTER JOIN (reservation AS r JOIN account AS b ON b.tenant_id = ?) ON {HELD_R}"
            f" WHERE {HELD_A}",
            [(2,), (1,), (0,)],
        ),
        (f"SELECT count(*) FROM ({FROM_A} WHERE {HELD_A}) AS anon_1", [(0,)]),
        (f"WITH x AS ({FROM_A} WHERE {HELD_A}) SELECT x.name FROM x", [(0,)]),
        (f"{FROM_A} WHERE {HELD_A} UNION ALL {FROM_A} WHERE {HELD_A}", [(0,), (1,)]),
        (
            f"{FROM_A} WHERE {HELD_A} AND EXISTS (SELECT 1 FROM reservation AS r WHERE {HELD_R})",
            [(0,), (1,)],
        ),
        ("UPDATE account SET name=? WHERE account.tenant_id = ? RETURNING id", [(1,)]),
        (
            "UPDATE account AS a SET name=r.x FROM reservation AS r WHERE a.tenant_id = ? AND r.tenant_id = ?",
            2,
        ),
        ("DELETE FROM account WHERE account.tenant_id = ? AND account.id = ?", [(0,)]),
        (
            "DELETE FROM account USING reservation AS r WHERE account.tenant_id = ? AND r.tenant_id = ?",
            2,
        ),
        (f"{INSERT}VALUES (?, ?)", [(1,)]),
        (f"{INSERT}VALUES (?, ?), (lower(?), ?) RETURNING id", [(1,), (3,)]),
        (f"{INSERT}VALUES (?, ?) ON CONFLICT DO NOTHING", [(1,)]),
        (
            f"{INSERT}VALUES (?, ?) ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name",
            [(1,)],
        ),
        (
            f"{INSERT}SELECT p0::VARCHAR, p1::VARCHAR FROM (VALUES (%(name__0)s, %(t__0)s, 0), "
            "(%(name__1)s, %(t__1)s, 1)) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING account.id",
            [("t__0",), ("t__1",)],
        ),
        ("SELECT system.at FROM system WHERE system.account = ?", []),
        ("SELECT system.at AS account FROM system", []),
    ],
)
def test_com_02_statements_that_are_held(sql: str, held: list[tuple[int | str, ...]] | int) -> None:
    """COM-02: SQL as SQLAlchemy writes it is read, and exactly the deciding parameters are named."""
    found = _held(sql)
    assert len(found) == held if isinstance(held, int) else found == held


@pytest.mark.parametrize(
    "sql",
    [
        FROM_A,
        f"{FROM_A} WHERE tenant_id = ?",
        f"{FROM_A} WHERE r.tenant_id = ?",
        f"{FROM_A} WHERE {HELD_A} OR 1=1",
        f"{FROM_A} WHERE ({HELD_A} AND a.id > ?) OR a.id > ?",
        f"{FROM_A} WHERE ({HELD_A} OR 1=1)",
        f"{FROM_A} WHERE 1=1 OR 1=1 AND {HELD_A}",
        f"{FROM_A} WHERE NOT {HELD_A}",
        f"{FROM_A} WHERE NOT ({HELD_A})",
        f"{FROM_A} WHERE ({HELD_A}) = 0",
        f"{FROM_A} WHERE {HELD_A} IS NULL",
        f"{FROM_A} WHERE {HELD_A} = 0",
        f"{FROM_A} WHERE {HELD_A}::VARCHAR IS NULL",
        f"{FROM_A} WHERE coalesce({HELD_A}, 1)",
        f"{FROM_A} WHERE (1 AND {HELD_A} AND 1, 2) IS NOT NULL",
        f"{FROM_A} WHERE (SELECT 1 WHERE 1 AND {HELD_A} AND 1) IS NULL",
        f"{FROM_A} WHERE (SELECT 0 AND {HELD_A} AND 0)",
        f"{FROM_A} WHERE a.id BETWEEN ? AND {HELD_A}",
        f"{FROM_A} WHERE CASE WHEN 1 AND {HELD_A} AND 1 THEN 1 ELSE 1 END",
        f"{FROM_A} WHERE a.tenant_id = a.tenant_id",
        f"{FROM_A} WHERE a.tenant_id = 'facility'",
        f"{FROM_A} WHERE a.tenant_id <> ?",
        f"{FROM_A} WHERE a.id > ? GROUP BY a.id HAVING {HELD_A}",
        f"{FROM_A} ORDER BY {HELD_A}",
        f"{FROM_A}, account AS b WHERE {HELD_A}",
        f"{FROM_A}, account AS A WHERE {HELD_A}",
        f"{FROM_A}, main.reservation AS r WHERE {HELD_A}",
        f"{FROM_A} LEFT OUTER JOIN reservation AS r ON {HELD_A} AND {HELD_R}",
        f"{FROM_A} LEFT JOIN (reservation AS r JOIN reservation AS q ON {HELD_A} AND q.tenant_id = ?) ON {HELD_R}",
        f"{FROM_A} FULL OUTER JOIN reservation AS r ON {HELD_R} WHERE {HELD_A}",
        f"SELECT 1 FROM system AS s RIGHT JOIN account AS a ON {HELD_A}",
        f"{FROM_A} WHERE {HELD_A} UNION SELECT r.x FROM reservation AS r",
        f"{FROM_A} WHERE {HELD_A} AND EXISTS (SELECT 1 FROM reservation AS r)",
        f"SELECT a.name, (SELECT max(r.x) FROM reservation AS r) FROM account AS a WHERE {HELD_A}",
        f"{FROM_A} WHERE {HELD_A} LIMIT (SELECT count(*) FROM reservation)",
        "SELECT EXISTS (SELECT 1 FROM (account JOIN reservation ON 1=1))",
        "WITH x AS (SELECT * FROM account) SELECT * FROM x",
        "WITH x AS (DELETE FROM account RETURNING id) SELECT * FROM x",
        "SELECT * FROM (TABLE account) AS x",
        "CREATE VIEW v AS SELECT * FROM account",
        "DROP TABLE account",
        "UPDATE account SET name=?",
        "UPDATE account SET tenant_id=? WHERE account.tenant_id = ?",
        "UPDATE account SET (name, tenant_id) = (?, ?) WHERE account.tenant_id = ?",
        "UPDATE account SET name=(SELECT r.x FROM reservation AS r) WHERE account.tenant_id = ?",
        "DELETE FROM account",
        "DELETE FROM account WHERE account.id = ? RETURNING account.tenant_id = ?",
        "INSERT INTO account (name) VALUES (?)",
        "INSERT INTO account DEFAULT VALUES",
        "INSERT INTO account VALUES (?, ?)",
        "INSERT INTO main.account (name) VALUES (?)",
        f"{INSERT}VALUES (?, 'studio')",
        f"{INSERT}VALUES (?, ?), (?, lower(?))",
        f"{INSERT}SELECT a.name, a.tenant_id FROM account AS a WHERE {HELD_A}",
        f"{INSERT}VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        f"{INSERT}VALUES (?, ?) ON CONFLICT ON CONSTRAINT pk_account DO UPDATE SET name = excluded.name",
        f"{INSERT}VALUES (?, ?) ON CONFLICT (tenant_id, id) DO UPDATE SET tenant_id = ?",
        "INSERT OR REPLACE INTO account (name, tenant_id) VALUES (?, ?)",
        "REPLACE INTO account (name, tenant_id) VALUES (?, ?)",
        f"{FROM_A} WHERE {HELD_A} -- AND",
        f"{FROM_A} /* WHERE */ WHERE {HELD_A}",
        f"{FROM_A} WHERE {HELD_A}; SELECT 1",
        f"{FROM_A} WHERE ({HELD_A}",
        f"{FROM_A} WHERE {HELD_A})",
        f"{FROM_A} WHERE {HELD_A} AND a.name = E'\\' OR 1=1'",
        f"{FROM_A} WHERE {HELD_A} AND a.name = $$ OR $$",
        "SELECT * FROM [account]",
        "SELECT * FROM `account`",
    ],
)
def test_com_02_statements_that_are_not_held(sql: str) -> None:
    """COM-02: a tenant that is beside the point, optional, negated, missing or unreadable is refused."""
    with pytest.raises(NotTenantScoped):
        _held(sql)


_FREE = st.sampled_from(
    ["a.id > ?", "(a.x = ? OR a.y = ?)", "a.x IS NULL", "a.id BETWEEN ? AND ?", "EXISTS (SELECT 1)"]
)


@given(st.lists(_FREE, max_size=4), st.lists(_FREE, max_size=4), st.integers(0, 3))
@settings(max_examples=50)
def test_com_02_any_conjunct_may_be_the_one_that_holds(
    before: list[str], after: list[str], depth: int
) -> None:
    """COM-02: wherever it stands among ANDs and brackets the tenant holds, and beside one OR it never does."""
    held = "(" * depth + HELD_A + ")" * depth
    condition = " AND ".join([*before, held, *after])
    assert _held(f"{FROM_A} WHERE {condition}") == [("".join(before).count("?"),)]
    with pytest.raises(NotTenantScoped):
        _held(f"{FROM_A} WHERE {condition} OR a.id > ?")
    with pytest.raises(NotTenantScoped):
        _held(f"{FROM_A} WHERE a.id > ? OR {condition}")


@given(st.text(alphabet="account()' \"?AND=,r-*;", max_size=60))
@settings(max_examples=50)
def test_com_02_nothing_makes_the_reader_stumble(rubbish: str) -> None:
    """COM-02: whatever the text, the checker answers, and never lets an unread table through as untouched."""
    sql = f"SELECT * FROM account {rubbish}"
    verdict = StatementChecker(OWNED)(sql)
    assert verdict.touches
    assert verdict.fault


@pytest.mark.parametrize(
    ("sql", "touches", "writes"),
    [
        ("SELECT 1", False, False),
        ("BEGIN IMMEDIATE", False, False),
        ("INSERT INTO system_access (reason) VALUES (?)", False, True),
        ("PRAGMA table_info(account)", False, False),
        ("PRAGMA x; DELETE FROM account", True, False),
        ("SELECT my_account FROM accounts", False, False),
        (f"{FROM_A} WHERE {HELD_A}", True, False),
        ("DELETE FROM ACCOUNT WHERE account.tenant_id = ?", True, True),
        (
            "WITH x AS (DELETE FROM account WHERE account.tenant_id = ? RETURNING id) SELECT * FROM x",
            True,
            True,
        ),
    ],
)
def test_com_02_judge_knows_what_is_touched_and_what_is_written(
    sql: str, touches: bool, writes: bool
) -> None:
    """COM-02, §4.10: only tenants' tables are looked at, and a write is seen also inside WITH."""
    verdict = StatementChecker(OWNED)(sql)
    assert (verdict.touches, verdict.writes) == (touches, writes)


def test_com_02_verdicts_are_remembered_by_text() -> None:
    """COM-02: a known text costs a look-up; the memory does not grow without end."""
    checker = StatementChecker(OWNED)
    sql = f"{FROM_A} WHERE {HELD_A}"
    assert checker(sql) is checker(sql)
    first = checker(sql)
    for number in range(5100):
        checker(f"SELECT {number}")
    assert checker(sql) is not first
    assert checker(sql) == first
