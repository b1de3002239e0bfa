"""Functions in a process that can be killed, and that has limits of its own (security.md §4.23)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from portal.core.sandbox import Limits, Refused, Sandbox, SandboxFailed

pytestmark = pytest.mark.slow
MEGABYTE = 1024 * 1024
ROOMY = Limits(seconds=30, cpu_seconds=20, memory_bytes=1024 * MEGABYTE)
Make = Callable[..., Sandbox]


def work(task: Mapping[str, Any]) -> bytes:
    """In the child: what the task asks for."""
    asked = str(task["do"])
    if asked == "refuse":
        raise Refused("図")
    if asked == "fail":
        raise ValueError("壊れています")
    if asked == "compute":
        while True:
            pass
    if asked == "sleep":
        time.sleep(60)
    if asked == "grow":
        return str(len(bytearray(task["bytes"]))).encode()
    if asked == "answer":
        return bytes(task["bytes"])
    if asked == "environ":
        return " ".join(sorted(os.environ)).encode()
    return asked.encode()


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a sandbox with limits; it is ended with the test."""
    with ExitStack() as stack:

        def new(limits: Limits = ROOMY) -> Sandbox:
            return stack.enter_context(closing(Sandbox(f"{__name__}:work", limits)))

        yield new


def test_one_process_does_one_task_after_another(make: Make) -> None:
    sandbox = make()
    assert sandbox.process_id is None
    assert sandbox.run({"do": "図面"}) == "図面".encode()
    first = sandbox.process_id
    assert first not in (None, os.getpid())
    assert sandbox.run({"do": "二"}) == "二".encode()
    assert sandbox.process_id == first


def test_what_it_refuses_and_what_fails_is_told_apart_and_it_goes_on(make: Make) -> None:
    sandbox = make()
    with pytest.raises(Refused) as refused:
        sandbox.run({"do": "refuse"})
    assert refused.value.reason == "図"
    with pytest.raises(SandboxFailed, match="ValueError: 壊れています"):
        sandbox.run({"do": "fail"})
    first = sandbox.process_id
    assert sandbox.run({"do": "x"}) == b"x"
    assert sandbox.process_id == first


def test_what_takes_too_long_is_killed_and_the_next_task_has_a_new_process(make: Make) -> None:
    sandbox = make()
    sandbox.run({"do": "x"})
    first = sandbox.process_id
    with pytest.raises(SandboxFailed, match=r"0\.2 seconds"):
        sandbox.run({"do": "sleep"}, seconds=0.2)
    assert sandbox.run({"do": "x"}) == b"x"
    assert sandbox.process_id != first


def test_what_computes_too_long_is_killed_by_the_system(make: Make) -> None:
    """Also where the clock would let it go on, as on a busy machine; each task has as much again."""
    sandbox = make(Limits(seconds=60, cpu_seconds=1, memory_bytes=1024 * MEGABYTE))
    for _turn in range(2):
        with pytest.raises(SandboxFailed, match="1 seconds of computing"):
            sandbox.run({"do": "compute"})
        assert sandbox.run({"do": "x"}) == b"x"


def test_what_wants_too_much_memory_gets_none(make: Make) -> None:
    sandbox = make(Limits(seconds=30, cpu_seconds=20, memory_bytes=400 * MEGABYTE))
    assert sandbox.run({"do": "grow", "bytes": 10 * MEGABYTE}) == b"10485760"
    with pytest.raises(SandboxFailed, match="MemoryError"):
        sandbox.run({"do": "grow", "bytes": 500 * MEGABYTE})
    assert sandbox.run({"do": "x"}) == b"x"


def test_an_answer_that_is_too_long_is_not_taken(make: Make) -> None:
    """A child that strangers' bytes have led astray must not fill the memory of who asked it."""
    limits = Limits(30, 20, 1024 * MEGABYTE, answer_bytes=1000)
    sandbox = make(limits)
    assert len(sandbox.run({"do": "answer", "bytes": 1000})) == 1000
    with pytest.raises(SandboxFailed, match="too long"):
        sandbox.run({"do": "answer", "bytes": MEGABYTE})
    assert sandbox.run({"do": "x"}) == b"x"


def test_a_process_that_was_killed_is_started_again(make: Make) -> None:
    sandbox = make()
    sandbox.run({"do": "x"})
    assert sandbox.process_id is not None
    os.kill(sandbox.process_id, signal.SIGKILL)
    os.waitid(os.P_PID, sandbox.process_id, os.WEXITED | os.WNOWAIT)
    assert sandbox.run({"do": "x"}) == b"x"


def test_it_inherits_no_secret(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_SECRET_KEY", "secret")
    names = set(make().run({"do": "environ"}).decode().split())
    assert names - {"LC_CTYPE"} == {"PYTHONPATH", "PYTHONUTF8"}  # Python itself adds the locale


def test_after_a_fork_each_process_has_a_child_of_its_own(make: Make, tmp_path: Path) -> None:
    """A server that forks must not let two workers talk to one child."""
    sandbox = make()
    sandbox.run({"do": "x"})
    first = sandbox.process_id
    forked = os.fork()
    if forked == 0:
        try:
            (tmp_path / "answer").write_bytes(sandbox.run({"do": "forked"}))
            (tmp_path / "child").write_text(str(sandbox.process_id))
            sandbox.close()
        finally:
            os._exit(0)
    os.waitpid(forked, 0)
    assert (tmp_path / "answer").read_bytes() == b"forked"
    assert int((tmp_path / "child").read_text()) != first
    assert sandbox.run({"do": "x"}) == b"x"
    assert sandbox.process_id == first


def test_at_the_end_nothing_of_it_is_left(make: Make) -> None:
    sandbox = make()
    sandbox.run({"do": "x"})
    process = sandbox.process_id
    sandbox.close()
    assert not Path(f"/proc/{process}").exists()
    assert sandbox.process_id is None
