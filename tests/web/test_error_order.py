"""COM-23: the summary at the top lists what is wrong in the order of the page, by the names of its fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from portal import create_app
from portal.pages.account.forms import EmailForm
from portal.settings import ROOT, Settings
from tests.support.client import Visitor

Visit = Callable[..., Visitor]
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOO_LONG = "あ" * 10_001


def wrong_fields(page: str) -> list[str]:
    """The ids that the summary links to."""
    summary = page.partition('class="summary"')[2].partition("</ul>")[0]
    links = re.findall(r'<a href="#([^"]+)"', summary)
    return list(dict.fromkeys(link.removesuffix("-0") for link in links))


def marked_fields(page: str) -> list[str]:
    """The ids of the fields that have a message beside them, as they stand on the page."""
    return re.findall(r'class="ferr" id="([^"]+)-e"', page)


PAGES: dict[str, tuple[str, ...]] = {
    "/account/password": (),
    "/account/profile": ("department", "telephone", "family_kana", "account_telephone"),
    "/account/members/new": ("department", "telephone", "family_kana"),
    "/billing-addresses/new": ("department", "person", "telephone", "fax", "building"),
    "/inquiries/new": ("body", "about"),
    "/facility/facilities/LC-01/reservation": ("remarks", "purpose", "headcount"),
}


@ONE
@pytest.mark.parametrize("path", PAGES)
def test_errors_are_listed_in_the_order_of_the_page(visit: Visit, path: str) -> None:
    """COM-23."""
    answer = visit("facility", "hanako").post(path, dict.fromkeys(PAGES[path], TOO_LONG))
    assert answer.status_code == 422
    listed = wrong_fields(answer.text)
    assert len(listed) > 1
    assert listed == marked_fields(answer.text)


@ONE
def test_errors_of_a_registration_are_listed_in_the_order_of_the_page(
    settings: Settings, app: Flask
) -> None:
    """COM-23, MOLD-01: its form is put together from three others."""
    del app
    file = ROOT / "tests" / "security" / "tenants.toml"
    made = create_app(replace(settings, tenants_file=file))
    tenant = next(
        key
        for key, one in made.extensions["tenants"].current().by_key.items()
        if one.sign_in.registration
    )
    answer = Visitor(made, tenant).post("/register", {"department": TOO_LONG, "telephone": "1"})
    assert answer.status_code == 422
    assert wrong_fields(answer.text) == marked_fields(answer.text)


def test_a_new_address_is_asked_for_behind_what_proves_who_asks(app: Flask) -> None:
    """COM-23, SHOP-03: as the page has them."""
    with app.test_request_context(base_url="http://facility.localhost"):
        names = [field.name for field in EmailForm() if field.type != "CSRFTokenField"]
    assert names == ["present", "password", "email", "again"]


@ONE
@pytest.mark.parametrize(("name", "label"), [("telephone", "電話番号"), ("fax", "FAX番号")])
def test_a_wrong_number_is_called_what_its_field_is_called(
    visit: Visit, name: str, label: str
) -> None:
    """COM-23: a fax number is no telephone number."""
    answer = visit("facility", "hanako").post("/billing-addresses/new", {name: "12"})
    assert f"{label}は10桁または11桁の数字で入力してください。" in answer.text
    other = "FAX番号" if name == "telephone" else "電話番号"
    assert f"{other}は10桁または11桁の数字で入力してください。" not in answer.text
