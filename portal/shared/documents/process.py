"""A process that documents are made in: it can be killed, and has neither secrets nor a database.

One child is kept and serves one document after another, for starting it takes many times as long as drawing
a page. Each request is a line of JSON; each answer a line of JSON (`size`, `undrawable` or `failed`), then the
PDF's bytes.
"""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Lock, Timer
from typing import IO, Any, cast

from portal.shared.documents.errors import PdfFailed, UndrawableText

_CHILD = "portal.shared.documents.child"
_ROOT = Path(__file__).parents[3]


class Renderer:
    """The child, started when it is first needed and again when it was killed or the process has forked."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.close)

    def make(self, task: Mapping[str, Any], timeout: float) -> bytes:
        """The PDF that `task` describes, one at a time.

        Raises UndrawableText, or PdfFailed for everything else; after `timeout` seconds the child is killed.
        """
        with self._lock:
            child = self._running()
            limit = Timer(timeout, child.kill)
            limit.start()
            try:
                return _ask(child, task)
            except (OSError, ValueError, EOFError) as lost:
                self._stop()
                raise PdfFailed(f"the child was lost or killed after {timeout} seconds") from lost
            finally:
                limit.cancel()

    def close(self) -> None:
        """End the child, if this process started one."""
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen[bytes]:
        mine = self._owner == os.getpid()
        if self._child is None or not mine or self._child.poll() is not None:
            self._stop()
            self._child, self._owner = _start(), os.getpid()
        return self._child

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
        cwd=_ROOT,
        bufsize=0,
    )


def _ask(child: subprocess.Popen[bytes], task: Mapping[str, Any]) -> bytes:
    stdin, stdout = cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
    request = json.dumps(task).encode() + b"\n"
    while request:
        request = request[stdin.write(request) :]
    answer = json.loads(_line(stdout))
    if "undrawable" in answer:
        raise UndrawableText(answer["undrawable"])
    if "failed" in answer:
        raise PdfFailed(answer["failed"])
    return _exactly(stdout, answer["size"])


def _line(pipe: IO[bytes]) -> bytes:
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = pipe.read(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
