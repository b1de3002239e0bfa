"""What modules declare of `tenants.toml`: this floor knows no module and no brand (OPS-01)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class ModuleConfig:
    """What one module adds to a brand's section of `tenants.toml`.

    `features` are parts that can be switched off, each with whether it is on when nothing is said
    (COM-03). `limits` say how many of something there may be when nothing is said (COM-40).
    `numbers` are the kinds of public numbers that the module gives out, each with its usual prefix.
    `texts` are the brand's own texts that the module shows (COM-04). A brand module has a `key`,
    by which it is switched on, and a `section`, the type of the table of that name.
    """

    features: Mapping[str, bool] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    key: str = ""
    section: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What all modules declare together.

    `numbered_by` are the brand modules that give out a kind of numbers, where not every tenant
    does.
    """

    sections: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    features: Mapping[str, bool] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    numbered_by: Mapping[str, frozenset[str]] = field(default_factory=dict)
    texts: tuple[str, ...] = ()


def put_together(modules: Iterable[ModuleConfig]) -> Declared:
    """What these modules declare, in their order.

    Raises ValueError where two that say something of one name do not say the same.
    """
    features: dict[str, bool] = {}
    limits: dict[str, int] = {}
    numbers: dict[str, str] = {}
    texts: dict[str, None] = {}
    sections: dict[str, type[BaseModel]] = {}
    numbered_by: dict[str, frozenset[str]] = {}
    for module in modules:
        _add(features, module.features)
        _add(limits, module.limits)
        _add(numbers, module.numbers)
        texts.update(dict.fromkeys(module.texts))
        if module.section is not None:
            sections[module.key] = module.section
            for kind in module.numbers:
                numbered_by[kind] = numbered_by.get(kind, frozenset()) | {module.key}
    return Declared(sections, features, limits, numbers, numbered_by, tuple(texts))


def _add(known: dict[str, V], declared: Mapping[str, V]) -> None:
    for name, value in declared.items():
        # Two modules may share a name as long as they mean the same by it.
        if known.setdefault(name, value) != value:
            raise ValueError(f"two modules declare {name!r}: {known[name]!r} and {value!r}")
