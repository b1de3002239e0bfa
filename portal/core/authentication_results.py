"""Authentication-Results (RFC 8601): what the mail server before the portal found out about a
sender.

Values in these headers come from outside (an envelope's sender, a reason), so quoted strings and
comments are taken apart properly: nothing inside of them counts as a result.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# Every alternative begins with other characters than the rest, so matching never backtracks,
# whatever a stranger sends.
_TOKEN = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s";=()]+)|(?P<sign>[;=])|\s+')


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What one method came to: ``dkim=pass header.d=one.example``."""

    method: str
    result: str
    properties: dict[str, str] = field(default_factory=dict)


def is_authenticated(headers: Iterable[str], *, host: str, domain: str) -> bool:
    """Whether `host` found that a mail comes from `domain`, by its headers from the top down.

    DMARC decides where the domain has such a policy (any result but none); otherwise DKIM or SPF
    has to have passed for the very same domain. Only headers that name `host` count; servers put
    theirs on top, so of several headers with the same method the first one counts.
    """
    results: dict[str, list[MethodResult]] = {}
    for header in headers:
        found = parse_results(header, host=host)
        for method in {one.method for one in found} - results.keys():
            results[method] = [one for one in found if one.method == method]
    dmarc = results.get("dmarc", [])
    if dmarc and dmarc[0].result != "none":
        # A server may name the domain that it judged: it has to be the one in From.
        judged = dmarc[0].properties.get("header.from", domain)
        return dmarc[0].result == "pass" and _domain_of(judged) == domain.lower()
    # Without a DMARC policy the domains must be equal: DKIM and SPF pass for whoever signed or
    # sent, who may be anybody.
    return any(
        one.result == "pass" and _domain_of(one.properties.get(name, "")) == domain.lower()
        for method, name in (("dkim", "header.d"), ("spf", "smtp.mailfrom"))
        for one in results.get(method, [])
    )


def parse_results(header: str, *, host: str) -> list[MethodResult]:
    """The results in one header's value; none where it is another server's or not well-formed."""
    tokens = _tokens(_without_comments(header))
    if tokens is None:
        return []
    parts: list[list[tuple[str, str]]] = [[]]
    for token in tokens:
        if token == ("sign", ";"):
            parts.append([])
        else:
            parts[-1].append(token)
    server, *rest = parts
    # Anybody can send such a header along; only the one of our own mail server is believed.
    if not server or server[0][1].lower() != host.lower():
        return []
    return [found for part in rest if (found := _method_result(part)) is not None]


def _method_result(tokens: list[tuple[str, str]]) -> MethodResult | None:
    pairs: list[tuple[str, str]] = []
    for place, token in enumerate(tokens):
        is_assignment = token == ("sign", "=") and 0 < place < len(tokens) - 1
        if is_assignment and tokens[place - 1][0] == "plain":
            pairs.append((tokens[place - 1][1].lower(), tokens[place + 1][1]))
    if not pairs:
        return None
    (method, result), *properties = pairs
    # A method may carry a version (dkim/1). Reversed, since a dict keeps the last value of a key
    # and here the first one counts.
    return MethodResult(method.partition("/")[0], result.lower(), dict(reversed(properties)))


def _tokens(value: str) -> list[tuple[str, str]] | None:
    """The tokens of a value without comments, each with its kind; None if it is malformed."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(value):
        found = _TOKEN.match(value, position)
        if found is None:
            return None
        position = found.end()
        if found.lastgroup is not None:
            tokens.append((found.lastgroup, found[found.lastgroup]))
    return tokens


def _without_comments(value: str) -> str:
    """The value without its comments (they nest); a bracket inside a quoted string begins none."""
    kept: list[str] = []
    depth = 0
    for piece in re.findall(r'"(?:[^"\\]|\\.)*"|\\.|[^"\\()]+|.', value, re.DOTALL):
        if piece == "(":
            depth += 1
        elif piece == ")" and depth:
            depth -= 1
        elif not depth:
            kept.append(piece)
    return "".join(kept)


def _domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower().rstrip(".")
