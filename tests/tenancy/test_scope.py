"""Which tenant the running code works for: one variable, none by default (COM-02)."""

from __future__ import annotations

import threading
from contextvars import copy_context

import pytest

from portal.tenancy import scope
from portal.tenancy.scope import TenantError


def test_outside_a_scope_there_is_no_tenant_and_nothing_guesses_one() -> None:
    """COM-02: fails closed."""
    assert scope.current_key() is None
    with pytest.raises(TenantError, match="no tenant in scope"):
        scope.require_key()


def test_scopes_are_left_in_the_order_they_were_entered() -> None:
    outer = scope.enter("facility")
    inner = scope.enter("studio")
    assert scope.current_key() == scope.require_key() == "studio"
    scope.leave(inner)
    assert scope.require_key() == "facility"
    scope.leave(outer)
    assert scope.current_key() is None


def test_a_scope_is_left_once() -> None:
    token = scope.enter("facility")
    scope.leave(token)
    with pytest.raises(RuntimeError):
        scope.leave(token)
    assert scope.current_key() is None


def test_another_thread_or_context_does_not_inherit_a_later_scope() -> None:
    """COM-02: two requests at one moment never see each other's brand."""
    aside, seen = copy_context(), list[str | None]()
    token = scope.enter("facility")
    thread = threading.Thread(target=lambda: seen.append(scope.current_key()))
    thread.start()
    thread.join()
    assert [*seen, aside.run(scope.current_key)] == [None, None]
    aside.run(scope.enter, "studio")
    assert scope.require_key() == "facility"
    scope.leave(token)


def test_a_crossed_wall_is_a_bug_and_no_rule_that_a_page_would_show() -> None:
    """COM-02: it ends as an error page and in the log, never as a sentence for the customer."""
    from portal.core.errors import RuleBroken

    assert issubclass(TenantError, RuntimeError)
    assert not issubclass(TenantError, RuleBroken)
