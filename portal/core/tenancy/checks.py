"""What the types alone cannot say of a tenants file: legibility, hosts of several tenants, numbers with check digits.

These look at the file and not at finished tenants, so that mistakes show also in a section that has others.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from portal.core.tenancy.mistakes import Finding
from portal.core.tenancy.schema_parts import Theme
from portal.core.tenancy.schema_password import PasswordRules

LEAST_CONTRAST = 4.5
"""WCAG 2.2 AA for text of the usual size."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_T_NUMBER = re.compile(r"T[0-9]{13}")
_PAIRS = (
    ("on_brand", "brand"),
    ("on_brand", "brand_strong"),
    ("brand", "white"),
    ("brand", "brand_weak"),
    ("brand_strong", "brand_weak"),
)
"""Text and ground as the style sheet puts them together."""


def illegible(section: Mapping[str, Any]) -> Iterator[Finding]:
    """Pairs of a tenant's colours on which text cannot be read well (WCAG 2.2 AA)."""
    given = _table(section, "theme")
    usual = {name: field.default for name, field in Theme.model_fields.items()}
    for text, ground in _PAIRS:
        names = [name for name in (text, ground) if name in given]
        colours = [str({**usual, "white": "#ffffff", **given}[name]) for name in (text, ground)]
        if not names or not all(map(_COLOUR.fullmatch, colours)):
            continue
        ratio = contrast(*colours)
        if ratio < LEAST_CONTRAST:
            pair = f"{text} {colours[0]} on {ground} {colours[1]}"
            least = int(ratio * 100) / 100  # 4.499 is not yet 4.5
            yield ("theme", names[0]), f"{pair} has a contrast of {least:.2f}:1; text needs 4.5:1"


def hosts(
    key: str, section: Mapping[str, Any], base_domain: str
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The host names that a tenant's section claims, each with the key that claims it. None when it is retired."""
    if section.get("status") == "retired":
        return
    subdomain = section.get("subdomain", key)
    yield f"{subdomain}.{base_domain}", ("subdomain",)
    domains = section.get("domains")
    for index, domain in enumerate(domains if isinstance(domains, list) else ()):
        yield str(domain), ("domains", index)


def doubtful(section: Mapping[str, Any]) -> Iterator[Finding]:
    """What works and is likely not meant: warnings."""
    number = _table(section, "issuer").get("registration_number")
    if (
        isinstance(number, str)
        and _T_NUMBER.fullmatch(number)
        and number[1] != check_digit(number[2:])
    ):
        usual = f"a company's number would begin T{check_digit(number[2:])} with these last twelve digits"
        yield ("issuer", "registration_number"), f"{usual}; right only for a sole proprietor"
    yield from _weak_passwords(_table(_table(section, "sign_in"), "password"))
    contact = _table(section, "contact")
    if _table(section, "sign_in").get("forgot") == "operator" and not contact.get("telephone"):
        yield (
            ("contact", "telephone"),
            "members who forget their password are told to call, but no number is given",
        )


def _weak_passwords(given: Mapping[str, Any]) -> Iterator[Finding]:
    """How password rules deviate from ASVS 6.2 (security.md §4.4); nothing when they are mistaken anyway."""
    try:
        deviations = "; ".join(PasswordRules.model_validate(given).deviations())
    except ValidationError:
        return
    if deviations:
        key = "preset" if str(given.get("preset", "default")) != "default" else next(iter(given))
        rule = given[key] if key == "preset" else "this"
        yield (
            ("sign_in", "password", key),
            f"{rule} deviates from ASVS 6.2 ({deviations}); offer a second factor",
        )


def sections_of_absent_modules(
    section: Mapping[str, Any], known: tuple[str, ...]
) -> Iterator[Finding]:
    """Tables of brand modules that are not on: nothing reads them."""
    on = section.get("modules", [])
    for name in known:
        if name in section and isinstance(on, list) and name not in on:
            yield (
                (name,),
                f"nothing reads this table while the module is off; add {name!r} to modules to switch it on",
            )


def check_digit(twelve: str) -> str:
    """The first digit of a corporate number (法人番号) by its other twelve: 9 − (Σ Pn·Qn mod 9), Q = 1, 2, 1, 2 …"""
    weighted = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(twelve)))
    return str(9 - weighted % 9)


def _table(section: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = section.get(name)
    return found if isinstance(found, dict) else {}


def contrast(one: str, other: str) -> float:
    """The contrast ratio (1 to 21) of two colours, ``#rrggbb`` each, by WCAG's formula."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [byte / 255 for byte in bytes.fromhex(colour[1:])]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
