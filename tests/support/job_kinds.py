"""Kinds of jobs that only tests do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from portal.core.jobs import USUAL_LEASE, Handler, JobKind, JobKinds, Lease


@contextmanager
def job_kind(
    app: Flask, name: str, handler: Handler, lease: Lease = USUAL_LEASE
) -> Iterator[JobKind]:
    """Have the application do such jobs, as long as the block lasts."""
    kinds = app.extensions["services"][JobKinds]
    kinds[name] = JobKind(name, handler, lease)
    try:
        yield kinds[name]
    finally:
        del kinds[name]


def do_nothing(_payload: object) -> None:
    """The handler of jobs that are only claimed."""
