"""Reads one SQL text and says where it is held to its tenant: what the tripwire then compares with what is bound.

It knows the SQL that SQLAlchemy writes, as a tree of its brackets and in clauses, and fails closed: what it cannot
read, it refuses (COM-02). Each use of a tenant-owned table needs ``<alias>.tenant_id = <bind>`` as a whole conjunct of
its own WHERE, or of the ON that brings it in; beside an OR, inside a CASE, a NOT or another function it holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Nodes = list[Any]
"""Words and marks as str, quoted names as Name, parameters as Bind, and what stands in brackets as a list."""

Pair = tuple[str, int | str]
"""An alias, and a parameter that its tenant_id is compared with."""

_TOKEN = re.compile(
    r"""\s+|(?P<text>'(?:[^']|'')*')|"(?P<name>(?:[^"]|"")*)"|(?P<bind>\?|%\([^)]+\)s|%s)"""
    r"""|(?P<strange>[benux]&?'|\$)|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<mark>--|/\*|::|%%|[-+*/<>=!|&~^@#.,()\[\]:])""",
    re.IGNORECASE,
)
_CLAUSES = frozenset(
    "select from where group having order limit offset fetch window returning set values using for"
    " insert update delete".split()
)
_COMPOUND = frozenset({"union", "intersect", "except"})


class Unheld(Exception):
    """The statement is not held to one tenant, or could not be read."""


class Name(str):
    """A quoted name, never a keyword."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Bind:
    """A parameter: its place among the question marks, or its name."""

    key: int | str


def parse(sql: str) -> Nodes:
    """`sql` as a tree of its brackets; CASE … END is a bracket too. Raises Unheld."""
    stack: list[Nodes] = [[]]
    at = binds = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        if found is None or found["strange"] or found["mark"] in ("--", "/*"):
            raise Unheld(f"cannot be read at {sql[at : at + 20]!r}")
        at, kind = found.end(), found.lastgroup
        token = found[kind] if kind else ""
        if kind == "bind":
            stack[-1].append(Bind(token[2:-2] if token.startswith("%(") else binds))
            binds += 1
        elif kind == "name":
            stack[-1].append(Name(token.lower()))
        elif kind:
            _grow(stack, "'" if kind == "text" else token.lower())
    if len(stack) != 1:
        raise Unheld("a bracket stays open")
    return stack[0]


def _grow(stack: list[Nodes], word: str) -> None:
    if word in ("(", "case"):
        stack[-1].append([] if word == "(" else ["case"])
        stack.append(stack[-1][-1])
    elif word in (")", "end"):
        if len(stack) == 1 or (stack[-1][:1] == ["case"]) != (word == "end"):
            raise Unheld("a bracket is closed that is not open")
        stack.pop()
    else:
        stack[-1].append(word)


def split(nodes: Nodes, *at: str) -> list[Nodes]:
    """The parts of `nodes` between plain words or marks."""
    parts: list[Nodes] = [[]]
    for node in nodes:
        if type(node) is str and node in at:
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def clauses_of(nodes: Nodes) -> Iterator[tuple[str, Nodes]]:
    """The clauses of one SELECT, INSERT, UPDATE or DELETE, each with what follows its keyword."""
    keyword, begun = "", 0
    for place, node in enumerate(nodes):
        before = nodes[max(place - 2, 0) : place]
        if type(node) is not str or not _begins(node, before, nodes[place + 1 : place + 2]):
            continue
        yield keyword, nodes[begun:place]
        keyword, begun = "conflict" if node == "on" else node, place + 1
    yield keyword, nodes[begun:]


def _begins(word: str, before: Nodes, after: Nodes) -> bool:
    if word == "on":
        return after == ["conflict"]
    if word == "from":
        return before not in (["is", "distinct"], ["not", "distinct"])
    if word == "update":
        return before[-1:] not in (["for"], ["key"], ["do"])
    return word in _CLAUSES


def conjuncts(nodes: Nodes) -> Iterator[Pair]:
    """``alias.tenant_id = bind`` wherever the whole condition cannot be true without it: (alias, parameter)."""
    words = {node for node in nodes if type(node) is str}
    if words & (_COMPOUND | {"or", ",", "case"}) or len(list(clauses_of(nodes))) > 1:
        return
    pieces = split(nodes, "and")
    for place, piece in enumerate(pieces):
        if place and "between" in pieces[place - 1]:
            continue
        if len(piece) == 1 and isinstance(piece[0], list):
            yield from conjuncts(piece[0])
        elif piece[1:4] == [".", "tenant_id", "="] and isinstance(piece[0], str) and _is_bind(piece[4:]):
            yield str(piece[0]), piece[4].key


def _is_bind(nodes: Nodes) -> bool:
    cast = nodes[1:]
    return isinstance(nodes[0] if nodes else None, Bind) and (not cast or (cast[0] == "::" and len(cast) == 2))


@dataclass
class Reading:
    """What was found in one statement."""

    owned: frozenset[str]
    writes: bool = False
    held: list[tuple[int | str, ...]] = field(default_factory=list)
    """For each use of a tenant's table, the parameters of which one at least must be the tenant."""
    _placed: int = 0

    def read(self, sql: str) -> Reading:
        """Go over the whole statement. Raises Unheld."""
        nodes = parse(sql)
        try:
            self._query(nodes)
        except (IndexError, TypeError) as error:
            raise Unheld("it is no statement that is known here") from error
        if self._mentions(nodes) != self._placed:
            raise Unheld("a tenant's table stands where it is not expected")
        return self

    def _mentions(self, nodes: Nodes) -> int:
        """How often a tenant's table is named, as itself and not as part of a column's name or as a label."""
        count = 0
        for before, node, after in zip(["", *nodes], nodes, [*nodes[1:], ""], strict=False):
            if isinstance(node, list):
                count += self._mentions(node)
            elif isinstance(node, str) and node in self.owned and after != "." and before not in (".", "as"):
                count += 1
        return count

    def _query(self, nodes: Nodes) -> None:
        for part in split(nodes, *_COMPOUND):
            self._part(list(clauses_of(part)))
        for node in nodes:
            if isinstance(node, list):
                self._query(node)

    def _part(self, clauses: list[tuple[str, Nodes]]) -> None:
        """One SELECT, INSERT, UPDATE or DELETE without what stands in its brackets."""
        held: list[Pair] = []
        aliases: list[str] = []
        for place, (keyword, nodes) in enumerate(clauses):
            self.writes |= keyword in ("insert", "update", "delete")
            match keyword:
                case "from" | "using" | "update":
                    aliases += self._sources(nodes, held)
                case "where" if "conflict" not in dict(clauses[:place]):
                    held += conjuncts(nodes)
                case "set":
                    _refuse_moving(nodes)
                case "for":
                    self._placed += self._mentions(nodes)
                case "insert":
                    self._insert(nodes, clauses[place + 1 :])
        if len(set(aliases)) != len(aliases):
            raise Unheld("two tables have one name")
        for alias in aliases:
            self.held.append(tuple(key for name, key in held if name == alias))
            if not self.held[-1]:
                raise Unheld(f"{alias} is not held to its tenant")

    def _sources(self, nodes: Nodes, held: list[Pair]) -> list[str]:
        """The aliases of tenant-owned tables in a FROM list; what its ONs hold goes to `held`."""
        return [alias for item in split(nodes, ",") for alias in self._chain(item, held)]

    def _chain(self, item: Nodes, held: list[Pair]) -> list[str]:
        """As `_sources`, for tables joined to one another."""
        aliases: list[str] = []
        outer = False
        for part in split(item, "join"):
            if {"right", "full"} & {word for word in part[-2:] if type(word) is str}:
                raise Unheld("RIGHT and FULL joins are refused")
            element, *condition = split(part, "on")
            new = self._element(element, held)
            aliases += new
            for found in condition[:1]:
                pairs = conjuncts(_without_join_words(found))
                held += (pair for pair in pairs if pair[0] in new or not outer)
            outer = "left" in part[-2:]
        return aliases

    def _element(self, nodes: Nodes, held: list[Pair]) -> list[str]:
        """As `_sources`, for one table, subquery, function or bracketed join."""
        nodes = [node for node in _without_join_words(nodes) if node not in ("lateral", "only", "as")]
        if nodes and isinstance(nodes[0], list):
            if nodes[0][:1] in (["select"], ["values"], ["with"]):
                return []
            inside: list[Pair] = []  # its ONs say nothing about tables outside it
            aliases = self._sources(nodes[0], inside)
            held += (pair for pair in inside if pair[0] in aliases)
            return aliases
        end = _path_end(nodes)
        name = nodes[end - 1] if nodes else ""
        if not isinstance(name, str) or name not in self.owned:
            return []
        self._placed += end == 1
        return [str(nodes[end] if nodes[end:] else name)]

    def _insert(self, target: Nodes, rest: list[tuple[str, Nodes]]) -> None:
        """``INTO table (columns)`` and the clauses after it: each row must bind its tenant."""
        if target[0] != "into":
            raise Unheld("INSERT OR … is refused")
        end = 1 + _path_end(target[1:])
        if target[end - 1] not in self.owned:
            return
        self._placed += end == 2
        columns = [part[-1] for part in split(target[-1], ",")] if isinstance(target[-1], list) else []
        if "tenant_id" not in columns:
            raise Unheld("INSERT without tenant_id")
        by_keyword = dict(reversed(rest))
        for row in _rows(by_keyword, columns.index("tenant_id")):
            if not _is_bind(row):
                raise Unheld("INSERT of a tenant that is not bound")
            self.held.append((row[0].key,))
        conflict = by_keyword.get("conflict", [])
        if "set" in by_keyword and not any("tenant_id" in node for node in conflict if isinstance(node, list)):
            raise Unheld("ON CONFLICT … DO UPDATE by a key without tenant_id")


