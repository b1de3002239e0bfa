"""What modules add to what happens to an account and its members: asked for here, declared there.

A brand knows what of its business is still open, what a customer loses by leaving, what it keeps of
them, and what of that is personal. Accounts know when to ask (MOLD-02, COM-16).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from portal.config import Tenant
from portal.core import Actor, PageLink, RuleBroken
from portal.core.services import get_service
from portal.core.zips import Entry
from portal.shared.accounts.models import Account, Member


# What a hook gives that a module does not have: nothing is open, lost, kept or to be done.
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
    """One module's part in the life of an account. All work in the running transaction.

    `open_business`: what keeps the account from leaving, kind by kind; `cautions` say beforehand
    what does (message ids). `losses`: what it loses by it. `joined`: a new member has proved their
    address. `export_files`: file name and content of what the module keeps, bytes or a stream, one
    after another. `erase`: make what is personal anonymous.

    `member_business`: what keeps members of an account (its id) from being removed, by the member's
    id. `member_losses`: what ends with a member's sign-in. `end_member`: end it, as the member is
    removed.
    """

    open_business: Callable[[Tenant, Account], Iterable[OpenBusiness]] = _nothing
    cautions: Callable[[Tenant], Iterable[str]] = _nothing
    losses: Callable[[Tenant, Account], Iterable[RuleBroken]] = _nothing
    member_business: Callable[[Tenant, int], Mapping[int, Sequence[OpenBusiness]]] = _nobody
    member_losses: Callable[[Tenant, Member], Iterable[RuleBroken]] = _nothing
    end_member: Callable[[Tenant, Member, Actor], object] = _nothing
    joined: Callable[[Tenant, Member], object] = _nothing
    export_files: Callable[[Tenant, Account], Iterable[Entry]] = _nothing
    erase: Callable[[Account], object] = _nothing


@dataclass(frozen=True, slots=True)
class DeclaredHooks:
    """The hooks of all modules: those that every tenant has, and those of brand modules by key."""

    shared: tuple[AccountHooks, ...] = ()
    by_module: Mapping[str, AccountHooks] = field(default_factory=dict)


def hooks_of(tenant: Tenant) -> Iterator[AccountHooks]:
    """The hooks of shared modules, and of the brand modules that the tenant has on."""
    declared = get_service(DeclaredHooks)
    yield from declared.shared
    for module in tenant.modules:
        if module in declared.by_module:
            yield declared.by_module[module]


def all_hooks() -> Iterator[AccountHooks]:
    """The hooks of all modules there are, for erasing.

    What is personal is erased also where the module that keeps it was switched off.
    """
    declared = get_service(DeclaredHooks)
    yield from declared.shared
    yield from declared.by_module.values()
