"""Which passwords a brand's members may set: presets, and what a tenant changes of them
(COM-11).
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from portal.config.schema_base import Each, Flag, Section, Whole

Kind = Literal["upper", "lower", "letter", "digit", "symbol"]
# NIST SP 800-63B and OWASP ASVS: length counts, rules about kinds of characters do not.
_DEFAULT = {
    "min_length": 12,
    "max_length": 128,
    "required": (),
    "half_width": False,
    "symbols": None,
    "longest_run": 0,
}
_STRICT = {"required": ("upper", "lower", "digit"), "half_width": True, "symbols": ".-_=+"}
_PRESETS: dict[str, dict[str, Any]] = {
    "default": _DEFAULT,
    "legacy-8-12": {**_DEFAULT, "min_length": 8, "max_length": 12, **_STRICT},
    "legacy-6-20": {
        **_DEFAULT,
        "min_length": 6,
        "max_length": 20,
        "half_width": True,
        "longest_run": 2,
    },
}


def _usual(name: str) -> Callable[[dict[str, Any]], Any]:
    """What pydantic takes for a key that is absent: the value of this name in the chosen preset."""

    def usual(values: dict[str, Any]) -> Any:
        return _PRESETS[values["preset"]][name]

    return usual


def _usual_symbols(values: dict[str, Any]) -> str | None:
    """The preset's symbols; None where all characters may occur, so that symbols say nothing."""
    # A preset's symbols belong to its half-width rule, which the file may have lifted.
    if not values["half_width"]:
        return None
    symbols: str | None = _PRESETS[values["preset"]]["symbols"]
    return symbols


class PasswordRules(Section):
    """Which passwords may be set (COM-11); common, own and the brand's words are refused in any
    case.
    """

    preset: Literal["default", "legacy-8-12", "legacy-6-20"] = "default"
    """default: 12 to 128 of any characters. legacy-8-12: 8 to 12 half-width letters, digits and . -
    _ = +, with an upper-case letter, a lower-case letter and a digit. legacy-6-20: 6 to 20
    half-width letters, digits and symbols, none three times in a row.
    """
    min_length: Whole = Field(default_factory=_usual("min_length"), ge=6, le=64)
    """Shortest password that may be set; when absent, the preset's."""
    max_length: Whole = Field(default_factory=_usual("max_length"), ge=8, le=128)
    """Longest password that may be set; when absent, the preset's."""
    required: Each[Kind] = Field(default_factory=_usual("required"))
    """Kinds of characters that must occur; when absent, the preset's."""
    half_width: Flag = Field(default_factory=_usual("half_width"))
    """Whether only half-width letters, digits and symbols may occur; when absent, the preset's."""
    symbols: str | None = Field(default_factory=_usual_symbols, pattern=r"^[!-/:-@\[-`{-~]*$")
    """Exactly the symbols that half-width passwords may have, e.g. ".-_"; when absent, the
    preset's.
    """
    longest_run: Whole = Field(default_factory=_usual("longest_run"), ge=0, le=10)
    """How often one character may follow itself; 0 is no limit; when absent, the preset's."""
    forbid_login_id: Flag = Field(
        True, description="Whether passwords that contain the login ID are refused."
    )

    @field_validator("max_length")
    @classmethod
    def _not_below_shortest(cls, longest: int, info: ValidationInfo) -> int:
        # Absent where it failed itself: then only that is told.
        shortest = info.data.get("min_length", 0)
        if longest < shortest:
            raise ValueError(
                f"no password could be {shortest} or more and {longest} or fewer characters long"
            )
        return longest

    @field_validator("symbols")
    @classmethod
    def _that_count(cls, symbols: str | None, info: ValidationInfo) -> str | None:
        if symbols is not None and not info.data.get("half_width", True):
            raise ValueError("nothing reads this unless half_width = true")
        # Each rule alone will do; together no password could keep them.
        if symbols == "" and "symbol" in info.data.get("required", ()):
            raise ValueError("a symbol is required, but none is allowed")
        return symbols

    def deviations(self) -> Iterator[str]:
        """What OWASP ASVS 5.0, 6.2 asks for and these rules do not give.

        The usual rules have no deviations.
        """
        if self.min_length < 8:
            yield f"6.2.1 asks for 8 characters at least, not {self.min_length}"
        if self.required or self.half_width or self.longest_run:
            yield "6.2.5 lets people choose the characters freely"
        if self.max_length < 64:
            yield f"6.2.9 allows 64 characters at least, not {self.max_length}"
