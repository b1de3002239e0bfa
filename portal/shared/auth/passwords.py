"""Passwords: which may be set (COM-11), and their hashes: argon2id, as cheap as OWASP allows.

The checklist beside the field and the server have the same rules. The words that everybody tries
first are a list that is read once, and no network (security.md §4.3). Hashes of older systems
(OPS-13, RENT-27) are understood until the first sign-in: bcrypt (``$2b$…``), and PBKDF2 and scrypt
as written by Werkzeug (``pbkdf2:sha256:600000$salt$hex``, ``scrypt:32768:8:1$salt$hex``) and Django
(``pbkdf2_sha256$600000$salt$base64``).
"""

import base64
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher
from werkzeug.security import check_password_hash

from portal.config import Tenant
from portal.config.schema_password import PasswordRules
from portal.core import RuleBroken, gettext_noop

FEWEST_LETTERS = 4
"""Words of names and addresses that are shorter occur by chance."""
ANYWHERE = tuple(
    "password passw0rd 12345678 qwerty abcdef iloveyou letmein administrator pasuwado".split()
)
ANYWHERE += ("パスワード", "ぱすわーど")
"""So common that they give a password away wherever they stand in it."""
FEWEST_CHARACTERS = 4
"""A password of fewer different characters is guessed, however long."""
# As it is; then with the usual digits and signs read as letters, where 1 may be an i or an l.
_LEET = [
    str.maketrans(*both)
    for both in (("", ""), ("0134578@$!", "oieastbasi"), ("0134578@$!|", "oleastbasll"))
]
_APART = re.compile(r"[\W_][\W\d_]*\Z")
_AHEAD = re.compile(r"\A[\W\d_]+")
_AFTER = re.compile(r"[\W\d_]+\Z")
_BETWEEN = r"[\W_]+|株式会社|有限会社|合同会社"
_SYMBOLS = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
_KINDS = {
    "upper": "[A-Z]",
    "lower": "[a-z]",
    "letter": "[A-Za-z]",
    "digit": "[0-9]",
    "symbol": r"[!-\/:-@\[-`{-~]",
}
_SENTENCES = {  # of the checklist, and for who did not keep it
    "min": (
        gettext_noop("%(n)s文字以上"),
        gettext_noop("パスワードは%(n)s文字以上で入力してください。"),
    ),
    "max": (
        gettext_noop("%(n)s文字以内"),
        gettext_noop("パスワードは%(n)s文字以内で入力してください。"),
    ),
    "letters": (
        gettext_noop("半角の英字・数字だけを使う"),
        gettext_noop("パスワードには半角の英字・数字だけを使ってください。"),
    ),
    "letters and symbols": (
        gettext_noop("半角の英字・数字・記号だけを使う"),
        gettext_noop("パスワードには半角の英字・数字・記号だけを使ってください。"),
    ),
    "letters and some": (
        gettext_noop("半角の英字・数字と記号 %(symbols)s だけを使う"),
        gettext_noop("パスワードには半角の英字・数字と記号 %(symbols)s だけを使ってください。"),
    ),
    "upper": (
        gettext_noop("英大文字（A〜Z）を1文字以上使う"),
        gettext_noop("パスワードには英大文字を1文字以上使ってください。"),
    ),
    "lower": (
        gettext_noop("英小文字（a〜z）を1文字以上使う"),
        gettext_noop("パスワードには英小文字を1文字以上使ってください。"),
    ),
    "letter": (
        gettext_noop("英字を1文字以上使う"),
        gettext_noop("パスワードには英字を1文字以上使ってください。"),
    ),
    "digit": (
        gettext_noop("数字を1文字以上使う"),
        gettext_noop("パスワードには数字を1文字以上使ってください。"),
    ),
    "symbol": (
        gettext_noop("記号を1文字以上使う"),
        gettext_noop("パスワードには記号を1文字以上使ってください。"),
    ),
    "run": (
        gettext_noop("同じ文字を%(n)s文字以上続けない"),
        gettext_noop("パスワードに同じ文字を%(n)s文字以上続けて使うことはできません。"),
    ),
    "login_id": (
        gettext_noop("ログインIDを含めない"),
        gettext_noop("ログインIDを含むパスワードは使えません。"),
    ),
    "words": (
        gettext_noop("メールアドレス・お名前・サイト名を含めない"),
        gettext_noop("メールアドレスやお名前、サイト名を含むパスワードは使えません。"),
    ),
    "common": (
        gettext_noop("よく使われる語句や単純な並びにしない"),
        gettext_noop("推測されやすいパスワードは使えません。"),
    ),
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
    """One line of the checklist.

    The tests are data, so that the page runs the very same (js/password.js). `all_of`, `has` and
    `lacks` are patterns that mean the same in Python and JavaScript. `wording` names its sentences,
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
        if self.key == "login_id" and context.login_id:
            return [context.login_id.casefold()]
        if self.key == "words":
            return context.words()
        if self.key == "common":
            return list(ANYWHERE)
        return []

    def is_whole(self, context: Context) -> bool:
        """Whether a page that knows `context` can say yes.

        Not to the long list, nor to words that it is not told.
        """
        known = {"login_id": bool(context.login_id), "words": bool(context.email), "common": False}
        return known.get(self.key, True)

    def as_data(self, context: Context) -> dict[str, object]:
        """What js/password.js checks as the person types."""
        tests = {
            "min": self.at_least,
            "max": self.at_most,
            "all": self.all_of,
            "has": self.has,
            "lacks": self.lacks,
        }
        given = {name: value for name, value in tests.items() if value}
        return {
            "key": self.key,
            **given,
            "words": self.words(context),
            "whole": self.is_whole(context),
        }


def rules_for(rules: PasswordRules) -> list[Rule]:
    """The tenant's rules in the order of the checklist.

    The first broken one is what the member is told.
    """
    return list(_rules(rules))


def broken(password: str, rules: Iterable[Rule], context: Context) -> list[Rule]:
    """The rules that `password` does not keep; none when it may be set."""
    return [rule for rule in rules if not rule.holds(password, context)]


def brand_words(tenant: Tenant) -> tuple[str, ...]:
    """What the brand is called: the first words that somebody tries there (security.md §4.3)."""
    return (tenant.key, tenant.subdomain, tenant.name, tenant.company)


def _rules(rules: PasswordRules) -> Iterator[Rule]:
    # The order is that of the checklist; the first broken one is what the member is told.
    yield Rule("min", {"n": rules.min_length}, at_least=rules.min_length)
    yield Rule("max", {"n": rules.max_length}, at_most=rules.max_length)
    if rules.half_width:
        allowed = _SYMBOLS if rules.symbols is None else rules.symbols
        yield _half_width(allowed)
    for kind in rules.required:
        yield Rule(kind, has=_KINDS[kind])
    if rules.longest_run:
        yield Rule("run", {"n": rules.longest_run + 1}, lacks=rf"(.)\1{{{rules.longest_run}}}")
    if rules.forbid_login_id:
        yield Rule("login_id")
    yield Rule("words")
    yield Rule("common")


def _half_width(symbols: str) -> Rule:
    # Not re.escape: JavaScript's patterns refuse a backslash before what needs none.
    escaped = re.sub(r"[\\\]^\-\[]", r"\\\g<0>", symbols)
    allowed = f"[A-Za-z0-9{escaped}]*"
    if not symbols:
        return Rule("allowed", wording="letters", all_of=allowed)
    if symbols == _SYMBOLS:
        return Rule("allowed", wording="letters and symbols", all_of=allowed)
    return Rule("allowed", {"symbols": " ".join(symbols)}, "letters and some", all_of=allowed)


@cache
def common_words() -> frozenset[str]:
    """The list, casefolded: one word a line, whole passwords and stems alike."""
    text = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def is_common(password: str) -> bool:
    """Whether many people would think of `password`.

    A common word, also dressed up, doubled or as p4ssw0rd.
    """
    folded = password.casefold()
    if len(set(password)) < FEWEST_CHARACTERS or any(word in folded for word in ANYWHERE):
        return True
    return any(form in common_words() for form in _forms(folded))


def _forms(folded: str) -> Iterator[str]:
    """The words that may be behind a password.

    What stands around a stem taken off, and digits read as letters.
    """
    stem = _AFTER.sub("", folded)
    for cut in (folded, _APART.sub("", folded), stem, _AHEAD.sub("", stem)):
        for table in _LEET:
            word = cut.translate(table)
            half = len(word) // 2
            yield word
            if word[:half] == word[half:]:
                yield word[:half]


def check(password: str, *, rules: PasswordRules, who: Context) -> None:
    """Raise RuleBroken at ``password``, naming the first rule broken, when it may not be set for
    `who`.

    Only for setting: whoever has a password that the rules no longer allow still signs in with it.
    """
    for rule in broken(password, rules_for(rules), who):
        raise RuleBroken(rule.refusal, field="password", **rule.params)


_hasher = Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each hash takes 19 MiB and a core: a burst of them waits instead of starving the pages.
_slots = threading.BoundedSemaphore(4)
# What is compared where there is no member, at today's cost.
_ABSENT = _hasher.hash("no member has this password")
_bcrypt = BcryptHasher()
_BCRYPT_READS = 72
"""bcrypt reads so many bytes and no further; systems of its time did not tell."""
# Costs above 16 are left out: they would take seconds for each sign-in.
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")
_WERKZEUG = re.compile(
    r"(?:pbkdf2:sha(?:256|512):[0-9]{4,7}|scrypt:[0-9]{2,6}:[1-9]:[1-9])\$[^$]+\$[0-9a-f]+"
)
_DJANGO = re.compile(r"pbkdf2_sha256\$([0-9]{4,7})\$([^$]+)\$([A-Za-z0-9+/]{43}=)")


def hash_password(password: str) -> str:
    """The argon2id hash of `password` (t=2, m=19 MiB, p=1).

    About 25 ms: never inside a write transaction.
    """
    with _slots:
        return _hasher.hash(password)


def verify(password_hash: str, password: str) -> bool:
    """Whether `password` is the one hashed.

    An empty hash costs the same time and is never right (COM-10).
    """
    with _slots:
        if password_hash and not Argon2Hasher.identify(password_hash):
            return verify_legacy(password_hash, password)
        # Who has no password costs as much as who has one: the time tells nobody who is registered.
        return _hasher.verify(password, password_hash or _ABSENT) and bool(password_hash)


def outdated(password_hash: str) -> bool:
    """Whether the hash was made in another way than today's, so that it is made anew at the next
    sign-in.
    """
    return not Argon2Hasher.identify(password_hash) or _hasher.check_needs_rehash(password_hash)


def is_legacy(password_hash: str) -> bool:
    """Whether this is an older system's hash that can be checked."""
    return any(kind.fullmatch(password_hash) for kind in (_WERKZEUG, _DJANGO, _BCRYPT))


def verify_legacy(password_hash: str, password: str) -> bool:
    """Whether `password` is the one hashed; what is no known hash is nobody's."""
    if "\0" in password:  # bcrypt refuses it, HMAC takes it for padding
        return False
    try:
        if _BCRYPT.fullmatch(password_hash):
            return _bcrypt.verify(password.encode()[:_BCRYPT_READS], password_hash)
        # Django's hash is Werkzeug's with the digest in base64: written so, one check serves both.
        django = _DJANGO.fullmatch(password_hash)
        if django:
            rounds, salt, digest = django.groups()
            password_hash = f"pbkdf2:sha256:{rounds}${salt}${base64.b64decode(digest).hex()}"
        return bool(_WERKZEUG.fullmatch(password_hash)) and check_password_hash(
            password_hash, password
        )
    except ValueError:  # costs that nobody can pay
        return False
