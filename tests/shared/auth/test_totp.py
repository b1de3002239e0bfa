"""Authenticator codes: as the RFC has them, each time-step once, and no secret in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.db import session
from portal.shared.auth import keyring, totp
from portal.shared.auth.models import Member
from tests.cast import NOW

RFC = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
NONCE = "0" * 32


@pytest.mark.parametrize(("second", "code"), RFC)
def test_codes_are_those_of_the_standard(second, code):
    """COM-13: the examples of RFC 6238, appendix B, their last six digits."""
    assert totp.code_at(b"12345678901234567890", second // 30) == code


def test_a_code_counts_once_and_an_older_one_never_after_it(inside):
    """security.md §4.14: a replay is refused, so is the step before; the next step is fine."""
    with clock.freeze(NOW), inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member.totp_nonce = NONCE
        session().flush()
        number, step = member.id, int(NOW.timestamp()) // 30
        before, present, after, late = (
            totp.code_at(totp._secrets(number, NONCE)[0], step + shift) for shift in (-1, 0, 1, 2)
        )
        assert totp.use(number, NONCE, present)
        assert not totp.use(number, NONCE, present)
        assert not totp.use(number, NONCE, before)
        assert not totp.use(number, NONCE, late)
        assert totp.use(number, NONCE, after)
        assert not totp.use(number, "1" * 32, after)
    with clock.freeze(NOW + timedelta(minutes=5)), inside("facility"):
        assert totp.step_of(number, NONCE, present) is None


def test_each_brand_member_nonce_and_key_has_a_secret_of_its_own(inside, monkeypatch):
    """COM-02, security.md §4.14, §4.29: and the key that is being rotated out still counts."""
    seen = set()
    for brand in ("facility", "studio"):
        with inside(brand):
            seen |= {totp.secret(1, NONCE), totp.secret(2, NONCE), totp.secret(1, "1" * 32)}
    assert len(seen) == 6
    with clock.freeze(NOW), inside("facility"):
        code = totp.code_at(totp._secrets(1, NONCE)[0], int(NOW.timestamp()) // 30)
        monkeypatch.setattr(keyring.Keyring, "keys", (b"new", *keyring.Keyring.keys))
        assert totp.secret(1, NONCE) not in seen
        assert totp.step_of(1, NONCE, code) is not None
        monkeypatch.setattr(keyring.Keyring, "keys", (b"new",))
        assert totp.step_of(1, NONCE, code) is None
