"""OPS-20: `make run` serves the demo brands and prints their addresses; it ends at once and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.settings import Settings
from scripts import run
from tests.meta.counts import ROOT
from tests.support.ports import free_port

ALONE = pytest.mark.xdist_group("run")  # one of them loads the demo for all


def test_the_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = run.environment(8123, tmp_path)["PORTAL_SECRET_KEY"]
    assert len(first) >= 32
    assert run.environment(8124, tmp_path)["PORTAL_SECRET_KEY"] == first
    assert (tmp_path / "portal.env").stat().st_mode & 0o777 == 0o600


def test_a_secret_key_of_the_callers_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PORTAL_SECRET_KEY", "of the caller")
    env = run.environment(8123, tmp_path)
    assert env["PORTAL_SECRET_KEY"] == "of the caller"
    assert (env["PORTAL_DEMO"], env["PORTAL_PUBLIC_PORT"], env["PORTAL_HOME"]) == (
        "1",
        "8123",
        str(tmp_path),
    )
    assert "of the caller" not in (tmp_path / "portal.env").read_text()


def test_commands_beside_a_demo_read_the_tenants_file_that_it_is_served_by(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OPS-03, OPS-20: a PORTAL_TENANTS of the caller's stands in portal.env, and what was written there stays."""
    file = tmp_path / "my brands.toml"
    monkeypatch.setenv("PORTAL_TENANTS", str(file))
    run.environment(8123, tmp_path)
    read = Settings.from_environment({"PORTAL_ENV_FILE": str(tmp_path / "portal.env")})
    assert read.tenants_file == file
    monkeypatch.delenv("PORTAL_TENANTS")
    with (tmp_path / "portal.env").open("a") as kept:
        kept.write("# of my own\nPORTAL_THREADS=7\n")
    assert run.environment(8123, tmp_path)["PORTAL_TENANTS"] == str(file)
    read = Settings.from_environment({"PORTAL_ENV_FILE": str(tmp_path / "portal.env")})
    assert (read.tenants_file, read.threads) == (file, 7)


def test_the_targets_explain_themselves() -> None:
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    explained = set(re.findall(r"make ([a-z-]+) +\S", listed))
    assert {"run", "test", "check", "fmt", "bench", "requirements", "help"} <= explained


class Served:
    """A running `make run`, without make."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        env = {
            **os.environ,
            "PORT": str(self.port),
            "PORTAL_HOME": str(home),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, str(ROOT / "scripts" / "run.py")]
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.printed = ""
        self._up = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line
            if line.startswith("Ctrl-C"):
                self._up.set()
        self._up.set()

    def wait(self) -> None:
        """Until the addresses are printed."""
        assert self._up.wait(120), self.printed
        assert self.process.poll() is None, self.printed

    def end(self, number: signal.Signals) -> int:
        """Stop it as the user or the system does."""
        self.process.send_signal(number)
        return self.close()

    def close(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(15)
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo is loaded by the first of these tests, and found by the others, as on any second day."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    running = Served(home)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        running.close()


@pytest.mark.slow
@ALONE
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_prints_its_addresses_and_ends_at_once(
    served: Served, number: signal.Signals
) -> None:
    served.wait()
    assert re.search(rf"http://[a-z-]+\.localhost:{served.port}", served.printed)
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/livez", timeout=5) as answer:
        assert answer.status == 200
        assert not answer.headers["Server"]
    assert served.end(number) == 0, served.printed
    assert not run.listens(served.port)


@pytest.mark.slow
@ALONE
def test_the_command_that_it_prints_meets_the_same_portal(served: Served) -> None:
    """From another terminal, with nothing of the demo in its environment; without that line nothing is met."""
    served.wait()
    [line] = re.findall(r"^ +(PORTAL_ENV_FILE=.*)$", served.printed, re.MULTILINE)
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    answer = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, "FR0" in answer.stdout) == (0, True), answer.stderr
    without = line.partition(" ")[2]
    answer = subprocess.run(
        ["sh", "-c", without], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, "PORTAL_SECRET_KEY" in answer.stderr) == (2, True)


@pytest.mark.slow
@ALONE
def test_a_taken_port_is_said_with_a_remedy(served: Served, home: Path) -> None:
    served.wait()
    env = {**os.environ, "PORT": str(served.port), "PORTAL_HOME": str(home)}
    second = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "run.py")],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"make run PORT={served.port + 1}" in second.stderr
