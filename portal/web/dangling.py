"""What stands against a tenants file though it has no mistakes: it is refused, and the last good
one stays (OPS-03).

That is data that hang on keys that it no longer has, and names that no document can print.

Asked whenever a file is read, in a session of its own: a request may be under way. Where the
database cannot be asked (no network, not migrated yet) nothing is refused for it.
"""

import logging
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from portal.config import Tenant
from portal.config.config_errors import Finding
from portal.config.registry import Refusals, Tenants
from portal.core import DatabaseBusy, session, tenant_scope, transaction_mode
from portal.core.db import db
from portal.core.engine import UnfitRole
from portal.shared.accounts.models import Account, Member, MemberStatus, login_key
from portal.shared.documents.models import Document
from portal.shared.documents.typefaces import UndrawableText, check_drawable
from portal.shared.inquiries.models import Inquiry, Status
from portal.web.brand import Brand

log = logging.getLogger(__name__)
LAST_GOOD = "tenants.last-good.toml"
"""The copy beside the data, by which it is known that a tenant is gone."""
_SIGN_IN_NAMES = {"login_id": Member.login_id, "email": Member.email}
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
            unprintable = list(_unprintable(tenants))
            with app.app_context():
                if not _is_there():
                    return unprintable
                return [*unprintable, *_gone(home / LAST_GOOD, tenants), *_lacking(tenants, known)]
        except (SQLAlchemyError, DatabaseBusy, UnfitRole) as error:
            log.info("what hangs on the tenants file could not be counted: %s", error)
            return []

    return ask


def _unprintable(tenants: Tenants) -> Iterator[Finding]:
    """What documents are to say of their issuer and no typeface of theirs draws (COM-70)."""
    for key, tenant in tenants.by_key.items():
        named: dict[tuple[str, ...], str] = {("company",): tenant.company}
        for name, value in tenant.issuer:
            named["issuer", name] = value or ""
        for path, value in named.items():
            try:
                check_drawable(value)
            except UndrawableText as refused:
                yield ("tenants", key, *path), str(refused)


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
            found = [*_locked_out(tenant), *_inquiries_off(tenant), *_categories(tenant)]
            for brand in brands:
                found.extend(brand.dangling(tenant))
        for path, message in found:
            yield ("tenants", key, *path), message


def _locked_out(tenant: Tenant) -> Iterator[Finding]:
    """Members who could not sign in with what the file asks for: what is unique of them is kept by
    other items.
    """
    items = tenant.sign_in.items
    parts = [column for name, column in _SIGN_IN_NAMES.items() if name in items]
    usual = func.lower(parts[0]) if len(parts) == 1 else func.lower(parts[0] + "\n" + parts[1])
    # Databases fold fewer letters than Python does, so those that differ there are looked at again.
    unlike = select(Member.login_id, Member.email, Member.login_key).where(
        Member.status != MemberStatus.REMOVED, or_(Member.login_key != usual, parts[0] == "")
    )
    count = sum(
        not key.strip() or key != login_key(items, login_id=login_id, email=email)
        for login_id, email, key in session().execute(unlike)
    )
    if count:
        yield ("sign_in", "items"), f"is changed, but {count} members cannot sign in that way"


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
