"""How many of something an account may have (COM-40 … COM-42): number, use, and a place that is kept under lock."""

from collections.abc import Callable
from dataclasses import dataclass

from portal.core.db import Base, session
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.core.verdict import YES, Verdict

_FULL = msgid("登録できる上限に達しています。追加をご希望の場合は、お問い合わせください。")


@dataclass(frozen=True, slots=True)
class Use:
    """How many there are of how many, as pages show it: "2 / 6名"."""

    used: int
    limit: int

    @property
    def room(self) -> Verdict:
        """Whether one more fits, and whom to ask when it does not."""
        return YES if self.used < self.limit else Verdict(_FULL)


class LimitReached(RuleBroken):
    """There is no room for one more."""

    def __init__(self) -> None:
        super().__init__(_FULL)


def use(tenant: Tenant, name: str, used: int) -> Use:
    """How `used` stands against the tenant's limit of `name`. Raises KeyError for a name that is none."""
    return Use(used, tenant.limits[name])


def reserve(tenant: Tenant, name: str, owner: Base, used: Callable[[], int]) -> None:
    """Make sure that one more fits, until the running transaction ends: `owner`'s row is locked before counting.

    Of any number of adds at the same moment, as many get through as there is room for. Raises LimitReached.
    """
    session().refresh(owner, with_for_update=True)
    if not use(tenant, name, used()).room:
        raise LimitReached
