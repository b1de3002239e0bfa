"""これは私ではありません: the link in the mail about a sign-in throws everybody out, by its button only (COM-14)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member, MemberStatus
from portal.shared.auth.models import Device, MemberSession, OneTimeLink
from portal.shared.auth.sign_in import NOT_ME
from tests.cast import NOW, PASSWORD

NEW = "brand-New-Leaf-58"
TWICE = {"password": NEW, "again": NEW}
DEAD = "このリンクは無効か、期限が切れています。"


def path_in(mail):
    """The path of the link that a mail carries."""
    return re.findall(r"https?://[^/\s]+(/\S+)", mail.body)[0]


@pytest.fixture
def mails(rows):
    """The mails of sign-ins and what came of them, newest last."""
    wanted = {"sign_in", "not_me", "reset_password"}
    return lambda tenant="facility": [m for m in rows(OutboxMail, tenant) if m.event in wanted]


@pytest.fixture
def told(visit, mails):
    """Somebody signs in from a new browser; returns the path in the mail that tells the member."""

    def sign_in(login_id="hanako", tenant="facility"):
        visit(tenant, login_id)
        return path_in(mails(tenant)[-1])

    return sign_in


def test_the_button_throws_everybody_out_and_mails_the_way_back_in(visit, told, mails, rows, acts):
    """COM-14, COM-15, COM-90: sessions, devices, the password, other links; a colleague and the twin stay."""
    path = told()
    thief, colleague, twin = (
        visit("facility", "hanako"),
        visit("facility", "kenichi"),
        visit("studio", "hanako"),
    )
    path = next(path_in(m) for m in reversed(mails()) if m.recipient == "hanako@one.example")
    thief_device = thief.client.get_cookie("device", domain="facility.localhost").value
    member = visit()
    assert "これは私ではありません" in member.get(path).text
    answer = member.post(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "すべてのログインを終了しました。" in member.get("/sign-in").text
    assert [v.get("/facility/reservations").status_code for v in (thief, colleague, twin)] == [
        303,
        200,
        200,
    ]
    assert thief.sign_in("hanako", PASSWORD).status_code == 422, "the password that leaked is void"
    notice, reset = mails()[-2:]
    assert [(m.event, m.recipient) for m in (notice, reset)] == [
        ("not_me", "hanako@one.example"),
        ("reset_password", "hanako@one.example"),
    ]
    assert [(e.action, e.subject, e.actor_kind) for e in acts()[-2:]] == [
        ("member.not_me", "member:hanako", "member"),
        ("member.send_reset", "member:hanako", "member"),
    ]
    assert visit().post(path_in(reset), TWICE).status_code == 303
    thief.client.set_cookie("device", thief_device, domain="facility.localhost")
    assert thief.sign_in("hanako", NEW).status_code == 303
    newest = rows(Device)[-1]
    assert newest.revoked_at is None
    assert newest.created_at == NOW, "the browser of before is a new one now"
    assert [d.revoked_at is None for d in rows(Device)].count(True) == 2  # that and the colleague's


def test_looking_changes_nothing(visit, told, rows, mails):
    """security.md §4.10, §4.12: mail scanners GET and HEAD every link; nor does a form without its token."""
    path, before = told(), len(mails())
    visitor = visit()
    for _ in range(2):
        page = visitor.get(path)
        assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
        assert '<meta name="referrer" content="no-referrer">' in page.text
        visitor.client.head(path, base_url=visitor.base)
    assert visitor.client.post(path, base_url=visitor.base).status_code == 400
    assert [row.used_at for row in rows(OneTimeLink)] == [None]
    assert [row.ended_at for row in rows(MemberSession)] == [None]
    assert len(mails()) == before


def test_dead_links_are_answered_calmly_and_change_nothing(visit, told, alter, rows):
    """security.md §4.12: used, late, made up, another brand's, another purpose's, a removed member's."""
    visitor = visit()
    colleagues, twins = told("kenichi"), told("hanako", "studio")
    current = told()
    before = [m.password_hash for m in rows(Member)]
    wrong = (current + "x", twins, current.replace("not-me", "set-password"), "/not-me/é%FF")
    for path in wrong:
        for answer in (visitor.get(path), visitor.post(path, page="/sign-in")):
            assert (answer.status_code, DEAD in answer.text) == (422, True), path
    with clock.freeze(NOW + NOT_ME):
        assert visitor.get(current).status_code == 422
    with clock.freeze(NOW + NOT_ME - timedelta(seconds=1)):
        assert visitor.get(current).status_code == 200
    alter("kenichi", status=MemberStatus.LOCKED)
    assert visitor.post(colleagues, page="/sign-in").status_code == 422
    assert [m.password_hash for m in rows(Member)] == before
    assert visitor.post(current).status_code == 303
    assert visitor.post(current, page="/sign-in").status_code == 422


def test_a_swapped_members_link_throws_out_only_whom_it_was_mailed_to(visit, told):
    """COM-02, COM-15: whoever presses it, whoever is signed in there."""
    hanako, kenichis = visit("facility", "hanako"), told("kenichi")
    kenichi = visit("facility", "kenichi")
    kenichis = told("kenichi")
    assert hanako.post(kenichis).status_code == 303
    assert [v.get("/facility/reservations").status_code for v in (hanako, kenichi)] == [200, 303]


def test_links_that_were_mailed_before_die_with_it(visit, told, mailed_link):
    """security.md §4.12: whoever had the mailbox open cannot use an older link afterwards."""
    older = mailed_link()
    assert visit().post(told()).status_code == 303
    assert visit().get(older).status_code == 422


def test_no_later_sign_in_kills_the_button_in_the_mail_about_an_earlier_one(visit, told, mails):
    """COM-14: whoever broke in would sign in again and again, and the owner's link would always be dead."""
    path = told()
    thieves = [visit("facility", "hanako") for _browser in range(3)]
    assert visit().post(path).status_code == 303
    assert [thief.get("/facility/reservations").status_code for thief in thieves] == [303] * 3
    for mail in mails():
        if mail.event == "sign_in":
            assert visit().get(path_in(mail)).status_code == 422, (
                "pressed once, all of them are used"
            )


def test_no_change_of_the_password_kills_the_button(visit, told, mails):
    """COM-12, COM-14: a thief who knows the password replaces it; the owner's way back stays."""
    path = told()
    thief = visit("facility", "hanako")
    stolen = {"old_password": PASSWORD} | {
        "password": "stolen-Leaf-58-x",
        "again": "stolen-Leaf-58-x",
    }
    assert thief.post("/account/password", stolen).location == "/"
    assert visit().post(path).status_code == 303
    assert thief.get("/facility/reservations").status_code == 303
    assert visit().sign_in("hanako", "stolen-Leaf-58-x").status_code == 422
    assert visit().post(path_in(mails()[-1]), TWICE).status_code == 303
    assert visit().sign_in("hanako", NEW).status_code == 303


def test_a_change_of_the_password_kills_the_links_that_set_one(visit, mailed_link):
    """COM-12, security.md §4.12: whoever asked for a reset before does not undo the change."""
    older = mailed_link()
    changed = {"old_password": PASSWORD} | TWICE
    assert visit("facility", "hanako").post("/account/password", changed).location == "/"
    assert visit().get(older).status_code == 422
