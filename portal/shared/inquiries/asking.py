"""Who may ask, and about what: the one answer for pages, chats, commands and mail that comes in
(SUP-01).

Everybody whom the account lets may ask, unless a brand's module has a rule of its own: at a support
desk only the registered contacts of a contract do. A brand declares its rule; it holds for tenants
that have the brand's module on, and at a tenant with several modules for what is the module's: who
reserves a machine there need be no contact of a contract.
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


def _rules(tenant: Tenant) -> dict[str, AskingRule]:
    """The rules of this tenant's modules, by module."""
    known = get_service(AskingRules).by_module
    return {module: known[module] for module in tenant.modules if module in known}


def rules_of(tenant: Tenant) -> list[AskingRule]:
    """The rules of this tenant's modules; none where everybody whom the account lets may ask."""
    return list(_rules(tenant).values())


def rule_for(tenant: Tenant, account_id: int, category: str, about: str) -> AskingRule | None:
    """The rule for an inquiry of this category's key about this number; None where there is none.

    With one module its rule holds for everything. With several it holds for the categories that say
    they are the module's, and for its own numbers, whatever the category is.
    """
    rules = _rules(tenant)
    if len(tenant.modules) < 2:
        return next(iter(rules.values()), None)
    chosen = tenant.inquiries.category(category)
    if chosen and chosen.module in rules:
        return rules[chosen.module]
    return next((rule for rule in rules.values() if _knows(rule, account_id, about)), None)


def _knows(rule: AskingRule, account_id: int, number: str) -> bool:
    """Whether a number is one of those that this rule is about."""
    return any(number in product.numbers for product in rule.products(account_id).values())


def products(tenant: Tenant, account_id: int) -> Mapping[str, Product]:
    """The products of the account that its inquiries are about.

    None where the brand has no such thing.
    """
    found: dict[str, Product] = {}
    for rule in rules_of(tenant):
        found |= rule.products(account_id)
    return found


def units(tenant: Tenant, account_id: int, member_id: int) -> Mapping[str, tuple[str, ...]]:
    """What each number that the member may ask about has, by name."""
    found: dict[str, tuple[str, ...]] = {}
    for rule in rules_of(tenant):
        found |= rule.units(account_id, member_id)
    return found


def responsible(tenant: Tenant, account_id: int) -> list[tuple[str, str]]:
    """Whom in the account to turn to: a number with its words, and the person."""
    return [one for rule in rules_of(tenant) for one in rule.responsible(account_id)]


def can_ask(
    tenant: Tenant, account_id: int, member_id: int, about: str = "", *, category: str = ""
) -> Decision:
    """Whether this member may ask about `about` in this category, or about anything at all when
    both are empty (SUP-01).
    """
    if not about and not category and _is_open_to_all(tenant):
        return ALLOWED
    rule = rule_for(tenant, account_id, category, about)
    if rule is None and not about and not category:
        rule = next(iter(rules_of(tenant)), None)
    if rule is None:
        return ALLOWED
    return rule.can_ask(account_id, member_id, about)


def _is_open_to_all(tenant: Tenant) -> bool:
    """Whether there is a category that no module's rule is for."""
    several = len(tenant.modules) > 1
    return several and any(one.module not in _rules(tenant) for one in tenant.inquiries.categories)


def check_member(tenant: Tenant, by: Actor, about: str = "", *, category: str = "") -> None:
    """Refuse a member who may not ask about this. Operators and guests pass. Raises MayNotAsk."""
    # Operators write for the brand; guests are let in or not by the tenant (COM-53), before this.
    if by.kind != "member" or by.member_id is None or by.account_id is None:
        return
    decision = can_ask(tenant, by.account_id, by.member_id, about, category=category)
    if not decision:
        raise MayNotAsk(decision.reason)


def subject_or_only(
    tenant: Tenant, account_id: int | None, member_id: int | None, about: str, *, category: str
) -> str:
    """`about`, or the one number this member may ask about where there is no choice; else ""."""
    if about or account_id is None or member_id is None:
        return about
    rule = rule_for(tenant, account_id, category, "")
    numbers = list(rule.subjects(account_id, member_id)) if rule else []
    return numbers[0] if len(numbers) == 1 else ""
