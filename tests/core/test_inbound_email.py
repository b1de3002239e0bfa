"""SUP-12: mails as programs of all kinds write them, and bytes that are none."""

from __future__ import annotations

from email.header import Header
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.inbound_email import InboundEmail, UnclearSender, Unreadable, decode, parse_email

FROM = b"From: =?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <yamada@one.example>\r\n"
SAID = "印刷が止まります。型番は K-12 です。"


def letter(
    headers: bytes = b"", body: bytes = b"text", envelope: str | None = "yamada@one.example"
) -> InboundEmail:
    return parse_email(FROM + headers + b"\r\n" + body, envelope)


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
@pytest.mark.parametrize("said_to_be", ["right", "", "us-ascii", "iso-8859-99", "utf-16\0"])
def test_japanese_is_read_whatever_the_label_says(charset: str, said_to_be: str) -> None:
    """SUP-12"""
    label = charset if said_to_be == "right" else said_to_be
    head = f'Content-Type: text/plain; charset="{label}"\r\nContent-Transfer-Encoding: 8bit\r\n'.encode()
    if said_to_be in ("", "us-ascii", "iso-8859-99", "utf-16\0") and charset == "euc-jp":
        return  # without its label this cannot be told from Shift_JIS
    assert letter(head, SAID.encode(charset)).body == SAID


def test_what_outlook_puts_into_iso_2022_jp_is_read() -> None:
    """SUP-12: half-width kana, ① and ㈱, which the standard does not have."""
    assert decode(b"\x1b(I6@\x1b(B \x1b$B;3ED\x1b(B", "iso-2022-jp") == "ｶﾀ 山田"
    assert decode(b"\x1b$B-!-j;3ED\x1b(B", "iso-2022-jp") == "①㈱山田"


@pytest.mark.parametrize(
    ("subject", "read_as"),
    [
        (Header("印刷が止まる件", "iso-2022-jp").encode().encode(), "印刷が止まる件"),
        (
            Header("印刷が途中で止まってしまう件について、型番は K-12 です", "utf-8", maxlinelen=40)
            .encode()
            .encode(),
            "印刷が途中で止まってしまう件について、型番は K-12 です",
        ),
        ("印刷".encode(), "印刷"),
        ("印刷".encode("shift_jis"), "印刷"),
        (b"=?utf-8?B?5Y2w5Yi?= broken", "印"),
        (b"=?x-unknown?B?4oKs?=", "€"),
        (b"=?utf-8?B?5Y2w5Q==?= =?utf-8?B?iLfmmYI=?=", "印刷時"),
    ],
)
def test_subjects_are_read(subject: bytes, read_as: str) -> None:
    """SUP-12, RFC 2047: also raw bytes, broken words, and a character cut in two."""
    assert letter(b"Subject: " + subject + b"\r\n").subject.startswith(read_as)


def test_files_have_their_names() -> None:
    """SUP-12: RFC 2231 and RFC 2047 names, a picture within the text, a mail within the mail."""
    mail = EmailMessage()
    mail["From"] = "yamada@one.example"
    mail.set_content(SAID)
    mail.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="見積書.pdf")
    mail.add_attachment(
        b"\x89PNG", maintype="image", subtype="png", cid="<a>", disposition="inline"
    )
    inner = EmailMessage()
    inner.set_content("中のメール")
    mail.add_attachment(inner)
    old = mail.as_bytes().replace(b"--==", b"--==", 1)
    found = parse_email(old)
    assert found.body == SAID
    assert [name for name, _data in found.files] == ["見積書.pdf", "image.png", "message.rfc822"]
    assert found.files[0][1] == b"%PDF-1.7"
    named = b'Content-Type: application/pdf; name="=?utf-8?B?6KaL56mN5pu4LnBkZg==?="\r\n'
    assert letter(named, b"%PDF").files == [("見積書.pdf", b"%PDF")]


def test_html_alone_is_read_as_text_and_flowed_lines_are_joined() -> None:
    """SUP-12, RFC 3676"""
    page = "<html><head><title>x</title><style>p{}</style></head>"
    html = f"{page}<p>印刷が<b>止まる</b></p><script>1</script>次の行<br>終わり"
    head = b"Content-Type: text/html; charset=utf-8\r\n"
    assert letter(head, html.encode()).body == "印刷が止まる次の行\n終わり"
    flowed = b"Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
    assert (
        letter(flowed, b"one \r\ntwo\r\n> quoted \r\nthree\r\n").body == "one two\n> quoted three"
    )
    both = MIMEMultipart("alternative")
    both["From"] = "yamada@one.example"
    both.attach(MIMEText("文字だけ", "plain", "utf-8"))
    both.attach(MIMEText("<p>飾り</p>", "html", "utf-8"))
    assert parse_email(both.as_bytes()).body == "文字だけ"


@pytest.mark.parametrize(
    "head",
    [
        b"Auto-Submitted: auto-replied\r\n",
        b"Precedence: bulk\r\n",
        b"List-Id: <x.example>\r\n",
        b"X-Auto-Response-Suppress: All\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n",
        b"Return-Path: <>\r\n",
    ],
)
def test_what_no_person_wrote_is_told(head: bytes) -> None:
    """SUP-12: bounces, lists, automatic answers."""
    assert letter(head, envelope=None).is_automatic
    assert not letter(b"Auto-Submitted: no\r\n").is_automatic


def test_bounces_and_daemons_are_told() -> None:
    """SUP-12"""
    assert letter(envelope="").is_automatic
    assert letter(envelope="<>").is_automatic
    assert parse_email(
        b"From: MAILER-DAEMON@one.example\r\n\r\nx", "MAILER-DAEMON@one.example"
    ).is_automatic
    assert parse_email(b"From: no-reply@one.example\r\n\r\nx", "a@one.example").is_automatic


