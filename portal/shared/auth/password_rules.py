"""What may be set as a password: for the checklist beside the field and for the server alike (COM-11).

The words that everybody tries first are a list that is read once, and no network (security.md §4.3).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from portal.core.errors import msgid
from portal.core.tenancy.schema import Tenant
from portal.core.tenancy.schema_password import PasswordRules

FEWEST_LETTERS = 4
"""Words of names and addresses that are shorter occur by chance."""
ANYWHERE = (
    *("password", "passw0rd", "12345678", "qwerty", "abcdef", "iloveyou", "letmein", "administrator"),
    *("pasuwado", "パスワード", "ぱすわーど"),
)
"""So common that they give a password away wherever they stand in it."""
FEWEST_CHARACTERS = 4
"""A password of fewer different characters is guessed, however long."""
_LEET: tuple[dict[int, int], ...] = (
    {},
    str.maketrans("0134578@$!", "oieastbasi"),
    str.maketrans("0134578@$!|", "oleastbasll"),
)
_APART = re.compile(r"[\W_][\W\d_]*\Z")
_AHEAD, _AFTER = re.compile(r"\A[\W\d_]+"), re.compile(r"[\W\d_]+\Z")
_BETWEEN = r"[\W_]+|株式会社|有限会社|合同会社"
_SYMBOLS = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
_KINDS = {"upper": "[A-Z]", "lower": "[a-z]", "letter": "[A-Za-z]", "digit": "[0-9]", "symbol": r"[!-\/:-@\[-`{-~]"}
_SENTENCES = {  # of the checklist, and for who did not keep it
    "min": (msgid("%(n)s文字以上"), msgid("パスワードは%(n)s文字以上で入力してください。")),
    "max": (msgid("%(n)s文字以内"), msgid("パスワードは%(n)s文字以内で入力してください。")),
    "letters": (msgid("半角の英字・数字だけを使う"), msgid("パスワードには半角の英字・数字だけを使ってください。")),
    "letters and symbols": (
        msgid("半角の英字・数字・記号だけを使う"),
        msgid("パスワードには半角の英字・数字・記号だけを使ってください。"),
    ),
    "letters and some": (
        msgid("半角の英字・数字と記号 %(symbols)s だけを使う"),
        msgid("パスワードには半角の英字・数字と記号 %(symbols)s だけを使ってください。"),
    ),
    "upper": (msgid("英大文字（A〜Z）を1文字以上使う"), msgid("パスワードには英大文字を1文字以上使ってください。")),
    "lower": (msgid("英小文字（a〜z）を1文字以上使う"), msgid("パスワードには英小文字を1文字以上使ってください。")),
    "letter": (msgid("英字を1文字以上使う"), msgid("パスワードには英字を1文字以上使ってください。")),
    "digit": (msgid("数字を1文字以上使う"), msgid("パスワードには数字を1文字以上使ってください。")),
    "symbol": (msgid("記号を1文字以上使う"), msgid("パスワードには記号を1文字以上使ってください。")),
    "run": (
        msgid("同じ文字を%(n)s文字以上続けない"),
        msgid("パスワードに同じ文字を%(n)s文字以上続けて使うことはできません。"),
    ),
    "login_id": (msgid("ログインIDを含めない"), msgid("ログインIDを含むパスワードは使えません。")),
    "words": (
        msgid("メールアドレス・お名前・サイト名を含めない"),
        msgid("メールアドレスやお名前、サイト名を含むパスワードは使えません。"),
    ),
    "common": (msgid("よく使われる語句や単純な並びにしない"), msgid("推測されやすいパスワードは使えません。")),
}


@dataclass(frozen=True, slots=True)
class Context:
    """Whose password it is to be: what others know of them, and of the brand, makes a poor one."""

    login_id: str = ""
    email: str = ""
    names: tuple[str, ...] = ()
    brand: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The words of four or more letters in address, names and brand, casefolded."""
        local = self.email.partition("@")[0]
        texts = (local, *self.names, *self.brand)
        parts = {part for text in texts for part in (text, *re.split(_BETWEEN, text))}
        return sorted({part.casefold() for part in parts if len(part) >= FEWEST_LETTERS})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the checklist. The tests are data, so that the page runs the very same (js/password.js).

    `all_of`, `has` and `lacks` are patterns that mean the same in Python and JavaScript. `wording` names its sentences,
    which have places for `params`, where that is not the `key`.
    """

    key: str
    params: dict[str, object] = field(default_factory=dict)
    wording: str = ""
    at_least: int = 0
    at_most: int | None = None
    all_of: str = ""
    has: str = ""
    lacks: str = ""

    @property
    def label(self) -> str:
        """The message id of its line."""
        return _SENTENCES[self.wording or self.key][0]

    @property
    def refusal(self) -> str:
        """The message id for who broke it."""
        return _SENTENCES[self.wording or self.key][1]

    def holds(self, password: str, context: Context) -> bool:
        """Whether `password` keeps this rule."""
        return (
            self.at_least <= len(password) <= (self.at_most or len(password))
            and (not self.all_of or bool(re.fullmatch(self.all_of, password)))
            and bool(re.search(self.has, password))
            and not (self.lacks and re.search(self.lacks, password, re.DOTALL))
            and not (self.key == "common" and is_common(password))
            and not any(word in password.casefold() for word in self.words(context))
        )

    def words(self, context: Context) -> list[str]:
        """The words, casefolded, that may stand nowhere in the password."""
        if self.key == "login_id":
            return [context.login_id.casefold()] if context.login_id else []
        if self.key == "words":
            return context.words()
        return list(ANYWHERE) if self.key == "common" else []

    def is_whole(self, context: Context) -> bool:
        """Whether a page that knows `context` can say yes: not to the long list, nor to words that it is not told."""
        known = {"login_id": bool(context.login_id), "words": bool(context.email), "common": False}
        return known.get(self.key, True)

    def as_data(self, context: Context) -> dict[str, Any]:
        """What js/password.js checks as the person types."""
        tests = {"min": self.at_least, "max": self.at_most, "all": self.all_of, "has": self.has, "lacks": self.lacks}
        given = {name: value for name, value in tests.items() if value}
        return {"key": self.key, **given, "words": self.words(context), "whole": self.is_whole(context)}


def rules_for(rules: PasswordRules) -> list[Rule]:
    """The tenant's rules in the order of the checklist; the first broken one is what the member is told."""
    return list(_rules(rules))


