"""What can be done with an account's addresses.

What was ordered or issued keeps copies of its own (COM-33).
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import select

from portal.config import Tenant
from portal.core import (
    ALLOWED,
    Actor,
    Decision,
    NotFound,
    audit,
    clock,
    csvio,
    gettext_noop,
    signer,
)
from portal.core.db import delete_where, save_changes, session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.account_hooks import AccountHooks
from portal.shared.accounts.models import Account
from portal.shared.contacts.models import Address, Kind
from portal.shared.limits import operations as limits
from portal.shared.limits.definitions import LimitDefinition
from portal.shared.members import operations as members

FIELDS = (
    "name",
    "department",
    "person",
    "postal_code",
    "prefecture",
    "city",
    "street",
    "building",
    "telephone",
    "fax",
)
_USUAL = gettext_noop("（代表）の送付先は削除できません。先に代表を変更してください。")


def address_list(account_id: int, kind: Kind) -> list[Address]:
    """The account's addresses of a kind, the usual one first. Index: ix_postal_address_account."""
    own = (Address.account_id == account_id, Address.kind == kind, Address.removed_at.is_(None))
    ordered = select(Address).where(*own).order_by(Address.is_usual.desc(), Address.id)
    return list(session().scalars(ordered))


def number_of(address: Address) -> str:
    """What the address is called on the web."""
    return signer.number("address", address.id)


def find(account_id: int, kind: Kind, number: str) -> Address:
    """The account's own address with this number. Raises NotFound."""
    for address in address_list(account_id, kind):
        if number_of(address) == number:
            return address
    raise NotFound("送付先が見つかりません。")


def _limit_of(kind: Kind) -> LimitDefinition:
    """How many addresses of this kind an account may have (COM-41)."""
    return LimitDefinition(
        name=f"{kind}_addresses",
        usual=20,
        model=Address,
        by=Address.account_id,
        owner=Account,
        where=(Address.kind == kind, Address.removed_at.is_(None)),
        find=accounts.find_account,
    )


LIMITS = tuple(map(_limit_of, Kind))


def add(
    tenant: Tenant, account_id: int, kind: Kind, data: Mapping[str, str | int | None], *, by: Actor
) -> Address:
    """Add an address; the first one is the usual one.

    The caller commits. Raises limits.LimitReached.
    """
    account = session().get_one(Account, account_id)
    limits.reserve(tenant, f"{kind}_addresses", account)
    values = {name: data[name] or "" for name in FIELDS}
    # Asked behind the lock of the limit: of two first ones at once, one is the usual one.
    is_first = not address_list(account_id, kind)
    made = Address(
        account_id=account_id, kind=kind, is_usual=is_first, created_at=clock.now(), **values
    )
    session().add(made)
    session().flush()
    _record(tenant, "address.add", made, by=by, **values)
    return made


def _record(tenant: Tenant, action: str, address: Address, *, by: Actor, **changes: object) -> None:
    """Record what was done, and mail who did it and the account's representative (COM-34)."""
    audit.record(action, address, by=by, **changes)
    concerned = [
        member
        for member in members.roster(address.account_id)
        if member.is_representative or member.id == by.member_id
    ]
    members.notify_changes(
        tenant, "address_changed", concerned, address=address, what=address.kind.label
    )


def edit(
    tenant: Tenant, address: Address, data: Mapping[str, str | int | None], *, by: Actor
) -> None:
    """Save what changed, under the version it is based on.

    The caller commits. Raises Stale (COM-26), NotFound.
    """
    # Behind the lock: who removes it at the same moment comes before, and is told here, or after.
    session().refresh(address, with_for_update=True)
    if address.removed_at is not None:
        raise NotFound("送付先が見つかりません。")
    wanted = {name: data[name] for name in FIELDS}
    pairs = save_changes(address, int(data["version"] or 0), wanted)
    if pairs:
        _record(tenant, "address.edit", address, by=by, **pairs)


def can_remove(address: Address, others: int) -> Decision:
    """Whether it can be removed: the usual one only as the last."""
    if address.is_usual and others:
        return Decision(_USUAL)
    return ALLOWED


def remove(tenant: Tenant, address: Address, *, by: Actor) -> None:
    """Remove it from the book. The caller commits. Raises RuleBroken when `can_remove` says no."""
    # Behind the account's lock, as `make_usual`: whatever is done at once, one stays the usual one.
    session().get_one(Account, address.account_id, with_for_update=True)
    can_remove(address, len(address_list(address.account_id, address.kind)) - 1).require()
    # The row stays: what was ordered to it is traced by the audit trail, which names it.
    address.removed_at = clock.now()
    _record(tenant, "address.remove", address, by=by)


def make_usual(tenant: Tenant, address: Address, *, by: Actor) -> None:
    """代表にする: the usual one from now on. The caller commits."""
    session().get_one(Account, address.account_id, with_for_update=True)
    for other in address_list(address.account_id, address.kind):
        other.is_usual = other.id == address.id
    _record(tenant, "address.usual", address, by=by)


def usual(account_id: int, kind: Kind) -> Address | None:
    """The address that is used unless another is chosen, if there is one."""
    return next(iter(address_list(account_id, kind)), None)


def _erase(account: Account) -> None:
    delete_where(Address, Address.account_id == account.id)


def _papers(_tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
    rows = (
        (address.kind, *(getattr(address, name) for name in FIELDS))
        for kind in Kind
        for address in address_list(account.id, kind)
    )
    yield "addresses.csv", b"".join(csvio.write_csv(rows, ("kind", *FIELDS)))


HOOKS = AccountHooks(export_files=_papers, erase=_erase)
