"""What the environment may say, and what refuses to start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from portal.settings import ROOT, CannotStart, Settings, UnsafeSettings

KEY = "8f1c02d97be64a35b0e7c1946d2f8a53"
OLD, OLDER = KEY[::-1], KEY.swapcase()[3:] + "Xyz"
SAFE = {"PORTAL_SECRET_KEY": KEY, "PORTAL_SMTP_URL": "smtp://mail.example:2525"}
REACHED = {"PORTAL_BASE_DOMAIN": "my.example.jp"}
TESTS_KEY = "a-secret-key-for-the-tests-only-0123456789"
DEMO = {"PORTAL_DEMO": "1", "PORTAL_SCHEME": "http", "PORTAL_SMTP_URL": ""}


def read(**changes: str) -> Settings:
    """Settings from a safe environment with `changes`."""
    return Settings.from_environment(SAFE | changes)


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("PORTAL_SECRET_KEY", KEY + "!", "secret_key", KEY + "!"),
        ("PORTAL_SECRET_KEY_FALLBACKS", f"{OLD},,{OLDER}", "secret_key_fallbacks", (OLD, OLDER)),
        ("PORTAL_SECRET_KEY_FALLBACKS", "", "secret_key_fallbacks", ()),
        ("PORTAL_HOME", "/srv/portal", "home", Path("/srv/portal")),
        ("PORTAL_HOME", "", "home", ROOT / "var"),
        ("PORTAL_HOME", "data", "home", Path.cwd() / "data"),
        ("DATABASE_URL", "postgresql://u@h/d", "database_url", "postgresql://u@h/d"),
        ("DATABASE_OWNER_URL", "postgresql://o@h/d", "database_owner_url", "postgresql://o@h/d"),
        ("PORTAL_TENANTS", "/etc/tenants.toml", "tenants_file", Path("/etc/tenants.toml")),
        ("PORTAL_TENANTS", "", "tenants_file", ROOT / "tenants.toml"),
        ("PORTAL_BASE_DOMAIN", "portal.example", "base_domain", "portal.example"),
        ("PORTAL_SCHEME", "https", "scheme", "https"),
        ("PORTAL_PUBLIC_PORT", "8443", "port", 8443),
        ("PORTAL_PUBLIC_PORT", "", "port", None),
        ("PORTAL_SMTP_URL", "smtp://m", "smtp_url", "smtp://m"),
        ("PORTAL_PROXY_HOPS", "2", "proxy_hops", 2),
        ("PORTAL_THREADS", "", "threads", 4),
        ("PORTAL_THREADS", "8", "threads", 8),
        ("PORTAL_BODY_SECONDS", "60", "body_seconds", 60),
        ("PORTAL_CHAT_STREAMS", "0", "chat_streams", 0),
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
        ({"PORTAL_THREADS": "0"}, "PORTAL_THREADS"),
        ({"PORTAL_ENV_FILE": "/nowhere/portal.env"}, "PORTAL_ENV_FILE"),
        ({"PORTAL_ENV_FILE": "/bin/true"}, "PORTAL_ENV_FILE"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://u@h/d"}, "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@h:port/d"}, "DATABASE_URL"),
        ({"DATABASE_OWNER_URL": "nonsense"}, "DATABASE_OWNER_URL"),
        # what a trial may do, where others reach the portal
        (REACHED | {"PORTAL_DEMO": "1"}, "PORTAL_DEMO"),
        (REACHED | DEMO, "PORTAL_DEMO"),
        ({"PORTAL_BASE_DOMAIN": "localhost.example.jp", "PORTAL_DEMO": "1"}, "PORTAL_DEMO"),
        ({"PORTAL_BASE_DOMAIN": "my.localhost", "PORTAL_DEMO": "1"}, "PORTAL_DEMO"),
        ({"PORTAL_BASE_DOMAIN": "127.0.0.1", "PORTAL_DEMO": "1"}, "PORTAL_DEMO"),
        (REACHED | {"PORTAL_SCHEME": "http"}, "PORTAL_SCHEME"),
        # keys that are short, said twice, of few characters, or known; the older ones open as much
        ({"PORTAL_SECRET_KEY": "a" * 64}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_SECRET_KEY": "0123456789" * 4}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_SECRET_KEY": "abcabdabc" * 3 + "abdab"}, "PORTAL_SECRET_KEY"),
        ({"PORTAL_SECRET_KEY_FALLBACKS": "old"}, "PORTAL_SECRET_KEY_FALLBACKS"),
        ({"PORTAL_SECRET_KEY_FALLBACKS": f"{OLD},x"}, "PORTAL_SECRET_KEY_FALLBACKS"),
        ({"PORTAL_SECRET_KEY_FALLBACKS": "b" * 32}, "PORTAL_SECRET_KEY_FALLBACKS"),
        (REACHED | {"PORTAL_SECRET_KEY": TESTS_KEY}, "PORTAL_SECRET_KEY"),
        (REACHED | {"PORTAL_SECRET_KEY_FALLBACKS": TESTS_KEY}, "PORTAL_SECRET_KEY_FALLBACKS"),
        (REACHED | {"PORTAL_SECRET_KEY": f"django-insecure-{KEY}"}, "PORTAL_SECRET_KEY"),
        (REACHED | {"PORTAL_SECRET_KEY": f"ChangeMe{KEY}"}, "PORTAL_SECRET_KEY"),
        # a password in the clear to another machine
        ({"PORTAL_SMTP_URL": "smtp://me:word@mail.example:587"}, "PORTAL_SMTP_URL"),
        ({"PORTAL_SMTP_URL": "smtp://me:word@192.0.2.7"}, "PORTAL_SMTP_URL"),
        (DEMO | {"PORTAL_SMTP_URL": "smtp://me:word@mail.example"}, "PORTAL_SMTP_URL"),
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


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://o@h/d", "postgresql+psycopg://o@h/d"),
        ("postgres://o@h/d", "postgresql+psycopg://o@h/d"),
        ("postgresql+psycopg://o@h/d", "postgresql+psycopg://o@h/d"),
        ("sqlite:////tmp/x", "sqlite:////tmp/x"),
        ("", "postgresql+psycopg://app@h/d"),
    ],
)
def test_the_owners_address_goes_to_the_driver_that_is_installed(given: str, used: str) -> None:
    """OPS-21: DATABASE_OWNER_URL as hosting companies write it; without one the application owns its tables."""
    both = {"DATABASE_URL": "postgresql://app@h/d", "DATABASE_OWNER_URL": given}
    assert read(**both).owner_database == used


def test_the_owners_address_is_read_from_the_file_of_settings_too(tmp_path: Path) -> None:
    """OPS-21: DATABASE_URL and DATABASE_OWNER_URL stand in one file."""
    file = tmp_path / "portal.env"
    file.write_text("DATABASE_URL=postgresql://app@h/d\nDATABASE_OWNER_URL=postgresql://o@h/d\n")
    settings = read(PORTAL_ENV_FILE=str(file))
    assert settings.owner_database == "postgresql+psycopg://o@h/d"
    assert settings.database == "postgresql+psycopg://app@h/d"


def test_the_demo_may_go_without_https_and_mail() -> None:
    demo = read(PORTAL_DEMO="1", PORTAL_SCHEME="http", PORTAL_SMTP_URL="")
    assert (demo.scheme, demo.smtp_url) == ("http", "")


@pytest.mark.parametrize(
    "changes",
    [
        REACHED,
        DEMO,
        DEMO | {"PORTAL_BASE_DOMAIN": "Localhost."},
        DEMO | {"PORTAL_SECRET_KEY": TESTS_KEY},
        REACHED | {"PORTAL_SECRET_KEY_FALLBACKS": OLD},
        {"PORTAL_SMTP_URL": "smtp://me:word@127.0.0.1:25"},
        {"PORTAL_SMTP_URL": "smtp://me:word@[::1]:25"},
        {"PORTAL_SMTP_URL": "smtp://me:word@localhost"},
        {"PORTAL_SMTP_URL": "smtp+starttls://me:word@mail.example:587"},
    ],
)
def test_what_is_safe_starts(changes: dict[str, str]) -> None:
    """The other side of the table above."""
    read(**changes)


def test_keys_drawn_at_random_pass_wherever_the_portal_stands() -> None:
    for key in (secrets.token_hex(16), secrets.token_urlsafe(24), secrets.token_urlsafe(48)):
        read(**REACHED, PORTAL_SECRET_KEY=key, PORTAL_SECRET_KEY_FALLBACKS=key[::-1])


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


@pytest.fixture
def left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which `make run` has been, under an environment with none of our variables but PORTAL_HOME."""
    lines = [
        "# made by make run",
        "",
        f"PORTAL_SECRET_KEY={KEY}==",
        " PORTAL_DEMO=1 ",
        "PORTAL_SCHEME=http",
        "x",
    ]
    file = tmp_path / "portal.env"
    file.write_text("\n".join(lines))
    for name in list(os.environ):
        if name.startswith("PORTAL_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PORTAL_HOME", str(tmp_path))
    return file


