"""帳票発行: the documents of an order, on its page and each as a PDF, or the reason why there is none yet (FAC-04)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from portal.core import Verdict, msgid
from portal.shared.auth.models import Right
from portal.shared.documents import operations as documents
from portal.shared.documents.models import Document, DocumentKind
from portal.web.render import pdf_response
from portal.web.requests import member

BEING_DRAWN = msgid("帳票を準備しています。しばらくお待ちください。")
_OF_MONEY = (DocumentKind.INVOICE, DocumentKind.RECEIPT)


@dataclass(frozen=True)
class PaperPages:
    """`kinds` are the documents by their names in addresses; `find` gives the member's own order by its number.

    `can` is the brand's rule of when there is one.
    """

    find: Callable[[str], Any]
    can: Callable[[Any, DocumentKind], Verdict]
    kinds: Mapping[str, DocumentKind]

    def hang(self, at: Blueprint, path: str) -> None:
        """Add the page ``<path>/<number>/<name>.pdf`` to a blueprint, as `paper`."""
        at.add_url_rule(
            f"{path}/<number>/<any({', '.join(map(repr, self.kinds))}):slug>.pdf",
            "paper",
            self._paper,
        )

    def shown(self, order: Any) -> list[tuple[str, str, Verdict]]:
        """Name, label and whether it can be had, for the order's page."""
        return [
            (slug, self.kinds[slug].label, verdict)
            for slug, (_document, verdict) in self._all(order).items()
        ]

    def _paper(self, number: str, slug: str) -> Response:
        document, verdict = self._all(self.find(number))[slug]
        verdict.require()
        return pdf_response(*documents.read(document))

    def _all(self, order: Any) -> dict[str, tuple[Document | None, Verdict]]:
        issued = documents.about(order.account_id, order.number)
        return {
            slug: (issued.get(kind), self._verdict(order, kind, issued))
            for slug, kind in self.kinds.items()
        }

    def _verdict(
        self, order: Any, kind: DocumentKind, issued: Mapping[DocumentKind, Document]
    ) -> Verdict:
        """Whether the member may, whether there is one, and whether it is drawn."""
        if kind in _OF_MONEY and not (may := member().may(Right.BILLING)):
            return may
        verdict = self.can(order, kind)
        return (
            verdict
            if not verdict or (kind in issued and issued[kind].sha256)
            else Verdict(BEING_DRAWN)
        )
