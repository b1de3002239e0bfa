"""What every command shares: a tenant, an operator, an instant; one line and exit code 2 for a mistake (OPS-10).

Commands of one shape are made here for every brand: a step of one record, an import.
"""

import functools
import getpass
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from portal.core import (
    LARGEST,
    DatabaseBusy,
    RuleBroken,
    Tenant,
    clock,
    session,
    tenant_scope,
    text,
    yen,
)
from portal.core.actor import operator
from portal.core.csvio import CsvMistakes
from portal.core.tenancy.schema_parts import TaxRate
from portal.shared.billing.lines import BillLine
from portal.web.urls import base_of

Command = Callable[..., Any]
Option = Callable[[Command], Command]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DAY: Any = {
    "type": click.DateTime(["%Y-%m-%d"]),
    "callback": lambda _context, _option, at: at and at.date(),
}
json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


def limit_option(default: int = 30) -> Option:
    """How many rows at most."""
    rows = click.IntRange(1, 100_000)
    return click.option(
        "--limit", default=default, show_default=True, type=rows, help="At most so many."
    )


class Mistake(click.ClickException):
    """A mistake of whoever typed the command: one line, exit code 2."""

    exit_code = 2


def find_tenant(key: str | None) -> Tenant:
    """The tenant with this key. Raises Mistake, naming the keys there are."""
    known = current_app.extensions["tenants"].current().by_key
    if not key:
        raise Mistake("say which brand: --tenant KEY or PORTAL_TENANT")
    if key not in known:
        raise Mistake(f"no tenant {key!r}; there are: {', '.join(sorted(known))}")
    found: Tenant = known[key]
    return found


def link_base(tenant: Tenant) -> str:
    """How mailed links begin."""
    return base_of(tenant, current_app.extensions["settings"])


def read_text(path: Path) -> str:
    """What is written in a file, or comes from standard input (-). Raises Mistake for nothing, and for no UTF-8."""
    try:
        with click.open_file(str(path), encoding="utf-8") as file:
            written: str = file.read()
    except UnicodeDecodeError:
        raise Mistake(f"{path} is not UTF-8") from None
    if not written.strip():
        raise Mistake(f"{path} is empty")
    return written


def typed(
    read: Callable[[str], Any] = text.normalise, longest: int = 0
) -> Callable[[Any, Any, str], Any]:
    """A callback: what was typed as `read` makes it, 1 to `longest` characters (0: any number), or the default."""

    def check(_context: Any, parameter: click.Parameter, value: str) -> Any:
        if not value and value == parameter.default:
            return value
        try:
            made = read(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
        if not made or (longest and len(made) > longest):
            raise click.BadParameter(f"write 1 to {longest} characters" if longest else "is empty")
        return made

    return check


def typed_or_none(longest: int) -> Callable[[Any, Any, str | None], str | None]:
    """A callback: what was typed as one line of 1 to `longest` characters; None where the option was left out."""
    check = typed(longest=longest)

    def check_given(context: Any, parameter: click.Parameter, value: str | None) -> str | None:
        return None if value is None else check(context, parameter, value)

    return check_given


def read_files(_context: Any, _option: Any, paths: Iterable[Path]) -> list[tuple[str, bytes]]:
    """A callback: name and content of each file, read before a transaction begins."""
    return [(path.name, path.read_bytes()) for path in paths]


def _instant(value: str) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("an ISO date and time, e.g. 2026-11-22T09:00") from None
    return at if at.tzinfo else at.replace(tzinfo=clock.TOKYO)


_OPTIONS = (
    click.option(
        "--tenant", "tenant_key", envvar="PORTAL_TENANT", help="The brand's key in tenants.toml."
    ),
    click.option(
        "--operator",
        "operator_name",
        default=getpass.getuser,
        callback=typed(longest=120),
        help="Your name for the audit trail.",
    ),
    click.option(
        "--as-of",
        default="",
        callback=typed(_instant),
        envvar="PORTAL_AS_OF",
        help="Act as if it were this instant.",
    ),
    click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing."),
)


@contextmanager
def _one_line() -> Iterator[None]:
    """What a person can do something about is told in one line, with the exit code that fits."""
    try:
        yield
    except (RuleBroken, CsvMistakes) as error:
        raise Mistake(str(error)) from None
    except DatabaseBusy as error:
        raise click.ClickException(str(error)) from None


def tenant_command(function: Command) -> Command:
    """Decorate a click command that works for one tenant.

    The function gets what it names of `tenant`, `by` and what was typed; records (`record`) are looked up first, and
    text that it returns is printed. The transaction is committed then, rolled back when it raises, and with
    ``--dry-run``. RuleBroken becomes one line and exit code 2.
    """

    @functools.wraps(function)
    @with_appcontext
    def wrapper(
        *,
        tenant_key: str | None,
        operator_name: str,
        as_of: datetime | None,
        dry_run: bool,
        **given: Any,
    ) -> None:
        tenant = find_tenant(tenant_key)
        standing = clock.freeze(as_of) if as_of else nullcontext()
        with _one_line(), standing, tenant_scope(tenant.key):
            words = {
                name: value() if isinstance(value, _Later) else value
                for name, value in given.items()
            }
            said = call(function, {**words, "tenant": tenant, "by": operator(operator_name)})
            if isinstance(said, str):
                click.echo(said)
            if dry_run:
                session().rollback()
                click.echo("dry run: nothing was changed", err=True)
            else:
                session().commit()

    return with_options(wrapper, _OPTIONS)


def call(function: Command, words: dict[str, Any]) -> Any:
    """`function` with those of `words` that it names, or with all where it takes any."""
    names = inspect.signature(function, follow_wrapped=False).parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in names.values())
    return function(**{name: value for name, value in words.items() if takes_any or name in names})


