"""What a brand is to the rest of the program: words, places, commands.

Shared code knows only this.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click
from flask import Blueprint, Flask, current_app
from pydantic import BaseModel

from portal.config import ModuleConfig, Section, Tenant
from portal.config.config_errors import Finding
from portal.core import PageLink, gettext_noop, path_to
from portal.core.jobs import JobKind
from portal.core.services import provide
from portal.shared.accounts.account_hooks import AccountHooks, DeclaredHooks
from portal.shared.accounts.models import Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.calendars import Event
from portal.shared.chats import config as chats_config
from portal.shared.chats import operations as chats
from portal.shared.contacts import config as contacts_config
from portal.shared.contacts import operations as contacts
from portal.shared.documents import config as documents_config
from portal.shared.documents import sharing
from portal.shared.inquiries import config as inquiries_config
from portal.shared.inquiries import inbound
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.asking import AskingRule, AskingRules
from portal.shared.inquiries.operations import MessageListeners
from portal.shared.invoicing import config as invoicing_config
from portal.shared.knowledge import config as knowledge_config
from portal.shared.limits.definitions import LimitDefinition, LimitDefinitions
from portal.shared.members import config as members_config
from portal.shared.members import operations as members
from portal.shared.notices import config as notices_config
from portal.shared.notices.operations import OF_PRODUCT
from portal.shared.notifications import Kind as MailKind
from portal.shared.orders.billing import OrderBilling
from portal.web.moved import register_moved

_LEGAL = ModuleConfig(texts=("privacy", "terms", "commerce", "withdrawal", "accessibility"))
"""The brand's own texts that pages of all brands show (COM-04): privacy policy, terms of use,
特定商取引法に基づく表記, cautions of withdrawal, accessibility."""
_SHARED_CONFIGS = (
    _LEGAL,
    notices_config.CONFIG,
    inquiries_config.CONFIG,
    members_config.CONFIG,
    contacts_config.CONFIG,
    documents_config.CONFIG,
    invoicing_config.CONFIG,
    chats_config.CONFIG,
    knowledge_config.CONFIG,
)


class NotBuilt(Section):
    """The configuration of a brand that has none yet."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """One place in the navigation, by its view's endpoint and values.

    `primary` ones also stand in the phone's bar, there as `short` if it is given.

    With `feature` it is there only while the tenant has that feature on (COM-03), with `right` only
    for members who have that.
    """

    label: str
    icon: str
    endpoint: str
    primary: bool = False
    short: str = ""
    feature: str = ""
    right: Right | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def href(self) -> str:
        """Its address."""
        return path_to(self.endpoint, **self.values)

    def is_for(self, tenant: Tenant, who: SignedIn) -> bool:
        """Whether it is there for this member of this tenant."""
        is_on = not self.feature or tenant.has(self.feature)
        return is_on and (self.right is None or bool(who.may(self.right)))


@dataclass(frozen=True, slots=True)
class Attention:
    """What awaits a member: how many of what (a message id), and where they are (COM-20)."""

    label: str
    count: int
    link: PageLink


@dataclass(frozen=True, slots=True)
class CalendarSource:
    """What of a module its members' calendars show (FAC-11): as readers call it (a message id), the
    name of the feed's file, and an account's events.
    """

    label: str
    name: str
    find_events: Callable[[int], list[Event]]


def _no_facts(
    _tenant: Tenant, _who: SignedIn, _category: str, _number: str
) -> tuple[tuple[str, str], ...]:
    """What a brand says of what an inquiry is about, unless it has something to say."""
    return ()


@dataclass(frozen=True, slots=True)
class InquiryWords:
    """What a brand calls its inquiry form and the list of past inquiries (message ids); "" where it
    has no word of its own.
    """

    form: str = ""
    history: str = ""


FindSubject = Callable[[SignedIn, str, str], str]
"""Gives a number as the brand writes it, for who asks, the category's key and what was typed.

