"""The running program's tenants: hosts, reload, and what stays when the file breaks (COM-01, OPS-03)."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.config.config_errors import TenantsInvalid
from portal.config.last_good import LastGood, stamp
from portal.config.registry import LOOK_EVERY, Registry, Tenants, read_bytes
from portal.config.schema import Tenant

GOOD = """\
[tenants.atelier]
name = "工房"
subdomain = "koubou"
domains = ["my.atelier.example"]
[tenants.beta]
name = "乙"
status = "maintenance"
[tenants.gamma]
name = "丙"
status = "retired"
domains = ["gamma.example"]
"""
TENANTS = read_bytes(GOOD.encode(), "tenants.toml", "portal.example", Tenant).tenants


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float = LOOK_EVERY) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tenants.toml"
    file.write_text(GOOD, encoding="utf-8")
    return file


@pytest.fixture
def registry(path: Path, clock: Clock) -> Registry:
    return Registry(path, "Portal.Example.", monotonic=clock)


@pytest.fixture
def save(path: Path, clock: Clock) -> Callable[[str], None]:
    """Replace the file as an editor does, a second later."""

    def replace(text: str) -> None:
        aside = path.with_suffix(".new")
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
        clock.pass_by()

    return replace


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("koubou.portal.example", "atelier"),
        ("koubou.portal.example:8080", "atelier"),
        ("KOUBOU.Portal.example", "atelier"),
        ("koubou.portal.example.", "atelier"),
        ("koubou.portal.example.:443", "atelier"),
        ("my.atelier.example", "atelier"),
        ("beta.portal.example", "beta"),
        ("atelier.portal.example", None),
        ("gamma.portal.example", None),
        ("gamma.example", None),
        ("portal.example", None),
        ("x.koubou.portal.example", None),
        ("koubou.portal.example..", None),
        ("koubou.portal.example:", None),
        ("koubou.portal.example:80:80", None),
        ("koubou.portal.example@evil.example", None),
        (" koubou.portal.example", None),
        ("koubou.portal.example\n", None),
        ("\u212aoubou.portal.example", None),
        ("[::1]:8080", None),
        ("", None),
    ],
)
def test_a_host_leads_to_its_tenant_or_to_none(
    registry: Registry, host: str, key: str | None
) -> None:
    """COM-01; a retired tenant's host is unknown (OPS-05)."""
    found = registry.current().for_host(host)
    assert (found.key if found else None) == key


@given(st.text(max_size=40) | st.from_regex(r"[a-z.]{0,20}(:[0-9]*)?", fullmatch=True))
def test_a_host_that_nobody_claimed_leads_nowhere(host: str) -> None:
    """COM-01."""
    bare = host.lower().rpartition(":")[0] or host.lower()
    if bare.removesuffix(".") not in TENANTS.by_host:
        assert TENANTS.for_host(host) is None


@given(st.sampled_from(sorted(TENANTS.by_host)), st.integers(1, 65535), st.data())
def test_case_port_and_a_last_dot_make_no_difference(
    host: str, port: int, data: st.DataObject
) -> None:
    """COM-01."""
    cased = "".join(letter.upper() if data.draw(st.booleans()) else letter for letter in host)
    for written in (cased, f"{cased}:{port}", f"{cased}.", f"{cased}.:{port}"):
        assert TENANTS.for_host(written) is TENANTS.by_host[host]


def test_nobody_lives_in_an_empty_house() -> None:
    assert Tenants().for_host("koubou.portal.example") is None


@pytest.mark.parametrize("text", ["", "[tenants.atelier]\n", "nonsense", None])
def test_a_program_does_not_start_with_a_broken_or_missing_file(
    path: Path, text: str | None
) -> None:
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(TenantsInvalid) as refused:
        Registry(path, "portal.example")
    assert [mistake.line for mistake in refused.value.mistakes] == [1]
    assert str(refused.value).startswith("tenants.toml:1: ")


