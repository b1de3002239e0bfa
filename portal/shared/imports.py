"""CSV imports: all or nothing, every bad line named, repeatable, and quick where others wait
(OPS-12).

A file is read and checked in a transaction that locks nothing (`stage`), and what it adds is kept
on disk. Then one short transaction stores that (`store`). What somebody else changed between the
two, the database's constraints find.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from typing import Any, Protocol, TypeVar, TypeVarTuple, cast

from sqlalchemy import Row as DatabaseRow
from sqlalchemy import Select, Table, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from portal.core import (
    TOKYO,
    Actor,
    Base,
    LabelledEnum,
    Row,
    RuleBroken,
    Stale,
    audit,
    csvio,
    execute_core,
    money,
    session,
    text,
)
from portal.core.csvio import CellErrors, CsvErrors
from portal.shared.staging import Staging

S = TypeVar("S", bound=LabelledEnum)
Ts = TypeVarTuple("Ts")
StagedRow = dict[str, Any]
"""What an importer makes of one row and stores later, by names of its own; it goes through JSON."""
KEY = 20
"""Characters of a code, a number, an instant."""
BATCH = 500
"""Rows that are looked up, and stored, by one statement."""
MOST_ROWS = 20_000
"""In one file: storing more at once would keep other writers waiting for longer than they do
(docs/operators.md).
"""
MOST_BYTES = 64 * 1024 * 1024
OTHERWISE = "登録済みの内容と異なります。読み込みでは変更できません。"
_CHANGED = "読み込みの間に、同じデータがほかで登録されました。もう一度お試しください。"


class Importer(Protocol):
    """What one file is imported as.

    It remembers what it looked up, so each file gets one of its own.
    """

    @property
    def action(self) -> str:
        """How the audit trail calls the import, e.g. "facility.import"."""

    @property
    def columns(self) -> Sequence[str]:
        """All columns that the file may have."""

    @property
    def optional(self) -> Collection[str]:
        """Those of them that it may lack."""

    @property
    def printed(self) -> Collection[str]:
        """Those of them whose text ends on documents."""

    def look_up(self, rows: Sequence[Row]) -> None:
        """Ask the database, in few statements, for all that `read` needs to know of these rows."""

    def read(self, row: Row) -> StagedRow | None:
        """Check one row and make of it what `store` gets; None for what is there already.

        Raises RuleBroken.
        """

    def store(self, rows: Sequence[StagedRow], *, by: Actor) -> None:
        """Store rows as `read` made them. The caller commits."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a file's rows."""

    added: int
    known: int

    def __str__(self) -> str:
        return f"{self.added} added, {self.known} known already"


def _tell_nobody(_checked: int) -> None:
    """The progress of an import that nobody watches."""


def stage(
    data: bytes,
    importer: Importer,
    into: Staging,
    progress: Callable[[int], None] = _tell_nobody,
    check_printed: Callable[[str], object] = str,
) -> Counts:
    """Read and check a whole file and keep what is new in `into`, without a lock or a change.

    `progress` is told how many rows have been checked. `check_printed` raises RuleBroken for a text
    that documents cannot print; it is handed in because members, whom documents know, are imported
    too. Raises CsvErrors, which names every bad line.
    """

    def check(cell: str) -> None:
        check_printed(text.one_line(cell))

    def read(row: Row) -> StagedRow | None:
        made = importer.read(row)
        if made is not None:
            for column in importer.printed:
                row.take(column, check)
        return made

    _require_readable_size(data)
    rows = csvio.read_csv(data, importer.columns, optional=importer.optional)
    mistakes: list[csvio.RowError] = []
    checked = 0
    for made in csvio.parse_each(_looked_up(rows, importer), read, mistakes):
        checked += 1
        if checked > MOST_ROWS:
            raise RuleBroken("一度に%(n)s行までです。分けて読み込んでください。", n=MOST_ROWS)
        # After the first mistake nothing will be stored: the rest is only checked.
        if made is not None and not mistakes:
            into.add(made)
        progress(checked)
    if mistakes:
        # Whoever mends the file goes through it from the top.
        raise CsvErrors(sorted(mistakes, key=attrgetter("line")))
    return Counts(added=into.count, known=checked - into.count)


