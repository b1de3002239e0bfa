"""What a tenant switches off is absent (COM-03)."""

from __future__ import annotations

import pytest

from portal import create_app
from portal.core.db import db
from tests.cast import PASSWORD
from tests.support.client import Visitor

PLACES = {
    "notices": "/notices",
    "contacts": "/account/members",
    "billing_addresses": "/billing-addresses",
    "inquiries": "/inquiries/new",
}


@pytest.fixture
def without(settings, tmp_path, cheap_passwords):
    """A visitor of a portal whose facility brand has one feature off."""
    apps = []

    def make(feature: str) -> Visitor:
        text = settings.tenants_file.read_text()
        head = "[tenants.facility]\n"
        changed = tmp_path / "tenants.toml"
        changed.write_text(text.replace(head, f"{head}features.{feature} = false\n"))
        app = create_app(type(settings)(**{**vars(settings), "tenants_file": changed}))
        apps.append(app)
        visitor = Visitor(app, "facility")
        visitor.sign_in("hanako", PASSWORD)
        return visitor

    yield make
    for app in apps:
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize("feature", PLACES)
def test_a_feature_that_is_off_has_no_page_and_no_link_COM_03(without, feature):
    visitor = without(feature)
    assert visitor.get(PLACES[feature]).status_code == 404
    assert f'href="{PLACES[feature]}"' not in visitor.get("/account/profile").text


@pytest.mark.parametrize("feature", PLACES)
def test_a_feature_that_is_on_has_both_COM_03(visit, feature):
    visitor = visit("facility", "hanako")
    assert visitor.get(PLACES[feature]).status_code == 200
    assert f'href="{PLACES[feature]}"' in visitor.get("/account/profile").text


def test_a_brands_pages_are_absent_where_its_module_is_off_COM_03(visit):
    assert visit("shop").get("/facility/reservations").status_code == 404
