"""Adding accounts and members: what must be unique where, and how they are found again (OPS-13, COM-10)."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import select

from demo import people as demo
from portal.config.schema_parts import NumberFormat, SignIn
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member, MemberStatus, login_key
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.auth import sign_in as entrance
from portal.shared.auth.sessions import Client
from tests.cast import NOW

TAKEN = "このログインIDまたはメールアドレスは、すでに使われています。"


def add(tenant, login_id="susumu", email="susumu@one.example", account="C000001", **more):
    """Add a member to an account of the brand in scope."""
    person = Person("森", "進", email, login_id=login_id, **more)
    return accounts.add_member(tenant, accounts.find_account(account), person, by=SYSTEM)


def asking_for(tenant, items):
    """The brand with other items at its sign-in."""
    return tenant.model_copy(update={"sign_in": SignIn(items=items)})


def test_accounts_get_numbers_one_after_the_other_in_the_brands_own_style(here, brand):
    """COM-02: the number is public and never the primary key; each brand counts alone."""
    made = [accounts.add_account(brand, by=SYSTEM, name=f"会社{n}") for n in range(2)]
    assert [account.number for account in made] == ["C000003", "C000004"]
    styled = brand.model_copy(update={"numbers": {"account": NumberFormat(prefix="K-", digits=4)}})
    assert accounts.add_account(styled, by=SYSTEM, name="会社").number == "K-0005"
    assert made[0].created_at == NOW
    assert made[0].subject == "account:C000003"


def test_a_number_of_a_rolled_back_account_is_given_again(here, brand):
    """COM-71: without gaps, since number and account are one transaction."""
    assert accounts.add_account(brand, by=SYSTEM, name="取消").number == "C000003"
    session().rollback()
    assert accounts.add_account(brand, by=SYSTEM, name="本当").number == "C000003"


def test_a_login_id_is_taken_in_any_way_of_writing_it(here, brand):
    """COM-10: also by another account of the brand; nothing is added."""
    for login_id in ("hanako", "HANAKO", " hanako ", "ｈａｎａｋｏ", "Ｈanako", "ha\u200bnako"):
        with pytest.raises(RuleBroken, match=TAKEN) as refused:
            add(brand, login_id, "new@one.example", "C000002")
        assert refused.value.field == "login_id"
    assert len(session().scalars(select(Member)).all()) == 3


def test_the_same_login_id_is_free_at_the_twin_brand(app, inside):
    """COM-02: brands know nothing of each other's members."""
    brands = app.extensions["tenants"].current().by_key
    for key in ("facility", "studio"):
        with inside(key):
            add(brands[key], "susumu")
            session().commit()
    with inside("studio"), pytest.raises(RuleBroken, match=TAKEN):
        add(brands["studio"], "susumu")


def test_a_removed_members_login_id_stays_taken(brand, member):
    """COM-10: so that the audit trail's names stay one person's."""
    member("kenichi").status = MemberStatus.REMOVED
    session().commit()
    with pytest.raises(RuleBroken, match=TAKEN):
        add(brand, "kenichi")


def test_where_sign_in_asks_for_a_login_id_there_must_be_one(here, brand):
    """COM-10: nobody could type it."""
    both = ("login_id_password", "login_id_email_password")
    for items, login_id in product(both, ("", " ", "\u3000", "\u200b")):
        with pytest.raises(RuleBroken, match="ログインIDを入力してください。") as refused:
            add(asking_for(brand, items), login_id)
        assert refused.value.field == "login_id"


def test_what_must_be_unique_is_what_sign_in_asks_for(here, brand):
    """COM-10: the e-mail address, the login ID, or the two together."""
    by_mail = asking_for(brand, "email_password")
    add(by_mail, "", "one@one.example")
    add(by_mail, "", "two@one.example")
    with pytest.raises(RuleBroken, match=TAKEN):
        add(by_mail, "", "ONE@one.example")
    add(brand, "first", "shared@one.example")
    add(brand, "second", "shared@one.example")
    both = asking_for(brand, "login_id_email_password")
    add(both, "third", "third@one.example")
    add(both, "third", "other@one.example")
    with pytest.raises(RuleBroken, match=TAKEN):
        add(both, "THIRD", "third@ONE.example")