def test_a_demo_left_behind_changes_nothing_of_what_is_started_later(
    left_behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the settings of the README in such a home: https, no mailbox, and the key of the environment."""
    for name, value in (SAFE | REACHED).items():
        monkeypatch.setenv(name, value)
    found = Settings.from_environment()
    assert (found.demo, found.scheme, found.secret_key) == (False, "https", KEY)
    monkeypatch.delenv("PORTAL_SECRET_KEY")
    with pytest.raises(UnsafeSettings, match="PORTAL_SECRET_KEY"):
        Settings.from_environment()


def test_a_file_of_variables_is_read_when_it_is_named_and_the_environment_wins(
    left_behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's commands beside `make run`: comments, blank lines and = in values are fine."""
    monkeypatch.setenv("PORTAL_ENV_FILE", str(left_behind))
    found = Settings.from_environment()
    assert (found.secret_key, found.demo, found.scheme) == (f"{KEY}==", True, "http")
    monkeypatch.setenv("PORTAL_SCHEME", "https")
    assert Settings.from_environment().scheme == "https"


def test_a_demos_file_that_is_named_where_others_reach_the_portal_refuses(
    left_behind: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (SAFE | REACHED | {"PORTAL_ENV_FILE": str(left_behind)}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UnsafeSettings, match="PORTAL_DEMO"):
        Settings.from_environment()


def test_a_given_environment_is_not_mixed_with_a_file_that_it_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "portal.env").write_text("PORTAL_DEMO=1\n")
    assert read(PORTAL_HOME=str(tmp_path)).demo is False
