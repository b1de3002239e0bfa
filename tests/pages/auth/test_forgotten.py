"""Forgotten passwords: one answer for everybody, a mail for whom it concerns (COM-12, SHOP-02, RENT-06)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.outbox import OutboxMail
from portal.core.signer import digest
from portal.shared.accounts.models import AccountStatus, MemberStatus
from portal.shared.auth import links
from portal.shared.auth.models import Device, OneTimeLink, Throttle
from tests.cast import NOW, PASSWORD
from tests.support.timing import assert_alike, assert_same_work

NEW = "brand-New-Leaf-58"
TWICE = {"password": NEW, "again": NEW}
DEAD = "このリンクは無効か、期限が切れています。"
PAGE, SENT = "/forgotten-password", "/forgotten-password/sent"
HANAKO = {"login_id": "hanako", "email": "hanako@one.example"}
NOBODY = {"login_id": "nobody", "email": "nobody@one.example"}
PHONE = {"telephone": "03-0000-1001"}
BY_MAIL = pytest.mark.parametrize("sign_in_rules", ['items = "login_id_password", forgot = "mail"'])
BY_PHONE = pytest.mark.parametrize(
    "sign_in_rules", ['items = "login_id_password", forgot = "mail_phone"']
)


@pytest.fixture
def sent(rows):
    """The mails of resetting, newest last."""
    return lambda tenant="facility": [
        m for m in rows(OutboxMail, tenant) if m.event == "reset_password"
    ]


@pytest.fixture
def reset_link(visit, sent):
    """Ask for a link; returns its path."""

    def ask(typed=HANAKO, tenant="facility"):
        assert visit(tenant).post(PAGE, typed).status_code == 303
        return "/set-password/" + re.findall(r"/set-password/(\S+)", sent(tenant)[-1].body)[0]

    return ask


@BY_MAIL
def test_a_member_asks_for_a_link_and_comes_in_with_a_new_password(visit, reset_link, sent, rows):
    """COM-12, COM-15, RENT-06: from the sign-in page to the mail about it, with the old password and devices over."""
    before, visitor = visit("facility", "hanako"), visit()
    assert f'href="{PAGE}"' in visitor.get("/sign-in").text
    path = reset_link()
    assert visit().post(path, TWICE).headers["Location"] == "/sign-in"
    assert before.get("/facility/reservations").status_code == 303
    assert visit().sign_in("hanako", PASSWORD).status_code == 422
    assert all(device.revoked_at for device in rows(Device)), (
        "a reset never skips the second step (§4.12)"
    )
    assert visit().sign_in("hanako", NEW).status_code == 303
    (mail,) = sent()
    assert (mail.recipient, mail.subject) == (
        "hanako@one.example",
        "【試験設備】パスワード再設定のご案内",
    )
    assert [m.event for m in rows(OutboxMail)].count("password_changed") == 1


@BY_MAIL
def test_the_link_lives_thirty_minutes_once_and_only_the_newest(visit, reset_link, rows):
    """security.md §4.8, §4.12: 256 bits, kept as a digest, made from the configuration."""
    first, second = reset_link(), reset_link()
    token = second.rpartition("/")[2]
    row = rows(OneTimeLink)[-1]
    assert (row.token_digest, row.expires_at) == (digest(token), NOW + timedelta(minutes=30))
    assert f"http://facility.localhost/set-password/{token}" in rows(OutboxMail)[-1].body
    assert [visit().get(path).status_code for path in (first, second)] == [422, 200]
    with clock.freeze(NOW + links.LIFETIME):
        assert visit().get(second).status_code == 422
    assert visit().post(second, TWICE).status_code == 303
    assert visit().post(second, TWICE, page="/sign-in").status_code == 422


@BY_MAIL
@pytest.mark.parametrize(
    "lost",
    [
        {"status": MemberStatus.LOCKED},
        {"status": MemberStatus.REMOVED},
        {"account": {"status": AccountStatus.WITHDRAWN}},
    ],
)
def test_who_may_not_sign_in_is_answered_like_everybody_and_gets_no_mail(
    visit, alter, sent, rows, lost
):
    """security.md §4.2: status, headers and body are those of a real request; nothing is left in the database."""
    others = (
        NOBODY,
        HANAKO | {"email": "kenichi@one.example"},
        NOBODY | {"email": HANAKO["email"]},
    )
    answers = [settled(visit(), typed) for typed in (HANAKO, *others)]
    kept = (len(sent()), len(rows(OneTimeLink)))
    alter("hanako", **lost)
    answers.append(settled(visit(), HANAKO))
    assert all(answer == answers[0] for answer in answers)
    assert kept == (len(sent()), len(rows(OneTimeLink))) == (1, 1)
    assert rows(OneTimeLink)[0].used_at is None, "whoever stood in for nobody keeps what they had"


def settled(visitor, typed):
    """Everything of an answer and the page it leads to, save what differs for each request."""
    answer = visitor.post(PAGE, typed)
    page = visitor.get(answer.headers["Location"])
    noise = {"X-Request-Id", "Set-Cookie", "Content-Length"}
    body = re.sub(r'(name="csrf_token" value="|Token": ")[^"]*', r"\1", page.text)
    return answer.status_code, [h for h in answer.headers if h[0] not in noise], answer.text, body


@BY_PHONE
@pytest.mark.parametrize(
    ("typed", "gets"),
    [
        ("03-0000-1001", True),
        ("０３００００１００１", True),
        ("03ー0000ー1001", True),
        ("090-1111-2222", True),
        ("03-0000-1002", False),
    ],
)
def test_a_wrong_telephone_is_answered_alike_without_a_mail(visit, alter, sent, typed, gets):
    """SHOP-02: the member's own or the company's, hyphens and full-width digits ignored."""
    alter("hanako", telephone="09011112222")
    answer = visit().post(PAGE, {**HANAKO, "telephone": typed})
    assert (answer.status_code, answer.headers["Location"]) == (303, SENT)
    assert len(sent()) == gets


@BY_PHONE
def test_a_telephone_that_is_not_registered_is_nobodys(visit, alter, sent):
    """SHOP-02, COM-23: an empty field is told; no telephone on record never counts as the right one."""
    alter("hanako", telephone="", account={"telephone": ""})
    empty = visit().post(PAGE, HANAKO)
    assert (empty.status_code, 'id="telephone-e"' in empty.text) == (422, True)
    assert visit().post(PAGE, {**HANAKO, **PHONE}).status_code == 303
    assert sent() == []


@BY_PHONE
def test_the_link_alone_is_not_enough_where_the_telephone_is_asked_for(visit, reset_link, rows):
    """SHOP-02: the present e-mail too; a wrong one is one calm error, and the link stays alive."""
    path = reset_link({**HANAKO, **PHONE})
    for email in ("kenichi@one.example", "hanako@two.example"):
        answer = visit().post(path, {**TWICE, "email": email})
        assert answer.status_code == 422
        assert "入力内容に誤りがあります。もう一度ご確認ください。" in answer.text
    assert visit().post(path, TWICE).status_code == 422
    assert visit().sign_in("hanako", PASSWORD).status_code == 303
    assert visit().post(path, {**TWICE, "email": "Ｈanako@One.example"}).status_code == 303
    assert visit().sign_in("hanako", NEW).status_code == 303


@pytest.mark.parametrize("sign_in_rules", ['items = "email_password", forgot = "mail"'])
def test_where_the_address_is_the_name_only_the_address_is_asked_for(visit, alter, sent):
    """COM-10, COM-12"""
    alter("hanako", login_key="hanako@one.example")
    page = visit().get(PAGE).text
    assert ('name="email"' in page, 'name="login_id"' in page, 'name="telephone"' in page) == (
        True,
        False,
        False,
    )
    visit().post(PAGE, {"email": "HANAKO@one.example"})
    assert [mail.recipient for mail in sent()] == ["hanako@one.example"]


def test_where_an_operator_resets_the_page_says_whom_to_call_and_takes_no_form(visit, sent, rows):
    """COM-12: "ask the operator" has no form, no link to one, and nothing to send it to."""
    visitor = visit()
    page = visitor.get(PAGE)
    assert page.status_code == 200
    assert "03-0000-0001" in page.text
    assert 'name="email"' not in page.text
    assert f'href="{PAGE}"' not in visitor.get("/sign-in").text
    assert visitor.post(PAGE, HANAKO, page="/sign-in").status_code == 404
    assert visitor.get(SENT).status_code == 404
    assert rows(Throttle) == sent() == []


@BY_MAIL
def test_asking_too_often_waits_for_known_and_unknown_alike(visit, sent):
    """security.md §4.5: five an hour for each name, the tenant's limit for each address; 429 and Retry-After."""
    outcomes = {}
    for typed, network in ((HANAKO, "192.0.2."), (NOBODY, "198.51.100.")):
        visitor = visit()
        answers = [
            visitor.post(PAGE, typed, environ_base={"REMOTE_ADDR": f"{network}{turn}"})
            for turn in range(7)
        ]
        outcomes[network] = [(a.status_code, a.headers.get("Retry-After")) for a in answers]
        assert "試行回数が多すぎます。" in answers[-1].text
        assert f'value="{typed["email"]}"' in answers[-1].text
    assert (
        outcomes["192.0.2."] == outcomes["198.51.100."] == [(303, None)] * 5 + [(429, "3600")] * 2
    )
    assert len(sent()) == 5
    one, sprayed = visit(), [{"login_id": f"m{n}", "email": f"m{n}@one.example"} for n in range(11)]
    assert [one.post(PAGE, typed).status_code for typed in sprayed] == [303] * 10 + [429]


