"""Removing stored files that nothing points at.

They are left by drafts that were never sent, erased accounts and work that was rolled back.

Which rows point at files is read off the mapped columns of the types `FileKey` and `FileKeysJSON`:
a new table takes part by using them. The sweep is careful, because a document that the law makes a
brand keep would be lost with it:

- only files older than a grace time are looked at. Putting the same content again makes a file
  young (`LocalFiles.put`), so nothing is taken away from a transaction that is about to point at
  it;
- a file that is older than the first event of the brand's audit trail cannot have come from this
  database. It stays: a wrong DATABASE_URL beside the right folder removes nothing.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from portal.core import clock
from portal.core.audit import AuditEvent
from portal.core.db import Base, session, transaction_mode
from portal.core.files import FileKey, FileKeysJSON, file_store
from portal.tenancy.orm_guard import TenantOwned

log = logging.getLogger(__name__)
_BATCH_SIZE = 500
_ROWS_AT_ONCE = 200


@dataclass(slots=True)
class Swept:
    """What a sweep removed."""

    files: int = 0
    size: int = 0
    """Bytes."""


def sweep(unused_for: timedelta) -> Swept:
    """Remove the files of the tenant in scope that nothing has pointed at for so long.

    Holds no transaction while it removes, and at most `_BATCH_SIZE` names in memory.
    """
    swept = Swept()
    before = (clock.now() - unused_for).timestamp()
    with transaction_mode("read"):
        first_event = session().scalar(select(AuditEvent.at).where(AuditEvent.sequence == 1))
    if first_event is None:
        return swept
    foreign = 0
    files = file_store()
    for names in files.list_older(before, batch_size=_BATCH_SIZE):
        with transaction_mode("read"):
            # Asked anew for each batch: rows come while a sweep of many files goes on.
            needed = find_referenced({_key_of(name) for name in names})
        for name in names:
            if _key_of(name) in needed:
                continue
            if files.is_older(name, first_event.timestamp()):
                foreign += 1
                continue
            # Its age is looked at once more, under the folder's lock: the same content may have
            # been put since the list was made.
            size = files.remove_older(name, before)
            if size is not None:
                swept.files += 1
                swept.size += size
    if foreign:
        log.warning("%s files are older than this database and stay", foreign)
    return swept


def _key_of(name: str) -> str:
    return name.rpartition("/")[2]


def find_referenced(keys: set[str]) -> set[str]:
    """Those of `keys` that a row of the tenant in scope points at.

    JSON comes first: files move from a draft to the row that is made of it, never back. Read in
    this order a file that moves in between is seen at least once, whatever the isolation level.
    """
    found: set[str] = set()
    for column in columns_of(FileKeysJSON):
        # Streamed: the keys inside JSON cannot be searched alike on both databases, so all are
        # read.
        values = select(column).execution_options(yield_per=_ROWS_AT_ONCE)
        for value in session().scalars(values):
            found |= keys & set(_texts_in(value))
    for column in columns_of(FileKey):
        missing = keys - found
        if missing:
            found |= set(session().scalars(select(column).where(column.in_(missing))))
    return found


def columns_of(kind: type[FileKey] | type[FileKeysJSON]) -> list[InstrumentedAttribute[Any]]:
    """Every mapped column of this type, in the order of their tables."""
    mappers = [one for one in Base.registry.mappers if issubclass(one.class_, TenantOwned)]
    columns = [
        mapper.class_.__mapper__.attrs[prop.key].class_attribute
        for mapper in mappers
        for prop in mapper.column_attrs
        if isinstance(prop.columns[0].type, kind)
    ]
    return sorted(columns, key=str)


def _texts_in(value: Any) -> Iterator[str]:
    """Every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts_in(item)
