"""security.md §4.27: a security event is one line of key=value, whatever stands in a value."""

from __future__ import annotations

import logging

import pytest

from portal.core import security_log
from portal.core.errors import NotFound, RuleBroken
from portal.tenancy import scope


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture):
    """What was logged, as text."""
    caplog.set_level(logging.WARNING, logger="portal.security")
    return lambda: [record.getMessage() for record in caplog.records]


def test_an_event_says_what_where_and_who(lines) -> None:
    token = scope.enter("facility")
    security_log.report("sign_in.refused", member=7, address="2001:db8::1", request=None)
    scope.leave(token)
    assert lines() == ["event=sign_in.refused tenant=facility member=7 address=2001:db8::1"]


@pytest.mark.parametrize(
    "value",
    [
        "a\nevent=sign_in.granted",
        "a b",
        'a"b',
        "a=b",
        "\r\n\t\x00\x1b[2J",
        "甲",
        "\u2028",
        "\udc80",
    ],
)
def test_no_value_begins_a_line_or_another_key(lines, value: str) -> None:
    """An address comes from a header where a proxy is set up wrong, an endpoint never does: neither is trusted."""
    security_log.report("forbidden", address=value, method="GET")
    [line] = lines()
    assert line.isascii()
    assert line.isprintable()
    assert line.startswith('event=forbidden address="')
    assert line.endswith('" method=GET')


def test_a_refusal_is_reported_by_its_kind_and_goes_on(lines) -> None:
    with pytest.raises(NotFound), security_log.reporting_refusals("link.refused", member=3):
        raise NotFound("こちらは言いません。")
    with security_log.reporting_refusals("link.refused"):
        pass
    with pytest.raises(ValueError, match="no rule"), security_log.reporting_refusals("x"):
        raise ValueError("no rule")
    assert lines() == ["event=link.refused refusal=NotFound member=3"]
    assert issubclass(NotFound, RuleBroken)
