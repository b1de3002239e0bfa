"""Who stands on a document: the brand that issues it, and whom it is for (COM-33, COM-70)."""

from collections.abc import Mapping
from datetime import date
from typing import TypedDict

from portal.config import Tenant
from portal.core import clock, text
from portal.shared.documents.content import Issuer, Party


class Heads(TypedDict):
    """What every document begins with."""

    number: str
    issued_on: date
    recipient: Party
    issuer: Issuer


def heads(tenant: Tenant, billing: Mapping[str, str], contact: Mapping[str, str]) -> Heads:
    """What every document begins with; its number is given when it is issued."""
    return {
        "number": "",
        "issued_on": clock.today(),
        "recipient": recipient_of(billing, contact),
        "issuer": issuer_of(tenant),
    }


def issuer_of(tenant: Tenant) -> Issuer:
    """The tenant as the issuer of documents."""
    known = tenant.issuer.model_dump(exclude={"kind"}, exclude_none=True)
    # The company's legal name; the brand's, which customers know, need not be one.
    known["name"] = known["name"] or tenant.company
    return Issuer(**known, accent=tenant.theme.brand_strong)


def recipient_of(billing: Mapping[str, str], contact: Mapping[str, str]) -> Party:
    """Whom the documents are for: the billing address as it was copied (COM-33).

    An individual, who is their own contact person, is named once, with 様. A department that ends
    the company's name already is not named again.
    """
    name = billing["name"]
    honorific = billing.get("honorific", "御中")
    department = billing.get("department", "")
    person = billing.get("person", "")
    if _without_blanks(name) in (_without_blanks(person), _without_blanks(contact.get("name", ""))):
        honorific = "様"
        person = ""
    if department and name.endswith(department):
        department = ""
    return Party(
        name=name,
        honorific=honorific,
        postal_code=text.format_postal_code(billing.get("postal_code", "")),
        address=billing.get("address", ""),
        department=department,
        person=person,
    )


def _without_blanks(name: str) -> str:
    return text.search_key(name).replace(" ", "")
