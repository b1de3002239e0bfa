"""What every command shares: a tenant, an operator, an instant; one line and exit code 2 for a
mistake (OPS-10).

A command is one of three kinds. A `question` changes nothing and locks nothing. A `command` does
all it does in one transaction, which begins after everything that a person types, confirms or
thinks over. The third kind opens its own transactions, because it is an import, or because it goes
on for hours. Commands of one shape are made here for every brand: a step of one record, an import.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click
from flask import current_app
from flask.cli import with_appcontext

from portal.cli.command_line import (
    CommandError,
    Content,
    Number,
    content,
    is_dry_run,
    login,
    progress,
    read_text,
    require_offered,
)
from portal.config import Tenant
from portal.core import Actor, clock, session, tenant_scope, text, transaction_mode
from portal.core.actor import operator
from portal.shared import imports
from portal.shared.documents.typefaces import UndrawableText, check_drawable
from portal.shared.staging import Staging

Command = Callable[..., Any]
Option = Callable[[Command], Command]
Kind = Literal["question", "change", "own"]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DAY: Any = {
    "type": click.DateTime(["%Y-%m-%d"]),
    "callback": lambda _context, _option, at: at and at.date(),
}
json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


def limit_option(default: int = 30) -> Option:
    """How many rows at most."""
    rows = Number(1, 100_000)
    return click.option(
        "--limit", default=default, show_default=True, type=rows, help="At most so many."
    )


def find_tenant(key: str | None) -> Tenant:
    """The tenant with this key. Raises CommandError, naming the keys there are."""
    known = current_app.extensions["tenants"].current().by_key
    if not key:
        raise CommandError("say which brand: --tenant KEY or PORTAL_TENANT")
    if key not in known:
        raise CommandError(f"no tenant {key!r}; there are: {', '.join(sorted(known))}")
    found: Tenant = known[key]
    return found


def typed(
    read: Callable[[str], Any] = text.one_line, longest: int = 0
) -> Callable[[Any, Any, str], Any]:
    """A callback: what was typed as `read` makes it, 1 to `longest` characters (0: any number), or
    the default.
    """

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


def printable(value: str) -> str:
    """One line of free text that documents can print (COM-70).

    Raises ValueError, which names the character.
    """
    return _drawable(text.one_line(value))


def printable_name(value: str) -> str:
    """The same for a person's name, in the usual width."""
    return _drawable(text.usual_width(value))


def _drawable(made: str) -> str:
    try:
        check_drawable(made)
    except UndrawableText as refused:
        raise ValueError(str(refused)) from None
    return made


def typed_or_none(
    read: Callable[[str], str] = text.normalise, *, longest: int
) -> Callable[[Any, Any, str | None], str | None]:
    """A callback: what was typed as `read` makes it, 1 to `longest` characters; None where it was
    left out.
    """
    check = typed(read, longest=longest)

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
        default=login,
        callback=typed(longest=120),
        help="Your name for the audit trail, which keeps your login beside it.",
    ),
    click.option(
        "--as-of",
        default="",
        callback=typed(_instant),
        envvar="PORTAL_AS_OF",
        help="Ask as if it were this instant; changes are for the demo.",
    ),
    click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing."),
)


@dataclass(frozen=True, slots=True)
class _Record:
    """A record that the database is asked for, by what was typed."""

    find: Callable[[str], Any]
    given: str


def _nothing(_words: Mapping[str, Any]) -> None:
    """There is nothing to check."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person types, confirms or thinks over, or what comes out of a file or pipe at its own
    pace.

    `ask` makes the value, from the command's other words, while no transaction is open. Records
    among them are as they were read just before, and know nothing but their own columns. `check`
    raises RuleBroken before anybody is asked about what cannot be done; it may ask the database.
    """

    ask: Callable[[Mapping[str, Any]], Any]
    check: Callable[[Mapping[str, Any]], object] = _nothing


def tenant_command(function: Command, kind: Kind = "change") -> Command:
    """Decorate a click command that works for one tenant.

    The function gets what it names of `tenant`, `by` and what was typed; records (`record`) are
    looked up first, and text that it returns is printed. A question runs where nothing is locked
    and nothing can be written. The transaction of a change is committed, or rolled back when it
    raises, and with ``--dry-run``.
    """

    @functools.wraps(function)
    @with_appcontext
    def wrapper(
        *,
        tenant_key: str | None,
        operator_name: str,
        as_of: datetime | None,
        dry_run: bool,  # noqa: ARG001 - who wants to know asks `is_dry_run`
        **given: Any,
    ) -> None:
        tenant = find_tenant(tenant_key)
        require_offered(tenant)
        if as_of and kind != "question" and not is_dry_run():
            _require_demo()
        standing = clock.freeze(as_of) if as_of else nullcontext()
        by = operator(operator_name, login())
        words = {**given, "tenant": tenant, "by": by}
        with standing, tenant_scope(tenant.key):
            _run(function, _asked(words), kind)

    return with_options(wrapper, _OPTIONS)


