"""A form, written once: on one page (COM-23), or as 入力 → 内容確認 → 完了 (COM-22).

In three steps a form's POST keeps a draft and leads to the confirm page; its button consumes the
draft and does the thing in one transaction. Back, reload and a second press are all plain addresses
that answer the same. `ConfirmedForm` is the three pages of one record's form; what needs more steps
is built on `ConfirmFlow`.
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
from portal.web.forms import Form, FormData
from portal.web.render import Context, render_context, render_invalid_context
from portal.web.requests import ViewFlag, member, with_flags

Answer = str | Response
MakeForm = Callable[[FormData | None], Form]
"""Draws a form for some data; for None with what the request sends."""


def submit(page: str, form: Form, do: Callable[[], Answer], **context: object) -> Answer:
    """The template `page` with the form and `context`, until what is typed is valid; then what `do`
    answers.

    What a rule refuses stands at the field it names, and nothing is half-done. NotFound goes on to
    its own page.
    """
    shown = context | {"form": form}
    if not form.is_submitted() or form.filled_in():
        return render_context(page, shown)
    if not form.validate():
        return render_invalid_context(page, shown)
    try:
        return do()
    except NotFound:  # a kind of RuleBroken
        raise
    except RuleBroken as error:
        session().rollback()
        return refused(page, form, error, **context)


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

    def typed(self) -> FormData | None:
        """What was typed before, when the form was reached by 戻る."""
        return self._in_draft(request.args.get("draft", ""))

    def recall(self, token: str) -> FormData | None:
        """What was typed in the draft with this token; None where this flow has no such draft."""
        return drafts.recall(self.key(), token)

    def _in_draft(self, token: str) -> FormData | None:
        return self.recall(token) if token else None

    @contextmanager
    def record_needed(self, make: MakeForm) -> Iterator[None]:
        """Look the record up inside: where it is gone by now, what was typed for it is shown all
        the same (COM-23).

        `make` draws the form without the record. Raises NotFound, as the Gone that carries what was
        typed.
        """
        try:
            yield
        except NotFound as missing:
            raise Gone(missing, self._typed_in_vain(make)) from missing

    def _typed_in_vain(self, make: MakeForm) -> list[tuple[str, str]]:
        """Label and value of what this request sends or confirms; nothing when it only looks."""
        if request.method != "POST":
            return []
        form = make(self._in_draft(request.form.get("draft", "")))
        return [(label, value) for label, value in form.rows() if value]

    def remember(self, data: FormData) -> str:
        """Keep what came with a form that goes nowhere yet, and give its token. Commits."""
        token = drafts.keep(self.key(), data)
        session().commit()
        return token

    def keep(self, data: FormData) -> Response:
        """Keep a valid form and go on to the confirm page."""
        token = self.remember(data)
        return redirect(f"{self.form_href}/confirm?draft={token}", 303)


def _typed(form: Form) -> FormData:
    """What a form saves, unless it says otherwise: all that was typed."""
    return form.typed()


def _nothing_to_check(_data: FormData) -> None:
    """For forms whose values can stand in nobody's way."""


def _no_context(_typed: FormData) -> Context:
    """For pages that show the form alone."""
    return {}


def _no_result() -> Context:
    """For a last page that says only that it is done."""
    return {}


