"""The kinds of jobs that the workers do: those of the modules that all brands share, and the
brands' own.
"""

from collections.abc import Iterable, Iterator

from portal.core.jobs import JobKind
from portal.pages import knowledge
from portal.shared.documents import operations as documents
from portal.shared.members import withdrawal
from portal.web.brand import Brand

# Named one by one: what a worker can do must not depend on which modules happen to be imported.
SHARED = (documents.DRAW_JOB, withdrawal.ERASE_JOB, knowledge.TELL_JOB)


def kinds_of(brands: Iterable[Brand]) -> Iterator[JobKind]:
    """Every kind there is."""
    yield from SHARED
    for brand in brands:
        yield from brand.job_kinds
