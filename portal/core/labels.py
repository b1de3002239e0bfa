"""Enumerations that people read: each value with its Japanese name and the colour family of its
badge.
"""

from enum import StrEnum


class LabelledEnum(StrEnum):
    """Members are written ``PAID = "paid", gettext_noop("お支払済"), "ok"``; without a tone there
    is no badge.
    """

    _value_: str
    label: str
    tone: str

    def __new__(cls, value: str, label: str = "", tone: str = "") -> "LabelledEnum":
        """One member. `label` is a message id; `tone` one of ok, info, warn, mute."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        member.tone = tone
        return member
