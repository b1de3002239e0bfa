"""Notices: when they are seen, in which order, by whom they were read, what their text becomes (COM-60)."""

from __future__ import annotations

import re
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from demo import notices as demo
from portal.core import clock
from portal.core.actor import SYSTEM, operator
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound, RuleBroken
from portal.core.markdown import to_html
from portal.shared.accounts.models import Account, Member
from portal.shared.auth.operator_actions import set_tags
from portal.shared.auth.sessions import SignedIn
from portal.shared.notices import operations
from portal.shared.notices.models import NoticeRead
from tests.cast import NOW

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def members(inside):
    """Inside the facility brand: the ids of its members."""
    with inside("facility"):
        yield session().scalars(select(Member.id).order_by(Member.id)).all()


def as_seen_by(member: int, tags: str = ",") -> SignedIn:
    return cast(SignedIn, SimpleNamespace(member_id=member, tags=tags))


def titles(member: int, limit: int = 50) -> list[str]:
    return [row.title for row in operations.newest(as_seen_by(member), limit)]


def publish(title: str, **times):
    notice = operations.publish(title, "本文", by=SYSTEM, **times)
    session().flush()
    return notice


@pytest.mark.parametrize(
    ("begins", "ends", "seen"),
    [
        (None, None, True),
        (NOW, None, True),
        (NOW + SECOND, None, False),
        (NOW - HOUR, NOW + SECOND, True),
        (NOW - HOUR, NOW, False),
        (NOW - HOUR, NOW - SECOND, False),
    ],
)
def test_a_notice_is_seen_from_its_beginning_until_before_its_end(members, begins, ends, seen):
    """COM-60: in the list and by its number alike, to the second."""
    notice = publish("点検", publish_at=begins, ends_at=ends)
    assert ("点検" in titles(members[0])) is seen
    if seen:
        assert operations.find(as_seen_by(members[0]), notice.number).title == "点検"
    else:
        with pytest.raises(NotFound):
            operations.find(as_seen_by(members[0]), notice.number)


def test_time_alone_publishes_and_ends_a_notice(members):
    """COM-60: nobody has to do anything at the hour."""
    notice = publish("予告", publish_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    seen = []
    for at in (NOW, NOW + HOUR, NOW + 2 * HOUR - SECOND, NOW + 2 * HOUR):
        with clock.freeze(at):
            seen.append(notice.title in titles(members[0]))
    assert seen == [False, True, True, False]


def test_the_newest_stand_first_and_only_so_many(members):
    """COM-20: by the time of publishing, then by the order they were written in."""
    publish("昨日", publish_at=NOW - timedelta(days=1))
    publish("今", publish_at=NOW)
    publish("今の続き", publish_at=NOW)
    assert titles(members[0], 3) == ["今の続き", "今", "昨日"]
    assert len(titles(members[0])) == 4


def test_a_notice_that_was_opened_is_read_by_that_member_only_and_once(members):
    """COM-60: opening it again keeps the first instant."""
    notice = publish("休業")
    reader, other = members[:2]
    for at in (NOW, NOW + HOUR):
        with clock.freeze(at):
            operations.mark_read(notice.id, reader)
    marks = {who: operations.newest(as_seen_by(who), 1)[0].read_at for who in (reader, other)}
    assert marks == {reader: NOW, other: None}
    assert session().scalar(select(func.count()).select_from(NoticeRead)) == 1


def test_publishing_numbers_and_audits(members):
    """COM-90: one after the other, with the operator's name; a rollback leaves no gap."""
    first = operations.publish(
        "一", "本文", by=operator("監督"), category="休業", is_important=True
    )
    session().commit()
    operations.publish("捨", "本文", by=SYSTEM)
    session().rollback()
    second = publish("二")
    assert [first.number, second.number] == ["N0002", "N0003"]
    assert (first.publish_at, first.ends_at, first.category, first.is_important) == (
        NOW,
        None,
        "休業",
        True,
    )
    event = session().scalars(select(AuditEvent).where(AuditEvent.subject == "notice:N0002")).one()
    assert (event.action, event.actor_name, event.changes) == (
        "notice.publish",
        "監督",
        {"title": "一"},
    )


def test_each_brand_has_its_own_notices_numbers_and_marks(inside):
    """COM-02: the same number is another notice at the other brand."""
    with inside("facility"):
        publish("設備だけ")
        session().commit()
    with inside("studio"):
        member = session().scalars(select(Member.id)).first()
        assert member is not None
        assert titles(member) == ["カナリア乙からのお知らせ"]
        assert operations.find(as_seen_by(member), "N0001").title == "カナリア乙からのお知らせ"
        with pytest.raises(NotFound):
            operations.find(as_seen_by(member), "N0002")


@pytest.mark.parametrize("number", ["", "N0099", "n0001", "N0001 ", "1", "%", "N000_"])
def test_only_the_exact_number_finds_a_notice(members, number):
    """COM-60"""
    with pytest.raises(NotFound):
        operations.find(as_seen_by(members[0]), number)


def test_the_demo_has_notices_that_can_be_read(app, members):
    """OPS-20: a year-end notice that is important, each with text."""
    demo.fill(app.extensions["tenants"].current().by_key["facility"])
    session().flush()
    found = operations.newest(as_seen_by(members[0]), 10)
    assert found[0].title == "年末年始の営業日について"
    assert [row.is_important for row in found].count(True) == 1
    assert len({row.publish_at for row in found}) == len(found)
    assert all(
        "<p>" in to_html(operations.find(as_seen_by(members[0]), row.number).body) for row in found
    )


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("**休業**と*時間*", "<p><strong>休業</strong>と<em>時間</em></p>"),
        ("# 見出し", "<h1>見出し</h1>"),
        ("1. 一\n2. 二", "<ol>\n<li>一</li>\n<li>二</li>\n</ol>"),
        ("- 点", "<ul>\n<li>点</li>\n</ul>"),
        ("一行\n二行", "<p>一行\n二行</p>"),
        ("`a<b`", "<p><code>a&lt;b</code></p>"),
        ("> 引用", "<blockquote>\n<p>引用</p>\n</blockquote>"),
        ("5 < 6 & 7", "<p>5 &lt; 6 &amp; 7</p>"),
        ("", ""),
    ],
)
def test_markdown_becomes_what_was_meant(written, made):
    """COM-60"""
    assert to_html(written).strip() == made