def test_a_changed_file_is_taken_up(registry: Registry, save: Callable[[str], None]) -> None:
    """OPS-03."""
    before = registry.current()
    save(GOOD.replace("工房", "新しい工房"))
    assert registry.current().by_key["atelier"].name == "新しい工房"
    assert before.by_key["atelier"].name == "工房"


def test_the_file_is_looked_at_once_a_second_at_most(
    registry: Registry, path: Path, clock: Clock, save: Callable[[str], None]
) -> None:
    """OPS-03."""
    save(GOOD.replace("工房", "二番"))
    registry.current()
    path.write_text(GOOD.replace("工房", "三番目"), encoding="utf-8")
    clock.pass_by(LOOK_EVERY * 0.9)
    assert registry.current().by_key["atelier"].name == "二番"
    clock.pass_by(LOOK_EVERY * 0.2)
    assert registry.current().by_key["atelier"].name == "三番目"


def test_a_change_of_equal_size_and_time_is_seen_by_its_inode(
    registry: Registry, path: Path, save: Callable[[str], None]
) -> None:
    """OPS-03."""
    old = path.stat()
    kept = path.with_suffix(".old")
    os.link(path, kept)
    aside = path.with_suffix(".new")
    aside.write_text(GOOD.replace("工房", "土間"), encoding="utf-8")
    os.utime(aside, ns=(old.st_atime_ns, old.st_mtime_ns))
    aside.replace(path)
    registry._monotonic.pass_by()  # type: ignore[attr-defined]
    assert path.stat().st_mtime_ns == old.st_mtime_ns
    assert registry.current().by_key["atelier"].name == "土間"


@pytest.mark.parametrize("broken", ["nonsense", "", "[tenants.atelier]\nnmae = 'x'\n"])
def test_a_broken_file_leaves_the_last_good_one_in_force(
    registry: Registry, save: Callable[[str], None], broken: str
) -> None:
    """OPS-03."""
    good = registry.current()
    save(broken)
    assert registry.current() is good
    assert registry.mistakes
    with pytest.raises(TenantsInvalid):
        Registry(registry.path, registry.base_domain)
    save(GOOD + "[tenants.delta]\nname = '丁'\n")
    assert "delta" in registry.current().by_key
    assert registry.mistakes == ()


def test_a_missing_file_leaves_the_last_good_one_in_force(
    registry: Registry, path: Path, clock: Clock
) -> None:
    """OPS-03."""
    good = registry.current()
    path.unlink()
    clock.pass_by()
    assert [str(mistake) for mistake in registry.mistakes] == [
        "tenants.toml:1: cannot be read: No such file or directory"
    ]
    assert registry.current() is good


def test_mistakes_are_known_without_a_page_being_asked_for(
    registry: Registry, save: Callable[[str], None]
) -> None:
    """OPS-03: a process that only answers /readyz says so as well."""
    save("nonsense")
    assert len(registry.mistakes) == 1


