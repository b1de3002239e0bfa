"""Files with a message: their names and their contents agree, or they are refused (COM-50,
security.md §4.22).

They are served as attachments only, under a policy that lets nothing in them run.
"""

import codecs
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO

from portal.config import Tenant
from portal.config.schema_parts import Inquiries
from portal.core import Actor, RuleBroken, file_store
from portal.core.files import as_stream, digest_of, read_chunks, size_of
from portal.shared.inquiries.storage_limits import reserve_storage

_OFFICE = "application/vnd.openxmlformats-officedocument"
_KINDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "gif": ("image/gif", (b"GIF87a", b"GIF89a")),
    "zip": ("application/zip", (b"PK\x03\x04",)),
    "docx": (f"{_OFFICE}.wordprocessingml.document", (b"PK\x03\x04",)),
    "xlsx": (f"{_OFFICE}.spreadsheetml.sheet", (b"PK\x03\x04",)),
    "pptx": (f"{_OFFICE}.presentationml.presentation", (b"PK\x03\x04",)),
    "txt": ("text/plain", ()),
    "csv": ("text/csv", ()),
}
ACCEPTED = tuple(f".{ending}" for ending in _KINDS)
_LONGEST_BEGINNING = max(len(one) for _type, begins in _KINDS.values() for one in begins)
_ENCODINGS = ("utf-8", "cp932", "iso2022_jp")
_LONGEST = 150
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept already, as drafts and messages name it."""

    name: str
    media_type: str
    size: int
    sha256: str


def keep(
    tenant: Tenant, given: Sequence[tuple[str, bytes | IO[bytes]]], *, by: Actor
) -> list[Kept]:
    """Check and keep the files of one message, each a name and what is in it.

    A stream is read from its beginning, in chunks, and stays open. Raises RuleBroken at ``files``,
    having kept none.
    """
    rules = tenant.inquiries
    if len(given) > rules.most_files:
        raise RuleBroken("ファイルは%(n)s個までです。", field="files", n=rules.most_files)
    streams = [(name, as_stream(content)) for name, content in given]
    if sum(size_of(stream) for _name, stream in streams) > rules.most_megabytes * _MEGABYTE:
        raise RuleBroken("ファイルは合計%(n)sMBまでです。", field="files", n=rules.most_megabytes)
    checked = [_check(name, stream) for name, stream in streams]
    # All are checked and counted before any is stored: a refusal leaves nothing behind.
    reserve_storage(tenant, {file.sha256: file.size for file in checked}, by=by)
    for file, (_name, stream) in zip(checked, streams, strict=True):
        _store(file, stream)
    return checked


def _check(name: str, stream: IO[bytes]) -> Kept:
    """What the file would be kept as. Raises RuleBroken where it is not what its name says."""
    size = size_of(stream)
    media_type = _media_type(name, stream, size)
    return Kept(_clean(name), media_type, size, digest_of(stream))


def _store(file: Kept, stream: IO[bytes]) -> None:
    """Put the file where it stays, unless the same content is there already."""
    if not file_store().keep_young(file.sha256):
        file_store().put(stream)


def still_kept(files: Iterable[Kept]) -> list[Kept]:
    """Those of a draft's files that can go along to another draft."""
    return [file for file in files if file_store().keep_young(file.sha256)]


def keep_some(
    tenant: Tenant,
    before: Sequence[Kept],
    given: Sequence[tuple[str, IO[bytes] | None, int]],
    *,
    by: Actor,
) -> tuple[list[Kept], list[RuleBroken]]:
    """Keep those of `given` (name, stream or None for too many bytes, size) that may go with the
    ones of `before`.

    Gives all that are kept, and for each that is not why, with its name: one bad file never costs
    the good ones.
    """
    rules = tenant.inquiries
    kept = list(before)
    refused: list[RuleBroken] = []
    for name, stream, size in given:
        try:
            _check_room(rules, kept, name, size)
            if stream is None:
                raise _too_large(rules, name, size)
            kept += keep(tenant, [(name, stream)], by=by)
        except RuleBroken as error:
            refused.append(error)
    return kept, refused


def _check_room(rules: Inquiries, before: Sequence[Kept], name: str, size: int) -> None:
    """Refuse a file that is one too many, or too large beside the others. Raises RuleBroken."""
    if len(before) >= rules.most_files:
        raise RuleBroken(
            "ファイルは%(n)s個までです。添付しなかったファイル: %(name)s",
            field="files",
            n=rules.most_files,
            name=_clean(name),
        )
    if sum(file.size for file in before) + size > rules.most_megabytes * _MEGABYTE:
        raise _too_large(rules, name, size)


def _too_large(rules: Inquiries, name: str, size: int) -> RuleBroken:
    return RuleBroken(
        "ファイルは合計%(n)sMBまでです。添付しなかったファイル: %(name)s（%(size)sMB）",
        field="files",
        n=rules.most_megabytes,
        name=_clean(name),
        size=f"{size / _MEGABYTE:.1f}",
    )


def open_file(sha256: str) -> IO[bytes]:
    """A kept file, checked, for the caller to close. Raises FileNotFoundError or FileDamaged."""
    return file_store().open(sha256)


def _clean(name: str) -> str:
    """The name without its path and what could steer a terminal or a header."""
    # Mails from Windows, and old browsers, send the whole path.
    last = PurePath(name.replace("\\", "/")).name
    plain = "".join(
        character
        for character in unicodedata.normalize("NFC", last)
        if unicodedata.category(character)[0] != "C"
    )
    # Cut before its ending, by which a computer knows what opens it.
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: _LONGEST - len(ending) - 1]}{dot}{ending}"


def _media_type(name: str, stream: IO[bytes], size: int) -> str:
    ending = name.rpartition(".")[2].casefold()
    if not size:
        raise RuleBroken("空のファイルは送信できません: %(name)s", field="files", name=_clean(name))
    if ending not in _KINDS:
        raise RuleBroken(
            "この形式のファイルは送信できません: %(name)s", field="files", name=_clean(name)
        )
    # What is served says what it is by its ending, so the first bytes have to agree: a page that
    # calls itself a picture must never be opened as a page.
    media_type, begins = _KINDS[ending]
    if not (_begins_with(stream, begins) if begins else _is_text(stream)):
        raise RuleBroken(
            "ファイルの内容が拡張子と合いません: %(name)s", field="files", name=_clean(name)
        )
    return media_type


def _begins_with(stream: IO[bytes], begins: tuple[bytes, ...]) -> bool:
    return stream.read(_LONGEST_BEGINNING).startswith(begins)


def _is_text(stream: IO[bytes]) -> bool:
    """Whether all of the stream is text in one of the encodings that customers write in."""
    # All at once, chunk by chunk: the file is read a single time, and never as a whole.
    decoders = [codecs.getincrementaldecoder(encoding)() for encoding in _ENCODINGS]
    for chunk in read_chunks(stream):
        # No text has a zero byte, though decoders take it.
        if b"\0" in chunk:
            return False
        decoders = [decoder for decoder in decoders if _takes(decoder, chunk)]
    return any(_takes(decoder, b"", is_last=True) for decoder in decoders)


def _takes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, is_last: bool = False) -> bool:
    """Whether what was read so far can still be text of the decoder's encoding."""
    try:
        decoder.decode(chunk, is_last)
    except UnicodeDecodeError:
        return False
    return True
