"""How much an account may store, and how much comes from one network address (COM-50)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal.config.schema_parts import Storage
from portal.core import clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared import drafts
from portal.shared.accounts.models import Member
from portal.shared.inquiries import files, operations
from portal.shared.inquiries.files import Kept
from portal.shared.inquiries.operations import Asked, Writer
from tests.cast import NOW
from tests.support.stored_files import stored_files

SIZE = 400_000


@pytest.fixture
def tenant(app, inside):
    """A brand with room for one megabyte an account, inside its scope."""
    found = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"), clock.freeze(NOW):
        yield found.model_copy(
            update={"storage": Storage(account_megabytes=1, address_megabytes=2)}
        )


def of(login_id: str, address: str = "") -> Actor:
    member = session().scalars(select(Member).where(Member.login_id == login_id)).one()
    return Actor("member", member.name, member.id, member.account_id, address)


def keep(tenant: Any, by: Actor, content: str) -> list[Kept]:
    return files.keep(tenant, [(f"{content}.txt", content.encode() * SIZE)], by=by)


def attach(tenant: Any, by: Actor, content: str) -> str:
    """A form with a file that is not yet sent; its token."""
    attached = [{"sha256": one.sha256, "size": one.size} for one in keep(tenant, by, content)]
    key = drafts.DraftKey(kind="inquiry", subject="new", member_id=by.member_id or 0)
    return drafts.keep(key, {"attached": attached})


def send(tenant: Any, by: Actor, content: str) -> None:
    """A message with a file."""
    writer = Writer(by.name, "x@one.example", by.account_id, by.member_id)
    asked = Asked("other", "x", files=keep(tenant, by, content))
    operations.ask(tenant, writer, asked, by=by)


def test_an_account_stores_so_much_and_no_more_sent_or_not(tenant, app):
    """COM-50: by whichever of its members; what is refused is not kept, and another account has its own room."""
    send(tenant, of("hanako"), "a")
    attach(tenant, of("kenichi"), "b")
    before = len(stored_files(app, "facility"))
    with pytest.raises(RuleBroken, match="1MB") as refused:
        keep(tenant, of("hanako"), "c")
    assert refused.value.field == "files"
    assert len(stored_files(app, "facility")) == before
    assert keep(tenant, of("yumi"), "c")


def test_a_form_that_expired_or_was_sent_counts_no_more_than_what_it_left(tenant):
    """COM-22: after a day a draft is none; a sent one's file is the message's."""
    by = of("hanako")
    for content in "ab":
        attach(tenant, by, content)
    with pytest.raises(RuleBroken):
        keep(tenant, by, "c")
    with clock.freeze(NOW + drafts.LIFETIME):
        assert keep(tenant, by, "c")


def test_the_same_file_in_several_forms_counts_once(tenant):
    """COM-22: 戻る and on again makes a second draft of the same file."""
    by = of("hanako")
    for _turn in range(4):
        attach(tenant, by, "a")
    assert attach(tenant, by, "b")
    with pytest.raises(RuleBroken):
        keep(tenant, by, "c")


def test_operators_files_count_for_nobody(tenant):
    """COM-52: an answer with files takes nothing from the customer."""
    for content in "abc":
        assert keep(tenant, operator("大森"), content)
        assert keep(tenant, SYSTEM, content)


def test_one_network_address_sends_so_much_a_day(tenant):
    """COM-50: whoever's accounts it signs in with; the next day it may again."""
    roomy = tenant.model_copy(
        update={"storage": Storage(account_megabytes=100, address_megabytes=2)}
    )
    address = "203.0.113.9"
    for content in "abcde":
        keep(roomy, of("hanako", address), content)
    with pytest.raises(RuleBroken, match="2MB") as refused:
        keep(roomy, of("yumi", address), "f")
    assert refused.value.field == "files"
    assert keep(roomy, of("yumi", "203.0.113.10"), "f")
    with clock.freeze(NOW + timedelta(days=1)):
        assert keep(roomy, of("yumi", address), "f")


def test_the_addresses_of_one_ipv6_subscriber_count_together(tenant):
    """COM-50: a /64 is one subscriber's, who chooses the rest of the address."""
    roomy = tenant.model_copy(
        update={"storage": Storage(account_megabytes=100, address_megabytes=2)}
    )
    for place, content in enumerate("abcde"):
        keep(roomy, of("hanako", f"2001:db8::{place}"), content)
    with pytest.raises(RuleBroken, match="2MB"):
        keep(roomy, of("hanako", "2001:db8::ffff"), "f")
    assert keep(roomy, of("hanako", "2001:db8:0:1::1"), "f")
