"""What the tests of the rules behind sign-in share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.config.schema import Tenant
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from portal.shared.auth import sessions
from portal.shared.auth.sessions import Client, SignedIn


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


@pytest.fixture
def signed_in(member: Callable[[str], Member]) -> Callable[..., SignedIn]:
    """A member as a request of theirs has them: in a session of their own that has just begun, or in `token`'s."""

    def make(login_id: str = "hanako", token: str = "") -> SignedIn:
        token = token or sessions.open_session(
            member(login_id).id, Client(), lifetime=timedelta(hours=1)
        )
        session().commit()
        found = sessions.look_up(token, idle_minutes=60)
        assert found
        return found

    return make


@pytest.fixture
def having(brand: Tenant) -> Callable[..., Tenant]:
    """The first brand with other rules of sign-in, and other keys as ``tenant={…}``."""

    def make(*, tenant: dict[str, Any] | None = None, **rules: Any) -> Tenant:
        sign_in = brand.sign_in.model_copy(update=rules)
        return brand.model_copy(update={"sign_in": sign_in, **(tenant or {})})

    return make


@pytest.fixture
def letters(here: None) -> Callable[..., list[OutboxMail]]:
    """The brand's mails of an event, the newest first."""

    def read(event: str) -> list[OutboxMail]:
        stored = select(OutboxMail).where(OutboxMail.event == event)
        return list(session().scalars(stored.order_by(OutboxMail.id.desc())))

    return read


@pytest.fixture
def mailed(letters: Callable[..., list[OutboxMail]]) -> Callable[[str, str], str]:
    """The token of the newest mail of an event, behind its path."""

    def read(event: str, path: str) -> str:
        found = re.search(rf"/{path}/([\w-]+)", letters(event)[0].body)
        assert found
        return found[1]

    return read
