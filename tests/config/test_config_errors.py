"""Every mistake in a tenants file at once, each with its line, its key and what would be right (OPS-02)."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.blueprints import BRANDS
from portal.config.config_errors import ConfigError
from portal.config.registry import LoadResult, read_bytes
from portal.config.schema import tenant_type
from portal.settings import ROOT
from portal.web.brand import module_configs

KIND = tenant_type(module_configs(BRANDS))
HEAD = '[tenants.atelier]\nname = "工房"\nmodules = ["facility"]\n'


def read(text: str | bytes) -> LoadResult:
    content = text.encode() if isinstance(text, str) else text
    return read_bytes(content, "tenants.toml", "portal.example", KIND)


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("colour = 1\n", 4, "colour", "unknown key; there are: name, company"),
        ("langages = []\n", 4, "langages", "unknown key; did you mean 'languages'?"),
        ("\n[tenants.atelier.themes]\n", 5, "themes", "unknown key; did you mean 'theme'?"),
        (
            "[tenants.atelier.theme]\n\nbrnd = '#000000'\n",
            6,
            "theme.brnd",
            "unknown key; did you mean 'brand'?",
        ),
        (
            "theme.languages = ['ja']\n",
            4,
            "theme.languages",
            "unknown key here; it belongs to [tenants.KEY]",
        ),
        (
            "idle_minutes = 5\n",
            4,
            "idle_minutes",
            "unknown key here; it belongs to [tenants.KEY.sign_in]",
        ),
        ("key = 'atelier'\n", 4, "key", "the key stands in the table's name"),
        (
            "issuer.registration_number = 'T8000012050002'\n",
            4,
            "issuer.registration_number",
            "a digit is wrong: a company's number would begin T7",
        ),
        (
            "numbers.invoice.prefix = 'RC'\n",
            4,
            "numbers.invoice.prefix",
            "'RC' cannot be told from the numbers of receipt, 'RC'",
        ),
        (
            "tax.rates = [{ rate = 12, since = 2999-04-01 }]\n",
            4,
            "tax.rates",
            "no standard rate is in effect today; the first begins on 2999-04-01",
        ),
        (
            "formulas.members = [{ base = 0 }]\n",
            4,
            "formulas.members[0].base",
            "nobody could have any",
        ),
        ("status = 'opne'\n", 4, "status", "\"opne\" is unknown; did you mean 'open'?"),
        (
            "sign_in.idle_minutes = 1\n",
            4,
            "sign_in.idle_minutes",
            "should be greater than or equal to 5, but is 1",
        ),
        (
            "sign_in.idle_minutes = '60'\n",
            4,
            "sign_in.idle_minutes",
            'should be a valid integer, but is "60"',
        ),
        (
            "sign_in.notify_sign_in = 1\n",
            4,
            "sign_in.notify_sign_in",
            "should be a valid boolean, but is 1",
        ),
        (
            "sign_in.password = {min_length = 12, max_length = 10}\n",
            4,
            "sign_in.password.max_length",
            "no password",
        ),
        (
            "sign_in.password = {preset = 'legacy-8-12', min_length = 13}\n",
            4,
            "sign_in.password.max_length",
            "no password could be 13 or more and 12 or fewer characters long",
        ),
        (
            "sign_in.password.symbols = '.-'\n",
            4,
            "sign_in.password.symbols",
            "nothing reads this unless half_width",
        ),
        (
            "sign_in.password = {half_width = true, symbols = '', required = ['symbol']}\n",
            4,
            "sign_in.password.symbols",
            "a symbol is required, but none is allowed",
        ),
        (
            "features.notises = false\n",
            4,
            "features.notises",
            "'notises' is unknown; did you mean 'notices'?",
        ),
        (
            "limits.members = 0\n",
            4,
            "limits.members",
            "should be greater than or equal to 1, but is 0",
        ),
        (
            "[[tenants.atelier.formulas.members]]\nbase = -1\n",
            5,
            "formulas.members[0].base",
            "should be greater than or equal",
        ),
        (
            "[[tenants.atelier.formulas.member]]\nbase = 1\n",
            4,
            "formulas.member",
            "'member' is unknown; did you mean 'members'?",
        ),
        (
            "[[tenants.atelier.formulas.members]]\nbse = 1\n",
            5,
            "formulas.members[0].bse",
            "unknown key; did you mean 'base'?",
        ),
        (
            "formulas.members = [{ base = 1 }, { base = 2, when = { product = 'a' } }]\n",
            4,
            "formulas.members",
            "formula 2 is never reached",
        ),
        (
            "formulas.members = [{ base = 1, per = [{ unit = 'a', label = 'b' }, { unit = 'a', label = 'c' }] }]\n",
            4,
            "formulas.members[0].per",
            "a kind of unit is counted twice: a, a",
        ),
        ("limits.member = 3\n", 4, "limits.member", "'member' is unknown; did you mean 'members'?"),
        (
            "numbers.invoce = {}\n",
            4,
            "numbers.invoce",
            "'invoce' is unknown; did you mean 'invoice'?",
        ),
        (
            "numbers.invoice.prefix = 'inv'\n",
            4,
            "numbers.invoice.prefix",
            '"inv" will not do (Capital',
        ),
        ("texts.privcy = ''\n", 4, "texts.privcy", "'privcy' is unknown; did you mean 'privacy'?"),
        ("theme.brand = 'blue'\n", 4, "theme.brand", '"blue" will not do (Buttons'),
        (
            "theme.brand = '#ff9900'\n",
            4,
            "theme.brand",
            "on_brand #ffffff on brand #ff9900 has a contrast of 2.14:1",
        ),
        (
            "theme.brand = '#777777'\n",
            4,
            "theme.brand",
            "brand #777777 on white #ffffff has a contrast of 4.47:1",
        ),
        (
            "theme.brand_weak = '#8899aa'\n",
            4,
            "theme.brand_weak",
            "brand_strong #083767 on brand_weak",
        ),
        ("theme.on_brand = '#224466'\n", 4, "theme.on_brand", "on_brand #224466 on brand_strong"),
        (
            "issuer.registration_number = 'T123'\n",
            4,
            "issuer.registration_number",
            '"T123" will not do (適格請求書',
        ),
        (
            "issuer.registration_number = 'T１２３４５６７８９０１２３'\n",
            4,
            "issuer.registration_number",
            "",
        ),
        (
            "domains = ['My.Example']\n",
            4,
            "domains[0]",
            '"My.Example" will not do (Whole host names',
        ),
        (
            "domains = [\n 'my.example',\n 'my.example']\n",
            6,
            "domains[1]",
            "the host my.example is taken",
        ),
        (
            "domains = ['atelier.portal.example']\n",
            4,
            "domains[0]",
            "the host atelier.portal.example is taken",
        ),
        ("mail.address = 'a@b\\nc'\n", 4, "mail.address", ""),
        ('mail.name = "a\\r\\nBcc: x"\n', 4, "mail.name", ""),
        (
            "calendar.weekly_closed = ['mon', 'mon']\n",
            4,
            "calendar.weekly_closed",
            "mon stands here twice",
        ),
        (
            "calendar.weekly_closed = ['moon']\n",
            4,
            "calendar.weekly_closed[0]",
            "\"moon\" is unknown; did you mean 'mon'?",
        ),
        (
            "calendar.weekly_closed = ['mon','tue','wed','thu','fri','sat','sun']\n",
            4,
            "calendar.weekly_closed",
            "has 7; 6 are the most",
        ),
        (
            "[[tenants.atelier.calendar.closed]]\nname = '休み'\nfirst = 2027-01-05\nlast = 2027-01-01\n",
            7,
            "calendar.closed[0].last",
            "2027-01-01 is not within 180 days from the first day",
        ),
        (
            "[[tenants.atelier.calendar.closed]]\nname = '休み'\n",
            4,
            "calendar.closed[0].first",
            "is missing (The first",
        ),
        (
            "tax.rates = [{rate = 8, reduced = true, since = 2019-10-01}]\n",
            4,
            "tax.rates",
            "there is no standard rate",
        ),
        (
            "terms.closing_day = 32\n",
            4,
            "terms.closing_day",
            "should be less than or equal to 31, but is 32",
        ),
        (
            "facility.closing = '08:00'\n",
            4,
            "facility.closing",
            "closing at 08:00 is not after opening",
        ),
        (
            "facility.opening = '19:00'\n",
            4,
            "facility.closing",
            "closing at 18:00 is not after opening at 19:00",
        ),
        (
            "[tenants.atelier.facility]\nslot = 30\n",
            5,
            "facility.slot",
            "unknown key; did you mean",
        ),
        ("theme = 3\n", 4, "theme", ""),
        ("[tenants.Beta]\nname = 'b'\n", 4, "tenants.Beta", '"Beta" will not do (The KEY'),
        ("[tenants.beta]\nnam = 'b'\n", 4, "tenants.beta.name", "is missing (The brand's name"),
        (
            "[tenants.beta]\nname = 'b'\nsubdomain = 'atelier'\n",
            6,
            "tenants.beta.subdomain",
            "the host atelier.portal.example is taken by [tenants.atelier]",
        ),
        (
            "[tenants.beta]\nname = 'b'\nmodules = ['molds',\n'facilty']\n",
            7,
            "tenants.beta.modules[1]",
            "'facilty' is unknown; did you mean 'facility'?",
        ),
        ("[tenant.beta]\nname = 'b'\n", 4, "tenant", "unknown table; did you mean 'tenants'?"),
        ("[tenants]\nbeta = 1\n", 5, "tenants.beta", "is no table; write [tenants.beta]"),
        ("a = \n", 4, "", "is not TOML:"),
        ("name = 'again'\n", 4, "", "is not TOML: name stands here a second time"),
        ('name = """\nagain\n"""\n', 4, "", "is not TOML: name stands here a second time"),
        ("[tenants.atelier]\n", 4, "", "is not TOML: [tenants.atelier] stands twice"),
        ("name.first = 1\n[tenants.atelier.name]\n", 4, "", "is not TOML: "),
        ('texts.privacy = """\nnever ends\n', 4, "", 'is not TOML: the text that """ opens here'),
        ("company = “工房”\n", 4, "", "is not TOML: Invalid value (there is a full-width '“'"),
        ("　company = '工房'\n", 4, "", "is not TOML: Invalid statement (there is a full-width"),
        ("languages = []\n", 4, "languages", "is empty; write one at least"),
    ],
)
def test_a_mistake_names_its_line_its_key_and_what_would_be_right(
    text: str, line: int, key: str, said: str
) -> None:
    """OPS-02. `key` is told without ``tenants.atelier.``"""
    reading = read(HEAD + text)
    found = [
        (each.line, each.key.removeprefix("tenants.atelier."), each.message)
        for each in reading.mistakes
    ]
    assert any(each[:2] == (line, key) and each[2].startswith(said) for each in found), found
    assert reading.tenants.by_key == {}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "tenants.toml:1: names no tenant; write [tenants.KEY] for each brand"),
        (
            b"tenants = 3\n",
            "tenants.toml:1: tenants: is no table; write [tenants.KEY] for each brand",
        ),
        (b"# ok\n# \x8e\xa7\n", "tenants.toml:2: is not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "tenants.toml:1: is nested too deep"),
    ],
)
def test_a_file_that_is_none_says_so(content: bytes, expected: str) -> None:
    assert [str(mistake) for mistake in read(content).mistakes] == [expected]


def test_all_mistakes_of_all_tenants_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        HEAD
        + 'status = "shut"\ntheme.brand = "#ff9900"\n[tenants.beta]\nnaem = "b"\ndomains = ["atelier.portal.example"]\n'
    )
    lines = [mistake.line for mistake in read(text).mistakes]
    assert lines == sorted(lines)
    assert set(lines) == {4, 5, 6, 7, 8}


def test_a_mistake_that_follows_from_another_is_not_told() -> None:
    assert [mistake.key for mistake in read("[tenants.atelier]\n").mistakes] == [
        "tenants.atelier.name"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "sign_in.password.preset = 'legacy-6-20'\n",
            "4: warning: tenants.atelier.sign_in.password.preset: legacy-6-20",
        ),
        (
            "sign_in.forgot = 'operator'\n",
            "1: warning: tenants.atelier.contact.telephone: members who forget",
        ),
        (
            "molds = {}\n",
            "4: warning: tenants.atelier.molds: nothing reads this table while the module is off",
        ),
    ],
)
def test_what_is_likely_not_meant_is_a_warning_and_the_file_counts(
    text: str, expected: str
) -> None:
    reading = read(HEAD + text)
    assert [
        str(warning).startswith(f"tenants.toml:{expected}") for warning in reading.warnings
    ] == [True]
    assert (reading.mistakes, list(reading.tenants.by_key)) == ((), ["atelier"])


def test_the_right_check_digit_is_no_mistake() -> None:
    """OPS-02: that of a sole proprietor may be any."""
    for number in ("'T7000012050002'", "'T8000012050002'\nissuer.kind = 'sole_proprietor'"):
        reading = read(HEAD + f"issuer.registration_number = {number}\n")
        assert (reading.mistakes, reading.warnings) == ((), ())


def test_a_retired_tenant_leaves_its_host_to_others() -> None:
    """OPS-05."""
    reading = read(HEAD + "status = 'retired'\n[tenants.beta]\nname = 'b'\nsubdomain = 'atelier'\n")
    assert set(reading.tenants.by_key) == {"atelier", "beta"}
    assert {host: tenant.key for host, tenant in reading.tenants.by_host.items()} == {
        "atelier.portal.example": "beta"
    }


def test_a_byte_order_mark_does_no_harm() -> None:
    assert read(b"\xef\xbb\xbf" + HEAD.encode()).mistakes == ()


def test_a_mistake_reads_as_compilers_say_it() -> None:
    mistake = ConfigError("tenants.toml", 42, "tenants.facility.theme.brand", "is wrong")
    assert str(mistake) == "tenants.toml:42: tenants.facility.theme.brand: is wrong"
    assert str(replace(mistake, is_warning=True, key="")) == "tenants.toml:42: warning: is wrong"


def test_the_demo_brands_have_no_mistakes() -> None:
    """OPS-20: the only warnings are the brands' own password rules, which deviate from ASVS."""
    reading = read((ROOT / "tenants.toml").read_bytes())
    assert reading.mistakes == ()
    assert [warning.key.partition("sign_in.password.")[::2] for warning in reading.warnings] == [
        ("tenants.molds.", "min_length"),
        ("tenants.rental.", "preset"),
        ("tenants.shop.", "preset"),
    ]
    assert list(reading.tenants.by_key) == [
        "facility",
        "studio",
        "molds",
        "rental",
        "shop",
        "support",
        "workshop",
    ]
    for tenant in reading.tenants.by_key.values():
        assert set(tenant.texts) - {"purposes"} == {
            "privacy",
            "terms",
            "commerce",
            "withdrawal",
            "accessibility",
        }


