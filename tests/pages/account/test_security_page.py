"""ログイン履歴と端末: what the member sees, and ends (COM-15, COM-90)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.core import clock
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.shared.auth.models import Device, MemberSession
from tests.cast import NOW, PASSWORD

PAGE = "/account/security"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"


@pytest.fixture
def come_in(visit):
    """Sign in from a browser and an address."""

    def enter(browser=DESK, address="192.0.2.7", login_id="hanako", tenant="facility"):
        visitor = visit(tenant)
        visitor.client.environ_base |= {"HTTP_USER_AGENT": browser, "REMOTE_ADDR": address}
        assert visitor.sign_in(login_id, PASSWORD).status_code == 303
        return visitor

    return enter


@pytest.fixture
def trail(inside):
    """What was done to members since the cast, newest last."""

    def read():
        with inside("facility"):
            found = session().scalars(
                select(AuditEvent).where(AuditEvent.at == NOW).order_by(AuditEvent.id)
            )
            return [(e.action, e.subject) for e in found]

    return read


def numbers(visitor, what="sessions"):
    """The numbers by which the page names sessions or devices, in its order."""
    return re.findall(rf"{PAGE}/{what}/([^/]+)/removal", visitor.get(PAGE).text)


def remove(visitor, what, number):
    return visitor.post(f"{PAGE}/{what}/{number}/removal", page=PAGE)


def is_in(visitor):
    return visitor.get("/facility/reservations").status_code == 200


def test_the_page_says_where_one_is_signed_in_and_which_one_this_is(come_in):
    """COM-15: browser, address, last use; the present one marked; no colleague's, no twin's."""
    with clock.freeze(NOW - timedelta(minutes=50)):
        come_in(PHONE, "198.51.100.9")
    come_in("Lynx/2.8", "203.0.113.5", "kenichi")
    come_in("Opera Mini OPR/9", "203.0.113.6", tenant="studio")
    here = come_in()
    page = here.get(PAGE).text
    for word in (
        "Edge / Windows",
        "192.0.2.7",
        "Safari / iPhone",
        "198.51.100.9",
        "2026/11/23(月) 09:10",
    ):
        assert word in page
    assert not [
        word for word in ("Lynx", "203.0.113.5", "Opera", "203.0.113.6", DESK) if word in page
    ]
    assert page.count("この端末") == 2  # among the sessions, and among the devices
    assert f'href="{PAGE}"' in here.get("/account/profile").text


def test_one_other_session_is_ended_and_only_that(come_in, trail):
    """COM-15, COM-90"""
    phone = come_in(PHONE)
    third, here = come_in(), come_in()
    page = here.get(PAGE).text
    row = next(r for r in page.split("<tr>") if "Safari / iPhone" in r and "/sessions/" in r)
    number = re.findall(r"/sessions/([^/]+)/", row)[0]
    answer = remove(here, "sessions", number)
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert [is_in(v) for v in (phone, third, here)] == [False, True, True]
    assert trail()[-1] == ("member.end_session", "member:hanako")
    assert remove(here, "sessions", number).status_code == 404, "what has ended is nobody's"


def test_all_others_are_ended_at_once(come_in, trail):
    """COM-15: colleagues and the twin brand stay; alone there is no such button."""
    elsewhere = [come_in(PHONE), come_in()]
    colleague, twin, here = come_in(login_id="kenichi"), come_in(tenant="studio"), come_in()
    assert "ほかの端末をすべてログアウト" in here.get(PAGE).text
    here.post(f"{PAGE}/other-sessions/removal", page=PAGE)
    assert [is_in(v) for v in (*elsewhere, colleague, twin, here)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert trail()[-1] == ("member.end_sessions", "member:hanako")
    assert "ほかの端末をすべてログアウト</button>" not in here.get(PAGE).text


def test_ending_the_present_session_is_signing_out(come_in, trail):
    """COM-15: the cookie goes too."""
    here = come_in()
    (number,) = numbers(here)
    answer = remove(here, "sessions", number)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert here.client.get_cookie("portal", domain="facility.localhost") is None
    assert not is_in(here)
    assert "ログアウトしました。" in here.get("/sign-in").text
    assert trail()[-1] == ("member.sign_out", "member:hanako")


@pytest.mark.parametrize("what", ["sessions", "devices"])
def test_what_is_somebody_elses_does_not_exist(come_in, inside, what):
    """COM-02: a colleague's, another account's and the twin's numbers, primary keys, rubbish: 404, nothing ended."""
    others = [come_in(login_id="kenichi"), come_in(login_id="yumi"), come_in(tenant="studio")]
    here = come_in()
    with inside("facility"):
        keys = [str(key) for key in session().scalars(select(MemberSession.id))]
        digests = list(session().scalars(select(MemberSession.token_digest)))
    for number in [*(numbers(other, what)[0] for other in others), *keys, *digests, "é", "0" * 16]:
        assert remove(here, what, number).status_code == 404, number
    assert all(is_in(v) for v in (*others, here))
    assert all(len(numbers(other, what)) == 1 for other in others)


