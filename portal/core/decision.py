"""The answer to "can this be done?": yes, or no with the reason that is shown beside the disabled button."""

from dataclasses import dataclass

from portal.core.errors import NotPermitted, RuleBroken


@dataclass(frozen=True, slots=True)
class Decision:
    """Truthy when the thing can be done; `reason` is a Japanese message id when it cannot.

    `lacks_right` says that it could be done by somebody else, who has the right to it.
    """

    reason: str = ""
    lacks_right: bool = False

    def __bool__(self) -> bool:
        return not self.reason

    def require(self) -> None:
        """Raise RuleBroken with the reason, NotPermitted for want of a right, unless the thing can be done."""
        if self.reason:
            raise NotPermitted(self.reason) if self.lacks_right else RuleBroken(self.reason)


ALLOWED = Decision()
