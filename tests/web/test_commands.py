"""What a command takes and refuses, whatever it does (OPS-10)."""

from __future__ import annotations

import pytest

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@SQLITE
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "--tenant KEY or PORTAL_TENANT"),
        ("--tenant nobody", "no tenant 'nobody'; there are: desk, facility, shop, studio"),
        ("--tenant facility --as-of yesterday", "an ISO date and time"),
        ("--tenant facility --operator=", "--operator"),
    ],
)
def test_a_mistake_is_told_with_exit_code_2(run, words: str, said: str) -> None:
    """OPS-10."""
    result = run.invoke(args=["facility", "list", *words.split()], env={"PORTAL_TENANT": ""})
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


@SQLITE
def test_the_brand_may_stand_in_the_environment(run) -> None:
    result = run.invoke(args=["facility", "list"], env={"PORTAL_TENANT": "studio"})
    assert result.exit_code == 0
    assert "SR000001" in result.output
    assert "FR000001" not in result.output
