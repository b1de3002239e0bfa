"""`flask members`: finding, adding and helping the people who sign in (OPS-13)."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from portal.core import clock
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from tests.cast import NOW, PASSWORD

KEYS = ["account", "login id", "name", "e-mail", "status", "role", "last sign-in"]
NEW = ["C000002", "𠮷田", "次郎", "jiro@two.example", "--login-id", "jiro"]
CHOSEN = "quiet-River-and-9-stones"


@pytest.fixture
def do(run):
    """Run a command of `flask members` at the facility brand."""

    def command(*words: str, expect: int = 0) -> str:
        result = run.invoke(args=["members", *words, "--tenant", "facility", "--operator", "監督"])
        assert result.exit_code == expect, result.output
        assert "Traceback" not in result.output
        return str(result.output)

    return command


@pytest.fixture
def link(inside):
    """The path of the set-password link in the newest mail to an address."""

    def newest(recipient: str) -> str:
        with inside("facility"):
            mails = select(OutboxMail).where(
                OutboxMail.recipient == recipient, OutboxMail.event == "set_password"
            )
            bodies = [mail.body for mail in session().scalars(mails.order_by(OutboxMail.id))]
        found = re.search(r"http://facility\.localhost(/set-password/\S+)", bodies[-1])
        assert found
        return found[1]

    return newest


def set_password(visitor, path: str) -> str:
    visitor.post(path, {"password": CHOSEN, "again": CHOSEN})
    return str(visitor.sign_in("jiro", CHOSEN).status_code)


def test_find_shows_who_signs_in_for_whom(do, visit) -> None:
    """OPS-10, OPS-13."""
    visit("facility", "yumi")
    found = json.loads(do("find", "--json"))
    assert [list(row) for row in found] == [KEYS] * 3
    assert [(row["account"], row["login id"], row["role"]) for row in found] == [
        ("C000001", "hanako", "代表"),
        ("C000001", "kenichi", ""),
        ("C000002", "yumi", "代表"),
    ]
    assert [row["last sign-in"] for row in found] == ["", "", "2026-11-23 10:00"]
    assert "カナリア乙" not in do("find")


def test_find_knows_login_id_address_family_name_and_account(do) -> None:
    """OPS-13."""
    for words, who in (
        ("kenichi", ["kenichi"]),
        ("yumi@two.example", ["yumi"]),
        ("カナリア甲", ["hanako", "kenichi", "yumi"]),
        ("C000001", ["hanako", "kenichi"]),
        ("ken", []),
        ("%", []),
    ):
        assert [row["login id"] for row in json.loads(do("find", words, "--json"))] == who


def test_find_shows_at_most_so_many(do) -> None:
    assert len(json.loads(do("find", "--limit", "2", "--json"))) == 2


def test_who_is_added_gets_a_link_sets_a_password_and_comes_in(do, link, visit) -> None:
    """OPS-13: nobody but the new member ever knows the password."""
    assert do("add", *NEW) == "jiro: the link is on its way\n"
    row = json.loads(do("find", "jiro", "--json"))[0]
    assert (row["account"], row["name"], row["status"], row["role"]) == (
        "C000002",
        "𠮷田 次郎",
        "active",
        "",
    )
    visitor = visit("facility")
    assert set_password(visitor, link("jiro@two.example")) == "303"
    assert visitor.get("/").status_code == 200


def test_who_has_set_no_password_yet_does_not_come_in(do, visit) -> None:
    do("add", *NEW)
    for guess in ("", "jiro", "None"):
        assert visit("facility").sign_in("jiro", guess).status_code == 422


def test_a_representative_is_one(do) -> None:
    do("add", *NEW, "--representative")
    assert json.loads(do("find", "jiro", "--json"))[0]["role"] == "代表"


def test_what_is_typed_is_stored_in_its_usual_form(do) -> None:
    """COM-23."""
    do("add", "C000001", "ﾔﾏﾀﾞ", " 太郎　", "ｔａｒｏ@one.example", "--login-id", "ｔａｒｏ")
    row = json.loads(do("find", "taro", "--json"))[0]
    assert (row["name"], row["e-mail"]) == ("ヤマダ 太郎", "taro@one.example")


REFUSED = [
    (
        ["C999999", "田", "中", "a@one.example", "--login-id", "anna"],
        "会員が見つかりません: C999999",
    ),
    (["C000001", "田", "中", "a@one.example", "--login-id", "hanako"], "すでに使われています"),
    (["C000001", "田", "中", "a@one.example", "--login-id", "HANAKO"], "すでに使われています"),
    (["C000001", "田", "中", "a@one.example"], "ログインIDを入力してください。"),
]


def test_a_rule_that_refuses_a_member_is_one_line_and_nothing_is_mailed(do, inside) -> None:
    """OPS-10, COM-10: exit code 2."""
    for words, said in REFUSED:
        told = do("add", *words, expect=2)
        assert said in told
        assert len(told.strip().splitlines()) == 1
    assert len(json.loads(do("find", "--json"))) == 3
    with inside("facility"):
        assert (
            not session()
            .scalars(select(OutboxMail).where(OutboxMail.event == "set_password"))
            .all()
        )


IMPOSSIBLE = [
    (["C000001", "", "中", "a@one.example"], "write 1 to 40 characters"),
    (["C000001", "田", "長" * 41, "a@one.example"], "write 1 to 40 characters"),
    (["C000001", "田", "中", "nobody"], "Invalid value for 'EMAIL'"),
    (["C000001", "田", "中", "a@b@c.example"], "Invalid value for 'EMAIL'"),
    (["C000001", "田", "中", "a@one.example", "--login-id", "あいう😀"], "4文字以上40文字以内"),
    (["C000001", "田", "中"], "Missing argument 'EMAIL'"),
]


def test_what_cannot_be_a_name_or_an_address_is_refused_where_it_is_typed(do) -> None:
    """OPS-10: exit code 2, no traceback."""
    for words, said in IMPOSSIBLE:
        assert said in do("add", *words, expect=2)


def test_a_reset_mails_the_member_named_a_link_that_works_once(do, link, visit) -> None:
    """OPS-13: whoever gives the command, it is WHO that is helped."""
    for who in ("hanako", "hanako@one.example", " hanako "):
        assert do("reset-password", who) == "hanako: the link is on its way\n"
    path, visitor = link("hanako@one.example"), visit("facility")
    visitor.post(path, {"password": CHOSEN, "again": CHOSEN})
    assert visitor.sign_in("hanako", CHOSEN).status_code == 303
    assert visit("facility").get(path).status_code != 200


def test_a_link_lives_three_days(do, link, visit, app) -> None:
    """OPS-13: an invitation may wait over a weekend, not longer."""
    do("reset-password", "hanako")
    path = link("hanako@one.example")
    with clock.freeze(NOW + timedelta(days=3, seconds=-1)):
        assert visit("facility").get(path).status_code == 200
    with clock.freeze(NOW + timedelta(days=3, seconds=1)):
        assert visit("facility").get(path).status_code != 200


def test_ended_sessions_are_ended_for_the_member_named_and_nobody_else(do, visit) -> None:
    """OPS-13."""
    first, second, other = (
        visit("facility", "hanako"),
        visit("facility", "hanako"),
        visit("facility", "kenichi"),
    )
    twin = visit("studio", "hanako")
    assert do("end-sessions", "hanako") == "hanako: signed out everywhere\n"
    assert [v.get("/account").status_code == 200 for v in (first, second)] == [False, False]
    assert other.get("/").status_code == twin.get("/").status_code == 200
    assert first.get("/").status_code == 303


@pytest.mark.parametrize(
    "command",
    [
        "reset-password",
        "end-sessions",
        "invite",
        "lock",
        "reset-factor",
        "sign-ins",
        "require-change",
    ],
)
def test_nobody_and_several_are_refused_in_one_line(do, command) -> None:
    """OPS-10: of two who share an address neither is taken for the other."""
    do("add", "C000001", "田中", "花江", "hanako@one.example", "--login-id", "hanae")
    for who in ("nobody", "hanako@one.example", *([""] if command != "require-change" else [])):
        told = do(command, who, expect=2)
        assert told == f"Error: 担当者が見つからないか、複数います: {who}\n"
    do(command, "hanae")


def test_each_help_is_in_the_audit_trail_without_a_secret(do, inside) -> None:
    """COM-90: the operator's name and the member's, never the link."""
    do("add", *NEW)
    do("reset-password", "hanako")
    do("end-sessions", "hanako")
    with inside("facility"):
        by = session().scalars(
            select(AuditEvent).where(AuditEvent.actor_name == "監督").order_by(AuditEvent.sequence)
        )
        events = list(by)
        told = [(event.action, event.subject) for event in events]
        kept = json.dumps([event.changes for event in events])
    assert told[0] == ("member.add", "member:jiro")
    assert told[-1] == ("member.end_sessions", "member:hanako")
    assert {subject for _action, subject in told} == {"member:jiro", "member:hanako"}
    assert "set-password/" not in kept


def test_who_is_locked_is_out_at_once_and_mailed_no_link_until_unlocked(do, visit, inside) -> None:
    """OPS-13: in a line each; the reason is for the audit trail."""
    visitor = visit("facility", "hanako")
    assert do("lock", "hanako", "--reason", "退職") == "hanako: locked\n"
    assert visitor.get("/").status_code == 303
    assert visit("facility").sign_in("hanako", PASSWORD).status_code == 422
    for command in ("invite", "reset-password"):
        assert "停止されています" in do(command, "hanako", expect=2)
    assert "現在の状態では" in do("lock", "hanako", expect=2)
    assert do("unlock", "hanako") == "hanako: unlocked\n"
    assert visit("facility").sign_in("hanako", PASSWORD).status_code == 303
    with inside("facility"):
        event = (
            session().scalars(select(AuditEvent).where(AuditEvent.action == "member.lock")).one()
        )
        assert (event.subject, event.changes) == ("member:hanako", {"reason": "退職"})


def test_an_operator_makes_somebody_else_the_representative(do, inside) -> None:
    """COM-30, OPS-13: as the customer asked, when nobody of theirs can; both are told, the trail says by whom."""
    assert do("represent", "kenichi") == "kenichi: represents the account\n"
    with inside("facility"):
        led = session().scalars(select(Member.login_id).where(Member.is_representative))
        assert sorted(led) == ["kenichi", "yumi"]
        event = session().scalars(
            select(AuditEvent).where(AuditEvent.action == "account.representative")
        )
        assert event.one().actor_name == "監督"
        mails = session().scalars(
            select(OutboxMail.recipient).where(OutboxMail.event == "member_changed")
        )
        assert sorted(mails) == ["hanako@one.example", "kenichi@one.example"]


def test_sign_ins_are_told_newest_first(do, visit, app) -> None:
    """OPS-13, COM-14: when, with what, from where; of nobody else."""
    visit("facility", "hanako")
    visit("facility", "kenichi")
    with clock.freeze(NOW + timedelta(minutes=5)):
        visit("facility", "hanako")
    told = json.loads(do("sign-ins", "hanako", "--json"))
    assert [(row["at"], row["address"]) for row in told] == [
        ("2026-11-23 10:05", "127.0.0.1"),
        ("2026-11-23 10:00", "127.0.0.1"),
    ]
    assert len(json.loads(do("sign-ins", "hanako", "--limit", "1", "--json"))) == 1
    assert json.loads(do("sign-ins", "yumi", "--json")) == []


def test_a_required_change_comes_before_any_other_page(do, visit) -> None:
    """RENT-03: of one, or of all; one of the two is to be said."""
    visitor, other = visit("facility", "hanako"), visit("facility", "kenichi")
    assert do("require-change", "hanako") == "1 must set a new password\n"
    assert [v.get("/").status_code for v in (visitor, other)] == [303, 200]
    assert do("require-change", "--all") == "2 must set a new password\n"
    assert other.get("/").location.endswith("/account/password")
    for words in ([], ["hanako", "--all"]):
        assert "say WHO or --all" in do("require-change", *words, expect=2)


def test_an_imported_member_comes_in_with_the_old_password_or_by_invitation(
    do, link, visit, tmp_path
) -> None:
    """OPS-13, RENT-27: with a hash at once, to change it first; without one after `invite`."""
    old = generate_password_hash("old-Pass-of-2019", "pbkdf2:sha256:1000")
    lines = f"C000002,jiro,jiro@two.example,田,次郎,\nC000002,umeda,umeda@two.example,梅,花,{old}\n"
    file = tmp_path / "members.csv"
    file.write_text(f"会員番号,ログインID,メールアドレス,姓,名,パスワードハッシュ\n{lines}")
    assert do("import", str(file), "--dry-run").splitlines()[0] == "2 added, 0 known already"
    assert do("import", str(file)) == "2 added, 0 known already\n"
    assert do("import", str(file)) == "0 added, 2 known already\n"
    visitor = visit("facility")
    assert visitor.sign_in("umeda", "old-Pass-of-2019").status_code == 303
    assert visitor.get("/").location.endswith("/account/password")
    assert visit("facility").sign_in("jiro", "").status_code == 422
    assert do("invite", "jiro") == "jiro: the link is on its way\n"
    assert set_password(visit("facility"), link("jiro@two.example")) == "303"


def test_a_bad_file_is_told_line_by_line(do, tmp_path) -> None:
    """OPS-13: exit code 2, and nobody is added."""
    file = tmp_path / "members.csv"
    file.write_text(
        "会員番号,ログインID,メールアドレス,姓,名\nC9,anna,a@x.example,田,次\nC000001,bert,nobody,田,次\n"
    )
    told = do("import", str(file), expect=2)
    assert "2行目「会社名」" in told
    assert "3行目「メールアドレス」" in told
    assert len(json.loads(do("find", "--json"))) == 3


def test_the_longest_address_is_taken_where_it_is_what_one_signs_in_with(run) -> None:
    """COM-10: a brand without login IDs names its members by their address, also in the audit trail."""
    address = f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 59}.example"
    added = run.invoke(args=["accounts", "add", "試験", "--tenant", "shop"])
    number = added.output.strip()
    result = run.invoke(args=["members", "add", number, "田", "中", address, "--tenant", "shop"])
    assert (result.exit_code, result.output) == (0, f"{address}: the link is on its way\n"), (
        result.exception
    )
    found = run.invoke(args=["members", "find", address, "--tenant", "shop", "--json"])
    assert [row["e-mail"] for row in json.loads(found.output)] == [address]
