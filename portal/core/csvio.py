"""CSV out, that Excel opens right and cannot be tricked by (COM-21); CSV in, all or nothing.

What is wrong with a file that comes in is said line by line (OPS-12).
"""

import codecs
import csv
import difflib
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, cast

from portal.core import clock, text
from portal.core.errors import RuleBroken

T = TypeVar("T")
P = ParamSpec("P")
Encoding = Literal["utf-8-sig", "cp932"]

_CHUNK_CHARACTERS = 32 * 1024
_PIECE_BYTES = 1024 * 1024
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# A cell that Excel would run as a formula, in either width. Text that looks guarded already is
# guarded again, so that reading takes off exactly what writing put on.
_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
# The same characters by the code points that CP932 knows them by.
_CP932 = str.maketrans("〜−—‖¢£¬¥", "～－―∥￠￡￢￥")
# An encoder's own "replace" writes ?, which looks like part of a name; printers set 〓.
codecs.register_error(
    "portal.geta", lambda error: ("〓", cast(UnicodeEncodeError, error).start + 1)
)


@dataclass(frozen=True, slots=True)
class RowError:
    """One thing wrong in a file: its line (1 is the header), its column if one is to blame, and
    what is wrong.
    """

    line: int
    column: str | None
    message: str

    def __str__(self) -> str:
        place = f"{self.line}行目" + (f"「{self.column}」" if self.column else "")
        return f"{place}: {self.message}"


