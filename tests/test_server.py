"""The server between granian and the portal: a thread is taken for whole requests only, and WSGI is told truly."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portal import server as module
from portal.server import RsgiServer

Application = Callable[[dict[str, Any], Any], Any]


class GranianHeaders:
    """Headers as granian has them: names in lower case, each line of its own."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self._lines = lines

    def items(self) -> list[tuple[str, str]]:
        return self._lines

    def get(self, name: str, default: str | None = None) -> str | None:
        return dict(self._lines).get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in dict(self._lines)


class GranianProtocol:
    """One request's body in chunks (a pause in seconds is one too), and what was answered."""

    def __init__(self, chunks: list[bytes | float]) -> None:
        self._chunks = chunks
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.was_streamed = False
        self.path = ""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, float):
                await asyncio.sleep(chunk)
            else:
                yield chunk

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def response_file(self, status: int, headers: list[tuple[str, str]], path: str) -> None:
        self.status, self.headers, self.path = status, headers, path

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any:
        self.status, self.headers, self.was_streamed = status, headers, True
        return self

    def close(self, status: int) -> None:
        self.status = status

    async def send_bytes(self, data: bytes) -> None:
        if data == b"gone":
            raise RuntimeError("closed")
        self.body += data


def ask(
    app: Application,
    *chunks: bytes | float,
    headers: list[tuple[str, str]] | None = None,
    seconds: float = 5.0,
    linger: Callable[[], object] | None = None,
    **changes: Any,
) -> GranianProtocol:
    """What the server answers to one request."""
    length = sum(len(chunk) for chunk in chunks if isinstance(chunk, bytes))
    given = headers if headers is not None else [("content-length", str(length))]
    said = {
        "proto": "http",
        "http_version": "1.1",
        "server": "127.0.0.1:8000",
        "client": "192.0.2.7:41000",
        "scheme": "http",
        "method": "POST",
        "path": "/",
        "query_string": "",
        "authority": None,
        "headers": GranianHeaders(given),
    }
    protocol = GranianProtocol(list(chunks))
    server = RsgiServer(app, threads=2, body_seconds=seconds)

    async def once() -> None:
        await server.__rsgi__(SimpleNamespace(**said | changes), protocol)
        if linger is not None:
            linger()
            await asyncio.sleep(0.2)
        server.__rsgi_del__(asyncio.get_running_loop())

    # In a thread of its own: a browser test before this one leaves a loop running in the main one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, once()).result()
    assert server._held_bytes == 0
    return protocol


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers with the body that it was given."""
    start_response("200 OK", [("X-Length", environ.get("CONTENT_LENGTH", "none"))])
    return [environ["wsgi.input"].read()]


def never(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that must not be reached."""
    raise AssertionError("a thread was taken")


def test_a_body_is_handed_on_whole() -> None:
    answer = ask(echo, b"a=1&", b"b=", b"2")
    assert (answer.status, answer.body, dict(answer.headers)["X-Length"]) == (200, b"a=1&b=2", "7")


def test_a_large_body_goes_over_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", 1000)
    assert ask(echo, *[b"x" * 700] * 10).body == b"x" * 7000


def test_half_a_body_is_refused_when_its_time_is_over_and_takes_no_thread() -> None:
    answer = ask(never, b"a=", 30.0, headers=[("content-length", "100")], seconds=0.05)
    assert answer.status == 408
    assert ("Connection", "close") in answer.headers


def test_a_body_by_drops_has_no_more_time_than_one_that_stops() -> None:
    drops = [part for _turn in range(200) for part in (b"x", 0.01)]
    answer = ask(never, *drops, headers=[("content-length", "5000")], seconds=0.1)
    assert answer.status == 408


def test_a_body_that_keeps_coming_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow line is no attack: each 16 KiB that came give a second more."""
    monkeypatch.setattr(module, "BYTES_A_SECOND", 100)
    answer = ask(echo, b"x" * 100, 0.15, b"y" * 100, seconds=0.1)
    assert answer.body == b"x" * 100 + b"y" * 100


def test_a_body_that_broke_off_is_never_taken_for_a_whole_one() -> None:
    """Granian ends the stream of a client that has gone as if it were complete."""
    assert ask(never, b"a=1", headers=[("content-length", "10")]).status == 400


def test_a_body_of_unknown_length_is_refused() -> None:
    assert ask(never, b"a", headers=[("transfer-encoding", "chunked")]).status == 411


def test_a_body_that_is_too_long_is_refused_by_the_application_unread() -> None:
    """Its page says so in the brand's look; the length that it goes by is told as it came."""
    length = str(module.LARGEST_BODY + 1)
    answer = ask(echo, 30.0, headers=[("content-length", length)])
    assert (answer.body, dict(answer.headers)["X-Length"]) == (b"", length)


