"""Who does something: a member on a page, an operator at the CLI, the system itself, or somebody
without an account.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who acts, as the audit trail names them.

    `address` is the network address, where there is one; `login` is the account of the machine that
    ran a command, whatever name its operator gave.
    """

    kind: Literal["member", "operator", "system", "guest"]
    name: str
    member_id: int | None = None
    account_id: int | None = None
    address: str = ""
    login: str = ""


SYSTEM = Actor("system", "system")


def operator(name: str, login: str = "") -> Actor:
    """An operator of the brand, by the name they gave, and the login that ran their command."""
    return Actor("operator", name, login=login)
