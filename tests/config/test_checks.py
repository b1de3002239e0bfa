"""What types cannot say of a tenants file: legible colours, hosts of one brand only, likely slips (OPS-02)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.blueprints import BRANDS
from portal.config import checks, formulas
from portal.config.checks import LEAST_CONTRAST, contrast
from portal.config.formulas import LimitFacts
from portal.config.schema import tenant_type
from portal.config.schema_parts import Theme
from portal.core import clock
from portal.web.brand import module_configs
from tests.cast import NOW

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
KIND = tenant_type(module_configs(BRANDS))
PARTS = ("brand", "brand_strong", "brand_weak", "on_brand")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | COLOURS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=3)
    ),
    max_leaves=5,
)
SECTIONS = st.dictionaries(
    st.sampled_from(
        [
            "theme",
            "issuer",
            "sign_in",
            "contact",
            "modules",
            "numbers",
            "tax",
            "formulas",
            "support",
            "mail",
            "status",
            "subdomain",
            "domains",
            "molds",
        ]
    ),
    ANYTHING,
)


def keys(found: Any) -> list[str]:
    return [".".join(map(str, path)) for path, _message in found]


@pytest.mark.parametrize(
    ("theme", "told"),
    [
        ({}, []),
        ({"radius": 3}, []),
        ({"brand": "#000000", "brand_strong": "#000000"}, []),
        ({"brand": "#ffffff"}, ["theme.on_brand", "theme.brand", "theme.brand"]),
        ({"on_brand": "#000000"}, ["theme.on_brand", "theme.on_brand"]),
        ({"brand_weak": "#000000"}, ["theme.brand_weak", "theme.brand_weak"]),
        ({"brand_strong": "#e8f0fa"}, ["theme.brand_strong", "theme.brand_strong"]),
        ({"brand": "no colour"}, []),
        ({"brand": 3, "on_brand": ["#ffffff"]}, []),
    ],
)
def test_each_pair_that_cannot_be_read_is_told_at_a_key_that_was_given(
    theme: dict[str, Any], told: list[str]
) -> None:
    """OPS-02: usual colours count where none are given; what is no colour is the types' affair."""
    found = keys(checks.illegible({"theme": theme}))
    assert [key.replace("on_brand", "brand") for key in found] == [
        key.replace("on_brand", "brand") for key in told
    ]
    assert {key.removeprefix("theme.") for key in found} <= theme.keys()


@given(st.dictionaries(st.sampled_from(PARTS), COLOURS))
@settings(max_examples=50)
def test_a_theme_is_told_exactly_when_one_of_its_pairs_is_below_the_least_contrast(
    theme: dict[str, str],
) -> None:
    """OPS-02: WCAG 2.2 AA."""
    all_of = {**{part: getattr(Theme(), part) for part in PARTS}, "white": "#ffffff", **theme}
    pairs = [("on_brand", "brand"), ("on_brand", "brand_strong"), ("brand", "white")]
    pairs += [("brand", "brand_weak"), ("brand_strong", "brand_weak")]
    bad = [pair for pair in pairs if contrast(all_of[pair[0]], all_of[pair[1]]) < LEAST_CONTRAST]
    said = [message for _path, message in checks.illegible({"theme": theme})]
    assert len(said) == len(bad)
    assert all(
        f"{one} {all_of[one]} on {other}" in text
        for (one, other), text in zip(bad, said, strict=True)
    )


def test_a_contrast_just_below_is_never_shown_as_if_it_were_enough() -> None:
    """OPS-02: 4.4966 is told as 4.49, not as 4.50."""
    close = next(
        f"#{value:06x}"
        for value in range(0x700000, 0xFFFFFF, 7)
        if 4.495 <= contrast(f"#{value:06x}", "#ffffff") < 4.5
    )
    said = dict(checks.illegible({"theme": {"brand": close}}))[("theme", "brand")]
    assert "4.50" not in said
    assert any(
        "contrast of 4.49:1" in text
        for _path, text in checks.illegible({"theme": {"brand": close}})
    )


