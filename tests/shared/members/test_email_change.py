"""RENT-11, SHOP-03: a changed e-mail address is proved, told, and can be taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.auth import devices, links, password_reset, sessions, throttling
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.links import DeadLink, Purpose
from portal.shared.auth.sessions import Client
from portal.shared.members import email_change
from tests.cast import NOW, PASSWORD
from tests.support.links import is_alive

OLD, NEW = "hanako@one.example", "neu@one.example"


@pytest.fixture
def shop(having):
    """A brand whose members sign in with their address."""
    return having(items="email_password", email_change="password")


@pytest.fixture
def ask(shop, signed_in):
    """Ask for NEW with the present address and password."""

    def do(present=OLD, password=PASSWORD, new=NEW):
        email_change.ask_with_password(shop, signed_in(), present, password, new, by=SYSTEM)

    return do


def test_nothing_changes_before_the_new_address_says_so(shop, ask, member, mailed, letters):
    """SHOP-03: then the old one is told, with where mail goes now."""
    ask(present="ＨＡＮＡＫＯ@one.example")
    assert (member().email, letters("email_change_proof")[0].recipient) == (OLD, NEW)
    token = mailed("email_change_proof", "prove-email")
    email_change.confirm(shop, token, address="192.0.2.1")
    assert (member().email, member().login_key) == (NEW, NEW)
    told = letters("email_changed_old")[0]
    assert told.recipient == OLD
    assert NEW in told.body
    with pytest.raises(DeadLink):
        email_change.confirm(shop, token, address="")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"present": "other@one.example"}, "present"),
        ({"password": "wrong"}, "password"),
        ({"new": OLD}, "email"),
    ],
)
def test_a_wrong_item_is_named_and_nothing_is_mailed(ask, letters, wrong, field):
    """SHOP-03: at its field."""
    with pytest.raises(RuleBroken) as refused:
        ask(**wrong)
    assert refused.value.field == field
    session().rollback()
    assert letters("email_change_proof") == []


def test_who_asks_is_not_told_that_an_address_is_taken(shop, ask, mailed, member, having):
    """security.md §4.2: its holder alone learns it, behind the link; nothing has changed then."""
    yumi = member("yumi")
    yumi.login_key = yumi.email
    session().commit()
    ask(new="yumi@two.example")
    with pytest.raises(RuleBroken, match="すでに使われています"):
        email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    session().rollback()
    assert member().email == OLD


def test_every_other_link_dies_with_the_old_address(shop, ask, member, mailed):
    """security.md §4.12: a reset that was mailed there opens nothing any more."""
    ask()
    reset = links.issue(member().id, Purpose.RESET_PASSWORD)
    email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    assert not is_alive(reset, Purpose.RESET_PASSWORD)


def test_the_old_address_takes_it_back_within_two_weeks(shop, ask, member, mailed, letters):
    """SHOP-03: everything that let in ends, and the way back in goes to the old address."""
    ask()
    email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    token = sessions.open_session(member().id, Client(), lifetime=timedelta(days=30))
    _device, device = sessions.remember_device(member().id, Client())
    session().commit()
    undo = mailed("email_changed_old", "undo-email")
    with clock.freeze(NOW + timedelta(days=13)):
        email_change.undo(shop, undo, address="")
        assert (member().email, member().login_key, member().password_hash) == (OLD, OLD, "")
        assert sessions.look_up(token, idle_minutes=10**6) is None
        assert sessions.find_device(member().id, device) is None
        assert letters("reset_password")[0].recipient == OLD
        with pytest.raises(DeadLink):
            email_change.undo(shop, undo, address="")


def test_the_address_that_is_taken_back_is_told_as_well(shop, ask, member, mailed, letters):
    """COM-34: both addresses learn of every change, this one too."""
    ask()
    email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    before = len(letters("email_changed"))
    email_change.undo(shop, mailed("email_changed_old", "undo-email"), address="")
    told = [mail.recipient for mail in letters("email_changed")]
    assert len(told) == before + 2
    assert {OLD, NEW} <= set(told)
    assert member().email == OLD


def test_after_two_weeks_it_is_too_late(shop, ask, member, mailed):
    """SHOP-03"""
    ask()
    email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    undo = mailed("email_changed_old", "undo-email")
    with clock.freeze(NOW + timedelta(days=14, seconds=1)), pytest.raises(DeadLink):
        email_change.undo(shop, undo, address="")


def test_by_way_of_the_old_address_three_steps_lead_there(having, member, mailed, letters):
    """RENT-11: the old address's link takes one new address, once; a slip leaves it alive."""
    rental = having(items="login_id_email_password", email_change="old_address")
    email_change.ask_old_address(rental, member().id, by=SYSTEM)
    session().commit()
    assert letters("email_change_asked")[0].recipient == OLD
    token = mailed("email_change_asked", "change-email")
    with pytest.raises(RuleBroken, match="現在と同じ"):
        email_change.name_new(rental, token, OLD, address="")
    session().rollback()
    email_change.name_new(rental, token, NEW, address="")
    with pytest.raises(DeadLink):
        email_change.name_new(rental, token, "third@one.example", address="")
    session().rollback()
    email_change.confirm(rental, mailed("email_change_proof", "prove-email"), address="")
    assert (member().email, member().login_key) == (NEW, f"hanako\n{NEW}")


