"""SUP-12: a real LMTP client at the real listener, and an MTA's pipe."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.settings import ROOT, Settings
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.inquiries.inbound import InboundMail
from portal.shared.inquiries.models import Inquiry, InquiryFile, InquiryMessage
from tests.races.processes import environment, kill
from tests.support.contracts import contract_of
from tests.support.ports import free_port

FLASK = sys.executable, "-m", "flask"
YAMADA, DESK = "yamada@one.example", "desk@desk.example"
TO_DESK = f"LHLO x\r\nMAIL FROM:<{YAMADA}>\r\nRCPT TO:<{DESK}>\r\nDATA\r\n".encode()
SAID = "印刷が止まります。①ｶﾅ"


def mail(number: int = 1, charset: str = "utf-8", sender: str = YAMADA) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Message-ID"] = sender, DESK, f"<m{number}@one.example>"
    made["Subject"] = f"{number}通目"
    made.set_content(SAID if charset == "utf-8" else "印刷が止まります。", charset=charset)
    made.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="画面.pdf")
    return made.as_bytes()


@pytest.fixture
def people(app: Flask, inside: Any) -> None:
    """One customer of the desk."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        person = Person("山田", "太郎", YAMADA, is_representative=True)
        member = accounts.add_member(tenant, account, person, by=SYSTEM)
        contract_of(tenant, account, member)
        session().commit()


@contextmanager
def listening(settings: Settings) -> Iterator[int]:
    port = free_port()
    command = [*FLASK, "lmtp", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(settings),
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == f"LMTP at 127.0.0.1:{port}\n"
        yield port
        process.terminate()
        assert process.wait(10) == 0
    finally:
        kill(process)


def outcomes() -> dict[str, int]:
    """How often what became of a mail."""
    found = session().execute(
        select(InboundMail.outcome, func.count()).group_by(InboundMail.outcome)
    )
    return dict(found.all())


def deliver(port: int, raw: bytes, sender: str = YAMADA, to: str = DESK, **options: Any) -> Any:
    with smtplib.LMTP("127.0.0.1", port) as client:
        client.timeout = 30
        return client.sendmail(sender, [to], raw, **options)


def test_every_encoding_begins_an_inquiry_and_an_answer_continues_it(
    app: Flask, settings: Settings, people: None, inside: Any
) -> None:
    """SUP-12: a registered address opens and continues an inquiry, with files; the same mail at once counts once."""
    with listening(settings) as port:
        for number, charset in enumerate(("utf-8", "iso-2022-jp", "shift_jis", "euc-jp"), 1):
            assert deliver(port, mail(number, charset)) == {}
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _turn: deliver(port, mail(8)), range(8)))
        with inside("desk"):
            told = session().scalars(select(OutboxMail.message_id).order_by(OutboxMail.id)).first()
        assert deliver(port, f"In-Reply-To: {told}\r\n".encode() + mail(9)) == {}
    with inside("desk"):
        assert outcomes() == {"begun": 5, "continued": 1}
        bodies = session().scalars(select(InquiryMessage.body).order_by(InquiryMessage.id)).all()
        assert bodies[0] == f"1通目\n\n{SAID}"
        assert all("印刷が止まります。" in body for body in bodies)
        names = session().scalars(select(InquiryFile.name)).all()
        assert names == ["画面.pdf"] * 6
        first = session().scalars(select(Inquiry).order_by(Inquiry.id)).first()
        assert first
        asked = (
            select(InquiryMessage)
            .where(InquiryMessage.inquiry_id == first.id)
            .order_by(InquiryMessage.id)
        )
        assert [message.body for message in session().scalars(asked)] == [bodies[0], SAID]


