"""Who may ask, and about what: the one answer for pages, chats, commands and mail that comes in
(SUP-01).

Everybody whom the account lets may ask, unless a brand's module has a rule of its own: at a support
desk only the registered contacts of a contract do. A brand declares its rule; it holds for tenants
that have the brand's module on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portal.config import Tenant
from portal.core import ALLOWED, Actor, Decision, Forbidden
from portal.core.services import get_service
from portal.shared.limits.definitions import LimitOwner


class MayNotAsk(Forbidden):
    """This person may not ask here, or not about this."""


@dataclass(frozen=True, slots=True)
class ChatLimit:
    """What open chats count against: the limit's name, and the row that owns it."""

    name: str
    owner: LimitOwner


@dataclass(frozen=True, slots=True)
class Product:
    """A product that an account has: as customers read it, and the numbers that are of it."""

    label: str
    numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskingRule:
    """A module's rule.

    Members are told by account id and member id; `about` is a number, or "" for none. `can_ask`
    answers for one number, or for any at all. `subjects` are the numbers a member may ask about,
    with how customers read each; `units` what each of those numbers has, by name. `products` is
    what past inquiries are searched by, by key. `responsible` is whom to turn to in the account: a
    number with its words, and the person. `chat_limit` is what a chat about a number counts
    against.
    """

    can_ask: Callable[[int, int, str], Decision]
    subjects: Callable[[int, int], Mapping[str, str]]
    units: Callable[[int, int], Mapping[str, tuple[str, ...]]]
    products: Callable[[int], Mapping[str, Product]]
    responsible: Callable[[int], list[tuple[str, str]]]
    chat_limit: Callable[[int, str], ChatLimit]


@dataclass(frozen=True, slots=True)
class AskingRules:
    """The rules of an application's brand modules, by the module's key."""

    by_module: Mapping[str, AskingRule]


def rule_of(tenant: Tenant) -> AskingRule | None:
    """The rule that holds at this tenant; None where everybody whom the account lets may ask."""
    rules = get_service(AskingRules).by_module
    for module in tenant.modules:
        if module in rules:
            return rules[module]
    return None


def products(tenant: Tenant, account_id: int) -> Mapping[str, Product]:
    """The products of the account that its inquiries are about.

    None where the brand has no such thing.
    """
    rule = rule_of(tenant)
    if rule is None:
        return {}
    return rule.products(account_id)


def can_ask(tenant: Tenant, account_id: int, member_id: int, about: str = "") -> Decision:
    """Whether this member may ask about `about`, or about anything at all when it is empty
    (SUP-01).
    """
    rule = rule_of(tenant)
    if rule is None:
        return ALLOWED
    return rule.can_ask(account_id, member_id, about)


def check_member(tenant: Tenant, by: Actor, about: str = "") -> None:
    """Refuse a member who may not ask about this. Operators and guests pass. Raises MayNotAsk."""
    # Operators write for the brand; guests are let in or not by the tenant (COM-53), before this.
    if by.kind != "member" or by.member_id is None or by.account_id is None:
        return
    decision = can_ask(tenant, by.account_id, by.member_id, about)
    if not decision:
        raise MayNotAsk(decision.reason)


def subject_or_only(
    tenant: Tenant, account_id: int | None, member_id: int | None, about: str
) -> str:
    """`about`, or the one number this member may ask about where there is no choice; else ""."""
    rule = rule_of(tenant)
    if about or rule is None or account_id is None or member_id is None:
        return about
    numbers = list(rule.subjects(account_id, member_id))
    return numbers[0] if len(numbers) == 1 else ""
