"""What an application holds for its rules (OPS-01)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from flask import Flask

from portal.core.services import get_service, provide


@dataclass(frozen=True)
class Greeting:
    words: str


def test_each_application_holds_its_own() -> None:
    """OPS-01: two in one process share nothing, and the later one takes nothing from the other."""
    first = Flask("first")
    second = Flask("second")
    provide(first, Greeting("おはよう"))
    provide(second, Greeting("こんばんは"))
    with first.app_context():
        assert get_service(Greeting).words == "おはよう"
    with second.app_context():
        assert get_service(Greeting).words == "こんばんは"


def test_what_was_provided_before_is_replaced() -> None:
    """OPS-01"""
    app = Flask("app")
    provide(app, Greeting("おはよう"))
    provide(app, Greeting("こんにちは"))
    with app.app_context():
        assert get_service(Greeting).words == "こんにちは"


def test_what_nobody_provided_is_named() -> None:
    """OPS-01: a rule that runs in half an application says what is missing."""
    with Flask("app").app_context(), pytest.raises(LookupError, match="Greeting"):
        get_service(Greeting)
