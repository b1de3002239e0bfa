"""The environment, read once. Nothing else in the program looks at os.environ. Unsafe settings
refuse to start.

What only a trial may do (demo mode, plain http, a key that others know) is refused wherever the
base domain is not ``localhost``, so that nothing left behind by a trial can open an installation
that others reach.
"""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).parent.parent
_SHORTEST_SECRET = 32
_FEWEST_CHARACTERS = 8
"""Different ones in a key: 32 random hexadecimal digits have about 14."""
_WORDS_OF_EXAMPLES = ("change", "example", "insecure", "secret", "password", "portal")
"""In lower case, of six letters at least: no key that was drawn at random holds one of them."""


class CannotStart(click.ClickException):
    """The portal refuses to start; on the command line its message is all that is printed."""

    exit_code = 2


class UnsafeSettings(CannotStart):
    """The settings would make an unsafe portal; the message says what to set."""


@dataclass(frozen=True)
class Settings:
    """Everything that an installation decides outside `tenants.toml`."""

    secret_key: str
    secret_key_fallbacks: tuple[str, ...] = ()
    home: Path = ROOT / "var"
    database_url: str = ""
    database_owner_url: str = ""
    tenants_file: Path = ROOT / "tenants.toml"
    base_domain: str = "localhost"
    scheme: str = "https"
    port: int | None = None
    smtp_url: str = ""
    smtp_ca: Path | None = None
    proxy_hops: int = 0
    threads: int = 4
    chat_streams: int = 2
    body_seconds: int = 20
    demo: bool = False
    testing: bool = False

    def __post_init__(self) -> None:
        """Refuse what is unsafe (security.md §4.29)."""
        self._refuse_weak_keys()
        self._refuse_a_trial_that_others_reach()
        self._refuse_mail_in_the_clear()
        self._refuse_unknown_databases()

    @property
    def is_trial(self) -> bool:
        """Whether only this machine can reach the portal, so that a demo does no harm."""
        return self.testing or self.base_domain.strip(".").lower() == "localhost"

    def _refuse_weak_keys(self) -> None:
        keys = [("PORTAL_SECRET_KEY", self.secret_key)]
        keys += [("PORTAL_SECRET_KEY_FALLBACKS", key) for key in self.secret_key_fallbacks]
        for name, key in keys:
            if len(key) < _SHORTEST_SECRET:
                raise UnsafeSettings(f"{name} must be set, {_SHORTEST_SECRET} characters or more")
            if len(set(key)) < _FEWEST_CHARACTERS or _repeats_itself(key):
                raise UnsafeSettings(f"{name} is easily guessed: draw one at random")
            if not self.is_trial and any(word in key.lower() for word in _WORDS_OF_EXAMPLES):
                raise UnsafeSettings(f"{name} is an example that others know: draw one at random")

    def _refuse_a_trial_that_others_reach(self) -> None:
        if self.scheme not in ("http", "https"):
            raise UnsafeSettings("PORTAL_SCHEME is http or https")
        if self.demo and not self.is_trial:
            raise UnsafeSettings(
                "PORTAL_DEMO=1 is for PORTAL_BASE_DOMAIN=localhost only: "
                "its mailbox shows all mails"
            )
        if self.scheme == "http" and not (self.testing or (self.demo and self.is_trial)):
            raise UnsafeSettings(
                "PORTAL_SCHEME=http is for the demo only: cookies would travel in the clear"
            )

    def _refuse_mail_in_the_clear(self) -> None:
        if not self.smtp_url and not (self.demo or self.testing):
            raise UnsafeSettings(
                "PORTAL_SMTP_URL must name the mail server, e.g. smtp://127.0.0.1:25"
            )
        if self.smtp_url and not _is_smtp(self.smtp_url):
            raise UnsafeSettings(
                "PORTAL_SMTP_URL is smtp://host:port or smtp+starttls://user:password@host:port"
            )
        if self.smtp_url and _tells_its_password(self.smtp_url):
            raise UnsafeSettings(
                "PORTAL_SMTP_URL holds a password: use smtp+starttls://, "
                "smtp:// would send it in the clear"
            )
        if self.smtp_ca is not None and not _is_certificate_file(self.smtp_ca):
            raise UnsafeSettings("PORTAL_SMTP_CA is a file of PEM certificates of authorities")

    def _refuse_unknown_databases(self) -> None:
        for name, url in (
            ("DATABASE_URL", self.database),
            ("DATABASE_OWNER_URL", self.owner_database),
        ):
            if not _is_database(url):
                raise UnsafeSettings(
                    f"{name} is postgresql://role:password@host:port/database, or sqlite:////path"
                )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the ``PORTAL_*`` and ``DATABASE_*`` variables, and what PORTAL_ENV_FILE adds.

        Raises UnsafeSettings.
        """
        if environment is None:
            environment = os.environ
        env = dict(environment)
        if env.get("PORTAL_ENV_FILE"):
            env = _kept_in(Path(env["PORTAL_ENV_FILE"])) | env
        home = Path(env.get("PORTAL_HOME") or ROOT / "var").absolute()
        smtp_ca = env.get("PORTAL_SMTP_CA")
        streams = _number(env, "PORTAL_CHAT_STREAMS", 0, 10_000)
        return cls(
            secret_key=env.get("PORTAL_SECRET_KEY", ""),
            secret_key_fallbacks=tuple(
                filter(None, env.get("PORTAL_SECRET_KEY_FALLBACKS", "").split(","))
            ),
            home=home,
            database_url=env.get("DATABASE_URL", ""),
            database_owner_url=env.get("DATABASE_OWNER_URL", ""),
            tenants_file=Path(env.get("PORTAL_TENANTS") or ROOT / "tenants.toml").absolute(),
            base_domain=env.get("PORTAL_BASE_DOMAIN", "localhost"),
            scheme=env.get("PORTAL_SCHEME", "https"),
            port=_number(env, "PORTAL_PUBLIC_PORT", 1, 65535),
            smtp_url=env.get("PORTAL_SMTP_URL", ""),
            smtp_ca=Path(smtp_ca).absolute() if smtp_ca else None,
            proxy_hops=_number(env, "PORTAL_PROXY_HOPS", 0, 9) or 0,
            threads=_number(env, "PORTAL_THREADS", 1, 256) or 4,
            chat_streams=2 if streams is None else streams,
            body_seconds=_number(env, "PORTAL_BODY_SECONDS", 1, 3600) or 20,
            demo=env.get("PORTAL_DEMO", "") == "1",
        )

    @property
    def database(self) -> str:
        """The database's URL: PostgreSQL when DATABASE_URL says so, else SQLite under `home`."""
        return _with_driver(self.database_url or f"sqlite:///{self.home / 'portal.sqlite3'}")

    @property
    def owner_database(self) -> str:
        """The URL for migrations: DATABASE_OWNER_URL where the application's own role owns nothing
        (PostgreSQL).
        """
        return _with_driver(self.database_owner_url) or self.database

    @property
    def flask_config(self) -> dict[str, object]:
        """What Flask and its extensions want to know."""
        smtp = urlsplit(self.smtp_url or "smtp://127.0.0.1:25")
        # An error's text ends in a log, and a statement's parameters are personal data.
        engine: dict[str, object] = {"pool_size": 8, "max_overflow": 8, "hide_parameters": True}
        if self.database.startswith("postgresql"):
            engine |= {
                "pool_pre_ping": True,
                "connect_args": {"connect_timeout": 3, "prepare_threshold": None},
            }
        prefix = "__Host-" if self.scheme == "https" else ""
        return {
            "SECRET_KEY": self.secret_key,
            "SECRET_KEY_FALLBACKS": list(self.secret_key_fallbacks),
            "TESTING": self.testing,
            "SQLALCHEMY_DATABASE_URI": self.database,
            "SQLALCHEMY_ENGINE_OPTIONS": engine,
            "SESSION_COOKIE_NAME": f"{prefix}form",
            "SESSION_COOKIE_SECURE": self.scheme == "https",
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            # A form may lie open for hours; the token dies with the session.
            "WTF_CSRF_TIME_LIMIT": None,
            # The check of Referer: pages behind a mailed link send none (web/headers.py).
            "WTF_CSRF_SSL_STRICT": False,
            # Of every page; those that take files raise theirs (web/uploads.py).
            "MAX_CONTENT_LENGTH": 1024 * 1024,
            "MAX_FORM_MEMORY_SIZE": 512 * 1024,
            "MAIL_SERVER": smtp.hostname,
            "MAIL_PORT": smtp.port or 25,
            "MAIL_USERNAME": unquote(smtp.username) if smtp.username else None,
            "MAIL_PASSWORD": unquote(smtp.password) if smtp.password else None,
            "MAIL_USE_TLS": smtp.scheme == "smtp+starttls",
            "MAIL_SUPPRESS_SEND": False,
            "BABEL_DEFAULT_LOCALE": "ja",
            "BABEL_DEFAULT_TIMEZONE": "Asia/Tokyo",
        }


