"""Every delivered rule has a test that names it."""

from __future__ import annotations

import pytest

from tests.meta.rules import TABLE, delivered, known, proofs, rules_of, table


@pytest.mark.parametrize("rule", delivered())
def test_a_delivered_rule_has_a_test(rule: str) -> None:
    assert proofs().get(rule), f"no test names {rule} ({delivered()[rule]})"


def test_no_test_names_a_rule_that_does_not_exist() -> None:
    assert set(proofs()) | set(delivered()) <= known()


def test_the_table_in_the_docs_is_the_present_one() -> None:
    assert TABLE.read_text("utf-8") == table(), "run `make rules`"


def test_rules_are_found_in_docstrings_and_names() -> None:
    rule = "{}-{}".format
    source = f'''"""All: {rule("COM", "01")}."""
def test_plain(): pass
def test_com_71_rounds_once(): pass
def test_documented():
    """{rule("FAC", "04")}: first. Not {rule("FACT", "04")}."""
def helper_fac_10(): pass
'''
    assert dict(rules_of(source)) == {
        "test_plain": {rule("COM", "01")},
        "test_com_71_rounds_once": {rule("COM", "01"), rule("COM", "71")},
        "test_documented": {rule("COM", "01"), rule("FAC", "04")},
    }
