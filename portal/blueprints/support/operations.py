"""Contracts and their contacts: registered, handed over, removed, never above the limit (SUP-01 …
SUP-07).

The caller commits.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.blueprints.support import queries
from portal.blueprints.support.config import Product, SupportConfig
from portal.blueprints.support.models import Contract, ContractContact, ContractUnit, Role, UnitKind
from portal.blueprints.support.names import check_person
from portal.config import Tenant
from portal.core import (
    ALLOWED,
    Actor,
    Decision,
    audit,
    clock,
    numbering,
    save_changes,
    session,
    update_where,
)
from portal.core.errors import NotFound, RuleBroken, gettext_noop
from portal.shared import mailing
from portal.shared.accounts import operations as accounts
from portal.shared.accounts import rights
from portal.shared.accounts.models import Account, Member, MemberStatus
from portal.shared.accounts.operations import Person
from portal.shared.auth import links
from portal.shared.auth import password_reset as passwords
from portal.shared.limits import operations as limits
from portal.shared.limits.definitions import LimitDefinition
from portal.shared.members import operations as members
from portal.shared.notices import operations as notices

CONTACTS = "contract_contacts"
_THERE_ALREADY = gettext_noop("この方は、すでにこのご契約の担当者です。")
_BY_THE_DESK = gettext_noop("追加・変更・削除は、サポート窓口で承ります。")

CONTACT_LIMIT = LimitDefinition(
    name=CONTACTS,
    usual=2,
    model=ContractContact,
    by=ContractContact.contract_id,
    owner=Contract,
    where=queries.PRESENT,
    find=queries.any_contract,
    facts=queries.facts,
)
"""How many contacts a contract may have (SUP-02)."""


@dataclass(frozen=True, slots=True)
class Registrant:
    """Somebody to be registered."""

    family_name: str
    given_name: str
    email: str
    duty: str = ""

    @property
    def person(self) -> str:
        """The full name."""
        return f"{self.family_name} {self.given_name}".strip()


def add_contract(
    tenant: Tenant, account: Account, product: str, form_on: date, *, by: Actor
) -> Contract:
    """A contract of one of the tenant's products. Raises RuleBroken."""
    known = _product(tenant, product)
    number = numbering.next_number("contract", tenant.numbers["contract"], Contract.number)
    made = Contract(
        number=number, account_id=account.id, product=known.key, product_label=known.label
    )
    made.form_on = form_on
    made.created_at = clock.now()
    session().add(made)
    session().flush()
    audit.record("contract.add", made, by=by, product=product, form_on=form_on)
    return made


def _product(tenant: Tenant, key: str) -> Product:
    config: SupportConfig = tenant.section("support")
    if (known := config.product(key)) is None:
        keys = ", ".join(one.key for one in config.products)
        raise RuleBroken("この製品はありません: %(product)s（%(keys)s）", product=key, keys=keys)
    return known


def add_unit(contract: Contract, kind: UnitKind, name: str, *, by: Actor) -> None:
    """An app, option or connection more; the limit follows. Raises RuleBroken when it is there."""
    with _unique_or_error("すでに登録されています。"):
        session().add(
            ContractUnit(contract_id=contract.id, kind=kind, name=name, created_at=clock.now())
        )
    audit.record("contract.add_unit", contract, by=by, kind=kind.value, name=name)


def end_unit(contract: Contract, kind: UnitKind, name: str, *, by: Actor) -> None:
    """End it.

    Contacts above the limit that follows stay, and none can be added (COM-43). Raises NotFound.
    """
    own = (
        ContractUnit.contract_id == contract.id,
        ContractUnit.kind == kind,
        ContractUnit.name == name,
    )
    if not update_where(
        ContractUnit, *own, ContractUnit.removed_at.is_(None), removed_at=clock.now()
    ):
        raise NotFound("%(name)sは登録されていません。", name=name)
    audit.record("contract.end_unit", contract, by=by, kind=kind.value, name=name)


def register(
    tenant: Tenant,
    contract: Contract,
    who: Sequence[Registrant],
    *,
    by: Actor,
    even_so: bool = False,
) -> None:
    """The first registration, `who[0]` as 主担当; late forms bring the base alone (SUP-03).

    Raises RuleBroken.
    """
    _lock_account(contract)
    session().refresh(contract, with_for_update=True)
    if contract.registered_at:
        raise RuleBroken("担当者は登録済みです。追加してください。")
    allowed = limits.usage_of(tenant, CONTACTS, contract).at_first
    if not 1 <= len(who) <= allowed:
        raise RuleBroken("初回に登録できるのは、1名から%(most)s名までです。", most=allowed)
    for place, one in enumerate(who):
        # The form asks for the 主担当 first.
        role = Role.DEPUTY if place else Role.MAIN
        _add(tenant, contract, one, role, by=by, even_so=even_so)
    contract.registered_at = clock.now()
    session().flush()


