"""docs/installing.md lists every setting, and none that there is not."""

from __future__ import annotations

import re

from portal.settings import ROOT

NAME = r"(?:PORTAL|DATABASE)_[A-Z_]+"


def test_the_table_of_settings_is_whole() -> None:
    """OPS-21: chosen by environment variables alone, so each of them must be found."""
    table = re.findall(
        r"^\| ([A-Z_, ]+) \|", (ROOT / "docs/installing.md").read_text("utf-8"), re.MULTILINE
    )
    listed = [name for names in table for name in re.findall(NAME, names)]
    asked = set()
    for source in [ROOT / "portal/settings.py", *(ROOT / "portal").rglob("c*.py")]:
        read = r"""(?:env\.get\(|env\[|_number\(env, |envvar=)"(""" + NAME + ')"'
        asked |= set(re.findall(read, source.read_text("utf-8")))
    assert len(listed) == len(set(listed))
    assert set(listed) == asked
