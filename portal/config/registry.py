"""`tenants.toml` as the running program knows it: read at start, looked at again as it changes
(OPS-03).

A changed file counts whole or not at all; while it is broken or missing, the last good one stays:
the one kept beside the data, so that all processes serve the same, those too that start meanwhile.
"""

import logging
import os
import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

from pydantic import BaseModel, ValidationError

from portal.config import checks, formulas, toml_errors
from portal.config.config_errors import (
    ConfigError,
    Finding,
    KeyPath,
    LineNumbers,
    RawTable,
    TenantsInvalid,
    dotted,
    findings,
)
from portal.config.last_good import LastGood, Stamp, stamp
from portal.config.schema import Tenant
from portal.config.schema_base import did_you_mean

log = logging.getLogger(__name__)
# A stat() a second costs nothing, and needs no watcher that some file systems do not support.
LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""
Clock = Callable[[], float]
Refusals = Callable[["Tenants"], Iterable[Finding]]
"""What cannot be taken up because of the data that hang on what it lacks: paths from the file's
top, and why.
"""
_HOST_HEADER = re.compile(r"([a-z0-9.-]+?)\.?(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Tenants:
    """All tenants at one moment.

    Retired ones are in `by_key` (their data are still kept) and not in `by_host`.
    """

    by_key: dict[str, Tenant] = field(default_factory=dict)
    by_host: dict[str, Tenant] = field(default_factory=dict)

    def for_host(self, host_header: str) -> Tenant | None:
        """The tenant that a Host header asks for, or None (COM-01).

        Port, case and a last dot do not matter.
        """
        # ASCII first: the Kelvin sign, for one, becomes a plain k when it is made small.
        if not host_header.isascii():
            return None
        found = _HOST_HEADER.fullmatch(host_header.lower())
        return self.by_host.get(found[1]) if found else None


@dataclass(frozen=True)
class LoadResult:
    """What one look at a tenants file gave.

    With any mistake `tenants` is empty: a file counts whole or not at all.
    """

    tenants: Tenants = field(default_factory=Tenants)
    mistakes: tuple[ConfigError, ...] = ()
    warnings: tuple[ConfigError, ...] = ()
    lines: LineNumbers = field(default_factory=LineNumbers)
    name: str = ""
    """Of the file that was read."""


def read_file(path: Path, base_domain: str, kind: type[Tenant], shown_as: str = "") -> LoadResult:
    """Read the tenants file at `path`; not to be able to is a mistake as well.

    `shown_as` names it in mistakes.
    """
    name = shown_as or path.name
    try:
        return read_bytes(path.read_bytes(), name, base_domain, kind)
    except OSError as error:
        return _unread(name, 1, f"cannot be read: {error.strerror}")


def read_bytes(content: bytes, name: str, base_domain: str, kind: type[Tenant]) -> LoadResult:
    """Read what stands in a tenants file called `name`."""
    try:
        text = content.decode("utf-8-sig")  # Windows' editors put a byte order mark first
    except UnicodeDecodeError as error:
        return _unread(name, content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text")
    try:
        return _Reader(name, tomllib.loads(text), LineNumbers(text), base_domain, kind).read()
    except tomllib.TOMLDecodeError as error:
        return _unread(name, *toml_errors.explain(error, text))
    except RecursionError:
        return _unread(name, 1, "is nested too deep")
    except ValueError:  # Python neither reads nor writes whole numbers of more than 4300 digits
        return _unread(name, 1, "has a number with too many digits")


def _unread(name: str, line: int, message: str) -> LoadResult:
    return LoadResult(mistakes=(ConfigError(name, line, "", message),))


@dataclass
class _Reader:
    """Collects what one file says.

    What is found names the path from the file's top, and what is wrong there.
    """

    name: str
    raw: RawTable
    lines: LineNumbers
    base_domain: str
    kind: type[Tenant]

    def read(self) -> LoadResult:
        by_key: dict[str, Tenant] = {}
        owners: dict[str, str] = {}
        mistakes = self._as_errors(
            [
                *self._of_file(),
                *self._of_tenants(by_key),
                *self._of_hosts(owners),
                *checks.inbound(self._sections()),
            ]
        )
        tenants = Tenants()
        if not mistakes:
            tenants = Tenants(by_key, {host: by_key[key] for host, key in owners.items()})
        # Also where there are mistakes: an admin mends all in one go.
        warnings = self._as_errors(self._doubtful(), is_warning=True)
        return LoadResult(tenants, mistakes, warnings, self.lines, self.name)

    def _as_errors(
        self, found: Iterable[Finding], *, is_warning: bool = False
    ) -> tuple[ConfigError, ...]:
        errors = [
            ConfigError(self.name, self.lines.nearest(path), dotted(path), message, is_warning)
            for path, message in found
        ]
        # In the order of the file, as somebody goes through it to mend them.
        return tuple(sorted(errors, key=attrgetter("line", "key", "message")))

    def _sections(self) -> dict[str, dict[str, object]]:
        tables = self.raw.get("tenants")
        if not isinstance(tables, dict):
            return {}
        return {key: section for key, section in tables.items() if isinstance(section, dict)}

    def _of_file(self) -> Iterator[Finding]:
        for name in self.raw.keys() - {"tenants"}:
            yield (name,), f"unknown table{did_you_mean(name, ['tenants'])}"
        tables = self.raw.get("tenants", {})
        if not isinstance(tables, dict):
            yield ("tenants",), "is no table; write [tenants.KEY] for each brand"
            return
        if not tables:
            yield (), "names no tenant; write [tenants.KEY] for each brand"
        for key in tables.keys() - self._sections().keys():
            yield ("tenants", key), f"is no table; write [tenants.{key}]"

    def _of_tenants(self, into: dict[str, Tenant]) -> Iterator[Finding]:
        for key, section in self._sections().items():
            for path, message in (*self._built(key, section, into), *self._checked(section)):
                yield ("tenants", key, *path), message

    def _checked(self, section: RawTable) -> Iterator[Finding]:
        yield from checks.illegible(section)
        yield from checks.wrong_check_digit(section)
        yield from checks.same_numbers(section, self.kind.declared)
        yield from checks.untaxed_today(section)
        yield from formulas.impossible(section, self.kind.limit_facts)

    def _built(self, key: str, section: RawTable, into: dict[str, Tenant]) -> Iterator[Finding]:
        if "key" in section:
            yield ("key",), f"the key stands in the table's name, [tenants.{key}]; remove this line"
        try:
            into[key] = self.kind.model_validate(
                {**section, "key": key}, context={"base_domain": self.base_domain}
            )
        except ValidationError as error:
            for path, message in findings(error, self.kind):
                # A KEY that will not do is the table's own name: there is no key below it to blame.
                yield path if path != ("key",) else (), message

    def _of_hosts(self, owners: dict[str, str]) -> Iterator[Finding]:
        for key, section in self._sections().items():
            for host, path in checks.hosts(key, section, self.base_domain):
                if host in owners:
                    yield (
                        ("tenants", key, *path),
                        f"the host {host} is taken by [tenants.{owners[host]}] already",
                    )
                owners.setdefault(host, key)

    def _doubtful(self) -> Iterator[Finding]:
        for key, section in self._sections().items():
            unread = checks.sections_of_absent_modules(section, self.kind.known_modules)
            for path, message in (*checks.doubtful(section), *unread):
                yield ("tenants", key, *path), message


def _line_of(path: KeyPath, reading: LoadResult) -> int:
    """The line that is to blame.

    A tenant that is gone has none: the file's first line stands for it.
    """
    if len(path) > 1 and path[1] not in reading.tenants.by_key:
        return 1
    return reading.lines.nearest(path)


def resolved(reading: LoadResult, key: str) -> Iterator[tuple[str, object, int | None]]:
    """Every key of a tenant, its value in force, and the line that says so, None for a default
    (OPS-04).
    """
    top = ("tenants", key)
    for path, value in _flat(reading.tenants.by_key[key], ()):
        if path != ("key",):
            yield dotted(path), value, reading.lines.get((*top, *path))


def _flat(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """Tables opened up; lists stay whole; tables of modules that are off are left out."""
    if isinstance(value, BaseModel):
        modules = value.known_modules if isinstance(value, Tenant) else ()
        value = {name: part for name, part in value if part is not None or name not in modules}
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flat(part, (*path, name))
    elif isinstance(value, tuple):
        yield path, list(map(_plain, value))
    else:
        yield path, value


def _plain(item: object) -> object:
    """An item of a list as JSON has it."""
    if isinstance(item, BaseModel):
        return item.model_dump(mode="json")
    return item


def _refuse_nothing(_tenants: Tenants) -> tuple[Finding, ...]:
    """What stands against a file where nobody looks at the data."""
    return ()


class Registry:
    """The tenants of the running program. Safe to use from several threads."""

    def __init__(
        self,
        path: Path,
        base_domain: str,
        tenant_type: type[Tenant] = Tenant,
        monotonic: Clock = time.monotonic,
        last_good: Path | None = None,
        refusals: Refusals = _refuse_nothing,
        keeps: bool = True,
        scheme: str = "https",
        port: int | None = None,
    ) -> None:
        """Read the file at `path`.

        While it is broken, read the copy of the last good one at `last_good`. Brands live under
        `base_domain`, reached by `scheme` and at `port` where that is not the usual one. With
        `keeps` that copy is brought up to date with each good file; without, it is only read.
        `refusals` is asked what stands against a file without mistakes that was not good before.
        `monotonic` gives seconds. Raises TenantsInvalid when neither can be used.
        """
        self._refusals = refusals
        self.path = Path(path)
        self.tenant_type = tenant_type
        self.base_domain = base_domain.strip(".").lower()
        self._scheme = scheme
        self._port = port
        self._monotonic = monotonic
        self._last_good = LastGood(last_good, self.path) if last_good is not None else None
        self._keeps = keeps
        self._looking = threading.Lock()
        self._good = LoadResult()
        self._kept_content: bytes | None = None  # what is in force, where that is what was kept
        # What is wrong with the file as it stands, which need not be the one in force.
        self._mistakes: tuple[ConfigError, ...] = ()
        self._seen = self._stamps()
        self._take_up(self.read())
        if not self._good.tenants.by_key:
            raise TenantsInvalid(self._mistakes)
        self._look_at = monotonic() + LOOK_EVERY

    def read(self, path: Path | None = None, shown_as: str = "") -> LoadResult:
        """A look at the file, or at another one as if it were the file, with mistakes, warnings and
        lines.
        """
        reading = read_file(path or self.path, self.base_domain, self.tenant_type, shown_as)
        self._locate(reading.tenants)
        # What was taken up once was held against the data then: a restart need not wait for it.
        if reading.mistakes or self._was_good(path or self.path):
            return reading
        name = shown_as or (path or self.path).name
        refused = [
            ConfigError(name, _line_of(at, reading), dotted(at), message)
            for at, message in self._refusals(reading.tenants)
        ]
        if not refused:
            return reading
        return replace(reading, tenants=Tenants(), mistakes=tuple(refused))

    def _locate(self, tenants: Tenants) -> None:
        for tenant in tenants.by_key.values():
            tenant.live_at(self.base_domain, scheme=self._scheme, port=self._port)

    def _was_good(self, path: Path) -> bool:
        """Whether just this file was taken up before, so that the data need not be asked again."""
        return self._last_good is not None and self._last_good.is_like(path)

    def current(self) -> Tenants:
        """The tenants in force.

        The file is looked at once a second at most; whatever stands in it, nothing is raised.
        """
        self._refresh()
        return self._good.tenants

    @property
    def in_force(self) -> LoadResult:
        """What is in force, with its lines: the file as it is, or the last good one."""
        self._refresh()
        return self._good

    @property
    def mistakes(self) -> tuple[ConfigError, ...]:
        """What is wrong with the file as it is now.

        Empty while what is in force is what the file says.
        """
        self._refresh()
        return self._mistakes

    def keep_last_good(self) -> None:
        """From now on keep each good file, and the one that is in force.

        A command has no business doing so.
        """
        with self._looking:
            self._keeps = True
            if not self._mistakes:
                self._keep()

    def _refresh(self) -> None:
        # One thread looks; the others go on with what is in force instead of waiting for it.
        if self._monotonic() < self._look_at or not self._looking.acquire(blocking=False):
            return
        try:
            self._look()
        finally:
            self._looking.release()

    def look_now(self) -> None:
        """Look at the file though the last look was just now, for a command that shows what is in
        force.
        """
        with self._looking:
            self._look()

    def _look(self) -> None:
        self._look_at = self._monotonic() + LOOK_EVERY
        stamps = self._stamps()  # older than the reading, so that a later write is seen next time
        file_changed = stamps[0] != self._seen[0]
        copy_changed = stamps[1] != self._seen[1]
        self._seen = stamps
        if file_changed:
            self._take_up(self.read())
        # Another process has taken up a file that this one never saw.
        elif copy_changed and self._mistakes:
            self._take_up_last_good()

    def _take_up(self, reading: LoadResult) -> None:
        was_broken = bool(self._mistakes)
        self._mistakes = reading.mistakes
        if not reading.mistakes:
            if self._good.tenants.by_key:
                self._log_taken_up(len(reading.tenants.by_key), was_broken=was_broken)
            self._good = reading
            self._keep()
            return
        self._take_up_last_good()
        if self._good.tenants.by_key:
            listed = "; ".join(map(str, reading.mistakes))
            log.error(
                "%s is broken and the last good one stays in force (process %d): %s",
                self.path.name,
                os.getpid(),
                listed,
            )

    def _log_taken_up(self, count: int, *, was_broken: bool) -> None:
        # A recovery is as loud as what it ends; both name the process, since each looks for itself.
        level = logging.INFO
        what = "was taken up"
        if was_broken:
            level = logging.WARNING
            what = "is in order again and was taken up"
        log.log(level, "%s %s: %d tenants (process %d)", self.path.name, what, count, os.getpid())

    def _keep(self) -> None:
        if self._last_good and self._keeps:
            self._kept_content = self._last_good.keep(self._seen[0])
        elif self._last_good:
            self._kept_content = None
            if self._last_good.is_like(self.path):
                self._kept_content = self._last_good.read()

    def _take_up_last_good(self) -> None:
        """Serve the copy: another process may have taken up a file that this one never saw."""
        if self._last_good is None:
            return
        content = self._last_good.read()
        if content is None or content == self._kept_content:
            return
        name = self._last_good.path.name
        reading = read_bytes(content, name, self.base_domain, self.tenant_type)
        self._locate(reading.tenants)
        if reading.mistakes:  # good once, for an older version of the program
            log.error("%s cannot be used: %s", name, "; ".join(map(str, reading.mistakes)))
            return
        # One assignment: threads that serve meanwhile see all of the old tenants or all of the new.
        self._good = reading
        self._kept_content = content

    def _stamps(self) -> tuple[Stamp, Stamp]:
        """Of the file and of the last good one."""
        kept = None
        if self._last_good is not None:
            kept = stamp(self._last_good.path)
        return stamp(self.path), kept