@pytest.mark.parametrize(
    ("items", "key"),
    [
        ("email_password", "a@b.example"),
        ("login_id_password", "taro"),
        ("login_id_email_password", "taro\na@b.example"),
    ],
)
def test_the_key_is_made_of_the_items_in_one_way_of_writing(items, key):
    """COM-10"""
    assert login_key(items, login_id=" Ｔaro\u3000", email="A@b.Example ") == key


def test_a_new_member_has_no_password_no_session_and_a_row_of_the_trail(here, brand):
    """COM-12, COM-90: nothing opens for them before they used their link."""
    made = add(brand, department="試作課", is_representative=True)
    assert (made.password_hash, made.status, made.must_change_password) == (
        "",
        MemberStatus.ACTIVE,
        False,
    )
    assert (made.name, made.department, made.is_representative, made.created_at) == (
        "森 進",
        "試作課",
        True,
        NOW,
    )
    event = session().scalars(select(AuditEvent).order_by(AuditEvent.sequence.desc())).first()
    assert event
    assert (event.action, event.subject, event.account_id) == (
        "member.add",
        "member:susumu",
        made.account_id,
    )
    assert event.changes == {"email": "susumu@one.example"}


def test_the_operator_is_told_of_a_bad_mail_address_and_nobody_is_added(run, inside):
    """OPS-10, OPS-13: one line, exit code 2."""
    for bad in ("susumu", "susumu@", "@one.example", "a b@one.example", "s@one", "森@例"):
        words = [
            "members",
            "add",
            "C000001",
            "森",
            "進",
            bad,
            "--login-id",
            "susumu",
            "--tenant",
            "facility",
        ]
        result = run.invoke(args=words)
        assert result.exit_code == 2, result.output
        assert "Traceback" not in result.output
    with inside("facility"):
        assert len(session().scalars(select(Member)).all()) == 3


def test_accounts_are_found_by_number_and_listed_oldest_first(here):
    """OPS-13"""
    assert accounts.find_account("C000002").name == "カナリア甲合同会社二番"
    assert [a.number for a in accounts.all_accounts()] == ["C000001", "C000002"]
    assert [a.number for a in accounts.all_accounts(limit=1)] == ["C000001"]
    for number in ("", "C000003", "c000001", "%"):
        with pytest.raises(NotFound, match="会員が見つかりません"):
            accounts.find_account(number)


def test_members_are_found_by_login_id_or_mail_when_that_means_one_person(brand, member):
    """OPS-13: a link goes to nobody rather than to the wrong one."""
    assert accounts.find_member(" hanako ").id == member("hanako").id
    assert accounts.find_member("yumi@two.example").id == member("yumi").id
    add(brand, "susumu", "hanako@one.example")
    member("kenichi").status = MemberStatus.REMOVED
    session().flush()
    for who in ("hanako@one.example", "kenichi", "nobody", "", "%"):
        with pytest.raises(NotFound):
            accounts.find_member(who)


def test_no_words_find_nobody_also_where_members_have_no_login_id(here, brand, member):
    """OPS-13: an empty variable in an operator's script resets nobody's password."""
    add(asking_for(brand, "email_password"), "", "only@one.example")
    with pytest.raises(NotFound):
        accounts.find_member(" ")


def test_the_representative_or_else_the_oldest_active_member_speaks_for_an_account(here, member):
    """FAC-07"""
    account = accounts.find_account("C000001")
    assert accounts.representative(account).login_id == "hanako"
    member("hanako").status = MemberStatus.LOCKED
    assert accounts.representative(account).login_id == "kenichi"
    member("kenichi").status = MemberStatus.REMOVED
    with pytest.raises(NotFound, match="担当者がいません"):
        accounts.representative(account)


