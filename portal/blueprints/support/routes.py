"""The pages of a support desk (SUP-02, SUP-04, SUP-05)."""

from typing import Any

from flask import Blueprint

from portal.blueprints.support import queries
from portal.blueprints.support.models import Contract
from portal.blueprints.support.operations import CONTACTS
from portal.core.tenancy.schema import Tenant
from portal.shared.auth.sessions import SignedIn
from portal.shared.limits import operations as limits
from portal.web.render import render
from portal.web.requests import member, tenant

bp = Blueprint("support", __name__)


def home(here: Tenant, who: SignedIn) -> dict[str, Any]:
    """The my page's own part: the contracts, with how many contacts each has and may have."""
    contracts = queries.contracts(who.account_id)
    uses = limits.uses(here, CONTACTS, contracts)
    return {"contracts": [(one, uses[one.id]) for one in contracts]}


@bp.get("/contracts")
def contracts() -> str:
    """ご契約と担当者."""
    return render("support/contracts.html", **home(tenant(), member()))


@bp.get("/contracts/<number>")
def contract(number: str) -> str:
    """One contract: what it has, who may ask, how many there may be and why."""
    found: Contract = queries.contract(member().account_id, number)
    return render(
        "support/contract.html",
        contract=found,
        units=queries.units(found),
        contacts=queries.contacts(found),
        use=limits.use(tenant(), CONTACTS, found),
    )
