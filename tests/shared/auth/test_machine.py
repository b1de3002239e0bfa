"""COM-10 … COM-16: in whatever order members, strangers and operators act, no right that was taken away works.

A model in plain Python keeps which sessions, second steps, links, codes and browsers ought to open something. After
each act everything that it ever saw is tried: what ought to be dead is, and what ought to be alive is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from portal.core import clock, signer
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.errors import RuleBroken
from portal.core.outbox import OutboxMail
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Factor, Member
from portal.shared.auth import (
    devices,
    links,
    operator_actions,
    password_reset,
    passwords,
    second_factor,
    sessions,
    throttling,
)
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.links import Purpose
from portal.shared.auth.sessions import Client
from portal.shared.auth.sign_in import Typed
from portal.shared.members import email_change, withdrawal
from portal.shared.members import operations as members
from tests.cast import NOW
from tests.support.links import is_alive

IDLE = timedelta(minutes=120)
NO_LINK = "x" * 43
_numbers = itertools.count(1)
browsers = st.integers(0, 1)


@dataclass
class Browser:
    """What one browser keeps: its newest session, and the name it is known by."""

    token: str = ""
    device: str = ""
    known: bool = False
    trusted_until: datetime | None = None


@dataclass
class Waiting:
    """A sign-in that waits for its second step."""

    browser: int
    until: datetime
    code: str = ""
    code_until: datetime | None = None


@dataclass
class MailedLink:
    """A link that stands in a mail; `number` says which came before which."""

    purpose: Purpose
    until: datetime
    number: int
    address: str = ""


@dataclass
class Model:
    """What ought to work."""

    password: str = ""
    former: list[str] = field(default_factory=list)
    active: bool = True
    gone: bool = False
    factor: Factor = Factor.OFF
    nonce: str = ""
    used_step: int = 0
    open: dict[str, datetime] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    links: dict[str, MailedLink] = field(default_factory=dict)
    recovery: set[str] = field(default_factory=set)
    burnt: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    seen_links: set[str] = field(default_factory=set)

    def end_sessions(self) -> None:
        """Sessions end, those that wait for their second step too."""
        self.open.clear()
        self.waiting.clear()

    def shut(self) -> None:
        """Sessions and mailed links end."""
        self.end_sessions()
        self.links.clear()


class SignInMachine(RuleBasedStateMachine):
    """One member of the brand, two browsers, an operator, a clock."""

    app: Flask

    @initialize()
    def begin(self) -> None:
        self.number, self.now, self.model = next(_numbers), NOW, Model()
        self.browsers = [Browser(), Browser()]
        self.client = Client(f"192.0.{self.number // 250}.{self.number % 250}", "Firefox")
        self.tenant = self.app.extensions["tenants"].current().by_key["facility"]
        with self.acting():
            account = accounts.add_account(self.tenant, by=SYSTEM, name=f"会社{self.number}")
            for login_id, leads in ((self.login_id, True), (f"x{self.login_id}", False)):
                person = accounts.Person(
                    "山", "川", f"{login_id}@m.example", login_id=login_id, is_representative=leads
                )
                hashed = passwords.hash_password(self.fresh_password())
                accounts.add_member(self.tenant, account, person, by=SYSTEM, password_hash=hashed)
            session().commit()
        self.model.password = self.made[-2]

    @property
    def login_id(self) -> str:
        return f"m{self.number:04}"

    made: list[str]

    def fresh_password(self) -> str:
        self.made = [
            *getattr(self, "made", []),
            f"kita-No-{self.number}-umi-{len(getattr(self, 'made', []))}",
        ]
        return self.made[-1]

    def acting(self) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(self.app.app_context())
        stack.enter_context(clock.freeze(self.now))
        stack.enter_context(tenant_scope("facility"))
        return stack

    def member(self) -> Member:
        return session().scalars(select(Member).where(Member.login_id == self.login_id)).one()

    def attempt(self, act: Callable[[], Any]) -> Any:
        """What the act gives, or the rule that refused it, everything undone."""
        with self.acting():
            try:
                return act()
            except RuleBroken as refused:
                session().rollback()
                return refused

    def newest(self, event: str, pattern: str) -> str:
        with self.acting():
            account_id = self.member().account_id
            mine = select(OutboxMail.body).where(
                OutboxMail.event == event, OutboxMail.account_id == account_id
            )
            found = re.search(
                pattern, session().scalars(mine.order_by(OutboxMail.id.desc())).first() or ""
            )
        assert found, event
        return found[1]

    def link(
        self, purpose: Purpose, event: str, path: str, lifetime: timedelta, address: str = ""
    ) -> None:
        """A new link is mailed; it replaces those of its purpose, save what brings the owner back."""
        token = self.newest(event, rf"/{path}/([\w-]+)")
        if purpose not in links.WAYS_BACK:
            self.kill_links(purpose)
        self.model.links[token] = MailedLink(
            purpose, self.now + lifetime, len(self.model.seen_links), address
        )
        self.model.seen_links.add(token)

    def kill_links(self, *purposes: Purpose, since: int = 0) -> None:
        """Links of these purposes die, or those of them that were mailed after the one with this number."""
        self.model.links = {
            token: link
            for token, link in self.model.links.items()
            if link.purpose not in purposes or link.number < since
        }

    def living(self, purpose: Purpose) -> list[str]:
        """The tokens that ought to work now, the oldest first."""
        return [
            token
            for token, link in self.model.links.items()
            if link.purpose == purpose and self.now < link.until and self.model.active
        ]

    def pick(self, data: st.DataObject, purpose: Purpose) -> str:
        """One of the tokens that ought to work now, or one that never did."""
        return data.draw(st.sampled_from(self.living(purpose) or [NO_LINK]))

    # -- coming in --------------------------------------------------------------------------------------------------

    @rule(at=browsers, which=st.sampled_from(["right", "right", "right", "wrong", "former"]))
    def sign_in(self, at: int, which: str) -> None:
        model, browser = self.model, self.browsers[at]
        typed = {
            "right": model.password or "void",
            "wrong": "wrong",
            "former": (model.former or ["?"])[-1],
        }[which]
        given = entrance.Credentials(password=typed, login_id=self.login_id)
        result = self.attempt(
            lambda: entrance.sign_in(
                self.tenant,
                given,
                self.client,
                device_token=browser.device,
                session_token=browser.token,
            )
        )
        may = which == "right" and model.password and model.active
        if isinstance(result, throttling.TooMany):
            return
        assert isinstance(result, entrance.Entry) == bool(may), (which, result)
        if not may:
            return
        spared = browser.known and browser.trusted_until and browser.trusted_until > self.now
        assert result.is_pending == bool(model.factor != Factor.OFF and not spared)
        model.seen.add(result.token)
        model.open.pop(browser.token, None)  # what the browser had before ends
        model.waiting.pop(browser.token, None)
        browser.token = result.token
        if result.is_pending:
            waiting = Waiting(at, self.now + entrance.PENDING)
            if model.factor == Factor.MAIL:
                waiting.code = self.newest("second_step", r"\b(\d{6})\b")
                waiting.code_until = self.now + timedelta(minutes=10)
            model.waiting[result.token] = waiting
        else:
            self.entered(at, result)

    def entered(self, at: int, entry: entrance.Entry) -> None:
        browser = self.browsers[at]
        self.model.open[entry.token] = self.now + IDLE
        self.model.seen.add(entry.token)
        browser.token = entry.token
        if entry.device_token:
            assert not browser.known, "a known browser got another name"
            browser.device, browser.known, browser.trusted_until = entry.device_token, True, None
            self.link(Purpose.NOT_ME, "sign_in", "not-me", entrance.NOT_ME)

    @precondition(lambda self: self.model.waiting)
    @rule(
        data=st.data(),
        what=st.sampled_from(["right", "right", "wrong", "other", "recovery", "burnt"]),
        trust=st.booleans(),
    )
    def finish(self, data: st.DataObject, what: str, trust: bool) -> None:
        model = self.model
        token = data.draw(st.sampled_from(sorted(model.waiting)))
        waiting = model.waiting[token]
        browser, step = (
            self.browsers[waiting.browser],
            int(self.now.timestamp()) // second_factor.STEP_SECONDS,
        )
        others = [
            w.code for key, w in model.waiting.items() if key != token and w.code != waiting.code
        ]
        typed = {
            "right": self.app_code(step) if model.factor == Factor.TOTP else waiting.code,
            "wrong": "no code",
            "other": (others or ["000"])[0],
            "recovery": min(model.recovery, default="none"),
            "burnt": min(model.burnt, default="none"),
        }[what]
        result = self.attempt(
            lambda: entrance.finish(
                self.tenant,
                token,
                Typed(typed or "none", trust=trust),
                self.client,
                device_token=browser.device,
            )
        )
        if isinstance(result, throttling.TooMany):
            return
        alive = self.now < waiting.until and model.active
        by_mail = (
            what == "right" and waiting.code_until is not None and self.now < waiting.code_until
        )
        by_app = (what == "right" and step > model.used_step) or (
            what == "recovery" and bool(model.recovery)
        )
        may = alive and (by_app if model.factor == Factor.TOTP else by_mail)
        if not isinstance(result, entrance.Entry):
            assert not may or model.factor != Factor.TOTP, "an app's code that ought to work"
            return
        assert may, (what, result)
        if model.factor == Factor.TOTP and what == "right":
            model.used_step = step
        elif what == "recovery":
            model.recovery.discard(typed)
            model.burnt.add(typed)
        del model.waiting[token]
        self.entered(waiting.browser, result)
        if trust:
            browser.trusted_until = self.now + timedelta(days=30)

    def app_code(self, step: int) -> str:
        with self.acting():
            key = signer.macs("totp", self.member().id, self.model.nonce)[0][:20]
        return second_factor.code_at(key, step)

    # -- what members do --------------------------------------------------------------------------------------------

    def living_sessions(self) -> list[str]:
        return (
            [t for t, until in self.model.open.items() if self.now < until]
            if self.model.active
            else []
        )

    @precondition(lambda self: self.living_sessions() and self.model.password)
    @rule(factor=st.sampled_from([Factor.OFF, Factor.MAIL, Factor.TOTP]))
    def choose_factor(self, factor: Factor) -> None:
        model, step = self.model, int(self.now.timestamp()) // second_factor.STEP_SECONDS
        nonce = second_factor.new_nonce()

        def act() -> Any:
            who = self.signed_in(self.living_sessions()[0])
            if factor != Factor.TOTP:
                return second_factor.choose(self.tenant, who, factor, model.password, by=SYSTEM)
            code = second_factor.code_at(signer.macs("totp", who.member_id, nonce)[0][:20], step)
            return second_factor.set_up_app(
                self.tenant, who, nonce, code, model.password, by=SYSTEM
            )

        result = self.attempt(act)
        if isinstance(result, RuleBroken):
            assert isinstance(result, throttling.TooMany), result
            return
        model.burnt |= model.recovery
        model.factor, model.recovery = factor, set(result or ())
        if factor == Factor.TOTP:
            model.nonce, model.used_step = nonce, step
        for browser in self.browsers:
            browser.trusted_until = None

    @precondition(lambda self: self.living_sessions() and self.model.password)
    @rule()
    def change_password(self) -> None:
        keep, new = self.living_sessions()[0], self.fresh_password()

        def act() -> str:
            who = self.signed_in(keep)
            return password_reset.change_password(
                self.tenant, who, self.model.password, new, by=SYSTEM
            )

        token = self.attempt(act)
        assert isinstance(token, str), token
        self.renewed(keep, token)
        self.model.open = {token: self.model.open[token]}
        self.model.waiting.clear()
        self.kill_links(*links.MOVING)
        self.replaced(new)

    def signed_in(self, token: str) -> sessions.SignedIn:
        """The member as a request in `token`'s session has them."""
        who = sessions.look_up(token, idle_minutes=120)
        assert who
        return who

    def renewed(self, before: str, token: str) -> None:
        """The session goes on under another token; that of before is worth nothing."""
        self.model.open[token] = self.now + IDLE
        self.model.seen.add(token)
        del self.model.open[before]
        for browser in self.browsers:
            if browser.token == before:
                browser.token = token

    @precondition(lambda self: self.living_sessions())
    @rule(data=st.data(), which=st.sampled_from(["right", "wrong", "former"]))
    def prove_the_password(self, data: st.DataObject, which: str) -> None:
        token = data.draw(st.sampled_from(self.living_sessions()))
        typed = {"right": self.model.password, "wrong": "wrong"}.get(which)
        typed = typed or (self.model.former or ["void"])[-1]
        result = self.attempt(
            lambda: password_reset.prove_password(self.tenant, self.signed_in(token), typed)
        )
        if isinstance(result, throttling.TooMany):
            return
        assert isinstance(result, str) == (typed == self.model.password), result
        if isinstance(result, str):
            self.renewed(token, result)

    def replaced(self, new: str) -> None:
        if self.model.password:
            self.model.former.append(self.model.password)
        self.model.password = new

    @rule()
    def ask_for_a_reset(self) -> None:
        by = self.tenant.model_copy(
            update={"sign_in": self.tenant.sign_in.model_copy(update={"forgot": "mail"})}
        )
        given = password_reset.Forgotten(f"{self.login_id}@m.example", login_id=self.login_id)
        with self.acting():
            given = password_reset.Forgotten(self.member().email, login_id=self.login_id)
        result = self.attempt(lambda: password_reset.ask_reset(by, given, self.client))
        if result is None and self.model.active:
            self.link(Purpose.RESET_PASSWORD, "reset_password", "set-password", links.LIFETIME)

    @precondition(lambda self: self.model.active)
    @rule()
    def operator_sends_a_link(self) -> None:
        def act() -> None:
            password_reset.send_set_password_link(
                self.tenant, self.member(), by=SYSTEM, lifetime=links.INVITATION
            )
            session().commit()

        assert self.attempt(act) is None
        self.link(Purpose.SET_PASSWORD, "set_password", "set-password", links.INVITATION)

    @rule(data=st.data(), purpose=st.sampled_from([Purpose.RESET_PASSWORD, Purpose.SET_PASSWORD]))
    def use_a_link(self, data: st.DataObject, purpose: Purpose) -> None:
        token, new = self.pick(data, purpose), self.fresh_password()
        result = self.attempt(
            lambda: password_reset.use_set_password_link(
                self.tenant, token, new, address="192.0.2.1"
            )
        )
        assert (result is None) == (token != NO_LINK), result
        if result is None:
            self.model.end_sessions()
            self.kill_links(*links.MOVING)
            self.forget_browsers()
            self.replaced(new)

    def forget_browsers(self) -> None:
        for browser in self.browsers:
            browser.known, browser.trusted_until = False, None

    @rule(data=st.data())
    def not_me(self, data: st.DataObject) -> None:
        token = self.pick(data, Purpose.NOT_ME)
        result = self.attempt(lambda: devices.not_me(self.tenant, token, self.client))
        assert (result is None) == (token != NO_LINK), result
        if result is None:
            self.locked_out()

    def locked_out(self) -> None:
        self.model.end_sessions()
        self.kill_links(Purpose.NOT_ME, *links.MOVING)
        self.forget_browsers()
        self.replaced("")
        self.link(Purpose.RESET_PASSWORD, "reset_password", "set-password", links.LIFETIME)

    @precondition(lambda self: self.living_sessions())
    @rule(data=st.data(), way=st.sampled_from(["others", "out", "device"]))
    def end_sessions(self, data: st.DataObject, way: str) -> None:
        token = data.draw(st.sampled_from(self.living_sessions()))

        def act() -> None:
            who = sessions.look_up(token, idle_minutes=120)
            assert who
            if way == "others":
                devices.end_other_sessions(who, by=SYSTEM)
            elif way == "out":
                entrance.sign_out(who, by=SYSTEM)
            else:
                for device in sessions.devices(who.member_id):
                    devices.forget_device(who, device.number, by=SYSTEM)

        assert self.attempt(act) is None
        if way == "others":
            self.model.open, self.model.waiting = {token: self.model.open[token]}, {}
        elif way == "out":
            del self.model.open[token]
        else:
            self.forget_browsers()
            self.model.open = {token: self.model.open[token]}

    @precondition(lambda self: self.living_sessions() and self.model.password)
    @rule(confirms=st.booleans())
    def change_the_address(self, confirms: bool) -> None:
        new = f"{self.login_id}-{len(self.made)}-{len(self.model.seen_links)}@n.example"

        def ask() -> str:
            who = self.signed_in(self.living_sessions()[0])
            email_change.ask_with_password(
                self.tenant, who, who.email, self.model.password, new, by=SYSTEM
            )
            return who.email

        old = self.attempt(ask)
        if isinstance(old, RuleBroken):
            return
        self.link(Purpose.PROVE_EMAIL, "email_change_proof", "prove-email", links.LIFETIME)
        if not confirms:
            return
        [proof] = self.living(Purpose.PROVE_EMAIL)
        confirmed = self.attempt(lambda: email_change.confirm(self.tenant, proof, address=""))
        assert confirmed is None
        self.kill_links(Purpose.NOT_ME, *links.MOVING)
        self.link(Purpose.UNDO_EMAIL, "email_changed_old", "undo-email", email_change.UNDO, old)

    @rule(data=st.data())
    def undo_the_address(self, data: st.DataObject) -> None:
        token = self.pick(data, Purpose.UNDO_EMAIL)
        result = self.attempt(lambda: email_change.undo(self.tenant, token, address=""))
        assert (result is None) == (token != NO_LINK), result
        if result is not None:
            return
        used = self.model.links[token]
        self.kill_links(Purpose.UNDO_EMAIL, since=used.number)
        with self.acting():
            assert self.member().email == used.address
        self.locked_out()

    # -- operators, and the end -------------------------------------------------------------------------------------

    @precondition(lambda self: not self.model.gone)
    @rule()
    def lock_or_unlock(self) -> None:
        def act() -> None:
            (operator_actions.lock if self.model.active else operator_actions.unlock)(
                self.member(), by=SYSTEM
            )
            session().commit()

        assert self.attempt(act) is None
        if self.model.active:
            self.model.shut()
        self.model.active = not self.model.active

    @precondition(lambda self: self.model.active)
    @rule()
    def reset_the_factor(self) -> None:
        def act() -> None:
            operator_actions.reset_factor(self.tenant, self.member(), by=SYSTEM)
            session().commit()

        assert self.attempt(act) is None
        self.model.shut()
        self.model.factor, self.model.nonce = Factor.OFF, ""
        self.model.burnt |= self.model.recovery
        self.model.recovery = set()
        for browser in self.browsers:
            browser.trusted_until = None

    @precondition(lambda self: self.model.active and len(self.model.seen) > 3)
    @rule(way=st.sampled_from(["removed", "withdrawn"]))
    def leave(self, way: str) -> None:
        def act() -> None:
            member = self.member()
            if way == "removed":
                everyone = self.tenant.sign_in.model_copy(update={"managed_by": "everyone"})
                members.remove(
                    self.tenant.model_copy(update={"sign_in": everyone}), member, by=SYSTEM
                )
            else:
                account = session().get_one(Account, member.account_id)
                withdrawal.withdraw(self.tenant, account, "", by=SYSTEM)
            session().commit()

        assert self.attempt(act) is None
        self.model.shut()
        self.forget_browsers()
        self.model.active, self.model.gone = False, True

    @rule(minutes=st.sampled_from([1, 1, 6, 12, 40, 130, 1500, 50_000]))
    def time_goes_by(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # -- what must hold after each of them --------------------------------------------------------------------------

    @invariant()
    def nothing_dead_works_and_everything_alive_does(self) -> None:
        if not hasattr(self, "model"):
            return
        model, living = self.model, set(self.living_sessions())
        with self.acting():
            for token in model.seen:
                found = sessions.look_up(token, idle_minutes=120)
                assert (found is not None) == (token in living), "a session"
                waiting = model.waiting.get(token)
                ought = waiting is not None and model.active and self.now < waiting.until
                assert (sessions.pending(token) is not None) == ought, "a second step"
            for token in model.seen_links:
                ought_to = {p for p in Purpose if token in self.living(p)}
                assert {p for p in Purpose if is_alive(token, p)} == ought_to, "a link"
            member_id = self.member().id
            for browser in self.browsers:
                found_device = sessions.find_device(member_id, browser.device)
                assert (found_device is not None) == browser.known, "a browser"
                trusted = browser.trusted_until is not None and browser.trusted_until > self.now
                assert sessions.is_trusted(found_device) == trusted, "a browser that is spared"


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_order_of_acts_leaves_a_right_that_was_taken_away(app: Flask) -> None:
    """COM-10, COM-12, COM-13, COM-15, COM-16: some thousand acts in orders nobody thought of."""
    machine = type("Machine", (SignInMachine,), {"app": app})
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30, stateful_step_count=25, derandomize=True, suppress_health_check=checks
        ),
    )
