"""One look at a tenants file: whatever stands in it, it gives tenants or mistakes (OPS-02, OPS-03)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.blueprints import BRANDS
from portal.config.config_errors import ConfigError
from portal.config.registry import LoadResult, Tenants, read_bytes, read_file
from portal.config.schema import Tenant, tenant_type
from portal.settings import ROOT
from portal.web.brand import module_configs

KIND = tenant_type(module_configs(BRANDS))
HEAD = '[tenants.atelier]\nname = "工房"\n'
KEYS = [name for name in KIND.model_fields if name != "key"]


def read(content: str | bytes) -> LoadResult:
    data = content.encode() if isinstance(content, str) else content
    return read_bytes(data, "tenants.toml", "portal.example", KIND)


def is_whole(reading: LoadResult, lines: int) -> bool:
    """Tenants or mistakes, never both, never neither; each mistake on a line that there is."""
    return (
        bool(reading.mistakes) != bool(reading.tenants.by_key)
        and all(
            type(each) is ConfigError and 1 <= each.line <= max(lines, 1)
            for each in reading.mistakes
        )
        and all("\n" not in str(each) for each in reading.mistakes)
    )


def written(value: Any) -> str:
    """`value` as TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {written(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)


SCALARS = (
    st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.dates().map(lambda day: Tag(day.isoformat()))
    | st.datetimes().map(lambda at: Tag(at.isoformat()))
    | st.times().map(lambda at: Tag(at.isoformat()))
)
NAMES = st.sampled_from(
    [*KEYS, "brand", "first", "prefix", "members", "min_length", "rate", "x-1", "0"]
)


class Tag(int):
    """A date as it is written: neither a string nor a number to `written`."""

    text: str

    def __new__(cls, text: str) -> Tag:
        made = super().__new__(cls)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_end_with_mistakes(content: bytes) -> None:
    """OPS-03: a broken file never takes a running brand down."""
    assert is_whole(read(content), content.count(b"\n") + 1)


@given(st.text(st.sampled_from("[]{}=.,\"'#\n\r\t \\ae1-:TZ_+あ"), max_size=60))
@settings(max_examples=50)
@example("[tenants.a]\r\nname='a'\r")
@example('[tenants."]"]\n"name\n')
@example('tenants."" = {}')
@example("tenants.'a.b'.name = 'x'")
def test_any_text_of_the_marks_of_toml_ends_with_tenants_or_mistakes(text: str) -> None:
    """OPS-03."""
    assert is_whole(read(HEAD + text), (HEAD + text).count("\n") + 1)


@given(
    st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=5, unique_by=lambda pair: pair[0])
)
@settings(max_examples=50)
def test_any_value_for_any_key_ends_with_tenants_or_mistakes(pairs: list[tuple[str, Any]]) -> None:
    """OPS-03: each mistake names a key of the section, on the line where it stands."""
    text = "[tenants.atelier]\n" + "".join(f"{key} = {written(value)}\n" for key, value in pairs)
    reading = read(text)
    assert is_whole(reading, len(pairs) + 1)
    at = {key: line for line, (key, _value) in enumerate(pairs, 2)}
    for mistake in reading.mistakes:
        first = (
            mistake.key.removeprefix("tenants.atelier")
            .lstrip(".")
            .partition(".")[0]
            .partition("[")[0]
        )
        assert mistake.line == at.get(first, 1), mistake


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"limits.members = {'1' * 5000}", "has a number with too many digits"),
        (f"limits.members = 0x{'f' * 5000}", "has a number with too many digits"),
        (f"company{'.a' * 3000} = 1", "is nested too deep"),
        (f"company = {'[' * 5000}{']' * 5000}", "is nested too deep"),
        (f"company = {'{a = ' * 5000}1{'}' * 5000}", "is nested too deep"),
    ],
    ids=["digits", "hexadecimal", "dotted", "arrays", "tables"],
)
def test_what_python_cannot_hold_is_a_mistake_as_well(text: str, said: str) -> None:
    """OPS-03."""
    assert [str(each) for each in read(HEAD + text).mistakes] == [f"tenants.toml:1: {said}"]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("lines", "at"),
    [
        (["status = 'x'"], 3),
        (["", "# status", "status = 'x'"], 5),
        (["texts.privacy = '''", "[tenants.b]", "status = 1", "'''", "status = 'x'"], 7),
        (["domains = [", "  'a.example', # one", "  'b.example',", "]", "status = 'x'"], 7),
    ],
)
def test_lines_are_counted_as_an_editor_counts_them(lines: list[str], at: int, ending: str) -> None:
    """OPS-02: whatever stands before, and however lines end."""
    text = HEAD.replace("\n", ending) + ending.join(lines)
    assert [(each.line, each.key) for each in read(text).mistakes] == [
        (at, "tenants.atelier.status")
    ]