def broken(password: str, rules: Iterable[Rule], context: Context) -> list[Rule]:
    """The rules that `password` does not keep; none when it may be set."""
    return [rule for rule in rules if not rule.holds(password, context)]


def brand_words(tenant: Tenant) -> tuple[str, ...]:
    """What the brand is called: the first words that somebody tries there (security.md §4.3)."""
    return (tenant.key, tenant.subdomain, tenant.name, tenant.company)


def _rules(rules: PasswordRules) -> Iterator[Rule]:
    yield Rule("min", {"n": rules.min_length}, at_least=rules.min_length)
    yield Rule("max", {"n": rules.max_length}, at_most=rules.max_length)
    if rules.half_width:
        yield _half_width(_SYMBOLS if rules.symbols is None else rules.symbols)
    yield from (Rule(kind, has=_KINDS[kind]) for kind in rules.required)
    if rules.longest_run:
        yield Rule("run", {"n": rules.longest_run + 1}, lacks=rf"(.)\1{{{rules.longest_run}}}")
    yield from map(Rule, ("login_id", "words", "common") if rules.forbid_login_id else ("words", "common"))


def _half_width(symbols: str) -> Rule:
    escaped = "".join(f"\\{symbol}" if symbol in r"\]^-[" else symbol for symbol in symbols)
    allowed = f"[A-Za-z0-9{escaped}]*"
    if symbols not in ("", _SYMBOLS):
        return Rule("allowed", {"symbols": " ".join(symbols)}, "letters and some", all_of=allowed)
    return Rule("allowed", wording="letters and symbols" if symbols else "letters", all_of=allowed)


@cache
def common_words() -> frozenset[str]:
    """The list, casefolded: one word a line, whole passwords and stems alike."""
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def is_common(password: str) -> bool:
    """Whether many people would think of `password`: a common word, also dressed up, doubled or as p4ssw0rd."""
    folded = password.casefold()
    if len(set(password)) < FEWEST_CHARACTERS or any(word in folded for word in ANYWHERE):
        return True
    return any(form in common_words() for form in _forms(folded))


def _forms(folded: str) -> Iterator[str]:
    """The words that may be behind a password: what stands around a stem taken off, and digits read as letters."""
    stem = _AFTER.sub("", folded)
    for cut in (folded, _APART.sub("", folded), stem, _AHEAD.sub("", stem)):
        for table in _LEET:
            word = cut.translate(table)
            half = len(word) // 2
            yield word
            if word[:half] == word[half:]:
                yield word[:half]
