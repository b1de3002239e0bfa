"""Japanese is the source, English the other language: message ids are the Japanese sentences."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_request_context, request
from flask import session as cookie
from flask_babel import Babel, get_locale
from flask_babel.speaklater import LazyString
from flask_login import current_user

from portal.config import Tenant

LANGUAGES = ("ja", "en")
Label = str | LazyString
"""A sentence as it is, or one that is translated when it is shown."""
_CATALOGUES = Path(__file__).parent.parent / "translations"


def init_app(app: Flask, babel: Babel) -> None:
    """Bind Flask-Babel with our choice of language."""
    babel.init_app(app, locale_selector=choose, default_translation_directories=str(_CATALOGUES))
    app.jinja_env.globals["_"] = translate


def translate(message: str, **values: object) -> str:
    """`message` in the language of this request, `values` put in. What macros call ``_``."""
    return speaker()(message, **values)


def speaker() -> Callable[..., str]:
    """`translate` for this request, found once."""
    # Pages call it dozens of times, and to find the locale costs more than to translate.
    found: Callable[..., str] | None = g.get("speaker")
    if found is None:
        found = _in_english
        if str(get_locale()) == "ja":
            found = _japanese_speaker()
        g.speaker = found
    return found


def _japanese_speaker() -> Callable[..., str]:
    """What says a message in Japanese: as it stands, or in the tenant's own words."""
    words = own_words()
    if not words:
        return _in_japanese

    def say(message: str, **values: object) -> str:
        text = str(message)
        return _fill_in(words.get(text, text), values)

    return say


def own_words() -> Mapping[str, str]:
    """What this request's tenant says in words of its own (Japanese): its modules', the first one's
    before the others', and above all those of its own section.
    """
    if "tenant" not in g:
        return {}
    tenant: Tenant = g.tenant
    words: dict[str, str] = {}
    for module in reversed(tenant.modules):
        words |= current_app.extensions["brands"][module].words
    return words | tenant.words


def _in_japanese(message: str, **values: object) -> str:
    return _fill_in(message, values)


def _in_english(message: str, **values: object) -> str:
    return _fill_in(_english().gettext(message), values)


def _fill_in(message: str, values: Mapping[str, object]) -> str:
    # A message without values may hold a percent sign of its own.
    return str(message) % values if values else str(message)


def lazy(message: str, **values: object) -> LazyString:
    """`message` translated when it is shown, `values` put in, for what is written before there is a
    request.
    """
    return LazyString(translate, message, **values)


@cache
def _english() -> NullTranslations:
    """The English catalogue, read once."""
    return Translations.load(_CATALOGUES, ["en"])


def choose() -> str:
    """The language of this request, out of the tenant's: what was chosen, else the member's own,
    else its usual one.
    """
    if not has_request_context() or "tenant" not in g:
        return LANGUAGES[0]
    offered: Sequence[str] = g.tenant.languages
    wishes = [cookie.get("language")]
    if current_user.is_authenticated:
        wishes.append(current_user.locale)
    for wish in wishes:
        if wish in offered:
            return str(wish)
    return offered[0]


def asked_language() -> str | None:
    """The language that a posted language switch asks for, if it is one of ours."""
    asked = request.form.get("language", "")
    return asked if asked in LANGUAGES else None