@pytest.mark.parametrize(
    ("section", "claimed"),
    [
        ({}, {"atelier.portal.example": "subdomain"}),
        ({"subdomain": "koubou"}, {"koubou.portal.example": "subdomain"}),
        (
            {"domains": ["my.example", "your.example"]},
            {
                "atelier.portal.example": "subdomain",
                "my.example": "domains.0",
                "your.example": "domains.1",
            },
        ),
        ({"status": "maintenance"}, {"atelier.portal.example": "subdomain"}),
        ({"status": "retired", "domains": ["my.example"]}, {}),
        ({"domains": "my.example"}, {"atelier.portal.example": "subdomain"}),
    ],
)
def test_a_brand_claims_its_subdomain_and_its_domains_unless_it_is_retired(
    section: dict[str, Any], claimed: dict[str, str]
) -> None:
    """COM-01, OPS-05: each with the key that claims it."""
    found = checks.hosts("atelier", section, "portal.example")
    assert {host: ".".join(map(str, path)) for host, path in found} == claimed


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({}, []),
        ({"sign_in": {"password": {"preset": "default"}}}, []),
        ({"sign_in": {"password": {"preset": "legacy-8-12"}}}, ["sign_in.password.preset"]),
        ({"sign_in": {"password": {"preset": ["legacy-8-12"]}}}, []),
        ({"sign_in": {"password": {"min_length": 8}}}, []),
        (
            {"sign_in": {"password": {"min_length": 8, "required": ["digit"]}}},
            ["sign_in.password.min_length"],
        ),
        ({"sign_in": {"password": {"max_length": 40}}}, ["sign_in.password.max_length"]),
        ({"sign_in": {"forgot": "mail"}}, []),
        ({"sign_in": {"forgot": "operator"}}, ["contact.telephone"]),
        ({"sign_in": {"forgot": "operator"}, "contact": {"telephone": ""}}, ["contact.telephone"]),
        ({"sign_in": {"forgot": "operator"}, "contact": {"telephone": "03-0000-0000"}}, []),
        ({"sign_in": "operator", "contact": 3, "issuer": []}, []),
    ],
)
def test_what_works_and_is_likely_not_meant_is_told(
    section: dict[str, Any], told: list[str]
) -> None:
    """OPS-02: as a warning; what the types refuse anyway is not told twice."""
    assert keys(checks.doubtful(section)) == told


@pytest.mark.parametrize(
    ("issuer", "told"),
    [
        ({"registration_number": "T7000012050002"}, []),
        ({"registration_number": "T1000012050002"}, ["issuer.registration_number"]),
        ({"registration_number": "T1000012050002", "kind": "sole_proprietor"}, []),
        ({"registration_number": "T100001205000"}, []),
        ({"registration_number": 7000012050002}, []),
        ([], []),
    ],
)
def test_a_wrong_digit_in_the_number_of_a_company_is_told(issuer: Any, told: list[str]) -> None:
    """OPS-02, domain facts: a sole proprietor's number follows no rule, and says so by its kind."""
    assert keys(checks.wrong_check_digit({"issuer": issuer})) == told


@pytest.mark.parametrize(
    ("modules", "prefixes", "told"),
    [
        ([], {}, []),
        (["facility"], {"reservation": "FR", "invoice": "FI"}, []),
        ([], {"invoice": "RC"}, ["numbers.invoice.prefix"]),
        ([], {"invoice": "X", "receipt": "X"}, ["numbers.receipt.prefix"]),
        ([], {"invoice": "X", "receipt": "X1"}, ["numbers.receipt.prefix"]),
        ([], {"invoice": "EC", "receipt": "ECQ"}, []),
        (["shop"], {"quote": "EC"}, ["numbers.quote.prefix"]),
        ([], {"inquiry": "EC"}, []),
        (["shop"], {"order": "EC", "quote": "ECQ"}, []),
        (["facility"], {"reservation": "A"}, []),
        (["facility"], {"reservation": "INV"}, ["numbers.reservation.prefix"]),
        ("shop", {"quote": 3}, []),
    ],
)
def test_numbers_of_two_kinds_that_could_be_the_same_are_told(
    modules: Any, prefixes: dict[str, Any], told: list[str]
) -> None:
    """OPS-02, COM-72: with the usual prefixes of the other kinds that the tenant gives out."""
    numbers = {kind: {"prefix": prefix} for kind, prefix in prefixes.items()}
    assert (
        keys(checks.same_numbers({"modules": modules, "numbers": numbers}, KIND.declared)) == told
    )


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ([{"rate": 10, "since": date(2019, 10, 1)}], []),
        ([{"rate": 12, "since": date(2027, 4, 1)}], ["tax.rates"]),
        ([{"rate": 10, "since": NOW.date()}], []),
        ([{"rate": 10, "since": NOW.date() + timedelta(days=1)}], ["tax.rates"]),
        (
            [
                {"rate": 8, "reduced": True, "since": date(2019, 10, 1)},
                {"rate": 12, "since": date(2027, 4, 1)},
            ],
            ["tax.rates"],
        ),
        ([{"rate": 12, "since": "2027-04-01"}], []),
        ({"rate": 12}, []),
        ([3], []),
    ],
)
def test_a_tax_table_that_begins_in_the_future_is_told(rates: Any, told: list[str]) -> None:
    """OPS-02, COM-71: nothing could be billed until then."""
    with clock.freeze(NOW):
        assert keys(checks.untaxed_today({"tax": {"rates": rates}})) == told


