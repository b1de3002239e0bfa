"""Mails as their readers get them: in the brand's name, plain and HTML alike, with names and numbers (COM-81)."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from jinja2 import TemplateNotFound, UndefinedError
from sqlalchemy import select

from portal.core import clock
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.settings import ROOT
from portal.shared import mailing
from portal.shared.accounts.models import Account

TEMPLATES = ROOT / "portal/templates/emails"
EVENTS = sorted(path.stem for path in TEMPLATES.glob("[a-z]*.txt"))
AT = clock.local(2026, 12, 31, 23, 59)
LINK = "http://facility.localhost/set-password/abc-DEF_123"
RESERVATION = SimpleNamespace(
    number="FR000123",
    facility_name="レーザー加工機",
    starts_at=AT,
    ends_at=clock.local(2027, 1, 1, 2),
    total=1234567,
    due_date=date(2027, 2, 28),
    paid_at=None,
    account_id=None,
    billing=SimpleNamespace(name="株式会社髙﨑精機"),
    contact=SimpleNamespace(name="吉田 花子"),
)
INVOICE = SimpleNamespace(
    number="FI000123",
    account_id=None,
    contact=SimpleNamespace(name="吉田 花子"),
    closed_on=date(2026, 12, 31),
    due_on=date(2027, 1, 31),
    total=1234567,
    balance=1000,
)
NAMELESS = {"registration", "registered_already", "announcement", "mail_declined"}
"""Anybody may have these sent to anybody: nothing that was typed stands in them."""
CONTEXT: dict[str, Any] = {
    "member": SimpleNamespace(name="髙﨑 花子", account_id=None),
    "at": AT,
    "until": AT,
    "link": LINK,
    "label": "仕事場のPC",
    "subject": "ご請求金額確定のお知らせ",
    "sentence": "ご請求金額が確定しました。",
    "reservation": RESERVATION,
    "invoice": INVOICE,
    "about": "FR000123",
    "browser": "Browser/1.0",
    "is_new": True,
    "code": "012345",
    "what": "totp",
    "new": "new@one.example",
    "old": "old@one.example",
    "contract": SimpleNamespace(number="CT00000001", product_label="業務", account_id=None),
    "contact": SimpleNamespace(person="髙﨑 花子", account_id=None),
    "addressee": "髙﨑 花子",
    "main": "髙﨑 健一",
    "inquiry": SimpleNamespace(
        number="IQ00000001",
        name="髙﨑 花子",
        label="その他お問合せ",
        about="FR000123",
        account_id=None,
    ),
    "text": "承りました。",
    "address": SimpleNamespace(name="経理センター", kind="billing"),
    "lines": [SimpleNamespace(said="ご予約 FR000123", link=LINK)],
    "document": SimpleNamespace(number="FI000001", kind=SimpleNamespace(label="請求書")),
    "who": SimpleNamespace(name="髙﨑 花子", account_name="株式会社髙﨑精機"),
    "sign_in": "http://facility.localhost/sign-in",
    "representative": "髙﨑 花子",
    "article": SimpleNamespace(title="打刻の修正", published_at=AT, updated_at=AT),
    "stop": "http://facility.localhost/knowledge/unfollow/1-KB0001-abc",
    "title": "停止のお知らせ",
    "names": [("ログインID", "hanako"), ("メールアドレス", "hanako@one.example")],
    "company": "株式会社髙﨑精機",
    "inviter": "髙﨑 健一",
    "person": SimpleNamespace(name="髙﨑 健一", email="kenichi@one.example"),
    "given": ["請求・帳票"],
    "taken": ["お問い合わせ"],
    "author": "髙﨑 花子",
    "may_see_amounts": True,
}


@pytest.fixture
def compose(app, inside):
    """Compose a mail of an event at a brand."""

    def make(event: str, brand: str = "facility", **changes: Any) -> OutboxMail:
        tenant = app.extensions["tenants"].current().by_key[brand]
        with inside(brand):
            mail = mailing.compose(
                tenant, event, "reader@one.example", account_id=1, **CONTEXT | changes
            )
            session().expunge(mail)
            return mail

    return make


def words(html: str) -> str:
    """What is read of an HTML mail, blanks aside."""
    return re.sub(
        r"\s", "", unescape(re.sub(r"<(head|style).*?</\1>|<[^>]+>", "", html, flags=re.DOTALL))
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("event", EVENTS)
def test_every_mail_is_the_brands_own_and_says_the_same_in_both_forms(compose, event):
    """COM-04, COM-81: sender, subject, whom to call; each line of the plain text stands in the HTML too."""
    mail = compose(event)
    assert (mail.sender, mail.sender_name) == ("noreply@facility.example", "試験設備")
    assert (mail.recipient, mail.event, mail.account_id) == ("reader@one.example", event, 1)
    assert mail.subject.startswith("【試験設備】")
    assert "\n" not in mail.subject
    letter, _rule, signature = mail.body.partition("────")
    assert "試験設備 お客様窓口" in signature
    assert "TEL 03-0000-0001（平日 9:00–18:00）" in signature
    assert "TEL 03-0000-0001（平日 9:00–18:00）" in mail.html
    read = words(mail.html)
    for line in filter(None, (re.sub(r"\s", "", line) for line in letter.splitlines())):
        assert line in read, line
    assert not re.search(r"\n{3,}", mail.body), "no holes where something was left out"
    assert not re.search(r"\{[{%]|None", mail.subject + mail.body + mail.html)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_letter_is_one_file_and_no_other_is_there(compose):
    """COM-81: its first line is the subject; the HTML form is made of the same text."""
    shared = {"_layout.html", "_not_you.txt", "_signature.txt"}
    assert {path.name for path in TEMPLATES.iterdir()} == shared | {
        f"{event}.txt" for event in EVENTS
    }
    with pytest.raises(TemplateNotFound):
        compose("no_such_event")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_reservations_mail_has_its_numbers(compose):
    """FAC-12: number, machine, both instants in Japan's time, the amount with commas, the last day to pay."""
    mail = compose("reservation_status")
    assert mail.subject == "【試験設備】ご請求金額確定のお知らせ（FR000123）"
    for part in (
        "吉田 花子 様",
        "■予約番号\nFR000123",
        "2026/12/31(木) 23:59〜2027/01/01(金) 02:00",
        "■お支払期限\n2027/02/28(日)\n期限までにお支払いください。",
        f"■ご予約の詳細\n{LINK}",
    ):
        assert part in mail.body
    assert re.search(r"■ご請求金額（税込）\n.*1,234,567", mail.body)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_reservations_mail_says_nothing_of_money_before_there_is_an_amount(compose):
    """FAC-12: nor of a last day to pay while there is none."""
    open_ = compose(
        "reservation_status", reservation=SimpleNamespace(**vars(RESERVATION) | {"total": None})
    )
    assert "■ご請求金額" not in open_.body + open_.html
    unlimited = SimpleNamespace(**vars(RESERVATION) | {"due_date": None, "total": 0})
    free = compose("reservation_status", reservation=unlimited)
    assert "■ご請求金額" in free.body, "an amount of nothing is an amount"
    assert "■お支払期限" not in free.body + free.html


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_link_is_whole_in_both_forms_and_says_until_when(compose):
    """COM-81: one line of its own, so that no reader's program breaks it."""
    mail = compose("set_password")
    assert f"\n{LINK}\n" in mail.body
    assert f'<a href="{LINK}">{LINK}</a>' in mail.html
    assert "2026/12/31(木) 23:59" in mail.body


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("event", sorted({*EVENTS} - NAMELESS))
def test_a_name_is_text_wherever_it_stands(compose, event):
    """Security: markup in a name is not markup in the HTML, and stays as typed in the plain text."""
    evil = '<img src=x onerror="alert(1)">&'
    people = SimpleNamespace(name=evil, account_id=None)
    reservation = SimpleNamespace(**vars(RESERVATION) | {"contact": people, "billing": people})
    inquiry = SimpleNamespace(**vars(CONTEXT["inquiry"]) | {"name": evil, "about": ""})
    invoice = SimpleNamespace(**vars(INVOICE) | {"contact": people})
    who = SimpleNamespace(name=evil, account_name=evil)
    mail = compose(
        event,
        member=people,
        reservation=reservation,
        inquiry=inquiry,
        invoice=invoice,
        who=who,
        contact=SimpleNamespace(person=evil, account_id=None),
        addressee=evil,
    )
    assert "<img" not in mail.html
    assert "&lt;img src=x onerror=" in mail.html
    assert evil in mail.body


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_subject_is_one_line_whatever_is_put_into_it(compose):
    """Security: no header can be added through a label."""
    mail = compose("reservation_status", subject="確定\r\nBcc: all@evil.example\n")
    assert mail.subject == "【試験設備】確定 Bcc: all@evil.example （FR000123）"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_missing_stops_the_mail_instead_of_leaving_a_hole(app, inside):
    """COM-81: a mail without its link would be worse than none."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"), pytest.raises(UndefinedError):
        mailing.compose(tenant, "set_password", "r@one.example", member=CONTEXT["member"], until=AT)


def test_a_mail_waits_in_its_own_brands_outbox_with_a_name_of_its_own(compose, inside, app):
    """COM-02, COM-80: the other brand's name, address and telephone; two mails are never the same mail."""
    first, second = compose("sign_in", "studio"), compose("sign_in", "studio")
    assert (first.sender, first.subject) == (
        "noreply@studio.example",
        "【試験スタジオ】ログインのお知らせ",
    )
    assert "03-0000-0002" in first.body
    assert "試験設備" not in first.body + first.html
    assert first.message_id != second.message_id
    assert re.fullmatch(r"<[0-9a-f]{32}@studio\.example>", first.message_id)
    tenant = app.extensions["tenants"].current().by_key["studio"]
    with inside("studio"):
        stored = mailing.compose(tenant, "sign_in", "reader@one.example", **CONTEXT)
        session().commit()
        assert (stored.status, stored.due_at) == ("waiting", clock.now())
    with inside("facility"):
        assert session().query(OutboxMail).filter_by(event="sign_in").count() == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("telephone", "hours", "line"),
    [("", "", ""), ("", "平日", ""), ("03-0000-0001", "", "TEL 03-0000-0001")],
)
def test_a_mail_names_no_telephone_that_there_is_not(
    app: Flask, inside: Any, telephone: str, hours: str, line: str
) -> None:
    """COM-81, OPS-01: a brand of five lines has none; nothing is left of the line, no brackets either."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    contact = tenant.contact.model_copy(update={"telephone": telephone, "hours": hours})
    brand = tenant.model_copy(update={"contact": contact})
    with inside("facility"):
        mail = mailing.compose(brand, EVENTS[0], "reader@one.example", account_id=1, **CONTEXT)
        signature = mail.body.partition("────")[2].splitlines()
        html = mail.html
        session().rollback()
    after = signature[signature.index("試験設備 お客様窓口") + 1]
    assert after == line or (not line and after.startswith("メール "))
    assert (line in html, "（）" in html, "TEL" in html) == (True, False, bool(line))


@pytest.mark.parametrize("account_name", ["株式会社髙﨑精機", "吉田　花子", ""])
def test_a_letter_is_addressed_to_the_company_and_the_person(
    inside: Any, account_name: str
) -> None:
    """COM-81: 会社名 and 担当者名 様; an individual is named once, and so is who has no account."""
    with inside("facility"):
        account = session().scalars(select(Account)).first()
        assert account is not None
        account.name = account_name
        expected = "吉田 花子 様"
        if account_name.startswith("株式会社"):
            expected = "株式会社髙﨑精機\n吉田 花子 様"
        assert mailing.greeting(account.id, "吉田 花子") == expected
        assert mailing.greeting(None, "吉田 花子") == "吉田 花子 様"
        session().rollback()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_paid_is_not_asked_for_again(compose):
    """FAC-12: the mail about a payment names no last day to pay."""
    paid = SimpleNamespace(**vars(RESERVATION) | {"paid_at": AT})
    assert "■お支払期限" not in compose("reservation_status", reservation=paid).body


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("event", EVENTS)
def test_mails_use_one_word_and_one_way_to_write_a_date(compose, event):
    """COM-81: お心当たりのない, お問い合わせ, 2026/12/31(木); 以下 and 下記 name what is there."""
    text = compose(event, inquiry=SimpleNamespace(**vars(CONTEXT["inquiry"]) | {"label": "x"}))
    read = text.subject + text.body
    assert "当たりがない" not in read
    assert "問合せ" not in read
    assert not re.search(r"\d{4}/\d{2}/\d{2}(?!\([月火水木金土日]\))", read)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("event", ["password_changed", "passkey_changed", "second_factor_changed"])
@pytest.mark.parametrize(("forgot", "is_offered"), [("mail", True), ("operator", False)])
def test_who_did_not_change_it_is_led_to_a_new_password(
    app: Flask, inside: Any, event: str, forgot: str, is_offered: bool
) -> None:
    """COM-81, COM-12: where the brand lets members reset a password by themselves."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    sign_in = tenant.sign_in.model_copy(update={"forgot": forgot})
    brand = tenant.model_copy(update={"sign_in": sign_in})
    with inside("facility"):
        mail = mailing.compose(brand, event, "reader@one.example", account_id=1, **CONTEXT)
        assert ("/forgotten-password" in mail.body) is is_offered
        assert "下記までご連絡ください" in mail.body
        session().rollback()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("inbound", "is_one_way"), [("", True), ("in@facility.example", False)])
def test_a_mail_that_can_be_answered_does_not_say_that_nobody_reads_answers(
    app: Flask, inside: Any, inbound: str, is_one_way: bool
) -> None:
    """COM-81, SUP-12: and every signature leads to the my page."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    sender = tenant.mail.model_copy(update={"inbound": inbound})
    brand = tenant.model_copy(update={"mail": sender})
    with inside("facility"):
        mail = mailing.compose(brand, "sign_in", "reader@one.example", account_id=1, **CONTEXT)
        assert ("送信専用" in mail.body) is is_one_way
        assert f"マイページ {brand.base_url}/\n" in mail.body
        session().rollback()
