"""Functions that run in a process of their own, which can be killed and has neither secrets nor a
database.

For what reads what strangers made, or may take any time and memory: drawing documents, unpacking
archives, thumbnails. A function of a sandbox is named as ``package.module:function``, takes one
JSON object and gives bytes; what is large it is told by its path. What it refuses to do it says by
`Refused`. The child is kept and does one call after another, for starting it takes many times as
long as most calls. Its answers are bytes and never pickles: a child's word is not trusted.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Lock, Timer
from typing import Any

DONE = b"done"
REFUSED = b"refused"
FAILED = b"failed"
_GRACE_SECONDS = 1.0
"""How long a child may take to see that nobody listens any more, before it is killed."""
_ROOT = Path(__file__).parents[2]


class Refused(Exception):
    """The function does not do what it was asked, for `reason`; raised in the child, and again
    here.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SandboxFailed(Exception):
    """The function raised something else, passed a limit, or its process was lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a function may take.

    `seconds` are those of the clock for one call, starting the child included, `cpu_seconds` those
    of computing. `memory_bytes` is the address space of the process, `answer_bytes` the length of
    an answer.
    """

    seconds: float
    cpu_seconds: int
    memory_bytes: int
    answer_bytes: int = 64 * 1024 * 1024


class Sandbox:
    """The process of one function, started when it is first needed and again when it was killed or
    this process has forked.
    """

    def __init__(self, function: str, limits: Limits) -> None:
        self._function = function
        self._limits = limits
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._owner = 0
        atexit.register(self.close)

    @property
    def process_id(self) -> int | None:
        """The child's process, None where none has been started."""
        return self._child.pid if self._child is not None else None

    def run(self, task: Mapping[str, Any], *, seconds: float | None = None) -> bytes:
        """What the function gives for `task`, one call at a time, within `seconds` (those of the
        limits when None).

        Raises Refused as the function does, or SandboxFailed.
        """
        allowed = self._limits.seconds if seconds is None else seconds
        with self._lock:
            child, pipe = self._running()
            is_late = Event()
            limit = Timer(allowed, _kill, [child, is_late])
            limit.start()
            try:
                pipe.send_bytes(json.dumps(task).encode())
                # Never longer than the longest outcome: a child that sends more is broken, and is
                # ended.
                outcome = pipe.recv_bytes(len(REFUSED))
                answer = pipe.recv_bytes(self._limits.answer_bytes)
            except (OSError, EOFError) as lost:
                raise SandboxFailed(self._how_it_ended(is_late, allowed)) from lost
            finally:
                limit.cancel()
                if is_late.is_set():
                    self._stop()
        if outcome == DONE:
            return answer
        text = answer.decode(errors="replace")
        raise Refused(text) if outcome == REFUSED else SandboxFailed(text)

    def close(self) -> None:
        """End the child, if this process started one."""
        with self._lock:
            self._stop()

    def _running(self) -> tuple[subprocess.Popen[bytes], Connection]:
        # After a fork two processes would write into one pipe; the child stays the parent's.
        is_mine = self._owner == os.getpid()
        if (
            self._child is None
            or self._pipe is None
            or not is_mine
            or self._child.poll() is not None
        ):
            self._stop()
            self._pipe, theirs = Pipe()
            with theirs:
                self._child = self._start(theirs.fileno())
                self._owner = os.getpid()
        return self._child, self._pipe

    def _start(self, pipe: int) -> subprocess.Popen[bytes]:
        limits = str(self._limits.memory_bytes), str(self._limits.cpu_seconds)
        return subprocess.Popen(
            [sys.executable, "-m", "portal.core.sandbox_child", self._function, *limits],
            # The pipe is its standard input; Popen closes every other descriptor.
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Nothing of our own environment, in which secrets and the database's address stand.
            env={"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
            cwd=_ROOT,
        )

    def _how_it_ended(self, is_late: Event, allowed: float) -> str:
        """Why there was no answer; the child is ended."""
        ended = self._stop()
        if is_late.is_set():
            return f"killed after {allowed} seconds"
        if ended == -signal.SIGXCPU:
            return f"killed after {self._limits.cpu_seconds} seconds of computing"
        return f"the process was lost, or its answer too long ({ended})"

    def _stop(self) -> int | None:
        """End the child of this process, and let go of another's; returns how it ended."""
        child, pipe = self._child, self._pipe
        self._child = self._pipe = None
        # A child whose input ends goes by itself.
        if pipe is not None:
            pipe.close()
        if child is None or self._owner != os.getpid():
            return None
        try:
            return child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


def _kill(child: subprocess.Popen[bytes], is_late: Event) -> None:
    is_late.set()
    child.kill()
