"""tenants.toml as types: defaults, modules, rules of single keys (OPS-01, COM-03, COM-04)."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from portal.blueprints import BRANDS
from portal.blueprints.facility.config import FacilityConfig
from portal.config.checks import check_digit, contrast
from portal.config.config_errors import walk
from portal.config.module_config import ModuleConfig
from portal.config.registry import Registry
from portal.config.schema import Tenant, json_schema, tenant_type, theme_css
from portal.config.schema_parts import Calendar, PaymentTerms, Theme
from portal.settings import ROOT
from portal.web.brand import module_configs
from scripts.reference import reference_markdown

FIVE_LINES = """[tenants.atelier]
name = "こもれび工房"
modules = ["facility"]
contact.telephone = "03-0000-0000"
contact.hours = "平日 9:00〜17:00"
"""


class NeedsColour(BaseModel):
    colour: str


def make(**keys: Any) -> Tenant:
    kind = tenant_type(
        [
            *module_configs([]),
            ModuleConfig(key="facility", section=FacilityConfig),
            ModuleConfig(key="needy", section=NeedsColour),
        ]
    )
    return kind.model_validate({"key": "atelier", "name": "こもれび工房"} | keys)


def test_five_lines_make_a_working_tenant(tmp_path) -> None:
    """OPS-01."""
    path = tmp_path / "tenants.toml"
    path.write_text(FIVE_LINES, encoding="utf-8")
    tenant = (
        Registry(path, "portal.example", tenant_type(module_configs(BRANDS)))
        .current()
        .by_key["atelier"]
    )
    assert (tenant.company, tenant.subdomain, tenant.theme.mark) == (
        "こもれび工房",
        "atelier",
        "こ",
    )
    assert tenant.mail.name == tenant.issuer.name == "こもれび工房"
    assert tenant.mail.address == "no-reply@atelier.portal.example"
    assert tenant.issuer.telephone == "03-0000-0000"
    assert tenant.sign_in.items == "email_password"
    assert tenant.numbers["reservation"].prefix == "R"
    assert tenant.limits["members"] == 50
    assert [(rate.rate, rate.reduced) for rate in tenant.tax.rates] == [(10, False), (8, True)]
    assert tenant.terms == PaymentTerms(closing_day=31, months=1, shift="none")
    assert tenant.section("facility") == FacilityConfig()


def test_what_is_given_for_a_part_of_a_table_leaves_the_rest_as_usual() -> None:
    tenant = make(numbers={"invoice": {"digits": 6}}, limits={"members": 3}, theme={"radius": 0})
    assert (tenant.numbers["invoice"].prefix, tenant.numbers["invoice"].digits) == ("INV", 6)
    assert tenant.numbers["receipt"].prefix == "RC"
    assert tenant.limits == {**type(tenant).declared.limits, "members": 3}
    assert (tenant.theme.mark, tenant.theme.brand) == ("こ", Theme().brand)


def test_a_feature_is_on_until_it_is_switched_off() -> None:
    """COM-03."""
    tenant = make(features={"notices": False})
    assert (tenant.has("notices"), tenant.has("inquiries")) == (False, True)
    with pytest.raises(KeyError):
        tenant.has("notises")


def test_a_module_that_is_off_has_no_section() -> None:
    """COM-03."""
    with pytest.raises(LookupError, match="facility"):
        make().section("facility")


def test_a_module_whose_section_has_no_defaults_needs_its_table() -> None:
    with pytest.raises(ValidationError, match=r"needy\.colour"):
        make(modules=["needy"])
    assert make(modules=["needy"], needy={"colour": "red"}).section("needy").colour == "red"


def test_no_module_can_take_the_name_of_another_key() -> None:
    with pytest.raises(ValueError, match="theme"):
        tenant_type([ModuleConfig(key="theme", section=FacilityConfig)])


def test_a_tenant_cannot_be_changed() -> None:
    tenant = make()
    with pytest.raises(ValidationError):
        tenant.name = "別の名前"  # type: ignore[misc]


def test_references_to_the_environment_stay_as_written() -> None:
    assert (
        make(needy={"colour": "env:COLOUR"}, modules=["needy"]).section("needy").colour
        == "env:COLOUR"
    )


def test_the_calendar_knows_weekdays_holidays_and_closures() -> None:
    calendar = Calendar.model_validate(
        {
            "weekly_closed": ["sun"],
            "closed": [{"name": "夏季休業", "first": date(2027, 8, 12), "last": date(2027, 8, 14)}],
        }
    )
    days = [date(2027, 8, day) for day in (7, 8, 10, 11, 12, 14, 16)]
    assert [calendar.is_open(day) for day in days] == [True, False, True, False, False, False, True]


@pytest.mark.parametrize(
    ("twelve", "digit"), [("000012050002", "7"), ("999901000001", "7"), ("000000000000", "9")]
)
def test_the_check_digit_of_a_corporate_number(twelve: str, digit: str) -> None:
    assert check_digit(twelve) == digit


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),
        ("#0000FF", "#ffffff", 8.59),
    ],
)
def test_contrast_is_reckoned_as_wcag_says(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert contrast(other, one) == contrast(one, other)


def test_the_theme_sheet_sets_the_five_properties_and_nothing_else() -> None:
    """COM-04."""
    tenant = make(theme={"brand": "#123456", "radius": 3})
    assert theme_css(tenant) == (
        ":root{--brand:#123456;--brand-strong:#083767;--brand-weak:#e8f0fa;--on-brand:#ffffff;--radius:3px}"
    )


def test_every_key_says_what_it_means() -> None:
    silent = [
        f"{table}.{name}"
        for table, name, field in walk(tenant_type(module_configs(BRANDS)))
        if not field.description
    ]
    assert silent == []


def test_the_json_schema_knows_modules_and_not_the_key_itself() -> None:
    """OPS-04."""
    schema = json_schema(tenant_type(module_configs(BRANDS)))
    tenant = schema["$defs"]["Tenant"]
    assert tenant["required"] == ["name"]
    assert "key" not in tenant["properties"]
    assert tenant["properties"]["modules"]["items"]["enum"] == [brand.key for brand in BRANDS]


def test_the_reference_is_up_to_date() -> None:
    """OPS-01: docs/tenants-reference.md is what scripts/reference.py writes."""
    written = (ROOT / "docs" / "tenants-reference.md").read_text(encoding="utf-8")
    assert written == reference_markdown(tenant_type(module_configs(BRANDS)))


def test_the_reference_shows_the_five_lines_that_work() -> None:
    assert FIVE_LINES in reference_markdown(tenant_type(module_configs(BRANDS)))
