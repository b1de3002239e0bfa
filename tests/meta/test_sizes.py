"""Files and functions that are too long to read lack a concept: the figures of STYLE.md."""

from __future__ import annotations

import pytest

from tests.meta.counts import Size, file_sizes, function_sizes, median, p95, total


def longer_than(limit: int, sizes: list[Size]) -> list[Size]:
    return sorted((size for size in sizes if size.lines > limit), reverse=True)


@pytest.mark.parametrize(
    ("folder", "pattern", "limit"),
    [
        ("portal", "*.py", 400),
        ("tests", "*.py", 700),
        ("portal/static/js", "*.js", 80),
        ("scripts", "*", 200),
    ],
)
def test_no_file_is_too_long_to_read(folder: str, pattern: str, limit: int) -> None:
    assert not longer_than(
        limit, [size for size in file_sizes(folder, pattern) if ".pyc" not in size.name]
    )


def test_no_function_is_too_long_to_see() -> None:
    assert not longer_than(40, function_sizes("portal"))


def test_the_counts_count() -> None:
    sizes = [Size(lines, str(lines)) for lines in range(1, 101)]
    assert (total(sizes), median(sizes), p95(sizes)) == (5050, 50.5, 96)
    assert (total([]), median([]), p95([])) == (0, 0, 0)
