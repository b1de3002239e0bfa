"""Text compared in SQL as people take it for the same: ① like 1, ㈱ like 株式会社, ＡＢＣ like abc,
れーざー like ﾚｰｻﾞｰ, 髙 like 高 (COM-21).

Free text is stored as it was typed; whoever looks for it types what is easy to type.
"""

from typing import Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from portal.core.text import ALIKE, ALIKE_WORDS, folded

SQLITE_NAME = "portal_folded"


class Folded(FunctionElement[str]):
    """A column as `portal.core.text.folded` makes its text, in the database."""

    inherit_cache = True
    name = "folded"
    type = String()


@compiles(Folded, "sqlite")
def _in_sqlite(element: Folded, compiler: Any, **options: Any) -> str:
    return f"{SQLITE_NAME}({compiler.process(element.clauses, **options)})"


@compiles(Folded, "postgresql")
def _in_postgresql(element: Folded, compiler: Any, **options: Any) -> str:
    column = f"lower(normalize({compiler.process(element.clauses, **options)}, NFKC))"
    # In the statement and not in a function of the database: one list serves Python and SQL, and
    # can grow without a migration.
    common = f"translate({column}, '{''.join(ALIKE)}', '{''.join(ALIKE.values())}')"
    for short, whole in ALIKE_WORDS.items():
        common = f"replace({common}, '{short}', '{whole}')"
    return common


def register_in_sqlite(connection: Any) -> None:
    """Give a connection of SQLite's driver the function that `Folded` calls."""
    connection.create_function(SQLITE_NAME, 1, _folded_or_null, deterministic=True)


def _folded_or_null(value: str | None) -> str | None:
    return None if value is None else folded(value)
