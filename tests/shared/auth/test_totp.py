"""Authenticator codes: as the RFC has them, each time-step once, and no secret in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import select

from portal.core import clock, signer
from portal.core.db import session
from portal.shared.accounts.models import Member
from portal.shared.auth import second_factor
from tests.cast import NOW

RFC = [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")]
NONCE = "0" * 32


@pytest.mark.parametrize(("second", "code"), RFC)
def test_codes_are_those_of_the_standard(second, code):
    """COM-13: the examples of RFC 6238, appendix B, their last six digits."""
    assert second_factor.code_at(b"12345678901234567890", second // 30) == code


def test_a_code_counts_once_and_an_older_one_never_after_it(inside):
    """security.md §4.14: a replay is refused, so is the step before; the next step is fine."""
    with clock.freeze(NOW), inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        member.totp_nonce = NONCE
        session().flush()
        number, step = member.id, int(NOW.timestamp()) // 30
        before, present, after, late = (
            second_factor.code_at(second_factor._secrets(number, NONCE)[0], step + shift)
            for shift in (-1, 0, 1, 2)
        )
        assert second_factor.use_app(number, NONCE, present)
        assert not second_factor.use_app(number, NONCE, present)
        assert not second_factor.use_app(number, NONCE, before)
        assert not second_factor.use_app(number, NONCE, late)
        assert second_factor.use_app(number, NONCE, after)
        assert not second_factor.use_app(number, "1" * 32, after)
    with clock.freeze(NOW + timedelta(minutes=5)), inside("facility"):
        assert second_factor.step_of(number, NONCE, present) is None


def test_each_brand_member_nonce_and_key_has_a_secret_of_its_own(inside, monkeypatch):
    """COM-02, security.md §4.14, §4.29: and the key that is being rotated out still counts."""
    seen = set()
    for brand in ("facility", "studio"):
        with inside(brand):
            seen |= {
                second_factor.secret(1, NONCE),
                second_factor.secret(2, NONCE),
                second_factor.secret(1, "1" * 32),
            }
    assert len(seen) == 6
    with clock.freeze(NOW), inside("facility"):
        code = second_factor.code_at(
            second_factor._secrets(1, NONCE)[0], int(NOW.timestamp()) // 30
        )
        services = current_app.extensions["services"]
        before = signer.signing_keys()
        monkeypatch.setitem(services, signer.Signer, signer.Signer((b"new", *before)))
        assert second_factor.secret(1, NONCE) not in seen
        assert second_factor.step_of(1, NONCE, code) is not None
        monkeypatch.setitem(services, signer.Signer, signer.Signer((b"new",)))
        assert second_factor.step_of(1, NONCE, code) is None
