"""COM-11: which passwords may be set, and how they are kept (security.md §4.1, §4.3, §4.4)."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest
from argon2 import Type, extract_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from pwdlib.hashers.argon2 import Argon2Hasher

from portal.config.schema_password import PasswordRules
from portal.core.errors import RuleBroken
from portal.shared.auth import passwords

LONG_ENOUGH = "green-Tea-12"  # twelve characters: the shortest under the usual rules
DEFAULT = PasswordRules()
EIGHT_TO_TWELVE = PasswordRules(preset="legacy-8-12")
SIX_TO_TWENTY = PasswordRules(preset="legacy-6-20")
PLENTY = settings(max_examples=50)

TOO_SHORT, TOO_LONG = "文字以上", "文字以内"
OWN_NAME, GUESSED = "ログインID", "推測されやすい"


def refusal(password: str, rules: PasswordRules = DEFAULT, **who: Any) -> str:
    """What the rules say against a password; nothing when it may be set."""
    try:
        passwords.check(password, rules=rules, who=passwords.Context(**who))
    except RuleBroken as error:
        return f"{error.field}: {error}"
    return ""


@pytest.fixture(scope="module")
def real() -> ModuleType:
    """The module as it is in service: the tests' own cheap hasher has replaced its own."""
    assert passwords.__file__
    spec = importlib.util.spec_from_file_location("passwords_in_service", passwords.__file__)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("preset", "shortest", "longest"),
    [("default", 12, 128), ("legacy-8-12", 8, 12), ("legacy-6-20", 6, 20)],
)
def test_the_length_is_held_to_at_both_ends(preset, shortest, longest):
    """COM-11: one character fewer or more than the preset's range is refused, with the number that counts."""
    rules = PasswordRules(preset=preset)
    stock = "k1B2m3D4e5F6g7h8i9jq" * 7
    assert refusal(stock[:shortest], rules) == ""
    assert refusal(stock[:longest], rules) == ""
    assert f"{shortest}{TOO_SHORT}" in refusal(stock[: shortest - 1], rules)
    assert f"{longest}{TOO_LONG}" in refusal(stock[: longest + 1], rules)


@pytest.mark.parametrize("preset", ["default", "legacy-8-12", "legacy-6-20"])
def test_a_tenants_own_length_wins_over_the_presets(preset):
    """COM-11: min_length and max_length of tenants.toml."""
    rules = PasswordRules(preset=preset, min_length=10, max_length=11)
    stock = "k1B2m3D4k5M6"
    assert f"10{TOO_SHORT}" in refusal(stock[:9], rules)
    assert [refusal(stock[:length], rules) for length in (10, 11)] == ["", ""]
    assert f"11{TOO_LONG}" in refusal(stock, rules)


def test_one_own_limit_leaves_the_other_as_the_preset_has_it():
    """COM-11"""
    assert refusal("Abkd1290xyzw5", PasswordRules(preset="legacy-8-12", max_length=13)) == ""
    assert f"8{TOO_SHORT}" in refusal("Abkd129", PasswordRules(preset="legacy-8-12", max_length=13))
    assert f"128{TOO_LONG}" in refusal("ab1-" * 33, PasswordRules(min_length=20))


@pytest.mark.parametrize(
    "password",
    [
        "𠮷野家の牛丼を三杯食べた日",  # 13 characters, one of them outside the first plane
        "𠮷𠮶𠀋𡈽𡌛𡑮𡢽𠮟𡚴𡸴𣇄𣗄",
        "  two spaces at the ends  ",
        "correct horse battery staple",
        "全角　空白　と　タブ\tも　可",
        "ＦｕｌｌＷｉｄｔｈ７２３",
        "n0-compos1t10n rule at all",
        "only small letters here",
        "🍵🍡🍣🍱🍙🍘🍢🍤🍥🍧🍨🍩",
    ],
)
def test_any_characters_may_be_used_and_no_composition_is_asked_for(password, real):
    """COM-11, security.md §4.4: spaces, kana, emoji; each counts as one, and each of them counts at sign-in."""
    assert refusal(password) == ""
    kept = real.hash_password(password)
    assert real.verify(kept, password)
    assert not real.verify(kept, password.strip() + "x")


def test_length_is_counted_in_characters_not_bytes():
    """COM-11: eleven characters of four bytes are still too few, 128 of them are not too many."""
    stock = "𠮷𠮶𠀋𡈽𡌛𡑮𡢽𠮟𡚴𡸴𣇄𣗄" * 11
    assert f"12{TOO_SHORT}" in refusal(stock[:11])
    assert refusal(stock[:128]) == ""
    assert f"128{TOO_LONG}" in refusal(stock[:129])


@pytest.mark.parametrize("word", passwords.ANYWHERE)
@pytest.mark.parametrize("dressed", ["xx-{}-yz-019", "{}-19-xyz-77", "yz77-19-xq-{}"])
def test_a_common_word_is_refused_wherever_it_stands_and_however_written(word, dressed):
    """COM-11, security.md §4.3"""
    password = dressed.format(word)
    assert [GUESSED in refusal(p) for p in (password, password.upper(), password.title())] == [
        True
    ] * 3


@pytest.mark.parametrize(
    ("password", "refused"),
    [
        ("aaaaaaaaaaaaaa", True),
        ("ababababababab", True),
        ("abcabcabcabcabc", True),
        ("abcdabcdabcd", False),
        ("            ", True),
        ("𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷", True),
    ],
)
def test_fewer_than_four_different_characters_are_refused(password, refused):
    """COM-11"""
    assert (GUESSED in refusal(password)) is refused


