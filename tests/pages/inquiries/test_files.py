"""COM-50, COM-23: files that are too many, too large or of no known kind cost nothing else that was typed."""

from __future__ import annotations

import io
import re
import tracemalloc
from pathlib import Path
from typing import IO, Any

import pytest
from sqlalchemy import select

from portal.core import SYSTEM, RuleBroken
from portal.core.db import session
from portal.core.files import file_store
from portal.shared.inquiries import files
from portal.shared.inquiries.models import Inquiry, InquiryFile, InquiryMessage

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW = "/inquiries/new"
PDF = b"%PDF-1.7 drawing"
MEGABYTE = 1024 * 1024
ASK = {"category": "other", "body": "図面をお送りします。", "agreed": "y"}


def upload(*files: tuple[str, bytes]) -> list[tuple[io.BytesIO, str]]:
    return [(io.BytesIO(data), name) for name, data in files]


def zip_of(megabytes: float) -> bytes:
    return b"PK\x03\x04" + b"x" * int(megabytes * MEGABYTE)


def carried(page: str) -> dict[str, Any]:
    """What the form carries along of the files that are attached already."""
    token = re.search(r'name="attached" value="([^"]+)"', page)
    keep = re.findall(r'name="keep" value="([0-9a-f]{64})" checked', page)
    return {"attached": token[1] if token else "", "keep": keep}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("図面.pdf", PDF), ("動画.zip", zip_of(21))], "動画.zip（21.0MB）"),
        ([("図面.pdf", PDF), ("大.zip", zip_of(60))], "大.zip（60.0MB）"),
        ([("図面.pdf", PDF), ("tool.exe", b"MZ")], "この形式のファイルは送信できません: tool.exe"),
        ([("図面.pdf", PDF), ("empty.txt", b"")], "空のファイルは送信できません: empty.txt"),
        (
            [("図面.pdf", PDF), *((f"{n}.txt", b"x") for n in range(5))],
            "ファイルは5個までです。添付しなかったファイル: 4.txt",
        ),
    ],
    ids=[
        "over the limit",
        "over the body that was read before",
        "no known kind",
        "empty",
        "too many",
    ],
)
def test_a_file_that_is_refused_is_named_and_everything_else_is_kept(visit, inside, files, said):
    """COM-23: the form again, with the text, the consent and the good file; then it goes on without the bad one."""
    visitor = visit("facility", "hanako")
    answer = visitor.post(NEW, ASK | {"files": upload(*files)})
    assert answer.status_code == 422
    for word in (said, "図面をお送りします。", "図面.pdf", "添付済みのファイル"):
        assert word in answer.text, word
    assert "checked" in "".join(re.findall(r'<input[^>]*name="agreed"[^>]*>', answer.text))
    kept = visitor.post(NEW, ASK | carried(answer.text))
    assert kept.status_code == 303
    assert "図面.pdf" in visitor.get(kept.location).text
    visitor.post(f"{NEW}/confirm", {"draft": kept.location.rpartition("=")[2]})
    with inside("facility"):
        names = session().scalars(select(InquiryFile.name)).all()
        assert "図面.pdf" in names
        assert not {"動画.zip", "大.zip", "tool.exe", "empty.txt"} & set(names)


def test_attached_files_survive_a_mistake_and_a_change_of_category(visit):
    """COM-23: without scripts the files come with every button; none has to be chosen again."""
    visitor = visit("facility", "hanako")
    wrong = ASK | {"body": "", "files": upload(("図面.pdf", PDF))}
    answer = visitor.post(NEW, wrong)
    assert answer.status_code == 422
    again = ASK | {"step": "category", "category": "cancel"} | carried(answer.text)
    more = upload(("写真.png", b"\x89PNG\r\n\x1a\n"), ("tool.exe", b"MZ"))
    changed = visitor.post(NEW, again | {"files": more}).text
    assert "送信できません: tool.exe" in changed
    assert "図面.pdf" in changed
    assert "写真.png" in changed
    one = carried(changed)
    fewer = ASK | {"attached": one["attached"], "keep": one["keep"][1:]}
    shown = visitor.get(visitor.post(NEW, fewer).location).text
    assert "写真.png" in shown
    assert "図面.pdf" not in shown, "its tick was taken away"


@ONE
def test_somebody_elses_attachments_are_not_taken_along(visit):
    """COM-02: the token of a neighbour's files names nothing."""
    answer = visit("facility", "hanako").post(
        NEW, ASK | {"body": "", "files": upload(("図面.pdf", PDF))}
    )
    stranger = visit("facility", "yumi")
    kept = stranger.post(NEW, ASK | carried(answer.text))
    assert "図面.pdf" not in stranger.get(kept.location).text


