"""The tests' own servers: they start, serve and go away."""

from __future__ import annotations

import multiprocessing
import os
import smtplib
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest

from tests.support import postgres
from tests.support.browser import DESKTOP, PHONE, PageFor
from tests.support.ports import HIGHEST, LOWEST, free_port
from tests.support.smtp import SmtpServer


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    assert LOWEST <= free_port() < HIGHEST < 32768


def _mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = (
        "desk@brand.example",
        "hanako@customer.example",
        "お知らせ",
    )
    mail.set_content("本文です。")
    return mail


def test_the_mail_server_keeps_what_it_takes() -> None:
    with SmtpServer() as server:
        with smtplib.SMTP(server.host, server.port) as client:
            client.send_message(_mail())
        (mail,) = server.wait_for(1)
    assert mail["Subject"] == "お知らせ"
    assert mail.get_content().strip() == "本文です。"
    assert server.recipients == [["hanako@customer.example"]]


def test_the_mail_server_can_refuse_and_be_away() -> None:
    with SmtpServer() as server:
        server.answer = "451 later"
        with smtplib.SMTP(server.host, server.port) as client, pytest.raises(smtplib.SMTPDataError):
            client.send_message(_mail())
    assert server.messages == []
    with pytest.raises(OSError, match="refused"):
        smtplib.SMTP(server.host, server.port)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session of its own, as the controlling process sees it."""
    monkeypatch.delenv("PORTAL_TEST_CLUSTER", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    postgres.prepare()
    return Path(os.environ["PORTAL_TEST_CLUSTER"])


def _port() -> int:
    return postgres.shared().port


@pytest.mark.postgres
def test_all_processes_share_one_cluster_that_goes_away(place: Path) -> None:
    try:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            first, second = (pool.apply_async(_port) for _ in range(2))
            assert first.get(60) == second.get(60) == _port()
        cluster = postgres.shared()
    finally:
        postgres.finish()
    assert not place.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(cluster.url("postgres", "postgres"), connect_timeout=2)


@pytest.mark.postgres
def test_a_database_is_copied_and_the_roles_have_no_powers(place: Path) -> None:
    try:
        cluster = postgres.shared()
        cluster.create_database("mould")
        with psycopg.connect(cluster.url("mould", postgres.OWNER)) as owner:
            owner.execute("CREATE TABLE piece (name text); INSERT INTO piece VALUES ('一つ目')")
        cluster.create_database("cast", template="mould")
        with psycopg.connect(cluster.url("cast", postgres.OWNER)) as owner:
            assert owner.execute("SELECT name FROM piece").fetchall() == [("一つ目",)]
            powers = "SELECT bool_or(rolsuper OR rolbypassrls OR rolcreatedb) FROM pg_roles WHERE rolname = ANY(%s)"
            assert owner.execute(powers, [[postgres.OWNER, postgres.APP]]).fetchone() == (False,)
        with (
            psycopg.connect(cluster.url("cast")) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute("SELECT name FROM piece")
        cluster.drop_database("cast")
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(cluster.url("cast"))
    finally:
        postgres.finish()


@pytest.mark.browser
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_a_page_has_the_width_asked_for(page_for: PageFor, width: int) -> None:
    page = page_for(width)
    page.set_content("<title>見本</title><p id=p>こんにちは</p>")
    assert page.evaluate("innerWidth") == width
    assert page.locator("#p").inner_text() == "こんにちは"


@pytest.mark.browser
def test_a_page_can_be_had_without_scripts(page_for: PageFor) -> None:
    page = page_for(javascript=False)
    page.set_content("<noscript>なし</noscript>")
    assert page.locator("body").inner_text() == "なし"