@pytest.mark.parametrize(
    "purpose", [Purpose.CHANGE_EMAIL, Purpose.UNDO_EMAIL, Purpose.RESET_PASSWORD]
)
def test_a_link_of_another_purpose_changes_no_address(shop, member, purpose):
    """security.md §4.12: each does its one thing."""
    token = links.issue(member().id, purpose, payload={"email": NEW})
    with pytest.raises(DeadLink):
        email_change.confirm(shop, token, address="")


def test_it_is_asked_for_five_times_an_hour_at_most(ask):
    """security.md §4.5: nobody's mailbox is filled."""
    for _turn in range(5):
        ask()
    with pytest.raises(throttling.TooMany):
        ask()
    session().rollback()


@pytest.mark.parametrize("way", ["old_address", "operator"])
def test_a_brand_that_does_it_otherwise_has_no_such_page(having, signed_in, way):
    """COM-03"""
    with pytest.raises(NotFound):
        email_change.ask_with_password(
            having(email_change=way), signed_in(), OLD, PASSWORD, NEW, by=SYSTEM
        )


def test_an_operator_helps_whose_mailbox_is_lost(brand, member, letters):
    """OPS-13: both addresses are told."""
    email_change.set_by_operator(brand, member(), NEW, by=SYSTEM)
    assert {mail.recipient for mail in letters("email_changed")} == {OLD, NEW}


def test_the_new_address_signs_in_and_the_old_one_does_not(shop, ask, mailed):
    """SHOP-03: from the very moment."""
    ask()
    email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    new, old = (entrance.Credentials(password=PASSWORD, email=email) for email in (NEW, OLD))
    assert entrance.sign_in(shop, new, Client()).token
    with pytest.raises(RuleBroken, match="入力内容に誤り"):
        entrance.sign_in(shop, old, Client())


def test_an_old_address_that_somebody_took_meanwhile_is_not_taken_back(shop, ask, member, mailed):
    """SHOP-03: said calmly; nothing has changed, and the link stays for when it is free again."""
    ask()
    email_change.confirm(shop, mailed("email_change_proof", "prove-email"), address="")
    undo = mailed("email_changed_old", "undo-email")
    kenichi = member("kenichi")
    kenichi.login_key = kenichi.email = OLD
    session().commit()
    with pytest.raises(RuleBroken, match="すでに使われています"):
        email_change.undo(shop, undo, address="")
    session().rollback()
    assert (member().email, is_alive(undo, Purpose.UNDO_EMAIL)) == (NEW, True)


# 元に戻す in the first mailbox has the last word, whatever an intruder does meanwhile (SHOP-03).
THEIRS, OTHERS = "evil@evil.example", "more@evil.example"


@pytest.fixture
def moved(shop, signed_in, mailed):
    """Move the account to an address, asking from a session of the member; returns what undoes it."""

    def do(new, present):
        email_change.ask_with_password(shop, signed_in(), present, PASSWORD, new, by=SYSTEM)
        proof = mailed("email_change_proof", "prove-email")
        email_change.confirm(shop, proof, address="")
        return mailed("email_changed_old", "undo-email")

    return do


def test_the_way_back_outlives_a_change_of_the_password(shop, moved, member, signed_in):
    """COM-12"""
    undo = moved(THEIRS, OLD)
    password_reset.change_password(shop, signed_in(), PASSWORD, "stolen-Leaf-58-x", by=SYSTEM)
    email_change.undo(shop, undo, address="")
    assert (member().email, member().password_hash) == (OLD, "")


def test_the_way_back_outlives_a_second_change_of_the_address(shop, moved, member):
    """The links back to the intruder's addresses die with its use."""
    first = moved(THEIRS, OLD)
    second = moved(OTHERS, THEIRS)
    email_change.undo(shop, first, address="")
    assert member().email == OLD
    assert not is_alive(second, Purpose.UNDO_EMAIL)


def test_the_way_back_outlives_the_undoing_of_a_later_change(shop, moved, member):
    """An intruder who goes back to the first of their own addresses."""
    first = moved(THEIRS, OLD)
    second = moved(OTHERS, THEIRS)
    email_change.undo(shop, second, address="")
    assert member().email == THEIRS
    email_change.undo(shop, first, address="")
    assert member().email == OLD


def test_the_way_back_outlives_the_intruders_own_button(shop, moved, member):
    """COM-14: これは私ではありません in the mailbox that the intruder chose leads no further than there."""
    undo = moved(THEIRS, OLD)
    button = links.issue(member().id, Purpose.NOT_ME)
    session().commit()
    devices.not_me(shop, button, Client())
    email_change.undo(shop, undo, address="")
    assert (member().email, member().password_hash) == (OLD, "")


def test_the_way_back_outlives_a_reset_that_goes_to_the_new_address(shop, moved, member):
    """COM-12"""
    undo = moved(THEIRS, OLD)
    reset = links.issue(member().id, Purpose.RESET_PASSWORD)
    session().commit()
    password_reset.use_set_password_link(shop, reset, "stolen-Leaf-58-x", address="")
    email_change.undo(shop, undo, address="")
    assert member().email == OLD
