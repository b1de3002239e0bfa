"""OPS-10, COM-03: whatever is typed, piped in or interrupted ends in one line; absent modules have no commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from flask import Flask

from portal.blueprints import BRANDS
from portal.cli import commands
from portal.core.db import tenant_tables
from tests.cli.test_conventions import EVERY, LEAVES, OF_A_TENANT, SAMPLES, typed
from tests.support.raw import superuser

TENANTS = ("desk", "facility", "shop", "studio")
MODULES = {"desk": "support", "facility": "facility", "shop": "shop", "studio": "facility"}
CP932 = "承りました。".encode("cp932")
ODD = {
    "a number beyond all columns": "9" * 40,
    "a number that is none": "-1",
    "bytes of CP932, as Python gets them": CP932.decode("utf-8", "surrogateescape"),
    "the first day of all": "0001-01-01T00:00",
    "a long text": "あ" * 400,
    "an astral character": "😀",
}
SERVES = ("inquiries receive",)
"""A mail server's pipe, which speaks its own protocol."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that write files do so in a folder of the test's."""
    monkeypatch.chdir(tmp_path)


def in_one_line(result: Result) -> bool:
    """Whether the command ended without a traceback, and without a word of how it is used but in the one line."""
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return False
    lines = result.stderr.splitlines()
    is_said = result.exit_code != 2 or not any(line.startswith(USAGE) for line in lines)
    return result.exit_code in (0, 1, 2) and is_said and "Traceback" not in result.stderr


USAGE = ("Usage: ", "Try '")


def rows(app: Flask) -> dict[str, int]:
    with superuser(app) as raw:
        return {
            table: next(iter(raw.execute(f"SELECT count(*) FROM {table}")))[0]
            for table in tenant_tables()
        }


def commands_of(name: str) -> list[str]:
    return [path for path in LEAVES if path.split()[0] == name]


def test_commands_of_a_module_do_nothing_at_a_brand_without_it(run: Any, app: Flask) -> None:
    """COM-03: every command of every kind of brand, at every brand that is of another."""
    before = rows(app)
    brands = [brand for brand in BRANDS if brand.commands is not None]
    assert len(brands) >= 2
    for brand in brands:
        paths = commands_of(str(brand.commands and brand.commands.name))
        assert paths
        for path in paths:
            for tenant in (key for key, module in MODULES.items() if module != brand.key):
                result = run.invoke(args=[*typed(path), "--tenant", tenant], input="x")
                assert (result.exit_code, result.stdout) == (2, ""), (path, tenant, result.output)
                assert result.stderr == (
                    f"Error: the module {brand.key} is off at {tenant!r}; "
                    f"on is: {MODULES[tenant]}\n"
                )
    assert rows(app) == before


def test_commands_of_a_feature_do_nothing_at_a_brand_without_it(run: Any, app: Flask) -> None:
    """COM-03: knowledge and chat are off unless they are switched on."""
    before = rows(app)
    current = app.extensions["tenants"].current().by_key
    features = {path: getattr(command, "feature", "") for path, command in EVERY.items()}
    asked = 0
    for group, feature in features.items():
        paths = commands_of(group) if isinstance(EVERY[group], click.Group) else [group]
        for tenant in TENANTS:
            if not feature or current[tenant].has(feature):
                continue
            for path in paths:
                result = run.invoke(args=[*typed(path), "--tenant", tenant], input="x")
                assert (result.exit_code, result.stdout) == (2, ""), (path, tenant, result.output)
                assert result.stderr == f"Error: features.{feature} is off at {tenant!r}\n"
                asked += 1
    assert asked >= 8
    assert rows(app) == before


def tenant_for(path: str) -> str:
    """A brand that has the command."""
    return "desk" if path.split(maxsplit=1)[0] in ("support", "chat", "knowledge") else "facility"


def each_with(path: str, odd: str) -> Iterator[list[str]]:
    """The command, once for each of its arguments and options that take something, with `odd` there."""
    for asked in LEAVES[path].params:
        if asked.name == "tenant_key" or getattr(asked, "is_flag", False):
            continue
        options: list[str] = []
        arguments: list[str] = []
        for parameter in LEAVES[path].params:
            value = odd if parameter is asked else SAMPLES.get(str(parameter.name), "x")
            if parameter is not asked and not parameter.required:
                continue
            if isinstance(parameter, click.Option):
                options += [parameter.opts[0], value]
            else:
                arguments.append(value)
        yield [*path.split(), "--tenant", tenant_for(path), *options, "--", *arguments]


@pytest.mark.parametrize("kind", ODD)
def test_nothing_that_is_typed_ends_in_a_traceback(run: Any, kind: str) -> None:
    """OPS-10: every argument and option of every command of a brand."""
    for path in OF_A_TENANT:
        for words in [] if path in SERVES else each_with(path, ODD[kind]):
            result = run.invoke(args=words, input="x")
            assert in_one_line(result), (words, result.exception, result.output)


@pytest.mark.parametrize("given", [CP932, b"a\0b", b"", b"\xff\xfe"], ids=repr)
def test_nothing_that_is_piped_in_ends_in_a_traceback(run: Any, given: bytes) -> None:
    """OPS-10: CP932, a null, nothing, no text at all."""
    for path in OF_A_TENANT:
        if path not in SERVES:
            result = run.invoke(args=[*typed(path), "--tenant", tenant_for(path)], input=given)
            assert in_one_line(result), (path, result.exception, result.output)
    publish = ["notices", "publish", "件名", "-", "--tenant", "facility"]
    refused = run.invoke(args=publish, input=CP932)
    assert (refused.exit_code, refused.stderr) == (2, "Error: standard input is not UTF-8\n")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_interrupted_command_says_so_and_no_more(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPS-10: Ctrl-C."""

    def interrupt(_key: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "find_tenant", interrupt)
    for path in OF_A_TENANT:
        if path not in SERVES:
            result = run.invoke(args=[*typed(path), "--tenant", tenant_for(path)], input="x")
            assert (result.exit_code, result.stdout) == (1, ""), path
            assert result.stderr.strip() == "Aborted!"


@pytest.mark.parametrize("listen", ["127.0.0.1:99999999", "256.1.1.1.x:24", "nowhere.invalid:24"])
def test_an_address_that_is_none_is_refused_in_one_line(run: Any, listen: str) -> None:
    """OPS-10."""
    result = run.invoke(args=["lmtp", "--listen", listen])
    assert result.exit_code == 2
    assert in_one_line(result), result.exception


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["facility", "list", "--limit", "abc"], "'abc' is not a valid whole number."),
        (["facility", "list", "--limt", "1"], "No such option '--limt'."),
        (["facility", "lits"], "No such command 'lits'."),
        (["facility", "confirm"], "Missing argument 'NUMBER'."),
        (["doctor", "--url"], "Option '--url' requires an argument."),
    ],
)
def test_a_mistake_in_how_a_command_is_called_is_one_line(
    run: Any, words: list[str], said: str
) -> None:
    """OPS-10: with where to read how it is called."""
    result = run.invoke(args=words)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert said in result.stderr
    assert "--help)" in result.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7"])
def test_mail_comes_in_on_loopback_alone(run: Any, host: str) -> None:
    """SUP-12: whoever opens that port can write in any member's name."""
    result = run.invoke(args=["lmtp", "--listen", f"{host}:2424"])
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert "any member's name" in result.stderr
