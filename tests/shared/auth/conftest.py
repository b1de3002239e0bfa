"""What the tests of the rules behind sign-in share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.core.db import session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth.models import Member


@pytest.fixture
def brand(app: Flask) -> Tenant:
    """The first brand's configuration; ``model_copy(update=…)`` makes one with other rules of it."""
    tenant: Tenant = app.extensions["tenants"].current().by_key["facility"]
    return tenant


@pytest.fixture
def here(inside: Callable[[str], Any]) -> Iterator[None]:
    """Work at the first brand."""
    with inside("facility"):
        yield


@pytest.fixture
def member(here: None) -> Callable[[str], Member]:
    """A member of the brand in scope by login ID, as the database has them now."""

    def find(login_id: str = "hanako") -> Member:
        session().expire_all()
        return session().scalars(select(Member).where(Member.login_id == login_id)).one()

    return find
