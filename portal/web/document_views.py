"""帳票発行: the documents of an order, on its page and each as a PDF, or the reason why there is
none yet (FAC-04).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from portal.core import ALLOWED, Decision, clock, gettext_noop
from portal.shared.accounts.models import Right
from portal.shared.documents import operations as documents
from portal.shared.documents.models import Document, DocumentKind
from portal.web.render import pdf_response
from portal.web.requests import check_right, member

BEING_DRAWN = gettext_noop("帳票を準備しています。しばらくお待ちください。")
LATE = gettext_noop("帳票の作成に時間がかかっています。お急ぎの場合はお問い合わせください。")
NOT_ISSUED = gettext_noop("この帳票は発行されていません。必要な場合はお問い合わせください。")
PATIENCE = timedelta(days=1)
"""How long it may take until a document that is due can be had; the worker needs minutes."""
_WITHOUT_AMOUNT = frozenset(kind.value for kind in DocumentKind if not kind.bears_amount)


def right_to_read(kind: str) -> Right | None:
    """What a member needs for documents of a kind: 請求・帳票, but nothing for those that bear no
    amount.
    """
    return None if kind in _WITHOUT_AMOUNT else Right.BILLING


@dataclass(frozen=True)
class DocumentViews:
    """`kinds` are the documents by their names in addresses; `find` gives the member's own order by
    its number.

    `can` is the brand's rule of when there is one, `issued` gives those that there are.
    """

    find: Callable[[str], Any]
    can: Callable[[Any, DocumentKind], Decision]
    issued: Callable[[Any], Mapping[DocumentKind, Document]]
    kinds: Mapping[str, DocumentKind]

    def register(self, at: Blueprint, path: str) -> None:
        """Add the page ``<path>/<number>/<name>.pdf`` to a blueprint, as `paper`."""
        at.add_url_rule(
            f"{path}/<number>/<any({', '.join(map(repr, self.kinds))}):slug>.pdf",
            "paper",
            self._paper,
        )

    def shown(self, order: Any) -> list[tuple[str, str, Decision]]:
        """Name, label and whether it can be had, for the order's page."""
        return [
            (slug, self.kinds[slug].label, verdict)
            for slug, (_document, verdict) in self._all(order).items()
        ]

    def _paper(self, number: str, slug: str) -> Response:
        document, verdict = self._all(self.find(number))[slug]
        check_right(right_to_read(self.kinds[slug]))
        verdict.require()
        return pdf_response(*documents.open_file(document))

    def _all(self, order: Any) -> dict[str, tuple[Document | None, Decision]]:
        issued = self.issued(order)
        return {
            slug: (issued.get(kind), self._verdict(order, kind, issued))
            for slug, kind in self.kinds.items()
        }

    def _verdict(
        self, order: Any, kind: DocumentKind, issued: Mapping[DocumentKind, Document]
    ) -> Decision:
        """Whether the member may, whether there is one, and whether it is drawn."""
        right = right_to_read(kind)
        if right and not (may := member().may(right)):
            return may
        verdict = self.can(order, kind)
        if not verdict:
            return verdict
        return _is_ready(issued.get(kind), order.documents_due_at)


def _is_ready(document: Document | None, due_at: datetime | None) -> Decision:
    """Whether a document that there should be is there, and otherwise what it waits for."""
    if document is not None and document.sha256:
        return ALLOWED
    waiting_since = document.issued_at if document else due_at
    if waiting_since is None:
        return Decision(NOT_ISSUED)
    is_late = clock.now() - waiting_since > PATIENCE
    return Decision(LATE if is_late else BEING_DRAWN)
