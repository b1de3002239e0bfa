"""Files with a message: their names and their contents agree, or they are refused (COM-50,
security.md §4.22).

They are served as attachments only, under a policy that lets nothing in them run.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from portal.config import Tenant
from portal.config.schema_parts import Inquiries
from portal.core import Actor, RuleBroken, Shelf
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
_LONGEST = 150
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept already, as drafts and messages name it."""

    name: str
    media_type: str
    size: int
    sha256: str


def keep(tenant: Tenant, given: list[tuple[str, bytes]], *, by: Actor) -> list[Kept]:
    """Check and keep the files of one message. Raises RuleBroken at ``files``, having kept none."""
    rules = tenant.inquiries
    if len(given) > rules.most_files:
        raise RuleBroken("ファイルは%(n)s個までです。", field="files", n=rules.most_files)
    if sum(len(data) for _name, data in given) > rules.most_megabytes * 1024 * 1024:
        raise RuleBroken("ファイルは合計%(n)sMBまでです。", field="files", n=rules.most_megabytes)
    checked = [(_clean(name), _media_type(name, data), data) for name, data in given]
    sizes = {hashlib.sha256(data).hexdigest(): len(data) for _name, _kind, data in checked}
    reserve_storage(tenant, sizes, by=by)
    return [Kept(name, kind, len(data), Shelf.files.put(data)) for name, kind, data in checked]


def still_kept(files: Iterable[Kept]) -> list[Kept]:
    """Those of a draft's files that can go along to another draft."""
    return [file for file in files if Shelf.files.keep_young(file.sha256)]


def keep_some(
    tenant: Tenant,
    before: Sequence[Kept],
    given: Sequence[tuple[str, bytes | None, int]],
    *,
    by: Actor,
) -> tuple[list[Kept], list[RuleBroken]]:
    """Keep those of `given` (name, bytes or None for too many, size) that may go with the ones of
    `before`.

    Gives all that are kept, and for each that is not why, with its name: one bad file never costs
    the good ones.
    """
    rules = tenant.inquiries
    kept = list(before)
    refused: list[RuleBroken] = []
    for name, data, size in given:
        try:
            _check_room(rules, kept, name, size)
            if data is None:
                raise _too_large(rules, name, size)
            kept += keep(tenant, [(name, data)], by=by)
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


def read(sha256: str) -> bytes:
    """The bytes of a kept file, checked. Raises FileNotFoundError or FileDamaged."""
    return Shelf.files.get(sha256)


def _clean(name: str) -> str:
    """The name without its path and what could steer a terminal or a header."""
    last = PurePath(name.replace("\\", "/")).name
    plain = "".join(
        c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C"
    )
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[: _LONGEST - len(ending) - 1]}{dot}{ending}"


def _media_type(name: str, data: bytes) -> str:
    ending = name.rpartition(".")[2].casefold()
    if not data:
        raise RuleBroken("空のファイルは送信できません: %(name)s", field="files", name=_clean(name))
    if ending not in _KINDS:
        raise RuleBroken(
            "この形式のファイルは送信できません: %(name)s", field="files", name=_clean(name)
        )
    media_type, begins = _KINDS[ending]
    if not (any(map(data.startswith, begins)) if begins else _is_text(data)):
        raise RuleBroken(
            "ファイルの内容が拡張子と合いません: %(name)s", field="files", name=_clean(name)
        )
    return media_type


def _is_text(data: bytes) -> bool:
    for encoding in ("utf-8", "cp932", "iso2022_jp"):
        try:
            return "\0" not in data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return False
