"""What keeps a tenants file from being TOML, in an admin's words: the library names a place, not
what to mend there.
"""

import re
import tomllib

_AT_LINE = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")
_TWICE = re.compile(r"Cannot declare \((.*)\) twice")
_KEY = re.compile(r"""\s*([\w.\-"']+)\s*=""")
# Named outright, because they look alike in many editors' typefaces.
_WIDE = re.compile("[“”‘’＂＇　＝［］｛｝，]")
"""What an input method types in place of TOML's own signs."""
_FENCES = ('"""', "'''")


def explain(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """The line (from 1) that is to be mended in `text`, and what is wrong there."""
    # The library has the place in its message alone; `lineno` came with Python 3.14.
    at = _AT_LINE.search(str(error))
    message = _AT_LINE.sub("", str(error))
    lines = text.replace("\r\n", "\n").split("\n")
    if at is None:
        return _at_the_end(message, text)
    line = int(at[1])
    if message == "Cannot overwrite a value":
        return _overwritten(lines, line)
    twice = _TWICE.fullmatch(message)
    if twice:
        key = ".".join(re.findall(r"'([^']*)'", twice[1]))
        return line, f"is not TOML: [{key}] stands twice"
    wide = _WIDE.search(lines[line - 1])
    if wide:
        message += f" (there is a full-width {wide[0]!r}: write it half-width)"
    return line, f"is not TOML: {message}"


def _overwritten(lines: list[str], line: int) -> tuple[int, str]:
    """The key, or the table, that was there before; its value may go on for several lines."""
    # The error is found at the value's end: the key is where the statement began.
    for number in range(line, 0, -1):
        written = lines[number - 1].strip()
        key = _KEY.match(written)
        if key:
            return number, f"is not TOML: {key[1]} stands here a second time"
        if written.startswith("["):
            return number, f"is not TOML: {written} stands here a second time"
    return line, "is not TOML: a key stands here a second time"


def _at_the_end(message: str, text: str) -> tuple[int, str]:
    """What was opened and never closed shows at the end alone."""
    # The last fence in the file is the one that is open: all before it are closed in pairs.
    opened = max((text.rfind(fence), fence) for fence in _FENCES)
    if message.startswith("Unterminated string") and opened[0] >= 0:
        line = text.count("\n", 0, opened[0]) + 1
        return line, f"is not TOML: the text that {opened[1]} opens here is not closed"
    line = text.count("\n") + (not text.endswith("\n"))
    return line, f"is not TOML: {message}"
