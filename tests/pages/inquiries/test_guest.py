"""COM-53: somebody who is not signed in asks; where the tenant allows it, once, and programs do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.core import clock
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.settings import ROOT, Settings
from portal.shared.inquiries import guests
from portal.shared.inquiries.models import Inquiry
from tests.cast import NOW

PAGE = "/inquiries/guest"
TYPED = {
    "name": "見学 希望子",
    "email": "ｇｕｅｓｔ@new.example",
    "body": "見学はできますか。\n<b>よろしく</b>",
    "agreed": "y",
}


@pytest.fixture
def settings(database_url: str, make_settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    """The facility brand lets guests write."""
    text = (ROOT / "tests" / "tenants.toml").read_text(encoding="utf-8")
    first = "[[tenants.facility.inquiries.categories]]"
    file = tmp_path / "tenants.toml"
    file.write_text(
        text.replace(first, f"[tenants.facility.inquiries]\nguests = true\n\n{first}", 1),
        encoding="utf-8",
    )
    return make_settings(database_url, home=tmp_path / "home", tenants_file=file)


def stamp_of(page: str) -> str:
    found = re.search(r'name="stamp"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def count(inside) -> int:
    with inside("facility"):
        return session().scalar(select(func.count(Inquiry.id))) or 0


@pytest.fixture
def opened(visit) -> tuple[Any, dict[str, str]]:
    """A guest with the form open, and what they type."""
    visitor = visit("facility")
    return visitor, TYPED | {"stamp": stamp_of(visitor.get(PAGE).text)}


def send(visitor: Any, typed: dict[str, str], *, seconds: float = 30, step: str = "send") -> Any:
    """Press a button so long after the form was opened."""
    with clock.freeze(NOW + timedelta(seconds=seconds)):
        return visitor.post(PAGE, typed | {"step": step}, page="/sign-in")


def test_a_guest_asks_in_three_steps_and_is_answered_by_mail(opened, inside, run):
    """COM-50, COM-53: shown for confirmation, kept on 戻る, received once; the answer's text stands in the mail."""
    visitor, typed = opened
    shown = send(visitor, typed, step="").text
    assert all(
        word in shown
        for word in ("見学 希望子", "guest@new.example", "&lt;b&gt;よろしく&lt;/b&gt;")
    )
    assert "True" not in shown
    assert "website" not in re.sub(r'<input type="hidden"[^>]*>', "", shown)
    back = send(visitor, typed, step="edit").text
    assert "見学はできますか。" in back
    assert stamp_of(back) == typed["stamp"]
    assert count(inside) == 0
    for _press in range(3):
        sent = send(visitor, typed)
        assert (sent.status_code, sent.location) == (303, f"{PAGE}/done")
    assert count(inside) == 1
    done_page = visitor.get(sent.location)
    assert done_page.status_code == 200
    with inside("facility"):
        made = session().scalars(select(Inquiry)).one()
        assert made.number in done_page.text, "COM-50: the receipt number on the done page"
        assert (made.account_id, made.member_id, made.name) == (None, None, "見学 希望子")
        number = made.number
    done = run.invoke(
        args=["inquiries", "answer", number, "--text", "できます。", "--tenant", "facility"]
    )
    assert done.exit_code == 0, done.output
    with inside("facility"):
        mails = session().scalars(select(OutboxMail).order_by(OutboxMail.id)).all()[-2:]
        assert [mail.recipient for mail in mails] == ["guest@new.example"] * 2
        assert "できます。" in mails[1].body
        assert not [mail for mail in mails if "/inquiries/" in mail.body]


def test_nothing_that_a_guest_typed_stands_in_the_mail_to_an_address_that_nobody_proved(
    opened, inside
):
    """COM-53, COM-81: the brand's name carries no words of strangers to others."""
    visitor, typed = opened
    evil = "今すぐ http://evil.example/win"
    assert send(visitor, typed | {"name": evil}).status_code == 303
    with inside("facility"):
        mail = (
            session()
            .scalars(select(OutboxMail).where(OutboxMail.event == "inquiry_received"))
            .one()
        )
        assert "evil" not in mail.subject + mail.body + mail.html
        assert "お客様" in mail.body