def test_a_further_message_keeps_its_text_and_its_good_files_too(visit, inside):
    """COM-51, COM-23: in the thread as in the form."""
    visitor = visit("facility", "hanako")
    kept = visitor.post(NEW, ASK)
    visitor.post(f"{NEW}/confirm", {"draft": kept.location.rpartition("=")[2]})
    with inside("facility"):
        number = session().scalars(select(Inquiry.number)).one()
    path = f"/inquiries/{number}"
    files = upload(("図面.pdf", PDF), ("動画.zip", zip_of(21)))
    answer = visitor.post(path, {"body": "追加です。", "files": files})
    assert answer.status_code == 422
    assert all(word in answer.text for word in ("動画.zip", "追加です。", "図面.pdf"))
    assert visitor.post(path, {"body": "追加です。"} | carried(answer.text)).status_code == 303
    with inside("facility"):
        joined = select(InquiryMessage.body, InquiryFile.name).join(
            InquiryFile, InquiryFile.message_id == InquiryMessage.id
        )
        assert session().execute(joined).all() == [("追加です。", "図面.pdf")]


def write_body(path: Path, fields: dict[str, str], name: str, megabytes: int) -> IO[bytes]:
    """A form as a browser sends it, with a ZIP of so many megabytes, as an open file."""
    with path.open("wb") as body:
        for field, value in fields.items():
            part = f'--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            body.write(part.encode())
        head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body.write(head.encode() + b"PK\x03\x04")
        for number in range(megabytes):
            body.write(bytes([number]) * MEGABYTE)
        body.write(b"\r\n--b--\r\n")
    return path.open("rb")


@pytest.mark.slow
def test_a_large_file_comes_in_and_goes_out_without_being_in_memory(visit, inside, tmp_path):
    """COM-50: a dozen of them at once must not take the server's memory."""
    visitor = visit("facility", "hanako")
    fields = ASK | {"csrf_token": visitor._fresh_token()}
    visitor.get(NEW)  # what every page needs is loaded by then
    with write_body(tmp_path / "body", fields, "図面.zip", 19) as body:
        tracemalloc.start()
        kept = visitor.client.post(
            NEW,
            base_url=visitor.base,
            input_stream=body,
            content_type="multipart/form-data; boundary=b",
            content_length=(tmp_path / "body").stat().st_size,
        )
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept.status_code == 303, kept.text
    assert peak < 8 * MEGABYTE, peak
    visitor.post(f"{NEW}/confirm", {"draft": kept.location.rpartition("=")[2]})
    with inside("facility"):
        number = session().scalars(select(Inquiry.number)).one()
        file = session().scalars(select(InquiryFile)).one()
        path = f"/inquiries/{number}/files/{file.sha256}"
        assert file.size == 19 * MEGABYTE + 4
    tracemalloc.start()
    answer = visitor.get(path, buffered=False)
    sent = sum(map(len, answer.iter_encoded()))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answer.content_length, sent) == (19 * MEGABYTE + 4,) * 2
    assert peak < 8 * MEGABYTE, peak


@pytest.mark.parametrize(
    ("content", "is_taken"),
    [
        ("件名\n本文".encode() * 200_000, True),
        ("件名\n本文".encode("cp932") * 200_000, True),
        ("件名\n本文".encode("iso2022_jp") * 200_000, True),
        (b"a" * (256 * 1024 - 1) + "本".encode(), True),
        ("件名".encode("cp932") * 200_000 + b"\x81", False),
        (b"a" * MEGABYTE + b"\0", False),
        (b"\x81\x01" * 500_000, False),
    ],
    ids=["utf-8", "cp932", "iso-2022-jp", "over two chunks", "cut", "a NUL at the end", "binary"],
)
def test_a_text_is_one_to_its_last_byte(app, inside, content: bytes, is_taken: bool) -> None:
    """COM-50: it is read in chunks, and no character suffers from where they end."""
    tenant = app.extensions["tenants"].current().by_key["facility"]
    with inside("facility"):
        if is_taken:
            (kept,) = files.keep(tenant, [("memo.txt", io.BytesIO(content))], by=SYSTEM)
            assert (kept.size, file_store().get(kept.sha256)) == (len(content), content)
        else:
            with pytest.raises(RuleBroken, match="拡張子"):
                files.keep(tenant, [("memo.txt", io.BytesIO(content))], by=SYSTEM)
