"""A tenant's look as a style sheet, and how well its colours can be read."""

from portal.core.tenancy.schema import Tenant

LEAST_CONTRAST = 4.5
"""WCAG 2.2 AA for text of the usual size."""


def theme_css(tenant: Tenant) -> str:
    """The custom properties that the common style sheet is set with; nothing else may stand here (CSP, ui.md)."""
    theme = tenant.theme
    return (
        f":root{{--brand:{theme.brand};--brand-strong:{theme.brand_strong};--brand-weak:{theme.brand_weak};"
        f"--on-brand:{theme.on_brand};--radius:{theme.radius}px}}"
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio (1 to 21) of two colours, ``#rrggbb`` each, by WCAG's formula."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
