"""SUP-14, SUP-15: articles are put again and again, judged once a member, followed, and told of once each."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.core import clock, signer
from portal.core.actor import SYSTEM, operator
from portal.core.audit import AuditEvent
from portal.core.db import session, update_where
from portal.core.errors import NotFound
from portal.core.jobs import Job
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, Member, MemberStatus
from portal.shared.auth import operator_actions
from portal.shared.knowledge import operations
from portal.shared.knowledge.models import Article, Place, Stance
from portal.shared.members import withdrawal
from tests.cast import NOW
from tests.shared.knowledge.conftest import BASE, account_of

FILE = """---
key: shime
category: 勤怠
section: 締め処理
title: 締め処理を取り消すには
products: manage, data-link
---

**手順**は次のとおりです。
"""
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def tell(tenant, products):
    """Do the job: whom it mails."""

    def work(article: Article) -> list[str]:
        before = session().scalar(select(func.max(OutboxMail.id))) or 0
        last = select(Job.payload).where(Job.kind == operations.TELL).order_by(Job.id.desc())
        payload = session().scalars(last).first() or {"is_new": False}
        operations.notify_followers(tenant, article.id, is_new=payload["is_new"], products=products)
        new = select(OutboxMail.recipient).where(
            OutboxMail.id > before, OutboxMail.event == "knowledge_article"
        )
        return [to.partition("@")[0] for to in session().scalars(new.order_by(OutboxMail.id))]

    return work


def follow(what: Article | Place, member_id: int) -> None:
    operations.react(what, member_id, by=SYSTEM, follows=True)
    session().commit()


def place(section: str, category: str = "勤怠") -> Place:
    return (
        session()
        .scalars(select(Place).where(Place.category == category, Place.section == section))
        .one()
    )


def jobs() -> int:
    return session().scalar(select(func.count(Job.id)).where(Job.kind == operations.TELL)) or 0


def test_a_file_is_a_head_and_a_text():
    """SUP-14"""
    for file in (
        FILE,
        FILE.replace("\n", "\r\n"),
        f"\ufeff{FILE}",
        FILE.replace("key: shime", "key:　ｓｈｉｍｅ "),
    ):
        written = operations.read(file)
        assert (written.key, written.category, written.section) == ("shime", "勤怠", "締め処理")
        assert (written.title, written.products) == (
            "締め処理を取り消すには",
            ("data-link", "manage"),
        )
        assert written.body == "**手順**は次のとおりです。"
    plain = operations.read("---\nkey: a\ncategory: c\ntitle: t: u\n---\nx\n---\ny")
    assert (plain.section, plain.products, plain.title, plain.body) == ("", (), "t: u", "x\n---\ny")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("", "write ---"),
        ("本文だけ", "write ---"),
        ("---\nkey: a\n本文", "write ---"),
        (FILE.replace("**手順**は次のとおりです。", " "), "write ---"),
        (FILE.replace("key: shime\n", ""), "key in the head"),
        (FILE.replace("title:", "titel:"), "title|titel"),
        (FILE.replace("締め処理を取り消すには", "長" * 121), "title in the head"),
        (FILE.replace("products:", "tags: x\nproducts:"), "tags in the head"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(file, said):
    """SUP-14: in one line."""
    with pytest.raises(ValueError, match=said):
        operations.read(file)


def test_the_same_file_again_changes_nothing(desk):
    """SUP-14, COM-90: a folder can be put again and again; what changed is an update under the same number."""
    written = operations.read(FILE)
    first, said = operations.put(written, by=operator("監督"))
    session().commit()
    assert (first.number, said, first.published_at, first.updated_at) == (
        "KB0001",
        "published",
        NOW,
        NOW,
    )
    events = select(func.count(AuditEvent.id)).where(AuditEvent.action == "knowledge.put")
    assert (session().scalar(events), jobs()) == (1, 1)
    with clock.freeze(NOW + timedelta(hours=1)):
        assert operations.put(written, by=SYSTEM) == (first, "unchanged")
        assert (session().scalar(events), jobs(), first.updated_at) == (1, 1, NOW)
        again, said = operations.put(operations.read(FILE.replace("**手順**", "手順")), by=SYSTEM)
    assert (again.number, said, again.published_at, again.updated_at) == (
        "KB0001",
        "updated",
        NOW,
        NOW + timedelta(hours=1),
    )
    assert (session().scalar(events), jobs()) == (2, 2)
    event = (
        session()
        .scalars(select(AuditEvent).where(AuditEvent.subject == "knowledge:KB0001"))
        .first()
    )
    assert event is not None
    assert (event.actor_name, event.changes["said"], event.changes["products"]) == (
        "監督",
        "published",
        ",data-link,manage,",
    )


def test_each_part_of_a_file_makes_an_update(desk):
    """SUP-14: title, section, products, text; moved between sections it keeps its number."""
    operations.put(operations.read(FILE), by=SYSTEM)
    for before, after in (
        ("締め処理を取り消す", "締めを取り消す"),
        ("section: 締め処理", "section: 打刻"),
        ("category: 勤怠", "category: 経費"),
        ("manage, data-link", "manage"),
        ("products: manage, data-link\n", ""),
        ("次のとおり", "次の通り"),
    ):
        assert (
            operations.put(operations.read(FILE.replace(before, after)), by=SYSTEM)[1] == "updated"
        )
    assert session().scalar(select(func.count(Article.id))) == 1
    assert {p.name for p in session().scalars(select(Place))} == {
        *("勤怠", "勤怠 › 締め処理", "勤怠 › 打刻"),
        *("経費", "経費 › 締め処理"),
    }


def test_the_withdrawn_is_gone_until_it_is_put_again(put):
    """SUP-14: with the number of before."""
    article = put("打刻の修正")
    assert operations.find((), "KB0001")[0] == article
    operations.withdraw("KB0001", by=operator("監督"))
    session().commit()
    with pytest.raises(NotFound):
        operations.find((), "KB0001")
    with pytest.raises(NotFound):
        operations.withdraw("KB0001", by=SYSTEM)
    assert operations.overview(()) == []
    assert put("打刻の修正").number == "KB0001"
    assert operations.find((), "KB0001")[0].withdrawn_at is None


def test_only_what_one_may_read_is_counted_and_a_place_without_it_is_not_there(put):
    """SUP-14: categories in the order in which they came."""
    put("一", section="打刻")
    put("二", section="休暇", products=("manage",))
    put("三", section="")
    put("四", category="経費", section="精算", products=("manage",))

    def seen(*products: str) -> list[tuple[str, int, list[tuple[str, int]]]]:
        return [
            (c.place.category, c.count, [(section.section, count) for section, count in c.sections])
            for c in operations.overview(products)
        ]

    assert seen() == [("勤怠", 2, [("打刻", 1)])]
    assert seen("manage") == [("勤怠", 3, [("打刻", 1), ("休暇", 1)]), ("経費", 1, [("精算", 1)])]
    for number in (place("休暇").number, place("精算", "経費").number, "KB0002"):
        with pytest.raises(NotFound):
            operations.find_target((), number)
        assert operations.find_target(("manage",), number).number == number


def test_a_vote_is_one_a_member_and_may_be_changed(put, desk):
    """SUP-14: operators see how many were helped."""
    article = put("打刻の修正")
    for name, is_helpful in (
        ("hanako", True),
        ("ichiro", True),
        ("jiro", False),
        ("ichiro", False),
    ):
        operations.react(article, desk[name], by=SYSTEM, is_helpful=is_helpful)
    session().commit()
    (row,) = operations.list_articles(10)
    assert (row.Article.number, row.Place.name, row.helpful, row.unhelpful) == (
        "KB0001",
        "勤怠 › 打刻",
        1,
        2,
    )
    stance = operations.stance(article, desk["ichiro"])
    assert stance is not None
    assert (stance.is_helpful, stance.follows) == (False, False)
    assert session().scalar(select(func.count(Stance.id))) == 3


def test_followers_of_article_section_and_category_are_told_once_each(put, desk, tell):
    """SUP-15: whatever way they follow it, and not what stands elsewhere."""
    article = put("打刻の修正", quiet=True)
    other = put("休暇の申請", section="休暇", quiet=True)
    for name in ("hanako", "ichiro"):
        for what in (article, place("打刻"), place("")):
            follow(what, desk[name])
            follow(what, desk[name])
    follow(place("休暇"), desk["jiro"])
    put("打刻の修正", "書き直した")
    assert tell(article) == ["hanako", "ichiro"]
    assert tell(article) == [], "the job again tells nobody"
    put("休暇の申請", "書き直した", section="休暇")
    assert tell(other) == ["hanako", "ichiro", "jiro"]
    new = put("打刻の一覧")
    assert tell(new) == ["hanako", "ichiro"]


def test_a_follower_is_told_only_of_what_they_may_read(put, desk, tell, tenant):
    """SUP-14, SUP-15: by their products as they are now; nor is who was removed, locked or has left."""
    for name in desk:
        put("目次", quiet=True)
        follow(place(""), desk[name])
    assert tell(put("一", products=("manage",))) == ["hanako"]
    assert tell(put("二", products=("data-link", "manage"))) == ["hanako", "ichiro"]
    assert tell(put("三")) == ["hanako", "ichiro", "jiro"]
    assert tell(put("四", products=("other",))) == []
    update_where(Member, Member.id == desk["jiro"], status=MemberStatus.REMOVED)
    operator_actions.lock(session().get_one(Member, desk["ichiro"]), by=SYSTEM)
    assert tell(put("五")) == ["hanako"]


def test_quiet_mails_nobody_and_withdrawing_stops_what_is_under_way(put, desk, tell):
    """SUP-15"""
    article = put("打刻の修正", quiet=True)
    follow(article, desk["hanako"])
    put("打刻の修正", "書き直した", quiet=True)
    assert (jobs(), tell(article)) == (0, [])
    put("打刻の修正", "もう一度")
    operations.withdraw(article.number, by=SYSTEM)
    session().commit()
    assert (jobs(), tell(article)) == (1, [])


def test_a_letter_names_the_article_and_ends_with_one_click(put, desk, tell):
    """SUP-15, COM-81: RFC 8058; the token is of this member and article and in no table of its own."""
    article = put("打刻の修正", quiet=True)
    follow(article, desk["hanako"])
    with clock.freeze(NOW + timedelta(days=1)):
        put("打刻の修正", "書き直した")
        assert tell(article) == ["hanako"]
    mail = session().scalars(select(OutboxMail).order_by(OutboxMail.id.desc())).first()
    assert mail is not None
    assert mail.subject == "【試験窓口】ナレッジの記事更新のお知らせ（打刻の修正）"
    stop = f"{BASE}/knowledge/unfollow/{operations.token_of(desk['hanako'], 'KB0001')}"
    one_click = {
        "List-Unsubscribe": f"<{stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert mail.headers == {"Reply-To": "desk@desk.example", **one_click}
    assert f"\n{BASE}/knowledge/KB0001\n" in mail.body
    assert stop in mail.body
    assert mail.account_id == account_of(desk["hanako"])


def test_a_letter_says_whether_the_article_is_new(put, desk, tell, monkeypatch):
    """SUP-15: added or updated, while the clock goes on from one reading to the next."""
    ticks = itertools.count()
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(milliseconds=next(ticks)))
    put("目次", quiet=True)
    follow(place(""), desk["hanako"])
    assert tell(put("打刻の修正")) == ["hanako"]
    assert tell(put("打刻の修正", "書き直した")) == ["hanako"]
    subjects = (
        session()
        .scalars(select(OutboxMail.subject).where(OutboxMail.event == "knowledge_article"))
        .all()
    )
    assert subjects == [
        "【試験窓口】ナレッジの記事追加のお知らせ（打刻の修正）",
        "【試験窓口】ナレッジの記事更新のお知らせ（打刻の修正）",
    ]


def test_one_click_ends_all_that_led_to_the_mail_and_nothing_else(put, desk, tell):
    """SUP-15: twice is once, and others go on being told."""
    article, other = put("打刻の修正", quiet=True), put("経費の精算", category="経費", quiet=True)
    for name in ("hanako", "ichiro"):
        for what in (article, place("打刻"), place(""), other):
            follow(what, desk[name])
    for _ in range(2):
        operations.unfollow(
            *operations.opened(operations.token_of(desk["hanako"], "KB0001")), by=SYSTEM
        )
        session().commit()
    places, articles = operations.followed((), desk["hanako"])
    assert ([p.name for p in places], [a.title for a in articles]) == ([], ["経費の精算"])
    put("打刻の修正", "書き直した")
    assert tell(article) == ["ichiro"]
    events = select(func.count(AuditEvent.id)).where(AuditEvent.action == "knowledge.unfollow")
    assert session().scalar(events) == 1
    follow(article, desk["hanako"])
    assert operations.followed((), desk["hanako"])[1] == [article, other], (
        "and may be followed again"
    )


@ONE
def test_a_token_is_of_one_member_one_article_and_one_brand(put, desk, inside):
    """SUP-15, COM-02: anything else is none."""
    put("打刻の修正")
    token = operations.token_of(desk["hanako"], "KB0001")
    assert operations.opened(token)[0] == desk["hanako"]
    claim, _dash, proof = token.rpartition("-")
    for wrong in (
        token.replace(f"{desk['hanako']}-", f"{desk['ichiro']}-", 1),
        f"{claim}-{proof[:-1]}",
        f"{claim}-{proof[::-1]}",
        f"{claim}-é",
        f"x-KB0001-{proof}",
        f"{desk['hanako']}-KB0002-{proof}",
        *("", "-", "--", "x", proof),
    ):
        with pytest.raises(NotFound):
            operations.opened(wrong)
    session().rollback()
    with inside("facility"), pytest.raises(NotFound):
        operations.opened(token)


@ONE
def test_a_token_outlives_a_change_of_the_servers_key(put, desk, app, monkeypatch):
    """SUP-15: a letter of last week still ends its mails."""
    put("打刻の修正")
    token = operations.token_of(desk["hanako"], "KB0001")
    services = app.extensions["services"]
    changed = signer.Signer.of_secrets(["another-secret-key-of-the-server-0123456789"])
    rotated = signer.Signer((b"another", *signer.signing_keys()))
    monkeypatch.setitem(services, signer.Signer, changed)
    with pytest.raises(NotFound):
        operations.opened(token)
    monkeypatch.setitem(services, signer.Signer, rotated)
    assert operations.opened(token)[0] == desk["hanako"]
    assert operations.token_of(desk["hanako"], "KB0001") != token


def test_what_a_member_thinks_and_follows_is_erased_with_them(put, desk, tenant):
    """COM-16"""
    article = put("打刻の修正")
    for name in ("hanako", "ichiro"):
        operations.react(article, desk[name], by=SYSTEM, is_helpful=True, follows=True)
    account = session().get_one(Account, account_of(desk["hanako"]))
    withdrawal.withdraw(tenant, account, "解約", by=SYSTEM)
    withdrawal.erase(account, by=SYSTEM)
    session().commit()
    assert list(session().scalars(select(Stance.member_id))) == [desk["ichiro"]]


def test_many_followers_are_told_some_at_a_time(put, desk, tell, tenant, monkeypatch):
    """SUP-15: in transactions of so many; what stood in the middle of the night goes on in the morning."""
    article = put("打刻の修正", quiet=True)
    for name in desk:
        follow(article, desk[name])
    monkeypatch.setattr(operations, "AT_ONCE", 2)
    put("打刻の修正", "書き直した")
    told: list[str] = []

    def dies(_tenant, _article, member, **words):
        if len(told) == 2:
            raise RuntimeError("killed")
        told.append(member.email)
        real(_tenant, _article, member, **words)

    real = operations._mail
    monkeypatch.setattr(operations, "_mail", dies)
    with pytest.raises(RuntimeError):
        tell(article)
    session().rollback()
    mails = (
        select(OutboxMail.recipient)
        .where(OutboxMail.event == "knowledge_article")
        .order_by(OutboxMail.id)
    )
    assert [re.sub("@.*", "", to) for to in session().scalars(mails)] == ["hanako", "ichiro"]
    monkeypatch.setattr(operations, "_mail", real)
    assert tell(article) == ["jiro"]
    assert tell(article) == []
