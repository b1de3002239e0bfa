"""`flask knowledge`: articles from files, and what readers think of them (SUP-14, SUP-15)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from portal.core.actor import Actor
from portal.core.tenancy.schema import Tenant
from portal.shared.knowledge import operations
from portal.web.brand import brands_of
from portal.web.commands import FILE, Mistake, read_text, tenant_command
from portal.web.output import listing, moment

knowledge = AppGroup("knowledge", help="Articles of the knowledge base.")
_ARTICLES = (
    ("number", "Article.number"),
    ("key", "Article.key"),
    ("place", "Place.name"),
    ("title", "Article.title"),
    ("products", lambda found: found.Article.products.strip(",")),
    "helpful",
    ("not helpful", "unhelpful"),
    ("updated", moment("Article.updated_at", "%Y-%m-%d")),
    ("withdrawn", moment("Article.withdrawn_at", "%Y-%m-%d")),
)


@knowledge.command("put")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--quiet", is_flag=True, help="Mail nobody.")
@tenant_command
def put(files: tuple[Path, ...], quiet: bool, tenant: Tenant, by: Actor, **_: Any) -> None:
    """Publish the Markdown FILES, or what changed of them; all or none."""
    known = {key for brand in brands_of(tenant) for key in brand.product_keys(tenant)}
    seen: set[str] = set()
    for file in files:
        try:
            written = operations.read(read_text(file))
        except ValueError as error:
            raise Mistake(f"{file}: {error}") from None
        if written.key in seen or not known.issuperset(written.products):
            raise Mistake(f"{file}: a product that is none of {', '.join(sorted(known))}, or a key used before")
        seen.add(written.key)
        article, said = operations.put(written, by=by, quiet=quiet)
        click.echo(f"{article.number}: {said}")


@knowledge.command("withdraw")
@click.argument("number")
@tenant_command
def withdraw(number: str, by: Actor, **_: Any) -> None:
    """Show an article no more; to put its file again shows it again."""
    operations.withdraw(number, by=by)
    click.echo(f"{number}: withdrawn")


@listing(knowledge, "list", _ARTICLES)
def list_(limit: int, **_: Any) -> Iterable[Any]:
    """Articles by number, with how many readers they helped."""
    return operations.every(limit)
