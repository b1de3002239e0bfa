"""The mailed link that sets a password: used by its button, once, in time, by whom it was made for (COM-12)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.outbox import OutboxMail
from portal.core.signer import digest
from portal.shared.accounts.models import AccountStatus, Member, MemberStatus
from portal.shared.auth import links
from portal.shared.auth.models import MemberSession, OneTimeLink
from tests.cast import NOW, PASSWORD

NEW = "brand-New-Leaf-58"
TWICE = {"password": NEW, "again": NEW}
DEAD = "このリンクは無効か、期限が切れています。"
DAYS = links.INVITATION


def test_the_operators_link_sets_a_password_and_ends_all_sessions(visit, mailed_link, rows):
    """COM-12, COM-15: the old password is over, and so is whoever was signed in with it."""
    before, path, guest = visit("facility", "hanako"), mailed_link(), visit()
    page = guest.get(path)
    assert page.status_code == 200
    assert page.text.count('autocomplete="new-password"') == 2
    answer = guest.post(path, TWICE)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "新しいパスワードでログインしてください。" in guest.get("/sign-in").text
    assert guest.get("/facility/reservations").status_code == 303  # setting it is no sign-in
    assert before.get("/facility/reservations").status_code == 303
    assert all(row.ended_at == NOW for row in rows(MemberSession))
    assert visit().sign_in("hanako", PASSWORD).status_code == 422
    assert visit().sign_in("hanako", NEW).status_code == 303
    assert visit().sign_in("kenichi", PASSWORD).status_code == 303
    assert visit("studio").sign_in("hanako", PASSWORD).status_code == 303


def test_the_link_is_made_from_the_configuration_and_kept_as_a_digest(mailed_link, rows):
    """security.md §4.8, §4.12: 256 bits, hashed; the mail goes to the member's own address."""
    token = mailed_link().rpartition("/")[2]
    (row,), mail = rows(OneTimeLink), rows(OutboxMail)[-1]
    assert len(token) >= 43
    assert row.token_digest == digest(token)
    assert (row.expires_at, row.used_at) == (NOW + DAYS, None)
    assert mail.recipient == "hanako@one.example"
    assert f"http://facility.localhost/set-password/{token}" in mail.body
    assert token in mail.html
    assert "2026/11/26(木) 10:00" in mail.body


def test_the_page_gives_its_address_to_nobody(visit, mailed_link):
    """security.md §4.12, §4.20: not by Referer, not by a cache, not by a form of its own."""
    answer = visit().get(mailed_link())
    assert '<meta name="referrer" content="no-referrer">' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_scanner_that_opens_the_link_uses_nothing_up(visit, mailed_link, rows):
    """security.md §4.10, §4.12: mail scanners GET and HEAD every link before its reader does."""
    path = mailed_link()
    for _ in range(3):
        assert visit().get(path).status_code == 200
        assert visit().client.head(path, base_url="http://facility.localhost").status_code == 200
    assert rows(OneTimeLink)[0].used_at is None
    assert visit().post(path, TWICE).status_code == 303


def test_a_link_works_once(visit, mailed_link):
    """COM-12: also for who had the page open already."""
    path, late = mailed_link(), visit()
    token = late.token(path)
    assert visit().post(path, TWICE).status_code == 303
    other = {"password": "Another-leaf-77", "again": "Another-leaf-77"}
    answers = [visit().get(path), late.post(path, {**other, "csrf_token": token}, page="/sign-in")]
    for answer in answers:
        assert answer.status_code == 422
        assert DEAD in answer.text
    assert visit().sign_in("hanako", NEW).status_code == 303
    assert visit().sign_in("hanako", "Another-leaf-77").status_code == 422


def test_a_link_dies_at_its_hour(visit, mailed_link):
    """COM-12: alive to the last second, dead at the hour that the mail names."""
    path = mailed_link()
    with clock.freeze(NOW + DAYS - timedelta(seconds=1)):
        assert visit().get(path).status_code == 200
    with clock.freeze(NOW + DAYS):
        for answer in (visit().get(path), visit().post(path, TWICE, page="/sign-in")):
            assert (answer.status_code, DEAD in answer.text) == (422, True)


def test_a_newer_link_is_the_only_one_alive(visit, mailed_link):
    """security.md §4.12: one alive; a colleague's link is another matter."""
    first, colleagues, second = mailed_link("hanako"), mailed_link("kenichi"), mailed_link("hanako")
    assert first != second
    assert [visit().get(path).status_code for path in (first, colleagues, second)] == [
        422,
        200,
        200,
    ]
    assert visit().post(first, TWICE, page="/sign-in").status_code == 422
    assert visit().post(second, TWICE).status_code == 303
    assert visit().get(colleagues).status_code == 200


def test_another_brands_link_is_dead_here(visit, mailed_link):
    """COM-02: and stays alive where it belongs."""
    path = mailed_link("hanako", "studio")
    here = visit("facility")
    assert here.get(path).status_code == 422
    assert here.post(path, TWICE, page="/sign-in").status_code == 422
    assert visit("studio").post(path, TWICE).status_code == 303
    assert visit("facility").sign_in("hanako", PASSWORD).status_code == 303


