"""`flask knowledge`: a folder of articles, published again and again (SUP-14, SUP-15, OPS-10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.jobs import Job
from portal.shared.knowledge import operations
from portal.shared.knowledge.models import Article
from tests.shared.knowledge.conftest import people, tenant

__all__ = ["people", "tenant"]


@pytest.fixture
def do(run):
    """Run a command at the desk."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["knowledge", *words, "--tenant", "desk"])
        assert result.exit_code == expect, result.output
        return str(result.output)

    return command


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    """Write an article's file."""

    def write(key: str, title: str = "打刻の修正", body: str = "本文", **head: str) -> str:
        lines = {"key": key, "category": "勤怠", "title": title, **head}
        path = tmp_path / f"{key}.md"
        path.write_text(
            "---\n" + "".join(f"{n}: {v}\n" for n, v in lines.items()) + f"---\n{body}\n",
            encoding="utf-8",
        )
        return str(path)

    return write


def test_a_folder_is_put_and_put_again(do, file, inside):
    """SUP-14: what is unchanged stays; what changed is told of, unless it is quiet."""

    def jobs() -> int:
        with inside("desk"):
            return session().scalar(select(func.count(Job.id))) or 0

    files = [file("a"), file("b", "休暇の申請", section="休暇", products="manage")]
    assert do("put", *files) == "KB0001: published\nKB0002: published\n"
    assert jobs() == 2
    assert do("put", *files) == "KB0001: unchanged\nKB0002: unchanged\n"
    file("a", body="書き直した")
    assert do("put", *files, "--quiet") == "KB0001: updated\nKB0002: unchanged\n"
    assert jobs() == 2
    assert do("withdraw", "KB0001") == "KB0001: withdrawn\n"
    assert "記事が見つかりません" in do("withdraw", "KB0001", expect=2)
    assert do("put", *files) == "KB0001: published\nKB0002: unchanged\n"
    assert jobs() == 3


def test_the_list_says_what_readers_thought(do, file, inside, people):
    """SUP-14"""
    do("put", file("a"), file("b", "休暇の申請", section="休暇", products="manage, data-link"))
    with inside("desk"):
        article = operations.find((), "KB0001")[0]
        for place, member in enumerate(people.values()):
            operations.react(article, member, by=SYSTEM, is_helpful=place > 0)
        session().commit()
    do("withdraw", "KB0002")
    rows = json.loads(do("list", "--json"))
    assert [(row["number"], row["place"], row["helpful"], row["not helpful"]) for row in rows] == [
        ("KB0001", "勤怠", 2, 1),
        ("KB0002", "勤怠 › 休暇", 0, 0),
    ]
    assert [(row["products"], row["updated"], row["withdrawn"]) for row in rows] == [
        ("", "2026-11-23", ""),
        ("data-link,manage", "2026-11-23", "2026-11-23"),
    ]
    assert len(json.loads(do("list", "--json", "--limit", "1"))) == 1


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"products": "mangae"}, "none of data-link, manage"),
        ({"colour": "red"}, "colour in the head"),
        ({"title": ""}, "title in the head"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_mistake_names_its_file_and_nothing_is_put(do, file, inside, head, said):
    """OPS-10: all or none."""
    right, wrong = file("a"), file("b", **head)
    output = do("put", right, wrong, expect=2)
    assert said in output
    assert "b.md" in output
    with inside("desk"):
        assert session().scalar(select(func.count(Article.id))) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_article_and_a_key_that_comes_twice_are_refused(do, file, tmp_path):
    """OPS-10"""
    (tmp_path / "sjis.md").write_bytes("---\nkey: あ".encode("cp932"))
    assert "UTF-8" in do("put", str(tmp_path / "sjis.md"), expect=2)
    first = file("a")
    again = tmp_path / "again.md"
    again.write_text(Path(first).read_text("utf-8"), encoding="utf-8")
    assert "used before" in do("put", first, str(again), expect=2)