def test_mail_that_comes_in_for_two_brands_is_told_at_the_second() -> None:
    """OPS-02, SUP-12: whatever the case of its letters; a retired brand reads none."""
    one = {"mail": {"inbound": "Desk@one.example"}}
    two = {"mail": {"inbound": "desk@One.example"}}
    assert keys(checks.inbound({"one": one, "two": two})) == ["tenants.two.mail.inbound"]
    assert keys(checks.inbound({"one": one | {"status": "retired"}, "two": two})) == []
    assert keys(checks.inbound({"one": {"mail": 3}, "two": {"mail": {"inbound": 3}}})) == []


FACTS = LimitFacts({"product": ["manage", "data-link"]}, ["app", "connection"], ["主担当"])


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ({"base": 4, "when": {"product": "manage"}, "exactly_one": "主担当"}, []),
        ({"base": 4, "when": {"product": "mange"}}, ["when.product"]),
        ({"base": 4, "when": {"produkt": "manage"}}, ["when.produkt"]),
        ({"base": 4, "per": [{"unit": "apps"}]}, ["per.0.unit"]),
        ({"base": 4, "exactly_one": "主任"}, ["exactly_one"]),
        ({"base": 0}, ["base"]),
        ({"base": 0, "extras": [{"count": 0}]}, ["base"]),
        ({"base": 0, "extras": [{"count": 3}]}, []),
        ({"base": 0, "per": [{"unit": "app"}]}, []),
        ({"base": 0, "per": [{"unit": "app"}], "exactly_one": "主担当"}, ["base"]),
        ({"base": "0", "per": 3, "when": 3, "extras": 3}, []),
    ],
)
def test_a_formula_that_nobody_can_satisfy_is_told(
    formula: dict[str, Any], told: list[str]
) -> None:
    """OPS-02, SUP-02: and one for a product, a kind of unit or a role that there is not."""
    section = {"modules": ["support"], "formulas": {"contract_contacts": [formula]}}
    known = {"support": lambda _table: {"contract_contacts": FACTS}}
    found = keys(formulas.impossible(section, known))
    assert found == [f"formulas.contract_contacts.0.{key}" for key in told]
    assert keys(formulas.impossible(section | {"modules": []}, known)) == []


def test_limits_of_accounts_know_no_products() -> None:
    """OPS-02: an account is not of a product, so such a formula would never count."""
    section = {"formulas": {"members": [{"base": 3, "when": {"product": "manage"}}, {"base": 2}]}}
    assert keys(formulas.impossible(section, {})) == ["formulas.members.0.when.product"]


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({}, []),
        ({"molds": {}, "modules": ["molds"]}, []),
        ({"molds": {}, "modules": []}, ["molds"]),
        ({"molds": {}, "shop": {}}, ["molds", "shop"]),
        ({"molds": {}, "modules": "molds"}, []),
        ({"theme": {}}, []),
    ],
)
def test_a_table_that_nothing_reads_is_told(section: dict[str, Any], told: list[str]) -> None:
    """COM-03: with how to switch its module on."""
    found = list(checks.sections_of_absent_modules(section, ("molds", "shop")))
    assert keys(found) == told
    assert all(f"add {path[0]!r} to modules" in message for path, message in found)


@given(st.text("0123456789", min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 8))
@settings(max_examples=50)
def test_the_check_digit_is_1_to_9_and_notices_one_wrong_digit(
    twelve: str, place: int, off: int
) -> None:
    """法人番号: any single digit that is wrong (and not by nine) shows."""
    assert checks.check_digit(twelve) in "123456789"
    wrong = f"{twelve[:place]}{(int(twelve[place]) + off) % 10}{twelve[place + 1 :]}"
    differs = (int(wrong[place]) - int(twelve[place])) * (1 + (11 - place) % 2) % 9 != 0
    assert (checks.check_digit(wrong) != checks.check_digit(twelve)) is differs


@given(SECTIONS)
@settings(max_examples=50)
def test_checks_look_at_any_section_without_an_error(section: dict[str, Any]) -> None:
    """OPS-03: they see what stands in the file, before the types have seen it."""
    for path, message in (
        *checks.illegible(section),
        *checks.doubtful(section),
        *checks.sections_of_absent_modules(section, ("molds",)),
        *checks.wrong_check_digit(section),
        *checks.same_numbers(section, KIND.declared),
        *checks.untaxed_today(section),
        *checks.inbound({"atelier": section}),
        *formulas.impossible(section, KIND.limit_facts),
    ):
        assert path
        assert message
    assert all(
        isinstance(host, str) for host, _path in checks.hosts("atelier", section, "portal.example")
    )