@given(st.randoms(use_true_random=False))
def test_whatever_is_done_to_a_file_its_reading_ends_with_tenants_or_mistakes(
    dice: random.Random,
) -> None:
    """OPS-03: a broken file never raises."""
    lines = (ROOT / "tests" / "tenants.toml").read_text(encoding="utf-8").split("\n")
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(lines))
        words = ["3", '""', "[]", "{}", "[[1]]", "true", "2027-01-01", "{ x = { y = [{}] } }"]
        key = lines[at].partition("=")[0] or "x"
        lines[at] = dice.choice(
            [f"{key} = {dice.choice(words)}", "", lines[at] * 2, lines[at][::-1], "[[tenants.a]]"]
        )
    reading = read("\n".join(lines))
    assert bool(reading.mistakes) != bool(reading.tenants.by_key)
    assert all(1 <= mistake.line <= len(lines) for mistake in reading.mistakes)


def test_a_list_with_one_faulty_item_is_not_called_empty() -> None:
    """OPS-02: what only follows from another mistake is not told."""
    text = "[[tenants.atelier.inquiries.categories]]\nkey = 'a'\nlabel = 'b'\nfeilds = []\n"
    found = [each.message for each in read(HEAD + text).mistakes]
    assert len(found) == 1
    assert found[0].startswith("unknown key")
