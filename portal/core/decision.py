"""The answer to "can this be done?": yes, or no with the reason that is shown beside the disabled
button.
"""

from dataclasses import dataclass

from portal.core.errors import Forbidden, RuleBroken


@dataclass(frozen=True, slots=True)
class Decision:
    """Truthy when the thing can be done; `reason` is a Japanese message id when it cannot.

    `is_forbidden` says that it is who asks that may not, rather than that it cannot be done now.
    """

    reason: str = ""
    is_forbidden: bool = False

    def __bool__(self) -> bool:
        return not self.reason

    def require(self) -> None:
        """Raise RuleBroken, or Forbidden, with the reason unless the thing can be done."""
        if self.reason:
            raise (Forbidden if self.is_forbidden else RuleBroken)(self.reason)


ALLOWED = Decision()
