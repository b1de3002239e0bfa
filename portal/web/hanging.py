"""What hangs on keys that a tenants file no longer has: such a file is refused, and the last good one stays (OPS-03).

Asked whenever a file is read, in a session of its own: a request may be under way. Where the database cannot be asked
(no network, not migrated yet) nothing is refused for it.
"""

import logging
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal.core import DatabaseBusy, Tenant, session, tenant_scope, transaction_mode
from portal.core.db import db
from portal.core.engine import UnfitRole
from portal.core.tenancy.config_errors import Finding
from portal.core.tenancy.registry import Refusals, Tenants
from portal.shared.auth.models import Account
from portal.shared.documents.models import Document
from portal.shared.inquiries.models import Inquiry, Status
from portal.web.brand import Brand

log = logging.getLogger(__name__)
LAST_GOOD = "tenants.last-good.toml"
"""The copy beside the data, by which it is known that a tenant is gone."""
_OF_A_TENANT: tuple[tuple[type[Any], str], ...] = (
    (Account, "customers"),
    (Document, "documents"),
    (Inquiry, "inquiries"),
)


def refusals(app: Flask, home: Path, brands: Iterable[Brand]) -> Refusals:
    """The question that the registry asks of each file it reads."""
    known = tuple(brands)

    def ask(tenants: Tenants) -> list[Finding]:
        try:
            with app.app_context():
                if not _is_there():
                    return []
                return [*_gone(home / LAST_GOOD, tenants), *_lacking(tenants, known)]
        except (SQLAlchemyError, DatabaseBusy, UnfitRole) as error:
            log.info("what hangs on the tenants file could not be counted: %s", error)
            return []

    return ask


def _is_there() -> bool:
    """Whether there is a database to ask: to ask SQLite would make one."""
    url = db.engine.url
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


def _gone(kept: Path, tenants: Tenants) -> Iterator[Finding]:
    """Tenants of the last good file that are no more, though there are rows of theirs."""
    for key in _keys(kept) - tenants.by_key.keys():
        with tenant_scope(key), transaction_mode("read"):
            counts = [(_count(model), noun) for model, noun in _OF_A_TENANT]
        found = ", ".join(f"{count} {noun}" for count, noun in counts if count)
        if found:
            yield (
                ("tenants", key),
                f'is gone, but {found} hang on it; to close it say status = "retired"',
            )


def _keys(kept: Path) -> set[str]:
    try:
        tables = tomllib.loads(kept.read_text(encoding="utf-8-sig")).get("tenants", {})
    except (OSError, ValueError):
        return set()
    return set(tables) if isinstance(tables, dict) else set()


def _count(model: type[Any]) -> int:
    return session().scalar(select(func.count(model.id))) or 0


def _lacking(tenants: Tenants, brands: Iterable[Brand]) -> Iterator[Finding]:
    """Keys inside a tenant's section that are no more, though rows name them."""
    for key, tenant in tenants.by_key.items():
        with tenant_scope(key), transaction_mode("read"):
            found = [*_inquiries_off(tenant), *_categories(tenant)]
            for brand in brands:
                found.extend(brand.hanging(tenant))
        for path, message in found:
            yield ("tenants", key, *path), message


def _inquiries_off(tenant: Tenant) -> Iterator[Finding]:
    """Inquiries that nobody could answer any more, neither on a page nor by a command."""
    if not tenant.has("inquiries"):
        count = session().scalar(
            select(func.count(Inquiry.id)).where(Inquiry.status != Status.CLOSED)
        )
        if count:
            yield ("features", "inquiries"), f"is off, but {count} inquiries are not closed"


def _categories(tenant: Tenant) -> Iterator[Finding]:
    """Categories of inquiries that somebody still waits for an answer to."""
    waiting = (
        select(Inquiry.category, func.count(Inquiry.id))
        .where(Inquiry.status != Status.CLOSED)
        .group_by(Inquiry.category)
    )
    for category, count in session().execute(waiting):
        if category and tenant.inquiries.category(category) is None:
            yield (
                ("inquiries", "categories"),
                f"{category!r} is gone, but {count} inquiries of it are not closed",
            )
