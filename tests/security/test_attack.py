"""COM-02, COM-14: every address that answers its owner, tried by everybody else with the owner's own things.

Generated from `app.url_map`: what a route takes is filled with all that the owner has (numbers, tokens, drafts), the
owner asks first, and what answered is what the others get. Nobody reads the owner's words, and no row but the
intruder's own and the trail changes.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.core.db import session
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Address
from portal.shared.inquiries import queries as inquiries
from portal.shared.inquiries.models import Inquiry
from tests.security.browsers import Browser, browser_of
from tests.security.ground import Ground, Key, Rows, closure
from tests.security.pages import TYPED
from tests.security.targets import LEFT_OUT, Target, found_by, paths_of
from tests.security.town import COLLEAGUE, REPRESENTATIVE, STRANGER, account_word, own_word

TWINS = {"facility": "studio", "desk": "counter"}
TRACES = {"audit_event", "audit_head", "throttle", "interrupted_form"}
"""What every request may leave behind it: that it was made, how often, and what came too late."""
GUARDED = ("rights", "is_representative", "role")
"""What nobody changes of themselves either."""
ONE_FEED = {"calendars.first_feed": "calendars.feed"}
"""The same feed at the address that it had before."""
VICTIMS = pytest.mark.parametrize("brand", list(TWINS))


def right_of(ground: Ground, target: Target) -> Any:
    """The right that the view asks for, or None."""
    return getattr(ground.app.view_functions[target.endpoint], "right", None)


def is_public(ground: Ground, target: Target) -> bool:
    """Whether the view is open to whoever has its address."""
    return bool(getattr(ground.app.view_functions[target.endpoint], "is_public", False))


def words_in(answer: TestResponse, *words: str) -> list[str]:
    """Which of these words stand in body or headers."""
    said = answer.data.decode("utf-8", "replace") + str(answer.headers)
    return [word for word in words if word in said]


def changed_besides(ground: Ground, now: Rows | None, own: Key | None, mailbox: str) -> list[str]:
    """What was added, changed or removed that is neither a trace, nor `own`'s, nor a mail to `mailbox`."""
    if now is None:
        return []
    before = ground.before
    mine = closure(now, own) | closure(before, own) if own else set()
    found = []
    for key in before.keys() | now.keys():
        old = before.get(key)
        new = now.get(key)
        if old == new or key[0] in TRACES:
            continue
        if old is None and new and new.get("recipient", "").startswith(mailbox or "nobody"):
            continue
        if key not in mine:
            found.append(
                f"{key} was {old and sorted(old.items())} is {new and sorted(new.items())}"
            )
        elif old and new and any(old.get(name) != new.get(name) for name in GUARDED):
            found.append(f"{key} gave itself rights")
    return found


class Intruder:
    """Somebody who tries what is not theirs, and what they may be answered."""

    def __init__(
        self,
        ground: Ground,
        browser: Browser,
        words: tuple[str, ...],
        may: Callable[[Target], set[int]],
    ) -> None:
        self.ground = ground
        self.browser = browser
        self.words = words
        self.may = may
        own = ground.town.get((browser.brand, browser.login_id or ""))
        self.own = ("member", browser.brand, own.member_id) if own else None
        self.mailbox = f"{browser.login_id}@" if own else ""

    def findings(self, targets: list[Target]) -> list[str]:
        """What went through that must not."""
        found = []
        for target in targets:
            with self.ground.undone() as rows:
                answer = target.send(self.browser, self._typed_by_themself(target))
                changed = changed_besides(self.ground, rows(), self.own, self.mailbox)
            what = f"{target.method} {target.path}"
            if answer.status_code not in self.may(target):
                found.append(f"{what}: {answer.status_code} {answer.location or ''}")
            words = self.words + ((TYPED,) if target.draft and target.method == "GET" else ())
            found += [f"{what}: says {word}" for word in words_in(answer, *words)]
            found += [f"{what}: {change}" for change in changed]
        return found

    def _typed_by_themself(self, target: Target) -> dict[str, object]:
        """The owner's form without the owner's words: a page may show what this very request typed."""
        changes: dict[str, object] = {}
        for name, values in target.data.lists():
            retyped = [self._without_words(value) for value in values]
            if retyped != values:
                changes[name] = retyped
        return changes

    def _without_words(self, value: str) -> str:
        for word in self.words:
            value = value.replace(word, "別人")
        return value


def foreign_targets(ground: Ground, brand: str) -> list[Target]:
    """What answers the owner about things of their own."""
    return [target for target in found_by(ground, brand, REPRESENTATIVE).targets if target.own]