def test_the_demos_people_may_sign_in_under_the_usual_rules(here, brand, cheap_passwords):
    """OPS-20: two accounts, each with a representative; their password could be set by a member too."""
    demo.fill(brand)
    session().commit()
    for someone in demo.CAST:
        who = passwords.Context(someone.login_id, someone.email)
        passwords.check(demo.PASSWORD, rules=brand.sign_in.password, who=who)
        typed = someone.fields(brand)
        assert typed == {"login_id": someone.login_id, "password": demo.PASSWORD}
        given = entrance.Credentials(**typed)
        assert entrance.sign_in(brand, given, Client("::1")).token
    by_mail = asking_for(brand, "login_id_email_password")
    assert demo.CAST[0].fields(by_mail)["email"] == "yoshida@takasaki-seiki.example"
    assert [a.address for a in session().scalars(select(Account).order_by(Account.id))][2:] == [
        "東京都大田区南蒲田9丁目99番1号 テクノポート蒲田 7階",
        "神奈川県横浜市中区山下町999番",
    ]


@pytest.mark.parametrize(
    ("items", "login_id", "email", "message"),
    [
        ("login_id_password", "ＹＵＭＩ", "new@one.example", "このログインIDは、すでに使われ"),
        ("login_id_password", "new", "yumi@two.example", ""),
        ("email_password", "", "Kenichi@one.example", "方は、すでに登録されています"),
        ("email_password", "", "yumi@two.example", "このメールアドレスは登録できません"),
        ("login_id_email_password", "", "KENICHI@one.example", "方は、すでに登録されています"),
        ("login_id_email_password", "", "yumi@two.example", ""),
    ],
)
def test_a_name_that_is_used_is_told_before_it_is_tried(
    here, brand, items, login_id, email, message
):
    """COM-10, COM-22: a colleague's address is called so; of another customer's nothing is said."""
    tenant = asking_for(brand, items)
    for member in session().scalars(select(Member)).all():
        member.login_key = login_key(items, login_id=member.login_id, email=member.email)
    session().flush()
    account_id = accounts.find_account("C000001").id
    if not message:
        accounts.require_free(tenant, account_id, login_id=login_id, email=email)
        return
    with pytest.raises(RuleBroken, match=message) as refused:
        accounts.require_free(tenant, account_id, login_id=login_id, email=email)
    assert refused.value.field == ("login_id" if items == "login_id_password" else "email")


def test_a_used_address_tells_a_member_nothing_of_another_customer(here, brand):
    """COM-02: neither that it is registered nor by whom, also where the database is the first to notice."""
    tenant = asking_for(brand, "email_password")
    for member in session().scalars(select(Member)).all():
        member.login_key = login_key("email_password", login_id="", email=member.email)
    session().flush()
    hanako = session().scalars(select(Member).where(Member.login_id == "hanako")).one()
    account = accounts.find_account("C000001")
    person = Person("森", "進", "yumi@two.example")
    with pytest.raises(RuleBroken) as refused:
        accounts.add_member(tenant, account, person, by=hanako.actor(""))
    assert refused.value.message.startswith("このメールアドレスは登録できません")
    assert "使われて" not in refused.value.message
    with pytest.raises(RuleBroken, match="すでに使われています"):
        accounts.add_member(tenant, account, person, by=SYSTEM)


@pytest.mark.parametrize("login_id", ["あいう😀", "a", "abc", "a b c d", "x" * 41, "user@home"])
def test_a_new_login_id_is_of_the_stated_format(here, brand, login_id):
    """COM-10: whoever adds the member; full-width letters are read as theirs."""
    with pytest.raises(RuleBroken, match="4文字以上40文字以内") as refused:
        add(brand, login_id)
    assert refused.value.field == "login_id"
    assert add(brand, "s.mori_1-x").login_id == "s.mori_1-x"


def test_a_login_id_that_an_account_has_stays_good_for_its_people(here, brand):
    """RENT-01: everybody of an account shares the one that it came with."""
    shared = asking_for(brand, "login_id_email_password")
    for member in session().scalars(select(Member).where(Member.login_id == "hanako")):
        member.login_id = "旧A"
    session().flush()
    assert add(shared, "旧A", "new@one.example").login_id == "旧A"
    with pytest.raises(RuleBroken, match="4文字以上40文字以内"):
        add(shared, "旧A", "new@two.example", account="C000002")
