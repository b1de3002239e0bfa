"""What is refused is logged for whoever watches: by an id and an address, not by what was typed (security.md §4.27)."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import select

from portal.core.db import session
from portal.shared.accounts.models import Member
from portal.shared.members import operations as members
from tests.cast import PASSWORD

HOME = "2001:db8::7"
TYPED = "typed-by-hand-1"


@pytest.fixture
def events(caplog):
    """The events that were logged so far, each as a mapping of its keys."""
    caplog.set_level(logging.WARNING, logger="portal.security")

    def read():
        named = [record for record in caplog.records if record.name == "portal.security"]
        return [dict(pair.split("=", 1) for pair in r.getMessage().split(" ")) for r in named]

    return read


@pytest.fixture
def hanako(inside):
    """The representative's id."""
    with inside("facility"):
        return str(session().scalars(select(Member.id).where(Member.login_id == "hanako")).one())


def test_a_refused_sign_in_names_the_member_by_an_id_and_a_stranger_not_at_all(
    visit, events, hanako, caplog
):
    """COM-10: nothing that was typed is in the log, be it a password in the wrong field."""
    visitor = visit()
    for login_id in ("hanako", TYPED):
        visitor.post(
            "/sign-in",
            {"login_id": login_id, "password": TYPED},
            environ_base={"REMOTE_ADDR": HOME},
        )
    expected = {
        "event": "sign_in.refused",
        "tenant": "facility",
        "refusal": "RuleBroken",
        "address": HOME,
    }
    known, unknown = events()
    assert known == expected | {"member": hanako}
    assert unknown == expected
    assert TYPED not in caplog.text
    assert "hanako" not in caplog.text


@pytest.mark.parametrize("sign_in_rules", ["sign_in_tries = 3, sign_in_window_minutes = 10"])
def test_a_try_past_the_limit_says_so(visit, events, sign_in_rules):
    """security.md §4.5"""
    visitor = visit()
    for _try in range(4):
        visitor.sign_in("hanako", TYPED)
    assert [event["refusal"] for event in events()] == ["RuleBroken"] * 3 + ["TooMany"]


@pytest.mark.parametrize("sign_in_rules", ['second_factor = "required", factors = ["mail"]'])
def test_a_wrong_code_at_the_second_step_is_an_event(visit, events, hanako, sign_in_rules):
    """COM-13"""
    visitor = visit()
    visitor.sign_in("hanako", PASSWORD)
    visitor.post("/sign-in/second-step", {"code": "no code"})
    [event] = events()
    assert (event["event"], event["member"]) == ("second_step.refused", hanako)
    assert "code" not in event


def test_a_wrong_present_password_is_an_event(visit, events, hanako):
    """security.md §4.17"""
    visit("facility", "hanako").post("/account/proof", {"password": TYPED})
    [event] = events()
    assert (event["event"], event["member"]) == ("present_password.refused", hanako)


def test_a_form_without_its_token_and_a_page_without_the_right_are_events(
    visit, events, inside, hanako
):
    """security.md §4.9: what was asked for is told by its endpoint; a path may carry a name or a token."""
    visitor = visit("facility", "hanako")
    visitor.client.post("/account/password", base_url=visitor.base)
    [refused] = events()
    assert (refused["event"], refused["endpoint"]) == ("csrf.refused", "account.password")
    assert (refused["method"], refused["member"]) == ("POST", hanako)
    with inside("facility"):
        kenichi = session().scalars(select(Member).where(Member.login_id == "kenichi")).one()
        kenichi.rights = "orders"
        session().commit()
    assert visit("facility", "kenichi").get("/documents?number=secret").status_code == 403
    forbidden = events()[-1]
    assert (forbidden["event"], forbidden["endpoint"]) == ("forbidden", "documents.index")
    assert "secret" not in str(forbidden)


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/account/members/new", "account.member_form"),
        ("/inquiries/new", "inquiries.inquiry_form"),
        ("/facility/reservations/{number}/invoice.pdf", "facility.paper"),
    ],
)
def test_whatever_way_a_right_is_missing_it_is_an_event(
    visit, events, inside, cast, path, endpoint
):
    """security.md §4.27, COM-30: also where the page says why, and not the address alone is closed."""
    with inside("facility"):
        session().query(Member).filter_by(login_id="kenichi").one().rights = "orders"
        session().commit()
    answer = visit("facility", "kenichi").get(path.format(number=cast.billed))
    assert answer.status_code == 403
    assert (events()[-1]["event"], events()[-1]["endpoint"]) == ("forbidden", endpoint)


def test_whoever_feels_their_way_to_what_they_may_not_do_is_seen(visit, events, inside):
    """COM-30, security.md §4.27: 403 with the reason and a line each, pages and forms alike."""
    with inside("facility"):
        member = session().scalars(select(Member).where(Member.login_id == "kenichi")).one()
        member.rights = ""
        other = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
        number = members.number_of(other)
        session().commit()
    page = visit("facility", "kenichi")
    tried = (
        ("GET", "/account/members/new"),
        ("POST", "/account/members/new"),
        ("GET", f"/account/members/{number}"),
        ("POST", f"/account/members/{number}/removal"),
        ("POST", f"/account/members/{number}/representation"),
        ("GET", "/inquiries/new"),
        ("POST", "/account/withdrawal"),
    )
    for count, (method, path) in enumerate(tried, 1):
        answer = page.get(path) if method == "GET" else page.post(path)
        assert answer.status_code == 403, path
        assert [event["event"] for event in events()] == ["forbidden"] * count, path


def test_what_succeeds_is_no_event(visit, events):
    """The audit trail has it (COM-90)."""
    visitor = visit("facility", "hanako")
    visitor.post("/account/proof", {"password": PASSWORD})
    visitor.get("/")
    assert events() == []
