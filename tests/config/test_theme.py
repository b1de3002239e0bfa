"""Colours that can be read, and a style sheet that says nothing else (COM-04, OPS-02)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config.checks import LEAST_CONTRAST, contrast
from portal.config.schema import Tenant, theme_css
from portal.config.schema_parts import Theme

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
GREYS = st.integers(0, 255).map(lambda part: f"#{part:02x}{part:02x}{part:02x}")
SHEET = re.compile(r":root\{(--[a-z-]+:#[0-9a-fA-F]{6};){4}--radius:\d{1,2}px\}")


@given(COLOURS, COLOURS)
@settings(max_examples=50)
def test_contrast_has_no_direction_and_lies_between_1_and_21(one: str, other: str) -> None:
    assert 1 <= contrast(one, other) == contrast(other, one) <= 21
    assert contrast(one, one) == 1
    assert contrast(one.upper(), other) == contrast(one, other)


@given(GREYS, GREYS)
@settings(max_examples=50)
def test_a_darker_grey_stands_out_more_from_white(one: str, other: str) -> None:
    darker, lighter = sorted((one, other))
    assert contrast(darker, "#ffffff") >= contrast(lighter, "#ffffff")
    assert contrast(darker, "#000000") <= contrast(lighter, "#000000")


@given(COLOURS)
@settings(max_examples=50)
def test_on_any_colour_black_or_white_can_be_read(colour: str) -> None:
    """WCAG's own arithmetic: one of the two always reaches 4.5:1."""
    assert max(contrast(colour, "#000000"), contrast(colour, "#ffffff")) >= LEAST_CONTRAST


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#ff0000", "#ffffff", 3.998),
        ("#00ff00", "#ffffff", 1.372),
        ("#0000ff", "#ffffff", 8.592),
        ("#767676", "#ffffff", 4.542),
        ("#0a0a0a", "#000000", 1.061),
        ("#0b0b0b", "#000000", 1.067),
    ],
)
def test_each_part_of_a_colour_weighs_what_wcag_gives_it(
    one: str, other: str, ratio: float
) -> None:
    """Green is light, blue is dark; the darkest shades go by the straight part of the curve."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.001)


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("on_brand", "brand"),
        ("on_brand", "brand_strong"),
        ("brand", "brand_weak"),
        ("brand_strong", "brand_weak"),
    ],
)
def test_the_usual_colours_can_be_read(text: str, ground: str) -> None:
    """COM-04: a brand that says nothing of colours has legible ones."""
    assert contrast(getattr(Theme(), text), getattr(Theme(), ground)) >= LEAST_CONTRAST


@given(COLOURS, COLOURS, COLOURS, COLOURS, st.integers(0, 24))
@settings(max_examples=30)
def test_the_sheet_of_any_theme_sets_five_properties(
    brand: str, strong: str, weak: str, on_brand: str, radius: int
) -> None:
    """COM-04, security.md: each value where it belongs."""
    theme = {
        "brand": brand,
        "brand_strong": strong,
        "brand_weak": weak,
        "on_brand": on_brand,
        "radius": radius,
    }
    css = theme_css(Tenant(key="atelier", name="工房", theme=theme))
    assert SHEET.fullmatch(css)
    for name, value in theme.items():
        unit = "px" if name == "radius" else ""
        assert f"--{name.replace('_', '-')}:{value}{unit}" in re.split("[{};]", css)


@pytest.mark.parametrize(
    "colour",
    [
        "red",
        "#fff",
        "#12345g",
        "#1234567",
        "#123456;}body{x:url(//e)",
        "#123456\n",
        "",
        "１２３４５６",
    ],
)
def test_what_is_no_colour_never_comes_into_a_sheet(colour: str) -> None:
    """security.md: nobody writes style through the tenants file."""
    with pytest.raises(ValueError, match=r"theme\.brand"):
        Tenant(key="atelier", name="工房", theme={"brand": colour})


def test_a_logo_is_a_picture_that_is_there() -> None:
    """COM-04: a page never shows a broken picture; the mistake is told where it was made."""
    assert Theme(logo="logos/hitohira.svg").logo == "logos/hitohira.svg"
    with pytest.raises(ValueError, match=r"there is no file portal/static/logos/missing\.svg"):
        Theme(logo="logos/missing.svg")
    with pytest.raises(ValueError, match="should match pattern"):
        Theme(logo="../../etc/passwd.svg")
