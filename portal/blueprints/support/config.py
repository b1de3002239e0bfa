"""What a tenant decides about its support desk: ``[tenants.KEY.support]``."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from portal.blueprints.support.models import Role, UnitKind
from portal.config.formulas import LimitFacts
from portal.config.schema_base import Each, Flag, Name, Section


class Product(Section):
    """Something that is supported."""

    key: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,29}$",
        description="Small letters, digits and hyphens; never changes.",
    )
    label: Name = Field(description="As customers read it.")


class SupportConfig(Section):
    """What is supported, and what contacts look after. How many there may be is said by
    formulas.contract_contacts.
    """

    products: tuple[Product, ...] = Field(
        default=(),
        max_length=50,
        description="What contracts are of, one [[…support.products]] each.",
    )
    duties: Each[Name] = Field(
        default=("システム担当", "業務担当", "契約担当"),
        description="What a contact may look after (SUP-04).",
    )

    self_service: Flag = Field(
        False,
        description="Whether the 主担当 changes the contacts on the page; otherwise the desk does "
        "(SUP-05).",
    )

    @classmethod
    def limit_facts(cls, table: Mapping[str, Any]) -> dict[str, LimitFacts]:
        """What formulas of contract_contacts may speak of, by the table in the file."""
        # Read before the types have been checked: what is no list of tables is reported by them.
        listed = table.get("products")
        products = listed if isinstance(listed, list) else []
        keys = [str(product.get("key")) for product in products if isinstance(product, dict)]
        kinds = [kind.value for kind in UnitKind]
        return {"contract_contacts": LimitFacts({"product": keys}, kinds, [Role.MAIN.label])}

    def product(self, key: str) -> Product | None:
        """The product with this key, or None."""
        return next((product for product in self.products if product.key == key), None)
