"""A form, written once: on one page (COM-23), or as 入力 → 内容確認 → 完了 (COM-22).

In three steps a form's POST keeps a draft and leads to the confirm page; its button consumes the
draft and does the thing in one transaction. Back, reload and a second press are all plain addresses
that answer the same. `Steps` are the pages of a form that only collects and saves; what needs more
(files, a price) is built on `ConfirmFlow`.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from portal.core import NotFound, PageLink, RuleBroken, Stale, session
from portal.shared import drafts
from portal.shared.drafts import DraftKey
from portal.web.errors import Gone, refused
from portal.web.forms import Form
from portal.web.render import render, render_invalid
from portal.web.requests import ViewFlag, member, with_flags

Answer = str | Response


def submit(page: str, form: Form, do: Callable[[], Answer], **shown: Any) -> Answer:
    """`page` with the form in it, until what is typed is valid; then what `do` answers.

    What a rule refuses stands at the field it names, and nothing is half-done. NotFound goes on to
    its own page.
    """
    if not form.is_submitted() or form.filled_in():
        return render(page, form=form, **shown)
    if not form.validate():
        return render_invalid(page, form=form, **shown)
    try:
        return do()
    except NotFound:
        raise
    except RuleBroken as error:
        session().rollback()
        return refused(page, form, error, **shown)


def done(message: str, to: str) -> Response:
    """Commit, and on to `to`, where `message` says that it is done."""
    session().commit()
    flash(message, "ok")
    return redirect(to, 303)


@dataclass(frozen=True)
class ConfirmFlow:
    """One flow: what its drafts are about, and where its form is; the other two pages stand
    below it.

    `kind` names the form; `subject` is the object that it is about, by the number or code in its
    address, or "new". A draft of one subject does not exist for another, nor for another member.
    `form` is the form's own page.
    """

    kind: str
    subject: str
    form: PageLink

    @property
    def form_href(self) -> str:
        """The address of the form."""
        return self.form.path

    def key(self) -> DraftKey:
        """Which drafts are this flow's, of the signed-in member."""
        return DraftKey(kind=self.kind, subject=self.subject, member_id=member().member_id)

    def back_href(self, token: str) -> str:
        """The form again, with everything that was typed."""
        return f"{self.form_href}?draft={token}"

    def typed(self) -> dict[str, Any] | None:
        """What was typed before, when the form was reached by 戻る."""
        token = request.args.get("draft", "")
        return self.recall(token) if token else None

    def recall(self, token: str) -> dict[str, Any] | None:
        """What was typed in the draft with this token, or None where this flow has no such draft."""
        return drafts.recall(self.key(), token)

    @contextmanager
    def record_needed(self, make: Callable[[dict[str, Any] | None], Form]) -> Iterator[None]:
        """Look the record up inside: where it is gone by now, what was typed for it is shown all
        the same (COM-23).

        `make` draws the form without the record. Raises NotFound, as the Gone that carries what was
        typed.
        """
        try:
            yield
        except NotFound as missing:
            raise Gone(missing, self._typed_in_vain(make)) from missing

    def _typed_in_vain(
        self, make: Callable[[dict[str, Any] | None], Form]
    ) -> list[tuple[str, str]]:
        """Label and value of what this request sends or confirms; nothing when it only looks."""
        if request.method != "POST":
            return []
        token = request.form.get("draft", "")
        form = make(self.recall(token) if token else None)
        return [(label, value) for label, value in form.rows() if value]

    def remember(self, data: dict[str, Any]) -> str:
        """Keep what came with a form that goes nowhere yet, and give its token. Commits."""
        token = drafts.keep(self.key(), data)
        session().commit()
        return token

    def keep(self, data: dict[str, Any]) -> Response:
        """Keep a valid form and go on to the confirm page."""
        token = self.remember(data)
        return redirect(f"{self.form_href}/confirm?draft={token}", 303)


def _nothing_to_check(_data: dict[str, Any]) -> None:
    """For forms whose values can stand in nobody's way."""


