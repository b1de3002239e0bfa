"""SUP-04: who is removed as a member is never left as the 主担当 of a contract, whatever comes at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import ContractContact, Role
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.errors import RuleBroken
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member, MemberStatus
from portal.shared.members import operations as members
from tests.cast import NOW
from tests.support.contracts import contract_of

NUMBERS = [f"CT0000000{n}" for n in range(1, 7)]


@pytest.mark.parametrize("way", ["hand over", "register"])
def test_a_contract_never_names_a_main_contact_who_is_removed(
    app: Flask, inside: Any, together: Callable[..., list[Any]], way: str
) -> None:
    """SUP-04: six contracts come to somebody while they are removed; on both databases."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with clock.freeze(NOW), inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        people = [
            accounts.add_member(
                tenant,
                account,
                accounts.Person(
                    family, "太郎", f"{email}@one.example", is_representative=not place
                ),
                by=SYSTEM,
            )
            for place, (family, email) in enumerate((("山田", "yamada"), ("伊藤", "ito")))
        ]
        for _number in NUMBERS:
            contract_of(tenant, account, *(people if way == "hand over" else []))
        session().commit()

    def work(turn: int) -> str:
        with clock.freeze(NOW), tenant_scope("desk"):
            try:
                if turn == len(NUMBERS) // 2:
                    _remove(tenant)
                else:
                    _give(tenant, NUMBERS[turn - (turn > len(NUMBERS) // 2)], way)
                session().commit()
            except RuleBroken as error:
                session().rollback()
                return type(error).__name__
        return "done"

    results = together(len(NUMBERS) + 1, work)
    assert set(results) <= {"done", "RuleBroken", "NotFound"}, results
    with inside("desk"):
        in_charge = (
            select(Member.status)
            .join(ContractContact, ContractContact.member_id == Member.id)
            .where(ContractContact.role == Role.MAIN, *queries.PRESENT)
        )
        assert MemberStatus.REMOVED not in session().scalars(in_charge).all()


def _remove(tenant: Any) -> None:
    there = Member.email == "ito@one.example", Member.status != MemberStatus.REMOVED
    members.remove(tenant, session().scalars(select(Member).where(*there)).one(), by=SYSTEM)


def _give(tenant: Any, number: str, way: str) -> None:
    """Make 伊藤 the 主担当 of a contract."""
    contract = queries.any_contract(number)
    if way == "hand over":
        contact = queries.contact(contract, "伊藤 太郎")
        operations.hand_over(tenant, contract, contact, by=SYSTEM)
        return
    ito = Registrant("伊藤", "太郎", "ito@one.example")
    operations.register(tenant, contract, [ito], by=SYSTEM)
