"""What modules declare of tenants.toml, put together (OPS-01)."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from portal.blueprints import BRANDS
from portal.config.module_config import ModuleConfig, put_together
from portal.config.schema import tenant_type
from portal.config.schema_base import Section
from portal.web.brand import module_configs

MEAL = {"key": "cafe", "name": "喫茶こもれび"}


class Menu(Section):
    """The menu."""


def test_a_feature_is_known_where_a_module_declares_it() -> None:
    """OPS-01, COM-03: and to no other kind of tenant."""
    kind = tenant_type([ModuleConfig(features={"terrace": False})])
    assert not kind.model_validate(MEAL).has("terrace")
    assert kind.model_validate(MEAL | {"features": {"terrace": True}}).has("terrace")
    with pytest.raises(ValidationError, match="there are: none"):
        tenant_type([]).model_validate(MEAL | {"features": {"terrace": True}})


def test_limits_and_numbers_are_those_that_modules_declare() -> None:
    """OPS-01, COM-40, COM-72"""
    kind = tenant_type([ModuleConfig(limits={"seats": 8}, numbers={"order": "OR"})])
    tenant = kind.model_validate(MEAL)
    assert tenant.limits == {"seats": 8}
    assert tenant.numbers["order"].prefix == "OR"
    with pytest.raises(ValidationError, match="did you mean 'seats'"):
        kind.model_validate(MEAL | {"limits": {"seat": 3}})
    with pytest.raises(ValidationError, match="did you mean 'seats'"):
        kind.model_validate(MEAL | {"formulas": {"seat": [{"base": 3}]}})


def test_a_number_is_given_out_by_the_brands_that_declare_it_or_by_all() -> None:
    """OPS-02, COM-72"""
    declared = put_together(
        [
            ModuleConfig(numbers={"receipt": "RC"}),
            ModuleConfig(key="cafe", section=Menu, numbers={"order": "OR"}),
            ModuleConfig(key="bar", section=Menu, numbers={"order": "OR"}),
        ]
    )
    assert declared.numbered_by == {"order": frozenset({"cafe", "bar"})}


@pytest.mark.parametrize("kind", ["features", "limits", "numbers"])
def test_two_modules_that_disagree_about_a_name_are_refused(kind: str) -> None:
    """OPS-01: neither would know what holds."""
    values = {"features": (True, False), "limits": (1, 2), "numbers": ("A", "B")}[kind]
    modules = [ModuleConfig(**{kind: {"same": value}}) for value in values]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two modules declare 'same'"):
        put_together(modules)


def test_what_brands_and_shared_modules_declare_is_all_there() -> None:
    """COM-03, COM-04, COM-40, COM-72"""
    declared = put_together(module_configs(BRANDS))
    assert declared.features == {
        "notices": True,
        "inquiries": True,
        "contacts": True,
        "billing_addresses": True,
        "delivery_addresses": False,
        "document_links": False,
        "chat": False,
        "knowledge": False,
    }
    assert declared.limits == {
        "members": 50,
        "billing_addresses": 20,
        "delivery_addresses": 20,
        "chats": 3,
        "contract_contacts": 2,
        "contract_chats": 3,
    }
    assert declared.numbered_by == {
        "reservation": frozenset({"facility"}),
        "application": frozenset({"rental"}),
        "order": frozenset({"shop", "molds"}),
        "quote": frozenset({"shop", "molds"}),
        "contract": frozenset({"support"}),
    }
    assert declared.texts == (
        "privacy",
        "terms",
        "commerce",
        "withdrawal",
        "accessibility",
        "purposes",
    )
