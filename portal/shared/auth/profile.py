"""Reading and saving a member's profile, with the account's data (FAC-07)."""

from collections.abc import Iterable
from typing import Any

from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import save_changes, session
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
    pairs = save_changes(member, int(data["version"]), {name: data[name] for name in MEMBER})
    if member.is_representative:
        of_account = {column: data[name] for name, column in ACCOUNT.items()}
        changed = save_changes(account, int(data["account_version"]), of_account)
        pairs |= {f"account_{name}": pair for name, pair in changed.items()}
    if not pairs:
        return
    audit.record("member.profile", member, by=by, **pairs)
    tell(tenant, "profile_changed", [member])


def tell(tenant: Tenant, event: str, whom: Iterable[Member], **said: Any) -> None:
    """会員情報変更のお知らせ to the persons concerned, where the tenant has them told (COM-34). The caller commits."""
    for member in whom if tenant.sign_in.notify_changes else ():
        mailing.tell(tenant, event, member, **said)
