"""Putting and sweeping the same file at once, and several uploads against one account's room."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.config.schema_parts import Storage
from portal.core import clock
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.files import file_store
from portal.shared import drafts
from portal.shared.accounts.models import Member
from portal.shared.inquiries import files
from tests.cast import NOW
from tests.support.stored_files import stored_files

Together = Callable[..., list[Any]]


def test_com_50_what_is_put_while_it_is_swept_is_there_afterwards(
    app: Flask, together: Together
) -> None:
    """COM-50: two put the same old forgotten file, two sweep it; whoever put it finds it."""
    before = NOW.timestamp()
    for turn_of_all in range(20):
        content = f"forgotten {turn_of_all}".encode()

        def work(turn: int, content: bytes = content) -> bool:
            if turn < 2:
                return file_store().get(file_store().put(content)) == content
            for names in file_store().list_older(before, batch_size=100):
                for name in names:
                    file_store().remove_older(name, before)
            return True

        with_old_file(app, together, content)
        assert together(4, work) == [True] * 4
        assert any(path.read_bytes() == content for path in stored_files(app, "facility"))


def with_old_file(app: Flask, together: Together, content: bytes) -> None:
    """Store `content` as somebody did long ago."""
    (key,) = together(1, lambda _turn: file_store().put(content))
    (path,) = [path for path in stored_files(app, "facility") if path.name == key]
    long_ago = (NOW - timedelta(days=9)).timestamp()
    os.utime(path, (long_ago, long_ago))


def test_com_50_uploads_at_the_same_moment_do_not_pass_the_accounts_limit_together(
    app: Flask, together: Together
) -> None:
    """COM-50: eight forms of 300 kB each with room for one megabyte: three are kept."""
    found = app.extensions["tenants"].current().by_key["facility"]
    tenant = found.model_copy(update={"storage": Storage(account_megabytes=1)})

    def upload(turn: int) -> str:
        member = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        by = Actor("member", member.name, member.id, member.account_id)
        try:
            kept = files.keep(tenant, [(f"{turn}.txt", str(turn).encode() * 300_000)], by=by)
        except RuleBroken:
            session().rollback()
            return "refused"
        attached = [{"sha256": one.sha256, "size": one.size} for one in kept]
        key = drafts.DraftKey(kind="inquiry", subject="new", member_id=member.id)
        drafts.keep(key, {"attached": attached, "at": str(clock.now())})
        session().commit()
        return "kept"

    results = together(8, upload)
    assert (results.count("kept"), results.count("refused")) == (3, 5)