def test_each_change_and_the_recovery_are_logged_once_with_the_process(
    registry: Registry, clock: Clock, save: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """OPS-03."""
    caplog.set_level(logging.INFO, "portal.config.registry")
    save("nonsense")
    for _ in range(3):
        registry.current()
        clock.pass_by()
    save(GOOD)
    for _ in range(3):
        registry.current()
        clock.pass_by()
    save(GOOD + "# and a word\n")
    registry.current()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO"]
    assert "tenants.toml:1: is not TOML" in caplog.messages[0]
    assert caplog.messages[1].startswith("tenants.toml is in order again and was taken up: 3 ten")
    assert caplog.messages[2].startswith("tenants.toml was taken up: 3 tenants")
    assert all(f"(process {os.getpid()})" in message for message in caplog.messages)


def test_warnings_do_not_count_as_mistakes(registry: Registry, save: Callable[[str], None]) -> None:
    save("[tenants.atelier]\nname = '工房'\nsign_in.password.preset = 'legacy-8-12'\n")
    assert [warning.line for warning in registry.read().warnings] == [3]
    assert registry.mistakes == ()


@pytest.mark.races
def test_threads_see_one_whole_file_or_the_other(
    registry: Registry, save: Callable[[str], None]
) -> None:
    """OPS-03: names and hosts of one snapshot always belong together, while the file changes under load."""
    stop, torn = threading.Event(), list[object]()

    def read_on() -> None:
        while not stop.is_set():
            try:
                now = registry.current()
                names = {tenant.name for tenant in now.by_key.values()}
                if len(names) != 1 or {tenant.name for tenant in now.by_host.values()} != names:
                    torn.append(names)
            except Exception as error:  # a thread's exception would be lost
                torn.append(error)

    save("[tenants.a1]\nname = 'N0'\n[tenants.b1]\nname = 'N0'\n")
    registry.current()
    threads = [threading.Thread(target=read_on) for _ in range(6)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        text = f"[tenants.a1]\nname = 'N{turn}'\n[tenants.b1]\nname = 'N{turn}'\n"
        save(text if turn % 4 else "broken")
    stop.set()
    for thread in threads:
        thread.join()
    assert torn == []
    registry._monotonic.pass_by()  # type: ignore[attr-defined]
    assert registry.current().by_key["a1"].name == "N39"


def test_while_one_thread_reads_the_others_do_not_wait(
    registry: Registry, save: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()
    really_read = registry.read

    def slowly(*args, **kwargs):
        reading.set()
        assert go_on.wait(5)
        return really_read(*args, **kwargs)

    monkeypatch.setattr(registry, "read", slowly)
    save(GOOD.replace("工房", "新しい工房"))
    slow = threading.Thread(target=registry.current)
    slow.start()
    assert reading.wait(5)
    registry._monotonic.pass_by()  # type: ignore[attr-defined]
    assert registry.current().by_key["atelier"].name == "工房"
    go_on.set()
    slow.join()
    assert registry.current().by_key["atelier"].name == "新しい工房"


B = GOOD + "[tenants.delta]\nname = '丁'\n"


@pytest.fixture
def kept(path: Path) -> Path:
    return path.with_name("home") / "tenants.last-good.toml"


@pytest.fixture
def begin(path: Path, kept: Path, clock: Clock) -> Callable[[], Registry]:
    """One process of an installation: its registry."""
    kept.parent.mkdir()
    return lambda: Registry(path, "portal.example", monotonic=clock, last_good=kept)


@pytest.mark.parametrize("broken", ["nonsense", "", "[tenants.atelier]\nnmae = 'x'\n"])
def test_a_program_starts_with_the_last_good_file_while_the_file_is_broken(
    begin: Callable[[], Registry],
    save: Callable[[str], None],
    broken: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """OPS-03: what was good outlives every process; the mistake is said loudly, and stays known."""
    good = begin().current()
    save(broken)
    started = begin()
    assert started.current() == good
    assert started.in_force.name == "tenants.last-good.toml"
    assert started.mistakes
    assert "tenants.toml is broken and the last good one stays in force" in caplog.text
    save(B)
    assert "delta" in started.current().by_key
    assert started.mistakes == ()


def test_a_program_starts_with_the_last_good_file_while_the_file_is_gone(
    begin: Callable[[], Registry], path: Path
) -> None:
    """OPS-03"""
    good = begin().current()
    path.unlink()
    assert begin().current() == good


def test_good_a_good_b_broken_gives_b_everywhere(
    begin: Callable[[], Registry], save: Callable[[str], None]
) -> None:
    """OPS-03: to a process that was idle while B stood there, and to one that starts."""
    idle, busy = begin(), begin()
    save(B)
    assert "delta" in busy.current().by_key
    save("nonsense")
    seen = [process.current().by_key.keys() for process in (busy, idle, begin())]
    assert seen[0] == seen[1] == seen[2]
    assert "delta" in seen[0]


def test_a_process_that_saw_the_broken_file_first_follows_the_others(
    begin: Callable[[], Registry], save: Callable[[str], None], kept: Path, clock: Clock
) -> None:
    """OPS-03: B was read by a slower process, which kept it after this one had looked."""
    early = begin()
    save("nonsense")
    assert "delta" not in early.current().by_key
    kept.write_text(B, encoding="utf-8")
    clock.pass_by()
    assert "delta" in early.current().by_key
    assert early.mistakes


def test_what_has_changed_since_it_was_read_is_not_kept(path: Path, kept: Path) -> None:
    """OPS-03: else an older file could be put over a newer one, or a broken one be kept."""
    kept.parent.mkdir()
    read = stamp(path)
    path.write_text("nonsense, written meanwhile", encoding="utf-8")
    assert LastGood(kept, path).keep(read) is None
    assert not kept.exists()


def test_a_copy_that_this_program_cannot_use_does_not_start_it(
    begin: Callable[[], Registry], save: Callable[[str], None], kept: Path
) -> None:
    """OPS-03: after an update that knows more mistakes, both files may be wrong; the mistakes are the file's."""
    begin()
    kept.write_text("[tenants.atelier]\nlast = 'year'\n", encoding="utf-8")
    save("nonsense")
    with pytest.raises(TenantsInvalid, match=r"tenants\.toml:1: is not TOML"):
        begin()


def test_the_copy_is_for_its_owner_only(begin: Callable[[], Registry], kept: Path) -> None:
    begin()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_written_costs_the_copy_only(
    path: Path, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """OPS-03: kept's folder is not there."""
    assert Registry(path, "portal.example", last_good=kept).current().by_key
    assert "could not be kept" in caplog.text


def test_a_command_keeps_no_file(
    path: Path, kept: Path, begin: Callable[[], Registry], save: Callable[[str], None]
) -> None:
    """OPS-03: it reads what was kept, and leaves keeping to who serves."""
    reader = Registry(path, "portal.example", last_good=kept, keeps=False)
    assert not kept.exists()
    served = begin()
    before = kept.read_bytes()
    save(B)
    reader.look_now()
    assert "delta" in reader.current().by_key
    assert kept.read_bytes() == before
    reader.keep_last_good()
    assert kept.read_bytes() != before
    save("nonsense")
    assert "delta" in served.current().by_key


def test_the_last_good_copy_of_one_file_serves_no_other(
    path: Path, begin: Callable[[], Registry], kept: Path, tmp_path: Path
) -> None:
    """OPS-03: told to read another file, which is broken, a program does not start."""
    begin()
    other = tmp_path / "other.toml"
    other.write_text("nonsense", encoding="utf-8")
    with pytest.raises(TenantsInvalid, match=r"other\.toml:1: is not TOML"):
        Registry(other, "portal.example", last_good=kept)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    path.write_text("nonsense", encoding="utf-8")
    assert Registry(link, "portal.example", last_good=kept).current().by_key


@pytest.mark.parametrize("text", [GOOD, GOOD.rstrip("\n"), GOOD.replace("\n", "\r\n")])
def test_the_copy_says_what_the_file_says_line_for_line(
    begin: Callable[[], Registry], save: Callable[[str], None], text: str
) -> None:
    """OPS-03, OPS-04: to name the file it is of changes none of its lines."""
    save(text)
    good = begin()
    save("nonsense")
    started = begin()
    assert started.current() == good.current()
    assert started.read(started._last_good.path).lines._lines == good.in_force.lines._lines  # type: ignore[union-attr]


def test_a_copy_that_names_no_file_is_used(
    begin: Callable[[], Registry], save: Callable[[str], None], kept: Path
) -> None:
    """OPS-03: an older version of the program kept it."""
    begin()
    kept.write_text(B, encoding="utf-8")
    save("nonsense")
    assert "delta" in begin().current().by_key