def test_a_changed_token_is_dead_and_never_a_crash(visit, mailed_link):
    """security.md §4.12: every kind of wrong gets one answer."""
    path = mailed_link()
    token = path.rpartition("/")[2]
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    wrong = (flipped, token.swapcase(), token + "x", "x", "%FF", "é" * 300, digest(token))
    pages = [visit().get(f"/set-password/{other}") for other in wrong]
    assert {page.status_code for page in pages} == {422}
    assert all(DEAD in page.text for page in pages)
    for nothing in ("", "%00", "a/b"):
        assert visit().get(f"/set-password/{nothing}").status_code == 404
    assert visit().get(path).status_code == 200


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"password": "", "again": ""}, "入力してください。"),
        ({"password": NEW, "again": NEW.lower()}, "パスワードが一致しません。"),
        ({"password": NEW, "again": ""}, "入力してください。"),
        ({"password": "short-1", "again": "short-1"}, "12文字以上"),
        ({"password": "x7-Qw!4r" * 17, "again": "x7-Qw!4r" * 17}, "128文字以内"),
        ({"password": "My-password-2026", "again": "My-password-2026"}, "推測されやすい"),
        ({"password": "xx-HANAKO-2026-q", "again": "xx-HANAKO-2026-q"}, "ログインIDを含む"),
    ],
)
def test_a_password_that_may_not_be_set_leaves_the_link_alive(
    visit, mailed_link, rows, typed, said
):
    """COM-11, COM-12: told at the field, what was typed is not shown, and there is another try."""
    path, guest = mailed_link(), visit()
    answer = guest.post(path, typed)
    assert answer.status_code == 422
    assert said in answer.text
    assert not typed["password"] or typed["password"] not in answer.text
    assert 'id="password-e"' in answer.text or 'id="again-e"' in answer.text
    assert rows(OneTimeLink)[0].used_at is None
    assert guest.post(path, TWICE).status_code == 303


def test_without_the_forms_token_nothing_is_set(visit, mailed_link, rows):
    """security.md §4.9"""
    path, guest = mailed_link(), visit()
    assert guest.client.post(path, base_url=guest.base, data=TWICE).status_code == 400
    assert rows(OneTimeLink)[0].used_at is None


def test_a_forced_change_is_done_with_once_the_link_was_used(visit, alter, mailed_link):
    """COM-12: who chose a password through the link need not choose again."""
    alter("hanako", must_change_password=True)
    visit().post(mailed_link(), TWICE)
    visitor = visit()
    visitor.sign_in("hanako", NEW)
    assert visitor.get("/").status_code == 200


def test_a_new_member_comes_in_by_their_first_link(visit, run, rows):
    """COM-12, OPS-13: invited with no password, for three days."""
    words = [
        "members",
        "add",
        "C000001",
        "森",
        "進",
        "susumu@one.example",
        "--login-id",
        "ｓｕｓｕｍｕ",
    ]
    assert run.invoke(args=[*words, "--tenant", "facility"]).exit_code == 0
    mail = rows(OutboxMail)[-1]
    path = mail.body.partition("http://facility.localhost")[2].split()[0]
    assert mail.recipient == "susumu@one.example"
    assert rows(Member)[-1].password_hash == ""
    assert visit().post(path, TWICE).status_code == 303
    assert visit().sign_in("susumu", NEW).status_code == 303


@pytest.mark.parametrize(
    "lost",
    [
        {"status": MemberStatus.LOCKED},
        {"status": MemberStatus.REMOVED},
        {"account": {"status": AccountStatus.WITHDRAWN}},
    ],
)
def test_who_may_not_sign_in_any_more_has_no_link_either(visit, alter, mailed_link, rows, lost):
    """COM-15, COM-16: a link mailed before the removal leads nowhere, also when its page is open."""
    path, guest = mailed_link(), visit()
    token = guest.token(path)
    before = [member.password_hash for member in rows(Member)]
    alter("hanako", **lost)
    for answer in (
        guest.get(path),
        guest.post(path, {**TWICE, "csrf_token": token}, page="/sign-in"),
    ):
        assert (answer.status_code, DEAD in answer.text) == (422, True)
    assert [member.password_hash for member in rows(Member)] == before
    assert rows(OneTimeLink)[0].used_at is None


def test_the_rules_stand_beside_the_field_and_tell_nothing_of_the_member(visit, mailed_link):
    """COM-11: the list is there without scripts; who holds the link learns neither name nor login ID from the rules."""
    page = visit().get(mailed_link()).text
    assert page.index('id="password"') < page.index("12文字以上") < page.index('id="again"')
    assert "ログインIDを含めない" in page
    rules = page[page.index("data-password-rules") : page.index('id="again"')]
    assert "hanako" not in rules.casefold()
