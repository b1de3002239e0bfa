"""SQL as SQLAlchemy writes it, taken apart into a tree of its brackets and into clauses; nothing is guessed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Nodes = list[Any]
"""Words and marks as str, quoted names as Name, parameters as Bind, and what stands in brackets as a list."""

_TOKEN = re.compile(
    r"""\s+|(?P<text>'(?:[^']|'')*')|"(?P<name>(?:[^"]|"")*)"|(?P<bind>\?|%\([^)]+\)s|%s)"""
    r"""|(?P<strange>[benux]&?'|\$)|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<mark>--|/\*|::|%%|[-+*/<>=!|&~^@#.,()\[\]:])""",
    re.IGNORECASE,
)
_CLAUSES = frozenset(
    "select from where group having order limit offset fetch window returning set values using for"
    " insert update delete".split()
)
COMPOUND = frozenset({"union", "intersect", "except"})


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
    """Add a word or mark, opening or closing a bracket where it is one."""
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
    """Whether `word` begins a clause where it stands."""
    if word == "on":
        return after == ["conflict"]
    if word == "from":
        return before not in (["is", "distinct"], ["not", "distinct"])
    if word == "update":
        return before[-1:] not in (["for"], ["key"], ["do"])
    return word in _CLAUSES
