"""A mail as it came: who wrote it, what it says, its files. Reads any bytes, or says Unreadable (SUP-12)."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import collapse_rfc2231_value, parseaddr
from typing import Any

from portal.core import text

_MOST_PARTS = 200
_SAME = dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j"), "cp932")
_LIKELY = ("utf-8", "cp932", "euc_jp")
_LISTS = ("bulk", "junk", "list", "auto_reply")
_ID = re.compile("<[!-;=?-~]{1,200}>")  # as it may stand in a header of ours
_NOBODY = re.compile(r"(?:mailer-daemon|postmaster|no-?reply|bounces?)\b", re.IGNORECASE)
_SIGNS = (
    "x-auto-response-suppress",
    "x-autoreply",
    "x-autorespond",
    "list-id",
    "list-unsubscribe",
    "list-post",
)


class Unreadable(ValueError):
    """These bytes are no mail that anybody could answer."""


@dataclass(frozen=True, slots=True)
class Letter:
    """`answers` are the Message-IDs that it refers to; `is_automatic`: no person wrote it, nobody is to be answered."""

    sender: str
    subject: str
    body: str
    files: list[tuple[str, bytes]]
    message_id: str
    answers: tuple[str, ...]
    is_automatic: bool


def read(raw: bytes, envelope_from: str | None = None) -> Letter:
    """The mail in `raw`; `envelope_from` as the mail server was told it, None where only Return-Path says so."""
    try:
        return _read(raw, envelope_from)
    except (
        Exception
    ) as error:  # the email package raises whatever it stumbles over, nesting without end included
        raise Unreadable(type(error).__name__) from error


def _read(raw: bytes, envelope_from: str | None) -> Letter:
    mail = message_from_bytes(raw)
    heads = {
        name.lower(): _words(str(value)) for name, value in reversed([*mail.raw_items()])
    }  # the first one counts
    sender = text.email(parseaddr(heads.get("from", ""))[1])
    said: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    files: list[tuple[str, bytes]] = []
    for part in _leaves(mail):
        name, kind = _name_of(part), part.get_content_type()
        if kind in said and not name and part.get_content_disposition() != "attachment":
            said[kind].append(_text(part))
        else:
            files.append((name or kind.replace("/", "."), _bytes(part)))
    body = "\n".join(said["text/plain"]) or "\n".join(map(_without_tags, said["text/html"]))
    answers = _ID.findall(f"{heads.get('in-reply-to', '')} {heads.get('references', '')}")
    path = heads.get("return-path", sender) if envelope_from is None else envelope_from
    return Letter(
        sender=sender,
        subject=text.normalise(heads.get("subject", ""))[:200],
        body=text.multiline(body),
        files=files,
        message_id=next(iter(_ID.findall(heads.get("message-id", ""))), ""),
        answers=tuple(answers[-50:]),
        is_automatic=not path.strip("<> ") or _is_automatic(mail, heads, sender),
    )


def _is_automatic(mail: Message, heads: dict[str, str], sender: str) -> bool:
    return (
        mail.get_content_type() == "multipart/report"
        or heads.get("auto-submitted", "no").strip().lower() != "no"
        or heads.get("precedence", "").strip().lower() in _LISTS
        or any(name in heads for name in _SIGNS)
        or bool(_NOBODY.match(sender))
    )


def _leaves(mail: Message) -> Iterator[Message]:
    """The parts that hold something; a mail within the mail is one, and is not looked into."""
    todo: list[Any] = [mail]
    for _turn in range(_MOST_PARTS):
        if not todo:
            return
        part = todo.pop(0)
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            todo = [*part.get_payload(), *todo]
        else:
            yield part


def _bytes(part: Message) -> bytes:
    if part.is_multipart():
        return b"".join(one.as_bytes() for one in part.get_payload() if isinstance(one, Message))
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _text(part: Message) -> str:
    written = decode(_bytes(part), str(part.get_content_charset() or "")).replace("\r\n", "\n")
    flowed = str(part.get_param("format") or "").lower() == "flowed"
    return re.sub(r"(?<!^--) \n(?!>)", " ", written, flags=re.MULTILINE) if flowed else written


def _name_of(part: Message) -> str:
    given = part.get_param("filename", None, "content-disposition") or part.get_param("name")
    return _words(collapse_rfc2231_value(given)) if given else ""


def _words(value: str) -> str:
    """A header's value: raw bytes as they were meant, encoded words decoded together."""
    whole = decode(value.encode("utf-8", "surrogateescape"))
    try:
        parts = decode_header(" ".join(whole.split()))
    except ValueError:
        return whole
    return "".join(
        part if isinstance(part, str) else decode(part, name or "") for part, name in parts
    )


def decode(data: bytes, charset: str = "") -> str:
    """Bytes as text, by the charset they say or, where that is wrong, by one that Japanese mails come in."""
    if b"\x1b$" in data:
        for name, of in (
            ("iso2022_jp_ext", data),
            ("iso2022_jp_2004", data.replace(b"\x1b$B", b"\x1b$(Q")),
        ):
            try:
                return of.decode(
                    name
                )  # the second knows ① and ㈱, which mail programs send without saying so
            except UnicodeError:
                continue
    for name in (_SAME.get(charset.lower(), charset), *_LIKELY):
        try:
            return data.decode(name)
        except (LookupError, ValueError):
            if name == "utf-8" and (cut := data.decode(name, "replace")).count("\ufffd") == 1:
                return cut  # a character was cut in two
    return data.decode("utf-8", "replace")


def _without_tags(page: str) -> str:
    """What a reader of an HTML mail sees, a block on a line of its own; in time linear in what was sent."""
    shown, *hidden = re.split(r"<(?:script|style|head|title)\b|<!--", page, flags=re.IGNORECASE)
    ends = re.compile(r"</(?:script|style|head|title)\s*>|-->", re.IGNORECASE)
    words = " ".join(
        "".join([shown, *(piece for one in hidden for piece in ends.split(one, 1)[1:])]).split()
    )
    lines = re.sub(
        r"<(?:br|p|div|tr|li|h[1-6]|blockquote)\b[^<>]*>", "\n", words, flags=re.IGNORECASE
    )
    return html.unescape(re.sub(r"<[^<>]*>", "", lines))