def add_contact(
    tenant: Tenant, contract: Contract, who: Registrant, *, by: Actor, even_so: bool = False
) -> ContractContact:
    """A 副担当 more, up to the limit; `even_so` takes a name that looks like none.

    Raises RuleBroken, LimitReached.
    """
    _lock_account(contract)
    limits.reserve(tenant, CONTACTS, contract)
    if not contract.registered_at:
        raise RuleBroken("先に、主担当を含む初回の登録をしてください。")
    return _add(tenant, contract, who, Role.DEPUTY, by=by, even_so=even_so)


def _add(
    tenant: Tenant, contract: Contract, who: Registrant, role: Role, *, by: Actor, even_so: bool
) -> ContractContact:
    if not even_so:
        check_person(who.family_name, who.given_name)
    _check_duty(tenant, who.duty)
    member = _member(tenant, contract, who, by=by)
    made = ContractContact(
        contract_id=contract.id,
        account_id=contract.account_id,
        member_id=member.id,
        person=who.person,
        role=role,
        duty=who.duty,
        created_at=clock.now(),
    )
    with _unique_or_error(_THERE_ALREADY):
        session().add(made)
    # The trail keeps which text of purposes was agreed to (SUP-17).
    agreed = hashlib.sha256(tenant.texts.get("purposes", "").encode()).hexdigest()
    audit.record(
        "contract.add_contact", contract, by=by, person=who.person, role=role.value, agreed=agreed
    )
    return made


def _check_duty(tenant: Tenant, duty: str) -> None:
    """Refuse what the tenant has nobody look after. Raises RuleBroken at ``duty``."""
    config: SupportConfig = tenant.section("support")
    if duty and duty not in config.duties:
        raise RuleBroken(
            "ご担当は次から選んでください: %(duties)s",
            field="duty",
            duties="、".join(config.duties),
        )


def check_registrant(
    tenant: Tenant, contract: Contract, who: Registrant, *, contact: ContractContact | None
) -> None:
    """Refuse what could not be saved as things stand: of a new one, or of `contact` as it would be
    (SUP-06).

    Only reads; saving looks again. Raises RuleBroken, limits.LimitReached.
    """
    # A contact that is edited has its place already.
    if contact is None:
        room = limits.usage_of(tenant, CONTACTS, contract).room
        if not room:
            raise limits.LimitReached(room.reason)
    if contact is None or contact.person != who.person:
        check_person(who.family_name, who.given_name)
    _check_duty(tenant, who.duty)
    for other, email in queries.contacts(contract):
        is_same = other.person == who.person and email == who.email
        if is_same and (contact is None or other.id != contact.id):
            raise RuleBroken(_THERE_ALREADY, field="family_name")


def edit_contact(
    tenant: Tenant,
    contract: Contract,
    contact: ContractContact,
    who: Registrant,
    version: int,
    *,
    by: Actor,
    even_so: bool = False,
) -> None:
    """Save a contact's name, duty and address under the version they are based on (SUP-05).

    With another address they are reached, and sign in, there: a link to set the password is mailed
    where it has no sign-in yet, and both addresses are told (COM-34). What was asked stays with the
    address that it was asked from. The caller commits. Raises RuleBroken, Stale (COM-26), NotFound
    for one who was removed meanwhile.
    """
    if contact.person != who.person and not even_so:
        check_person(who.family_name, who.given_name)
    _check_duty(tenant, who.duty)
    session().refresh(contact)
    if contact.removed_at is not None:
        raise NotFound("担当者が見つかりません。")
    before = session().get_one(Member, contact.member_id)
    member = before
    if before.email != who.email:
        member = _member(tenant, contract, who, by=by)
    with _unique_or_error(_THERE_ALREADY):
        wanted = {"person": who.person, "duty": who.duty}
        changes = save_changes(contact, version, {**wanted, "member_id": member.id})
    if not changes:
        return
    # An id says nothing to who reads the trail: the two addresses do.
    changes.pop("member_id", None)
    if member.id != before.id:
        changes["email"] = [before.email, member.email]
    audit.record("contract.edit_contact", contract, by=by, **changes)
    _notify_edited(tenant, contract, contact, before=before, after=member)


def _notify_edited(
    tenant: Tenant, contract: Contract, contact: ContractContact, *, before: Member, after: Member
) -> None:
    """Mail the sign-in that a contact had before and the one that they have now, which may be the
    same (COM-34).
    """
    # A dict keeps the order and drops the second of two that are the same.
    for member in dict.fromkeys((before, after)):
        mailing.notify(
            tenant,
            "contact_edited",
            member,
            contract=contract,
            contact=contact,
            old=before.email,
            new=after.email,
        )


def _member(tenant: Tenant, contract: Contract, who: Registrant, *, by: Actor) -> Member:
    """The account's sign-in at that address, with a new link to set its password where there was
    none (SUP-07).
    """
    _lock_account(contract)
    own = Member.account_id == contract.account_id, Member.status != MemberStatus.REMOVED
    known = session().scalars(select(Member).where(*own, Member.email == who.email)).one_or_none()
    if known:
        return known
    account = session().get_one(Account, contract.account_id)
    person = Person(who.family_name, who.given_name, who.email, rights=rights.usual_for(by))
    made = accounts.add_member(tenant, account, person, by=by)
    session().flush()
    passwords.send_set_password_link(tenant, made, by=by, lifetime=links.INVITATION)
    return made