def test_all_bodies_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM_FOR_BODIES", 100)
    assert ask(never, b"x" * 60, b"x" * 60).status == 503


def test_what_wsgi_is_told() -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("204 No Content", [])
        return []

    answer = ask(
        app,
        headers=[
            ("host", "facility.localhost:8000"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "192.0.2.2"),
            ("x_forwarded_for", "203.0.113.66"),
            ("content-type", "text/plain"),
        ],
        path="/施設",
        query_string="q=%E3%81%82",
        client="[2001:db8::1]:9",
        method="PUT",
    )
    assert (answer.status, answer.body) == (204, b"")
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/施設"
    expected = {
        "REQUEST_METHOD": "PUT",
        "QUERY_STRING": "q=%E3%81%82",
        "REMOTE_ADDR": "2001:db8::1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "facility.localhost:8000",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_FORWARDED_FOR": "192.0.2.1,192.0.2.2",
        "CONTENT_TYPE": "text/plain",
        "wsgi.url_scheme": "http",
    }
    assert {name: seen[name] for name in expected} == expected
    assert "CONTENT_LENGTH" not in seen


@pytest.mark.parametrize("app", [echo, never])
def test_no_answer_names_the_server(app: Application) -> None:
    """Granian would add its name to every answer without such a header."""
    headers = [("transfer-encoding", "chunked")] if app is never else []
    assert ("Server", "") in ask(app, headers=headers).headers


class Closed:
    """An answer in parts that notes that it was closed."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = iter(parts)
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.is_closed = True


def test_an_answer_in_parts_is_handed_over_whole_and_closed() -> None:
    """A client that reads slowly then holds no thread."""
    parts = Closed(b"a", b"b", b"c")

    def app(environ: dict[str, Any], start_response: Any) -> Closed:
        start_response("200 OK", [])
        return parts

    answer = ask(app)
    assert (answer.body, answer.was_streamed, parts.is_closed) == (b"abc", False, True)


@pytest.mark.parametrize(
    ("sent", "read"), [((b"a", b"b"), b"ab"), ((b"a", b"gone", b"never"), b"a")]
)
def test_a_stream_is_sent_as_it_is_made_until_nobody_reads(
    sent: tuple[bytes, ...], read: bytes
) -> None:
    parts = Closed(*sent)

    def app(environ: dict[str, Any], start_response: Any) -> Closed:
        start_response("200 OK", [("X-Accel-Buffering", "no")])
        return parts

    answer = ask(app)
    assert (answer.body, answer.was_streamed, parts.is_closed) == (read, True, True)


def test_an_application_that_fails_is_a_plain_500(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError("secret words")

    answer = ask(app)
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    assert "secret words" in caplog.text


def test_the_portal_reads_what_the_server_kept(client: Any) -> None:
    """Werkzeug goes by the length, so a body in a temporary file is as good as one from the wire."""
    answer = ask(
        client.application.wsgi_app,
        b"login_id=x&password=y",
        headers=[
            ("content-length", "21"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("host", "facility.localhost"),
        ],
        path="/sign-in",
    )
    assert answer.status == 400  # no CSRF token
    assert io.BytesIO(answer.body).read().decode()


def sending(file: Any) -> Application:
    """An application that answers with a file."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "3")])
        return environ["wsgi.file_wrapper"](file)

    return answer


def test_a_file_is_sent_by_its_path_and_never_read_here(tmp_path: Path) -> None:
    """COM-50: granian reads it as the client does."""
    path = tmp_path / "drawing"
    path.write_bytes(b"abc")
    file = path.open("rb")
    answer = ask(sending(file))
    assert (answer.status, answer.path, answer.body) == (200, str(path), b"")
    assert ("Content-Length", "3") in answer.headers
    assert file.closed


def test_a_temporary_file_stays_until_it_must_have_been_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """COM-73: granian does not say when it has opened a file."""
    monkeypatch.setattr(module, "OPENED_SECONDS", 0.05)
    with tempfile.NamedTemporaryFile() as made:
        there: list[bool] = []
        answer = ask(sending(made), linger=lambda: there.append(Path(made.name).exists()))
        assert answer.path == made.name
        assert there == [True]
        assert not Path(made.name).exists()


def test_a_file_without_a_path_is_handed_over_whole() -> None:
    assert ask(sending(io.BytesIO(b"abc"))).body == b"abc"
