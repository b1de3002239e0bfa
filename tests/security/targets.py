"""What the portal answers to, found out by asking: every rule of `app.url_map` with everything that may stand in it.

Whoever owns the things asks first. What answers them is what others are let loose on afterwards.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.routing import AnyConverter, Rule
from werkzeug.test import TestResponse

from tests.security.browsers import Browser, browser_of
from tests.security.ground import Ground
from tests.security.pages import PageForm, forms_of, links_of, query_names
from tests.security.town import Belongings

COMMON = {
    "code": ["LC-01"],
    "name": ["privacy"],
    "number": ["new", "KB0001", "N0001"],
    "kind": ["invoice", "receipt", "work_report"],
    "contact_id": [],
    "who": ["new"],
    "module": ["facility"],
    "rest": ["LC-01"],
}
"""What may stand in addresses and is nobody's own."""
LEFT_OUT = {"static", "demo.mail", "demo.mailbox"}
"""No rows stand behind the first; the others exist in the demo alone."""


@dataclass(frozen=True)
class Target:
    """A request that is answered to whoever owns what it names; `own` is whether it names anything of theirs."""

    endpoint: str
    method: str
    path: str
    own: bool
    status: int
    form: PageForm | None = None
    draft: str = ""

    @property
    def data(self) -> MultiDict[str, str]:
        """What a person would send."""
        return MultiDict(self.form.fields) if self.form else MultiDict()

    def send(self, browser: Browser, changes: Mapping[str, object] | None = None) -> TestResponse:
        """Make this request from a browser, with other values in these fields."""
        if self.method == "GET":
            return browser.get(self.path)
        fields: MultiDict[str, object] = MultiDict(self.data)
        for name, value in (changes or {}).items():
            fields.setlist(name, value if isinstance(value, list) else [value])
        return browser.post(self.form.action if self.form else self.path, fields)


@dataclass
class Found:
    """What answers somebody, and the names that queries have at each path."""

    browser: Browser
    targets: list[Target] = field(default_factory=list)
    queries: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    forms: dict[str, PageForm] = field(default_factory=dict)
    hrefs: set[str] = field(default_factory=set)
    kept: list[Target] = field(default_factory=list)
    """What is kept as a draft before it is saved."""

    @property
    def endpoints(self) -> set[str]:
        """What was reached."""
        return {target.endpoint for target in self.targets}

    def of(self, method: str) -> list[Target]:
        """The targets of a method."""
        return [target for target in self.targets if target.method == method]


def paths_of(app: Flask, rule: Rule, things: Belongings) -> Iterator[tuple[str, str, bool]]:
    """Every address that `rule` has with these things in it: the part before the first thing, the whole, `own`."""
    adapter = app.url_map.bind("localhost")
    names = [name for name in rule._converters if name not in (rule.defaults or {})]
    choices: list[list[tuple[str, bool]]] = []
    for name in names:
        converter = rule._converters[name]
        if isinstance(converter, AnyConverter):
            choices.append([(item, False) for item in sorted(converter.items)])
            continue
        assert name in COMMON or name in things.parts, f"say what stands in <{name}> of {rule}"
        common = [(value, False) for value in COMMON.get(name, [])]
        choices.append(common + [(value, True) for value in things.parts.get(name, [])])
    for chosen in itertools.product(*choices):
        values = {name: value for name, (value, _own) in zip(names, chosen, strict=True)}
        path = adapter.build(rule.endpoint, values)
        if (
            adapter.match(path, "GET" if "GET" in (rule.methods or ()) else "POST")[0]
            != rule.endpoint
        ):
            continue  # another rule has this very address: "new" is nobody's number
        named = values.get("number", "")
        head = path[: path.index(f"/{named}") + len(named) + 1] if named else ""
        yield head, path, any(own for _value, own in chosen)


def found_by(ground: Ground, brand: str, login_id: str) -> Found:
    """What answers a member of the town; found out once for each of them."""
    if (brand, login_id) not in ground.found:
        browser = browser_of(ground, brand, login_id)
        things = ground.town[brand, login_id]
        ground.found[brand, login_id] = look_around(ground, browser, things)
    found: Found = ground.found[brand, login_id]
    return found