def test_tables_are_understood():
    """COM-60: opening hours are written as tables."""
    html = to_html("|曜日|時間|\n|---|---|\n|平日|9–18|")
    assert "<th>曜日</th>" in html
    assert "<td>9–18</td>" in html


def test_a_link_leads_out_without_telling_whence():
    """Security: the other page gets no handle on ours."""
    html = to_html("[案内](https://facility.example/guide?a=1&b=2) と [中](/notices)")
    assert 'href="https://facility.example/guide?a=1&amp;b=2"' in html
    assert 'rel="noopener noreferrer"' in html
    assert '<a href="/notices"' in html


EVIL = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    '<img src=x onerror="alert(1)">',
    '<p onclick="alert(1)">押す</p>',
    '<a href="javascript:alert(1)">押す</a>',
    "[押す](javascript:alert(1))",
    "[押す](JaVaScRiPt&colon;alert(1))",
    "[押す](java\tscript:alert(1))",
    "[押す](<javascript:alert(1)>)",
    "[押す](vbscript:x) [押す](data:text/html;base64,PHNjcmlwdD4=)",
    "![絵](javascript:alert(1))",
    '![絵](x" onerror="alert(1))',
    "[a]: javascript:alert(1)\n\n[押す][a]",
    "<javascript:alert(1)>",
    "<iframe src=//evil.example></iframe><object data=x></object><embed src=x>",
    "<svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<style>body{display:none}</style><link rel=stylesheet href=//evil.example>",
    "<form action=//evil.example><input name=password></form><base href=//evil.example>",
    '<meta http-equiv="refresh" content="0;url=//evil.example">',
    "`<script>`</code><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
]
TAG = re.compile(r"<[a-z!/][^>]*>", re.IGNORECASE)
BAD = re.compile(
    r"^<(?:script|iframe|object|embed|style|link|form|input|base|meta|svg|animate)\b|\son\w+\s*="
    r"|(?:href|src)\s*=\s*[\"']?\s*(?:javascript|vbscript|data)\s*:|\sstyle\s*=",
    re.IGNORECASE,
)


@pytest.mark.parametrize("written", EVIL)
def test_nothing_in_a_notice_runs_or_leads_astray(written):
    """COM-60, security: no raw HTML, no handler, no script's address."""
    assert not [tag for tag in TAG.findall(to_html(written)) if BAD.search(tag)]


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from([*EVIL, "<", ">", '"', "'", "](", "&#x3c;", "\n\n", "|", "休業"]),
        max_size=8,
    )
)
def test_nothing_runs_however_it_is_put_together(pieces):
    """COM-60, security"""
    html = to_html("".join(pieces))
    assert not [tag for tag in TAG.findall(html) if BAD.search(tag)]


def test_a_notice_for_a_tag_is_for_accounts_that_have_it(members):
    """COM-60: in lists and by its number; a tag inside another is another; nobody has it: refused."""
    account = session().scalars(select(Account).order_by(Account.id)).first()
    assert account is not None
    set_tags(account, ["gold-member", "関東"], by=SYSTEM)
    session().flush()
    found = publish("関東の皆様へ", audience="関東")
    assert "関東の皆様へ" in [
        row.title for row in operations.newest(as_seen_by(members[0], account.tags), 9)
    ]
    assert (
        operations.find(as_seen_by(members[0], account.tags), found.number).title == "関東の皆様へ"
    )
    for tags in (",", ",関東甲信,", ",北関東,", ",gold-member,"):
        assert "関東の皆様へ" not in [
            row.title for row in operations.newest(as_seen_by(members[0], tags), 9)
        ]
        with pytest.raises(NotFound):
            operations.find(as_seen_by(members[0], tags), found.number)
    for nobodys in ("gold", "member", "関西"):
        with pytest.raises(RuleBroken, match="このタグの会員はいません"):
            publish("誰もいない", audience=nobodys)
