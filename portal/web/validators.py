"""Filters and validators of form fields: what is typed is normalised, and refused where it cannot
be meant (COM-23).
"""

from collections.abc import Callable

from wtforms import Field
from wtforms.validators import DataRequired, Optional, ValidationError

from portal.core import text
from portal.shared.documents.typefaces import UndrawableText, check_drawable
from portal.web.i18n import Label
from portal.web.i18n import lazy as _l
from portal.web.i18n import translate as _


def normaliser(clean: Callable[[str], str], wrong: Label = "") -> Callable[[object], str]:
    """A WTForms filter that cleans text; what it cannot clean is refused as `wrong`, or left for a
    validator.
    """

    def apply(value: object) -> str:
        # WTForms also filters what it was given as data: a draft's None is an empty field.
        if not isinstance(value, str) or not value.strip():
            return ""
        try:
            return clean(value)
        except ValueError:
            if wrong:
                raise ValueError(wrong) from None
            return value.strip()

    return apply


def version_number(value: object) -> int:
    """A filter for the hidden version of a record: what is no version is 0, which is always stale
    (COM-26).
    """
    return text.whole_number(str(value)) or 0


def presence(required: bool) -> DataRequired | Optional:
    """The validator for a field that must, or need not, be filled in."""
    return DataRequired(_l("入力してください。")) if required else Optional()


class MaxLength:
    """A validator: at most `longest` characters; the message says how many there are.

    Unlike WTForms' own it sets no ``maxlength``, by which a browser cuts off what is pasted without
    a word. Where `is_counted`, the page counts along near the limit (js/counter.js).
    """

    def __init__(self, longest: int, *, is_counted: bool = False) -> None:
        self.longest = longest
        self.field_flags = {"counted": longest} if is_counted else {}

    def __call__(self, _form: object, field: Field) -> None:
        """Refuse what is too long. Raises ValidationError."""
        count = len(field.data or "")
        if count > self.longest:
            raise ValidationError(
                _(
                    "%(max)s文字以内で入力してください（現在%(count)s文字）。",
                    max=f"{self.longest:,}",
                    count=f"{count:,}",
                )
            )


def drawable(_form: object, field: Field) -> None:
    """Refuse, naming it, a character that no typeface of the documents draws."""
    try:
        check_drawable(field.data)
    except UndrawableText as refused:
        raise ValidationError(_(refused.message, **refused.params)) from None
