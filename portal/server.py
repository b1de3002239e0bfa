"""What granian serves: a request's body is read whole before one of the few threads is taken for
it.

A client that sends half a body, or a byte a second, holds a socket until its time is over, and
never a thread. A client that reads slowly holds none either: an answer is handed over whole, and a
file by its path: granian reads it as the client does, so that it is never in memory. Only an answer
that says that it is a stream, by ``X-Accel-Buffering: no``, is sent as it is made and keeps its
thread while it lasts. Figures: docs/decisions/bodies.md.
"""

import asyncio
import itertools
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

BYTES_A_SECOND = 16 * 1024
"""Each so many bytes that came give a body a second more."""
LARGEST_BODY = 128 * 1024 * 1024
"""Bytes. A longer body is not read: the application refuses it by its length."""
IN_MEMORY = 256 * 1024
"""Bytes of one body that stay in memory; the rest goes to a temporary file."""
ROOM_FOR_BODIES = 512 * 1024 * 1024
"""Bytes that all bodies being read may hold in one process."""
OPENED_SECONDS = 30.0
"""How long a temporary file stays that granian was told to send.

It opens the file at once and does not say so; once it has, the file can be removed.
"""

Headers = list[tuple[str, str]]
PLAIN: Headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
NO_NAME = ("Server", "")
"""Granian names itself in every answer that has no such header; it takes an empty one for one."""


class StreamTransport(Protocol):
    """Where granian takes an answer part by part (RSGI 1.6)."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a part. Raises RuntimeError when the client has gone."""


