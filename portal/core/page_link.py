"""Pages by the names of their views, for declarations and rules, which know no web framework.

Where a page lives is written once, at its view. Views and templates ask `url_for`; what is declared
at import, or composed by a rule (a mail, a hindrance to leaving), names the page by a `PageLink` or
asks `path_to`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


class PageAddresses:
    """How addresses are built from a view's endpoint and values; set by the application."""

    build: Callable[[str, Mapping[str, object]], str]


def set_page_addresses(build: Callable[[str, Mapping[str, object]], str]) -> None:
    """Tell how addresses are built: the application does, once its pages are registered."""
    PageAddresses.build = staticmethod(build)


def path_to(endpoint: str, **values: object) -> str:
    """Return the path of a page; values that are no part of it make its query.

    Raises werkzeug's BuildError where there is no such page.
    """
    return PageAddresses.build(endpoint, values)


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page by its view's endpoint, and what stands in its path and query."""

    endpoint: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Its address on the brand's host."""
        return path_to(self.endpoint, **self.values)
