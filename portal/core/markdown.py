"""Markdown as HTML that is safe to show, and as plain text."""

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# A picture from another host would tell its owner who reads; the content policy forbids it anyway.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _render_link(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any
) -> str:
    """A link whose page gets no handle on ours."""
    # Neither `window.opener` nor our address, in which a token may stand.
    tokens[at].attrSet("rel", "noopener noreferrer")
    return self.renderToken(tokens, at, options, env)


_markdown.add_render_rule("link_open", _render_link)


def to_html(markdown: str) -> str:
    """Markdown as HTML of Markdown's own elements alone: raw HTML stays text, a script's address
    makes no link.
    """
    return str(_markdown.render(markdown))


def to_text(markdown: str) -> str:
    """What a reader reads of it, one line a block."""
    lines: list[str] = []
    for block in _markdown.parse(markdown):
        if not block.content:
            continue
        # Only what opens or closes an element nests; a break in a line has no content of its own.
        pieces = [piece.content or " " for piece in block.children or [block] if not piece.nesting]
        lines.append(" ".join("".join(pieces).split()))
    return "\n".join(lines)
