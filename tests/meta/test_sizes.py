"""Small files, small functions, more tests than code: the figures of STYLE.md."""

from __future__ import annotations

import pytest

from tests.meta.counts import Size, file_sizes, function_sizes, median, p95, report, total

MOST_LINES_OF_CODE = 15_000
LEAST_TESTS_TO_CODE = 1.3


def longer_than(limit: int, sizes: list[Size]) -> list[Size]:
    return sorted((size for size in sizes if size.lines > limit), reverse=True)


def test_the_whole_stays_light() -> None:
    assert total(file_sizes("portal", "*.py")) <= MOST_LINES_OF_CODE, report()


def test_there_is_more_test_than_code() -> None:
    code, tests = total(file_sizes("portal", "*.py")), total(file_sizes("tests", "*.py"))
    assert tests / code >= LEAST_TESTS_TO_CODE, report()


@pytest.mark.parametrize(
    ("folder", "pattern", "limit"),
    [("portal", "*.py", 300), ("tests", "*.py", 600), ("portal/static/js", "*.js", 60), ("scripts", "*", 120)],
)
def test_no_file_is_too_long_to_read(folder: str, pattern: str, limit: int) -> None:
    assert not longer_than(limit, [size for size in file_sizes(folder, pattern) if ".pyc" not in size.name])


def test_no_function_is_too_long_to_see() -> None:
    assert not longer_than(40, function_sizes("portal"))


@pytest.mark.parametrize(
    ("sizes", "middle", "most"),
    [
        pytest.param(lambda: function_sizes("portal"), 8, 30, id="functions"),
        pytest.param(lambda: file_sizes("portal", "*.py"), 90, 300, id="files"),
        pytest.param(lambda: file_sizes("portal/templates", "*.html"), 30, 90, id="templates"),
    ],
)
def test_most_things_are_small(sizes, middle: int, most: int) -> None:
    measured = sizes()
    assert median(measured) <= middle, report()
    assert p95(measured) <= most, f"{report()}\n{longer_than(most, measured)}"


def test_the_counts_count() -> None:
    sizes = [Size(lines, str(lines)) for lines in range(1, 101)]
    assert (total(sizes), median(sizes), p95(sizes)) == (5050, 50.5, 96)
    assert (total([]), median([]), p95([])) == (0, 0, 0)
