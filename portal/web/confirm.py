"""入力 → 内容確認 → 完了, written once (COM-22).

A form's POST keeps a draft and leads to the confirm page; its button consumes the draft and does the thing in one
transaction. Back, reload and a second press are all plain addresses that answer the same. `Steps` are the three
pages of a form that only collects and saves; what needs more (files, a price) is built on `ConfirmFlow`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from portal.core.db import session
from portal.core.errors import RuleBroken, Stale
from portal.shared import drafts
from portal.web.errors import refused
from portal.web.render import render, render_invalid
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


@dataclass(frozen=True)
class Steps:
    """入力 and 内容確認 of one record. `make` is its form for some data, `save` the operation.

    `present` is the record as it stands, with its versions, where there is one already: a save that came second is
    answered with both values (COM-26). `check` raises RuleBroken for what a valid form asks in vain.
    """

    flow: ConfirmFlow
    form_page: str
    review_page: str
    make: Callable[[dict[str, Any] | None], Any]
    save: Callable[[dict[str, Any]], object]
    present: Callable[[], dict[str, Any]] | None = None
    check: Callable[[Any], object] | None = None
    shown: dict[str, Any] = field(default_factory=dict)

    def enter(self) -> str | Response:
        """入力, GET and POST."""
        filled = None if request.method == "POST" else self.flow.typed() or (self.present and self.present())
        form = self.make(filled)
        if not form.is_submitted() or form.filled_in():
            return render(self.form_page, form=form, **self.shown)
        if not form.validate():
            return render_invalid(self.form_page, form=form, **self.shown)
        try:
            if self.check:
                self.check(form)
        except RuleBroken as error:
            return refused(self.form_page, form, error, **self.shown)
        return self.flow.keep(form.typed())

    def review(self) -> str | Response:
        """内容確認; without a draft back to the form."""
        found = self.flow.review()
        if found is None:
            return redirect(self.flow.form_href, 303)
        token, data = found
        back, here = self.flow.back_href(token), self.flow.confirm_href
        rows = self.make(data).rows()
        return render(self.review_page, rows=rows, token=token, back=back, here=here, **self.shown)

    def finish(self) -> Response:
        """The last button: saved once; what is refused goes back to the form with everything typed."""
        typed: dict[str, Any] = {}

        def do(data: dict[str, Any]) -> None:
            typed.update(data)
            self.save(data)

        try:
            return self.flow.finish(do)
        except RuleBroken as error:
            session().rollback()
            return self._again(typed, error)

    def _again(self, typed: dict[str, Any], error: RuleBroken) -> Response:
        if not isinstance(error, Stale) or self.present is None:
            return refused(self.form_page, self.make(typed), error, **self.shown)
        present = self.present()
        versions = {name: value for name, value in present.items() if name.endswith("version")}
        form = self.make(typed | versions)
        both = form.differences(self.make(present))
        response = render_invalid(self.form_page, form=form, both=both, **self.shown)
        response.status_code = 409
        return response