class CsvErrors(Exception):
    """A file was refused as a whole; `mistakes` names everything that is wrong with it (OPS-12)."""

    def __init__(self, mistakes: Sequence[RowError]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Row:
    """One record: the line it begins on, and its cells by column name."""

    line: int
    values: Mapping[str, str]

    def take(self, column: str, convert: Callable[[str], T]) -> T:
        """The cell of `column`, converted.

        What `convert` refuses becomes a RuleBroken that names the column.
        """
        try:
            return convert(self.values[column])
        except (ValueError, RuleBroken) as error:
            raise RuleBroken(str(error), field=column) from error

    def text(
        self,
        column: str,
        longest: int,
        *,
        required: bool = False,
        clean: Callable[[str], str] = text.normalise,
    ) -> str:
        """The cell of `column` as one line: of usual text, or as `clean` makes it. Raises
        RuleBroken when it is too long, or missing.
        """
        value = clean(self.values[column])
        if required and not value:
            raise RuleBroken("入力してください。", field=column)
        if len(value) > longest:
            raise RuleBroken("%(max)d文字以内で入力してください。", field=column, max=longest)
        return value


class CellErrors(RuleBroken):
    """Several things wrong with one row, each at its column; the first stands for all where one is
    told.
    """

    def __init__(self, errors: Sequence[RuleBroken]) -> None:
        super().__init__(str(errors[0]), field=errors[0].field)
        self.errors = tuple(errors)


class Cells:
    """Reads the cells of one row and goes on after a bad one, so that all that is wrong is told at
    once (OPS-12).
    """

    def __init__(self) -> None:
        self._errors: list[RuleBroken] = []

    def read(self, convert: Callable[P, T], *words: P.args, **options: P.kwargs) -> T:
        """What `convert` makes of these words.

        Where it refuses, nothing of any use: ask `require` before using it.
        """
        try:
            return convert(*words, **options)
        except RuleBroken as error:
            self._errors.extend(_each(error))
            # Typed as T though it is not: callers ask `require` before they use any of it.
            return cast(T, None)

    def require(self) -> None:
        """Raise CellErrors for all that was refused so far."""
        if self._errors:
            raise CellErrors(self._errors)


def _each(error: RuleBroken) -> Sequence[RuleBroken]:
    return error.errors if isinstance(error, CellErrors) else (error,)


def write_csv(
    rows: Iterable[Sequence[object]], header: Sequence[str], encoding: Encoding = "utf-8-sig"
) -> Iterator[bytes]:
    """The file in parts, made as they are asked for; what CP932 cannot hold is 〓."""
    # Incremental, so that the byte order mark by which Excel knows UTF-8 stands once, at the
    # beginning.
    encode = codecs.getincrementalencoder(encoding)("portal.geta").encode
    same = _CP932 if encoding == "cp932" else {}
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    for row in chain([header], rows):
        writer.writerow(map(cell, row))
        if buffer.tell() > _CHUNK_CHARACTERS:
            yield encode(buffer.getvalue().translate(same))
            buffer = io.StringIO(newline="")
            writer = csv.writer(buffer)
    yield encode(buffer.getvalue().translate(same))


def cell(value: object) -> object:
    """A value as a cell: instants as wall time in Asia/Tokyo, text guarded against being run,
    numbers as they are.
    """
    if value is None:
        return ""
    # Before numbers, since a bool is an int, and "True" would be text to a spreadsheet.
    if isinstance(value, bool):
        return int(value)
    # Before dates, since a datetime is a date too.
    if isinstance(value, datetime):
        return f"{clock.to_local(value):%Y/%m/%d %H:%M}"
    if isinstance(value, date):
        return f"{value:%Y/%m/%d}"
    return guard(value) if isinstance(value, str) else value


def guard(text: str) -> str:
    """`text` with a leading ' if a spreadsheet would run it as a formula (security.md, row 24)."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def unguard(text: str) -> str:
    """`text` without the ' that `guard` put there."""
    return text[1:] if text.startswith("'") and _DANGEROUS.match(text) else text


def read_csv(
    data: bytes | Path, columns: Sequence[str], *, optional: Collection[str] = ()
) -> Iterator[Row]:
    """The records of a file whose header names `columns`, in any order, but for `optional` ones.

    Raises CsvErrors.
    """
    content = data if isinstance(data, bytes) else data.read_bytes()
    # Line ends are left to the csv module, which knows those inside quoted cells.
    source = io.TextIOWrapper(io.BytesIO(content), encoding=_encoding(content), newline="")
    # Strict: otherwise a stray quote swallows the cells behind it without a word.
    reader = csv.reader(source, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise CsvErrors([RowError(1, None, f"CSVとして読めません（{error}）。")]) from error
    mistakes = list(_header_mistakes(header, columns, optional))
    if mistakes:
        raise CsvErrors(mistakes)
    missing = dict.fromkeys(set(columns) - set(header), "")
    return _records(reader, header, missing)


def _encoding(content: bytes) -> Encoding:
    """The encoding that all of `content` can be read in.

    Raises CsvErrors, naming the first line that cannot be.
    """
    line = 1
    # UTF-8 first: other bytes hardly ever happen to be UTF-8, while CP932 takes nearly everything.
    known: tuple[Encoding, ...] = ("utf-8-sig", "cp932")
    if content.startswith(_UTF_16):  # Excel's "Unicode text", which CP932 would read as nonsense
        known = ()
    for encoding in known:
        place = _first_unreadable(content, encoding)
        if place is None:
            return encoding
        line = content.count(b"\n", 0, place) + 1
    message = "文字コードが読めません。UTF-8 または CP932（Shift_JIS）で保存してください。"
    raise CsvErrors([RowError(line, None, message)])


def _first_unreadable(content: bytes, encoding: Encoding) -> int | None:
    """Where `content` is no text of this encoding; a piece at a time, since a copy of a large file
    is dear.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(content) + 1, _PIECE_BYTES):
        # A piece may end within a character, whose first bytes the decoder holds back.
        pending = len(decoder.getstate()[0])
        piece = content[start : start + _PIECE_BYTES]
        try:
            decoder.decode(piece, final=start + _PIECE_BYTES > len(content))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def _header_mistakes(
    header: list[str], columns: Sequence[str], optional: Collection[str]
) -> Iterator[RowError]:
    missing = [name for name in columns if name not in header]
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            yield RowError(1, name, "同じ列が2つ以上あります。")
        if name not in columns:
            close = difflib.get_close_matches(name, missing, n=1, cutoff=0.5)
            hint = (
                f"「{close[0]}」のことでしょうか。" if close else f"使える列: {'、'.join(columns)}"
            )
            yield RowError(1, name, f"この列は知りません。{hint}")
    yield from (
        RowError(1, name, "この列がありません。") for name in missing if name not in optional
    )


def _records(reader: Any, header: list[str], missing: Mapping[str, str]) -> Iterator[Row]:
    mistakes: list[RowError] = []
    line = reader.line_num + 1  # on which the record begins
    try:
        for cells in reader:
            # Rows that were emptied in a spreadsheet are saved as commas alone: they are no
            # records.
            if any(map(str.strip, cells)) and len(cells) != len(header):
                mistakes.append(
                    RowError(line, None, f"列の数が{len(cells)}です。見出しは{len(header)}列です。")
                )
            elif any(map(str.strip, cells)):
                yield Row(line, {**missing, **dict(zip(header, map(unguard, cells), strict=True))})
            line = reader.line_num + 1
    except csv.Error as error:
        mistakes.append(RowError(line, None, f"CSVとして読めません（{error}）。"))
    if mistakes:
        raise CsvErrors(mistakes)


def collect(rows: Iterable[Row], parse: Callable[[Row], T]) -> list[T]:
    """All rows parsed, or none: goes on after a bad line so that CsvErrors names every one of them
    (OPS-12).
    """
    mistakes: list[RowError] = []
    parsed = list(parse_each(rows, parse, mistakes))
    if mistakes:
        raise CsvErrors(sorted(mistakes, key=lambda mistake: mistake.line))
    return parsed


def parse_each(
    rows: Iterable[Row], parse: Callable[[Row], T], mistakes: list[RowError]
) -> Iterator[T]:
    """What `parse` makes of each row that is right; what is wrong with the others is added to
    `mistakes`.
    """
    try:
        for row in rows:
            try:
                yield parse(row)
            except RuleBroken as error:
                mistakes.extend(
                    RowError(row.line, one.field if one.field in row.values else None, str(one))
                    for one in _each(error)
                )
    # The reader stops at what is no CSV; the mistakes found before that are reported with it.
    except CsvErrors as refused:
        mistakes.extend(refused.mistakes)
