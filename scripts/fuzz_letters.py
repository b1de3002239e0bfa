"""Throw bytes at the mail parser: `python scripts/fuzz_letters.py -max_total_time=600` (SUP-12).

Needs atheris, which is no dependency of ours: `pip install atheris` into an environment of its own
that has `requirements.txt` as well. Whatever comes, `letters.read` gives a letter or says
Unreadable, in seconds and in bounds.
"""

from __future__ import annotations

import sys
import tempfile
from email.message import EmailMessage
from pathlib import Path

import atheris  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parent.parent))
with atheris.instrument_imports(include=["portal.core.inbound_email", "email"]):
    from portal.core import inbound_email


def seeds() -> list[bytes]:
    """Mails as programs write them, and some that none should."""
    made = []
    for charset in ("utf-8", "iso-2022-jp", "shift_jis", "euc-jp"):
        mail = EmailMessage()
        mail["From"] = "山田 <yamada@one.example>"
        mail["Subject"] = "印刷が止まります"
        mail["References"] = "<a@desk.example> <b@desk.example>"
        mail["Message-ID"] = "<c@one.example>"
        mail.set_content("印刷が止まります。", charset=charset)
        mail.add_alternative(
            "<head><title>x</title></head><p>印刷が<b>止まる</b><br>", subtype="html"
        )
        mail.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="画面.pdf")
        made += [mail.as_bytes(), mail.as_bytes().replace(b"\n", b"\r\n")]
    report = (
        b"From: <>\r\nAuto-Submitted: yes\r\n"
        b"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n\r\n--x--"
    )
    flowed = (
        b"From: a@b.example\r\nContent-Type: text/plain; format=flowed; charset=x\r\n\r\n"
        b"one \r\n-- \r\n\x1b$B"
    )
    spoofed = b'From: a@b.example (x) <c@d.example>\r\nFrom : "e" <e@f.example>\r\n\r\nx'
    named = (
        b"From: a@b.example\r\n"
        b"Content-Disposition: attachment; filename*0*=utf-8''%E6; filename*1=b\r\n\r\nx"
    )
    return [*made, report, flowed, named, spoofed, b"", b"\0", b"From: a@b.example\r\n" * 50]


def one(raw: bytes) -> None:
    """One input."""
    try:
        letter = inbound_email.parse_email(raw, None if len(raw) % 2 else "yamada@one.example")
    except inbound_email.Unreadable:
        return
    in_bounds = (
        len(letter.subject) <= 200 and len(letter.message_id) <= 202 and len(letter.answers) <= 50
    )
    if not in_bounds or "@" not in letter.sender:
        raise RuntimeError(letter)
    "".join([letter.subject, letter.body, *(name for name, _data in letter.files)]).encode()


def main() -> None:
    """Until the time is up; a crash is written to a file and ends it."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([sys.argv[0], "-timeout=10", "-max_len=20000", *sys.argv[1:], folder], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
