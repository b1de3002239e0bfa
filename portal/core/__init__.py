"""The ground floor, which knows no customer and no page: the words that the floors above speak.

`from portal.core import Actor, RuleBroken, Tenant, audit, session` says in one line what a module
stands on; what only one needs is imported from where it stands. Inside `core` modules name one
another in full.
"""

from portal.core.actor import SYSTEM, Actor
from portal.core.audit import LONGEST_SUBJECT, AuditEvent
from portal.core.business_days import first_open
from portal.core.clock import TOKYO, to_local
from portal.core.csvio import Row
from portal.core.db import (
    Base,
    EnumType,
    Numbered,
    Query,
    Versioned,
    delete_where,
    execute_core,
    get_or_404,
    index_where,
    insert_or_ignore,
    save_changes,
    session,
    tenant_fk,
    tenant_scope,
    tenant_table_args,
    transaction_mode,
    update_where,
)
from portal.core.decision import ALLOWED, Decision
from portal.core.engine import DatabaseBusy
from portal.core.errors import Forbidden, NotFound, RuleBroken, Stale, gettext_noop, require
from portal.core.files import file_store
from portal.core.labels import LabelledEnum
from portal.core.markdown import to_html
from portal.core.money import LARGEST, yen
from portal.core.outbox import OutboxMail
from portal.core.page_link import PageLink, path_to
from portal.core.text import format_telephone
from portal.tenancy.orm_guard import ID, TenantOwned
from portal.tenancy.scope import require_key

# fmt: off
__all__ = [
    "ALLOWED", "ID", "LARGEST", "LONGEST_SUBJECT", "SYSTEM", "TOKYO", "Actor", "AuditEvent", "Base",
    "DatabaseBusy", "Decision", "EnumType", "Forbidden", "LabelledEnum",
    "NotFound", "Numbered", "OutboxMail", "PageLink", "Query", "Row", "RuleBroken",
    "Stale", "TenantOwned", "Versioned", "delete_where", "execute_core",
    "file_store", "first_open", "format_telephone", "get_or_404", "gettext_noop", "index_where",
    "insert_or_ignore", "path_to", "require", "require_key", "save_changes", "session", "tenant_fk",
    "tenant_scope", "tenant_table_args", "to_html", "to_local", "transaction_mode", "update_where",
    "yen",
]
