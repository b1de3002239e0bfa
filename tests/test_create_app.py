"""The portal starts whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal import create_app
from portal.settings import CannotStart


@pytest.mark.parametrize(
    "content", ["", "[tenants.x", "[tenants.x]\nname = 1\n", '[tenants.x]\nmodules = ["x"]\n', None]
)
def test_a_broken_or_missing_tenants_file_refuses_to_start_and_says_where(
    make_settings, tmp_path: Path, content: str | None
) -> None:
    """OPS-03: exit code 2, without a traceback; there is no default brand."""
    file = tmp_path / "brands.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CannotStart) as refused:
        create_app(make_settings(f"sqlite:///{tmp_path / 'portal.sqlite3'}", tenants_file=file))
    assert "brands.toml" in refused.value.message
    assert refused.value.exit_code == 2


def test_two_portals_in_one_process_share_nothing_of_their_configuration(
    make_settings, tmp_path: Path
) -> None:
    made = [
        create_app(make_settings(f"sqlite:///{tmp_path / n}", base_domain=f"{n}.example"))
        for n in ("a", "b")
    ]
    assert [app.extensions["tenants"].base_domain for app in made] == ["a.example", "b.example"]
    hosts = [
        [app.extensions["tenants"].current().for_host(f"shop.{n}.example") for n in ("a", "b")]
        for app in made
    ]
    assert [[found is not None for found in row] for row in hosts] == [[True, False], [False, True]]


def test_the_home_is_made_when_it_is_not_there(make_settings, tmp_path: Path) -> None:
    create_app(make_settings(f"sqlite:///{tmp_path / 'x'}", home=tmp_path / "a/b"))
    assert (tmp_path / "a/b").is_dir()
