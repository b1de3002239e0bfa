"""The desk with its two customers and their articles; see the rules' own tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.shared.knowledge import operations
from portal.shared.knowledge.operations import Written
from tests.cast import PASSWORD
from tests.shared.knowledge.conftest import people, products, tenant
from tests.support.client import Visitor

__all__ = ["people", "products", "tenant"]


@pytest.fixture
def published(people, inside) -> Callable[..., str]:
    """Publish an article; its number."""

    def make(
        title: str, body: str = "本文", key: str = "", products: tuple[str, ...] = (), **more
    ) -> str:
        where = more.pop("category", "勤怠"), more.pop("section", "打刻")
        with inside("desk"):
            article, _said = operations.put(
                Written(key or title, *where, title, products, body), by=SYSTEM, **more
            )
            session().commit()
            return article.number

    return make


@pytest.fixture
def come(visit, people) -> Callable[[str], Visitor]:
    """Somebody of the desk's customers, signed in."""

    def make(name: str) -> Visitor:
        visitor: Visitor = visit("desk")
        visitor.post("/sign-in", {"email": f"{name}@one.example", "password": PASSWORD})
        return visitor

    return make
