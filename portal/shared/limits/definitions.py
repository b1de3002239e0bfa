"""What counts against which limit, declared by the module that owns the rows (COM-41).

`create_app` collects the definitions of all modules; everything else follows from them: pages,
commands, lists.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from portal.core import NotFound, TenantOwned
from portal.core.services import get_service
from portal.shared.limits.rules import Facts


class LimitOwner(Protocol):
    """Who or what a limit is for: an account, or something that an account has, as a contract."""

    @property
    def id(self) -> int:
        """Its primary key."""

    @property
    def account_id(self) -> int:
        """The primary key of the account that it belongs to."""

    @property
    def subject(self) -> str:
        """How the audit trail names it."""


def no_facts(_owners: Sequence[LimitOwner]) -> dict[int, Facts]:
    """The facts of owners that no formula can ask anything about."""
    return {}


@dataclass(frozen=True, slots=True)
class LimitDefinition:
    """What counts: rows of `model` that meet `where` and are an `owner`'s by the column `by`.

    `usual` is how many there may be where the tenant says nothing else. `find` gives an owner by
    its number, or raises NotFound. `facts` is what formulas may ask, by the owner's primary key.
    """

    name: str
    usual: int
    model: type[TenantOwned]
    by: InstrumentedAttribute[int]
    owner: type[TenantOwned]
    where: tuple[ColumnElement[bool], ...]
    find: Callable[[str], LimitOwner]
    facts: Callable[[Sequence[LimitOwner]], Mapping[int, Facts]] = no_facts


class LimitDefinitions:
    """The definitions of all modules of an application, by the limit's name."""

    def __init__(self, definitions: Iterable[LimitDefinition]) -> None:
        self.by_name = {definition.name: definition for definition in definitions}


def all_definitions() -> list[LimitDefinition]:
    """The definitions of all limits, by name."""
    by_name = get_service(LimitDefinitions).by_name
    return [by_name[name] for name in sorted(by_name)]


def get_definition(name: str) -> LimitDefinition:
    """What counts against the limit of this name. Raises NotFound."""
    by_name = get_service(LimitDefinitions).by_name
    if name not in by_name:
        names = ", ".join(sorted(by_name))
        raise NotFound("この上限はありません: %(name)s（%(names)s）", name=name, names=names)
    return by_name[name]
