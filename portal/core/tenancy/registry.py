"""The tenants of the running program, as `tenants.toml` says: read at start, looked at again as it changes (OPS-03).

A changed file counts whole or not at all; while it is broken or missing, the last good one stays.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portal.core.tenancy.mistakes import Mistake, TenantsInvalid
from portal.core.tenancy.reading import Reading, Tenants, read_file
from portal.core.tenancy.schema import Tenant

__all__ = ["Mistake", "Registry", "Tenants", "TenantsInvalid"]

log = logging.getLogger(__name__)
LOOK_EVERY = 1.0
"""Seconds between two looks at the file."""
Clock = Callable[[], float]
_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class _State:
    """What is in force: the last good reading, and what is wrong with the file as it is now."""

    good: Reading
    mistakes: tuple[Mistake, ...]
    stamp: _Stamp


class Registry:
    """The tenants of the running program. Safe to use from several threads."""

    def __init__(
        self, path: Path, base_domain: str, tenant_type: type[Tenant] = Tenant, monotonic: Clock = time.monotonic
    ) -> None:
        """Read the file at `path`. Raises TenantsInvalid. `monotonic` gives seconds."""
        self.path, self.tenant_type = Path(path), tenant_type
        self.base_domain = base_domain.strip(".").lower()
        self._monotonic = monotonic
        self._looking = threading.Lock()
        stamp, reading = self._stamp(), self.read()
        if reading.mistakes:
            raise TenantsInvalid(reading.mistakes)
        self._state = _State(reading, (), stamp)
        self._look_at = monotonic() + LOOK_EVERY

    def read(self, path: Path | None = None, shown_as: str = "") -> Reading:
        """A look at the file, or at another one as if it were the file, with mistakes, warnings and lines."""
        return read_file(path or self.path, self.base_domain, self.tenant_type, shown_as)

    def current(self) -> Tenants:
        """The tenants in force. Looks at the file at most once a second; never raises for what stands in it."""
        self._refresh()
        return self._state.good.tenants

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """What is wrong with the file as it is now; empty while what is in force is what the file says."""
        self._refresh()
        return self._state.mistakes

    def _refresh(self) -> None:
        # One thread looks; the others go on with what is in force instead of waiting for it.
        if self._monotonic() < self._look_at or not self._looking.acquire(blocking=False):
            return
        try:
            self._look_at = self._monotonic() + LOOK_EVERY
            stamp = self._stamp()
            if stamp != self._state.stamp:
                self._state = self._take_up(self._state.good, stamp)
        finally:
            self._looking.release()

    def _take_up(self, good: Reading, stamp: _Stamp) -> _State:
        """The state after a change. The stamp is older than the reading, so that a later write is seen next time."""
        reading = self.read()
        if not reading.mistakes:
            log.info("%s was taken up: %d tenants", self.path.name, len(reading.tenants.by_key))
            return _State(reading, (), stamp)
        listed = "; ".join(map(str, reading.mistakes))
        log.error("%s is broken and the last good one stays in force: %s", self.path.name, listed)
        return _State(good, reading.mistakes, stamp)

    def _stamp(self) -> _Stamp:
        """What changes when the file does; None when it cannot be had."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
