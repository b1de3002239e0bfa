"""What is in the repository belongs to the product: no notes to self, no one machine's paths, no one's registry."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.counts import ROOT

BINARY = {".ico", ".jpg", ".mo", ".pdf", ".png", ".ttf", ".woff2", ".xdp", ".gz", ".webp"}
FOREIGN = {
    "a note to self": r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError",
    "a path of one machine": rf"{re.escape(str(ROOT))}\b|/root/|(?<![a-z])/home/[a-z]|/Users/",
    "an index of packages": r"(?<!emit-)index-url\b|find-links\s*=|https?://\S+/simple\b",
}


def kept_files() -> list[Path]:
    """The files that are, or would be, committed; without git all but hidden and generated ones."""
    asked = ["git", "ls-files", "-co", "--exclude-standard"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        return [path for path in ROOT.rglob("*") if not {".venv", "var", ".git"} & set(path.parts)]
    return [ROOT / name for name in listed.stdout.splitlines()]


def texts() -> Iterator[tuple[str, int, str]]:
    """Each line of each text file that somebody here wrote."""
    for path in kept_files():
        ours = path.suffix not in BINARY and "vendor" not in path.parts and path != Path(__file__)
        if ours and path.is_file():
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
                yield str(path.relative_to(ROOT)), number, line


@pytest.mark.parametrize("kind", FOREIGN)
def test_nothing_foreign_stands_in_the_repository(kind: str) -> None:
    pattern = re.compile(FOREIGN[kind])
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, number, line in texts()
        if pattern.search(line)
    ]
    assert not found, f"{kind}:\n" + "\n".join(found)


def test_no_test_is_left_out() -> None:
    """A test that is skipped or expected to fail proves nothing."""
    pattern = re.compile(r"pytest\.(skip|xfail)\(|mark\.(skip|skipif|xfail)\b")
    found = [
        f"{name}:{number}"
        for name, number, line in texts()
        if name.endswith(".py") and pattern.search(line)
    ]
    assert not found
