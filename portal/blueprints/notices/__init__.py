"""お知らせ: the list and one notice (COM-60)."""

from functools import partial

from flask import request

from portal.core.markdown import to_html
from portal.shared.notices import operations
from portal.shared.notices.models import Notice
from portal.web import lists
from portal.web.brand import reader
from portal.web.render import render
from portal.web.requests import Pages, afterwards, feature, member, tenant

bp = Pages("notices", __name__, feature("notices"))
_N = Notice.__table__
_SORT = lists.Sort("newest", "新しい順", _N.c.publish_at, _N.c.id)


@bp.get("/notices")
def index() -> str:
    """All notices that may be seen now, newest first."""
    query, cursor = operations.listing(reader(tenant(), member())), request.args.get("page", "")
    page = lists.paginate(query, _SORT, path="/notices", state={}, cursor=cursor)
    return render("notices/index.html", fragment="notices/_list.html", page=page)


@bp.get("/notices/<number>")
def notice(number: str) -> str:
    """One notice; opening it takes its mark away, in a short write of its own behind the read."""
    found = operations.find(reader(tenant(), member()), number)
    read = partial(operations.mark_read, found.id, member().member_id)
    page = render("notices/notice.html", notice=found, body=to_html(found.body))
    afterwards(read)
    return page
