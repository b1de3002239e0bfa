"""Two customers of the desk: one with a contract of "manage", one of "data-link"; articles are put by their files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from portal.blueprints.support import operations as contracts
from portal.blueprints.support import queries
from portal.config.schema import Tenant
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.knowledge import operations
from portal.shared.knowledge.models import Article
from portal.shared.knowledge.operations import Written
from tests.cast import PASSWORD

BASE = "http://desk.localhost"


@pytest.fixture
def tenant(app) -> Tenant:
    """The desk."""
    found: Tenant = app.extensions["tenants"].current().by_key["desk"]
    return found


@pytest.fixture
def people(inside, tenant) -> dict[str, int]:
    """The members by product: 花子 has "manage", 一郎 "data-link", 次郎 nothing."""
    hashed, found = passwords.hash_password(PASSWORD), {}
    with inside("desk"):
        for name, product in (("hanako", "manage"), ("ichiro", "data-link"), ("jiro", "")):
            account = accounts.add_account(tenant, by=SYSTEM, name=f"株式会社{name}")
            person = Person("担当", name, f"{name}@one.example", is_representative=True)
            member = accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
            session().flush()
            found[name] = member.id
            if product:
                contracts.add_contract(tenant, account, product, date(2026, 1, 1), by=SYSTEM)
        session().commit()
    return found


@pytest.fixture
def desk(inside, people):
    """Inside the desk's scope, its people there."""
    with inside("desk"):
        yield people


@pytest.fixture
def put(desk) -> Callable[..., Article]:
    """Publish an article: ``put("打刻の修正", "本文")``."""

    def make(
        title: str, body: str = "本文", key: str = "", products: tuple[str, ...] = (), **more
    ) -> Article:
        place = more.pop("category", "勤怠"), more.pop("section", "打刻")
        written = Written(key or title, *place, title, products, body)
        article, _said = operations.put(written, by=SYSTEM, **more)
        session().commit()
        return article

    return make


@pytest.fixture
def products():
    """What accounts have, as the brand answers."""
    return queries.products


def account_of(member_id: int) -> int:
    """The account of a member."""
    return session().get_one(Member, member_id).account_id
