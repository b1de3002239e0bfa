"""What the types alone cannot say of a tenants file: legibility, hosts of several tenants, numbers
that tell apart.

These look at the file and not at finished tenants, so that mistakes show also in a section that has
others.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import combinations

from pydantic import ValidationError

from portal.config.config_errors import Finding, RawTable
from portal.config.module_config import Declared
from portal.config.schema_parts import Theme
from portal.config.schema_password import PasswordRules
from portal.core import clock

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


def illegible(section: RawTable) -> Iterator[Finding]:
    """Pairs of a tenant's colours on which text cannot be read well (WCAG 2.2 AA)."""
    given = _table(section, "theme")
    usual = {name: field.default for name, field in Theme.model_fields.items()}
    for text, ground in _PAIRS:
        # Pairs of defaults are left out: nobody could mend them in the file.
        names = [name for name in (text, ground) if name in given]
        colours = [str({**usual, "white": "#ffffff", **given}[name]) for name in (text, ground)]
        if not names or not all(map(_COLOUR.fullmatch, colours)):
            continue
        ratio = contrast(*colours)
        if ratio < LEAST_CONTRAST:
            pair = f"{text} {colours[0]} on {ground} {colours[1]}"
            least = int(ratio * 100) / 100  # 4.499 is not yet 4.5
            yield ("theme", names[0]), f"{pair} has a contrast of {least:.2f}:1; text needs 4.5:1"


def wrong_check_digit(section: RawTable) -> Iterator[Finding]:
    """A company's registration number (T and its 法人番号) that has a wrong digit.

    Sole proprietors' follow no rule.
    """
    issuer = _table(section, "issuer")
    number = issuer.get("registration_number")
    if issuer.get("kind", "company") != "company":
        return
    if not isinstance(number, str) or not _T_NUMBER.fullmatch(number):
        return
    digit = check_digit(number[2:])
    # Where it is wrong the T number on every invoice is, and none of them is a qualified one.
    if number[1] != digit:
        yield (
            ("issuer", "registration_number"),
            f"a digit is wrong: a company's number would begin T{digit} with these last twelve "
            'digits; of a sole proprietor say kind = "sole_proprietor"',
        )


def same_numbers(section: RawTable, declared: Declared) -> Iterator[Finding]:
    """Two kinds of public numbers that could be the same: what would ``A100000001`` be?"""
    prefixes = _prefixes(section, declared)
    given = _table(section, "numbers")
    # Those that the file names come last, so that of each pair one that it names is to blame.
    usual = [kind for kind in prefixes if kind not in given]
    named = [kind for kind in prefixes if kind in given]
    for one, other in combinations([*usual, *named], 2):
        if other in given and _alike(prefixes[one], prefixes[other]):
            yield (
                ("numbers", other, "prefix"),
                f"{prefixes[other]!r} cannot be told from the numbers of {one}, {prefixes[one]!r}",
            )


def _prefixes(section: RawTable, declared: Declared) -> dict[str, str]:
    """The prefix of each kind of number that this tenant gives out."""
    modules = [name for name in _list(section, "modules") if isinstance(name, str)]
    given = _table(section, "numbers")
    found: dict[str, str] = {}
    for kind, usual in declared.numbers.items():
        prefix = _table(given, kind).get("prefix")
        by = declared.numbered_by.get(kind)
        if isinstance(prefix, str) and prefix:
            found[kind] = prefix
        elif by is None or not by.isdisjoint(modules):
            found[kind] = usual
    return found


def _alike(one: str, other: str) -> bool:
    """Whether a number with one prefix can also be read as one with the other."""
    # A prefix that goes on in digits alone can be read as the other one with a longer number.
    shorter, longer = sorted((one, other), key=len)
    rest = longer.removeprefix(shorter)
    return longer.startswith(shorter) and (not rest or (rest.isascii() and rest.isdecimal()))