def test_what_is_refused_over_lmtp(
    app: Flask, settings: Settings, people: None, inside: Any
) -> None:
    """SUP-12: strangers, bounces, an unknown recipient; 30 MB said before or sent; a mail cut off in the middle."""
    with listening(settings) as port:
        assert (
            deliver(port, mail(1, sender="stranger@two.example"), sender="stranger@two.example")
            == {}
        )
        assert deliver(port, mail(2), sender="") == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"5\.1\.1"):
            deliver(port, mail(3), to="nobody@desk.example")
        with smtplib.LMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo()
            assert client.mail(YAMADA, [f"SIZE={30 * 1024 * 1024}"])[0] == 552
            assert client.mail(YAMADA)[0] == 250
            assert client.rcpt(DESK)[0] == 250
            assert client.data(mail(4) + (b"x" * 70 + b"\r\n") * 440_000)[0] == 552
            assert client.noop()[0] == 250
            assert client.docmd("DATA")[0] == 503
            assert client.docmd("WHAT")[0] == 500
            assert client.rcpt(DESK)[0] == 503
            client.mail(YAMADA)
            assert [client.rcpt(DESK)[0] for _one in range(21)] == [250] * 20 + [452]
        with socket.create_connection(("127.0.0.1", port)) as cut:
            cut.sendall(TO_DESK + mail(5)[:200])
    with inside("desk"):
        assert outcomes() == {"refused": 1, "automatic": 1}
        assert session().scalar(select(func.count(Inquiry.id))) == 0
        assert session().scalars(select(OutboxMail.recipient)).all() == ["stranger@two.example"]


def test_a_dot_between_bare_line_feeds_ends_no_mail(
    app: Flask, settings: Settings, people: None, inside: Any
) -> None:
    """RFC 5321, 4.1.1.4: nobody smuggles a second mail in; a line that is cut by the reader is still one line."""
    plain = f"From: {YAMADA}\r\nMessage-ID: <a@one.example>\r\n\r\n".encode()
    smuggled = b"\n.\r\nMAIL FROM:<x@two.example>\r\n..\r\n"
    with listening(settings) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(
            TO_DESK
            + plain
            + b"y" * 4095
            + b"\r\n.y"
            + smuggled
            + b"." * 5000
            + b"\r\n.\r\nQUIT\r\n"
        )
        said = client.makefile().read().splitlines()
        assert [line[:3] for line in said if line[3] == " "] == [
            "220",
            "250",
            "250",
            "250",
            "354",
            "250",
            "221",
        ]
    with inside("desk"):
        body = session().scalars(select(InquiryMessage.body)).one()
        assert body.split("\n") == [
            "y" * 4095,
            "y",
            ".",
            "MAIL FROM:<x@two.example>",
            ".",
            "." * 4999,
        ]


def test_mails_by_a_pipe(app: Flask, settings: Settings, people: None, inside: Any) -> None:
    """SUP-12, OPS-10: sysexits that an MTA understands."""

    def pipe(raw: bytes, *words: str) -> tuple[int, bytes]:
        command = [*FLASK, "inquiries", "receive", "--tenant", "desk", *words]
        done = subprocess.run(
            command,
            input=raw,
            env=environment(settings),
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    assert pipe(mail(), "--sender", YAMADA) == (0, b"250 2.0.0 begun\n")
    assert pipe(mail(), "--sender", YAMADA) == (0, b"250 2.0.0 known\n")
    bounce = b"Return-Path: <>\r\n" + mail(2)
    assert pipe(bounce) == (0, b"250 2.0.0 automatic\n")
    assert pipe(b"\0")[0] == 65
    code, said = pipe(b"x" * (26 * 1024 * 1024))
    assert (code, said) == (65, b"552 5.3.4 too large\n")
    with inside("desk"):
        kept = (
            session()
            .scalars(select(InboundMail.kept).where(InboundMail.outcome == "automatic"))
            .one()
        )
    runner = app.test_cli_runner()
    listed = runner.invoke(args=["inquiries", "refused", "--tenant", "desk", "--json"])
    assert (listed.exit_code, kept in listed.stdout) == (0, True)
    shown = runner.invoke(args=["inquiries", "raw", kept, "--tenant", "desk"])
    assert (shown.exit_code, shown.stdout_bytes) == (0, bounce)
    missing = runner.invoke(args=["inquiries", "raw", "0" * 64, "--tenant", "desk"])
    assert missing.exit_code == 2