def secrets_of(brand: str) -> tuple[str, str]:
    """The words that stand in what is hanako's account's, and hers alone."""
    return account_word(brand, REPRESENTATIVE), own_word(brand, REPRESENTATIVE)


def test_com_02_every_route_is_reached_by_its_owner(ground: Ground) -> None:
    """COM-02: the suite leaves no route out: put what stands in a new one's address into town.py."""
    reached = {
        endpoint
        for brand in TWINS
        for endpoint in found_by(ground, brand, REPRESENTATIVE).endpoints
    }
    every = {rule.endpoint for rule in ground.app.url_map.iter_rules()}
    assert every - reached - LEFT_OUT == set()


def led_away(ground: Ground) -> Callable[[Target], set[int]]:
    """What somebody without a session is answered: the way to sign in, or nothing where no person asks."""

    def may(target: Target) -> set[int]:
        view = ground.app.view_functions[target.endpoint]
        return {204} if getattr(view, "is_asked_by_itself", False) else {303}

    return may


@VICTIMS
def test_com_02_nobody_gets_in_without_signing_in(ground: Ground, brand: str) -> None:
    """COM-02: whoever has not signed in is led there, whatever address they know."""
    targets = found_by(ground, brand, REPRESENTATIVE).targets
    closed = [
        target
        for target in targets
        if not is_public(ground, target)
        and not target.endpoint.startswith(("health.", "home.script"))
    ]
    browser = browser_of(ground, brand, None)
    intruder = Intruder(ground, browser, secrets_of(brand), led_away(ground))
    assert intruder.findings(closed) == []
    with ground.undone():
        ends = {urlsplit(target.send(browser).location or "").path for target in closed[:5]}
    assert ends == {"/sign-in"}


@VICTIMS
def test_com_02_another_account_finds_nothing(ground: Ground, brand: str) -> None:
    """COM-02: to the representative of another account what is not theirs does not exist."""
    targets = [one for one in foreign_targets(ground, brand) if not is_public(ground, one)]

    def may(target: Target) -> set[int]:
        # Somebody else's draft is none: back to the form, and nothing is saved.
        return {303, 400, 404} if target.draft else {404}

    intruder = Intruder(ground, browser_of(ground, brand, STRANGER), secrets_of(brand), may)
    assert len(targets) > 30
    assert intruder.findings(targets) == []


@VICTIMS
def test_com_02_another_brand_finds_nothing(ground: Ground, brand: str) -> None:
    """COM-02: at another brand neither numbers, nor drafts, nor tokens are anything."""
    targets = foreign_targets(ground, brand)

    def may(target: Target) -> set[int]:
        if is_public(ground, target):
            return {404, 422}
        return {303, 400, 404} if target.draft else {404}

    browser = browser_of(ground, TWINS[brand], REPRESENTATIVE)
    assert Intruder(ground, browser, secrets_of(brand), may).findings(targets) == []


@VICTIMS
def test_com_02_a_cookie_of_another_brand_is_nobodys(ground: Ground, brand: str) -> None:
    """COM-02: hanako of the twin, with that brand's cookies, at this brand's address."""
    stolen = browser_of(ground, TWINS[brand], REPRESENTATIVE)
    browser = Browser(ground, brand)
    browser.cookies = stolen.cookies
    browser.csrf_token = stolen.csrf_token
    targets = [one for one in foreign_targets(ground, brand) if not is_public(ground, one)]
    intruder = Intruder(ground, browser, secrets_of(brand), led_away(ground))
    assert intruder.findings(targets) == []


@VICTIMS
def test_com_30_a_colleague_without_rights_changes_nothing(ground: Ground, brand: str) -> None:
    """COM-30: what a view's right asks for is refused, and hanako's own is neither seen nor changed."""
    targets = found_by(ground, brand, REPRESENTATIVE).targets
    targets = [one for one in targets if not is_public(ground, one)]

    def may(target: Target) -> set[int]:
        right = right_of(ground, target)
        return {403} if right else {200, 204, 303, 400, 403, 404, 409, 422}

    browser = browser_of(ground, brand, COLLEAGUE)
    words = (own_word(brand, REPRESENTATIVE),)
    assert Intruder(ground, browser, words, may).findings(targets) == []


