"""What an account pays, for those whom it lets see that: members with 請求・帳票 (Right.BILLING).

The filter ``yen`` of templates and whatever writes an amount for a page or a CSV file go through
here. The price list of a brand is no account's amount: templates write it with the filter
``price``.
"""

from flask_login import current_user

from portal.core import gettext_noop, yen
from portal.shared.accounts.models import Right
from portal.web.i18n import translate

_HIDDEN = gettext_noop("非表示")


def may_see() -> bool:
    """Whether the reader may see the amounts of the account; never who is not signed in."""
    return bool(current_user.is_authenticated and current_user.may(Right.BILLING))


def written(amount: int | None) -> str:
    """The amount for the reader: ``¥1,234``, "非表示" without the right, nothing for None."""
    if amount is None:
        return ""
    return yen(amount) if may_see() else translate(_HIDDEN)


def cell(amount: int | None) -> int | str | None:
    """The amount as a CSV cell: a number, "非表示" without the right, nothing for None."""
    if amount is None or may_see():
        return amount
    return translate(_HIDDEN)