@pytest.mark.parametrize(
    ("seconds", "through"), [(2, False), (3, True), (86400, True), (86401, False), (-60, False)]
)
def test_a_form_is_sent_no_sooner_than_it_can_be_read_and_within_a_day(
    opened, inside, seconds, through
):
    """COM-53: a refusal keeps what was typed, and the next try goes through."""
    visitor, typed = opened
    answer = send(visitor, typed, seconds=seconds)
    assert (answer.status_code == 303) is through
    assert count(inside) == int(through)
    if not through:
        assert "もう一度お試しください" in answer.text
        assert "見学はできますか。" in answer.text
        again = typed | {"stamp": stamp_of(answer.text)}
        assert send(visitor, again, seconds=seconds + 10).status_code == 303


def test_stamps_are_ours_alone(opened, inside):
    """COM-53: made up, changed, or of the other brand."""
    visitor, typed = opened
    with inside("studio"):
        foreign = guests.stamp()
    own = typed["stamp"]
    for stamp in (
        "",
        "x",
        "--",
        "0-0-0",
        own[:-1] + ("0" if own[-1] != "0" else "1"),
        f"9{own}",
        "𠮷",
        foreign,
    ):
        assert send(visitor, typed | {"stamp": stamp}).status_code == 422
    assert count(inside) == 0


def test_what_fills_in_the_unseen_field_is_thanked_and_forgotten(opened, inside):
    """COM-53: a program learns nothing."""
    visitor, typed = opened
    answer = send(visitor, typed | {"website": "http://spam.example"})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/done")
    assert "受付番号" not in visitor.get(answer.location).text
    assert count(inside) == 0


def test_one_address_does_not_flood_the_desk(visit, inside):
    """COM-53: five a day by one mail address, ten an hour from one network address."""
    visitor = visit("facility")

    def once(email: str) -> int:
        typed = TYPED | {"email": email, "stamp": stamp_of(visitor.get(PAGE).text)}
        return int(send(visitor, typed).status_code)

    assert [once("one@new.example") for _ in range(6)] == [303] * 5 + [429]
    assert [once(f"n{turn}@new.example") for turn in range(6)] == [303] * 5 + [429]
    assert count(inside) == 10


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "入力してください。"),
        ({"email": "x"}, "メールアドレス"),
        ({"body": " "}, "入力してください。"),
        ({"agreed": ""}, "同意が必要です。"),
    ],
)
def test_what_is_wrong_is_said_and_kept(opened, inside, change, said):
    """COM-23: at the confirm step and at the last one."""
    visitor, typed = opened
    typed = {name: value for name, value in (typed | change).items() if value}
    for step in ("", "send"):
        answer = send(visitor, typed, step=step)
        assert answer.status_code == 422
        assert said in answer.text
    assert count(inside) == 0


def test_where_guests_are_not_allowed_there_is_no_page(visit):
    """COM-03, COM-53: nor a way to it; where they are, the sign-in page leads there."""
    assert visit("studio").get(PAGE).status_code == 404
    assert PAGE not in visit("studio").get("/sign-in").text
    assert PAGE in visit("facility").get("/sign-in").text
    assert visit("facility").get(f"{PAGE}?category=change").status_code == 200


def test_the_receipt_number_is_shown_to_the_browser_that_sent_alone(opened, visit, inside):
    """COM-50, COM-02: the done page has one address, which tells a stranger nothing."""
    visitor, typed = opened
    send(visitor, typed)
    with inside("facility"):
        number = session().scalars(select(Inquiry.number)).one()
    assert number in visitor.get(f"{PAGE}/done").text
    assert number not in visit("facility").get(f"{PAGE}/done").text
    assert number not in visit("studio").get(f"{PAGE}/done").text
