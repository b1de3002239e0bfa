"""How dates, spans, yen and telephone numbers are written on pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from flask import Flask, g

from portal.core import clock
from portal.web.formatting import _is_at, at_time, from_to, on_date

BARE = Flask(__name__)


@pytest.fixture(params=["ja", "en"])
def lang(request: pytest.FixtureRequest) -> Iterator[str]:
    """A request in each of the two languages."""
    with BARE.test_request_context():
        g.lang = request.param
        yield request.param


WEEK = list(
    zip(range(16, 23), "月火水木金土日", "Mon Tue Wed Thu Fri Sat Sun".split(), strict=True)
)


@pytest.mark.parametrize(("day", "ja", "en"), WEEK)
def test_each_day_of_the_week_has_its_name(lang: str, day: int, ja: str, en: str) -> None:
    assert on_date(date(2026, 11, day)) == f"2026/11/{day}({ja if lang == 'ja' else en})"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (date(2027, 1, 1), "2027/01/01(金)"),
        (date(2028, 2, 29), "2028/02/29(火)"),
        (datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC), "2026/12/31(木)"),
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), "2027/01/01(金)"),
        (datetime(2026, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))), "2027/01/01(金)"),
    ],
)
def test_an_instants_date_is_the_one_in_tokyo(value: date | None, shown: str) -> None:
    """Midnight in Tokyo is 15:00 UTC: a second earlier it is still the day before."""
    with BARE.test_request_context():
        assert on_date(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (clock.local(2026, 11, 22, 13, 30), "2026/11/22(日) 13:30"),
        (clock.local(2026, 11, 22), "2026/11/22(日) 00:00"),
        (clock.local(2026, 11, 22, 23, 59) + timedelta(seconds=59), "2026/11/22(日) 23:59"),
        (clock.local(2026, 1, 2, 3, 4), "2026/01/02(金) 03:04"),
    ],
)
def test_an_instant_is_written_in_tokyos_time(value: datetime | None, shown: str) -> None:
    with BARE.test_request_context():
        assert at_time(value) == shown


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        (clock.local(2026, 11, 22, 12), "2026/11/22(日) 09:00〜12:00"),
        (clock.local(2026, 11, 22, 9), "2026/11/22(日) 09:00〜09:00"),
        (clock.local(2026, 11, 22, 23, 59), "2026/11/22(日) 09:00〜23:59"),
        (clock.local(2026, 11, 23), "2026/11/22(日) 09:00〜2026/11/23(月) 00:00"),
        (clock.local(2027, 11, 22, 9), "2026/11/22(日) 09:00〜2027/11/22(月) 09:00"),
    ],
)
def test_a_span_names_the_second_date_only_when_it_is_another(end: datetime, shown: str) -> None:
    """FAC-02: also when the two are the same day in Tokyo but not in UTC."""
    with BARE.test_request_context():
        assert from_to(clock.local(2026, 11, 22, 9), end) == shown


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        (
            "{{ 0|price }} {{ 999|price }} {{ 1000|price }} {{ -1234567|price }}",
            "¥0 ¥999 ¥1,000 −¥1,234,567",
        ),
        (
            "{{ '0312345678'|telephone }} {{ '09012345678'|telephone }}",
            "03-1234-5678 090-1234-5678",
        ),
        ("{{ '0120123456'|telephone }} {{ 'x'|telephone }}", "0120-123-456 x"),
        (
            "{{ a|until(b) }} {{ from_to(a, b) }}",
            "2026/11/22(日) 09:00〜10:00 2026/11/22(日) 09:00〜10:00",
        ),
        (
            "{{ a|at_time }} {{ a|on_date }} {{ none|on_date }}|",
            "2026/11/22(日) 09:00 2026/11/22(日) |",
        ),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_templates_write_them_the_same_way(app: Flask, template: str, shown: str) -> None:
    given = {"a": clock.local(2026, 11, 22, 9), "b": clock.local(2026, 11, 22, 10)}
    with app.test_request_context():
        assert app.jinja_env.from_string(template).render(given) == shown


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_static_files_address_carries_its_digest_and_a_missing_file_is_a_mistake(
    app: Flask,
) -> None:
    asset = app.jinja_env.globals["asset"]
    assert callable(asset)
    address = asset("icons.svg")
    assert address.startswith("/static/icons.svg?v=")
    answer = app.test_client().get(address, base_url="http://facility.localhost")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (
        200,
        "public, max-age=31536000, immutable",
    )
    answer.close()
    with pytest.raises(FileNotFoundError):
        asset("nowhere.svg")


@pytest.mark.parametrize(
    ("href", "path", "there"),
    [
        ("/", "/", True),
        ("/", "/notices", False),
        ("/notices", "/notices", True),
        ("/notices", "/notices/1", True),
        ("/notices", "/noticesboard", False),
        ("/account/profile", "/account/profile/confirm", True),
        ("/account/profile", "/account/password", False),
    ],
)
def test_a_place_is_the_present_one_on_its_own_pages_only(
    href: str, path: str, there: bool
) -> None:
    """COM-20."""
    assert _is_at(href, path) is there


@pytest.mark.parametrize(
    ("path", "current"), [(path, path) for path in ("/", "/account/profile", "/account/password")]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_navigation_marks_where_one_is(visit, path: str, current: str | None) -> None:
    """COM-20: for a screen reader too."""
    page = visit("facility", "hanako").get(path).text
    marked = [tag for tag in page.split("<a ")[1:] if 'aria-current="page"' in tag.split(">")[0]]
    assert {tag.split('href="')[1].split('"')[0] for tag in marked} == (
        {current} if current else set()
    )
