"""What a support desk has to do with customers, and people of theirs, who leave (COM-16, SUP-04,
SUP-07).
"""

from collections.abc import Iterator, Sequence

from portal.blueprints.support import queries
from portal.blueprints.support.models import Contract, ContractContact, Role
from portal.config import Tenant
from portal.core import Actor, PageLink, RuleBroken, audit, clock, csvio, gettext_noop
from portal.core.db import delete_where, session, update_where
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.account_hooks import AccountHooks, OpenBusiness
from portal.shared.accounts.models import Account, Member
from portal.shared.inquiries import queries as inquiries
from portal.shared.inquiries.queries import UNFINISHED_LINK

_RULE = gettext_noop("受付・対応中のお問い合わせがある間は、退会できません。")
_UNFINISHED = gettext_noop("受付・対応中のお問い合わせが%(count)s件あります。")
_REMEDY = gettext_noop(
    "回答をお待ちください。取り下げる場合は、そのお問い合わせのページからメッセージでお知らせください。"
)
_OF_OTHERS = gettext_noop(
    "ほかの方（%(names)s）の受付・対応中のお問い合わせが%(count)s件あります。"
)
_REMEDY_OF_OTHERS = gettext_noop(
    "回答をお待ちください。取り下げる場合は、お問い合わせをされた方からメッセージでお知らせください。"
)
_IN_CHARGE = gettext_noop("ご契約 %(number)s（%(product)s）の主担当です。")
_HAND_OVER = gettext_noop("先に主担当を引き継いでください。")
_ASK_DESK = gettext_noop("先に、サポート窓口へ主担当の変更をお申し付けください。")
_LOST = gettext_noop("ご契約 %(number)s（%(product)s）のお問い合わせ窓口")
_REGISTRATION = gettext_noop(
    "ご契約 %(number)s（%(product)s）の問い合わせご担当者の登録: %(people)s"
)
_HEADER = ("契約番号", "製品", "お名前", "役割", "ご担当", "メールアドレス")


def _cautions(tenant: Tenant) -> Iterator[str]:
    if tenant.has("inquiries"):
        yield _RULE


def _open_business(tenant: Tenant, account: Account) -> Iterator[OpenBusiness]:
    """Inquiries that wait for the desk; one that is answered is not, since nobody may ever close
    it.

    Where each sign-in reads its own alone, those of others are told apart: the list that the
    representative is led to does not show them (SUP-13).
    """
    if not tenant.has("inquiries"):
        return
    found = inquiries.unfinished(account.id)
    visible = found
    if tenant.inquiries.visible_to == "member" and found:
        representative_id = accounts.representative(account).id
        visible = [one for one in found if one.member_id == representative_id]
    if visible:
        message = RuleBroken(_UNFINISHED, count=len(visible))
        yield OpenBusiness(message=message, remedy=_REMEDY, link=UNFINISHED_LINK)
    # Named with their persons, since whoever leaves can only ask them.
    others = [one for one in found if one not in visible]
    if others:
        names = "、".join(dict.fromkeys(one.name for one in others))
        message = RuleBroken(_OF_OTHERS, names=names, count=len(others))
        yield OpenBusiness(
            message=message, remedy=_REMEDY_OF_OTHERS, link=PageLink("support.contracts")
        )


def _losses(_tenant: Tenant, account: Account) -> Iterator[RuleBroken]:
    """Nobody can ask about its contracts any more."""
    for contract in queries.contracts(account.id):
        yield RuleBroken(_LOST, number=contract.number, product=contract.product_label)


def _member_business(tenant: Tenant, account_id: int) -> dict[int, Sequence[OpenBusiness]]:
    """The contracts that each member is the 主担当 of: there is always one, handed over first
    (SUP-04).
    """
    # The remedy must be one that the member can follow.
    is_on_page = tenant.section("support").self_service
    found: dict[int, list[OpenBusiness]] = {}
    for contract, contact in queries.contacts_of_account(account_id):
        if contact.role == Role.MAIN:
            message = RuleBroken(_IN_CHARGE, number=contract.number, product=contract.product_label)
            business = OpenBusiness(
                message=message,
                remedy=_HAND_OVER if is_on_page else _ASK_DESK,
                link=PageLink("support.contract", {"number": contract.number}),
            )
            found.setdefault(contact.member_id, []).append(business)
    return dict(found)


def _member_losses(_tenant: Tenant, member: Member) -> Iterator[RuleBroken]:
    """The contracts that those who share the member's address are contacts of, with their names
    (SUP-07).
    """
    people: dict[Contract, list[str]] = {}
    for contract, contact in queries.contacts_of_account(member.account_id):
        if contact.member_id == member.id:
            people.setdefault(contract, []).append(contact.person)
    for contract, names in people.items():
        yield RuleBroken(
            _REGISTRATION,
            number=contract.number,
            product=contract.product_label,
            people="、".join(names),
        )


def _end_member(_tenant: Tenant, member: Member, by: Actor) -> None:
    """End the registrations of everybody at the member's address: they count no more (SUP-07).

    The caller holds the account's lock, as everything does that makes somebody a contact or the
    主担当. A contract that is left without anybody, as when the account leaves, awaits a first
    registration again.
    """
    for contract, contact in queries.contacts_of_account(member.account_id):
        if contact.member_id != member.id:
            continue
        registered = (ContractContact.id == contact.id, *queries.PRESENT)
        update_where(ContractContact, *registered, removed_at=clock.now())
        audit.record("contract.remove_contact", contract, by=by, person=contact.person)
        # Asked anew for each: the last contact may have been one of several at this address.
        if not queries.contacts(contract):
            contract.registered_at = None
    session().flush()


def _export_files(_tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
    rows = [
        (contract.number, contract.product_label, one.person, one.role.label, one.duty, email)
        for contract in queries.contracts(account.id)
        for one, email in queries.contacts(contract)
    ]
    yield "contracts.csv", b"".join(csvio.write_csv(rows, _HEADER))


def _erase(account: Account) -> None:
    delete_where(ContractContact, ContractContact.account_id == account.id)


HOOKS = AccountHooks(
    open_business=_open_business,
    cautions=_cautions,
    losses=_losses,
    member_business=_member_business,
    member_losses=_member_losses,
    end_member=_end_member,
    export_files=_export_files,
    erase=_erase,
)