def _number(env: Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    """The whole number that the variable holds, None when it is not set. Raises UnsafeSettings."""
    value = env.get(name, "")
    if not value:
        return None
    if not re.fullmatch("[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
        raise UnsafeSettings(f"{name} is a whole number from {lowest} to {highest}")
    return int(value)


def _with_driver(url: str) -> str:
    """A PostgreSQL URL as hosting companies write it, with the driver that is installed."""
    return re.sub("^postgres(ql)?://", "postgresql+psycopg://", url)


def _is_database(url: str) -> bool:
    try:
        return make_url(url).drivername in ("sqlite", "postgresql+psycopg")
    except (ArgumentError, ValueError):  # a port that is no number
        return False


def _is_smtp(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("smtp", "smtp+starttls") and bool(parts.hostname) and parts.port != 0
        )
    except ValueError:  # a port that is no number
        return False


def _repeats_itself(key: str) -> bool:
    """Whether the key is a shorter text several times over."""
    # Only such a text is found in its own double without the first and the last character.
    return key in (key + key)[1:-1]


def _tells_its_password(url: str) -> bool:
    """Whether a password would leave this machine unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "smtp" and bool(parts.password) and not _is_this_machine(parts.hostname)


def _is_this_machine(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:  # a name
        return host == "localhost"


def _is_certificate_file(path: Path) -> bool:
    try:
        return bool(ssl.create_default_context(cafile=path).get_ca_certs())
    except (OSError, ssl.SSLError):
        return False


def _kept_in(path: Path) -> dict[str, str]:
    """The variables in a file, ``NAME=value`` a line; the environment's own go before them.

    Raises UnsafeSettings.
    """
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except OSError as error:
        raise UnsafeSettings(f"PORTAL_ENV_FILE cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UnsafeSettings("PORTAL_ENV_FILE is not UTF-8 text") from None
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