def _require_readable_size(data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise RuleBroken(
            "ファイルは%(n)sMBまでです。分けて読み込んでください。", n=MOST_BYTES >> 20
        )


def _looked_up(rows: Iterator[Row], importer: Importer) -> Iterator[Row]:
    """The rows, each batch of them after its look-ups.

    What is wrong with the file's form is raised at the end.
    """
    refused: CsvErrors | None = None
    while refused is None:
        batch: list[Row] = []
        try:
            batch.extend(islice(rows, BATCH))
        except CsvErrors as error:  # the rows before it are in the batch
            refused = error
        if not batch:
            break
        importer.look_up(batch)
        yield from batch
    if refused is not None:
        raise refused


def store(staged: Staging, importer: Importer, *, by: Actor) -> None:
    """Store all that was staged, and one event for the whole.

    The caller commits. Raises Stale, having stored nothing. It is Stale when somebody stored the
    same, or took away what a row hangs on, since the file was read.
    """
    # In batches, so that memory does not grow with the file.
    try:
        for rows in staged.batches(BATCH):
            importer.store(rows, by=by)
        session().flush()
    except IntegrityError:
        raise Stale(_CHANGED) from None
    if staged.count:
        audit.record(importer.action, f"import:{staged.count}", by=by, added=staged.count)


def add_rows(model: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows of one table, given by their columns' names, in one statement without the ORM,
    which takes longer.
    """
    # Nothing stamps the rows here: past the ORM the tenant is named by hand.
    tenant = session().tenant
    if rows:
        table = cast(Table, model.__table__)
        execute_core(insert(table), [{**row, "tenant_id": tenant} for row in rows])


def found_by(
    statement: Select[*Ts], column: InstrumentedAttribute[str], wanted: Iterable[str]
) -> list[DatabaseRow[*Ts]]:
    """The rows of `statement` whose `column` is one of `wanted`, asked for in statements of bounded
    length.
    """
    found: list[DatabaseRow[*Ts]] = []
    remaining = iter(dict.fromkeys(wanted))
    # SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535.
    while some := list(islice(remaining, BATCH)):
        found.extend(session().execute(statement.where(column.in_(some))))
    return found


class Keys:
    """The keys of a file: each stands there once."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._seen: set[str] = set()

    def take(self, row: Row) -> str:
        """The key of `row`.

        Raises RuleBroken when it is missing, too long, or a row before has it.
        """
        key = row.text(self._column, KEY, required=True)
        if key in self._seen:
            raise RuleBroken("同じ値が前の行にあります。", field=self._column)
        self._seen.add(key)
        return key


def require_same(
    known: Mapping[str, object], said: Mapping[str, object], columns: Mapping[str, str]
) -> None:
    """Refuse a row about something `known` of which it says something else (OPS-12).

    Never ignored in silence. `columns` are the file's columns by the names that both go by. Raises
    CellErrors, at each that differs.
    """
    errors = [
        RuleBroken(OTHERWISE, field=column)
        for name, column in columns.items()
        if known[name] != said[name]
    ]
    if errors:
        raise CellErrors(errors)


def yen(row: Row, column: str, most: int = money.LARGEST) -> int:
    """The cell of `column` as yen, from 0 to `most`. Raises RuleBroken."""
    amount = row.take(column, money.parse_yen)
    if amount < 0:
        raise RuleBroken("0以上の金額を入力してください。", field=column)
    if amount > most:
        raise RuleBroken("金額が大きすぎます。", field=column)
    return amount


def instant(row: Row, column: str) -> datetime:
    """The cell of `column` as an instant (UTC) of a clock in Tokyo. Raises RuleBroken."""
    value = row.text(column, KEY, required=True)
    for style in ("%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"):
        try:
            return datetime.strptime(value, style).replace(tzinfo=TOKYO).astimezone(UTC)
        except (ValueError, OverflowError):  # the year 1 begins in Tokyo before it does in UTC
            continue
    raise RuleBroken("2026/11/22 09:00 の形で入力してください。", field=column)


def one_of(row: Row, column: str, values: type[S]) -> S:
    """The cell of `column` as one of `values`, by its Japanese name. Raises RuleBroken."""
    by_label = {value.label: value for value in values}
    if (label := row.text(column, KEY, required=True)) not in by_label:
        raise RuleBroken(f"次のいずれかです: {'、'.join(by_label)}", field=column)
    return by_label[label]
