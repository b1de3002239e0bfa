"""Reading a tenants file once: its tenants, everything that is wrong with it, and where each key stands."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portal.core.tenancy import checks
from portal.core.tenancy.locate import KeyPath, Lines, dotted
from portal.core.tenancy.mistakes import Finding, Mistake, findings, in_order
from portal.core.tenancy.schema import Tenant
from portal.core.tenancy.schema_base import did_you_mean

_HOST_HEADER = re.compile(r"([a-z0-9.-]+?)\.?(?::[0-9]{1,5})?")
_AT_LINE = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")


@dataclass(frozen=True)
class Tenants:
    """All tenants at one moment. Retired ones are in `by_key` (their data are still kept) and not in `by_host`."""

    by_key: dict[str, Tenant] = field(default_factory=dict)
    by_host: dict[str, Tenant] = field(default_factory=dict)

    def for_host(self, host_header: str) -> Tenant | None:
        """The tenant that a Host header asks for, or None (COM-01). Port, case and a last dot do not matter."""
        found = _HOST_HEADER.fullmatch(host_header.lower()) if host_header.isascii() else None
        return self.by_host.get(found[1]) if found else None


@dataclass(frozen=True)
class Reading:
    """What one look at a tenants file gave. With any mistake `tenants` is empty: a file counts whole or not at all."""

    tenants: Tenants = field(default_factory=Tenants)
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=lambda: Lines(""))


def read_file(path: Path, base_domain: str, kind: type[Tenant], shown_as: str = "") -> Reading:
    """Read the tenants file at `path`; not to be able to is a mistake as well. `shown_as` names it in mistakes."""
    name = shown_as or path.name
    try:
        return read_bytes(path.read_bytes(), name, base_domain, kind)
    except OSError as error:
        return Reading(mistakes=(Mistake(name, 1, "", f"cannot be read: {error.strerror}"),))


def read_bytes(content: bytes, name: str, base_domain: str, kind: type[Tenant]) -> Reading:
    """Read what stands in a tenants file called `name`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Reading(mistakes=(Mistake(name, line, "", "is not UTF-8 text"),))
    try:
        return _Reader(name, tomllib.loads(text), Lines(text), base_domain, kind).read()
    except tomllib.TOMLDecodeError as error:
        return Reading(mistakes=(_syntax_mistake(name, text, str(error)),))
    except RecursionError:
        return Reading(mistakes=(Mistake(name, 1, "", "is nested too deep"),))
    except ValueError:  # Python neither reads nor writes whole numbers of more than 4300 digits
        return Reading(mistakes=(Mistake(name, 1, "", "has a number with too many digits"),))


def _syntax_mistake(name: str, text: str, said: str) -> Mistake:
    at = _AT_LINE.search(said)
    line = int(at[1]) if at else text.count("\n") + (not text.endswith("\n"))
    return Mistake(name, line, "", f"is not TOML: {_AT_LINE.sub('', said)}")


@dataclass
class _Reader:
    """Collects what one file says."""

    name: str
    raw: dict[str, Any]
    lines: Lines
    base_domain: str
    kind: type[Tenant]

    def read(self) -> Reading:
        mistakes, warnings = list(self._mistakes_of_file()), list[Mistake]()
        by_key: dict[str, Tenant] = {}
        for key, section in self._sections().items():
            mistakes += self._at(key, self._build(key, section, by_key))
            mistakes += self._at(key, checks.illegible(section))
            warnings += self._at(key, checks.doubtful(section), is_warning=True)
            unread = checks.sections_of_absent_modules(section, self.kind.known_modules)
            warnings += self._at(key, unread, is_warning=True)
        mistakes += self._shared_hosts()
        tenants = Tenants() if mistakes else Tenants(by_key, self._by_host(by_key))
        return Reading(tenants, in_order(mistakes), in_order(warnings), self.raw, self.lines)

    def _sections(self) -> dict[str, dict[str, Any]]:
        tables = self.raw.get("tenants")
        found = tables.items() if isinstance(tables, dict) else ()
        return {key: section for key, section in found if isinstance(section, dict)}

    def _build(self, key: str, section: Mapping[str, Any], into: dict[str, Tenant]) -> Iterator[Finding]:
        if "key" in section:
            yield ("key",), f"the key stands in the table's name, [tenants.{key}]; remove this line"
        try:
            into[key] = self.kind.model_validate({**section, "key": key}, context={"base_domain": self.base_domain})
        except ValidationError as error:
            for path, message in findings(error, self.kind):
                yield (() if path == ("key",) else path), message

    def _mistakes_of_file(self) -> Iterator[Mistake]:
        for name in self.raw.keys() - {"tenants"}:
            yield self._mistake((name,), f"unknown table{did_you_mean(name, ['tenants'])}")
        tables = self.raw.get("tenants", {})
        if not isinstance(tables, dict):
            yield self._mistake(("tenants",), "is no table; write [tenants.KEY] for each brand")
        elif not tables:
            yield self._mistake((), "names no tenant; write [tenants.KEY] for each brand")
        else:
            for key, section in tables.items():
                if not isinstance(section, dict):
                    yield self._mistake(("tenants", key), f"is no table; write [tenants.{key}]")

    def _shared_hosts(self) -> Iterator[Mistake]:
        taken: dict[str, str] = {}
        for key, section in self._sections().items():
            for host, path in checks.hosts(key, section, self.base_domain):
                if host in taken:
                    said = f"the host {host} is taken by [tenants.{taken[host]}] already"
                    yield self._mistake(("tenants", key, *path), said)
                taken.setdefault(host, key)

    def _by_host(self, by_key: Mapping[str, Tenant]) -> dict[str, Tenant]:
        return {
            host: tenant
            for key, tenant in by_key.items()
            for host, _path in checks.hosts(key, self._sections()[key], self.base_domain)
        }

    def _at(self, key: str, found: Iterator[Finding], *, is_warning: bool = False) -> list[Mistake]:
        return [self._mistake(("tenants", key, *path), message, is_warning) for path, message in found]

    def _mistake(self, path: KeyPath, message: str, is_warning: bool = False) -> Mistake:
        return Mistake(self.name, self.lines.of(path), dotted(path), message, is_warning)
