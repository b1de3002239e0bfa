"""Whose imported orders are (OPS-12)."""

from typing import Any

from portal.core import Row, RuleBroken
from portal.shared import imports
from portal.shared.accounts import operations as accounts
from portal.shared.orders.models import billing_copy, contact_copy


class Customers:
    """Whose the imported orders of one file are, by 会員番号; each is looked up once for all its
    rows.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any] | str] = {}

    def of(self, row: Row) -> dict[str, Any]:
        """The account's id, and copies of its contact person and billing address as of today.

        Raises RuleBroken.
        """
        number = row.text("会員番号", imports.KEY, required=True)
        # A refusal is kept as well: a thousand rows of an unknown customer ask once.
        if number not in self._known:
            self._known[number] = _customer(number)
        found = self._known[number]
        if isinstance(found, str):
            raise RuleBroken(found, field="会員番号")
        return found


def _customer(number: str) -> dict[str, Any] | str:
    """What an order of this customer copies, or why there can be none."""
    try:
        account = accounts.find_account(number)
        contact = accounts.representative(account)
    except RuleBroken as error:
        return str(error)
    return {
        "account_id": account.id,
        "contact": contact_copy(contact),
        "billing": billing_copy(account, contact),
    }
