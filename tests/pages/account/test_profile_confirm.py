"""会員情報の変更, second and third step: done once, by whom it belongs to, and never over another's change."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.core import clock
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared import drafts
from portal.shared.accounts.models import Account, Member
from portal.shared.drafts import Draft
from tests.cast import NOW
from tests.pages.account.walk import (
    CONFIRM,
    DONE,
    FORM,
    TYPED,
    fields,
    fill_in,
    press_save,
    save,
    token_of,
    values,
    versions,
)

CONFLICT = "ほかの方が先に更新しました"


@pytest.fixture
def hanako(visit, cast):
    """The representative of the first account."""
    return visit("facility", cast.representative)


@pytest.fixture
def kenichi(visit, cast):
    """An ordinary member of the first account."""
    return visit("facility", cast.member)


@pytest.fixture
def record(inside):
    """What is on record at a brand: events, mails, and how often a draft was taken."""

    def count(tenant: str = "facility") -> tuple[int, ...]:
        with inside(tenant):
            events = (
                select(func.count())
                .select_from(AuditEvent)
                .where(AuditEvent.action == "member.profile")
            )
            mails = (
                select(func.count())
                .select_from(OutboxMail)
                .where(OutboxMail.event == "profile_changed")
            )
            used = select(func.count()).select_from(Draft).where(Draft.used_at.is_not(None))
            return tuple(session().scalar(statement) or 0 for statement in (events, mails, used))

    return count


def test_three_steps_save_what_was_confirmed(hanako, record):
    """FAC-07, COM-22: nothing is saved before 保存; afterwards the form shows it."""
    token = token_of(fill_in(hanako))
    review = hanako.get(f"{CONFIRM}?draft={token}")
    assert review.status_code == 200
    assert 'aria-current="step"><i aria-hidden="true">2</i>' in review.text
    assert "一番精機株式会社" in review.text
    assert not {name for name in fields(review.text) if name in TYPED}, (
        "the confirmation is read-only"
    )
    assert record() == (0, 0, 0)
    assert values(hanako.get(FORM).text)["department"] == ""

    saved = press_save(hanako, token)
    assert (saved.status_code, saved.headers["Location"]) == (303, DONE)
    done = hanako.get(DONE).text
    assert 'aria-current="step"><i aria-hidden="true">3</i>' in done
    assert values(hanako.get(FORM).text) == TYPED
    assert "一番精機株式会社様のマイページ" in hanako.get("/").text
    assert record() == (1, 1, 1)


def test_a_second_press_does_nothing_and_ends_on_the_same_page(hanako, record):
    """COM-22: pressing twice, or reloading, is answered alike and done once."""
    token = token_of(fill_in(hanako))
    answers = [press_save(hanako, token) for _ in range(3)]
    assert [(a.status_code, a.headers["Location"]) for a in answers] == [(303, DONE)] * 3
    assert record() == (1, 1, 1)
    assert versions(hanako.get(FORM).text) == {"version": "2", "account_version": "2"}


def test_back_from_the_confirmation_nothing_is_lost(hanako):
    """COM-22: 戻る leads to the form with what was typed, based on the same versions."""
    before = versions(hanako.get(FORM).text)
    token = token_of(fill_in(hanako, department="開発部"))
    back = re.search(
        r'<a class="btn sec" href="([^"]+)">戻る', hanako.get(f"{CONFIRM}?draft={token}").text
    )
    assert back
    form = hanako.get(back[1]).text
    assert values(form) == TYPED | {"department": "開発部"}
    assert versions(form) == before


def test_the_member_is_mailed_at_their_address(hanako, inside, cast):
    """FAC-07, COM-80: in the brand's name, with when it was; what was typed is not in the mail."""
    save(hanako)
    with inside("facility"):
        mail = (
            session().scalars(select(OutboxMail).where(OutboxMail.event == "profile_changed")).one()
        )
        assert (mail.recipient, mail.sender) == ("hanako@one.example", "noreply@facility.example")
        assert mail.subject == "【試験設備】会員情報変更のお知らせ"
        assert "一番 花子 様" in mail.body
        assert "2026/11/23(月) 10:00" in mail.body
        assert "09012345678" not in mail.body


