"""SUP-12: what a mail server says of a sender (RFC 8601), and what others say in its name."""

from __future__ import annotations

import pytest

from portal.core.authentication_results import is_authenticated, parse_results

HOST = "mx.desk.example"


def believed(*headers: str) -> bool:
    return is_authenticated(headers, host=HOST, domain="one.example")


@pytest.mark.parametrize(
    "headers",
    [
        [f"{HOST}; dmarc=pass header.from=one.example"],
        [f"{HOST} 1; dmarc=pass (p=reject dis=none) header.from=one.example"],
        [f"{HOST};\r\n\tspf=pass smtp.mailfrom=bounce@one.example;\r\n\tdmarc=none"],
        [f"{HOST}; dkim=fail header.d=two.example; dkim=pass header.d=one.example"],
        [f"{HOST.upper()}; DMARC=PASS header.from=ONE.example"],
        [
            f"{HOST}; spf=fail smtp.mailfrom=x@two.example",
            f"{HOST}; dmarc=pass header.from=one.example",
        ],
        ["other.example; dmarc=fail", f"{HOST}; dmarc=pass header.from=one.example"],
    ],
)
def test_a_sender_that_the_server_vouches_for_is_believed(headers: list[str]) -> None:
    """RFC 8601, RFC 7489: DMARC, or DKIM or SPF of the very same domain where there is no policy."""
    assert believed(*headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [f"{HOST}; none"],
        [f"{HOST}; dmarc=fail header.from=one.example; spf=pass smtp.mailfrom=one.example"],
        [f"{HOST}; dmarc=pass header.from=two.example"],
        [f"{HOST}; spf=pass smtp.mailfrom=x@two.example"],
        [f"{HOST}; dkim=pass header.d=two.example"],
        [f"{HOST}; dkim=pass header.d=sub.one.example"],
        ["evil.example; dmarc=pass header.from=one.example"],
        [f"{HOST}.evil.example; dmarc=pass header.from=one.example"],
        [
            f"{HOST}; dmarc=fail header.from=one.example",
            f"{HOST}; dmarc=pass header.from=one.example",
        ],
        [
            f"{HOST}; spf=fail smtp.mailfrom=x@one.example",
            f"{HOST}; spf=pass smtp.mailfrom=x@one.example",
        ],
        [f'{HOST}; spf=pass smtp.mailfrom="a; dmarc=pass header.from=one.example"@two.example'],
        [f"{HOST}; spf=fail (a; dmarc=pass header.from=one.example) smtp.mailfrom=two.example"],
        [f"{HOST}; spf=fail (nested (deep); dmarc=pass) smtp.mailfrom=two.example"],
        [f'{HOST}; spf=fail reason="x\\"; dmarc=pass header.from=one.example"'],
        [f'{HOST}; spf=fail reason="open; dmarc=pass header.from=one.example'],
        [f"(comment) evil.example ({HOST}; dmarc=pass)"],
    ],
)
def test_a_sender_that_nobody_or_somebody_else_vouches_for_is_not(headers: list[str]) -> None:
    """SUP-12: also where what came from outside looks like a result."""
    assert not believed(*headers)


def test_results_are_read_with_their_properties() -> None:
    """RFC 8601, 2.2"""
    header = f'{HOST}; dkim=pass (2048-bit key) reason="good; signature" header.d=one.example header.b=abc='
    (found,) = parse_results(header, host=HOST)
    assert (found.method, found.result) == ("dkim", "pass")
    assert found.properties["header.d"] == "one.example"
    assert found.properties["reason"] == "good; signature"