def _rows(clauses: dict[str, Nodes], place: int) -> list[Nodes]:
    """What an INSERT puts at `place` of each row: from VALUES, or SELECT p0, p1 … FROM (VALUES …), as batches go."""
    rows = clauses.get("values")
    if rows is None:
        source = clauses.get("from", [])
        chosen = split(clauses.get("select", []), ",")[place:][:1]
        number = re.fullmatch(r"p(\d+)", str(chosen[0][0])) if chosen and chosen[0] else None
        if number is None or not source or source[0][:1] != ["values"]:
            raise Unheld("INSERT … SELECT is refused")
        rows, place = source[0], int(number[1])
    found = [split(row, ",")[place] for row in rows if isinstance(row, list)]
    if not found:
        raise Unheld("INSERT without a row")
    return found


def _path_end(nodes: Nodes) -> int:
    """Where ``schema.table`` at the beginning of `nodes` ends."""
    end = 1
    while nodes[end : end + 1] == ["."]:
        end += 2
    return end


def _refuse_moving(assignments: Nodes) -> None:
    for assignment in split(assignments, ","):
        target = split(assignment, "=")[0]
        if "tenant_id" in target or any("tenant_id" in node for node in target if isinstance(node, list)):
            raise Unheld("a row never changes its tenant")


def _without_join_words(nodes: Nodes) -> Nodes:
    while nodes and type(nodes[-1]) is str and nodes[-1] in ("left", "outer", "inner", "cross", "natural"):
        nodes = nodes[:-1]
    return nodes