def test_a_known_device_is_forgotten_with_its_sessions(come_in, inside, trail):
    """COM-15, security.md §4.5: it is mailed about again next time; the present session goes on."""
    lost, here = come_in(PHONE), come_in()
    page = here.get(PAGE).text
    row = next(r for r in page.split("<tr>") if "Safari / iPhone" in r and "/devices/" in r)
    assert remove(here, "devices", re.findall(r"/devices/([^/]+)/", row)[0]).status_code == 303
    assert [is_in(v) for v in (lost, here)] == [False, True]
    (own,) = numbers(here, "devices")
    assert remove(here, "devices", own).status_code == 303
    assert is_in(here)
    assert "登録されている端末はありません。" in here.get(PAGE).text
    assert trail()[-2:] == [("member.forget_device", "member:hanako")] * 2
    with inside("facility"):
        assert {device.revoked_at for device in session().scalars(select(Device))} == {NOW}


def test_a_trusted_device_says_until_when(come_in, inside):
    """COM-13: and says nothing once that is over."""
    here = come_in()
    with inside("facility"):
        session().execute(update(Device).values(trusted_until=NOW + timedelta(days=1)))
        session().commit()
    assert "2026/11/24(火) まで" in here.get(PAGE).text
    with clock.freeze(NOW + timedelta(days=1)):
        assert " まで" not in come_in().get(PAGE).text


def test_the_history_is_the_members_own_newest_twenty(come_in):
    """COM-90: from the audit trail, newest first; a colleague's sign-ins are the colleague's."""
    for turn in range(22):
        with clock.freeze(NOW - timedelta(days=22 - turn)):
            come_in(address=f"192.0.2.{100 + turn}")
    come_in(address="203.0.113.5", login_id="kenichi")
    here = come_in(address="192.0.2.99")
    history = here.get(PAGE).text.partition('id="visits"')[2]
    assert re.findall(r"192\.0\.2\.\d+", history) == [
        f"192.0.2.{n}" for n in (99, *range(121, 102, -1))
    ]
    assert "203.0.113.5" not in history


def test_an_idle_session_is_no_place_one_is_signed_in_at(come_in):
    """security.md §4.6: what opens nothing any more is not listed."""
    with clock.freeze(NOW - timedelta(minutes=121)):
        come_in(PHONE)
    assert len(numbers(come_in())) == 1


def test_nothing_is_ended_without_the_forms_token(come_in):
    """security.md §4.9"""
    other, here = come_in(PHONE), come_in()
    for path in (
        f"sessions/{numbers(other)[0]}",
        "other-sessions",
        f"devices/{numbers(here, 'devices')[0]}",
    ):
        assert here.client.post(f"{PAGE}/{path}/removal", base_url=here.base).status_code == 400
    assert is_in(other)