def _require_demo() -> None:
    """Refuse to change anything as of another instant where that would be forged.

    Raises CommandError.
    """
    if not current_app.extensions["settings"].demo:
        raise CommandError(
            "--as-of is for questions and --dry-run; only a demo changes things as of then"
        )


def _asked(words: dict[str, Any]) -> dict[str, Any]:
    """`words` with all that a person has to give: nothing is locked while they think."""
    asking = {name: value for name, value in words.items() if isinstance(value, Asked)}
    if not asking:
        return words
    with transaction_mode("read"):
        shown = _looked_up({name: value for name, value in words.items() if name not in asking})
        for value in asking.values():
            value.check(shown)
        session().expunge_all()
    return words | {name: value.ask(shown) for name, value in asking.items()}


def _looked_up(words: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.find(value.given) if isinstance(value, _Record) else value
        for name, value in words.items()
    }


def _run(function: Command, words: dict[str, Any], kind: Kind) -> None:
    """Run the function in the transaction of its kind, and print what it says."""
    if kind == "own":
        _print(call(function, words))
    elif kind == "question":
        with transaction_mode("read"):
            _print(call(function, _looked_up(words)))
    else:
        message = call(function, _looked_up(words))
        if is_dry_run():
            session().rollback()
        else:
            session().commit()
        _print(message)
    if is_dry_run():
        click.echo("dry run: nothing was changed", err=True)


def _print(message: object) -> None:
    if isinstance(message, str):
        click.echo(message)


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


def command(
    group: click.Group,
    name: str,
    *options: Option,
    help: str | None = None,  # noqa: A002 - click's
    kind: Kind = "change",
) -> Option:
    """Make the command `name` of a group, with these options and arguments; see `tenant_command`."""

    def register(function: Command) -> Any:
        made = with_options(tenant_command(function, kind), options)
        return group.command(name, help=help)(made)

    return register


def question(group: click.Group, name: str, *options: Option) -> Option:
    """Make the command `name` of a group, which changes nothing: it waits for nobody and nobody
    waits for it.
    """
    return command(group, name, *options, kind="question")


def record(name: str, find: Callable[[str], Any], metavar: str = "NUMBER") -> Option:
    """An argument; the command gets what `find` finds by it."""
    return click.argument(
        name, metavar=metavar, callback=lambda _context, _argument, given: _Record(find, given)
    )


def confirmation(
    question: Callable[[Mapping[str, Any]], str], check: Callable[[Mapping[str, Any]], object]
) -> Option:
    """The option --yes: without it, or --dry-run, the person is asked whether to go on with what
    `question` names.

    Nobody is asked about what cannot be done: `check` says so with RuleBroken.
    """

    def ask(words: Mapping[str, Any]) -> bool:
        if not is_dry_run():
            click.confirm(f"{question(words)}: there is no way back. Go on?", abort=True)
        return True

    def callback(_context: click.Context, _option: click.Parameter, is_sure: bool) -> object:
        return is_sure or Asked(ask, check)

    return click.option("--yes", is_flag=True, callback=callback, help="Do not ask.")


_SOURCE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
TEXT = click.argument(
    "body",
    type=_SOURCE,
    callback=lambda _context, _argument, path: Asked(lambda _words: read_text(path)),
)
CONTENT = click.argument(
    "file",
    type=FILE,
    callback=lambda _context, _argument, path: Asked(lambda _words: content(path)),
)


def contents(
    _context: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]
) -> Asked:
    """The callback of several files: the command gets a `Content` for each."""
    return Asked(lambda _words: [content(path) for path in paths])


def step(
    group: click.Group,
    find: Callable[[str], Any],
    say: Callable[[Any, Any], object],
    name: str,
    do: Command,
    text: str,
    *options: Option,
    kind: Kind = "change",
) -> None:
    """Make the command `name` NUMBER: `do` gets tenant, the record and options; `say` tells of it,
    and the answer.
    """

    def take(found: Any, tenant: Tenant, **words: Any) -> object:
        return say(found, do(tenant, found, **words))

    command(group, name, record("found", find), *options, help=text, kind=kind)(take)


def importing(
    group: click.Group,
    name: str,
    make: Callable[[Tenant], imports.Importer],
    what: str,
    more: str = "",
) -> None:
    """Make the command `name` FILE, which imports `what` by the importer that `make` gives for the
    tenant.

    The file is read where nothing is locked; what is new in it is stored in one short transaction.
    A dry run ends before that.
    """

    def load(file: Content, tenant: Tenant, by: Actor) -> str:
        importer = make(tenant)
        with Staging() as staged:
            with transaction_mode("read"), progress() as report:
                counts = imports.stage(file.data, importer, staged, report, check_drawable)
            if not is_dry_run():
                imports.store(staged, importer, by=by)
                session().commit()
        return str(counts)

    text = f"Import {what} from CSV{more}; the same file twice changes nothing."
    command(group, name, CONTENT, help=text, kind="own")(load)
