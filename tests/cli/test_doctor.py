"""`flask doctor` (OPS-15): it sees what is wrong, and says what it did not look at."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from portal.cli import doctor
from portal.core import jobs, session
from portal.settings import Settings
from tests.support import postgres
from tests.support.job_kinds import do_nothing, job_kind

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def found(run: Any) -> Callable[..., tuple[int, dict[str, tuple[str, str]]]]:
    """`found(*words)`: the exit code, and by what was looked at its state and message."""

    def look(*words: str) -> tuple[int, dict[str, tuple[str, str]]]:
        result = run.invoke(args=["doctor", "--json", *words])
        rows = json.loads(result.stdout)
        return result.exit_code, {row["what"]: (row["state"], row["message"]) for row in rows}

    return look


def test_an_installation_in_order_is_said_to_be_so(found: Any) -> None:
    code, rows = found()
    assert code == 0
    assert rows["database"][0] == rows["tenants"][0] == rows["files"][0] == "ok"
    assert rows["jobs"][0] == "ok"
    assert rows["settings"][0] == "warning"  # the tests' portal stands at localhost
    assert rows["bodies"] == ("not looked at", "say where the portal answers: --url URL")


def test_a_database_behind_the_program_is_bad(found: Any, settings: Settings) -> None:
    owner = create_engine(settings.database_url)
    if owner.dialect.name == "postgresql":
        name = settings.database_url.rpartition("/")[2].partition("?")[0]
        owner = create_engine(postgres.shared().url(name, postgres.OWNER))
    with owner.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    owner.dispose()
    code, rows = found()
    assert (code, rows["database"][0]) == (2, "bad")
    assert rows["jobs"][0] == "not looked at"
    assert "flask db upgrade" in rows["database"][1]


@ONE
def test_a_broken_tenants_file_is_a_warning_with_its_line(
    app: Flask, found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPS-03: what is served goes on; in force and on disk are told apart."""
    broken = tmp_path / "tenants.toml"
    broken.write_text("[tenants.x]\nnmae = 'x'\n")
    monkeypatch.setattr(app.extensions["tenants"], "path", broken)
    code, rows = found()
    monkeypatch.undo()
    app.extensions["tenants"].look_now()
    assert (code, rows["tenants"][0]) == (0, "warning")
    assert "last good" in rows["tenants"][1]
    assert f"{broken} is broken" in rows["tenants"][1]


@ONE
def test_files_that_others_may_read_are_bad(
    found: Any, settings: Settings, request: pytest.FixtureRequest
) -> None:
    file = Path(settings.database_url.removeprefix("sqlite:///"))
    file.chmod(0o644)
    request.addfinalizer(lambda: file.chmod(0o600))
    code, rows = found()
    assert (code, rows["files"][0]) == (2, "bad")
    assert f"others may read {file}" in rows["files"][1]
    assert "(644): chmod 600" in rows["files"][1]


@ONE
@pytest.mark.parametrize(
    ("changes", "state", "word"),
    [
        ({"testing": False, "base_domain": "my.example.jp"}, "warning", "PORTAL_PROXY_HOPS"),
        ({"testing": False, "base_domain": "my.example.jp", "proxy_hops": 1}, "ok", "https at"),
        ({"demo": True}, "warning", "demo"),
    ],
)
def test_settings_that_start_and_are_doubtful_all_the_same_are_told(
    app: Flask,
    found: Any,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    state: str,
    word: str,
) -> None:
    safe = {"secret_key": "8f1c02d97be64a35b0e7c1946d2f8a53", "scheme": "https"}
    other = replace(settings, smtp_url="smtp://127.0.0.1", **safe | changes)
    monkeypatch.setitem(app.extensions, "settings", other)
    _code, rows = found()
    assert rows["settings"][0] == state
    assert word in rows["settings"][1]


@ONE
def test_a_demo_left_behind_is_told(
    app: Flask, found: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "portal.env").touch(0o600)
    monkeypatch.setitem(app.extensions, "settings", replace(settings, home=tmp_path))
    assert found()[1]["demo"][0] == "warning"


@contextmanager
def front(answer: bytes, after: float) -> Iterator[str]:
    """A server that takes one connection and answers half a request after so many seconds, or never (0 bytes)."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            taken, _address = listening.accept()
            with taken:
                taken.recv(1000)
                is_over.wait(after)
                if answer:
                    taken.sendall(answer)
                else:
                    is_over.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://facility.localhost:{listening.getsockname()[1]}"
        is_over.set()
        thread.join()


@ONE
@pytest.mark.parametrize(
    ("answer", "after", "state", "word"),
    [
        (b"HTTP/1.1 405 METHOD NOT ALLOWED\r\n\r\n", 0.0, "bad", "handed on (405 at once)"),
        (b"HTTP/1.1 408 Request Timeout\r\n\r\n", 0.3, "ok", "takes no thread"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 0.3, "ok", "takes no thread"),
        (b"", 0.0, "bad", "without end"),
    ],
)
def test_half_a_request_shows_whether_the_front_waits_for_the_rest(
    found: Any, monkeypatch: pytest.MonkeyPatch, answer: bytes, after: float, state: str, word: str
) -> None:
    monkeypatch.setattr(doctor, "ANSWERS_AT_ONCE", 0.2)
    monkeypatch.setattr(doctor, "PATIENCE", 0.6)
    with front(answer, after) as url:
        _code, rows = found("--url", url)
    assert rows["bodies"][0] == state, rows
    assert word in rows["bodies"][1]


@ONE
def test_an_address_at_which_no_brand_lives_is_bad(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-01: whatever answers there."""
    monkeypatch.setattr(doctor, "ANSWERS_AT_ONCE", 0.0)
    with front(b"HTTP/1.1 408 Request Timeout\r\n\r\n", 0.1) as url:
        code, rows = found("--url", url.replace("facility", "nobrand"))
    assert (code, rows["bodies"][0], rows["url"][0]) == (2, "ok", "bad")
    assert "no brand lives at nobrand.localhost" in rows["url"][1]


@ONE
@pytest.mark.parametrize("url", ["my.example.jp", "ftp://127.0.0.1", "http://127.0.0.1:1"])
def test_a_front_that_cannot_be_asked_is_said_in_a_line(found: Any, url: str) -> None:
    code, rows = found("--url", url)
    assert (code, rows["bodies"][0]) == (2, "bad")
    assert "cannot be asked" in rows["bodies"][1]


def test_jobs_that_no_worker_does_are_told_by_their_kinds(
    app: Flask, found: Any, inside: Any
) -> None:
    """OPS-15: of all brands together."""
    with job_kind(app, "newer.kind", do_nothing):
        for key in ("facility", "studio"):
            with inside(key):
                jobs.enqueue("newer.kind", {})
                session().commit()
    code, rows = found()
    assert (code, rows["jobs"][0]) == (0, "warning")
    assert "newer.kind (2)" in rows["jobs"][1]