Raises RuleBroken for a number that is not the account's.
"""


@dataclass(frozen=True)
class Brand:
    """One kind of brand. `blueprint` is None until it is built; `home` gives the my page's own
    part.

    `account` is its part in an account's life; `asking` says who may ask, unless everybody may;
    `limits` are those of its own rows, `numbers` the kinds of public numbers that it gives out,
    with their usual prefixes, `texts` those of `tenants.toml` that its pages show.
    `history` names the acts that members see in their change history.
    `tick` is done by the worker once in a while, in the tenant's scope.
    `attention` is what awaits the member.
    `subjects` are the numbers and names of what an inquiry may be about. `find_subject` gives the
    number of one as it is written, for a category's key and what was typed, or raises RuleBroken;
    None where the brand cannot tell. `subject_facts` are label and value of what a member should
    know of it (category's key, number or "").
    `opening` is from when to when (HH:MM, Asia/Tokyo) its customers come, so that they wish for no
    other time.
    `writers` are the persons who share the member's sign-in, where there are several (SUP-07).
    `products` are those that each of some accounts has, `product_keys` all there are (SUP-14).
    `dangling` are keys that the tenant's section lacks though rows of the brand's own name them,
    also where its module is off.
    `words` are what its customers call things on pages that brands share: a message id, and what
    stands there in Japanese instead; a tenant's own `words` win over them.
    `rights` are those that something of the brand's own asks for.
    `job_kinds` are the jobs that it leaves to the workers.
    `billing` is how its orders are billed, where it has any.
    `mail_kinds` are the mails besides those about inquiries that its members choose how to get
    (COM-03).
    `home_lead` is the template of what the my page begins with, before everything else.
    `calendar` is what members' calendars show of it; None where nothing of it has a time.
    `moved` are the first words of addresses that its pages had before they stood under its key.
    """

    key: str
    config: type[BaseModel] = NotBuilt
    blueprint: Blueprint | None = None
    navigation: tuple[NavItem, ...] = ()
    home: Callable[[Tenant, SignedIn], dict[str, Any]] | None = None
    home_template: str = ""
    home_lead: str = ""
    home_title: str = ""
    calendar: CalendarSource | None = None
    moved: tuple[str, ...] = ()
    commands: click.Group | None = None
    account: AccountHooks = field(default_factory=AccountHooks)
    asking: AskingRule | None = None
    limits: tuple[LimitDefinition, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    history: Mapping[str, str] = field(default_factory=dict)
    tick: Callable[[Tenant], object] | None = None
    attention: Callable[[Tenant, SignedIn], Iterable[Attention]] = lambda _tenant, _who: ()
    subjects: Callable[[SignedIn], Iterable[tuple[str, str]]] = lambda _who: ()
    find_subject: FindSubject | None = None
    subject_facts: Callable[[Tenant, SignedIn, str, str], Iterable[tuple[str, str]]] = _no_facts
    opening: Callable[[Tenant], tuple[str, str]] | None = None
    writers: Callable[[SignedIn], Iterable[str]] = lambda _who: ()
    products: Callable[[Collection[int]], Mapping[int, Collection[str]]] = lambda _accounts: {}
    product_keys: Callable[[Tenant], Collection[str]] = lambda _tenant: ()
    dangling: Callable[[Tenant], Iterable[Finding]] = lambda _tenant: ()
    inquiry_words: InquiryWords = InquiryWords()
    words: Mapping[str, str] = field(default_factory=dict)
    rights: tuple[Right, ...] = (Right.QUOTES, Right.ORDERS, Right.BILLING)
    mail_kinds: tuple[MailKind, ...] = ()
    job_kinds: tuple[JobKind, ...] = ()
    billing: OrderBilling[Any] | None = None

    @property
    def module_config(self) -> ModuleConfig:
        """What the brand's module adds to a tenant's section of `tenants.toml`."""
        return ModuleConfig(
            key=self.key,
            section=self.config,
            limits={limit.name: limit.usual for limit in self.limits},
            numbers=self.numbers,
            texts=self.texts,
        )


def module_configs(brands: Iterable[Brand]) -> list[ModuleConfig]:
    """What shared modules and these brands declare of `tenants.toml`, for `tenant_type`."""
    return [*_SHARED_CONFIGS, *(brand.module_config for brand in brands)]


def init_app(app: Flask, brands: Iterable[Brand]) -> None:
    """Make the brands known and register the pages of those that are built."""
    app.extensions["brands"] = {brand.key: brand for brand in brands}
    _provide_rules(app, tuple(brands))
    for brand in brands:
        if brand.blueprint is not None:
            app.register_blueprint(brand.blueprint, url_prefix=f"/{brand.key}")
            register_moved(app, brand.key, brand.moved)


def _provide_rules(app: Flask, brands: Sequence[Brand]) -> None:
    """Hand to the rules what modules declare for them."""
    provide(
        app,
        DeclaredHooks(
            shared=(contacts.HOOKS, inbound.HOOKS, inquiries.HOOKS, sharing.HOOKS),
            by_module={brand.key: brand.account for brand in brands},
        ),
    )
    rules = {brand.key: brand.asking for brand in brands if brand.asking is not None}
    provide(app, AskingRules(by_module=rules))
    provide(app, MessageListeners(before_message=(chats.count_message,)))
    shared = (members.LIMIT, *contacts.LIMITS, chats.LIMIT)
    own = [limit for brand in brands for limit in brand.limits]
    provide(app, LimitDefinitions([*shared, *own]))


def brands_of(tenant: Tenant) -> list[Brand]:
    """The built brands that the tenant has switched on, in its order."""
    known: dict[str, Brand] = current_app.extensions["brands"]
    return [known[key] for key in tenant.modules if known[key].blueprint is not None]


def billings_of(tenant: Tenant) -> list[OrderBilling[Any]]:
    """How the orders of the tenant's brands are billed; a brand without orders has none."""
    return [brand.billing for brand in brands_of(tenant) if brand.billing is not None]


def inquiry_words(tenant: Tenant) -> InquiryWords:
    """What this tenant calls its inquiries: each by the word of the first module that has one."""
    words = [brand.inquiry_words for brand in brands_of(tenant)]
    return InquiryWords(
        form=next((one.form for one in words if one.form), gettext_noop("お問い合わせ")),
        history=next(
            (one.history for one in words if one.history), gettext_noop("お問い合わせ履歴")
        ),
    )


def offered_rights(tenant: Tenant) -> frozenset[Right]:
    """What members of this tenant can be let do at all (COM-03): what no page of it asks for is not
    offered.
    """
    known: dict[str, Brand] = current_app.extensions["brands"]
    rights = {right for key in tenant.modules for right in known[key].rights}
    by_feature = {
        "billing_addresses": Right.BILLING,
        "delivery_addresses": Right.ORDERS,
        "inquiries": Right.SUPPORT,
        "chat": Right.SUPPORT,
    }
    rights.update(right for feature, right in by_feature.items() if tenant.has(feature))
    if tenant.sign_in.managed_by == "representative":
        rights.add(Right.MANAGE)
    return frozenset(rights)


def mail_kinds(tenant: Tenant) -> list[MailKind]:
    """The kinds of mail that members of this tenant can choose how to get: those that are ever sent
    (COM-03).
    """
    sent = {kind for brand in brands_of(tenant) for kind in brand.mail_kinds}
    if tenant.has("inquiries"):
        sent.add(MailKind.INQUIRIES)
    return [kind for kind in MailKind if kind in sent]


def display_name(tenant: Tenant, who: SignedIn) -> str:
    """The member as pages name them: all who share the sign-in, joined by a slash (SUP-07)."""
    return "/".join(writers_of(tenant, who)) or who.name


def writers_of(tenant: Tenant, who: SignedIn) -> list[str]:
    """The persons who share the member's sign-in, each once, from every module that knows some."""
    names = [name for brand in brands_of(tenant) for name in brand.writers(who)]
    return list(dict.fromkeys(names))


def products_of(tenant: Tenant, accounts: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The products that each of these accounts has, in order."""
    found = [brand.products(accounts) for brand in brands_of(tenant)]
    return {
        each: tuple(sorted({key for one in found for key in one.get(each, ())}))
        for each in accounts
    }


def reader(tenant: Tenant, who: SignedIn) -> SignedIn:
    """The member as notices ask for them: with the tags of their account's products (SUP-16)."""
    keys = products_of(tenant, [who.account_id])[who.account_id]
    return (
        replace(who, tags=who.tags + "".join(f"{OF_PRODUCT}{key}," for key in keys))
        if keys
        else who
    )
