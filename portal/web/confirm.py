"""入力 → 内容確認 → 完了, written once (COM-22).

A form's POST keeps a draft and leads to the confirm page; its button consumes the draft and does the thing in one
transaction. Back, reload and a second press are all plain addresses that answer the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from portal.core.db import session
from portal.shared import drafts
from portal.web.requests import member


@dataclass(frozen=True)
class ConfirmFlow:
    """One flow: its kind of draft and its three addresses."""

    kind: str
    form_href: str

    @property
    def confirm_href(self) -> str:
        """Where the confirm page lives."""
        return f"{self.form_href}/confirm"

    @property
    def done_href(self) -> str:
        """Where the done page lives."""
        return f"{self.form_href}/done"

    def back_href(self, token: str) -> str:
        """The form again, with everything that was typed."""
        return f"{self.form_href}?draft={token}"

    def typed(self) -> dict[str, Any] | None:
        """What was typed before, when the form was reached by 戻る."""
        token = request.args.get("draft", "")
        return drafts.recall(self.kind, member().member_id, token) if token else None

    def keep(self, data: dict[str, Any]) -> Response:
        """Keep a valid form and go on to the confirm page."""
        token = drafts.keep(self.kind, member().member_id, data)
        session().commit()
        return redirect(f"{self.confirm_href}?draft={token}", 303)

    def review(self) -> tuple[str, dict[str, Any]] | None:
        """The draft's token and data for the confirm page, or None when there is none."""
        data = self.typed()
        return (request.args["draft"], data) if data is not None else None

    def finish(self, do: Callable[[dict[str, Any]], None]) -> Response:
        """Do the thing once. `do` works in the running transaction; a replay goes to the done page without doing it.

        A draft that is past its lifetime or somebody else's is a bad request: nothing was done, and the page says so.
        """
        mine, token = member().member_id, request.form.get("draft", "")
        data = drafts.consume(self.kind, mine, token)
        if data is not None:
            do(data)
            session().commit()
        elif drafts.recall(self.kind, mine, token) is None:
            raise BadRequest
        return redirect(self.done_href, 303)