def can_manage(tenant: Tenant, contract: Contract, member_id: int) -> Decision:
    """Whether this member changes the contacts: where the tenant switches it on, the 主担当 does
    (SUP-05).
    """
    config: SupportConfig = tenant.section("support")
    if not config.self_service:
        return Decision(_BY_THE_DESK)
    main = (
        ContractContact.contract_id == contract.id,
        ContractContact.role == Role.MAIN,
        *queries.PRESENT,
    )
    in_charge = session().scalar(select(ContractContact.member_id).where(*main))
    return ALLOWED if in_charge == member_id else Decision(_BY_THE_DESK)


def _lock_account(contract: Contract) -> None:
    """Lock the contract's account, before the contract itself.

    Removing a member holds the same lock: nobody is made a contact, or the 主担当, by a sign-in
    that ends meanwhile.
    """
    session().get_one(Account, contract.account_id, with_for_update=True)


def hand_over(tenant: Tenant, contract: Contract, to: ContractContact, *, by: Actor) -> None:
    """Make `to` the 主担当 in place of whoever is, and mail both (SUP-04, COM-34)."""
    _lock_account(contract)
    session().refresh(contract, with_for_update=True)
    present = (ContractContact.contract_id == contract.id, *queries.PRESENT)
    main = select(ContractContact).where(*present, ContractContact.role == Role.MAIN)
    before = session().scalars(main.execution_options(populate_existing=True)).one_or_none()
    # The one before steps down first: the unique index allows a single 主担当 at any moment.
    update_where(ContractContact, *present, ContractContact.role == Role.MAIN, role=Role.DEPUTY)
    if not update_where(ContractContact, *present, ContractContact.id == to.id, role=Role.MAIN):
        raise NotFound("担当者が見つかりません。")
    # Both UPDATEs have passed the rows in memory by.
    session().expire_all()
    audit.record("contract.hand_over", contract, by=by, person=to.person)
    for concerned in (to, before):
        if concerned is not None:
            _notify_changed(tenant, contract, concerned, what="handed over", main=to.person)


def remove_contact(
    tenant: Tenant, contract: Contract, contact: ContractContact, *, by: Actor
) -> None:
    """Remove a 副担当, and mail them; the 主担当 is handed over first (SUP-04).

    What was asked stays.
    """
    # The role stands in the WHERE: a hand-over meanwhile cannot leave a contract without 主担当.
    deputy = (
        ContractContact.id == contact.id,
        *queries.PRESENT,
        ContractContact.role == Role.DEPUTY,
    )
    if not update_where(ContractContact, *deputy, removed_at=clock.now()):
        raise RuleBroken("主担当は削除できません。先に、ほかの方へ引き継いでください。")
    audit.record("contract.remove_contact", contract, by=by, person=contact.person)
    _notify_changed(tenant, contract, contact, what="removed", main="")


def _notify_changed(
    tenant: Tenant, contract: Contract, contact: ContractContact, *, what: str, main: str
) -> None:
    """Mail a contact what became of their registration, if the tenant mails changes (COM-34)."""
    member = session().get_one(Member, contact.member_id)
    context = {"contract": contract, "addressee": contact.person, "what": what, "main": main}
    members.notify_changes(tenant, "contact_changed", [member], **context)


def announce(tenant: Tenant, title: str, body: str, products: Sequence[str], *, by: Actor) -> int:
    """重要な案内 to every contact of these products, or of all: a mail, whatever they chose, and a
    notice (SUP-16).

    Returns how many addresses are mailed, each once. Raises RuleBroken.
    """
    keys = [_product(tenant, key).key for key in dict.fromkeys(products)]
    addresses = queries.addresses(keys)
    if not addresses:
        raise RuleBroken("問い合わせご担当者がいません。")
    # No product at all means everybody, in the mail as in the notice.
    audience = ",".join(f"{notices.OF_PRODUCT}{key}" for key in keys)
    notice = notices.publish(title, body, by=by, is_important=True, audience=audience)
    is_shown = tenant.has("notices")
    link = tenant.url_to("notices.notice", number=notice.number) if is_shown else ""
    for place, (email, account_id) in enumerate(addresses, 1):
        mailing.compose(
            tenant, "announcement", email, account_id=account_id, title=title, text=body, link=link
        )
        if place % 500 == 0:
            session().flush()  # otherwise the session holds every mail until the end
    audit.record(
        "support.announce", f"notice:{notice.number}", by=by, products=keys, mailed=len(addresses)
    )
    return len(addresses)


@contextmanager
def _unique_or_error(message: str) -> Iterator[None]:
    """The database's constraint decides, so that of two at the same moment one is told."""
    try:
        # In a savepoint: after a statement that failed PostgreSQL refuses all others.
        with session().begin_nested():
            yield
    except IntegrityError:
        raise RuleBroken(message) from None
