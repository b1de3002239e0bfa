"""The files that go with a form that is not sent yet: kept once received, so that no way back loses
them (COM-23).

They are named by a draft whose token goes along in the form. What is refused is told by name; the
rest stays.
"""

from dataclasses import asdict, dataclass, field

from flask import request

from portal.pages.inquiries.forms import FilesForm
from portal.shared.inquiries import files
from portal.shared.inquiries.files import Kept
from portal.web import uploads
from portal.web.errors import message_of
from portal.web.forms import FormData
from portal.web.requests import actor, tenant
from portal.web.submit import ConfirmFlow


@dataclass(frozen=True)
class Attachments:
    """What is kept for a form, the token that names it, and a sentence for each file that was
    refused.
    """

    kept: list[Kept] = field(default_factory=list)
    token: str = ""
    refused: list[str] = field(default_factory=list)

    def as_data(self) -> list[dict[str, object]]:
        """Fit for a draft."""
        return [asdict(file) for file in self.kept]

    def blame(self, form: FilesForm) -> None:
        """Tell at the form's field which files were refused; the form is not valid then."""
        form.files.process_errors = [*form.files.process_errors, *self.refused]
        form.files.errors = list(form.files.process_errors)  # also where nothing is validated yet


def from_data(data: FormData | None) -> list[Kept]:
    """The files of a draft."""
    if data is None:
        return []
    return [Kept(**file) for file in data.get("attached", ())]


def receive(flow: ConfirmFlow, before: list[Kept]) -> Attachments:
    """The files that this request's form has: those of `before` or of its token that stay ticked,
    and new ones.

    Commits where something new is kept: what a rule refuses later must not lose it.
    """
    token = request.form.get("attached", "")
    named = flow.recall(token) if token else None
    had = from_data(named) if named else before
    ticked = set(request.form.getlist("keep"))
    # Files that no message names are swept away after a while: what is gone is not kept.
    stay = files.still_kept(file for file in had if file.sha256 in ticked)
    given = [(upload.name, upload.stream, upload.size) for upload in uploads.received("files")]
    kept, refused = files.keep_some(tenant(), stay, given, by=actor())
    if kept and kept != had:
        token = flow.remember({"attached": [asdict(file) for file in kept]})
    return Attachments(kept, token, [message_of(error) for error in refused])
