"""The rules of what may be set as a password: for the checklist beside the field and for the server alike (COM-11)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from portal.core.errors import msgid
from portal.core.tenancy.schema import Tenant
from portal.core.tenancy.schema_password import Kind, PasswordRules, Policy
from portal.shared.auth import common_words

FEWEST_LETTERS = 4
"""Words of names and addresses that are shorter occur by chance."""
_BETWEEN = r"[\W_]+|株式会社|有限会社|合同会社"
_SYMBOLS = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""


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

    `all_of`, `has` and `lacks` are patterns that mean the same in Python and JavaScript. `label` and `refusal` are
    message ids with places for `params`.
    """

    key: str
    label: str
    refusal: str
    params: dict[str, object] = field(default_factory=dict)
    at_least: int = 0
    at_most: int | None = None
    all_of: str = ""
    has: str = ""
    lacks: str = ""

    def holds(self, password: str, context: Context) -> bool:
        """Whether `password` keeps this rule."""
        if len(password) < self.at_least or (self.at_most is not None and len(password) > self.at_most):
            return False
        if self.all_of and not re.fullmatch(self.all_of, password):
            return False
        if self.has and not re.search(self.has, password):
            return False
        if self.lacks and re.search(self.lacks, password, re.DOTALL):
            return False
        if self.key == "common" and common_words.is_common(password):
            return False
        return not any(word in password.casefold() for word in self.words(context))

    def words(self, context: Context) -> list[str]:
        """The words, casefolded, that may stand nowhere in the password."""
        if self.key == "login_id":
            return [context.login_id.casefold()] if context.login_id else []
        if self.key == "words":
            return context.words()
        return list(common_words.ANYWHERE) if self.key == "common" else []

    def is_whole(self, context: Context) -> bool:
        """Whether a page that knows `context` can say yes: not to the long list, nor to words that it is not told."""
        known = {"login_id": bool(context.login_id), "words": bool(context.email), "common": False}
        return known.get(self.key, True)

    def as_data(self, context: Context) -> dict[str, Any]:
        """What js/password.js checks as the person types."""
        tests = {"min": self.at_least, "max": self.at_most, "all": self.all_of, "has": self.has, "lacks": self.lacks}
        given = {name: value for name, value in tests.items() if value}
        return {"key": self.key, **given, "words": self.words(context), "whole": self.is_whole(context)}


_KINDS: dict[Kind, tuple[str, str, str]] = {
    "upper": (
        "[A-Z]",
        msgid("英大文字（A〜Z）を1文字以上使う"),
        msgid("パスワードには英大文字を1文字以上使ってください。"),
    ),
    "lower": (
        "[a-z]",
        msgid("英小文字（a〜z）を1文字以上使う"),
        msgid("パスワードには英小文字を1文字以上使ってください。"),
    ),
    "letter": ("[A-Za-z]", msgid("英字を1文字以上使う"), msgid("パスワードには英字を1文字以上使ってください。")),
    "digit": ("[0-9]", msgid("数字を1文字以上使う"), msgid("パスワードには数字を1文字以上使ってください。")),
    "symbol": (
        r"[!-\/:-@\[-`{-~]",
        msgid("記号を1文字以上使う"),
        msgid("パスワードには記号を1文字以上使ってください。"),
    ),
}


def rules_for(rules: PasswordRules) -> list[Rule]:
    """The tenant's rules in the order of the checklist; the first broken one is what the member is told."""
    policy = rules.policy()
    return [*_length(policy), *_characters(policy), *_guesses(policy)]


def broken(password: str, rules: Iterable[Rule], context: Context) -> list[Rule]:
    """The rules that `password` does not keep; none when it may be set."""
    return [rule for rule in rules if not rule.holds(password, context)]


def brand_words(tenant: Tenant) -> tuple[str, ...]:
    """What the brand is called: the first words that somebody tries there (security.md §4.3)."""
    return (tenant.key, tenant.subdomain, tenant.name, tenant.company)


def _length(policy: Policy) -> Iterator[Rule]:
    shortest, longest = policy.min_length, policy.max_length
    yield Rule(
        "min",
        msgid("%(n)s文字以上"),
        msgid("パスワードは%(n)s文字以上で入力してください。"),
        {"n": shortest},
        at_least=shortest,
    )
    yield Rule(
        "max",
        msgid("%(n)s文字以内"),
        msgid("パスワードは%(n)s文字以内で入力してください。"),
        {"n": longest},
        at_most=longest,
    )


def _characters(policy: Policy) -> Iterator[Rule]:
    if policy.half_width:
        yield _half_width(_SYMBOLS if policy.symbols is None else policy.symbols)
    for kind in policy.required:
        pattern, label, refusal = _KINDS[kind]
        yield Rule(kind, label, refusal, has=pattern)
    if policy.longest_run:
        yield Rule(
            "run",
            msgid("同じ文字を%(n)s文字以上続けない"),
            msgid("パスワードに同じ文字を%(n)s文字以上続けて使うことはできません。"),
            {"n": policy.longest_run + 1},
            lacks=rf"(.)\1{{{policy.longest_run}}}",
        )


def _half_width(symbols: str) -> Rule:
    escaped = "".join(f"\\{symbol}" if symbol in r"\]^-[" else symbol for symbol in symbols)
    allowed = f"[A-Za-z0-9{escaped}]*"
    if not symbols:
        label, refusal = (
            msgid("半角の英字・数字だけを使う"),
            msgid("パスワードには半角の英字・数字だけを使ってください。"),
        )
    elif symbols == _SYMBOLS:
        label, refusal = (
            msgid("半角の英字・数字・記号だけを使う"),
            msgid("パスワードには半角の英字・数字・記号だけを使ってください。"),
        )
    else:
        label, refusal = (
            msgid("半角の英字・数字と記号 %(symbols)s だけを使う"),
            msgid("パスワードには半角の英字・数字と記号 %(symbols)s だけを使ってください。"),
        )
        return Rule("allowed", label, refusal, {"symbols": " ".join(symbols)}, all_of=allowed)
    return Rule("allowed", label, refusal, all_of=allowed)


def _guesses(policy: Policy) -> Sequence[Rule]:
    login_id = Rule("login_id", msgid("ログインIDを含めない"), msgid("ログインIDを含むパスワードは使えません。"))
    words = Rule(
        "words",
        msgid("メールアドレス・お名前・サイト名を含めない"),
        msgid("メールアドレスやお名前、サイト名を含むパスワードは使えません。"),
    )
    common = Rule(
        "common", msgid("よく使われる語句や単純な並びにしない"), msgid("推測されやすいパスワードは使えません。")
    )
    return [*([login_id] if policy.forbid_login_id else []), words, common]
