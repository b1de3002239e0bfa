"""What stands in an address's query, read within bounds.

Anybody writes addresses. What cannot be meant is as if it did not stand there: a page, never an
error.
"""

from datetime import date

from flask import request

from portal.core import clock, text


def day_in_query(name: str) -> date | None:
    """The day that the query names as ``2026-11-23``, when it is one that people can mean."""
    try:
        day = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return day if clock.FIRST_DAY <= day <= clock.LAST_DAY else None


def number_in_query(name: str) -> int:
    """The whole number in the query, 0 when there is none."""
    # 18 digits fit into every database's integers; no id has more.
    return text.whole_number(request.args.get(name, ""), longest=18) or 0
