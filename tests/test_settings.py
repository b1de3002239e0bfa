"""What the environment may say, and what refuses to start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portal.settings import ROOT, CannotStart, Settings, UnsafeSettings

KEY = "0123456789abcdef0123456789abcdef"
SAFE = {"PORTAL_SECRET_KEY": KEY, "PORTAL_SMTP_URL": "smtp://mail.example:2525"}


def read(**changes: str) -> Settings:
    """Settings from a safe environment with `changes`."""
    return Settings.from_environment(SAFE | changes)


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("PORTAL_SECRET_KEY", KEY + "!", "secret_key", KEY + "!"),
        ("PORTAL_SECRET_KEY_FALLBACKS", "old,,older", "secret_key_fallbacks", ("old", "older")),
        ("PORTAL_SECRET_KEY_FALLBACKS", "", "secret_key_fallbacks", ()),
        ("PORTAL_HOME", "/srv/portal", "home", Path("/srv/portal")),
        ("PORTAL_HOME", "", "home", ROOT / "var"),
        ("PORTAL_HOME", "data", "home", Path.cwd() / "data"),
        ("DATABASE_URL", "postgresql://u@h/d", "database_url", "postgresql://u@h/d"),
        ("PORTAL_TENANTS", "/etc/tenants.toml", "tenants_file", Path("/etc/tenants.toml")),
        ("PORTAL_TENANTS", "", "tenants_file", ROOT / "tenants.toml"),
        ("PORTAL_BASE_DOMAIN", "portal.example", "base_domain", "portal.example"),
        ("PORTAL_SCHEME", "https", "scheme", "https"),
        ("PORTAL_PUBLIC_PORT", "8443", "port", 8443),
        ("PORTAL_PUBLIC_PORT", "", "port", None),
        ("PORTAL_SMTP_URL", "smtp://m", "smtp_url", "smtp://m"),
        ("PORTAL_PROXY_HOPS", "2", "proxy_hops", 2),
        ("PORTAL_DEMO", "1", "demo", True),
        ("PORTAL_DEMO", "0", "demo", False),
        ("PORTAL_DEMO", "true", "demo", False),
    ],
)
def test_each_setting_is_read_from_its_variable(
    name: str, value: str, attribute: str, expected: Any
) -> None:
    assert getattr(read(**{name: value}), attribute) == expected


def test_what_is_not_said_is_safe() -> None:
    """https, no demo, no trust in a proxy, SQLite under the portal's home."""
    settings = read()
    assert (
        settings.scheme,
        settings.demo,
        settings.testing,
        settings.proxy_hops,
        settings.port,
    ) == ("https", False, False, 0, None)
    assert settings.database == f"sqlite:///{ROOT / 'var' / 'portal.sqlite3'}"


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"PORTAL_SECRET_KEY": ""}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_SECRET_KEY": KEY[:-1]}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_SCHEME": "ftp"}, "PORTAL_SCHEME"),
        ({"PORTAL_SCHEME": "HTTPS"}, "PORTAL_SCHEME"),
        ({"PORTAL_SCHEME": "http"}, "PORTAL_SCHEME"),
        ({"PORTAL_SMTP_URL": ""}, "PORTAL_SMTP_URL"),
        ({"PORTAL_PUBLIC_PORT": "https"}, "PORTAL_PUBLIC_PORT"),
        ({"PORTAL_PUBLIC_PORT": "0"}, "PORTAL_PUBLIC_PORT"),
        ({"PORTAL_PUBLIC_PORT": "65536"}, "PORTAL_PUBLIC_PORT"),
        ({"PORTAL_PROXY_HOPS": "one"}, "PORTAL_PROXY_HOPS"),
        ({"PORTAL_PROXY_HOPS": "-1"}, "PORTAL_PROXY_HOPS"),
        ({"PORTAL_PROXY_HOPS": "10"}, "PORTAL_PROXY_HOPS"),
        ({"PORTAL_SMTP_URL": "smtp://mail.example:smtp"}, "PORTAL_SMTP_URL"),
        ({"PORTAL_SMTP_URL": "smtp://"}, "PORTAL_SMTP_URL"),
        ({"PORTAL_SMTP_URL": "mail.example:25"}, "PORTAL_SMTP_URL"),
    ],
)
def test_a_wrong_value_refuses_to_start_and_is_named_in_one_line(
    changes: dict[str, str], names: str
) -> None:
    """security.md §4.29: fail closed; exit code 2 on the command line."""
    with pytest.raises(UnsafeSettings) as refused:
        read(**changes)
    assert names in refused.value.message
    assert len(refused.value.message.splitlines()) == 1
    assert KEY[:-1] not in refused.value.message
    assert isinstance(refused.value, CannotStart)
    assert refused.value.exit_code == 2


