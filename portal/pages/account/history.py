"""変更履歴: what was done with the account, searched and as CSV (COM-21, COM-90)."""

from werkzeug.datastructures import MultiDict

from portal.core import Query, gettext_noop
from portal.pages.account import bp
from portal.shared.members import history
from portal.web import lists
from portal.web.brand import brands_of
from portal.web.formatting import at_time
from portal.web.forms import DayField, FormData, SearchForm, choices, name_line, one_of
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import Context
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

    def __init__(self, formdata: MultiDict[str, str] | None = None) -> None:
        super().__init__(formdata)
        offered = dict.fromkeys(_labels().values())
        self.what.choices = choices(((label, _(label)) for label in offered), _l("すべて"))


def _find(asked: FormData) -> Query:
    return history.list_acts(member(), _labels(), **asked)


def _at(row: lists.ListRow) -> str:
    return at_time(row.at)


def _what(row: lists.ListRow) -> str:
    return _(_labels()[row.action])


def _about(row: lists.ListRow) -> str:
    return str(row.subject).partition(":")[2]


def _person(row: lists.ListRow) -> str:
    """A member by name; of operators only that it was one of them."""
    if row.actor_kind == "member":
        return str(row.actor_name)
    if row.actor_kind == "operator":  # the brand's staff are nobody's by name
        return _("弊社オペレーター")
    return _("システム")


def _context(_page: lists.Page) -> Context:
    return {"labels": _labels(), "person_of": _person}


_LIST = lists.Listing(
    endpoint="account.account_history",
    pages=("account/history.html", "account/_history.html"),
    form=HistorySearch,
    find=_find,
    sorts=[lists.Sort("newest", "新しい順", history.AT, history.TIE)],
    statuses=None,
    columns={
        gettext_noop("日時"): _at,
        gettext_noop("内容"): _what,
        gettext_noop("対象"): _about,
        gettext_noop("行った方"): _person,
        gettext_noop("IPアドレス"): "address",
    },
    context=_context,
)
_LIST.register(bp, "/history")
