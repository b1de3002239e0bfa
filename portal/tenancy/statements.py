"""Reads one SQL text and says where it is held to its tenant: what the SQL guard then compares with
what is bound.

It knows the SQL that SQLAlchemy writes, bracket by bracket and clause by clause, and fails closed:
what it cannot read, it refuses (COM-02). Each use of a tenant-owned table needs ``<alias>.tenant_id
= <bind>`` as a whole conjunct of its own WHERE, or of the ON that brings it in; beside an OR,
inside a CASE, a NOT or another function it holds nothing.

What stands in a bracket, CASE … END included, is a text of its own: its words between single
spaces, a quoted name behind one ``"``, a parameter as ``?`` and its place, a bracket within as
``(`` and its number, a string as ``'``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

Key = int | str
"""A parameter: its place among the question marks, or its name."""
Pair = tuple[str, Key]
"""An alias, and a parameter that its tenant_id is compared with."""

_TOKEN = re.compile(
    r"""\s+|(?P<text>'(?:[^']|'')*')|"(?P<name>(?:[^"]|"")*)"|(?P<bind>\?|%\([^)]+\)s|%s)"""
    # Strings with escapes, dollar quotes and comments: ways to hide a quote from this pattern.
    r"""|(?P<strange>[benux]&?'|\$|--|/\*)"""
    r"""|(?P<word>[^\W\d]\w*|\d[\w.]*|::|%%|[-+*/<>=!|&~^@#.,()\[\]:])|(?P<rest>\S)""",
    re.IGNORECASE,
)
_CLOSES = {")": "(", "end": "case"}
_COMPOUND = "union|intersect|except"
_CLAUSE = re.compile(
    # Not every FROM and UPDATE begins a clause: IS DISTINCT FROM, FOR NO KEY UPDATE, DO UPDATE.
    "(?<= )("
    "(?<! is distinct )(?<! not distinct )from|(?<! for )(?<! key )(?<! do )update|on conflict"
    "|select|where|group|having|order|limit|offset|fetch|window|returning|set|values|using|for"
    "|insert|delete"
    ")(?= )"
)
_LOOSE = re.compile(f"(?<= )(?:{_COMPOUND}|or|,|case)(?= )|{_CLAUSE.pattern}")
_BIND = r"\?(\d+) (?::: \S+ )?"
_HELD = re.compile(rf' "?(\S+) \. "?tenant_id = {_BIND}')
_TABLE = re.compile(r' ((?:\S+ \. )*)"?(\S+) (?:"?(\S+) )?')
"""What stands before the name, the name, and what it is called here."""
_JOIN_WORDS = re.compile(r"(?: (?:left|outer|inner|cross|natural))+ $")


class NotTenantScoped(Exception):
    """The statement is not held to one tenant, or could not be read."""


def split(text: str, at: str) -> list[str]:
    """The parts of `text` between plain words or marks."""
    return re.split(f"(?<= )(?:{at})(?= )", text)


def _key_of(bind: str, place: int) -> Key:
    """The name of a parameter as ``%(name)s``, the place of any other."""
    if bind.startswith("%("):
        return bind[2:-2]
    return place


def _one_word(name: str) -> str:
    """A quoted name as one word, whatever stands in it: other signs than letters as ``~hex~``."""
    return re.sub(r"\W", _escaped, name.lower())


def _escaped(sign: re.Match[str]) -> str:
    return f"~{ord(sign[0]):x}~"


def unquoted(text: str) -> list[str]:
    """The words of `text`, names as they are called."""
    return [word.removeprefix('"') for word in text.split()]


