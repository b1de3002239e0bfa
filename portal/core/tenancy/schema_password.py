"""Which passwords a brand's members may set: presets, what a tenant changes of them, and what that means (COM-11)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from portal.core.tenancy.schema_base import Each, Flag, Section, Whole

Kind = Literal["upper", "lower", "letter", "digit", "symbol"]
_OWN = ("min_length", "max_length", "required", "half_width", "symbols", "longest_run")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a new password has to be, presets and the tenant's own keys taken together.

    `symbols` are those that half-width passwords may have; None is all of them. A `longest_run` of 0 is no limit.
    """

    min_length: int
    max_length: int
    required: tuple[Kind, ...] = ()
    half_width: bool = False
    symbols: str | None = None
    longest_run: int = 0
    forbid_login_id: bool = True


PRESETS = {
    "default": Policy(12, 128),
    "legacy-8-12": Policy(8, 12, ("upper", "lower", "digit"), half_width=True, symbols=".-_=+"),
    "legacy-6-20": Policy(6, 20, half_width=True, longest_run=2),
}


class PasswordRules(Section):
    """Which passwords may be set (COM-11); common, own and the brand's words are refused in any case."""

    preset: Literal["default", "legacy-8-12", "legacy-6-20"] = "default"
    """default: 12 to 128 of any characters. legacy-8-12: 8 to 12 half-width letters, digits and . - _ = +, with an
    upper-case letter, a lower-case letter and a digit. legacy-6-20: 6 to 20 half-width letters, digits and symbols,
    none three times in a row."""
    min_length: Whole | None = Field(None, ge=6, le=64)
    """Shortest password that may be set; when absent, the preset's."""
    max_length: Whole | None = Field(None, ge=8, le=128)
    """Longest password that may be set; when absent, the preset's."""
    required: Each[Kind] | None = None
    """Kinds of characters that must occur; when absent, the preset's."""
    half_width: Flag | None = None
    """Whether only half-width letters, digits and symbols may occur; when absent, the preset's."""
    symbols: str | None = Field(None, pattern=r"^[!-/:-@\[-`{-~]*$")
    """Exactly the symbols that half-width passwords may have, e.g. ".-_"; when absent, the preset's."""
    longest_run: Whole | None = Field(None, ge=0, le=10)
    """How often one character may follow itself; 0 is no limit; when absent, the preset's."""
    forbid_login_id: Flag = Field(True, description="Whether passwords that contain the login ID are refused.")

    @field_validator("max_length")
    @classmethod
    def _not_below_shortest(cls, longest: int | None, info: ValidationInfo) -> int | None:
        so_far = _policy({**info.data, "max_length": longest})
        if so_far.max_length < so_far.min_length:
            raise ValueError(
                f"no password could be {so_far.min_length} or more and {so_far.max_length} or fewer characters long"
            )
        return longest

    @field_validator("symbols")
    @classmethod
    def _that_count(cls, symbols: str | None, info: ValidationInfo) -> str | None:
        so_far = _policy({**info.data, "symbols": symbols})
        if symbols is not None and not so_far.half_width:
            raise ValueError("nothing reads this unless half_width = true")
        if so_far.symbols == "" and "symbol" in so_far.required:
            raise ValueError("a symbol is required, but none is allowed")
        return symbols

    def policy(self) -> Policy:
        """The preset with what this tenant changes of it."""
        return _policy(dict(self))

    def deviations(self) -> Iterator[str]:
        """What OWASP ASVS 5.0, 6.2 asks for and these rules do not give; nothing for the usual rules."""
        policy = self.policy()
        if policy.min_length < 8:
            yield f"6.2.1 asks for 8 characters at least, not {policy.min_length}"
        if policy.required or policy.half_width or policy.longest_run:
            yield "6.2.5 lets people choose the characters freely"
        if policy.max_length < 64:
            yield f"6.2.9 allows 64 characters at least, not {policy.max_length}"


def _policy(values: dict[str, Any]) -> Policy:
    usual = PRESETS[values.get("preset", "default")]
    own = {name: values[name] for name in _OWN if values.get(name) is not None}
    return replace(usual, **own, forbid_login_id=values.get("forbid_login_id", True))
