"""OPS-10: what every command has in common, walked over the whole tree of commands."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import pytest
from flask import Flask
from rich.cells import cell_len
from sqlalchemy import select

import demo
from portal import cli
from portal.blueprints import BRANDS
from portal.core import clock
from portal.core.audit import AuditEvent
from portal.core.db import session, tenant_tables
from portal.settings import ROOT, Settings
from tests.support.raw import superuser

TREE = Flask("portal")
cli.init_app(TREE, BRANDS)
demo.init_app(TREE)
SHARED = {"--tenant", "--operator", "--as-of", "--dry-run"}
WITHOUT_TENANT = {"db", "tenants", "demo", "worker", "lmtp", "doctor", "audit anchor"}
"""These work on the installation, not on one brand."""

SAMPLES = {
    "account": "C000001",
    "body": "-",
    "email": "new@one.example",
    "ends": "2026-12-01T12:00",
    "file": __file__,
    "files": __file__,
    "lines": "利用料:3:時間:4500",
    "mail_id": "1",
    "minutes": "60",
    "amount": "4500",
    "on": "2026-10-31",
    "starts": "2026-12-01T10:00",
    "form": "2022-09-01",
    "kind": "app",
    "person": "山田:太郎:yamada@one.example",
    "since": "2026-10-01",
    "target": "x.zip",
    "until": "2026-10-31",
    "value": "60",
}
"""Words for arguments that not every text will do for."""
MEMBERS = Path(__file__).parent / "members.csv"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


EVERY = dict(commands(TREE.cli))
LEAVES = {path: command for path, command in EVERY.items() if not isinstance(command, click.Group)}
OF_A_TENANT = [path for path in LEAVES if not {path, path.split()[0]} & WITHOUT_TENANT]


def options(command: click.Command) -> list[click.Option]:
    return [p for p in command.params if isinstance(p, click.Option)]


def typed(path: str) -> list[str]:
    """`path` with something for each argument and required option."""
    words = path.split()
    for parameter in LEAVES[path].params:
        if parameter.required:
            name = str(parameter.name)
            if isinstance(parameter, click.Option):
                words.append(parameter.opts[0])
            words.append(SAMPLES.get(name, "x"))
    return words


def test_there_are_commands_of_every_kind() -> None:
    """OPS-10: the walk below would hold of an empty tree as well."""
    groups = {path for path, command in EVERY.items() if isinstance(command, click.Group)}
    assert {
        "accounts",
        "audit",
        "db",
        "demo",
        "documents",
        "facility",
        "mail",
        "members",
        "notices",
    } <= groups
    assert len(OF_A_TENANT) >= 20


@pytest.mark.parametrize("path", EVERY)
def test_help_says_what_the_command_does_and_fits_a_narrow_terminal(path: str) -> None:
    """OPS-10: for each command and each option, in a sentence, within 80 columns, without colours."""
    result = TREE.test_cli_runner().invoke(args=[*path.split(), "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    sentence = (EVERY[path].help or "").strip().splitlines()[0]
    assert re.fullmatch(r"\S.{8,}[.:?]|\S.{8,}\S", sentence), "no help"
    assert " ".join(sentence.split()[:2]) in result.stdout
    assert not [option.opts for option in options(EVERY[path]) if not (option.help or "").strip()]
    assert max(map(cell_len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("path", EVERY)
def test_names_are_words_joined_by_hyphens(path: str) -> None:
    names = [
        path.rsplit(maxsplit=1)[-1],
        *(opt for option in options(EVERY[path]) for opt in option.opts),
    ]
    assert all(re.fullmatch(r"(--)?[a-z]+(-[a-z]+)*", name) for name in names), names


def test_no_two_commands_say_the_same_of_themselves() -> None:
    said = [command.help for command in EVERY.values()]
    assert len(said) == len(set(said))


@pytest.mark.parametrize("path", [path for path in OF_A_TENANT if path != "inquiries receive"])
def test_commands_of_a_brand_take_tenant_operator_instant_and_dry_run(path: str) -> None:
    """OPS-10; a mail is given in by a mail server, which has none of a person's options."""
    assert {opt for option in options(LEAVES[path]) for opt in option.opts} >= SHARED


