"""`flask notices`: announcements from a file or a pipe (COM-60)."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def publish(run):
    """Publish at the facility brand."""

    def command(*words: str, given: str = "", expect: int = 0) -> str:
        result = run.invoke(
            args=["notices", "publish", *words, "--tenant", "facility"], input=given
        )
        assert result.exit_code == expect, result.output
        assert "Traceback" not in result.output
        return str(result.output)

    return command


def test_a_notice_from_a_file_is_read_by_members_of_this_brand_alone(
    publish, visit, tmp_path: Path
) -> None:
    """COM-60, COM-02: it is out at once, for everybody who signs in."""
    file = tmp_path / "body.md"
    file.write_text(
        "来週は **休業** です。\n\n| 日 | 時間 |\n|---|---|\n| 月 | 𠮷 |\n", encoding="utf-8"
    )
    assert publish("年末のお知らせ", str(file), "--category", "休業") == "N0002\n"
    member = visit("facility", "hanako")
    assert "年末のお知らせ" in member.get("/").text
    page = member.get("/notices/N0002").text
    assert "<strong>休業</strong>" in page
    assert "<td>𠮷</td>" in page
    assert "年末のお知らせ" not in visit("studio", "hanako").get("/notices").text


def test_a_notice_from_a_pipe_can_be_important(publish, visit) -> None:
    """COM-60."""
    publish("点検", "-", "--important", given="本文")
    listed = visit("facility", "hanako").get("/").text
    assert listed.index("重要") < listed.index("点検")
    assert "本文" in visit("facility", "yumi").get("/notices/N0002").text


def test_what_an_operator_pastes_cannot_run(publish, visit) -> None:
    """COM-60: Markdown is sanitised."""
    publish(
        "<b>件名</b>",
        "-",
        given="<script>alert(1)</script>[x](javascript:alert(2))![](x onerror=y)",
    )
    page = visit("facility", "hanako").get("/notices/N0002").text
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page
    assert "&lt;b&gt;件名&lt;/b&gt;" in page


def test_notices_are_numbered_in_order(publish) -> None:
    assert [publish(f"{n}件目", "-", given="x").strip() for n in range(3)] == [
        "N0002",
        "N0003",
        "N0004",
    ]


def test_what_cannot_be_published_is_refused_with_the_reason(
    publish, visit, tmp_path: Path
) -> None:
    """OPS-10: exit code 2, and nothing is out."""
    sjis = tmp_path / "sjis.md"
    sjis.write_bytes("休業".encode("cp932"))
    for words, given, said in (
        (["", "-"], "x", "write 1 to 120 characters"),
        (["長" * 121, "-"], "x", "write 1 to 120 characters"),
        (["件名", "-", "--category", "長" * 21], "x", "write 1 to 20 characters"),
        (["件名", str(tmp_path / "nowhere.md")], "", "does not exist"),
        (["件名", str(tmp_path)], "", "is a directory"),
        (["件名", str(sjis)], "", "is not UTF-8"),
        (["件名", "-"], " \n", "is empty"),
    ):
        assert said in publish(*words, given=given, expect=2)
    assert visit("facility", "hanako").get("/notices/N0002").status_code == 404
