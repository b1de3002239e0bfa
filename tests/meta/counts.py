"""How big the project is. `python -m tests.meta.counts` prints it; test_sizes.py holds it to STYLE.md."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, order=True)
class Size:
    """Something and its lines: non-blank ones of a file, all from `def` to the end of a function."""

    lines: int
    name: str


def files(folder: str, pattern: str) -> Iterator[Path]:
    """The files under `folder` whose names match, in order."""
    return (path for path in sorted((ROOT / folder).rglob(pattern)) if "vendor" not in path.parts)


def file_sizes(folder: str, pattern: str) -> list[Size]:
    """Non-blank lines of each file."""
    return [Size(_non_blank(path), str(path.relative_to(ROOT))) for path in files(folder, pattern)]


def function_sizes(folder: str) -> list[Size]:
    """Lines of each function and method."""
    return [size for path in files(folder, "*.py") for size in _functions(path)]


def _non_blank(path: Path) -> int:
    return sum(1 for line in path.read_text("utf-8").splitlines() if line.strip())


def _functions(path: Path) -> Iterator[Size]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Size(lines, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")


def total(sizes: Iterable[Size]) -> int:
    """All lines together."""
    return sum(size.lines for size in sizes)


def median(sizes: Sequence[Size]) -> float:
    """The middle size; 0 when there is nothing."""
    return statistics.median(size.lines for size in sizes) if sizes else 0


def p95(sizes: Sequence[Size]) -> int:
    """The size that 95 of 100 do not exceed; 0 when there is nothing."""
    return sorted(sizes)[min(len(sizes) - 1, len(sizes) * 95 // 100)].lines if sizes else 0


def report() -> str:
    """The counts in four lines."""
    code, tests = file_sizes("portal", "*.py"), file_sizes("tests", "*.py")
    functions, pages = function_sizes("portal"), file_sizes("portal/templates", "*.html")
    lines = [
        f"portal {total(code)} lines, tests {total(tests)} lines, ratio {total(tests) / max(total(code), 1):.2f}",
        *(
            f"{name}: {len(sizes)}, median {median(sizes):g}, p95 {p95(sizes)}, longest {max(sizes, default=0)}"
            for name, sizes in (("files", code), ("functions", functions), ("templates", pages))
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
