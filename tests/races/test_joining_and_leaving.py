"""MOLD-01, COM-16: tries at a code and leaving, whatever comes at the same moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.jobs import Job
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account
from portal.shared.auth.models import Registration
from portal.shared.auth.sessions import Client
from portal.shared.members import registration, withdrawal
from portal.shared.members.registration import Application
from tests.cast import NOW
from tests.shared.members.test_registration import DATA, MAIL, PASSWORD

Together = Callable[..., list[Any]]


def _kinds(results: list[Any]) -> list[str]:
    return sorted(type(result).__name__ for result in results)


def _tenant(app: Flask) -> Any:
    brand = app.extensions["tenants"].current().by_key["facility"]
    rules = brand.sign_in.model_copy(update={"items": "email_password", "registration": True})
    return brand.model_copy(update={"sign_in": rules, "erase_after_days": 1})


def test_of_sixteen_guesses_at_a_code_five_are_looked_at(
    app: Flask, inside, together: Together
) -> None:
    """MOLD-01: whatever the concurrency."""
    tenant = _tenant(app)
    with clock.freeze(NOW), inside("facility"):
        handle = registration.apply(tenant, Application(MAIL, DATA, PASSWORD), Client())

    def guess(turn: int) -> Any:
        with clock.freeze(NOW):
            return registration.activate_by_code(tenant, handle, f"{turn:011X}", Client())

    assert _kinds(together(16, guess)) == ["RuleBroken"] * 16
    with inside("facility"):
        assert session().scalars(select(Registration.tries)).one() == 5


def test_of_eight_with_the_right_code_one_makes_the_account(
    app: Flask, inside, together: Together
) -> None:
    """MOLD-01: code and link at once."""
    tenant = _tenant(app)
    with clock.freeze(NOW), inside("facility"):
        handle = registration.apply(tenant, Application(MAIL, DATA, PASSWORD), Client())
        body = (
            session().scalars(select(OutboxMail.body).order_by(OutboxMail.id.desc()).limit(1)).one()
        )
        found, link = (
            re.search(r"[0-9A-F]{8}-[0-9A-F]{3}", body),
            re.search(r"activate/([\w-]+)", body),
        )
    assert found
    assert link

    def come(turn: int) -> Any:
        with clock.freeze(NOW):
            if turn % 2:
                return registration.activate_by_link(tenant, link[1], PASSWORD, Client()).id
            return registration.activate_by_code(tenant, handle, found[0], Client()).id

    results = together(4, come)
    assert len([result for result in results if isinstance(result, int)]) == 1, results
    with inside("facility"):
        assert session().query(Account).filter_by(name="青木製作所").count() == 1


def test_of_four_who_leave_one_leaves(app: Flask, inside, together: Together) -> None:
    """COM-16: one mail each, one erasure."""
    tenant = _tenant(app).model_copy(update={"modules": ()})

    def leave(_turn: int) -> Any:
        with clock.freeze(NOW):
            account = session().scalars(select(Account).order_by(Account.id).limit(1)).one()
            withdrawal.withdraw(tenant, account, "", by=SYSTEM)
            session().commit()
            return "left"

    assert _kinds(together(4, leave)) == ["RuleBroken"] * 3 + ["str"]
    with inside("facility"):
        assert session().query(Job).filter_by(kind="accounts.erase").count() == 1
        assert session().query(OutboxMail).filter_by(event="withdrawn").count() == 2