def look_around(ground: Ground, browser: Browser, things: Belongings) -> Found:
    """Try every rule with everything of `things`, as whoever has them. Their half-filled forms stay as drafts."""
    found = Found(browser)
    waiting: list[tuple[str, str, bool]] = []
    heads: dict[str, dict[str, bool]] = defaultdict(dict)
    for rule in sorted(ground.app.url_map.iter_rules(), key=lambda one: one.rule.count("/")):
        if rule.endpoint in LEFT_OUT:
            continue
        methods = rule.methods or set()
        for head, path, own in paths_of(ground.app, rule, things):
            # What is nothing at /inquiries/X is nothing further down either.
            known = heads[head.rpartition("/")[0]]
            if head and not known.get(head, True):
                continue
            is_there = "GET" not in methods or _look(ground, found, rule.endpoint, path, own=own)
            if head and "GET" in methods:
                known[head] = known.get(head, False) or is_there
            if "POST" in methods and is_there:
                waiting.append((rule.endpoint, path, own))
    _follow(ground, found)
    for endpoint, path, own in waiting:
        _press(ground, found, endpoint, path, own=own)
    _leave_drafts(ground, found)
    ground.keep()
    return found


def _look(ground: Ground, found: Found, endpoint: str, path: str, *, own: bool) -> bool:
    """Open a page; whether there is one."""
    with ground.undone():
        answer = found.browser.get(path)
    if answer.status_code >= 400:
        return False
    found.targets.append(Target(endpoint, "GET", path, own, answer.status_code))
    _note(found, answer, path)
    return True


def _press(ground: Ground, found: Found, endpoint: str, path: str, *, own: bool) -> None:
    """Send what the page's form would send."""
    target = Target(endpoint, "POST", path, own, 0, found.forms.get(path))
    with ground.undone():
        answer = target.send(found.browser)
    if answer.status_code != 404:
        status = answer.status_code
        found.targets.append(Target(endpoint, "POST", path, own, status, target.form))
    if "?draft=" in (answer.location or ""):
        found.kept.append(target)


def _note(found: Found, answer: TestResponse, at: str) -> None:
    """Keep what a page's forms say, and where it leads to."""
    if answer.mimetype != "text/html" or answer.status_code != 200:
        return
    hrefs = links_of(answer.text, at)
    for form in forms_of(answer.text, at):
        if form.method == "GET":
            filled = {name: value for name, value in form.fields.items() if ":" not in name}
            hrefs.add(f"{form.path}?{urlencode(filled)}")
            continue
        # Of several forms to the same address the one with most in it says most.
        known = found.forms.get(form.path)
        if known is None or len(known.fields) < len(form.fields):
            found.forms[form.path] = form
    for href in hrefs:
        found.queries[urlsplit(href).path].update(query_names(href))
    found.hrefs |= hrefs


def _follow(ground: Ground, found: Found) -> None:
    """Open what pages lead to with a query: some forms, and some pages, stand only there."""
    adapter = ground.app.url_map.bind("localhost")
    seen: set[tuple[str, ...]] = set()
    for href in sorted(found.hrefs):
        path = urlsplit(href).path
        key = (path, *sorted(query_names(href)))
        if len(key) > 1 and key not in seen and not path.startswith("/static"):
            seen.add(key)
            endpoint, _values = adapter.match(path, "GET")
            _look(ground, found, str(endpoint), href, own=False)


def _leave_drafts(ground: Ground, found: Found) -> None:
    """Fill in every form that is kept before it is saved, and look at where it leads: 内容確認 and its button."""
    adapter = ground.app.url_map.bind("localhost")
    for target in found.kept:
        path = target.send(found.browser).location or ""
        ground.keep()
        page = found.browser.get(path)
        where, _, token = path.partition("?draft=")
        endpoint, _values = adapter.match(where, "GET")
        found.targets.append(
            Target(str(endpoint), "GET", path, True, page.status_code, None, token)
        )
        for form in forms_of(page.text, path):
            if form.method == "POST" and form.path == where:
                endpoint, _values = adapter.match(where, "POST")
                found.targets.append(Target(str(endpoint), "POST", where, True, 0, form, token))
