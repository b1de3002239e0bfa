"""Yes, or no with its reason."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from portal.core.decision import ALLOWED, Decision
from portal.core.errors import RuleBroken


def test_yes_has_no_reason_and_lets_through() -> None:
    assert ALLOWED
    ALLOWED.require()
    assert Decision() == ALLOWED


def test_no_carries_its_reason_to_the_page_and_into_the_refusal() -> None:
    """FAC-04: the same sentence beside the disabled button and when it is tried all the same."""
    no = Decision("金額の確定後に発行できます。")
    assert not no
    with pytest.raises(RuleBroken) as refused:
        no.require()
    assert refused.value.message == no.reason == "金額の確定後に発行できます。"
    assert refused.value.field is None


def test_a_reason_with_a_percent_sign_is_said_as_it_is() -> None:
    with pytest.raises(RuleBroken, match=r"^100%になりました。$"):
        Decision("100%になりました。").require()


def test_a_verdict_cannot_be_turned_afterwards() -> None:
    with pytest.raises(FrozenInstanceError):
        ALLOWED.reason = "だめです。"  # type: ignore[misc]
    assert ALLOWED
