"""Ground floor: knows no customer and no page. These are the words that the floors above speak with.

`from portal.core import Actor, RuleBroken, Tenant, audit, session` says in one line what a module stands on; what only
one needs is imported from where it stands. Inside `core` modules name one another in full.
"""

from portal.core.actor import SYSTEM, Actor
from portal.core.audit import LONGEST_SUBJECT, AuditEvent
from portal.core.business_days import first_open
from portal.core.clock import TOKYO, to_local
from portal.core.csvio import Row
from portal.core.db import (
    Base,
    Choice,
    Numbered,
    Query,
    belongs_to,
    change,
    discard,
    index_where,
    insert_missing,
    owned,
    run,
    save_changes,
    session,
    tenant_scope,
    the_one,
    transaction_mode,
)
from portal.core.engine import DatabaseBusy
from portal.core.errors import NotFound, RuleBroken, Stale, msgid, need
from portal.core.files import Shelf
from portal.core.labels import Labelled
from portal.core.markdown import to_html
from portal.core.money import LARGEST, yen
from portal.core.outbox import OutboxMail
from portal.core.tenancy.guard import ID, TenantOwned
from portal.core.tenancy.registry import Registry
from portal.core.tenancy.schema import Tenant
from portal.core.tenancy.schema_base import Each, Name, Section
from portal.core.tenancy.schema_parts import InquiryCategory, NumberFormat
from portal.core.tenancy.scope import require_key
from portal.core.text import format_telephone
from portal.core.verdict import YES, Verdict

# fmt: off
__all__ = [
    "ID", "LARGEST", "LONGEST_SUBJECT", "SYSTEM", "TOKYO", "YES", "Actor", "AuditEvent", "Base", "Choice",
    "DatabaseBusy", "Each", "InquiryCategory", "Labelled", "Name", "NotFound", "NumberFormat", "Numbered",
    "OutboxMail", "Query", "Registry", "Row", "RuleBroken", "Section", "Shelf", "Stale", "Tenant", "TenantOwned",
    "Verdict", "belongs_to", "change", "discard", "first_open", "format_telephone", "index_where", "insert_missing",
    "msgid", "need", "owned", "require_key", "run", "save_changes", "session", "tenant_scope", "the_one", "to_html",
    "to_local", "transaction_mode", "yen",
]
