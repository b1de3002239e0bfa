"""A mail as it came: who wrote it, what it says, its files.

Reads any bytes, or says Unreadable (SUP-12).
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MissingHeaderBodySeparatorDefect
from email.header import decode_header
from email.headerregistry import AddressHeader
from email.message import Message
from email.policy import default as strict_policy
from email.utils import collapse_rfc2231_value
from typing import Any, cast

from portal.core import text
from portal.core.authentication_results import is_authenticated

_MOST_PARTS = 200
# What calls itself Shift_JIS is Microsoft's kind of it, which alone has ① and ㈱.
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


_LONGEST_FROM = 2000
_ADDRESS = r"[^\s\"@<>,;:()\[\]\\]+@[A-Za-z0-9.-]+"
_ONE_MAILBOX = re.compile(
    r'(?:(?:"(?:[^"\\]|\\.)*"|[^"@<>,;:()\[\]\\])*'  # a display name, where there is one
    rf"<(?P<named>{_ADDRESS})>|(?P<bare>{_ADDRESS})(?:\s*\([^()@<>]*\))?)"
)
"""``addr``, ``addr (comment)``, ``<addr>`` or ``display name <addr>``: nothing beside it that could
be read as another address."""


_FROM_LINE = re.compile(rb"(?:\A|[\r\n])from[ \t]*:", re.IGNORECASE)


class Unreadable(ValueError):
    """These bytes are no mail that anybody could answer."""


class UnclearSender(Unreadable):
    """From does not name exactly one address in a way that every program reads alike."""


@dataclass(frozen=True, slots=True)
class InboundEmail:
    """`answers` are the Message-IDs that it refers to; `is_automatic`: no person wrote it, nobody
    is to be answered.

    `is_authenticated` is None where nobody was asked whether the mail comes from the domain in
    From.
    """

    sender: str
    subject: str
    body: str
    files: list[tuple[str, bytes]]
    message_id: str
    answers: tuple[str, ...]
    is_automatic: bool
    is_authenticated: bool | None = None


def parse_email(
    raw: bytes, envelope_from: str | None = None, *, authentication_host: str = ""
) -> InboundEmail:
    """The mail in `raw`; `envelope_from` as the mail server was told it, None where only
    Return-Path says so.

    `authentication_host` is the mail server whose Authentication-Results are believed. Raises
    UnclearSender or Unreadable.
    """
    try:
        return _read(raw, envelope_from, authentication_host)
    except UnclearSender:
        raise
    except Exception as error:
        # The email package raises whatever it stumbles over, nesting without end included.
        raise Unreadable(type(error).__name__) from error


def _read(raw: bytes, envelope_from: str | None, authentication_host: str) -> InboundEmail:
    mail = message_from_bytes(raw)
    # Reversed, so that of several headers with one name the first one counts.
    heads = {name.lower(): _words(str(value)) for name, value in reversed([*mail.raw_items()])}
    sender = _sender(mail, raw)
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    files: list[tuple[str, bytes]] = []
    for part in _leaves(mail):
        name = _name_of(part)
        kind = part.get_content_type()
        if kind in texts and not name and part.get_content_disposition() != "attachment":
            texts[kind].append(_text(part))
        else:
            files.append((name or kind.replace("/", "."), _bytes(part)))
    # Most mails say the same twice: the HTML is read only where there is no plain text.
    body = "\n".join(texts["text/plain"]) or "\n".join(map(_without_tags, texts["text/html"]))
    answers = _ID.findall(f"{heads.get('in-reply-to', '')} {heads.get('references', '')}")
    path = heads.get("return-path", sender) if envelope_from is None else envelope_from
    return InboundEmail(
        sender=sender,
        subject=text.one_line(heads.get("subject", ""))[:200],
        body=text.multiline(body),
        files=files,
        message_id=next(iter(_ID.findall(heads.get("message-id", ""))), ""),
        # References grow with a thread, the newest last (RFC 5322, 3.6.4).
        answers=tuple(answers[-50:]),
        # A bounce has an empty envelope sender (RFC 5321, 4.5.5).
        is_automatic=not path.strip("<> ") or _is_automatic(mail, heads, sender),
        is_authenticated=_is_authenticated(mail, authentication_host, sender),
    )


def _sender(mail: Message, raw: bytes) -> str:
    """The address in From.

    A mail server judges From by its own reading (DMARC); where two readings are possible, anybody
    could write in another's name. So there is one From, it names one address, and Python's parser
    (RFC 5322) and a strict pattern have to agree on it. Raises UnclearSender.
    """
    if any(isinstance(one, MissingHeaderBodySeparatorDefect) for one in mail.defects):
        raise UnclearSender("the headers do not end with an empty line")
    values = [str(value) for name, value in mail.raw_items() if name.lower() == "from"]
    # Some programs take "From :" for the header as well, where Python's parser does not.
    written = _FROM_LINE.findall(re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0])
    if len(values) != 1 or len(written) != 1:
        raise UnclearSender(f"there are {max(len(values), len(written))} From headers")
    # A display name may hold raw bytes of any charset; no byte of theirs may act as punctuation.
    value = re.sub(r"[^\x00-\x7f]", "_", re.sub(r"\r?\n(?=[ \t])", "", values[0])).strip()
    found = _ONE_MAILBOX.fullmatch(value) if len(value) <= _LONGEST_FROM else None
    if found is None or not value.replace("\t", " ").isprintable():
        raise UnclearSender("From does not name exactly one address")
    header = cast(AddressHeader, strict_policy.header_factory("from", value))
    parsed = [address.addr_spec for address in header.addresses]
    if parsed != [found["named"] or found["bare"]]:
        raise UnclearSender("From does not name exactly one address")
    try:
        return text.email(parsed[0])
    except ValueError:
        raise UnclearSender("From names no address that can be answered") from None


def _is_authenticated(mail: Message, host: str, sender: str) -> bool | None:
    if not host:
        return None
    results = [
        str(value) for name, value in mail.raw_items() if name.lower() == "authentication-results"
    ]
    return is_authenticated(results, host=host, domain=sender.rpartition("@")[2])


def _is_automatic(mail: Message, heads: dict[str, str], sender: str) -> bool:
    # Two machines that answer each other would never end (RFC 3834).
    return (
        mail.get_content_type() == "multipart/report"
        or heads.get("auto-submitted", "no").strip().lower() != "no"
        or heads.get("precedence", "").strip().lower() in _LISTS
        or any(name in heads for name in _SIGNS)
        or bool(_NOBODY.match(sender))
    )


def _leaves(mail: Message) -> Iterator[Message]:
    """The parts that hold something; a mail within the mail is one, and is not looked into."""
    # Neither deep nor long: a stranger may nest parts as they like.
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
    # format=flowed (RFC 3676): a space before a line's end joins it with the next one, but for the
    # "-- " above a signature and for what is quoted.
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
    """Bytes as text, by the charset they say or, where that is wrong, by one that Japanese mails
    come in.
    """
    if b"\x1b$" in data:
        # The second knows ① and ㈱, which mail programs send without announcing another set.
        dialects = (
            ("iso2022_jp_ext", data),
            ("iso2022_jp_2004", data.replace(b"\x1b$B", b"\x1b$(Q")),
        )
        for name, escaped in dialects:
            try:
                return escaped.decode(name)
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
    """What a reader of an HTML mail sees, a block on a line of its own; in time linear in what was
    sent.
    """
    shown, *hidden = re.split(r"<(?:script|style|head|title)\b|<!--", page, flags=re.IGNORECASE)
    ends = re.compile(r"</(?:script|style|head|title)\s*>|-->", re.IGNORECASE)
    words = " ".join(
        "".join([shown, *(piece for one in hidden for piece in ends.split(one, 1)[1:])]).split()
    )
    lines = re.sub(
        r"<(?:br|p|div|tr|li|h[1-6]|blockquote)\b[^<>]*>", "\n", words, flags=re.IGNORECASE
    )
    return html.unescape(re.sub(r"<[^<>]*>", "", lines))
