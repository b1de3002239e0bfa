"""Reading and saving a member's profile, with the account's data (FAC-07)."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, update

from portal.core import audit, clock
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import Stale
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth.models import Account, Member

MEMBER = ("family_name", "given_name", "family_kana", "given_kana", "department", "telephone")
ACCOUNT = {
    "account_name": "name",
    "account_kana": "name_kana",
    "postal_code": "postal_code",
    "prefecture": "prefecture",
    "city": "city",
    "street": "street",
    "building": "building",
    "account_telephone": "telephone",
}


def read(member_id: int) -> dict[str, Any]:
    """The profile as the form shows it, with the versions it is based on."""
    member = session().get_one(Member, member_id)
    account = session().get_one(Account, member.account_id)
    values = {name: getattr(member, name) for name in MEMBER}
    values |= {name: getattr(account, column) for name, column in ACCOUNT.items()}
    return values | {"version": member.version, "account_version": account.version}


def save(tenant: Tenant, member_id: int, data: dict[str, Any], *, by: Actor) -> None:
    """Save what changed of the profile, in the running transaction; only a representative changes the account.

    Raises Stale when the version that the form was filled in from is no longer the present one (COM-26).
    """
    member = session().get_one(Member, member_id)
    account = session().get_one(Account, member.account_id)
    changed = _changes(member, {name: data[name] for name in MEMBER})
    if changed:
        _write(Member, member.id, int(data["version"]), changed)
    of_account: dict[str, Any] = {}
    if member.is_representative:
        of_account = _changes(account, {column: data[name] for name, column in ACCOUNT.items()})
        if of_account:
            _write(Account, account.id, int(data["account_version"]), of_account)
    if not changed and not of_account:
        return
    before = {name: getattr(member, name) for name in changed}
    before |= {f"account_{name}": getattr(account, name) for name in of_account}
    after = changed | {f"account_{name}": value for name, value in of_account.items()}
    pairs = {name: [before[name], after[name]] for name in after}
    audit.record("member.profile", member.subject, by=by, account_id=account.id, **pairs)
    email = member.email
    session().refresh(member)
    mailing.compose(tenant, "profile_changed", email, account_id=account.id, member=member, at=clock.now())


def _changes(row: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: value or "" for name, value in wanted.items() if getattr(row, name) != (value or "")}


def _write(model: Any, row_id: int, version: int, values: dict[str, Any]) -> None:
    """Save under the version it is based on."""
    result = session().execute(
        update(model)
        .where(model.id == row_id, model.version == version)
        .values(version=version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if cast("CursorResult[Any]", result).rowcount != 1:
        raise Stale("ほかの方が先に更新しました。両方の内容を確認してください。")
