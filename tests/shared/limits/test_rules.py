"""SUP-02, SUP-03, COM-40: every row and example of the table, against `tenants.toml` as shipped."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.blueprints import BRANDS
from portal.config.registry import read_file
from portal.config.schema import Tenant, tenant_type
from portal.settings import ROOT
from portal.shared.limits.rules import Facts, Step, calculate
from portal.web.brand import module_configs

NAME = "contract_contacts"
OPTION = {"option": ["入退差異オプション"]}
INCLUDED = [
    "経費",
    "債権債務申請",
    "仕訳伝票申請",
    "現金出納帳",
    "固定資産申請",
    "グループウェア",
    "ワークフロー",
]


@pytest.fixture(scope="module")
def support() -> Tenant:
    """The support brand as shipped."""
    reading = read_file(ROOT / "tenants.toml", "localhost", tenant_type(module_configs(BRANDS)))
    assert reading.mistakes == ()
    return reading.tenants.by_key["support"]


def facts(product: str, apps: list[str] | None = None, **more) -> Facts:
    units = {"app": apps or [], **more.pop("units", {})}
    return Facts({"product": product}, units, **more)


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        pytest.param(facts("manage"), 4, id="manage"),
        pytest.param(
            facts("manage", ["勤怠", "工数"], units={"option": ["入退差異オプション"]}),
            6,
            id="options do not count",
        ),
        pytest.param(facts("manage", INCLUDED), 11, id="manage includes no app"),
        pytest.param(facts("manage-ac"), 11, id="ManageAC"),
        pytest.param(
            facts("manage-ac", ["勤怠", "工数", "給与"]), 14, id="ManageAC and three apps besides"
        ),
        pytest.param(
            facts("manage-ac", [*INCLUDED, "勤怠"]), 12, id="an included app is never counted twice"
        ),
        pytest.param(facts("manage-ac-smart"), 7, id="ManageACスマート"),
        pytest.param(
            facts("manage-ac-smart", INCLUDED),
            11,
            id="the first three are included, the others not",
        ),
        pytest.param(facts("data-link"), 2, id="データ連携"),
        pytest.param(
            facts("data-link", units={"connection": ["給与", "銀行"]}),
            4,
            id="two connections are two more",
        ),
        pytest.param(facts("data-link", ["勤怠"]), 2, id="apps do not count with connections"),
        pytest.param(
            facts("erp-hosting", ["勤怠"], units={"connection": ["銀行"]}), 2, id="ERPホスティング"
        ),
        pytest.param(facts("something-else"), 2, id="a product that no formula is for"),
    ],
)
def test_the_number_of_contacts_is_the_tables(support, what, limit):
    """SUP-02"""
    assert calculate(support, NAME, what).limit == limit


@pytest.mark.parametrize(
    "product", ["manage", "manage-ac", "manage-ac-smart", "data-link", "erp-hosting"]
)
def test_exactly_one_is_in_charge(support, product):
    """SUP-02, SUP-04"""
    assert calculate(support, NAME, facts(product)).exactly_one == "主担当"


@pytest.mark.parametrize(
    ("form", "at_first"),
    [
        (date(2022, 9, 30), 14),
        (date(2022, 9, 1), 14),
        (date(2022, 10, 1), 4),
        (date(2026, 1, 1), 4),
        (None, 14),
    ],
)
def test_the_first_registration_goes_by_the_forms_day(support, form, at_first):
    """SUP-03: forms of September 2022 and before the full number, later ones the base; the limit is the same."""
    found = calculate(support, NAME, facts("manage-ac", ["勤怠", "工数", "給与"], form=form))
    assert (found.at_first, found.limit) == (at_first, 14)


def test_each_step_is_named(support):
    """COM-41, COM-44: why there are so many, with the names of what was counted."""
    found = calculate(support, NAME, facts("manage-ac", ["勤怠", "経費", "工数"]))
    assert found.steps == (
        Step("基本", 4),
        Step("製品に含まれるアプリ", 7),
        Step("そのほかのアプリ", 2, ("勤怠", "工数")),
    )
    assert calculate(support, "members", Facts()).steps == (Step("登録上限", 50),)


@given(
    st.lists(st.sampled_from([*INCLUDED, "勤怠", "工数", "給与"]), unique=True), st.integers(0, 20)
)
def test_more_units_never_give_less(apps, connections):
    """SUP-02: and units of another kind change nothing."""
    reading = read_file(ROOT / "tenants.toml", "localhost", tenant_type(module_configs(BRANDS)))
    tenant = reading.tenants.by_key["support"]
    units = {"connection": [str(n) for n in range(connections)]}
    for product in ("manage", "manage-ac", "manage-ac-smart"):
        with_apps = calculate(tenant, NAME, facts(product, apps, units=units)).limit
        assert (
            calculate(tenant, NAME, facts(product)).limit
            <= with_apps
            <= calculate(tenant, NAME, facts(product)).limit + len(apps)
        )
    assert calculate(tenant, NAME, facts("data-link", units=units)).limit == 2 + connections
