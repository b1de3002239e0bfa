"""The child of a `Sandbox`: ``python -m portal.core.sandbox_child FUNCTION MEMORY CPU``.

It does what is asked over standard input until that closes.
"""

import json
import math
import resource
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from portal.core.sandbox import DONE, FAILED, REFUSED, Refused

Function = Callable[[Mapping[str, Any]], bytes]


def serve(name: str, memory_bytes: int, cpu_seconds: int) -> None:
    """Answer each task with two messages: what became of it, and its bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # A core dump would leave what customers typed on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _colon, attribute = name.partition(":")
    function: Function = getattr(import_module(module), attribute)
    with Connection(0) as pipe, suppress(EOFError):
        while True:
            task = json.loads(pipe.recv_bytes())
            _allow_computing(cpu_seconds)
            outcome, answer = _answer(function, task)
            pipe.send_bytes(outcome)
            pipe.send_bytes(answer)


def _allow_computing(seconds: int) -> None:
    """Let the process compute for `seconds` more; the system kills it after that.

    The limit counts from the start of the process, which may have done many tasks.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime) + seconds
    # The soft limit alone: a hard one could never be raised again for the next task.
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _answer(function: Function, task: Mapping[str, Any]) -> tuple[bytes, bytes]:
    try:
        return DONE, function(task)
    except Refused as refused:
        return REFUSED, refused.reason.encode(errors="replace")
    except Exception as error:  # whatever it is, the parent must hear of it and the child go on
        return FAILED, f"{type(error).__name__}: {error}".encode(errors="replace")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
