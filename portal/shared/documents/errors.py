"""Why a document was not made."""

from portal.core.errors import RuleBroken


class UndrawableText(RuleBroken):
    """No typeface of ours draws `char`; the document was not made."""

    def __init__(self, char: str) -> None:
        super().__init__(
            "「%(char)s」（%(code)s）は帳票に印字できない文字です。別の文字に置き換えてください。",
            char=char,
            code=f"U+{ord(char):04X}",
        )


class PdfFailed(Exception):
    """A document could not be made: a mistake in a template or a limit passed, never the customer's doing."""
