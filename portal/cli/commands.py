"""Commands for one tenant: what they all take, in which transaction they run, and what ends them
(OPS-10).

Such a command is a plain click command of one of these classes: `QuestionCommand` changes nothing
and locks nothing, `ChangeCommand` does all it does in one transaction, and `TenantCommand` opens
its own, because it is an import, or because it goes on for hours. Its function takes the
`TenantContext` by ``@click.pass_obj`` and returns the line to print when all is done, or None.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

import click
from flask import has_app_context
from flask.cli import ScriptInfo

from portal.cli.command_line import (
    CommandError,
    FileContent,
    PortalCommand,
    login,
    one_line,
    progress,
    require_offered,
)
from portal.cli.parameters import instant, typed
from portal.config import Tenant
from portal.core import Actor, clock, session, tenant_scope, text, transaction_mode
from portal.core.actor import operator
from portal.shared import imports
from portal.shared.documents.typefaces import check_drawable
from portal.shared.staging import Staging
from portal.web.requests import registry, settings


@dataclass(frozen=True, slots=True)
class TenantContext:
    """What a command works with: its tenant, who is at the keyboard, and whether it is to change
    nothing.
    """

    tenant: Tenant
    by: Actor
    dry_run: bool


def find_tenant(key: str | None) -> Tenant:
    """The tenant with this key. Raises CommandError, naming the keys there are."""
    known = registry().current().by_key
    if not key:
        raise CommandError("say which brand: --tenant KEY or PORTAL_TENANT")
    if key not in known:
        raise CommandError(f"no tenant {key!r}; there are: {', '.join(sorted(known))}")
    return known[key]


def _tenant_options() -> list[click.Parameter]:
    """The options of every command for one tenant."""
    return [
        click.Option(
            ["--tenant", "tenant_key"],
            envvar="PORTAL_TENANT",
            help="The brand's key in tenants.toml.",
        ),
        click.Option(
            ["--operator", "operator_name"],
            default=login,
            callback=typed(text.one_line, longest=120),
            help="Your name for the audit trail, which keeps your login beside it.",
        ),
        click.Option(
            ["--as-of"],
            default="",
            callback=typed(instant),
            envvar="PORTAL_AS_OF",
            help="Ask as if it were this instant; changes are for the demo.",
        ),
        click.Option(["--dry-run"], is_flag=True, help="Show what would happen; change nothing."),
    ]


class TenantCommand(PortalCommand):
    """A command for one tenant, which opens the transactions that it needs.

    It has the options of `_tenant_options` besides its own. They become the `TenantContext`, so the
    function is called with its own options and arguments alone.
    """

    may_be_backdated = False
    """Whether it may be run as of another instant outside of a demo."""

    def __init__(
        self,
        name: str | None,
        *,
        callback: Callable[..., object] | None = None,
        params: list[click.Parameter] | None = None,
        help: str | None = None,  # noqa: A002 - click's
        feature: str = "",
    ) -> None:
        params = [*(params or []), *_tenant_options()]
        super().__init__(name, callback=callback, params=params, help=help, feature=feature)

    def invoke(self, ctx: click.Context) -> None:
        """Run the function in the tenant's scope, in its transaction, and print what it returns."""
        with one_line():
            _open_app_context(ctx)
            # Popped: what stays in `params` is what the function is called with.
            tenant = find_tenant(ctx.params.pop("tenant_key"))
            require_offered(tenant)
            by = operator(ctx.params.pop("operator_name"), login())
            context = TenantContext(tenant, by, ctx.params.pop("dry_run"))
            as_of: datetime | None = ctx.params.pop("as_of") or None
            if as_of and not self.may_be_backdated and not context.dry_run:
                _require_demo()
            ctx.obj = context
            standing = clock.freeze(as_of) if as_of else nullcontext()
            with standing, tenant_scope(tenant.key):
                with self.transaction(context):
                    message = super().invoke(ctx)
                # What is printed is true: it is committed by now.
                if isinstance(message, str):
                    click.echo(message)
            if context.dry_run:
                click.echo("dry run: nothing was changed", err=True)

    def transaction(self, context: TenantContext) -> AbstractContextManager[None]:
        """What the function runs in: nothing here, it begins and ends its own transactions."""
        return nullcontext()


class QuestionCommand(TenantCommand):
    """A command that changes nothing: it waits for nobody, nobody waits for it, and it may be asked
    as of any instant.
    """

    may_be_backdated = True

    def transaction(self, context: TenantContext) -> AbstractContextManager[None]:
        """One that locks nothing and in which nothing can be written."""
        return transaction_mode("read")


class ChangeCommand(TenantCommand):
    """A command that does all it does in one transaction.

    The transaction begins with the first statement. So what somebody types, confirms or thinks
    over, and what comes out of a pipe at its own pace, is read before that: nobody waits for it.
    """

    @contextmanager
    def transaction(self, context: TenantContext) -> Iterator[None]:
        """Committed in the end; rolled back with --dry-run, and when the function raises."""
        yield
        if context.dry_run:
            session().rollback()
        else:
            session().commit()


def _open_app_context(ctx: click.Context) -> None:
    """Enter the application's context, as Flask does for functions only: the tenant is looked up
    before.
    """
    if not has_app_context():
        app = ctx.ensure_object(ScriptInfo).load_app()
        ctx.with_resource(app.app_context())


def _require_demo() -> None:
    """Refuse to change anything as of another instant where that would be forged.

    Raises CommandError.
    """
    if not settings().demo:
        raise CommandError(
            "--as-of is for questions and --dry-run; only a demo changes things as of then"
        )


def confirm(context: TenantContext, question: str, is_sure: bool) -> None:
    """Ask whether to go on with what `question` names, unless it is sure or a dry run.

    Call it while no transaction is open. Raises Abort for a no.
    """
    if not is_sure and not context.dry_run:
        click.confirm(f"{question}: there is no way back. Go on?", abort=True)


yes_option = click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")


def import_csv(context: TenantContext, file: FileContent, importer: imports.Importer) -> str:
    """Import a CSV file; returns how many rows it added.

    It is read and checked where nothing is locked; what is new in it is stored in one short
    transaction. A dry run ends before that.
    """
    # Between the two transactions somebody else may store the same: the database's constraints find
    # it, and the whole file is refused.
    with Staging() as staged:
        with transaction_mode("read"), progress() as report:
            counts = imports.stage(file.data, importer, staged, report, check_drawable)
        if not context.dry_run:
            imports.store(staged, importer, by=context.by)
            session().commit()
    return str(counts)
