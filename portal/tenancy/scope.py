"""Which tenant the running code works for.

One context variable; nothing else in the program guesses a tenant.
"""

from contextvars import ContextVar, Token


class TenantError(RuntimeError):
    """A statement, row or file would have crossed the wall between two tenants.

    Never shown, always a bug.
    """


_current: ContextVar[str | None] = ContextVar("tenant_key", default=None)


def current_key() -> str | None:
    """The key of the tenant in scope, or None outside any scope."""
    return _current.get()


def require_key() -> str:
    """The key of the tenant in scope.

    Raises TenantError outside one: everything fails closed (COM-02).
    """
    key = _current.get()
    if key is None:
        raise TenantError("no tenant in scope")
    return key


def enter(key: str) -> Token[str | None]:
    """Set the tenant for this context.

    Use `portal.core.db.tenant_scope`, which also gives a fresh session.
    """
    return _current.set(key)


def leave(token: Token[str | None]) -> None:
    """Undo `enter`."""
    _current.reset(token)