@pytest.mark.parametrize("rules", [EIGHT_TO_TWELVE, SIX_TO_TWENTY])
def test_the_legacy_presets_have_the_block_list_too(rules):
    """security.md §4.4"""
    assert GUESSED in refusal("Passw0rd1", rules)
    assert GUESSED in refusal("A1aA1aA1a", rules)


@pytest.mark.parametrize(
    ("password", "who", "refused"),
    [
        ("my-hanako-2026-x", {"login_id": "hanako"}, True),
        ("my-HaNaKo-2026-x", {"login_id": "hanako"}, True),
        ("my-hanako-2026-x", {"login_id": "HANAKO"}, True),
        ("my-okanah-2026-x", {"login_id": "hanako"}, False),
        ("one.example-77xq", {"email": "taro.y@one.example"}, False),
        ("a-perfectly-77xq", {"login_id": "", "email": ""}, False),
        ("a-straße-77-xqyz", {"login_id": "STRASSE"}, True),
    ],
)
def test_the_members_own_login_id_and_mail_name_are_not_part_of_a_password(password, who, refused):
    """COM-11: not containing the login ID."""
    assert (OWN_NAME in refusal(password, **who)) is refused


@PLENTY
@given(st.text(min_size=0, max_size=11))
def test_nothing_below_the_shortest_length_is_ever_set(password):
    """COM-11"""
    assert f"12{TOO_SHORT}" in refusal(password)


@PLENTY
@given(st.text(min_size=129, max_size=160))
def test_nothing_above_the_longest_length_is_ever_set(password):
    """COM-11"""
    assert f"128{TOO_LONG}" in refusal(password)


@PLENTY
@given(st.text(max_size=40), st.sampled_from([DEFAULT, EIGHT_TO_TWELVE, SIX_TO_TWENTY]))
def test_what_is_let_through_keeps_every_rule(password, rules):
    """COM-11: the rules written a second time, for any text."""
    shortest, longest = {"default": (12, 128), "legacy-8-12": (8, 12), "legacy-6-20": (6, 20)}[
        rules.preset
    ]
    if refusal(password, rules, login_id="hana"):
        return
    assert shortest <= len(password) <= longest
    assert "hana" not in password.casefold()
    assert len(set(password)) >= 4


@PLENTY
@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), st.data()
)
def test_a_login_id_inside_is_found_in_any_case_and_place(login_id, data):
    """COM-11"""
    before = data.draw(st.integers(0, 12))
    password = "x7-Qw!4rT~9z"[:before] + login_id + "x7-Qw!4rT~9z"
    assert OWN_NAME in refusal(password, login_id=login_id)


def test_passwords_are_kept_as_argon2id_at_the_cost_that_was_measured(real):
    """security.md §4.1: t=2, m=19 MiB, p=1, a salt of its own each time."""
    first, second = real.hash_password(LONG_ENOUGH), real.hash_password(LONG_ENOUGH)
    cost = extract_parameters(first)
    assert (cost.type, cost.time_cost, cost.memory_cost, cost.parallelism) == (
        Type.ID,
        2,
        19 * 1024,
        1,
    )
    assert cost.salt_len >= 16
    assert first != second
    assert LONG_ENOUGH not in first
    assert not real.outdated(first)


def test_only_the_very_password_is_right(real):
    """COM-10: nothing is trimmed, folded, normalised or cut off."""
    kept = real.hash_password("Ｔea for 72 people")
    wrong = (
        "tea for 72 people",
        "Tea for 72 people",
        "Ｔea for 72 people ",
        "Ｔea for 72 peopl",
        "",
    )
    assert real.verify(kept, "Ｔea for 72 people")
    assert not any(real.verify(kept, password) for password in wrong)
    long = "x7-Qw!4r" * 16
    assert not real.verify(real.hash_password(long), long + "z")


def test_a_member_without_a_password_and_one_who_does_not_exist_cost_the_same_work(real):
    """COM-10, security.md §4.2: no hash is never right, not even with the stand-in's own text, and costs as much."""
    stand_in = extract_parameters(real._ABSENT)
    assert stand_in == extract_parameters(real.hash_password(LONG_ENOUGH))
    assert Argon2Hasher().verify("no member has this password", real._ABSENT)
    assert not real.verify("", "no member has this password")
    assert not real.verify("", "")


@pytest.mark.parametrize(
    "broken", ["plain text", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "*"]
)
def test_what_is_no_hash_of_ours_is_wrong_and_no_crash(real, broken):
    """COM-10"""
    assert not real.verify(broken, LONG_ENOUGH)
    assert not real.verify(broken, broken)


def test_a_hash_of_other_costs_is_right_but_outdated(real):
    """security.md §4.1: members of an older installation keep their passwords."""
    cheap = Argon2Hasher(time_cost=1, memory_cost=16, parallelism=1).hash(LONG_ENOUGH)
    assert real.verify(cheap, LONG_ENOUGH)
    assert real.outdated(cheap)


def test_hashing_is_capped_and_gives_its_place_back_also_when_it_fails(real):
    """security.md §4.1: a burst waits; wrong passwords and broken hashes use no place up."""
    for _ in range(6):
        real.verify("no hash", LONG_ENOUGH)
    places = [real._slots.acquire(blocking=False) for _ in range(5)]
    assert places == [True] * 4 + [False]
    for _ in range(4):
        real._slots.release()


def test_a_refusal_names_the_field_and_the_rule_but_never_the_password():
    """COM-23, security.md §4.27: it is shown at the field, and it may be logged."""
    for password in ("tooshort", "password-2026-x", "x7-Qw!4rT~9z" * 12):
        said = refusal(password)
        assert said.startswith("password: ")
        assert password not in said
