"""What one application holds for its rules: its signer, what modules add to leaving, its limits.

Rules ask for such an object by its type, as they ask `portal.core.db.session` for the session, and
so need not know Flask. The application in context holds it: two applications in one process share
nothing, and nothing has to be registered by an import.
"""

from typing import TypeVar

from flask import Flask, current_app

T = TypeVar("T")


def provide(app: Flask, service: object) -> None:
    """Let rules that run in `app` find `service` by its type; one provided before is replaced."""
    app.extensions.setdefault("services", {})[type(service)] = service


def get_service(kind: type[T]) -> T:
    """The object of this type that the application in context holds.

    Raises LookupError where `create_app` provided none, RuntimeError outside any application.
    """
    services: dict[type[T], T] = current_app.extensions.get("services", {})
    if kind not in services:
        raise LookupError(f"the application holds no {kind.__name__}; create_app provides it")
    return services[kind]