def test_the_audit_trail_has_before_and_after_of_what_changed_and_nothing_else(
    hanako, inside, cast
):
    """COM-90: who, on whom, from where; fields that stayed are not there, nor is any secret."""
    save(hanako, given_name="花子", account_telephone="0300001001")
    with inside("facility"):
        event = (
            session().scalars(select(AuditEvent).where(AuditEvent.action == "member.profile")).one()
        )
        assert (event.subject, event.actor_kind) == ("member:hanako", "member")
        assert event.actor_name == "カナリア甲 花子"
        assert event.address == "127.0.0.1"
        assert event.account_id is not None
        assert event.changes["family_name"] == ["カナリア甲", "一番"]
        assert event.changes["account_name"] == ["カナリア甲株式会社一番", "一番精機株式会社"]
        assert event.changes["account_city"] == ["", "大田区"]
        assert not {"given_name", "account_telephone", "version", "password_hash"} & set(
            event.changes
        )
        assert "argon2" not in str(event.changes)


def test_saving_without_a_change_leaves_no_trace(hanako, record):
    """COM-90, COM-80: nothing changed, so nobody is mailed."""
    save(hanako)
    kept = versions(hanako.get(FORM).text)
    assert save(hanako).headers["Location"] == DONE
    assert record() == (1, 1, 2)
    assert versions(hanako.get(FORM).text) == kept


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "\0", "カナ"])
def test_a_draft_that_never_was_shows_and_saves_nothing(hanako, record, token):
    """COM-22: back to the form, or refused."""
    shown = hanako.get(CONFIRM, query_string={"draft": token})
    assert (shown.status_code, shown.headers["Location"]) == (303, FORM)
    assert press_save(hanako, token).status_code == 400
    assert record() == (0, 0, 0)
    assert values(hanako.get(FORM, query_string={"draft": token}).text)["department"] == ""


@pytest.mark.parametrize(
    ("brand", "thief"), [("facility", "yumi"), ("facility", "kenichi"), ("studio", "hanako")]
)
def test_a_stolen_token_opens_nothing_and_saves_nothing(visit, hanako, record, brand, thief):
    """COM-02, COM-22: not for a stranger, a colleague, nor the same person at another brand."""
    token = token_of(fill_in(hanako))
    other = visit(brand, thief)
    assert other.get(f"{CONFIRM}?draft={token}").headers["Location"] == FORM
    assert "一番精機" not in other.get(f"{FORM}?draft={token}").text
    assert press_save(other, token).status_code == 400
    assert record() == record("studio") == (0, 0, 0)
    assert press_save(hanako, token).headers["Location"] == DONE


def test_a_draft_lasts_a_day_and_then_says_that_nothing_was_saved(hanako, visit, record, cast):
    """COM-22: what is past its lifetime never becomes a change, and never looks like one."""
    token = token_of(fill_in(hanako))
    with clock.freeze(NOW + drafts.LIFETIME - timedelta(seconds=1)):
        assert (
            visit("facility", cast.representative).get(f"{CONFIRM}?draft={token}").status_code
            == 200
        )
    with clock.freeze(NOW + drafts.LIFETIME):
        late = visit("facility", cast.representative)
        assert late.get(f"{CONFIRM}?draft={token}").headers["Location"] == FORM
        refused = press_save(late, token)
    assert refused.status_code == 400
    assert "有効期限" in refused.text
    assert record() == (0, 0, 0)