@dataclass(frozen=True)
class ConfirmedForm:
    """入力, 内容確認 and 完了 of one record; `pages` are their templates. `make` is its form for some data.

    `save` is the operation. `present` is the record as it stands, with its versions, where there is one already: a save
    that came second is answered with both values (COM-26). `collect` turns a valid form into what `save` gets, and
    raises RuleBroken for what is asked in vain. `check` gets the same data and raises RuleBroken, at the field to
    blame, for what cannot be saved as things stand: a login ID that is used, a time that is taken. It only reads, and
    is asked on the way into 内容確認, there, and before `save`, so that nobody learns it at the last press alone.
    `shown` is what the pages say besides, of what was typed so far, and `result` what the last one says.
    """

    flow: ConfirmFlow
    pages: tuple[str, str, str]
    make: Callable[[dict[str, Any] | None], Any]
    save: Callable[[dict[str, Any]], object]
    present: Callable[[], dict[str, Any]] | None = None
    collect: Callable[[Any], dict[str, Any]] = lambda form: form.typed()
    check: Callable[[dict[str, Any]], object] = _nothing_to_check
    shown: Callable[[dict[str, Any]], dict[str, Any]] = lambda _typed: {}
    result: Callable[[], dict[str, Any]] = dict

    def enter(self) -> Answer:
        """入力, GET and POST."""
        before = self.flow.typed()
        filled = None if request.method == "POST" else before or (self.present and self.present())
        form = self.make(filled)

        def go_on() -> Response:
            data = self.collect(form)
            self.check(dict(data))
            return self.flow.keep(data)

        return submit(self.pages[0], form, go_on, **self.shown(before or {}))

    def review(self) -> Answer:
        """内容確認; without a draft back to the form, and so too when it cannot be saved any more.

        A draft that was used stands in its own way, so it is only shown: its button leads to 完了.
        """
        data = self.flow.typed()
        if data is None:
            return redirect(self.flow.form_href, 303)
        token = request.args["draft"]
        if drafts.is_unused(self.flow.key(), token):
            try:
                self.check(dict(data))
            except RuleBroken as error:
                return self._again(data, error)
        return render(
            self.pages[1],
            rows=self.make(data).rows(),
            token=token,
            back=self.flow.back_href(token),
            here=f"{self.flow.form_href}/confirm",
            **self.shown(data),
        )

    def finish(self) -> Answer:
        """The last button: saved once, in one transaction; a replay goes to the done page without
        doing it again.

        What is refused goes back to the form with everything typed. A draft that is past its
        lifetime, somebody else's or about something else is a bad request: nothing was done, and
        the page says so.
        """
        key = self.flow.key()
        token = request.form.get("draft", "")
        data = drafts.consume(key, token)
        if data is None and drafts.recall(key, token) is None:
            raise BadRequest
        try:
            if data is not None:
                self.check(dict(data))
                self.save(dict(data))
                session().commit()
        except RuleBroken as error:
            session().rollback()
            return self._again(data or {}, error)
        return redirect(f"{self.flow.form_href}/done", 303)

    def done(self) -> Answer:
        """完了."""
        return render(self.pages[2], **self.shown({}), **self.result())

    def _again(self, typed: dict[str, Any], error: RuleBroken) -> Response:
        shown = self.shown(typed)
        if not isinstance(error, Stale) or self.present is None:
            return refused(self.pages[0], self.make(typed), error, **shown)
        present = self.present()
        versions = {name: value for name, value in present.items() if name.endswith("version")}
        form = self.make(typed | versions)
        both = form.differences(self.make(present))
        return render_invalid(self.pages[0], 409, form=form, both=both, **shown)


def register_confirmed_form(
    at: Blueprint,
    rule: str,
    name: str,
    steps: Callable[..., ConfirmedForm],
    *marks: ViewFlag,
    taking: Iterable[ViewFlag] = (),
) -> None:
    """Hang the pages of `steps` on a blueprint: <name>_form at `rule`, and <name>_confirm, _save
    and _done below it.

    `steps` gets what stands in the address. `marks` (portal.web.requests) go on all of them,
    `taking` on the two that take something.
    """

    def hang(
        suffix: str,
        path: str,
        methods: list[str],
        page: Callable[[ConfirmedForm], Answer],
        *marks: ViewFlag,
    ) -> None:
        def view(**where: str) -> Answer:
            return page(steps(**where))

        at.add_url_rule(
            f"{rule}{path}", f"{name}_{suffix}", with_flags(view, marks), methods=methods
        )

    hang("form", "", ["GET", "POST"], ConfirmedForm.enter, *marks, *taking)
    hang("confirm", "/confirm", ["GET"], ConfirmedForm.review, *marks)
    hang("save", "/confirm", ["POST"], ConfirmedForm.finish, *marks, *taking)
    hang("done", "/done", ["GET"], ConfirmedForm.done, *marks)
