"""MOLD-01: the page behind the mailed link finishes what its reader began, and nobody else's password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from portal import create_app
from portal.core import clock
from portal.core.db import db, session, tenant_scope
from portal.core.outbox import OutboxMail
from portal.settings import ROOT, Settings
from tests.cast import NOW
from tests.support.client import Visitor

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TYPED = {
    "email": "aoki@aoki.example",
    "password": "murasaki-77-hana",
    "again": "murasaki-77-hana",
    "account_name": "青木製作所㈱",
    "family_name": "青木",
    "given_name": "涼",
    "postal_code": "1440035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "南蒲田1-2-3",
    "account_telephone": "0300002001",
    "agreed": "y",
}


@pytest.fixture
def open_brand(settings: Settings, app: Flask) -> Iterator[tuple[Flask, str]]:
    """A brand at which people register by themselves."""
    del app
    made = create_app(replace(settings, tenants_file=ROOT / "tests/security/tenants.toml"))
    tenants = made.extensions["tenants"].current().by_key.values()
    with clock.freeze(NOW):
        yield made, next(one.key for one in tenants if one.sign_in.registration)
    with made.app_context():
        db.engine.dispose()


def mailed_link(app: Flask, tenant: str) -> str:
    """The path of the newest link."""
    with app.app_context(), tenant_scope(tenant):
        newest = select(OutboxMail.body).order_by(OutboxMail.id.desc()).limit(1)
        found = re.search(r"/register/activate/[\w-]+", session().scalars(newest).one())
    assert found
    return found[0]


@ONE
def test_the_browser_that_registered_asks_for_nothing_more(open_brand: tuple[Flask, str]) -> None:
    """MOLD-01: one press."""
    app, tenant = open_brand
    visitor = Visitor(app, tenant)
    assert visitor.post("/register", TYPED).status_code == 303
    link = mailed_link(app, tenant)
    page = visitor.get(link).text
    assert 'type="password"' not in page
    assert "青木製作所㈱" in page
    assert visitor.post(link).location == "/sign-in"


@ONE
def test_another_browser_shows_whose_account_it_is_and_has_a_password_set(
    open_brand: tuple[Flask, str],
) -> None:
    """MOLD-01, COM-12: the address may be that of somebody who never asked."""
    app, tenant = open_brand
    assert Visitor(app, tenant).post("/register", TYPED).status_code == 303
    link, holder = mailed_link(app, tenant), Visitor(app, tenant)
    page = holder.get(link).text
    assert "青木製作所㈱" in page
    assert "青木 涼" in page
    assert page.count('type="password"') == 2
    assert holder.post(link).status_code == 422
    other = {"password": "midori-88-kaze", "again": "midori-88-kaz"}
    assert "パスワードが一致しません。" in holder.post(link, other).text
    assert holder.post(link, other | {"again": other["password"]}).location == "/sign-in"
    for password, status in ((TYPED["password"], 422), (other["password"], 303)):
        entered = Visitor(app, tenant).post(
            "/sign-in", {"email": TYPED["email"], "password": password}
        )
        assert entered.status_code == status