@dataclass(frozen=True)
class ConfirmedForm:
    """入力, 内容確認 and 完了 of one record: three `pages`, given by their templates.

    - `make` draws the form, for the data of a draft or of the record, or for what is sent.
    - `save` is the operation.
    - `present` gives the record as it stands, with its versions, where there is one already: a save
      that came second is answered with both values (COM-26).
    - `collect` turns a valid form into what `save` gets. Raises RuleBroken for what is asked in
      vain.
    - `check` gets the same data. It only reads, and raises RuleBroken, at the field to blame, for
      what cannot be saved as things stand: a login ID that is used, a time that is taken.
    - `shown` gives what the pages say besides, of what was typed so far; `result` what the last one
      says.
    """

    flow: ConfirmFlow
    pages: tuple[str, str, str]
    make: MakeForm
    save: Callable[[FormData], object]
    present: Callable[[], FormData] | None = None
    collect: Callable[[Any], FormData] = _typed  # Any: takes the very form that `make` draws
    check: Callable[[FormData], object] = _nothing_to_check
    shown: Callable[[FormData], Context] = _no_context
    result: Callable[[], Context] = _no_result

    def enter(self) -> Answer:
        """入力, GET and POST."""
        before = self.flow.typed()
        if request.method == "POST":
            form = self.make(None)
        elif before or self.present is None:
            form = self.make(before)
        else:
            form = self.make(self.present())

        def go_on() -> Response:
            data = self.collect(form)
            # Also asked on the confirm page and before saving: nobody should learn at the last
            # press alone what could be said at the first.
            self.check(dict(data))
            return self.flow.keep(data)

        return submit(self.pages[0], form, go_on, **self.shown(before or {}))

    def review(self) -> Answer:
        """内容確認; back to the form without a draft, and where it cannot be saved any more."""
        data = self.flow.typed()
        if data is None:
            return redirect(self.flow.form_href, 303)
        token = request.args["draft"]
        # What was saved from a draft stands in that draft's own way (its login ID is used by now),
        # so a used one is only shown: its button leads to 完了.
        if drafts.is_unused(self.flow.key(), token):
            try:
                self.check(dict(data))
            except RuleBroken as error:
                return self._again(data, error)
        context: Context = {
            "rows": self.make(data).rows(),
            "token": token,
            "back": self.flow.back_href(token),
            "here": f"{self.flow.form_href}/confirm",
        }
        return render_context(self.pages[1], self.shown(data) | context)

    def finish(self) -> Answer:
        """The last button: saved once, in one transaction; a replay goes to the done page without
        doing it again.

        What is refused goes back to the form with everything typed. A draft that is past its
        lifetime, somebody else's or about something else is a bad request: nothing was done, and
        the page says so.
        """
        key = self.flow.key()
        token = request.form.get("draft", "")
        # Of two presses at the same moment only one gets the data: a draft is taken by one guarded
        # UPDATE, in the transaction of what it is for.
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
        return render_context(self.pages[2], self.shown({}) | self.result())

    def _again(self, typed: FormData, error: RuleBroken) -> Response:
        """The form with what was typed and what is wrong; beside what somebody else saved
        meanwhile, where that is it.
        """
        shown = self.shown(typed)
        if not isinstance(error, Stale) or self.present is None:
            return refused(self.pages[0], self.make(typed), error, **shown)
        # Sent again, it is based on what is shown now.
        present = self.present()
        versions = {name: value for name, value in present.items() if name.endswith("version")}
        form = self.make(typed | versions)
        both = form.differences(self.make(present))
        return render_invalid_context(self.pages[0], shown | {"form": form, "both": both}, 409)


def register_confirmed_form(
    at: Blueprint,
    rule: str,
    name: str,
    steps: Callable[..., ConfirmedForm],
    *flags: ViewFlag,
    taking: Iterable[ViewFlag] = (),
) -> None:
    """Register the pages of a confirmed form on a blueprint: <name>_form at `rule`, and
    <name>_confirm, <name>_save and <name>_done below it.

    `steps` gets what stands in the address. `flags` (portal.web.requests) go on all of the views,
    `taking` on the two that take something.
    """

    def form_view(**values: str) -> Answer:
        return steps(**values).enter()

    def confirm_view(**values: str) -> Answer:
        return steps(**values).review()

    def save_view(**values: str) -> Answer:
        return steps(**values).finish()

    def done_view(**values: str) -> Answer:
        return steps(**values).done()

    confirm_rule = f"{rule}/confirm"
    with_flags(form_view, [*flags, *taking])
    with_flags(confirm_view, flags)
    with_flags(save_view, [*flags, *taking])
    with_flags(done_view, flags)
    at.add_url_rule(rule, f"{name}_form", form_view, methods=["GET", "POST"])
    at.add_url_rule(confirm_rule, f"{name}_confirm", confirm_view, methods=["GET"])
    at.add_url_rule(confirm_rule, f"{name}_save", save_view, methods=["POST"])
    at.add_url_rule(f"{rule}/done", f"{name}_done", done_view, methods=["GET"])
