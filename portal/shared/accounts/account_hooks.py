"""What brands add to what auth does with an account: registered by the application, asked for by
name here.

A brand knows what of its business is still open, what a customer loses by leaving, what it keeps of
them, and what of that is personal. Auth knows when to ask (MOLD-02, COM-16).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from portal.config import Tenant
from portal.core import Actor, PageLink, RuleBroken
from portal.shared.accounts.models import Account, Member


def _nothing(*_: object) -> tuple[()]:
    return ()


def _nobody(*_: object) -> dict[int, Sequence["OpenBusiness"]]:
    return {}


@dataclass(frozen=True, slots=True)
class OpenBusiness:
    """What of one kind is still open and keeps an account from leaving, or a member from being
    removed.

    `message` says what and how many, `link` leads to the list of just these, `remedy` (a message
    id) says what to do.
    """

    message: RuleBroken
    remedy: str
    link: PageLink


@dataclass(frozen=True, slots=True)
class AccountHooks:
    """One brand's part in the life of an account. All work in the running transaction.

    `open_business`: what keeps the account from leaving, kind by kind; `cautions` say beforehand
    what does (message ids). `losses`: what it loses by it. `joined`: a new member has proved their
    address. `export_files`: file name and content of what the brand keeps. `erase`: make what is
    personal anonymous.

    `member_business`: what keeps members of an account (its id) from being removed, by the member's id.
    `member_losses`: what ends with a member's sign-in. `end_member`: end it, as the member is removed.
    """

    open_business: Callable[[Tenant, Account], Iterable[OpenBusiness]] = _nothing
    cautions: Callable[[Tenant], Iterable[str]] = _nothing
    losses: Callable[[Tenant, Account], Iterable[RuleBroken]] = _nothing
    member_business: Callable[[Tenant, int], Mapping[int, Sequence[OpenBusiness]]] = _nobody
    member_losses: Callable[[Tenant, Member], Iterable[RuleBroken]] = _nothing
    end_member: Callable[[Tenant, Member, Actor], object] = _nothing
    joined: Callable[[Tenant, Member], object] = _nothing
    export_files: Callable[[Tenant, Account], Iterable[tuple[str, bytes]]] = _nothing
    erase: Callable[[Account], object] = _nothing


class RegisteredHooks:
    """The parts there are, by brand module, and those of shared modules; set by the application."""

    by_module: dict[str, AccountHooks] = {}  # noqa: RUF012 - filled once, at start
    shared: tuple[AccountHooks, ...] = ()


def hooks_of(tenant: Tenant) -> Iterator[AccountHooks]:
    """The parts of shared modules, and of the brand modules that the tenant has on."""
    yield from RegisteredHooks.shared
    yield from (
        RegisteredHooks.by_module[module]
        for module in tenant.modules
        if module in RegisteredHooks.by_module
    )


def all_hooks() -> Iterator[AccountHooks]:
    """All parts there are: what is personal is erased also where a module was switched off."""
    yield from (*RegisteredHooks.shared, *RegisteredHooks.by_module.values())
