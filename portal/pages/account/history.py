"""変更履歴: what was done with the account, searched and as CSV (COM-21, COM-90)."""

from typing import Any

from sqlalchemy import Row

from portal.core import Query, gettext_noop
from portal.pages.account import bp
from portal.shared.members import history
from portal.web import lists
from portal.web.brand import brands_of
from portal.web.formatting import at_time
from portal.web.forms import DayField, SearchForm, choices, name_line, one_of
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.requests import member, tenant

_OF_CALENDARS = {
    "calendar.renew": gettext_noop("カレンダーのアドレスの発行"),
    "calendar.revoke": gettext_noop("カレンダーのアドレスの無効化"),
}


def _labels() -> dict[str, str]:
    """The acts that members of this tenant may see, each with how they read it."""
    labels = dict(history.LABELS)
    for brand in brands_of(tenant()):
        labels |= brand.history
        if brand.calendar is not None:
            labels |= _OF_CALENDARS
    return labels


class HistorySearch(SearchForm):
    """What a member searches the change history by."""

    what = one_of(_l("内容"), default="")
    person = name_line(_l("行った方"))
    since = DayField(_l("日付（開始）"))
    until = DayField(_l("日付（終了）"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = dict.fromkeys(_labels().values())
        self.what.choices = choices(((label, _(label)) for label in offered), _l("すべて"))


def _find(asked: dict[str, Any]) -> Query:
    return history.of(member(), _labels(), **asked)


def _at(row: Row[Any]) -> str:
    return at_time(row.at)


def _what(row: Row[Any]) -> str:
    return _(_labels()[row.action])


def _about(row: Row[Any]) -> str:
    return str(row.subject).partition(":")[2]


def _person(row: Row[Any]) -> str:
    """A member by name; of the brand's staff only that it was one of them."""
    if row.actor_kind == "member":
        return str(row.actor_name)
    return _("弊社オペレーター") if row.actor_kind == "operator" else _("システム")


def _context(_page: lists.Page) -> dict[str, Any]:
    return {"labels": _labels(), "person_of": _person}


_LIST = lists.Listing(
    "account.account_history",
    ("account/history.html", "account/_history.html"),
    HistorySearch,
    _find,
    [lists.Sort("newest", "新しい順", history.AT, history.TIE)],
    None,
    {
        gettext_noop("日時"): _at,
        gettext_noop("内容"): _what,
        gettext_noop("対象"): _about,
        gettext_noop("行った方"): _person,
        gettext_noop("IPアドレス"): "address",
    },
    _context,
)
_LIST.register(bp, "/history")