@dataclass
class StatementReader:
    """What was found in one statement."""

    owned: frozenset[str]
    writes: bool = False
    held: list[tuple[Key, ...]] = field(default_factory=list)
    """For each use of a tenant's table, the parameters of which one at least must be the tenant."""
    _texts: list[str] = field(default_factory=list)
    _binds: list[Key] = field(default_factory=list)
    _placed: int = 0

    def read(self, sql: str) -> "StatementReader":
        """Go over the whole statement. Raises NotTenantScoped."""
        self._parse(sql)
        try:
            for part in [part for text in self._texts for part in split(text, _COMPOUND)]:
                # What stands before the first keyword, then keyword and text by turns.
                found = _CLAUSE.split(part)
                self._part(list(zip(found[1::2], found[2::2], strict=True)))
        except IndexError as error:
            raise NotTenantScoped("it is no statement that is known here") from error
        # Whatever was not understood is found here: each name must have been seen in its place.
        if sum(map(self._mentions, self._texts)) != self._placed:
            raise NotTenantScoped("a tenant's table stands where it is not expected")
        return self

    def _parse(self, sql: str) -> None:
        texts: list[list[str]] = [[]]
        opened = [("", 0)]
        for found in _TOKEN.finditer(sql):
            word = (found["word"] or "").lower()
            here = texts[opened[-1][1]]
            if found["strange"] or found["rest"]:
                raise NotTenantScoped(f"cannot be read at {sql[found.start() :][:20]!r}")
            if word in _CLOSES.values():
                here.append(f"({len(texts)}")
                opened.append((word, len(texts)))
                texts.append(["case"] if word == "case" else [])
            elif word in _CLOSES:
                if opened.pop()[0] != _CLOSES[word]:
                    raise NotTenantScoped("a bracket is closed that is not open")
            elif found["bind"]:
                here.append(f"?{len(self._binds)}")
                self._binds.append(_key_of(found["bind"], len(self._binds)))
            elif found["name"] is not None:
                here.append(f'"{_one_word(found["name"])}')
            elif found["text"] or word:
                here.append(word or "'")
        if len(opened) != 1:
            raise NotTenantScoped("a bracket stays open")
        self._texts = [f" {' '.join(words)} " for words in texts]

    def _inside(self, word: str) -> str:
        """What stands in the bracket that `word` is; nothing when it is none."""
        if not word.startswith("("):
            return ""
        return self._texts[int(word[1:])]

    def _mentions(self, text: str) -> int:
        """How often a tenant's table is named, as itself and not as part of a column's name or as a
        label.
        """
        words = unquoted(text)
        around = zip(["", *words], words, [*words[1:], ""], strict=False)
        return sum(
            word in self.owned and after != "." and before not in (".", "as")
            for before, word, after in around
        )

    def _conjuncts(self, text: str) -> Iterator[Pair]:
        """``alias.tenant_id = bind`` wherever the whole condition cannot be true without it:
        (alias, parameter).
        """
        # Beside an OR the tenant may differ, and in a list or a CASE it is no condition at all.
        if _LOOSE.search(text):
            return
        pieces = split(text, "and")
        for before, piece in zip(["", *pieces], pieces, strict=False):
            if " between " in before:  # this AND belongs to BETWEEN: no condition of its own
                continue
            if found := _HELD.fullmatch(piece):
                yield found[1], self._binds[int(found[2])]
            elif len(piece.split()) == 1:
                yield from self._conjuncts(self._inside(piece.strip()))

    def _part(self, clauses: list[tuple[str, str]]) -> None:
        """One SELECT, INSERT, UPDATE or DELETE without what stands in its brackets."""
        held: list[Pair] = []
        aliases: list[str] = []
        for place, (keyword, text) in enumerate(clauses):
            self.writes |= keyword in ("insert", "update", "delete")
            match keyword:
                case "from" | "using" | "update":
                    aliases += self._sources(text, held)
                # In INSERT … ON CONFLICT the WHERE is the conflict's own, and holds nothing.
                case "where" if "on conflict" not in dict(clauses[:place]):
                    held += self._conjuncts(text)
                case "set":
                    self._refuse_moving(text)
                case "for":
                    self._placed += self._mentions(text)
                # Reversed: of two clauses of one kind the first counts.
                case "insert":
                    self._insert(text, dict(reversed(clauses[place + 1 :])))
        if len(set(aliases)) != len(aliases):
            raise NotTenantScoped("two tables have one name")
        for alias in aliases:
            self.held.append(tuple(key for name, key in held if name == alias))
            if not self.held[-1]:
                raise NotTenantScoped(f"{alias} is not held to its tenant")

    def _sources(self, text: str, held: list[Pair]) -> list[str]:
        """The aliases of tenant-owned tables in a FROM list; what its ONs hold goes to `held`."""
        return [alias for item in split(text, ",") for alias in self._chain(item, held)]

    def _chain(self, item: str, held: list[Pair]) -> list[str]:
        """As `_sources`, for tables joined to one another."""
        aliases: list[str] = []
        outer = False
        for part in split(item, "join"):
            kind = part.split()[-2:]
            # Their rows come from a table before them, which this ON does not hold.
            if {"right", "full"} & set(kind):
                raise NotTenantScoped("RIGHT and FULL joins are refused")
            element, *conditions = split(_JOIN_WORDS.sub(" ", part), "on")
            new = self._element(element, held)
            aliases += new
            for condition in conditions[:1]:
                # The ON of a LEFT JOIN says nothing of tables before it: their rows come anyway.
                held += (pair for pair in self._conjuncts(condition) if pair[0] in new or not outer)
            outer = "left" in kind
        return aliases

    def _element(self, text: str, held: list[Pair]) -> list[str]:
        """As `_sources`, for one table, subquery, function or bracketed join."""
        found = _TABLE.match(re.sub("(?<= )(?:lateral|only|as) ", "", text))
        if found and not found[1] and (inner := self._inside(found[2])):
            if inner.startswith((" select ", " values ", " with ")):
                return []
            inside: list[Pair] = []  # its ONs say nothing about tables outside it
            aliases = self._sources(inner, inside)
            held += (pair for pair in inside if pair[0] in aliases)
            return aliases
        if not found or found[2] not in self.owned:
            return []
        self._placed += not found[1]
        return [found[3] or found[2]]

    def _insert(self, target: str, clauses: dict[str, str]) -> None:
        """``INTO table (columns)`` and the clauses after it: each row must bind its tenant."""
        found = re.match(f" into{_TABLE.pattern}", target)
        if not found:
            raise NotTenantScoped("INSERT OR … is refused")
        if found[2] not in self.owned:
            return
        self._placed += not found[1]
        columns = [
            unquoted(column)[-1:]
            for column in split(self._inside(target.rsplit(maxsplit=1)[-1]), ",")
        ]
        if ["tenant_id"] not in columns:
            raise NotTenantScoped("INSERT without tenant_id")
        for row in self._rows(clauses, columns.index(["tenant_id"])):
            bind = re.fullmatch(f" {_BIND}", row)
            if not bind:
                raise NotTenantScoped("INSERT of a tenant that is not bound")
            self.held.append((self._binds[int(bind[1])],))
        keys = map(self._inside, clauses.get("on conflict", "").split())
        if "set" in clauses and not any("tenant_id" in unquoted(key) for key in keys):
            raise NotTenantScoped("ON CONFLICT … DO UPDATE by a key without tenant_id")

    def _rows(self, clauses: dict[str, str], place: int) -> list[str]:
        """What an INSERT puts at `place` of each row.

        From VALUES, or SELECT p0, … FROM (VALUES …), as batches go.
        """
        rows = clauses.get("values")
        if rows is None:
            chosen = re.match(r" p(\d+) ", split(clauses.get("select", ""), ",")[place])
            rows = self._inside(clauses.get("from", "").split()[0])
            if chosen is None or not rows.startswith(" values "):
                raise NotTenantScoped("INSERT … SELECT is refused")
            place = int(chosen[1])
        found = [
            split(self._inside(row), ",")[place] for row in rows.split() if row.startswith("(")
        ]
        if not found:
            raise NotTenantScoped("INSERT without a row")
        return found

    def _refuse_moving(self, assignments: str) -> None:
        for assignment in split(assignments, ","):
            target = split(assignment, "=")[0]
            if any(
                "tenant_id" in unquoted(names)
                for names in (target, *map(self._inside, target.split()))
            ):
                raise NotTenantScoped("a row never changes its tenant")
