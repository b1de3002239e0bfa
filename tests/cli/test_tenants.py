"""`flask tenants` (OPS-02, OPS-04)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from portal.blueprints import BRANDS
from portal.cli.installation import tenants
from portal.config.registry import Registry
from portal.config.schema import tenant_type
from portal.settings import ROOT
from portal.web.brand import module_configs

Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tenants.toml"
    file.write_bytes((ROOT / "tenants.toml").read_bytes())
    return file


@pytest.fixture
def run(path: Path) -> Run:
    app = Flask("portal")
    app.cli.add_command(tenants)
    app.extensions["tenants"] = Registry(
        path, "portal.example", tenant_type(module_configs(BRANDS))
    )
    return lambda *args: app.test_cli_runner().invoke(args=["tenants", *args])


def test_check_is_content_with_the_demo_brands(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0
    *warnings, last = result.stdout.splitlines()
    assert ["deviates from ASVS 6.2 (" in line for line in warnings] == [True] * 3
    assert last == "7 tenants, no mistakes, 3 warnings"


def test_check_says_each_mistake_on_a_line_and_exits_with_2(run: Run, path: Path) -> None:
    """OPS-02."""
    path.write_text("[tenants.atelier]\nnmae = '工房'\nmodules = ['facilty']\n", encoding="utf-8")
    result = run("check")
    assert result.exit_code == 2
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [
        ["tenants.toml:1", "tenants.atelier.name"],
        ["tenants.toml:2", "tenants.atelier.nmae"],
        ["tenants.toml:3", "tenants.atelier.modules[0]"],
    ]


def test_check_looks_at_another_file_before_it_is_put_in_place(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "next.toml"
    other.write_text("[tenants.atelier]\n", encoding="utf-8")
    assert run("check", str(other)).stdout.startswith(
        f"{other}:1: tenants.atelier.name: is missing"
    )
    assert run("check").exit_code == 0


def test_check_of_a_file_that_is_not_there_says_so(run: Run) -> None:
    result = run("check", "nowhere.toml")
    assert (result.exit_code, result.stdout) == (
        2,
        "nowhere.toml:1: cannot be read: No such file or directory\n",
    )


def test_check_as_json_gives_file_line_key_and_message(run: Run, path: Path) -> None:
    """OPS-10."""
    path.write_text("[tenants.atelier]\nname = '工房'\nstatus = 'opne'\n", encoding="utf-8")
    result = run("check", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == [
        {
            "file": "tenants.toml",
            "line": 3,
            "key": "tenants.atelier.status",
            "message": "\"opne\" is unknown; did you mean 'open'?",
            "is_warning": False,
        }
    ]


def test_list_shows_every_tenant_and_its_hosts(run: Run, path: Path) -> None:
    """OPS-04."""
    path.write_text(
        "[tenants.atelier]\nname='工房'\nmodules=['facility','shop']\ndomains=['my.atelier.example']\n"
        "[tenants.old]\nname='旧'\nstatus='retired'\n",
        encoding="utf-8",
    )
    assert json.loads(run("list", "--json").stdout) == [
        {
            "key": "atelier",
            "name": "工房",
            "status": "open",
            "modules": ["facility", "shop"],
            "hosts": ["atelier.portal.example", "my.atelier.example"],
        },
        {"key": "old", "name": "旧", "status": "retired", "modules": [], "hosts": []},
    ]
    assert "my.atelier.example" in run("list").stdout


def test_show_says_where_each_value_came_from(run: Run, path: Path) -> None:
    """OPS-04."""
    path.write_text(
        "[tenants.atelier]\nname = '工房'\nmodules = ['facility']\n[tenants.atelier.theme]\nradius = 3\n"
        "[[tenants.atelier.calendar.closed]]\nname = '休み'\nfirst = 2027-01-01\nlast = 2027-01-02\n",
        encoding="utf-8",
    )
    shown = {
        row["key"]: (row["value"], row["from"])
        for row in json.loads(run("show", "atelier", "--json").stdout)
    }
    assert shown["name"] == ("工房", "tenants.toml:2")
    assert shown["company"] == ("工房", "default")
    assert shown["theme.radius"] == (3, "tenants.toml:5")
    assert shown["theme.brand"] == ("#0b4a8f", "default")
    assert shown["calendar.closed"][1] == "tenants.toml:6"
    assert shown["facility.slot_minutes"] == (30, "default")
    assert shown["numbers.invoice.prefix"] == ("INV", "default")
    assert not any(key.startswith(("shop", "molds")) for key in shown)


@pytest.mark.parametrize("key", ["facility", "studio", "shop"])
def test_show_fits_a_narrow_terminal(run: Run, key: str) -> None:
    """OPS-10."""
    from rich.cells import cell_len

    result = run("show", key)
    assert result.exit_code == 0
    assert max(map(cell_len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout


def test_show_of_an_unknown_tenant_names_those_there_are(run: Run) -> None:
    result = run("show", "facilty")
    assert result.exit_code == 2
    assert "facility, studio, molds, rental, shop, support" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [["list"], ["show", "facility"], ["diff", "next.toml"]])
def test_while_the_file_is_broken_what_is_in_force_is_shown_and_said_to_be_so(
    run: Run, path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPS-03: commands work; that they show the last good file stands on standard error, with the mistake."""
    monkeypatch.chdir(path.parent)
    (path.parent / "next.toml").write_bytes(path.read_bytes())
    before = run(*command)
    path.write_text("nonsense", encoding="utf-8")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (0, before.stdout)
    assert before.stderr == ""
    assert len(result.stderr.splitlines()) == 1
    assert "tenants.toml:1: is not TOML" in result.stderr
    assert "last good" in result.stderr


def test_what_comes_from_the_last_good_file_names_it(run: Run, path: Path) -> None:
    """OPS-04: a line number of a file that is not in force would lead astray."""
    app = Flask("portal")
    app.cli.add_command(tenants)
    kind = tenant_type(module_configs(BRANDS))
    kept = path.with_name("tenants.last-good.toml")
    Registry(path, "portal.example", kind, last_good=kept)
    path.write_text("nonsense", encoding="utf-8")
    app.extensions["tenants"] = Registry(path, "portal.example", kind, last_good=kept)
    result = app.test_cli_runner().invoke(args=["tenants", "show", "facility", "--json"])
    assert "tenants.last-good.toml:" in result.stdout
    checked = app.test_cli_runner().invoke(args=["tenants", "check"])
    assert (checked.exit_code, "tenants.toml:1: is not TOML" in checked.stdout) == (2, True)


def test_schema_is_json_that_editors_read(run: Run) -> None:
    """OPS-04."""
    schema = json.loads(run("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "facility" in schema["$defs"]["Tenant"]["properties"]
