"""お知らせ: the list and one notice (COM-60)."""

from functools import partial
from typing import Any

from sqlalchemy import Row

from portal.core import Query, gettext_noop, to_html
from portal.shared.notices import operations
from portal.shared.notices.models import Notice
from portal.web import lists
from portal.web.brand import reader
from portal.web.formatting import at_time
from portal.web.forms import DayField, SearchForm, line, one_of
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _
from portal.web.render import render
from portal.web.requests import FlaggedBlueprint, afterwards, member, require_feature, tenant

bp = FlaggedBlueprint("notices", __name__, require_feature("notices"))
_N = Notice.__table__


class NoticeSearch(SearchForm):
    """What a member searches notices by."""

    text = line(_l("キーワード"))
    unread = one_of(_l("未読・既読"), [("yes", _l("未読のみ"))], _l("すべて"), default="")
    since = DayField(_l("掲載日（開始）"))
    until = DayField(_l("掲載日（終了）"))


def _find(asked: dict[str, Any]) -> Query:
    return operations.listing(reader(tenant(), member()), **asked)


def _published(row: Row[Any]) -> str:
    return at_time(row.publish_at)


def _read(row: Row[Any]) -> str:
    return _("既読") if row.read_at else _("未読")


_LIST = lists.Listing(
    "notices.index",
    ("notices/index.html", "notices/_list.html"),
    NoticeSearch,
    _find,
    [lists.Sort("newest", "新しい順", _N.c.publish_at, _N.c.id)],
    None,
    {
        gettext_noop("番号"): "number",
        gettext_noop("掲載日時"): _published,
        gettext_noop("分類"): "category",
        gettext_noop("件名"): "title",
        gettext_noop("未読・既読"): _read,
    },
)
_LIST.register(bp, "/notices")


@bp.get("/notices/<number>")
def notice(number: str) -> str:
    """One notice; opening it takes its mark away, in a short write of its own behind the read."""
    found = operations.find(reader(tenant(), member()), number)
    read = partial(operations.mark_read, found.id, member().member_id)
    page = render("notices/notice.html", notice=found, body=to_html(found.body))
    afterwards(read)
    return page