def test_what_it_refers_to_is_read() -> None:
    """SUP-12"""
    found = letter(
        b"Message-ID: <m1@one.example>\r\nIn-Reply-To: <a@b>\r\nReferences: <x@y>\r\n <z@y>\r\n"
    )
    assert (found.message_id, found.answers) == ("<m1@one.example>", ("<a@b>", "<x@y>", "<z@y>"))


@pytest.mark.parametrize("raw", [b"", b"\0", b"From: nobody\r\n\r\nx", b"Subject: x\r\n\r\nx"])
def test_what_nobody_sent_is_unreadable(raw: bytes) -> None:
    """SUP-12"""
    with pytest.raises(Unreadable):
        parse_email(raw)


def test_nesting_without_end_and_parts_without_number_are_bounded() -> None:
    """SUP-12"""
    deep = FROM + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(3000)
    )
    with pytest.raises(Unreadable):
        parse_email(deep)
    many = b'Content-Type: multipart/mixed; boundary="b"\r\n'
    assert (
        len(letter(many, b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n" * 10_000 + b"--b--").files)
        == 199
    )


@settings(max_examples=300)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_bytes_break_it(headers: bytes, body: bytes) -> None:
    """SUP-12: it reads them or says Unreadable."""
    for raw in (headers + body, FROM + headers + b"\r\n\r\n" + body):
        try:
            found = parse_email(raw)
        except Unreadable:
            continue
        assert "\0" not in found.body + found.subject + found.sender


@pytest.mark.parametrize(
    "written",
    [
        b"<a b@x>",
        b"<a\r\n Bcc: c@two.example>",
        "<日@x>".encode(),
        b"a@x",
        b"",
        b"<" + b"a" * 201 + b">",
    ],
)
def test_a_message_id_that_may_not_stand_in_a_header_of_ours_is_none(written: bytes) -> None:
    """RFC 5322, 3.6.4: it is said again in the answer, so nothing may be smuggled in by it."""
    assert letter(b"Message-ID: " + written + b"\r\n", b"x").message_id == ""
    assert letter(b"Message-ID: <a.b-1@one.example>\r\n", b"x").message_id == "<a.b-1@one.example>"


MORI = "mori@one.example"


@pytest.mark.parametrize(
    "value",
    [
        MORI,
        f"<{MORI}>",
        f"森 <{MORI}>",
        f"=?iso-2022-jp?B?GyRCPzkbKEI=?= <{MORI}>",
        f'"森, 太郎 <x>" <{MORI}>',
        f"{MORI} (Mori)",
        f"Mori T. Taro\r\n <{MORI}>",
        "Mori <Mori@ONE.example>",
        "=?utf-8?q?evil=40two=2Eexample?= <mori@one.example>",
        "<a..b.@docomo.example>",
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "cp932", "euc_jp"])
def test_the_one_address_in_from_is_read(value: str, charset: str) -> None:
    """SUP-12: as mail programs write it, raw Japanese included."""
    found = parse_email(f"From: {value}\r\n\r\nx".encode(charset))
    expected = "a..b.@docomo.example" if "docomo" in value else MORI
    assert found.sender.lower() == expected


@pytest.mark.parametrize(
    "headers",
    [
        f"From: {MORI} (x) <evil@two.example>",
        f"From: {MORI} <evil@two.example>",
        f"From: <{MORI}> <evil@two.example>",
        f"From: <{MORI}><evil@two.example>",
        f"From: {MORI}, evil@two.example",
        f"From: evil@two.example, {MORI}",
        f"From: {MORI}; evil@two.example",
        f"From: {MORI}\r\nFrom: evil@two.example",
        f"From: evil@two.example\r\nfrom: {MORI}",
        f"From: {MORI}\r\nFrom : evil@two.example",
        f"From: {MORI}\rFrom: evil@two.example",
        f"From: team: {MORI};",
        f"From: <@two.example:{MORI}>",
        f"From: {MORI}\0 <evil@two.example>",
        f"From: \x1b$B<evil@two.example>\x1b(B <{MORI}>",
        f'From: "{MORI}" <evil@two.example',
        f"From: (<{MORI}>) evil@two.example <{MORI}>",
        "From: =?utf-8?q?mori?=@one.example",
        "From: =?utf-8?q?mori=40one=2Eexample?=",
        'From: "mori x"@one.example',
        "From: mori@[192.0.2.1]",
        "From: mori@one@two.example",
        "From: Mori, Taro <mori@one.example>",
        f"From: {'x ' * 2000}<{MORI}>",
        "From:",
        "Subject: nobody",
        f"Sender: {MORI}",
    ],
)
def test_a_from_that_could_be_read_in_two_ways_is_refused(headers: str) -> None:
    """SUP-12: a mail server that judges one address must not let the portal believe another."""
    with pytest.raises(UnclearSender):
        parse_email(f"{headers}\r\n\r\nx".encode(), "evil@two.example")


@given(
    before=st.text(alphabet='mori@evl.<>(),;:"\\ =?\t', max_size=30),
    after=st.text(alphabet='mori@evl.<>(),;:"\\ =?\t', max_size=30),
)
@settings(max_examples=300)
def test_whatever_stands_around_an_address_either_it_is_meant_or_nobody(
    before: str, after: str
) -> None:
    """SUP-12: what is accepted ends in the one address, alone or in angle brackets, or in a comment."""
    try:
        sender = parse_email(f"From: {before}<{MORI}>{after}\r\n\r\nx".encode()).sender
    except Unreadable:
        return
    assert sender == MORI
