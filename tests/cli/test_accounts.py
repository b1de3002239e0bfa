"""`flask accounts`: customers, found and added by an operator (OPS-13)."""

from __future__ import annotations

import json
import re

import pytest
from rich.cells import cell_len
from sqlalchemy import select

from portal.core.db import session
from portal.shared.accounts.models import Account

KEYS = ["number", "name", "status", "telephone", "address"]


@pytest.fixture
def do(run):
    """Run a command of `flask accounts` at the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["accounts", *words, "--tenant", "facility"])
        assert result.exit_code == expect, result.output
        assert "Traceback" not in result.output
        return str(result.output)

    return command


def test_find_shows_the_brands_own_customers_in_order(do) -> None:
    """OPS-10, OPS-13, COM-02: the same keys every time, and nobody of another brand."""
    found = json.loads(do("find", "--json"))
    assert [list(row) for row in found] == [KEYS, KEYS]
    assert [(row["number"], row["name"], row["status"]) for row in found] == [
        ("C000001", "カナリア甲株式会社一番", "active"),
        ("C000002", "カナリア甲合同会社二番", "active"),
    ]
    drawn = do("find")
    assert drawn.split()[:5] == KEYS
    assert "カナリア乙" not in drawn


def test_find_knows_the_whole_number_or_part_of_the_name_and_no_wildcards(do) -> None:
    """OPS-13."""
    for words, numbers in (
        ("C000002", ["C000002"]),
        ("一番", ["C000001"]),
        ("カナリア", ["C000001", "C000002"]),
        ("C00000", []),
        ("%", []),
        ("_", []),
        ("\\", []),
    ):
        assert [row["number"] for row in json.loads(do("find", words, "--json"))] == numbers


def test_find_shows_at_most_so_many(do) -> None:
    assert [row["number"] for row in json.loads(do("find", "--limit", "1", "--json"))] == [
        "C000001"
    ]


def test_a_search_without_a_hit_is_an_empty_list_and_no_mistake(do) -> None:
    """OPS-10."""
    assert do("find", "nobody", "--json") == "[]\n"
    assert "C0" not in do("find", "nobody")


def test_add_says_the_next_number_and_stores_what_was_typed_as_the_pages_do(do, inside) -> None:
    """OPS-13, COM-23: as the pages would: a telephone in its usual form, a name as it is written."""
    assert do("add", "  ﾃｽﾄ　工房 ", "--telephone", "０３－１２３４－５６７８") == "C000003\n"
    with inside("facility"):
        added = session().scalars(select(Account).where(Account.number == "C000003")).one()
        assert (added.name, added.telephone) == ("ﾃｽﾄ　工房", "0312345678")


def test_names_keep_the_kanji_they_are_written_with_and_fit_80_columns(do) -> None:
    """OPS-10, COM-23: 𠮷 and 﨑 are not made into other characters; a long name is folded."""
    name = "𠮷﨑髙" + "精機製作所" * 19
    do("add", name)
    drawn = do("find", "𠮷﨑")
    assert max(map(cell_len, drawn.splitlines())) <= 80
    assert "".join(drawn.split()).count("精機") + drawn.count("精\n") >= 18
    assert [row["name"] for row in json.loads(do("find", "𠮷﨑", "--json"))] == [name]


REFUSED = [
    (["add", ""], "write 1 to 100 characters"),
    (["add", "　"], "write 1 to 100 characters"),
    (["add", "長" * 101], "write 1 to 100 characters"),
    (["add", "試験", "--telephone", "12-34"], "電話番号を正しく入力してください。"),
    (["add"], "Missing argument 'NAME'"),
    (["add", "試験", "余り"], "Got unexpected extra argument"),
    (["remove", "C000001"], "No such command 'remove'"),
]


def test_a_customer_who_cannot_be_is_refused_with_the_reason_and_nothing_is_added(do) -> None:
    """OPS-10: exit code 2; the limit is the database's, so that neither engine has to say it."""
    for words, said in REFUSED:
        assert said in do(*words, expect=2)
    assert len(json.loads(do("find", "--json"))) == 2


def test_the_longest_name_is_taken(do) -> None:
    assert do("add", "長" * 100) == "C000003\n"


def test_a_refused_or_dry_addition_leaves_no_gap_in_the_numbers(do) -> None:
    """COM-72: the number of a dry run is given to the next customer."""
    assert do("add", "試験", "--dry-run").splitlines()[0] == "C000003"
    assert do("add", "試験").strip() == "C000003"


def test_show_tells_all_about_a_customer_and_fits_80_columns(do, visit) -> None:
    """OPS-13."""
    visit("facility", "hanako")
    found = json.loads(do("show", "C000001", "--json"))
    assert list(found) == ["account", "members", "rows", "events"]
    assert (found["account"]["name"], found["account"]["status"]) == (
        "カナリア甲株式会社一番",
        "active",
    )
    assert [(m["login id"], m["sessions"]) for m in found["members"]] == [
        ("hanako", 1),
        ("kenichi", 0),
    ]
    assert (found["rows"]["member"], found["rows"]["reservation"]) == (2, 3)
    drawn = do("show", "C000001")
    assert "カナリア乙" not in drawn
    assert all(word in drawn for word in ("hanako", "0300001001", "member.sign_in"))
    assert max(map(cell_len, drawn.splitlines())) <= 80
    assert "会員が見つかりません: C9" in do("show", "C9", expect=2)


