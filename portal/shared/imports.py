"""CSV imports: all or nothing, every bad line named, repeatable (OPS-12)."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from portal.core import TOKYO, Actor, Labelled, Row, RuleBroken, audit, csvio, money, session

S = TypeVar("S", bound=Labelled)
KEY = 20
"""Characters of a code, a number, an instant."""


def load(
    data: bytes,
    columns: Sequence[str],
    parse: Callable[[Row], Any],
    action: str,
    *,
    by: Actor,
    optional: Collection[str] = (),
) -> tuple[int, int]:
    """Add what `parse` makes of each row, None for what is there; returns how many were added, how many were known.

    The first column is the key, once in a file. The caller commits. Raises CsvMistakes, having changed nothing.
    """
    seen: set[str] = set()

    def once(row: Row) -> Any:
        key = row.text(columns[0], KEY, required=True)
        if key in seen:
            raise RuleBroken("同じ値が前の行にあります。", field=columns[0])
        seen.add(key)
        return parse(row)

    rows = csvio.collect(csvio.read_csv(data, columns, optional=optional), once)
    new = [row for row in rows if row is not None]
    session().add_all(new)
    session().flush()
    if new:
        audit.record(action, f"import:{len(new)}", by=by, added=len(new))
    return len(new), len(rows) - len(new)


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
