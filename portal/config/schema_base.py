"""What the types of `tenants.toml` are made of: one base class and the kinds of value that many
keys share.
"""

import difflib
from collections.abc import Hashable, Iterable
from datetime import date
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

H = TypeVar("H", bound=Hashable)

# Strict: pydantic would take "30" for 30, 1 for true, and a day for an instant.
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Day = Annotated[date, Strict()]
ClockTime = Annotated[str, Field(pattern=r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$")]
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\p{Cc}]*$")]
"""One line of text, without control characters."""
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\p{Cc}]*\S[^\p{Cc}]*$")]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
PostalCode = Annotated[str, Field(pattern=r"^(?:[0-9]{3}-?[0-9]{4})?$")]
Telephone = Annotated[str, Field(pattern=r"^(?:0[0-9-]{8,12}[0-9])?$")]
_EMAIL = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9-]{1,63}"
)
Email = Annotated[str, Field(max_length=254, pattern=rf"^(?:{_EMAIL})?$")]


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """``; did you mean 'brand'?``, or what there is to choose from when nothing is near."""
    names = list(known)
    # Closest by letters first: most mistakes are a slip of the finger.
    near = difflib.get_close_matches(str(word), names, n=1)
    # A beginning is no close match to a long name, but is clearly meant.
    near = near or [name for name in names if word and name.startswith(str(word))]
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are: {', '.join(names) or 'none'}"


def unwrapped(description: str) -> str:
    """What is written under a key over several lines, in one."""
    return " ".join(description.split())


class OneOf:
    """An annotation that keeps a word to `names`; a misspelt one is told the nearest."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": list(self.names)}

    def _check(self, word: str) -> str:
        if word not in self.names:
            raise ValueError(f"{word!r} is unknown{did_you_mean(word, self.names)}")
        return word


class Section(BaseModel):
    """A table of `tenants.toml`: cannot be changed once read, and knows no keys but its own."""

    # Defaults are checked too: a preset that breaks a rule is found at the first start.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True
    )


def _unique(items: tuple[H, ...]) -> tuple[H, ...]:
    # As texts, since what is named twice need not be sortable.
    twice = sorted({str(item) for item in items if items.count(item) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands here twice; name each once")
    return items


Each = Annotated[tuple[H, ...], AfterValidator(_unique)]
"""Several values, none of them twice."""
