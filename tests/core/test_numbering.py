"""Public numbers: without gap or double, for each tenant and kind, written as the tenant writes them (COM-72)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.blueprints import BRANDS
from portal.config.module_config import put_together
from portal.config.schema_parts import NumberFormat
from portal.core import numbering
from portal.core.db import session
from portal.core.numbering import NumberSequence
from portal.shared.accounts.models import Account
from portal.tenancy.scope import TenantError
from portal.web.brand import module_configs
from tests.cast import NOW
from tests.support.raw import superuser

Inside = Callable[[str], Any]


def Style(prefix: str, digits: int) -> NumberFormat:
    """Of any form, also of such as tenants.toml refuses."""
    return NumberFormat.model_construct(prefix=prefix, digits=digits)


def take(kind: str = "order", times: int = 1, *, keep: bool = True) -> list[int]:
    values = [numbering.next_value(kind) for _ in range(times)]
    if keep:
        session().commit()
    else:
        session().rollback()
    return values


def test_numbers_count_from_one_without_a_gap(inside: Inside) -> None:
    """COM-72: in one transaction and over several, whatever session asks."""
    with inside("facility"):
        assert take(times=3) == [1, 2, 3]
        assert take() == [4]
    with inside("facility"):
        assert take(times=2) == [5, 6]


@pytest.mark.parametrize("before", [0, 2])
def test_a_rollback_gives_the_numbers_back(inside: Inside, before: int) -> None:
    """COM-72: also when the very first number of a kind was the one that came to nothing."""
    with inside("facility"):
        take(times=before)
        assert take(times=3, keep=False) == [before + 1, before + 2, before + 3]
        assert take() == [before + 1]


def test_a_rollback_to_a_savepoint_gives_back_what_was_taken_since(inside: Inside) -> None:
    """COM-72."""
    with inside("facility"):
        assert numbering.next_value("order") == 1
        with session().begin_nested() as savepoint:
            assert numbering.next_value("order") == 2
            savepoint.rollback()
        assert take() == [2]


def test_work_that_ends_without_a_commit_takes_no_number(inside: Inside) -> None:
    """COM-72: a scope that is left, by an error too, gives back."""
    with inside("facility"), pytest.raises(RuntimeError, match="came to nothing"):
        raise RuntimeError(f"{numbering.next_value('order')} came to nothing")
    with inside("facility"):
        assert take() == [1]


def test_each_kind_has_a_sequence_of_its_own(inside: Inside) -> None:
    """COM-72."""
    with inside("facility"):
        assert [numbering.next_value(kind) for kind in ("order", "quote", "order", "receipt")] == [
            1,
            1,
            2,
            1,
        ]


def test_each_tenant_has_a_sequence_of_its_own(inside: Inside) -> None:
    """COM-02: what one brand sells cannot be told from another's numbers."""
    with inside("facility"):
        take(times=7)
    with inside("studio"):
        assert take() == [1]
    with inside("facility"):
        assert take() == [8]
        rows = session().scalars(select(NumberSequence).where(NumberSequence.kind == "order")).all()
        assert [(row.tenant_id, row.value) for row in rows] == [("facility", 8)]


def test_one_kind_has_one_row(app: Flask, inside: Inside) -> None:
    """COM-72: the database refuses a second counter."""
    with inside("facility"):
        take()
    with superuser(app) as raw, pytest.raises(Exception, match=r"(?i)unique"):
        raw.execute(
            "INSERT INTO number_sequence (tenant_id, id, kind, value) VALUES ('facility', 999, 'order', 5)"
        )


def test_no_number_is_given_outside_a_tenants_scope(app: Flask) -> None:
    """COM-02."""
    with app.app_context(), pytest.raises(TenantError):
        numbering.next_value("order")


@pytest.mark.parametrize(
    ("prefix", "digits", "last", "written"),
    [
        ("INV-", 6, 41, "INV-000042"),
        ("EC", 8, 0, "EC00000001"),
        ("", 4, 0, "0001"),
        ("R", 4, 9998, "R9999"),
        ("R", 4, 9999, "R10000"),
        ("R", 10, 2**31 - 1, "R2147483648"),
    ],
)
def test_a_number_is_written_with_its_prefix_and_digits_and_never_cut(
    inside: Inside, prefix: str, digits: int, last: int, written: str
) -> None:
    """COM-72: past the digits it grows longer instead of beginning again."""
    with inside("facility"):
        session().add(NumberSequence(kind="order", value=last))
        session().flush()
        assert numbering.next_number("order", Style(prefix, digits)) == written


def test_the_brands_style_is_read_from_their_file(app: Flask, inside: Inside) -> None:
    """COM-72, OPS-01: the numbers of the cast show it, and a kind of which nothing is said has its usual prefix."""
    brands = app.extensions["tenants"].current().by_key
    for brand, reservation in (("facility", "FR000005"), ("studio", "SR000005")):
        with inside(brand):
            assert (
                numbering.next_number("reservation", brands[brand].numbers["reservation"])
                == reservation
            )
            assert numbering.next_number("quote", brands[brand].numbers["quote"]) == "Q00000001"


def test_a_changed_style_goes_on_counting(inside: Inside) -> None:
    """COM-72: a new prefix does not begin at one."""
    with inside("facility"):
        assert numbering.next_number("order", NumberFormat(prefix="EC", digits=4)) == "EC0001"
        assert numbering.next_number("order", NumberFormat(prefix="NEW-", digits=6)) == "NEW-000002"


def test_no_two_kinds_share_a_usual_prefix() -> None:
    """COM-72: a number alone says what it is the number of."""
    numbers = put_together(module_configs(BRANDS)).numbers
    assert len(set(numbers.values())) == len(numbers)
    assert all(len(kind) <= 30 for kind in numbers), "the column's length"


def test_numbers_that_stand_there_already_are_passed_over(inside: Inside) -> None:
    """OPS-12: imported ahead of the sequence, a whole block of them; what looks like a pattern is none."""
    style = Style("F_", 6)
    with inside("facility"):
        session().add_all(
            Account(number=f"F_{n:06d}", name="x", created_at=NOW) for n in (2, 3, 4, 6)
        )
        session().add(Account(number="FX000001", name="x", created_at=NOW))
        session().commit()
        made = [numbering.next_number("order", style, Account.number) for _ in range(4)]
        assert made == ["F_000001", "F_000005", "F_000007", "F_000008"]
    with inside("studio"):
        assert numbering.next_number("order", Style("F_", 6), Account.number) == "F_000001"
        assert numbering.next_number("order", Style("F_", 6), Account.number) == "F_000002"
