"""What a brand is to the rest of the program: words, places, commands.

Shared code knows only this.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import click
from flask import Blueprint, Flask, current_app
from pydantic import BaseModel

from portal.config import Section, Tenant
from portal.config.config_errors import Finding
from portal.core import PageLink, gettext_noop, path_to
from portal.shared.accounts.account_hooks import AccountHooks, RegisteredHooks
from portal.shared.accounts.models import Right
from portal.shared.auth.sessions import SignedIn
from portal.shared.calendars import Event
from portal.shared.contacts import operations as contacts
from portal.shared.documents import sharing
from portal.shared.inquiries import inbound
from portal.shared.inquiries import operations as inquiries
from portal.shared.notices.operations import OF_PRODUCT
from portal.shared.notifications import Kind as MailKind
from portal.web.moved import register_moved


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

    `account` is its part in an account's life; `history` names the acts that members see in their change history;
    `tick` is done by the worker once in a while, in the tenant's scope; `attention` is what awaits the member;
    `subjects` are the numbers and names of what an inquiry may be about, `find_subject` gives the number of one as it
    is written, for a category's key and what was typed, or raises RuleBroken; None where the brand cannot tell.
    `subject_facts` are label and value of what a member should know of it (category's key, number or "").
    `opening` is from when to when (HH:MM, Asia/Tokyo) its customers come, so that they wish for no other time.
    `writers` are the persons who share the member's sign-in, where there are several (SUP-07).
    `products` are those that each of some accounts has, `product_keys` all there are (SUP-14).
    `hanging` are keys that the tenant's section lacks though rows of the brand's own name them, also where its module
    is off.
    `words` are what its customers call things on pages that brands share: a message id, and what stands there in
    Japanese instead; a tenant's own `words` win over them.
    `rights` are those that something of the brand's own asks for.
    `mail_kinds` are the mails besides those about inquiries that its members choose how to get (COM-03).
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
    hanging: Callable[[Tenant], Iterable[Finding]] = lambda _tenant: ()
    inquiry_words: InquiryWords = InquiryWords()
    words: Mapping[str, str] = field(default_factory=dict)
    rights: tuple[Right, ...] = (Right.QUOTES, Right.ORDERS, Right.BILLING)
    mail_kinds: tuple[MailKind, ...] = ()


def sections(brands: Iterable[Brand]) -> dict[str, type[BaseModel]]:
    """The configuration types of all brands, for `tenant_type`."""
    return {brand.key: brand.config for brand in brands}


def init_app(app: Flask, brands: Iterable[Brand]) -> None:
    """Make the brands known and register the pages of those that are built."""
    app.extensions["brands"] = {brand.key: brand for brand in brands}
    RegisteredHooks.by_module = {brand.key: brand.account for brand in brands}
    RegisteredHooks.shared = (contacts.PART, inbound.PART, inquiries.PART, sharing.PART)
    for brand in brands:
        if brand.blueprint is not None:
            app.register_blueprint(brand.blueprint, url_prefix=f"/{brand.key}")
            register_moved(app, brand.key, brand.moved)


def brands_of(tenant: Tenant) -> list[Brand]:
    """The built brands that the tenant has switched on, in its order."""
    known: dict[str, Brand] = current_app.extensions["brands"]
    return [known[key] for key in tenant.modules if known[key].blueprint is not None]


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
