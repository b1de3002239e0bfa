"""OPS-03: with a broken tenants file in place, processes die and start again, and every brand is served as before."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask

from portal.settings import Settings
from scripts import run as script
from tests.races.processes import BIN, begin, environment, kill, wait_until_ready
from tests.support.ports import free_port

DELTA = "\n[tenants.delta]\nname = '丁'\n"
BROKEN = "\n[tenants.epsilon]\nnmae = '戊'\n"
BRANDS = ("facility", "studio", "desk", "delta")


def status(port: int, brand: str, path: str = "/sign-in") -> int:
    """Of a page, asked for on a connection of its own: any of the server's processes answers. 0: none did."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
    try:
        connection.request("GET", path, headers={"Host": f"{brand}.localhost:{port}"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for it. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def everything_is_served(port: int) -> bool:
    """Every brand, the one of the last good file too, asked so often that each process is met."""
    answers = {status(port, brand) for _turn in range(8) for brand in BRANDS}
    return answers == {200}


def children(pid: int) -> list[int]:
    """The processes that a process began."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def put(file: Path, text: str) -> None:
    """Replace the file as an editor does."""
    aside = file.with_suffix(".new")
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)


@pytest.mark.slow
@pytest.mark.races
def test_with_a_broken_file_everything_may_die_and_comes_back_with_the_same_brands(
    app: Flask, settings: Settings, tmp_path: Path
) -> None:
    """Good, then good with a brand more, then a misspelt key; then kill -9 of each part, and of all."""
    good = settings.tenants_file.read_text(encoding="utf-8")
    file = tmp_path / "tenants.toml"
    put(file, good)
    port = free_port()
    env = environment(
        settings,
        PORTAL_PUBLIC_PORT=str(port),
        PORTAL_TENANTS=str(file),
        PORTAL_HOME=str(tmp_path / "home"),
    )
    commands = script.commands(port)
    running = {name: begin(command, env) for name, command in commands.items()}
    try:
        wait_until_ready(port)
        assert status(port, "delta") == 404
        put(file, good + DELTA)
        until(lambda: status(port, "delta") == 200)
        put(file, good + DELTA + BROKEN)
        time.sleep(1.1)  # every process looks once a second
        until(lambda: everything_is_served(port), 2)
        assert status(port, "facility", "/readyz") == 200

        one, *_others = [pid for pid in children(running["server"].pid) if is_python(pid)]
        os.kill(one, signal.SIGKILL)
        until(lambda: one not in children(running["server"].pid))
        until(lambda: len(children(running["server"].pid)) >= 2)
        until(lambda: everything_is_served(port))

        for process in running.values():
            kill(process)
        running = {name: begin(command, env) for name, command in commands.items()}
        wait_until_ready(port)
        until(lambda: everything_is_served(port), 5)
        assert running["worker"].poll() is None

        assert run_flask(env, "tenants", "list").returncode == 0
        assert run_flask(env, "facility", "list", "--tenant", "facility").returncode == 0
        checked = run_flask(env, "tenants", "check")
        assert (checked.returncode, "epsilon.nmae" in checked.stdout) == (2, True)
    finally:
        for process in running.values():
            kill(process)


def is_python(pid: int) -> bool:
    """Whether it is one of the processes that serve, not the tracker of their semaphores."""
    with suppress(OSError):
        return b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def run_flask(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """A command, as an operator types it."""
    return subprocess.run(
        [BIN / "flask", *words], env=env, capture_output=True, text=True, check=False, timeout=120
    )
