"""The answer to "can this be done?": yes, or no with the reason that is shown beside the disabled button."""

from dataclasses import dataclass

from portal.core.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Decision:
    """Truthy when the thing can be done; `reason` is a Japanese message id when it cannot."""

    reason: str = ""

    def __bool__(self) -> bool:
        return not self.reason

    def require(self) -> None:
        """Raise RuleBroken with the reason unless the thing can be done."""
        if self.reason:
            raise RuleBroken(self.reason)


ALLOWED = Decision()
