"""COM-11: what each brand's rules accept and refuse, by the requirements' own examples and for any password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config.schema_password import PasswordRules
from portal.core.errors import RuleBroken
from portal.shared.auth import passwords
from portal.shared.auth.passwords import Context, Rule, brand_words, broken, rules_for

DEFAULT = PasswordRules()
RENTAL = PasswordRules(preset="legacy-8-12")
SHOP = PasswordRules(preset="legacy-6-20")
MOLDS = PasswordRules(min_length=8, required=("letter", "digit"))
EVERY = PasswordRules(
    half_width=True,
    symbols=r"\]^-[!",
    required=("upper", "lower", "letter", "digit", "symbol"),
    longest_run=1,
)
ALL = (DEFAULT, RENTAL, SHOP, MOLDS, EVERY)
HANAKO = Context(
    "hana01", "h.yamada@one.example", ("Hanako Yamada", "株式会社高崎精機"), ("shop", "豆 資材")
)
PLENTY = settings(max_examples=100)
TYPED = st.one_of(
    st.text(max_size=24),
    st.text(alphabet="aA1bB2-._=+!]^[\\é　", max_size=24),
    st.from_regex(r"[A-Za-z0-9._=+-]{6,21}", fullmatch=True),
)


def kept(password: str, rules: PasswordRules, context: Context = HANAKO) -> str:
    """The key of the first rule that is broken, or ``ok``."""
    found = broken(password, rules_for(rules), context)
    return found[0].key if found else "ok"


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("Tr4m.Kle", "ok"),  # eight
        ("Tr4m.Kle-_=+", "ok"),  # twelve, with each symbol there is
        ("Tr4m.Kl", "min"),
        ("Tr4m.Kle-_=+x", "max"),  # thirteen
        ("Tr4m!Kle", "allowed"),
        ("Tr4m Kle", "allowed"),
        ("Tr4m.Kle\n", "allowed"),
        ("Ｔr4m.Kle", "allowed"),
        ("Tr٤m.Kle", "allowed"),  # a digit elsewhere, none here
        ("tr4m.kle", "upper"),
        ("TR4M.KLE", "lower"),
        ("Trxm.Kle", "digit"),
        ("x-Hana01-B", "login_id"),
        ("x-hANA01-b", "login_id"),
        ("Tr4m-Yamada", "words"),
        ("Tr4mmm.Kle", "ok"),  # this brand has nothing against three in a row
        ("Sakura2020", "common"),
        ("Passw0rd1x", "common"),
    ],
)
def test_the_rental_brands_rules(password: str, expected: str) -> None:
    """RENT-02"""
    assert kept(password, RENTAL) == expected


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("aaa012345", "run"),
        ("ABCDE999", "run"),
        ("ABKDE99!9", "ok"),
        ("aA7aA8", "ok"),
        ("kr7!x", "min"),
        ("kr7!xq", "ok"),
        ("kr7!xqkr7!xqkr7!xqZZ", "ok"),  # twenty
        ("kr7!xqkr7!xqkr7!xqZZ1", "max"),
        ("krvmxq", "ok"),  # letters alone will do
        ("874019", "ok"),
        ("kr7!xq\\~`|", "ok"),
        ("kr7 xq", "allowed"),
        ("ｋｒ７ｘｑｚ", "allowed"),
        ("kr7xxxx", "run"),
        ("kr7!!!q", "run"),
        ("my-shop-7", "words"),
        ("qwe123", "common"),
        ("ababab", "common"),
    ],
)
def test_the_shops_rules(password: str, expected: str) -> None:
    """SHOP-01"""
    assert kept(password, SHOP) == expected


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("krvm7401", "ok"),
        ("krvm740", "min"),
        ("krvmxqzz", "digit"),
        ("87401956", "letter"),
        ("図面は krvm7 枚", "ok"),
    ],
)
def test_the_mold_makers_rules(password: str, expected: str) -> None:
    """MOLD-01: eight or more letters and digits; longer ones and other characters do no harm."""
    assert kept(password, MOLDS) == expected


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("wet tram on monday", "ok"),
        ("月曜の路面電車は雨に濡れている", "ok"),
        ("wet tram on", "min"),
        ("h.yamada in the rain", "words"),
        ("HANAKO in the rain", "words"),
        ("高崎精機の雨の日の路面電車", "words"),
        ("workSHOP in the rain", "words"),
        ("豆 資材の雨の日の路面電車", "words"),
        ("one in the rain 豆豆", "ok"),  # words of fewer than four letters, and the mail's host
        ("hana01 in the rain", "login_id"),
        ("sunshine-2026!!", "common"),
        ("2026-sunshine", "common"),
        ("5un5h1n3-2026", "common"),
        ("sunshinesunshine", "common"),
        ("1qaz2wsx3edc", "common"),
        ("123456789012", "common"),
        ("sunshine and wet trams", "ok"),
    ],
)
def test_the_usual_rules(password: str, expected: str) -> None:
    """security.md §4.3, §4.4"""
    assert kept(password, DEFAULT) == expected


def test_a_tenant_may_allow_the_login_id_inside() -> None:
    """COM-11"""
    assert kept("hana01 in the rain", PasswordRules(forbid_login_id=False)) == "ok"


def test_the_list_of_common_words_is_long_folded_and_without_doubles() -> None:
    """security.md §4.3, ASVS 6.2.4: three thousand words, in a file of a few kilobytes."""
    words = passwords.common_words()
    file = Path(passwords.__file__).with_name("common_passwords.txt")
    listed = file.read_text(encoding="utf-8").splitlines()
    assert len(listed) == len(words) >= 3000
    assert sum(len(line) + 1 for line in listed) < 40_000
    assert all(word == word.casefold() and len(word) >= 4 for word in words)
    assert all(passwords.is_common(word) for word in words)


@pytest.mark.parametrize("rules", ALL)
def test_the_first_broken_rule_is_what_the_member_is_told(rules: PasswordRules) -> None:
    """COM-11, COM-23: a sentence with its numbers, at the field."""
    first = broken("", rules_for(rules), HANAKO)[0]
    with pytest.raises(RuleBroken) as caught:
        passwords.check("", rules=rules, who=HANAKO)
    assert (caught.value.message, caught.value.params) == (first.refusal, first.params)
    assert caught.value.field == "password"
    assert f"{rules.min_length}文字以上" in str(caught.value)


def test_each_rule_has_a_key_of_its_own_and_sentences_that_can_be_filled() -> None:
    """COM-11"""
    for rules in (*ALL, PasswordRules(half_width=True, symbols="")):
        keys = [rule.key for rule in rules_for(rules)]
        assert len(set(keys)) == len(keys)
        for rule in rules_for(rules):
            assert all(
                text % rule.params if rule.params else text for text in (rule.label, rule.refusal)
            )


@PLENTY
@given(TYPED, st.sampled_from(ALL))
def test_what_passes_has_every_property_that_is_promised(
    password: str, rules: PasswordRules
) -> None:
    """COM-11: the rules written a second time."""
    if broken(password, rules_for(rules), HANAKO):
        return
    policy, folded = rules, password.casefold()
    assert policy.min_length <= len(password) <= policy.max_length
    assert not any(word in folded for word in ("hana01", "yamada", "hanako", "高崎精機", "shop"))
    assert len(set(password)) >= 4
    if policy.half_width:
        allowed = policy.symbols
        assert all("!" <= c <= "~" for c in password)
        assert allowed is None or all(
            (c.isascii() and c.isalnum()) or c in allowed for c in password
        )
    promises = {
        "upper": str.isupper,
        "lower": str.islower,
        "letter": str.isalpha,
        "digit": str.isdigit,
    }
    for kind in policy.required:
        assert any(
            c.isascii() and promises.get(kind, lambda c: not c.isalnum())(c) for c in password
        )
    run = policy.longest_run
    assert not run or all(
        len(set(password[i : i + run + 1])) > 1 for i in range(len(password) - run)
    )


@PLENTY
@given(st.data(), st.sampled_from(ALL))
def test_a_password_made_by_the_rules_passes(data: st.DataObject, rules: PasswordRules) -> None:
    """COM-11: no tenant's rules contradict each other."""
    policy = rules
    pools = ["BDFGJK", "bdfgjk", "234567", (policy.symbols or "!~.")[:3]]
    length = data.draw(st.integers(policy.min_length, min(policy.max_length, 20)))
    start = data.draw(st.integers(0, 5))
    # One of each kind in turn: no run, every kind, and no word of anybody's.
    password = "".join(pools[i % 4][(start + i // 4) % len(pools[i % 4])] for i in range(length))
    assert broken(password, rules_for(rules), HANAKO) == []


def as_the_page_does(test: dict[str, Any], typed: str) -> bool:
    """What js/password.js makes of a rule's data, in its own way of matching."""
    return (
        len(typed) >= test.get("min", 0)
        and len(typed) <= test.get("max", len(typed))
        and ("all" not in test or bool(re.search(rf"\A(?:{test['all']})\Z", typed)))
        and bool(re.search(test.get("has", ""), typed))
        and not ("lacks" in test and re.search(test["lacks"], typed, re.DOTALL))
        and not any(word in typed.casefold() for word in test["words"])
    )


@PLENTY
@given(TYPED, st.sampled_from(ALL), st.sampled_from([HANAKO, Context(brand=("shop",))]))
def test_the_checklist_and_the_server_agree(
    password: str, rules: PasswordRules, known: Context
) -> None:
    """COM-11: whatever the page refuses is refused, and what it ticks off as a whole is kept."""
    for rule in rules_for(rules):
        ticked, data = as_the_page_does(rule.as_data(known), password), rule.as_data(known)
        if not ticked:
            assert not rule.holds(password, known)
        if ticked and data["whole"]:
            assert rule.holds(password, known)


def test_patterns_mean_the_same_to_a_browser() -> None:
    """COM-11: with the flag u, JavaScript takes an escape for nothing but its own syntax."""
    patterns = [
        p for rules in ALL for rule in rules_for(rules) for p in (rule.all_of, rule.has, rule.lacks)
    ]
    escaped = {match for pattern in patterns for match in re.findall(r"\\(.)", pattern)}
    assert escaped <= set("\\]^-[/1")


def test_what_only_the_server_knows_is_never_ticked_off_by_the_page() -> None:
    """security.md §4.3: behind a mailed link the page is told nothing of the member."""
    rules: dict[str, Rule] = {rule.key: rule for rule in rules_for(DEFAULT)}
    guest = Context(brand=("shop",))
    assert [key for key, rule in rules.items() if not rule.is_whole(guest)] == [
        "login_id",
        "words",
        "common",
    ]
    assert [key for key, rule in rules.items() if not rule.is_whole(HANAKO)] == ["common"]
    assert rules["words"].words(guest) == ["shop"]


def test_a_brands_words_are_its_names(brand: Any) -> None:
    """security.md §4.3"""
    assert brand_words(brand) == ("facility", "facility", "試験設備", "試験設備")