@pytest.mark.parametrize(
    "path", [p for p in LEAVES if p.split()[-1] in ("find", "list", "search", "show")]
)
def test_what_prints_a_table_prints_json_too(path: str) -> None:
    """OPS-10."""
    assert "--json" in {opt for option in options(LEAVES[path]) for opt in option.opts}


@pytest.mark.parametrize(
    "group", [p for p, command in EVERY.items() if isinstance(command, click.Group)]
)
def test_a_group_alone_is_a_table_of_its_contents(group: str) -> None:
    """OPS-10."""
    result = TREE.test_cli_runner().invoke(args=[group])
    listed = result.output.partition("Commands:\n")[2]
    command = EVERY[group]
    assert isinstance(command, click.Group)
    assert re.findall(r"^  (\S+)", listed, re.MULTILINE) == sorted(command.commands)


def test_without_a_brand_or_with_an_unknown_one_every_command_says_so_in_a_line(run) -> None:
    """OPS-10: exit code 2, and the brands there are."""
    for path in OF_A_TENANT:
        missing = run.invoke(args=typed(path), env={"PORTAL_TENANT": None}, input="x")
        assert (missing.exit_code, missing.stdout) == (2, ""), (path, missing.output)
        assert missing.stderr == "Error: say which brand: --tenant KEY or PORTAL_TENANT\n"
        wrong = run.invoke(args=[*typed(path), "--tenant", "facilty"], input="x")
        assert (wrong.exit_code, wrong.stdout) == (2, "")
        assert (
            wrong.stderr
            == "Error: no tenant 'facilty'; there are: desk, facility, shop, studio, works\n"
        )


def test_the_brand_may_stand_in_the_environment_and_the_option_wins(run) -> None:
    """OPS-10: --tenant or PORTAL_TENANT."""

    def names(*words: str) -> str:
        return str(
            run.invoke(args=["accounts", "find", *words], env={"PORTAL_TENANT": "studio"}).stdout
        )

    assert "カナリア乙" in names()
    assert "カナリア甲" not in names()
    assert "カナリア甲" in names("--tenant", "facility")


@pytest.mark.parametrize(
    "path", [p for p in LEAVES if "--limit" in str([o.opts for o in options(LEAVES[p])])]
)
@pytest.mark.parametrize("limit", ["0", "-1", "100001", "many"])
def test_a_limit_that_is_none_is_refused(path: str, limit: str) -> None:
    """OPS-10: told before a database is asked, which would answer each in its own way."""
    result = TREE.test_cli_runner().invoke(
        args=[*path.split(), "--limit", limit, "--tenant", "facility"]
    )
    assert result.exit_code == 2
    assert "Invalid value for '--limit'" in result.stderr


@pytest.mark.parametrize(
    ("instant", "at"),
    [
        ("2027-01-02T09:30", "2027-01-02 09:30"),
        ("2027-01-02", "2027-01-02 00:00"),
        ("2027-01-02T00:30+00:00", "2027-01-02 09:30"),
    ],
)
def test_a_demo_acts_as_of_the_instant_it_is_given_and_the_trail_keeps_the_true_time(
    run, app, monkeypatch, instant: str, at: str
) -> None:
    """OPS-10, COM-90: without a zone it is Tokyo's time."""
    demonstrating = replace(app.extensions["settings"], demo=True)
    monkeypatch.setitem(app.extensions, "settings", demonstrating)
    before = clock.true_now()
    added = run.invoke(args=["accounts", "add", "試験", "--tenant", "facility", "--as-of", instant])
    assert added.exit_code == 0, added.output
    events = run.invoke(args=["audit", "search", "--tenant", "facility", "--limit", "1", "--json"])
    (event,) = json.loads(events.stdout)
    assert event["at"] == at
    local = [f"{clock.to_local(one):%Y-%m-%d %H:%M}" for one in (before, clock.true_now())]
    assert event["recorded"] in local


@pytest.mark.parametrize(
    "words", [["accounts", "add", "試験"], ["members", "import", str(MEMBERS)], ["chat"]]
)
def test_nothing_is_backdated_outside_a_demo(run, app, inside, words: list[str]) -> None:
    """COM-90: invoices, receipts and the trail bear the day they were made on."""
    at = ["--tenant", "desk" if words == ["chat"] else "facility", "--as-of", "2020-01-01"]
    refused = run.invoke(args=[*words, *at])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: --as-of is for questions and --dry-run")
    with inside("facility"):
        assert not list(
            session().scalars(select(AuditEvent).where(AuditEvent.at < clock.local(2020, 1, 2)))
        )