def untaxed_today(section: RawTable) -> Iterator[Finding]:
    """A tax table whose standard rates all begin in the future: nothing could be billed yet."""
    rates = _table(section, "tax").get("rates")
    if not isinstance(rates, list) or not all(isinstance(rate, dict) for rate in rates):
        return
    standard = [rate.get("since") for rate in rates if rate.get("reduced", False) is False]
    days = [day for day in standard if isinstance(day, date) and not isinstance(day, datetime)]
    # Only where all of them are days: of anything else the types tell.
    if days and len(days) == len(standard) and min(days) > clock.today():
        yield (
            ("tax", "rates"),
            f"no standard rate is in effect today; the first begins on {min(days)}",
        )


def inbound(sections: Mapping[str, RawTable]) -> Iterator[Finding]:
    """Addresses at which mail comes in for two tenants: it would go to whichever stands first."""
    owners: dict[str, str] = {}
    for key, section in sections.items():
        address = _table(section, "mail").get("inbound")
        if section.get("status") == "retired" or not isinstance(address, str) or not address:
            continue
        # Hosts compare so, and mail servers treat the part before the @ alike in practice.
        owner = owners.setdefault(address.casefold(), key)
        if owner != key:
            yield (
                ("tenants", key, "mail", "inbound"),
                f"mail to {address} comes in for [tenants.{owner}] already",
            )


def hosts(
    key: str, section: RawTable, base_domain: str
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """The host names that a tenant's section claims, each with the key that claims it.

    None when it is retired.
    """
    # A retired brand's host may be given to another one.
    if section.get("status") == "retired":
        return
    subdomain = section.get("subdomain", key)
    yield f"{subdomain}.{base_domain}", ("subdomain",)
    for index, domain in enumerate(_list(section, "domains")):
        yield str(domain), ("domains", index)


def doubtful(section: RawTable) -> Iterator[Finding]:
    """What works and is likely not meant: warnings."""
    yield from _weak_passwords(_table(_table(section, "sign_in"), "password"))
    contact = _table(section, "contact")
    if _table(section, "sign_in").get("forgot") == "operator" and not contact.get("telephone"):
        yield (
            ("contact", "telephone"),
            "members who forget their password are told to call, but no number is given",
        )


def _weak_passwords(given: RawTable) -> Iterator[Finding]:
    """How password rules deviate from ASVS 6.2 (security.md §4.4).

    Rules that are themselves mistaken are reported by their types, and give nothing here.
    """
    try:
        deviations = "; ".join(PasswordRules.model_validate(given).deviations())
    except ValidationError:
        return
    if deviations:
        # To blame is the preset, where it is not the usual one; else the first key that is there.
        key = "preset"
        rule = given.get("preset", "default")
        if rule == "default":
            key = next(iter(given))
            rule = "this"
        yield (
            ("sign_in", "password", key),
            f"{rule} deviates from ASVS 6.2 ({deviations}); offer a second factor",
        )


def sections_of_absent_modules(section: RawTable, known: tuple[str, ...]) -> Iterator[Finding]:
    """Tables of brand modules that are not on: nothing reads them."""
    on = section.get("modules", [])
    if not isinstance(on, list):
        return
    for name in known:
        if name in section and name not in on:
            yield (
                (name,),
                f"nothing reads this table while the module is off; add {name!r} to modules to "
                "switch it on",
            )


def check_digit(twelve: str) -> str:
    """The first digit of a corporate number (法人番号) by its other twelve.

    9 − (Σ Pn·Qn mod 9), Q = 1, 2, 1, 2 …
    """
    # From the right, as the ministry's ordinance counts (法人番号の指定等に関する省令).
    weighted = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(twelve)))
    return str(9 - weighted % 9)


def _table(section: RawTable, name: str) -> RawTable:
    """The table of this name; an empty one where the file has something else."""
    found = section.get(name)
    if not isinstance(found, dict):
        return {}
    return found


def _list(section: RawTable, name: str) -> list[object]:
    """The list of this name; an empty one where the file has something else."""
    found = section.get(name)
    if not isinstance(found, list):
        return []
    return found


def _linear(part: float) -> float:
    """One of a colour's three parts (0 to 1) as light, by the definition of sRGB."""
    if part <= 0.04045:
        return part / 12.92
    return float(((part + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio (1 to 21) of two colours, ``#rrggbb`` each, by WCAG's formula."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(byte / 255) for byte in bytes.fromhex(colour[1:]))
    # How much each of the three primaries of sRGB adds to what the eye takes for brightness.
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
