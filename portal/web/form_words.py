"""What WTForms says by itself, in the words of these pages: its own are English, or Japanese of a
program (COM-23).
"""

from portal.core import gettext_noop
from portal.web.i18n import translate as _

_CHOOSE = gettext_noop("一覧から選択してください。")
_WORDS = {
    "This field is required.": gettext_noop("入力してください。"),
    "Not a valid choice.": _CHOOSE,
    "Invalid Choice: could not coerce.": _CHOOSE,
    "'%(value)s' is not a valid choice for this field.": _CHOOSE,
    "Not a valid integer value.": gettext_noop("数字で入力してください。"),
    "Not a valid date value.": gettext_noop("日付は、2026/11/22のように入力してください。"),
}
_OTHERWISE = gettext_noop("入力内容に誤りがあります。もう一度ご確認ください。")


class FormWords:
    """The translations that WTForms asks for; rare messages are told in general words."""

    def gettext(self, message: str) -> str:
        """The sentence for one of WTForms' messages."""
        return _(_WORDS.get(message, _OTHERWISE))

    def ngettext(self, singular: str, _plural: str, _n: int) -> str:
        """The sentence for a message that has a plural in English; Japanese has none."""
        return self.gettext(singular)


def get_translations(_meta: object, _form: object) -> FormWords:
    """For the `Meta` of a form."""
    return FormWords()
