"""Who may ask at a support desk: the contacts registered for a contract, about that contract
(SUP-01).
"""

from portal.blueprints.support import queries
from portal.blueprints.support.models import Contract
from portal.core import ALLOWED, Decision, gettext_noop
from portal.shared.chats.models import Chat
from portal.shared.chats.operations import OPEN
from portal.shared.inquiries.asking import AskingRule, ChatLimit, Product
from portal.shared.inquiries.models import Inquiry
from portal.shared.limits.definitions import LimitDefinition

CHATS = "contract_chats"
"""The limit of open chats about one contract."""
_NO_CONTRACT = gettext_noop(
    "サポートのご契約がないため、お問い合わせを承れません。ご契約については、下記の窓口へご連絡ください。"
)
_NO_CONTACT = gettext_noop(
    "お問い合わせは、ご契約に「問い合わせご担当者」として登録された方から承ります。"
    "登録については、ご契約の主担当の方にご相談ください。"
)
_NOT_THIS_CONTRACT = gettext_noop(
    "このご契約の「問い合わせご担当者」ではないため、お問い合わせを承れません。"
    "登録については、ご契約の主担当の方にご相談ください。"
)

CHAT_LIMIT = LimitDefinition(
    name=CHATS,
    usual=3,
    model=Chat,
    by=Contract.id,
    owner=Contract,
    where=(
        *OPEN,
        # A chat knows no contract: the inquiry that it is part of says which one it is about.
        Chat.inquiry_id == Inquiry.id,
        Chat.account_id == Contract.account_id,
        Inquiry.about == Contract.number,
    ),
    find=queries.any_contract,
    facts=queries.facts,
)


def can_ask(account_id: int, member_id: int, about: str) -> Decision:
    """Whether a member is a contact of the contract `about`, or of any contract where it is ""."""
    numbers = [one.number for one in queries.contracts_of_contact(account_id, member_id)]
    if about in numbers or (numbers and not about):
        return ALLOWED
    # Three reasons, since each is for somebody else to mend: the brand, the 主担当, the member.
    if not queries.contracts(account_id):
        return Decision(_NO_CONTRACT)
    return Decision(_NOT_THIS_CONTRACT if numbers else _NO_CONTACT)


def subjects(account_id: int, member_id: int) -> dict[str, str]:
    """The contracts that a member may ask about: number, and number with product."""
    found = queries.contracts_of_contact(account_id, member_id)
    return {one.number: describe(one) for one in found}


def units(account_id: int, member_id: int) -> dict[str, tuple[str, ...]]:
    """What each of those contracts has in use: apps, options, connections."""
    return queries.unit_names(queries.contracts_of_contact(account_id, member_id))


def products(account_id: int) -> dict[str, Product]:
    """The products of the account's contracts, each with the numbers of those contracts."""
    found: dict[str, Product] = {}
    for contract in queries.contracts(account_id):
        before = found.get(contract.product)
        # Several contracts of one product are one choice, whose numbers stand behind it.
        numbers = (*before.numbers, contract.number) if before else (contract.number,)
        found[contract.product] = Product(contract.product_label, numbers)
    return found


def responsible(account_id: int) -> list[tuple[str, str]]:
    """Each contract of the account, and who its 主担当 is."""
    found = queries.main_contacts(account_id)
    return [(describe(contract), person) for contract, person in found]


def chat_limit(account_id: int, about: str) -> ChatLimit:
    """What a chat about the account's contract `about` counts against. Raises NotFound."""
    return ChatLimit(CHATS, queries.contract(account_id, about))


def describe(contract: Contract) -> str:
    """A contract as customers choose it."""
    return f"{contract.number}　{contract.product_label}"


RULE = AskingRule(
    can_ask=can_ask,
    subjects=subjects,
    units=units,
    products=products,
    responsible=responsible,
    chat_limit=chat_limit,
)
