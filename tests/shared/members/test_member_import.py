"""Members from CSV: all or nothing, every bad line named, repeatable (OPS-13)."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import func, select

from portal.config.schema_parts import SignIn
from portal.core.actor import operator
from portal.core.audit import AuditEvent
from portal.core.csvio import CsvErrors
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared import imports
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import passwords
from portal.shared.members import member_import
from portal.shared.staging import Staging
from tests.cast import PASSWORD

BY = operator("監督")
HASH = "パスワードハッシュ"
ARGON = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$YWJjZGVmZ2hpamtsbW5vcA"


def sheet(*rows: dict[str, str], encoding: str = "utf-8") -> bytes:
    columns = list(
        dict.fromkeys((*member_import.REQUIRED, *(name for row in rows for name in row)))
    )
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def line(login_id: str = "jiro", number: str = "C000002", **more: str) -> dict[str, str]:
    usual = {
        "会員番号": number,
        "メールアドレス": f"{login_id}@two.example",
        "姓": "田",
        "名": "次郎",
    }
    return usual | {"ログインID": login_id} | more


def import_members(tenant, data: bytes) -> tuple[int, int]:
    """How many were added, and how many known. Everything in the running transaction."""
    importer = member_import.Members(tenant)
    with Staging() as staged:
        counts = imports.stage(data, importer, staged)
        imports.store(staged, importer, by=BY)
    return counts.added, counts.known


@pytest.fixture
def bring(here, brand):
    """Import lines into the first brand."""

    def take(*rows: dict[str, str], tenant=brand) -> tuple[int, int]:
        done = import_members(tenant, sheet(*rows))
        session().commit()
        return done

    return take


@pytest.fixture
def refusal(here, brand):
    """What is said against lines; nothing must have changed."""

    def told(*rows: dict[str, str], data: bytes = b"") -> list[str]:
        with pytest.raises(CsvErrors) as refused:
            import_members(brand, data or sheet(*rows))
        session().commit()
        assert session().scalar(select(func.count(Member.id))) == 3
        assert session().scalar(select(func.count(Account.id))) == 2
        return str(refused.value).splitlines()

    return told


def test_every_cell_becomes_what_the_pages_would_have_made_of_it(bring, member):
    """OPS-13, COM-23"""
    cells = {
        "セイ": "ﾃﾞﾝ",
        "メイ": "じろう",
        "部署名": "製造部",
        "電話番号": "０３－１２３４－５６７８",
        "代表": "1",
    }
    assert bring(line("ｊｉｒｏ", メールアドレス="Jiro@TWO.example", **cells)) == (1, 0)
    made = member("jiro")
    assert (made.name, made.email, made.family_kana, made.given_kana) == (
        "田 次郎",
        "Jiro@two.example",
        "デン",
        "ジロウ",
    )
    assert (made.department, made.telephone, made.is_representative) == (
        "製造部",
        "0312345678",
        True,
    )
    assert session().get_one(Account, made.account_id).number == "C000002"


def test_the_same_file_twice_changes_nothing(bring, member):
    """OPS-12, OPS-13: not a row, not even an event of the audit trail."""
    rows = line(), line("umeda", "OLD-7", 会社名="梅工房"), line("take", "OLD-7")
    assert bring(*rows) == (3, 0)
    events = session().scalar(select(func.count(AuditEvent.id)))
    assert bring(*rows) == (0, 3)
    assert bring(*rows, line("newer")) == (1, 3)
    news = (
        select(AuditEvent.action).where(AuditEvent.sequence > events).order_by(AuditEvent.sequence)
    )
    assert session().scalars(news).all() == ["member.add", "member.import"]


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("姓", "別"),
        ("名", "別"),
        ("メールアドレス", "other@two.example"),
        ("セイ", "ベツ"),
        ("メイ", "ベツ"),
        ("部署名", "別の部"),
        ("電話番号", "03-9999-9999"),
        ("代表", "1"),
        ("会社名", "別の会社"),
        ("会員番号", "C000001"),
    ],
)
def test_a_known_member_of_whom_the_file_says_something_else_is_a_named_line(bring, column, other):
    """OPS-12: never ignored in silence; an empty cell says nothing, and neither does a hash."""
    whole = line(セイ="タ", メイ="ジロウ", 部署名="部", 電話番号="03-0000-0001", 会社名="")
    assert bring(whole) == (1, 0)
    assert bring(whole | {"セイ": "", "部署名": "", "代表": ""}) == (0, 1)
    with pytest.raises(CsvErrors) as refused:
        bring(line("newer"), whole | {column: other})
    told = [(one.line, one.column) for one in refused.value.mistakes]
    assert told == [(3, None if column == "会員番号" else column)]


def test_a_new_member_of_a_customer_with_another_name_is_a_named_line(refusal):
    """OPS-12: the 会社名 of a customer that is there is not ignored either."""
    [told] = refusal(line(会社名="別の会社"))
    assert told.startswith("2行目「会社名」: 登録済みの内容と異なります。")


def test_everything_wrong_with_a_line_is_told_at_once(refusal):
    """OPS-12."""
    bad = {"姓": "", "メールアドレス": "nobody", "電話番号": "x", "代表": "?"}
    told = refusal(line() | bad)
    assert [one.partition("」")[0] for one in told] == [f"2行目「{column}" for column in bad]


def test_an_unknown_number_with_a_name_makes_the_account_once(bring, member):
    """OPS-13"""
    bring(
        line("umeda", "OLD-7", 会社名="梅工房"),
        line("take", "OLD-7"),
        line("matsu", "OLD-7", 会社名="梅工房"),
    )
    account = accounts.find_account("OLD-7")
    assert account.name == "梅工房"
    assert {member(who).account_id for who in ("umeda", "take", "matsu")} == {account.id}


def test_a_number_that_was_imported_ahead_is_passed_over_later(bring, brand):
    """OPS-12, OPS-13: the sequence stands at 2; 3, 4 and 6 come from the file."""
    bring(*(line(f"mem{n}", f"C00000{n}", 会社名="先") for n in (3, 4, 6)))
    made = [accounts.add_account(brand, by=BY, name="後").number for _ in range(3)]
    assert made == ["C000005", "C000007", "C000008"]


def test_who_brings_a_hash_must_change_and_who_brings_none_is_let_in_by_nothing(bring, member):
    """OPS-13, RENT-03"""
    mailed = session().scalar(select(func.count(OutboxMail.id)))
    kept = passwords.hash_password(PASSWORD)
    bring(line("with", **{HASH: kept}), line("without"))
    assert (member("with").password_hash, member("with").must_change_password) == (kept, True)
    assert (member("without").password_hash, member("without").must_change_password) == ("", False)
    trail = [str(event.changes) for event in session().scalars(select(AuditEvent))]
    assert not any(kept in changes for changes in trail)
    assert session().scalar(select(func.count(OutboxMail.id))) == mailed


BAD = [
    (line(number="C000009"), "「会社名」: この会員番号はありません。"),
    (line(number="C 9", 会社名="x"), "「会員番号」: 半角の英数字"),
    (line(number=""), "「会員番号」: 入力してください。"),
    (line(number="1" * 21, 会社名="x"), "「会員番号」: 20文字以内"),
    (line(ログインID=""), "「ログインID」: 入力してください。"),
    (line("hanako"), "ほかの会員が使っています。"),
    (line(メールアドレス="nobody"), "「メールアドレス」: メールアドレスを正しく"),
    (line(姓=" "), "「姓」: 入力してください。"),
    (line(名="長" * 41), "「名」: 40文字以内"),
    (line(セイ="漢字"), "「セイ」: カタカナ"),
    (line(電話番号="12"), "「電話番号」: 電話番号を正しく"),
    (line(代表="たぶん"), "「代表」: 1 または空欄"),
    (line(**{HASH: "5f4dcc3b5aa765d61d8327deb882cf99"}), f"「{HASH}」: この形式の"),
    (line(**{HASH: "plain-password"}), f"「{HASH}」: この形式の"),
    (line(**{HASH: "$argon2id$v=19$cut"}), f"「{HASH}」: この形式の"),
    (line(**{HASH: ARGON.replace("19456", "4000000")}), f"「{HASH}」: この形式の"),
    (line(**{HASH: ARGON + "A" * 200}), f"「{HASH}」: この形式の"),
]


def test_every_bad_line_is_named_and_nothing_is_imported(refusal):
    """OPS-13: each by its line and column, with good lines before and after; no value of a secret is repeated."""
    told = refusal(line("good"), *(row for row, _ in BAD), line("better"))
    assert len(told) == len(BAD)
    for number, (said, (_, expected)) in enumerate(zip(told, BAD, strict=True), 3):
        assert said.startswith(f"{number}行目")
        assert expected in said
        assert "plain-password" not in said


def test_lines_that_contradict_each_other_are_named(refusal):
    """OPS-13: one login twice, in whatever writing; two names for one new account."""
    told = refusal(
        line("jiro"),
        line("ＪＩＲＯ"),
        line("anna", "N-1", 会社名="甲"),
        line("bert", "N-1", 会社名="乙"),
    )
    assert [said[:3] for said in told] == ["3行目", "5行目"]
    assert "前の行" in told[0]
    assert "前の行の会社名と異なります" in told[1]


def test_a_withdrawn_customer_gets_no_new_member(bring, here, brand):
    """OPS-13"""
    accounts.find_account("C000002").status = "withdrawn"  # type: ignore[assignment]
    session().commit()
    with pytest.raises(CsvErrors, match="2行目「会員番号」: この会員は退会しています。"):
        bring(line())


def test_a_header_that_is_wrong_is_told_before_any_line(refusal):
    """OPS-13: and a file of no records is nothing to do, not a mistake."""
    assert refusal(data="会員番号,メール,姓,名\n".encode())[0].startswith("1行目「メール」")


def test_where_one_signs_in_with_the_address_no_login_id_is_needed(bring, brand, here):
    """COM-10: the brand's own items say what must be there and must be one of a kind."""
    by_mail = brand.model_copy(update={"sign_in": SignIn(items="email_password")})
    row = {key: value for key, value in line().items() if key != "ログインID"}
    assert bring(row, tenant=by_mail) == (1, 0)
    assert bring(row | {"メールアドレス": "JIRO@two.example"}, tenant=by_mail) == (0, 1)


def test_a_file_of_excel_is_read_too(here, brand, member):
    """OPS-12: CP932"""
    data = sheet(line("umeda", "OLD-7", 会社名="髙橋精機"), encoding="cp932")
    assert import_members(brand, data) == (1, 0)
    assert accounts.find_account("OLD-7").name == "髙橋精機"


def test_a_new_login_id_is_of_the_stated_format_and_an_old_one_stays(bring, refusal, member):
    """COM-10, OPS-13: who is there already under a shorter one is passed over as before."""
    told = refusal(
        line("あいう😀", メールアドレス="i@two.example"), line("a", メールアドレス="a@two.example")
    )
    assert [said[:3] for said in told] == ["2行目", "3行目"]
    assert all("「ログインID」" in said and "4文字以上40文字以内" in said for said in told)
    bring(line())
    short = member("jiro")
    short.login_id = short.login_key = "ji"
    session().commit()
    assert bring(line("ji", メールアドレス="jiro@two.example")) == (0, 1)