class HttpProtocol(Protocol):
    """How granian is answered (RSGI 1.6); to iterate over it gives the body as it comes."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the request's body."""

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer with a whole body."""

    def response_file(self, status: int, headers: Headers, path: str) -> None:
        """Answer with the file that lies at `path`."""

    def response_stream(self, status: int, headers: Headers) -> StreamTransport:
        """Begin an answer whose body comes in parts."""

    def close(self, status: int) -> None:
        """Refuse a WebSocket."""


class Scope(Protocol):
    """What granian says of a request (RSGI 1.6)."""

    proto: str
    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Mapping[str, str]


class FileWrapper:
    """A file as an answer (`wsgi.file_wrapper` of PEP 3333)."""

    def __init__(self, file: IO[bytes], block_bytes: int = IN_MEMORY) -> None:
        self._file = file
        self._block_bytes = block_bytes

    @property
    def path(self) -> str | None:
        """Where the file lies; None for one that is in no folder."""
        name = getattr(self._file, "name", None)
        return name if isinstance(name, str) else None

    @property
    def is_temporary(self) -> bool:
        """Whether the file is removed as soon as it is closed."""
        return isinstance(self._file, tempfile._TemporaryFileWrapper)

    def __iter__(self) -> Iterator[bytes]:
        while block := self._file.read(self._block_bytes):
            yield block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Refused(Exception):
    """The request never reaches the application; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RsgiServer:
    """A WSGI application under granian's own interface, with `threads` of its own to run in.

    A body has `body_seconds` to come, and one more for each `BYTES_A_SECOND` that came.
    """

    def __init__(self, app: WSGIApplication, *, threads: int, body_seconds: float) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._held_bytes = 0  # touched by the event loop alone
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Granian stops: what still waits for a thread is let go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __rsgi__(self, scope: Scope, protocol: HttpProtocol) -> None:
        """Answer one request."""
        if scope.proto != "http":
            protocol.close(403)
            return
        loop = asyncio.get_running_loop()
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            try:
                await self._read_body(scope, protocol, body)
            except Refused as refused:
                text = f"{refused}\n".encode()
                protocol.response_bytes(refused.status, [*PLAIN, NO_NAME], text)
                return
            environ = make_environ(scope, body)
            try:
                await loop.run_in_executor(self._threads, self._run, environ, protocol, loop)
            except Exception:
                log.exception("the application did not answer")
                protocol.response_bytes(500, [*PLAIN, NO_NAME], b"Internal Server Error\n")

    async def _read_body(self, scope: Scope, protocol: HttpProtocol, body: IO[bytes]) -> None:
        """Read all that Content-Length promises. Raises Refused when it does not come in time."""
        length = _content_length(scope)
        if length is None or not 0 < length <= LARGEST_BODY:
            return
        received = 0
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._body_seconds) as deadline:
                async for chunk in protocol:
                    received += len(chunk)
                    self._hold(len(chunk))
                    body.write(chunk)
                    earned = received / BYTES_A_SECOND
                    deadline.reschedule(begun + self._body_seconds + earned)
        except TimeoutError:
            raise Refused(408, "The request did not arrive in time.") from None
        finally:
            self._held_bytes -= received
        if received < length:  # granian ends the stream alike when the client has gone
            raise Refused(400, "The request broke off.")
        body.seek(0)

    def _hold(self, size: int) -> None:
        self._held_bytes += size
        if self._held_bytes > ROOM_FOR_BODIES:
            raise Refused(503, "Too many uploads at once. Please try again.")

    def _run(
        self, environ: WSGIEnvironment, protocol: HttpProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        """In a thread: let the application answer, and hand over what it says."""
        started: list[tuple[int, Headers]] = []

        def start_response(
            status: str, headers: Headers, _exc_info: object = None, /
        ) -> Callable[[bytes], object]:
            started[:] = [(int(status.split(" ", 1)[0]), headers)]
            return _no_write

        answer = self._app(environ, start_response)
        try:
            if isinstance(answer, FileWrapper) and answer.path is not None:
                status, headers = started[0]
                protocol.response_file(status, [*headers, NO_NAME], answer.path)
                return
            parts = iter(answer)
            first = next(parts, b"")  # an application may start its response as late as here
            status, headers = started[0]
            headers = [*headers, NO_NAME]
            if ("X-Accel-Buffering", "no") in headers:
                transport = protocol.response_stream(status, headers)
                _send_parts(transport, itertools.chain([first], parts), loop)
            else:
                protocol.response_bytes(status, headers, first + b"".join(parts))
        finally:
            _close(answer, loop)


def _close(answer: Iterable[bytes], loop: asyncio.AbstractEventLoop) -> None:
    """Close an answer that has a way to be closed (PEP 3333)."""
    close = getattr(answer, "close", None)
    if isinstance(answer, FileWrapper) and answer.is_temporary:
        # granian opens a file by its path a moment later: it must still lie there.
        loop.call_soon_threadsafe(loop.call_later, OPENED_SECONDS, answer.close)
    elif close is not None:
        close()


def _send_parts(
    transport: StreamTransport, parts: Iterable[bytes], loop: asyncio.AbstractEventLoop
) -> None:
    """Send each part as it is made, until there are no more or nobody listens."""

    async def send(part: bytes) -> None:
        await transport.send_bytes(part)

    try:
        for part in parts:
            asyncio.run_coroutine_threadsafe(send(part), loop).result()
    except RuntimeError:  # granian's word for a client that has gone
        log.debug("the reader of a stream has gone")


def _no_write(_data: bytes) -> None:
    raise RuntimeError("the write() of WSGI is not offered: return an iterable")


def _content_length(scope: Scope) -> int | None:
    """The length that the request announces, None without one.

    Raises Refused for a body of unknown length.
    """
    if "transfer-encoding" in scope.headers:
        raise Refused(411, "Please send the length of the request's body.")
    length = scope.headers.get("content-length")
    if length is None or not length.isdecimal():
        return None
    return int(length)


def make_environ(scope: Scope, body: IO[bytes]) -> WSGIEnvironment:
    """The request as PEP 3333 tells it."""
    server_name, server_port = _host_and_port(scope.server)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _as_latin(scope.path),
        "QUERY_STRING": _as_latin(scope.query_string),
        "SERVER_NAME": server_name,
        "SERVER_PORT": server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _host_and_port(scope.client)[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if scope.authority and "host" not in scope.headers:
        environ["HTTP_HOST"] = scope.authority
    for name, value in scope.headers.items():
        if "_" in name:  # would pass for the header of the same name with a hyphen
            continue
        variable = name.upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        if variable not in environ:
            environ[variable] = value
        elif variable == "HTTP_COOKIE":  # HTTP/2 sends each cookie alone (RFC 9113, 8.2.3)
            environ[variable] += f"; {value}"
        else:
            environ[variable] += f",{value}"
    return environ


def _host_and_port(address: str) -> tuple[str, str]:
    """``127.0.0.1:8000`` and ``[::1]:8000``, taken apart."""
    host, _colon, port = address.rpartition(":")
    return host.strip("[]"), port


def _as_latin(text: str) -> str:
    """WSGI's strings hold one byte a character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