def with_options(command: Command, options: Iterable[Option]) -> Command:
    """`command` with these options and arguments, in their order."""
    for option in reversed(list(options)):
        command = option(command)
    return command


def command(group: click.Group, name: str, *options: Option, help: str | None = None) -> Option:  # noqa: A002 - click's
    """Make the command `name` of a brand, with these options and arguments; see `tenant_command`."""
    return lambda function: group.command(name, help=help)(
        with_options(tenant_command(function), options)
    )


class _Later(functools.partial[Any]):
    """What is read or looked up when the tenant is in scope."""


def record(name: str, find: Callable[[str], Any], metavar: str = "NUMBER") -> Option:
    """An argument; the command gets what `find` finds by it."""
    return click.argument(
        name, metavar=metavar, callback=lambda _context, _argument, given: _Later(find, given)
    )


_SOURCE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
TEXT = click.argument(
    "body", type=_SOURCE, callback=lambda _context, _argument, path: _Later(read_text, path)
)


def step(
    group: click.Group,
    find: Callable[[str], Any],
    say: Callable[[Any, Any], object],
    name: str,
    do: Command,
    text: str,
    *options: Option,
) -> None:
    """Make the command `name` NUMBER: `do` gets tenant, the record and options; `say` tells of it, and the answer."""

    def take(found: Any, tenant: Tenant, **words: Any) -> object:
        return say(found, do(tenant, found, **words))

    command(group, name, record("found", find), *options, help=text)(take)


def importing(
    group: click.Group, name: str, take: Callable[..., tuple[int, int]], what: str, more: str = ""
) -> None:
    """Make the command `name` FILE, which imports `what`; `take` answers how many it added, and how many it knew."""

    def load(file: Path, **words: Any) -> str:
        added, known = call(take, {"data": file.read_bytes(), **words})
        return f"{added} added, {known} known already"

    text = f"Import {what} from CSV{more}; the same file twice changes nothing."
    command(group, name, click.argument("file", type=FILE), help=text)(load)


_LINE = "TEXT:QTY:UNIT:PRICE[:RATE]"
lines_option = click.option(
    "--line",
    "lines",
    multiple=True,
    required=True,
    metavar=_LINE,
    help="Yen without tax; repeatable.",
)


def bill_lines(tenant: Tenant, texts: Iterable[str], day: date) -> list[BillLine]:
    """What `lines_option` gave, at the standard rate of `day` unless another is named. Raises Mistake."""
    begun = [rate for rate in tenant.tax.rates if rate.since <= day]
    return [_bill_line(text, day, begun) for text in texts]


def _bill_line(text: str, day: date, begun: list[TaxRate]) -> BillLine:
    try:
        name, quantity, unit, price, *rest = text.split(":")
        usual = max((rate for rate in begun if not rate.reduced), key=lambda rate: rate.since).rate
        percent = int(rest[0]) if rest else usual
        line = BillLine(name, int(quantity), unit, int(price), percent, day=day)
    except ValueError:
        raise Mistake(f"--line {text!r}: write {_LINE}, e.g. 利用料:3:時間:4500") from None
    if abs(line.amount) > LARGEST:
        raise Mistake(f"--line {text!r}: at most {yen(LARGEST)}")
    kinds = [rate.reduced for rate in begun if rate.rate == percent]
    if (
        len(rest) > 1
        or not (kinds or percent == 0)
        or line.quantity < 1
        or not line.description.strip()
    ):
        known = ", ".join(sorted({str(rate.rate) for rate in begun} | {"0"}, key=int))
        raise Mistake(
            f"--line {text!r}: a text, a quantity of 1 or more, and a rate out of {known}"
        )
    return replace(line, reduced=bool(kinds and all(kinds)))
