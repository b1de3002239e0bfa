"""What customers ask about, and how: the categories of a brand's inquiries (COM-50 … COM-53)."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from portal.core.tenancy.schema_base import ClockTime, Flag, Name, Section, Whole

_KEY = r"^[a-z][a-z0-9_]{0,29}$"


class InquiryField(Section):
    """One more thing that a category asks for."""

    key: str = Field(pattern=_KEY, description="Small letters, digits and _; never changes.")
    label: Name = Field(description="As customers read it.")
    kind: Literal["line", "text", "date", "time"] = Field(default="line", description="What is typed.")
    required: Flag = Field(default=True, description="Whether it must be filled in.")


class InquiryCategory(Section):
    """One kind of inquiry."""

    key: str = Field(pattern=_KEY, description="Small letters, digits and _; links lead to it by this.")
    label: Name = Field(description="As customers read it.")
    about: Name | None = Field(
        default=None, description="What number it is about, e.g. 予約番号; when absent, none is asked for."
    )
    fields: tuple[InquiryField, ...] = Field(
        default=(), max_length=20, description="What else is asked for, one [[…fields]] each."
    )


class Inquiries(Section):
    """お問い合わせ."""

    categories: Annotated[tuple[InquiryCategory, ...], Field(min_length=1, max_length=50)] = Field(
        default=(InquiryCategory(key="other", label="その他お問合せ"),),
        description="What may be asked about, one [[…categories]] each; the last one is for everything else.",
    )
    visible_to: Literal["account", "member"] = Field(
        default="account", description="Who reads a thread: everybody of the account, or who began it."
    )
    text_in_mail: Flag = Field(
        default=False, description="Whether the mail about an answer holds its text, or a link alone (COM-52)."
    )
    guests: Flag = Field(default=False, description="Whether people who are not signed in may write (COM-53).")
    most_files: Whole = Field(default=5, ge=0, le=20, description="Files with one message.")
    most_megabytes: Whole = Field(default=20, ge=1, le=50, description="All files of one message together.")

    @field_validator("categories", mode="after")
    @classmethod
    def _each_once(cls, categories: tuple[InquiryCategory, ...]) -> tuple[InquiryCategory, ...]:
        for keys in ([c.key for c in categories], *([f.key for f in c.fields] for c in categories)):
            if len(set(keys)) < len(keys):
                raise ValueError(f"a key stands twice: {', '.join(keys)}")
        return categories

    def category(self, key: Any) -> InquiryCategory | None:
        """The category with this key, or None."""
        return next((category for category in self.categories if category.key == key), None)


class Chat(Section):
    """チャット, on the days that the calendar has open (SUP-11). Clock times are Asia/Tokyo's."""

    opening: ClockTime = Field(default="09:00", description="When a chat can be begun from, HH:MM.")
    closing: ClockTime = Field(default="17:30", description="Until when, HH:MM.")
    stream: Flag = Field(
        default=True,
        description="Whether pages are told of news at once, or ask every 3 seconds: for proxies that cut streams.",
    )

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> "Chat":
        if self.closing <= self.opening:
            raise ValueError(f"closing at {self.closing} is not after opening at {self.opening}")
        return self
