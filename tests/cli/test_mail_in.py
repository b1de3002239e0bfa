"""`flask inquiries receive`: what an MTA is answered (SUP-12)."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from portal.cli import mail_in

SPOOFED = b"From: mori@one.example (x) <evil@two.example>\r\nSubject: x\r\n\r\nx"
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ONE
def test_a_from_that_could_be_read_in_two_ways_is_refused_for_good(
    app: Flask, run: FlaskCliRunner
) -> None:
    """SUP-12: over LMTP and by the pipe; the sender's own server tells them why."""
    desk = app.extensions["tenants"].current().by_key["desk"]
    code, words = mail_in.take(app, desk, SPOOFED, "evil@two.example")
    assert code == 550
    assert words == "5.7.1 From does not name exactly one address"
    piped = run.invoke(args=["inquiries", "receive", "--tenant", "desk"], input=SPOOFED)
    assert piped.exit_code == 65  # EX_DATAERR
    assert "From does not name exactly one address" in piped.output


@ONE
def test_a_mail_without_from_is_refused_too(app: Flask) -> None:
    """SUP-12"""
    desk = app.extensions["tenants"].current().by_key["desk"]
    assert mail_in.take(app, desk, b"Subject: x\r\n\r\nx", None)[0] == 550


@ONE
def test_a_tenant_without_inquiries_takes_no_mail(
    app: Flask, run: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-03: one line and exit code 2."""
    tenants = app.extensions["tenants"].current()
    desk = tenants.by_key["desk"]
    off = desk.features | {"inquiries": False}
    monkeypatch.setitem(tenants.by_key, "desk", desk.model_copy(update={"features": off}))
    said = run.invoke(args=["inquiries", "receive", "--tenant", "desk"], input=SPOOFED)
    assert said.exit_code == 2
    assert said.stderr.splitlines() == ["Error: features.inquiries is off at 'desk'"]