def test_a_file_is_read_as_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "brands.toml"
    path.write_text(HEAD, encoding="utf-8")
    reading = read_file(path, "portal.example", Tenant)
    assert reading.mistakes == reading.warnings == ()
    assert {key: tenant.name for key, tenant in reading.tenants.by_key.items()} == {
        "atelier": "工房"
    }
    assert reading.lines.nearest(("tenants", "atelier", "name")) == 2
    assert (
        reading.tenants.for_host("atelier.portal.example:443") is reading.tenants.by_key["atelier"]
    )


@pytest.mark.parametrize(
    ("shown_as", "name"), [("", "brands.toml"), ("/etc/portal/next.toml",) * 2]
)
def test_a_mistake_calls_the_file_what_the_admin_called_it(
    tmp_path: Path, shown_as: str, name: str
) -> None:
    """OPS-02."""
    path = tmp_path / "brands.toml"
    path.write_text("nonsense", encoding="utf-8")
    assert {each.file for each in read_file(path, "portal.example", Tenant, shown_as).mistakes} == {
        name
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
    ids=["missing", "folder", "loop"],
)
def test_a_file_that_cannot_be_had_is_a_mistake(tmp_path: Path, make: Any, said: str) -> None:
    """OPS-03."""
    path = tmp_path / "tenants.toml"
    make(path)
    reading = read_file(path, "portal.example", Tenant)
    assert [str(each) for each in reading.mistakes] == [f"tenants.toml:1: cannot be read: {said}"]
    assert reading.tenants == Tenants()


def test_one_mistake_anywhere_and_no_brand_counts() -> None:
    """OPS-03: whole or not at all; warnings are told beside mistakes."""
    reading = read(HEAD + "molds = {}\n[tenants.beta]\nname = ''\n")
    assert (reading.tenants.by_key, reading.tenants.by_host) == ({}, {})
    assert [each.key for each in reading.mistakes] == ["tenants.beta.name"]
    assert [each.key for each in reading.warnings] == ["tenants.atelier.molds"]


@pytest.mark.parametrize("key", KEYS)
def test_a_misspelt_key_is_told_the_right_one(key: str) -> None:
    """OPS-02: for each key of a brand, with its first letter doubled."""
    wrong = f"{key[0]}{key}"
    (mistake,) = read(HEAD + f"\n{wrong} = 1\n").mistakes
    assert (mistake.line, mistake.key) == (4, f"tenants.atelier.{wrong}")
    assert mistake.message == f"unknown key; did you mean {key!r}?"


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_a_wholly_wrong_kind_is_a_mistake_at_its_line(key: str) -> None:
    """OPS-02: a date suits no key at all."""
    text = f"[tenants.atelier]\n{'' if key == 'name' else 'name = 1.5'}\n{key} = 2027-01-01\n"
    found = [(each.line, each.key) for each in read(text.replace("1.5", "'x'")).mistakes]
    assert (3, f"tenants.atelier.{key}") in found


def test_the_demo_brands_lead_from_every_host_of_theirs_to_themselves() -> None:
    """COM-01."""
    tenants = read((ROOT / "tenants.toml").read_bytes()).tenants
    for tenant in tenants.by_key.values():
        for host in (f"{tenant.subdomain}.portal.example", *tenant.domains):
            assert tenants.for_host(host) is tenant