def test_the_second_of_two_tabs_is_shown_both_values_and_can_go_on(hanako, visit, cast, record):
    """COM-26: 409, side by side, nothing overwritten; the next try is based on what is there now."""
    other_tab = visit("facility", cast.representative)
    late = token_of(fill_in(hanako, department="開発部", city="品川区"))
    save(other_tab, department="総務部")

    told = press_save(hanako, late)
    assert told.status_code == 409
    assert CONFLICT in told.text
    rows = re.findall(
        r'<th scope="row">(.*?)</th>\s*<td[^>]*>(.*?)</td>\s*<td[^>]*>(.*?)</td>', told.text
    )
    assert rows == [("市区町村", "品川区", "大田区"), ("部署名", "開発部", "総務部")]
    assert record()[:2] == (1, 1)
    assert values(hanako.get(FORM).text) == TYPED | {"department": "総務部"}

    assert values(told.text) == TYPED | {"department": "開発部", "city": "品川区"}
    again = hanako.post(FORM, versions(told.text) | values(told.text))
    assert press_save(hanako, token_of(again)).headers["Location"] == DONE
    assert values(hanako.get(FORM).text) == TYPED | {"department": "開発部", "city": "品川区"}


def test_a_conflict_over_the_account_takes_back_the_members_part_too(hanako, visit, cast, inside):
    """COM-26: all or nothing; another representative changed the account meanwhile."""
    late = token_of(fill_in(hanako, department="開発部"))
    with inside("facility"):
        account = session().scalars(select(Account).where(Account.name.contains("一番"))).one()
        account.building, account.version = "新館", account.version + 1
        session().commit()
    told = press_save(hanako, late)
    assert told.status_code == 409
    assert '<th scope="row">建物名・部屋番号</th>' in told.text
    with inside("facility"):
        member = (
            session().scalars(select(Member).where(Member.login_id == cast.representative)).one()
        )
        assert (member.department, member.version) == ("", 1)


def test_two_colleagues_who_change_their_own_data_are_not_in_each_others_way(
    hanako, kenichi, record
):
    """COM-26: a conflict needs the same thing."""
    late = token_of(fill_in(kenichi, family_name="二番", given_name="健一"))
    save(hanako)
    assert press_save(kenichi, late).headers["Location"] == DONE
    assert record() == (2, 2, 2)


def test_only_the_representative_changes_the_account(kenichi, inside):
    """FAC-07: a member sees the account's data, cannot type over them, and cannot send them by hand either."""
    page = kenichi.get(FORM).text
    assert "会社の情報は、代表の方だけが変更できます。" in page
    locked = {name for name, own in fields(page).items() if "readonly" in own or "disabled" in own}
    assert len(locked) == 8
    assert "account_name" in locked
    assert values(page)["account_name"] == "カナリア甲株式会社一番"
    save(kenichi, account_name="乗っ取り株式会社", family_name="二番")
    with inside("facility"):
        names = set(session().scalars(select(Account.name)))
        assert names == {"カナリア甲株式会社一番", "カナリア甲合同会社二番"}
        assert session().scalars(
            select(Member.login_id).where(Member.family_name == "二番")
        ).all() == ["kenichi"]


def test_a_members_conflict_keeps_the_account_locked_and_out_of_the_comparison(
    hanako, visit, cast, kenichi
):
    """FAC-07, COM-26: the representative's change of the account is no conflict of the member's."""
    late = token_of(fill_in(kenichi, department="開発部"))
    save(hanako)
    save(visit("facility", cast.member), department="総務部")
    told = press_save(kenichi, late)
    assert told.status_code == 409
    assert re.findall(r'<th scope="row">(.*?)</th>', told.text) == ["部署名"]
    locked = {
        name for name, own in fields(told.text).items() if "readonly" in own or "disabled" in own
    }
    assert len(locked) == 8
    assert values(told.text)["account_name"] == "一番精機株式会社"


@pytest.mark.parametrize("path", [FORM, CONFIRM, DONE, "/account/password"])
def test_who_is_not_signed_in_is_asked_to_and_led_back(visit, path):
    """COM-10, COM-23: to where one was; of what a stranger posts nothing is kept."""
    visitor = visit("facility")
    answer = visitor.get(f"{path}?a=b")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/sign-in?next={path}%3Fa%3Db",
    )
    if path != DONE:
        posted = visitor.post(path, TYPED, page="/sign-in")
        assert posted.headers["Location"] == f"/sign-in?next={path}"
