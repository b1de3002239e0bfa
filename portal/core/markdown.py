"""Markdown as HTML that is safe to show, and as plain text."""

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def _leading_out(
    self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any
) -> str:
    """A link whose page gets no handle on ours."""
    tokens[at].attrSet("rel", "noopener noreferrer")
    return self.renderToken(tokens, at, options, env)


_markdown.add_render_rule("link_open", _leading_out)


def to_html(markdown: str) -> str:
    """Markdown as HTML of Markdown's own elements alone: raw HTML stays text, a script's address
    makes no link.
    """
    return str(_markdown.render(markdown))


def to_text(markdown: str) -> str:
    """What a reader reads of it, one line a block."""
    blocks = (token for token in _markdown.parse(markdown) if token.content)
    pieces = (
        [piece.content or " " for piece in block.children or [block] if not piece.nesting]
        for block in blocks
    )
    return "\n".join(" ".join("".join(piece).split()) for piece in pieces)
