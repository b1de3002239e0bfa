"""What can be asked of contracts and their contacts."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from portal.blueprints.support.models import Contract, ContractContact, ContractUnit, Role
from portal.config import Tenant
from portal.config.config_errors import Finding
from portal.core import NotFound, Query, get_or_404, gettext_noop, session
from portal.shared.accounts.models import Account, AccountStatus, Member, MemberStatus
from portal.shared.limits.definitions import LimitOwner
from portal.shared.limits.rules import Facts
from portal.shared.searching import Search, first_day, last_day, own, part_of_number, same

PRESENT = (ContractContact.removed_at.is_(None),)
_IN_USE = (ContractUnit.removed_at.is_(None),)
_C = Contract.__table__
_P = ContractContact.__table__
MADE = _C.c.created_at
TIE = _C.c.id
# Counted inside the list's own statement: asked row by row, a page of 50 would cost 50 more.
_CONTACTS = (
    select(func.count())
    .where(
        _P.c.tenant_id == bindparam("tenant"),
        _P.c.contract_id == _C.c.id,
        _P.c.removed_at.is_(None),
    )
    .correlate(_C)
    .scalar_subquery()
)
_LISTED = Search(
    own(_C, ("id", "number", "product_label", "form_on", "created_at")).add_columns(
        _CONTACTS.label("contacts")
    ),
    {
        "number": part_of_number(_C.c.number),
        "product": same(_C.c.product),
        "since": first_day(_C.c.form_on),
        "until": last_day(_C.c.form_on),
    },
)


def listing(account_id: int, **asked: Any) -> Query:
    """The account's contracts, each with how many contacts it has. Index: ix_contract_account.

    `asked` narrows them: `number` (a part of it), `product` (its key), days `since` and `until` of
    the form.
    """
    return _LISTED.find(asked, account=account_id)


def by_ids(ids: Collection[int]) -> list[Contract]:
    """These contracts of the tenant in scope, in the order that is given."""
    found = {one.id: one for one in session().scalars(select(Contract).where(Contract.id.in_(ids)))}
    return [found[one] for one in ids]


def contracts(account_id: int) -> list[Contract]:
    """The account's contracts, oldest first. Index: ix_contract_account."""
    return list(
        session().scalars(
            select(Contract).where(Contract.account_id == account_id).order_by(Contract.id)
        )
    )


def contracts_of_contact(account_id: int, member_id: int) -> list[Contract]:
    """The contracts that somebody at this member's address is a contact of, oldest first (SUP-01,
    SUP-07).
    """
    theirs = (
        select(ContractContact.contract_id)
        .where(ContractContact.member_id == member_id, ContractContact.account_id == account_id)
        .where(*PRESENT)
    )
    own = select(Contract).where(Contract.account_id == account_id, Contract.id.in_(theirs))
    return list(session().scalars(own.order_by(Contract.id)))


def contacts_of_account(account_id: int) -> list[tuple[Contract, ContractContact]]:
    """Every contact of the account's contracts, oldest contract first, the 主担当 before the
    others: one statement.

    As the database has them now: whoever holds the account's lock decides by it.
    """
    joined = select(Contract, ContractContact).join(
        ContractContact, ContractContact.contract_id == Contract.id
    )
    own = joined.where(Contract.account_id == account_id, *PRESENT)
    # Descending, because "main" comes after "deputy" in the alphabet.
    order = Contract.id, ContractContact.role.desc(), ContractContact.id
    rows = session().execute(own.order_by(*order).execution_options(populate_existing=True))
    return [(contract, contact) for contract, contact in rows]


def main_contacts(account_id: int) -> list[tuple[Contract, str]]:
    """Every contract of the account with the name of its 主担当, "" before a registration."""
    main = (ContractContact.contract_id == Contract.id, ContractContact.role == Role.MAIN, *PRESENT)
    joined = select(Contract, ContractContact.person).outerjoin(ContractContact, and_(*main))
    own = joined.where(Contract.account_id == account_id).order_by(Contract.id)
    return [(contract, person or "") for contract, person in session().execute(own)]


def unit_names(contracts: Sequence[Contract]) -> dict[str, tuple[str, ...]]:
    """The names of what each of these contracts has in use, by the contract's number: one
    statement.
    """
    numbers = {contract.id: contract.number for contract in contracts}
    found: dict[str, list[str]] = {number: [] for number in numbers.values()}
    there = select(ContractUnit).where(ContractUnit.contract_id.in_(numbers), *_IN_USE)
    for unit in session().scalars(there.order_by(ContractUnit.kind, ContractUnit.id)):
        found[numbers[unit.contract_id]].append(unit.name)
    return {number: tuple(names) for number, names in found.items()}


