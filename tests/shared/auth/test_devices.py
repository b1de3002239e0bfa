"""The rules behind the security page and forgotten passwords, without a page."""

from __future__ import annotations

import pytest

from portal.shared.auth import devices, password_reset

SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME}", "Chrome / Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Edg/130.0.0.0", "Edge / Windows"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} OPR/115.0", "Opera / ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {CHROME}", "Chrome / Android"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI}", "Safari / Mac"),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/130.0 {SAFARI}",
            "Chrome / iPhone",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
            "Firefox / Linux",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 200, "x" * 40),
        ("", ""),
    ],
)
def test_browsers_have_names_that_people_know(user_agent: str, name: str) -> None:
    """COM-15"""
    assert devices.browser_name(user_agent) == name


@pytest.mark.parametrize(
    ("items", "forgot", "asked"),
    [
        ("email_password", "mail", ("email",)),
        ("login_id_password", "mail", ("login_id", "email")),
        ("login_id_email_password", "mail", ("login_id", "email")),
        ("email_password", "mail_phone", ("email", "telephone")),
    ],
)
def test_a_forgotten_password_asks_for_what_tells_members_apart(
    brand, items, forgot, asked
) -> None:
    """COM-12, SHOP-02, RENT-06: the tenant's configuration decides."""
    rules = brand.sign_in.model_copy(update={"items": items, "forgot": forgot})
    tenant = brand.model_copy(update={"sign_in": rules})
    assert password_reset.asked(tenant) == asked
    assert password_reset.proves_email(tenant) is (forgot == "mail_phone")
