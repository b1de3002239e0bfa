"""What a rule says when it is broken: one exception that pages and CLI render alike."""

from typing import TypeVar

T = TypeVar("T")


def gettext_noop(sentence: str) -> str:
    """Mark a constant as a sentence of the catalogue; it is translated where it is shown."""
    return sentence


class RuleBroken(Exception):
    """A rule refused an operation; nothing has been changed.

    `message` is a Japanese message id with ``%(name)s`` places for `params`; `field` names the form
    field that caused it, if one did. Pages show it at the field, the CLI prints it and exits with
    2.
    """

    def __init__(self, message: str, *, field: str | None = None, **params: object) -> None:
        super().__init__(message % params if params else message)
        self.message = message
        self.field = field
        self.params = params


class NotFound(RuleBroken):
    """The thing does not exist, or is somebody else's: the two are never told apart (COM-02)."""


def require(found: T | None, error: RuleBroken) -> T:
    """What was found. Raises `error` where that is nothing."""
    if found is None:
        raise error
    return found


class Forbidden(RuleBroken):
    """Whoever asks may not do this, however they ask: a right is missing.

    Pages answer 403 and log it.
    """


class Stale(RuleBroken):
    """Somebody else changed the record meanwhile (COM-26)."""
