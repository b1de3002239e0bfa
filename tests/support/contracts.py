"""Contracts of a support desk with their contacts: who may ask there (SUP-01)."""

from __future__ import annotations

from datetime import date

from portal.blueprints.support import operations
from portal.blueprints.support.models import Contract
from portal.blueprints.support.operations import Registrant
from portal.config.schema import Tenant
from portal.core.actor import SYSTEM
from portal.shared.accounts.models import Account, Member


def contract_of(
    tenant: Tenant, account: Account, *members: Member, product: str = "manage"
) -> Contract:
    """A contract of the account, with these members registered as its contacts, the first as 主担当."""
    made = operations.add_contract(tenant, account, product, date(2022, 9, 1), by=SYSTEM)
    people = [Registrant(one.family_name, one.given_name, one.email) for one in members]
    if people:
        operations.register(tenant, made, people, by=SYSTEM)
    return made
