"""A process that documents are made in: it can be killed, and has neither secrets nor a database.

One child (``python -m portal.shared.documents.process``) is kept and serves one document after
another, for starting it takes many times as long as drawing a page. A request is one message of
JSON. So is an answer one message: the PDF's bytes, the one character that cannot be drawn, or what
else went wrong. Never a pickle: a child's word is not trusted.
"""

import atexit
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from portal.shared.documents.pdf import RENDER_SECONDS, PdfFailed, prepare, render_document
from portal.shared.documents.typefaces import UndrawableText

_MEMORY = 1024**3
_ROOT = Path(__file__).parents[3]


class Renderer:
    """The child, started when it is first needed and again when it was killed or the process has
    forked.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.close)

    def make(self, task: Mapping[str, Any], timeout: float) -> bytes:
        """The PDF that `task` describes, one at a time. Raises what `draw_document` does."""
        with self._lock:
            child = self._running()
            limit = Timer(timeout, child.kill)
            limit.start()
            try:
                self._pipe.send_bytes(json.dumps(task).encode())
                answer = self._pipe.recv_bytes()
            except (OSError, EOFError) as lost:
                self._stop()
                raise PdfFailed(f"the child was lost or killed after {timeout} seconds") from lost
            finally:
                limit.cancel()
        if answer.startswith(b"%PDF"):
            return answer
        refusal = answer.decode(errors="replace")
        raise UndrawableText(refusal) if len(refusal) == 1 else PdfFailed(refusal)

    def close(self) -> None:
        """End the child, if this process started one."""
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen[bytes]:
        mine = self._owner == os.getpid()
        if self._child is None or not mine or self._child.poll() is not None:
            self._stop()
            self._pipe, theirs = Pipe()
            with theirs:
                self._child = _start(theirs.fileno())
                self._owner = os.getpid()
        return self._child

    def _stop(self) -> None:
        child = self._child
        self._child = None
        if child is not None and self._owner == os.getpid():
            child.kill()
            child.wait()
            self._pipe.close()


_renderer = Renderer()


def draw_document(
    kind: str, context: Mapping[str, Any], created: datetime, timeout: float = RENDER_SECONDS
) -> bytes:
    """As `render_document`, in a process of its own that is killed after `timeout` seconds.

    Raises UndrawableText, or PdfFailed for everything else.
    """
    return _renderer.make(
        {"kind": kind, "context": context, "created": created.isoformat()}, timeout
    )


def _start(pipe: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "portal.shared.documents.process"],
        stdin=pipe,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
        cwd=_ROOT,
    )


def _answer(task: dict[str, Any]) -> bytes:
    """What became of `task`, in the child."""
    try:
        return render_document(
            task["kind"], task["context"], datetime.fromisoformat(task["created"])
        )
    except UndrawableText as refused:
        return str(refused.params["char"]).encode(errors="replace")
    except Exception as error:  # whatever it is, the parent must hear of it and the child go on
        return f"{type(error).__name__}: {error}".encode(errors="replace")


def _serve() -> None:
    """In the child: do what is asked over standard input until it closes."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    prepare()
    with Connection(0) as pipe, suppress(EOFError):
        while True:
            pipe.send_bytes(_answer(json.loads(pipe.recv_bytes())))


if __name__ == "__main__":
    _serve()
