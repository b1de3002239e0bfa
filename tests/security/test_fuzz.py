"""COM-23: whatever is sent to whichever address, no page breaks: 4xx with a sentence, never a 5xx.

Every rule of `app.url_map`, with the forms and queries that a member finds behind it. Each field gets by itself what
is worst for it, all others being right, so that it comes as far as it can; Hypothesis then mixes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote

import pytest
from flask import Flask, request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from portal.settings import ROOT
from tests.security import hostile
from tests.security.ground import Ground, SqliteRows
from tests.security.targets import Found, Target, found_by
from tests.security.town import REPRESENTATIVE

Ask = Callable[[], TestResponse]
Trial = tuple[str, Ask]
"""What is tried, in words, and the request."""
_IN_CODE = re.compile(r"request\.(?:args|values)(?:\.get\(|\[)\"(\w+)\"|_in_query\(\"(\w+)\"")
"""How views name what they read from a query."""


def query_names_in_code() -> set[str]:
    """Every name that some view reads from a query, as the source says it."""
    sources = (path.read_text() for path in (ROOT / "portal").rglob("*.py"))
    found = itertools.chain.from_iterable(_IN_CODE.findall(source) for source in sources)
    return {first or second for first, second in found}


def broken(ground: Ground, trials: Iterator[Trial] | list[Trial]) -> list[str]:
    """Those trials that a page broke over, and how."""
    found = []
    for what, ask in trials:
        with ground.undone():
            try:
                status = ask().status_code
            except Exception as error:  # the tests' portal raises where a customer would get a 500
                found.append(f"{what}: {type(error).__name__}: {error}"[:300])
            else:
                if status >= 500:
                    found.append(f"{what}: {status}")
    return found


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"))


def _each(targets: list[Target]) -> list[Target]:
    """One target for each view, the one with most in its form."""
    ordered = sorted(targets, key=lambda one: (one.endpoint, bool(one.draft), -len(one.data)))
    groups = itertools.groupby(ordered, key=lambda one: (one.endpoint, bool(one.draft)))
    return [next(group) for _key, group in groups]


def _field_trials(found: Found, targets: list[Target], worst: tuple[str, ...]) -> Iterator[Trial]:
    """Each field of each form by itself: the `worst` values, and in turns the others."""
    others = itertools.cycle(hostile.SHARP)
    for target in targets:
        for name in target.form.names if target.form else ():
            for value in (*worst, next(others), next(others)):
                changed = {name.removeprefix("button:"): value}
                what = f"POST {target.path} {name}={value[:30]!r}"
                yield (what, partial(target.send, found.browser, changed))
        for name in (*(target.form.files if target.form else ()), *target.data):
            file = hostile.a_file("図\0" * 90 + ".png", b"\x89PNG\r\n\x1a\n")
            what = f"POST {target.path} {name} as a file"
            yield (what, partial(target.send, found.browser, {name: file}))


def _body_trials(found: Found, targets: list[Target]) -> Iterator[Trial]:
    """To each address that takes something, in turns, what is no form."""
    bodies = itertools.cycle(hostile.BODIES)
    for target in targets:
        for body, kind in itertools.islice(bodies, 4):
            what = f"POST {target.path} {body[:20]!r} as {kind!r}"
            yield (what, partial(found.browser.send, target.path, body, kind))


def _query_trials(found: Found, targets: list[Target], worst: tuple[str, ...]) -> Iterator[Trial]:
    """To each page each name that its links and forms have, and at once every name that any view reads."""
    everywhere = sorted(query_names_in_code())
    others = itertools.cycle(hostile.SHARP)
    headers = itertools.cycle(hostile.HEADERS)
    for target in targets:
        path = target.path.partition("?")[0]
        queries = [[name] for name in sorted(found.queries.get(path, ()))]
        values = [(names, value) for names in queries for value in (*worst, next(others))]
        values += [(everywhere, value) for value in (*worst, next(others))]
        for names, value in values:
            query = "&".join(f"{name}={_quoted(value[:3_000])}" for name in names)
            what = f"GET {path} {names if len(names) == 1 else 'all'}={value[:30]!r}"
            yield what, partial(found.browser.get, f"{path}?{query}")
        head = next(headers)
        what = f"GET {target.path} with {head}"
        yield what, partial(found.browser.get, target.path, headers=head)


def _path_trials(app: Flask, found: Found, endpoints: set[str]) -> Iterator[Trial]:
    """In every place of every address, in turns, what no thing is called."""
    values = itertools.cycle(value for value in hostile.SHARP if value)
    for rule in app.url_map.iter_rules():
        if not rule.arguments or rule.endpoint not in endpoints:
            continue
        for value in itertools.islice(values, 3):
            path = re.sub(r"<any\('?([\w-]+)[^>]*>", r"\1", rule.rule)
            path = re.sub(r"<[^>]*>", _quoted(value[:3_000]), path)
            if "GET" in (rule.methods or ()):
                yield f"GET {path[:80]}", partial(found.browser.get, path)
            if "POST" in (rule.methods or ()):
                yield f"POST {path[:80]}", partial(found.browser.post, path)


WORST = ("1\0", "9" * 40, "0001-01-01", "9999-12-31", "\ud800", "x" * 70_000)
WORST_FOR_A_DATABASE = ("1\0", "9" * 40, "x" * 70_000)
"""What the other database may take otherwise; the rest ends before any."""


def _worst(ground: Ground) -> tuple[str, ...]:
    return WORST if isinstance(ground.kept, SqliteRows) else WORST_FOR_A_DATABASE


@pytest.fixture(params=["facility", "desk"])
def tried(request: pytest.FixtureRequest, ground: Ground) -> tuple[Found, list[Target]]:
    """What answers a member; of the desk what the facility has not."""
    found = found_by(ground, request.param, REPRESENTATIVE)
    if request.param == "facility":
        return found, found.targets
    known = found_by(ground, "facility", REPRESENTATIVE).endpoints
    return found, [target for target in found.targets if target.endpoint not in known]


def test_com_23_no_field_breaks_a_page(ground: Ground, tried: tuple[Found, list[Target]]) -> None:
    """COM-23: every field of every form, and bodies that are no form."""
    found, targets = tried
    posts = _each([target for target in targets if target.method == "POST"])
    trials = [*_field_trials(found, posts, _worst(ground)), *_body_trials(found, posts)]
    assert len(trials) > len(posts) * 4
    assert broken(ground, trials) == []


def test_com_23_no_address_breaks_a_page(ground: Ground, tried: tuple[Found, list[Target]]) -> None:
    """COM-21: every name in every query, every place in every path, and headers."""
    found, targets = tried
    pages = _each([target for target in targets if target.method == "GET"])
    endpoints = {target.endpoint for target in targets}
    trials = [
        *_query_trials(found, pages, _worst(ground)),
        *_path_trials(ground.app, found, endpoints),
    ]
    assert len(trials) > len(pages) * 4
    assert broken(ground, trials) == []


def test_com_23_no_mixture_breaks_a_page(ground: Ground, tried: tuple[Found, list[Target]]) -> None:
    """COM-23: any fields of any form at once, with whatever Hypothesis thinks of."""
    found, targets = tried
    posts = [target for target in targets if target.form and target.form.names]
    examples = 100 if isinstance(ground.kept, SqliteRows) else 30

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def mix(data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(posts))
        assert target.form
        names = data.draw(st.sets(st.sampled_from(target.form.names), min_size=1, max_size=3))
        changed = {
            name.removeprefix("button:"): data.draw(hostile.values) for name in sorted(names)
        }
        what = f"POST {target.path} {changed}"[:200]
        assert broken(ground, [(what, partial(target.send, found.browser, changed))]) == []

    mix()


def test_com_23_queries_that_views_read_are_known() -> None:
    """The pattern above still finds what views read: a few that certainly are among them."""
    assert {"week", "after", "draft", "next", "page", "month", "q"} <= query_names_in_code()


def test_com_23_what_breaks_is_found(ground: Ground) -> None:
    """The suite is worth something: views that break over a number, a day, a NUL and JSON are all told."""
    planted = Flask(__name__)
    planted.testing = True

    @planted.route("/number", methods=["GET", "POST"])
    def number() -> str:
        return str(int(request.values.get("n", "0")) % 2)

    @planted.get("/overflow")
    def overflow() -> tuple[str, int]:
        return "", 503

    client = planted.test_client()
    trials: list[Trial] = [
        (repr(value[:9]), partial(client.post, "/number", query_string={"n": value}))
        for value in ("1", "9" * 5_000, "1\0")
    ]
    found = broken(ground, [*trials, ("503", partial(client.get, "/overflow"))])
    assert [what.partition(":")[0] for what in found] == ["'999999999'", "'1\\x00'", "503"]
