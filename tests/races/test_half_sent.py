"""Whoever sends half a request holds a socket, never one of the server's threads (security.md §4.21)."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask import Flask

from portal.settings import Settings
from scripts import run as script
from tests.races.processes import environment, killed_at_the_end, wait_until_ready
from tests.support.ports import free_port

BODY_SECONDS = 4
HEAD = (
    "POST /sign-in HTTP/1.1\r\nHost: facility.localhost\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\n"
)
HALF_A_BODY = f"{HEAD}login_id={'x' * 1000}".encode()
HALF_A_HEAD = b"GET /sign-in HTTP/1.1\r\nHost: facility.localhost\r\nX-Slow: "


@pytest.fixture
def port(app: Flask, settings: Settings) -> Iterator[int]:
    """A real server, as `make run` starts it, that gives a body four seconds."""
    port = free_port()
    env = environment(settings, PORTAL_PUBLIC_PORT=str(port), PORTAL_BODY_SECONDS=str(BODY_SECONDS))
    with killed_at_the_end([script.commands(port)["server"]], env):
        wait_until_ready(port)
        yield port


def answered_within_a_second(port: int) -> int:
    """How many of 25 requests, one after another, were."""
    answered = 0
    for _turn in range(25):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        try:
            connection.request("GET", "/livez", headers={"Host": "facility.localhost"})
            answered += connection.getresponse().status == 200
        except OSError:
            continue
        finally:
            connection.close()
    return answered


def open_with(stack: ExitStack, port: int, sent: bytes, count: int) -> list[socket.socket]:
    """So many connections on which this was sent, and no more is."""
    opened = []
    for _turn in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        connection.sendall(sent)
        opened.append(connection)
    time.sleep(0.3)  # for the server to have them all; what is asserted does not depend on it
    return opened


@pytest.mark.slow
@pytest.mark.races
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_half_sent_requests_hold_no_thread_and_end_at_their_deadline(port: int) -> None:
    """16 and 64 half bodies, 64 half heads: 25 of 25 requests are answered meanwhile, and the halves are refused."""
    with ExitStack() as stack:
        for count in (16, 64):
            begun = time.monotonic()
            halves = open_with(stack, port, HALF_A_BODY, count)
            assert answered_within_a_second(port) == 25, count
            for half in halves:
                half.settimeout(BODY_SECONDS + 6)
                assert half.recv(64).startswith(b"HTTP/1.1 408 "), count
            assert time.monotonic() - begun + 1 >= BODY_SECONDS
        open_with(stack, port, HALF_A_HEAD, 64)
        assert answered_within_a_second(port) == 25


@pytest.mark.slow
@pytest.mark.races
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_body_by_drops_holds_no_thread_and_ends_as_well(port: int) -> None:
    """A byte now and then never makes a deadline longer."""
    with ExitStack() as stack:
        dripping = open_with(stack, port, HEAD.encode(), 16)
        begun = time.monotonic()
        ended: set[socket.socket] = set()
        drip = drip_into(dripping, ended)
        drip()
        assert answered_within_a_second(port) == 25
        while len(ended) < len(dripping) and time.monotonic() - begun < BODY_SECONDS + 10:
            drip()
            time.sleep(0.2)
    assert len(ended) == len(dripping)


def drip_into(connections: list[socket.socket], ended: set[socket.socket]) -> Callable[[], None]:
    """One byte more into each connection that still takes one; the others are noted."""

    def drip() -> None:
        for connection in connections:
            connection.setblocking(False)
            try:
                connection.send(b"x")
                if connection.recv(64):
                    ended.add(connection)
            except BlockingIOError:
                continue
            except OSError:
                ended.add(connection)

    return drip