@BY_PHONE
def test_the_answer_takes_the_same_time_whoever_is_named(visit, sent):
    """security.md §4.2: medians for known, unknown and wrong telephone, measured in turns."""
    kinds = {
        "known": {**HANAKO, **PHONE},
        "unknown": {**NOBODY, **PHONE},
        "wrong": {**HANAKO, "telephone": "0300001002"},
    }
    visitor = visit()
    token = visitor.token(PAGE)

    def ask(kind: str, turn: int) -> None:
        with clock.freeze(NOW + timedelta(hours=2 * turn + 1)):
            data = {"csrf_token": token, **kinds[kind]}
            assert visitor.client.post(PAGE, base_url=visitor.base, data=data).status_code == 303

    turns = assert_alike(kinds, ask, 1.3)
    assert len(sent()) == turns
    assert_same_work(visitor.client.application, kinds, ask)


@BY_MAIL
def test_links_of_another_brand_or_for_another_person_open_nothing_here(visit, reset_link, rows):
    """COM-02, security.md §4.12: a swapped tenant is a dead link; a colleague's link sets the colleague's password."""
    twins = reset_link(HANAKO, "studio")
    for answer in (visit().get(twins), visit().post(twins, TWICE, page="/sign-in")):
        assert (answer.status_code, DEAD in answer.text) == (422, True)
    own = reset_link()
    other = reset_link({"login_id": "kenichi", "email": "kenichi@one.example"})
    signed_in_as_hanako = visit("facility", "hanako")
    assert signed_in_as_hanako.post(other, TWICE).status_code == 303
    assert visit().sign_in("kenichi", NEW).status_code == 303
    assert visit().sign_in("hanako", NEW).status_code == 422
    assert visit().get(own).status_code == 200, "hanako's own link is as alive as before"
    assert visit().get(own.replace("set-password", "not-me")).status_code == 422, "another purpose"
    assert visit("studio").post(twins, TWICE).status_code == 303


@BY_MAIL
def test_a_form_without_its_token_and_a_get_ask_for_nothing(visit, sent, rows):
    """security.md §4.9, §4.10"""
    visitor = visit()
    visitor.get(f"{PAGE}?login_id=hanako&email=hanako@one.example")
    assert visitor.client.post(PAGE, base_url=visitor.base, data=HANAKO).status_code == 400
    assert rows(Throttle) == rows(OneTimeLink) == sent() == []
