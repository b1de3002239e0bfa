"""Notices carry a mark until they are read; the demo's mailbox is there in the demo only."""

from __future__ import annotations

import demo
from portal import create_app
from portal.core.db import db
from tests.support.client import Visitor


def test_a_notice_carries_a_mark_until_it_is_read(visit, cast):
    """COM-60: opening a notice takes the mark away, for this member only."""
    member = visit("facility", cast.representative)
    assert ">未読<" in member.get("/").text
    page = member.get("/notices/N0001")
    assert "<strong>カナリア甲</strong>" in page.text
    assert ">未読<" not in member.get("/notices").text
    assert ">未読<" in visit("facility", cast.member).get("/notices").text
    assert member.get("/notices/N0099").status_code == 404


def test_mails_are_readable_in_the_demo_only(settings, visit, cheap_passwords):
    """COM-82: the mailbox shows one brand's mails and does not exist elsewhere."""
    assert visit("facility").get("/demo/mailbox").status_code == 404
    app = create_app(type(settings)(**{**vars(settings), "demo": True}))
    demo.init_app(app)
    try:
        box = Visitor(app, "facility").get("/demo/mailbox").text
        assert "FR000001" in box
        assert "SR000001" not in box
    finally:
        with app.app_context():
            db.engine.dispose()
