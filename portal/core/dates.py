"""How days, instants and spans are written, on pages and in mails alike: 2026/12/10(木)
13:00〜15:30, in Asia/Tokyo.
"""

from datetime import date, datetime

from portal.core.clock import to_local

_WEEKDAYS = "月火水木金土日"


def on_date(value: date | datetime, language: str = "ja") -> str:
    """``2026/11/22(日)``."""
    day = to_local(value) if isinstance(value, datetime) else value
    weekday = f"{day:%a}" if language == "en" else _WEEKDAYS[day.weekday()]
    return f"{day:%Y/%m/%d}({weekday})"


def at_time(value: datetime, language: str = "ja") -> str:
    """``2026/11/22(日) 13:30``."""
    return f"{on_date(value, language)} {to_local(value):%H:%M}"


def from_to(start: datetime, end: datetime, language: str = "ja") -> str:
    """A span of time, the second date left out when it is the same day."""
    dash = "–" if language == "en" else "〜"
    if to_local(start).date() == to_local(end).date():
        return f"{at_time(start, language)}{dash}{to_local(end):%H:%M}"
    blank = " " if language == "en" else ""
    return f"{at_time(start, language)}{blank}{dash}{blank}{at_time(end, language)}"
