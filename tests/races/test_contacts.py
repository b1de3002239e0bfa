"""SUP-02, COM-42: contacts of a contract, whatever number is added at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Flask

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import UnitKind
from portal.blueprints.support.operations import CONTACTS, Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.errors import RuleBroken
from portal.shared.accounts import operations as accounts
from portal.shared.limits import operations as limits
from tests.cast import NOW


def _registrant(n: int) -> Registrant:
    return Registrant("人", str(n), "shared@one.example")


def test_two_hundred_contacts_at_once_never_pass_the_formula(
    app: Flask, inside: Any, together: Callable[..., list[Any]]
) -> None:
    """COM-42, SUP-02: twelve for ten apps, on both databases; one of them in charge."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        contract = operations.add_contract(tenant, account, "manage", date(2022, 9, 1), by=SYSTEM)
        for n in range(10):
            operations.add_unit(contract, UnitKind.APP, f"アプリ{n}", by=SYSTEM)
        operations.register(tenant, contract, [_registrant(0)], by=SYSTEM)
        number = contract.number
        session().commit()

    def add(turn: int) -> list[str]:
        told = []
        with clock.freeze(NOW), tenant_scope("desk"):
            for n in range(10):
                try:
                    found, who = queries.any_contract(number), _registrant(1 + turn * 10 + n)
                    operations.add_contact(tenant, found, who, by=SYSTEM)
                    session().commit()
                    told.append("added")
                except RuleBroken as error:
                    session().rollback()
                    told.append(type(error).__name__)
        return told

    results = [one for told in together(20, add) for one in told]
    assert (len(results), results.count("added"), set(results)) == (
        200,
        11,
        {"added", "LimitReached"},
    )
    with inside("desk"):
        found = queries.any_contract(number)
        use = limits.usage_of(tenant, CONTACTS, found)
        assert (use.used, use.limit) == (12, 12)
        assert [one.role.value for one, _email in queries.contacts(found)].count("main") == 1