def test_the_demo_may_go_without_https_and_mail() -> None:
    demo = read(PORTAL_DEMO="1", PORTAL_SCHEME="http", PORTAL_SMTP_URL="")
    assert (demo.scheme, demo.smtp_url) == ("http", "")


def test_the_demo_too_needs_a_secret() -> None:
    with pytest.raises(UnsafeSettings, match="PORTAL_SECRET_KEY"):
        read(PORTAL_DEMO="1", PORTAL_SECRET_KEY="short")


@pytest.mark.parametrize(
    ("url", "driven"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql+psycopg://u:p@h:5433/d"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////srv/x.sqlite3", "sqlite:////srv/x.sqlite3"),
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_a_database_url_reaches_the_driver_that_is_installed(url: str, driven: str) -> None:
    settings = read(DATABASE_URL=url)
    assert settings.database == driven
    engine: Any = settings.flask_config["SQLALCHEMY_ENGINE_OPTIONS"]
    assert engine.get("pool_pre_ping", False) is driven.startswith("postgresql")
    assert engine["hide_parameters"] is True


@pytest.mark.parametrize(
    ("url", "server", "port", "user", "password", "tls"),
    [
        ("smtp://mail.example", "mail.example", 25, None, None, False),
        ("smtp://mail.example:2525", "mail.example", 2525, None, None, False),
        ("smtp+starttls://me:secret@mail.example:587", "mail.example", 587, "me", "secret", True),
        (
            "smtp+starttls://me%40mail.example:p%2Fw@mail.example",
            "mail.example",
            25,
            "me@mail.example",
            "p/w",
            True,
        ),
    ],
)
def test_the_mail_server_is_read_from_one_url(
    url: str, server: str, port: int, user: str | None, password: str | None, tls: bool
) -> None:
    config = read(PORTAL_SMTP_URL=url).flask_config
    told = [
        config[f"MAIL_{name}"] for name in ("SERVER", "PORT", "USERNAME", "PASSWORD", "USE_TLS")
    ]
    assert told == [server, port, user, password, tls]


@pytest.mark.parametrize(
    ("scheme", "secure", "name"), [("https", True, "__Host-form"), ("http", False, "form")]
)
def test_the_forms_cookie_is_tied_to_one_host_over_https(
    scheme: str, secure: bool, name: str
) -> None:
    """security.md §4.7."""
    config = read(PORTAL_SCHEME=scheme, PORTAL_DEMO="1").flask_config
    assert (config["SESSION_COOKIE_NAME"], config["SESSION_COOKIE_SECURE"]) == (name, secure)
    assert (config["SESSION_COOKIE_HTTPONLY"], config["SESSION_COOKIE_SAMESITE"]) == (True, "Lax")


def test_what_stands_in_portal_env_is_remembered_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make run` leaves it there for the operator's commands: comments, blank lines and = in values are fine."""
    lines = [
        "# made by make run",
        "",
        f"PORTAL_SECRET_KEY={KEY}==",
        " PORTAL_DEMO=1 ",
        "PORTAL_SCHEME=http",
        "x",
    ]
    (tmp_path / "portal.env").write_text("\n".join(lines))
    for name in ("PORTAL_SECRET_KEY", "PORTAL_DEMO", "PORTAL_SCHEME", "PORTAL_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORTAL_HOME", str(tmp_path))
    remembered = Settings.from_environment()
    assert (remembered.secret_key, remembered.demo, remembered.scheme) == (f"{KEY}==", True, "http")
    monkeypatch.setenv("PORTAL_SCHEME", "https")
    assert Settings.from_environment().scheme == "https"
    (tmp_path / "portal.env").unlink()
    with pytest.raises(UnsafeSettings):
        Settings.from_environment()


def test_a_given_environment_is_not_mixed_with_a_remembered_one(tmp_path: Path) -> None:
    (tmp_path / "portal.env").write_text("PORTAL_DEMO=1\n")
    assert read(PORTAL_HOME=str(tmp_path)).demo is False