def test_a_customer_with_nobody_and_nothing_is_shown_too(do) -> None:
    do("add", "試験")
    found = json.loads(do("show", "C000003", "--json"))
    assert (found["members"], found["rows"]["member"]) == ([], 0)
    assert "試験" in do("show", "C000003")


def test_a_merge_asks_first_and_does_nothing_without_a_yes(run, do) -> None:
    """OPS-13: exit code 1 when the answer is no; a dry run asks nothing."""
    words = ["accounts", "merge", "C000002", "C000001", "--tenant", "facility"]
    for answer in ("n\n", "\n", ""):
        refused = run.invoke(args=words, input=answer)
        assert refused.exit_code == 1
        assert "C000002 カナリア甲合同会社二番 → C000001 カナリア甲株式会社一番" in refused.output
    assert do("merge", "C000002", "C000001", "--dry-run")
    assert [row["status"] for row in json.loads(do("find", "--json"))] == ["active", "active"]
    assert run.invoke(args=words, input="y\n").exit_code == 0
    assert [row["status"] for row in json.loads(do("find", "--json"))] == ["active", "withdrawn"]
    assert "同じ会員" in do("merge", "C000001", "C000001", "--yes", expect=2)
    assert "退会した会員へは" in do("merge", "C000001", "C000002", "--yes", expect=2)
    assert "会員が見つかりません: C9" in do("merge", "C9", "C000001", expect=2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["merge", "C000001", "C000001"], "同じ会員どうしは統合できません。"),
        (["erase", "C000001"], "退会していない会員の情報は消去できません。"),
        (["withdraw", "C000001", "--reason", "電話"], "お手続き中のものがあるため"),
    ],
)
def test_nobody_is_asked_about_what_cannot_be_done(do, words: list[str], why: str) -> None:
    """OPS-10: the refusal comes before the question, and stands on a line of its own."""
    told = do(*words, expect=2)
    assert "Go on?" not in told
    assert f"Error: {why}" in told.splitlines()[-1]


def test_an_account_is_shown_by_the_clock_in_tokyo_and_without_bare_commas(do) -> None:
    """COM-60: no tags are nothing; one clock for all that is shown."""
    do("add", "試験")
    do("tag", "C000003")
    shown = json.loads(do("show", "C000003", "--json"))
    assert shown["account"]["tags"] == ""
    assert shown["account"]["created_at"].endswith("+09:00")
    assert re.search(
        r"created_at +20\d\d-\d\d-\d\d \d\d:\d\d$", do("show", "C000003"), re.MULTILINE
    )
    do("tag", "C000003", "gold", "関東")
    assert json.loads(do("show", "C000003", "--json"))["account"]["tags"] == "gold,関東"


def test_after_a_merge_one_customer_has_the_members_and_documents_of_both(do, visit) -> None:
    """OPS-13, COM-02: on the pages of whoever belongs to it now."""
    visitor = visit("facility", "yumi")
    assert visitor.get("/facility/reservations/FR000002").status_code == 404
    assert "reservation" in do("merge", "C000002", "C000001", "--yes")
    assert [visitor.get(f"/facility/reservations/FR00000{n}").status_code for n in (2, 4)] == [
        200,
        200,
    ]


def test_tags_sort_customers_and_choose_who_reads_a_notice(do, run, visit, inside) -> None:
    """COM-60, COM-90: in place of those before; a notice for a tag is for its accounts alone."""
    assert do("tag", "C000001", "gold", "関東", "gold") == "C000001: gold,関東\n"
    args = ["notices", "publish", "関東の皆様へ", "-", "--audience", "関東", "--tenant", "facility"]
    assert run.invoke(args=args, input="本文").exit_code == 0
    assert "関東の皆様へ" in visit("facility", "kenichi").get("/").text
    stranger = visit("facility", "yumi")
    assert "関東の皆様へ" not in stranger.get("/").text + stranger.get("/notices").text
    assert stranger.get("/notices/N0002").status_code == 404
    assert do("tag", "C000001") == "C000001: no tags\n"
    assert visit("facility", "kenichi").get("/notices/N0002").status_code == 404
    assert "letters, digits and hyphens" in do("tag", "C000001", "a,b", expect=2)
    assert "タグは9個までです" in do("tag", "C000001", *"abcdefghij", expect=2)
    refused = run.invoke(args=args, input="本文")
    assert (refused.exit_code, "このタグの会員はいません: 関東" in refused.output) == (2, True)
    with inside("facility"):
        assert session().scalars(select(Account.tags).order_by(Account.id)).first() == ","
