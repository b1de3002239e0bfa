"""登録データのダウンロード: what the brand holds on an account, as a ZIP of files that people and programs read."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from sqlalchemy import inspect

from portal.core import audit, clock, csvio
from portal.core.actor import Actor
from portal.core.db import Base, run, session
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import history, parts, people
from portal.shared.auth.models import Account
from portal.shared.auth.sessions import SignedIn

_SECRET = {"password_hash", "login_key", "totp_nonce", "totp_step"}
_OURS = {"id", "tenant_id", "account_id", "version"}
_MOST_ACTS = 10_000


def archive(tenant: Tenant, who: SignedIn, *, by: Actor) -> bytes:
    """The ZIP for this member: all of the account for its representative, only themself for anybody else. Audited.

    The caller commits.
    """
    account = session().get_one(Account, who.account_id)
    everybody = people.roster(account.id)
    members = everybody if who.is_representative else [m for m in everybody if m.id == who.member_id]
    data = {"exported_at": clock.now(), "account": _plain(account), "members": [_plain(m) for m in members]}
    audit.record("member.export", who, by=by)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("account.json", json.dumps(data, ensure_ascii=False, indent=2, default=str))
        made.writestr("history.csv", b"".join(_acts(who)))
        for name, content in _papers(tenant, account) if who.is_representative else ():
            made.writestr(name, content)
    return out.getvalue()


def _plain(row: Base) -> dict[str, Any]:
    """A record's own columns, without secrets and what only the program needs."""
    keys = (column.key for column in inspect(type(row)).columns)
    return {key: getattr(row, key) for key in keys if key not in _SECRET | _OURS}


def _acts(who: SignedIn) -> Iterator[bytes]:
    query = history.of(who, history.LABELS)
    newest = query.statement.order_by(history.AT.desc(), history.TIE.desc()).limit(_MOST_ACTS)
    rows = ((r.at, history.LABELS[r.action], r.subject, r.actor_name, r.address) for r in run(newest, query.values))
    return csvio.write_csv(rows, ("日時", "内容", "対象", "行った方", "IPアドレス"))


def _papers(tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
    return (paper for part in parts.of(tenant) for paper in part.papers(tenant, account))