def products(accounts: Collection[int]) -> dict[int, set[str]]:
    """The products that each of these accounts has a contract of (SUP-14).

    Index: ix_contract_account.
    """
    found: dict[int, set[str]] = {account: set() for account in accounts}
    theirs = select(Contract.account_id, Contract.product).where(Contract.account_id.in_(accounts))
    for account, product in session().execute(theirs):
        found[account].add(product)
    return found


def contract(account_id: int, number: str) -> Contract:
    """The account's own contract. Raises NotFound for anybody else's."""
    own = Contract.number == number, Contract.account_id == account_id
    return get_or_404(Contract, *own, absent=gettext_noop("ご契約が見つかりません。"))


def any_contract(number: str) -> Contract:
    """A contract of the tenant in scope, for operators. Raises NotFound."""
    absent = gettext_noop("契約が見つかりません: %(number)s")
    return get_or_404(Contract, Contract.number == number, absent=absent, number=number)


def units(contract: Contract) -> list[ContractUnit]:
    """What the contract has in use, kind by kind."""
    there = select(ContractUnit).where(ContractUnit.contract_id == contract.id, *_IN_USE)
    return list(session().scalars(there.order_by(ContractUnit.kind, ContractUnit.id)))


def facts(owners: Sequence[LimitOwner]) -> dict[int, Facts]:
    """What the limits of these contracts are calculated from (SUP-02, SUP-03): one statement."""
    contracts = [owner for owner in owners if isinstance(owner, Contract)]
    there = select(ContractUnit).where(
        ContractUnit.contract_id.in_([one.id for one in contracts]), *_IN_USE
    )
    names: dict[int, dict[str, list[str]]] = {one.id: {} for one in contracts}
    for unit in session().scalars(there.order_by(ContractUnit.id)):
        names[unit.contract_id].setdefault(unit.kind.value, []).append(unit.name)
    return {
        one.id: Facts({"product": one.product}, names[one.id], one.form_on) for one in contracts
    }


def contacts(contract: Contract) -> list[tuple[ContractContact, str]]:
    """Its contacts with their addresses, 主担当 first, then as they came."""
    statement = select(ContractContact, Member.email).join(
        Member, Member.id == ContractContact.member_id
    )
    there = statement.where(ContractContact.contract_id == contract.id, *PRESENT)
    rows: Sequence[Any] = (
        session().execute(there.order_by(ContractContact.role.desc(), ContractContact.id)).all()
    )
    return [(contact, email) for contact, email in rows]


def sharing(contract: Contract, contact: ContractContact) -> list[str]:
    """Who else at the contact's address is a contact of the contract (SUP-07)."""
    return [
        other.person
        for other, _email in contacts(contract)
        if other.member_id == contact.member_id and other.id != contact.id
    ]


def addresses(products: Collection[str]) -> list[tuple[str, int]]:
    """Where the contacts of these products, or of all, are reached, each address once, with an
    account it is of.
    """
    # An address may belong to several accounts: any of them will do to file the mail under.
    joined = select(Member.email, func.min(Member.account_id)).join(
        Account, Account.id == Member.account_id
    )
    joined = joined.join(ContractContact, ContractContact.member_id == Member.id)
    joined = joined.join(Contract, Contract.id == ContractContact.contract_id)
    there = joined.where(
        *PRESENT, Member.status != MemberStatus.REMOVED, Account.status == AccountStatus.ACTIVE
    )
    if products:
        there = there.where(Contract.product.in_(products))
    return list(session().execute(there.group_by(Member.email).order_by(Member.email)).all())


def contact(contract: Contract, person: str) -> ContractContact:
    """The contact of that name. Raises NotFound, also where two at different addresses share it."""
    found = [one for one, _email in contacts(contract) if one.person == person]
    if len(found) != 1:
        raise NotFound("担当者が見つからないか、複数います: %(who)s", who=person)
    return found[0]


def people(member_id: int) -> list[str]:
    """Who writes from a member's address: every person once, in the order they came (SUP-07)."""
    mine = select(ContractContact.person).where(ContractContact.member_id == member_id, *PRESENT)
    # A person may be a contact of several contracts.
    return list(dict.fromkeys(session().scalars(mine.order_by(ContractContact.id))))


def dangling(tenant: Tenant) -> Iterator[Finding]:
    """Products that are no more though there are contracts of them: all, where the module is off
    (OPS-03).
    """
    # `section` raises where the module is off, and then nothing of it is known.
    is_on = "support" in tenant.modules
    known = {product.key for product in tenant.section("support").products} if is_on else set()
    counting = (
        select(Contract.product, func.count(Contract.id))
        .join(Account, Account.id == Contract.account_id)
        .where(Account.status == AccountStatus.ACTIVE)
        .group_by(Contract.product)
    )
    for product, count in session().execute(counting):
        if product not in known:
            where = ("support", "products") if is_on else ("modules",)
            yield where, f"{product!r} is gone, but {count} contracts of it hang on it"