@VICTIMS
def test_com_14_a_token_opens_one_page_at_one_brand(ground: Ground, brand: str) -> None:
    """COM-14, security.md §4.12: of any other purpose, and at the twin, it is dead, and trying uses nothing up."""
    opens = defaultdict(set)
    for target in foreign_targets(ground, brand):
        if is_public(ground, target) and target.method == "GET":
            token = target.path.rpartition("/")[2].removesuffix(".ics")
            opens[token].add(ONE_FEED.get(target.endpoint, target.endpoint))
    things = ground.town[brand, REPRESENTATIVE]
    tokens = set(things.parts["token"])
    alive = {token: pages for token, pages in opens.items() if token in tokens}
    assert [pages for pages in alive.values() if len(pages) != 1] == []
    twin = browser_of(ground, TWINS[brand], None)
    for rule in ground.app.url_map.iter_rules():
        if "token" not in rule.arguments:
            continue
        for _head, path, _own in paths_of(ground.app, rule, things):
            with ground.undone() as rows:
                answers = [twin.get(path), twin.post(path)]
                assert changed_besides(ground, rows(), None, "") == [], path
            assert {answer.status_code for answer in answers} <= {404, 405, 422}, path
            assert [words_in(answer, *secrets_of(brand)) for answer in answers] == [[], []]


@VICTIMS
def test_com_02_foreign_things_in_fields_do_nothing(ground: Ground, brand: str) -> None:
    """COM-02: in every field of every form of another account: the owner's numbers, and their drafts."""
    owner = found_by(ground, brand, REPRESENTATIVE)
    drafts = [target.draft for target in owner.targets if target.draft]
    numbers = itertools.cycle(ground.town[brand, REPRESENTATIVE].parts["number"])
    mine = found_by(ground, brand, STRANGER)
    victims = ground.town[brand, REPRESENTATIVE]
    theirs = ("account", brand, victims.account_id)
    kept = closure(ground.before, theirs)
    found = []
    forms = [target for target in mine.targets if target.form and target.form.names]
    for target in forms:
        assert target.form
        for name in target.form.names:
            for value in drafts if name == "draft" else itertools.islice(numbers, 3):
                changed = {name.removeprefix("button:"): value}
                with ground.undone() as rows:
                    answer = target.send(mine.browser, changed)
                    now = rows()
                    seen = words_in(answer, *secrets_of(brand))
                    if answer.location and answer.location.startswith("/"):
                        seen += words_in(mine.browser.get(answer.location), *secrets_of(brand))
                what = f"{target.path} {name}={value}"
                found += [f"{what}: says {word}" for word in seen]
                if now is not None:
                    rows_then = {key: now.get(key) for key in kept if key[0] not in TRACES}
                    found += [
                        f"{what}: {key}"
                        for key, row in rows_then.items()
                        if row != ground.before[key]
                    ]
                    more = closure(now, theirs) - kept
                    found += [f"{what}: {key} came to them" for key in more if key[0] not in TRACES]
    assert found == []


def _anybodys_thread(_tenant: object, _who: object, number: str) -> Inquiry:
    """A look-up that does not ask whose thread it is."""
    return inquiries.any_inquiry(number)


def _anybodys_address(_account_id: int, kind: Any, number: str) -> Any:
    """A look-up that does not ask whose address it is."""
    every = session().scalars(select(Address).where(Address.kind == kind))
    return next(one for one in every if contacts.number_of(one) == number)


def test_com_02_a_wall_that_is_gone_is_missed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-02: the suite is worth something: look-ups that ask nobody's account, and an open door, are all told."""
    targets = foreign_targets(ground, "facility")
    stranger = browser_of(ground, "facility", STRANGER)
    intruder = Intruder(ground, stranger, secrets_of("facility"), lambda _target: {404})

    def of(endpoint: str) -> list[Target]:
        found = [target for target in targets if target.endpoint == endpoint]
        assert found
        return found

    with monkeypatch.context() as patch:
        patch.setattr(inquiries, "find", _anybodys_thread)
        told = intruder.findings(of("inquiries.thread"))
    assert any("200" in one for one in told)
    assert any(account_word("facility", REPRESENTATIVE) in one for one in told)
    with monkeypatch.context() as patch:
        patch.setattr(contacts, "find", _anybodys_address)
        told = intruder.findings(of("contacts.make_usual"))
    assert any("'postal_address'" in one for one in told)
    with monkeypatch.context() as patch:
        patch.setitem(ground.app.view_functions, "inquiries.thread", _open_door)
        nobody = browser_of(ground, "facility", None)
        open_to_all = Intruder(ground, nobody, secrets_of("facility"), lambda _target: {303})
        told = open_to_all.findings(of("inquiries.thread"))
    assert any("200" in one for one in told)
    assert intruder.findings(of("inquiries.thread") + of("contacts.make_usual")) == []


def _open_door(number: str) -> str:
    """A view that somebody marked as public."""
    return f"{number}: {account_word('facility', REPRESENTATIVE)}"


_open_door.is_public = True  # type: ignore[attr-defined]
