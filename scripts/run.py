"""`make run`: the demo brands on this machine. Prepares the database, then minds the server and the
mail worker.

PORT (8000) is where it listens, PORTAL_HOME (var) is where it keeps its data.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
HOST = "127.0.0.1"
ENV_FILE = "portal.env"
START_SECONDS = 60.0
GRACE_SECONDS = 8.0
LOOK_SECONDS = 0.3

stop = threading.Event()


def environment(port: int, home: Path) -> dict[str, str]:
    """What the portal is told; what the caller has set wins, except that this is a demo over plain
    HTTP.
    """
    kept = home / ENV_FILE
    lines = kept.read_text("utf-8").splitlines() if kept.exists() else []
    known = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    if os.environ.get("PORTAL_TENANTS"):
        # Commands beside this demo must read the file that it is served by.
        known["PORTAL_TENANTS"] = str(Path(os.environ["PORTAL_TENANTS"]).absolute())
    mine = {
        **known,
        "PORTAL_DEMO": "1",
        "PORTAL_SCHEME": "http",
        "PORTAL_PUBLIC_PORT": str(port),
        "PORTAL_SECRET_KEY": known.get("PORTAL_SECRET_KEY") or secrets.token_urlsafe(48),
        "PORTAL_HOME": str(home),
    }
    # Beside the data and for its owner only. No program reads it unless PORTAL_ENV_FILE names it: a
    # demo that was left behind must not change what is started later.
    descriptor = os.open(kept, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write("".join(f"{name}={value}\n" for name, value in mine.items()))
    if "PORTAL_SECRET_KEY" in os.environ:
        del mine["PORTAL_SECRET_KEY"]
    return {**os.environ, **mine}


def commands(port: int) -> dict[str, list[str]]:
    """The processes that make the portal."""
    server = [str(BIN / "python"), str(ROOT / "scripts" / "serve.py")]
    return {
        "server": [*server, "--host", HOST, "--port", str(port), "--processes", "2"],
        "worker": [str(BIN / "flask"), "worker"],
    }


def operators_command(home: Path) -> str:
    """How to run a command beside this demo, from the folder of the project."""
    file = shlex.quote(str(home / ENV_FILE))
    return f"PORTAL_ENV_FILE={file} .venv/bin/flask facility list --tenant facility"


def start(command: list[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A child in a group of its own, which ends even if this process is killed without a word."""
    leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    return subprocess.Popen([*leash, *command], cwd=ROOT, env=env, start_new_session=True)


def end(children: list[subprocess.Popen[bytes]]) -> None:
    """Ask every child to end; after the grace, end its whole group."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def listens(port: int) -> bool:
    """Whether somebody answers at the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def wait_for(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the server came up before it died, was stopped or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and not stop.is_set() and time.monotonic() < deadline:
        if listens(port):
            return True
        stop.wait(LOOK_SECONDS)
    return False


def mind(children: dict[str, subprocess.Popen[bytes]], env: Mapping[str, str], port: int) -> int:
    """Watch until told to stop.

    A dead worker is started again; without its server the portal ends.
    """
    while not stop.wait(LOOK_SECONDS):
        if children["server"].poll() is not None:
            print("The server has ended.", file=sys.stderr)
            return 1
        if children["worker"].poll() is not None:
            print("The worker has ended and is started again.", file=sys.stderr)
            stop.wait(1)
            children["worker"] = start(commands(port)["worker"], env)
    return 0


def main() -> int:
    """Prepare, serve, and leave nothing running."""
    port = int(os.environ.get("PORT") or "8000")
    home = Path(os.environ.get("PORTAL_HOME") or ROOT / "var").absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    if listens(port):
        print(f"Port {port} is taken: try  make run PORT={port + 1}", file=sys.stderr)
        return 1
    env = environment(port, home)
    for step in (["db", "upgrade"], ["demo", "load"]):
        subprocess.run([BIN / "flask", *step], cwd=ROOT, env=env, check=True)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands(port).items():
            children[name] = start(command, env)
        if not wait_for(children["server"], port):
            return 0 if stop.is_set() else 1
        subprocess.run([BIN / "flask", "demo", "accounts"], cwd=ROOT, env=env, check=True)
        print(f"Commands for this demo, in another terminal:\n  {operators_command(home)}")
        print("Ctrl-C stops the portal.", flush=True)
        return mind(children, env, port)
    finally:
        end(list(children.values()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failure:
        sys.exit(failure.returncode)