def test_a_question_and_a_dry_run_may_be_asked_as_of_any_instant(run) -> None:
    """OPS-10: what a cancellation would cost on its day, e.g."""
    for words in (["facility", "list"], ["accounts", "add", "試験", "--dry-run"]):
        done = run.invoke(args=[*words, "--tenant", "facility", "--as-of", "2020-01-01"])
        assert done.exit_code == 0, done.output


def test_an_instant_that_is_none_is_refused_with_an_example(run) -> None:
    result = run.invoke(args=["accounts", "find", "--tenant", "facility", "--as-of", "tomorrow"])
    assert result.exit_code == 2
    assert (
        "Error: Invalid value for '--as-of': an ISO date and time, e.g. 2026-11-22T09:00"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["accounts", "add", "試験"], ""),
        (
            ["members", "add", "C000001", "新田", "次郎", "jiro@one.example", "--login-id", "jiro"],
            "",
        ),
        (["members", "reset-password", "hanako"], ""),
        (["members", "end-sessions", "hanako"], ""),
        (["members", "lock", "hanako"], ""),
        (["members", "reset-factor", "hanako"], ""),
        (["members", "invite", "hanako"], ""),
        (["members", "require-change", "--all"], ""),
        (["members", "import", str(MEMBERS)], ""),
        (["accounts", "merge", "C000002", "C000001", "--yes"], ""),
        (["notices", "publish", "件名", "-"], "本文"),
        (["mail", "retry", "1"], ""),
        (["facility", "confirm", "FR000001"], ""),
        (["facility", "issue", "FR000002"], ""),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_dry_run_changes_no_row_and_the_real_run_is_signed(
    run, app, inside, words, given
) -> None:
    """OPS-10, COM-90: the dry run says that it was one; the audit trail names the operator."""

    def look() -> dict[str, list[tuple[object, ...]]]:
        with superuser(app) as raw:
            return {
                t: sorted(map(tuple, raw.execute(f"SELECT * FROM {t}")), key=repr)
                for t in tenant_tables()
            }

    before = look()
    signed = ["--tenant", "facility", "--operator", "監督"]
    dry = run.invoke(args=[*words, *signed, "--dry-run"], input=given)
    assert (dry.exit_code, dry.stderr) == (0, "dry run: nothing was changed\n"), dry.output
    assert look() == before
    assert run.invoke(args=[*words, *signed], input=given).exit_code == 0
    assert look() != before
    with inside("facility"):
        who = session().scalars(
            select(AuditEvent.actor_name).where(AuditEvent.actor_kind == "operator")
        )
        assert set(who) == {"監督"}


def test_the_operator_is_who_is_logged_in_unless_another_is_named(run, monkeypatch) -> None:
    """OPS-10, COM-90: the login is the machine's, whatever the environment says, and stands beside the name."""
    monkeypatch.setenv("LOGNAME", "omori")
    monkeypatch.setattr(os, "getuid", lambda: pwd.getpwnam("daemon").pw_uid)
    for words, who in (([], "daemon"), (["--operator", "監督"], "監督")):
        run.invoke(args=["accounts", "add", "試験", "--tenant", "facility", *words])
        newest = ["audit", "search", "--tenant", "facility", "--limit", "1", "--json"]
        (event,) = json.loads(run.invoke(args=newest).stdout)
        assert (event["who"], event["login"]) == (who, "daemon")
    for nobody in ("", "　", "長" * 121):
        refused = run.invoke(
            args=["accounts", "add", "試験", "--tenant", "facility", "--operator", nobody]
        )
        assert refused.exit_code == 2
        assert "write 1 to 120 characters" in refused.stderr


def test_flask_help_in_a_pipe_is_the_table_of_contents(tmp_path: Path, make_settings) -> None:
    """OPS-10: the real program, through a pipe, with nothing of ours in the environment but what it must have."""
    settings: Settings = make_settings("")
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    secret = {
        "PORTAL_SECRET_KEY": settings.secret_key,
        "PORTAL_DEMO": "1",
        "PORTAL_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "--help"],
        cwd=ROOT,
        env=kept | secret,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    listed = set(re.findall(r"^  ([a-z]+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE))
    assert {path for path in EVERY if " " not in path} <= listed
    assert "\x1b" not in done.stdout
