"""Drafts: whose they are, how often they work, how long they live, what they can hold (COM-22)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.core import clock
from portal.core.db import session
from portal.shared import drafts
from portal.shared.accounts.models import Member
from portal.shared.drafts import LIFETIME, Draft, DraftKey
from tests.cast import NOW

DATA = {"name": "髙﨑 花子", "count": 3, "none": None, "tick": True, "rows": [["a", "😀"], []]}
MOMENT = timedelta(seconds=1)


def _key(member_id: int, *, kind: str = "form", subject: str = "one") -> DraftKey:
    return DraftKey(kind=kind, subject=subject, member_id=member_id)


@pytest.fixture
def scope(inside):
    """Inside the facility brand, with the ids of two of its members."""
    with inside("facility"):
        yield session().scalars(select(Member.id).order_by(Member.id)).all()[:2]


def test_what_was_typed_comes_back_as_it_was(scope):
    """COM-22: text, numbers, ticks, lists, and nothing typed at all."""
    token = drafts.keep(_key(scope[0]), DATA)
    assert drafts.recall(_key(scope[0]), token) == DATA
    empty = drafts.keep(_key(scope[0]), {})
    assert drafts.recall(_key(scope[0]), empty) == {}, "an empty draft is not the same as none"
    assert drafts.consume(_key(scope[0]), empty) == {}


def test_a_large_form_is_kept_whole(scope):
    """COM-22: as large as a request may be."""
    data = {"body": "長文" * 150_000}
    token = drafts.keep(_key(scope[0]), data)
    session().commit()
    assert drafts.consume(_key(scope[0]), token) == data


def test_tokens_cannot_be_guessed(scope):
    """COM-22: 256 random bits, fit for an address."""
    tokens = {drafts.keep(_key(scope[0]), {}) for _ in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)


def test_a_draft_is_consumed_once_and_can_still_be_looked_at(scope):
    """COM-22: 戻る after 完了 shows what was typed; doing it again does not."""
    token = drafts.keep(_key(scope[0]), DATA)
    assert drafts.consume(_key(scope[0]), token) == DATA
    assert drafts.consume(_key(scope[0]), token) is None
    assert drafts.recall(_key(scope[0]), token) == DATA


def test_what_was_consumed_in_vain_can_be_consumed_again(scope):
    """COM-22: taking the draft and doing the thing are one transaction."""
    token = drafts.keep(_key(scope[0]), DATA)
    session().commit()
    assert drafts.consume(_key(scope[0]), token) == DATA
    session().rollback()
    assert drafts.consume(_key(scope[0]), token) == DATA


def test_changing_what_came_back_does_not_change_the_draft(scope):
    """COM-22: what was confirmed is what is done."""
    token = drafts.keep(_key(scope[0]), {"name": "花子"})
    found = drafts.recall(_key(scope[0]), token)
    assert found is not None
    found["name"] = "由美"
    assert drafts.consume(_key(scope[0]), token) == {"name": "花子"}


@pytest.mark.parametrize("take", [drafts.recall, drafts.consume])
def test_only_the_right_kind_subject_owner_and_token_find_it(scope, take):
    """COM-22: each of the four must fit, and a wrong try uses nothing up."""
    owner, other = scope
    token = drafts.keep(_key(owner), DATA)
    assert take(_key(owner, kind="another form"), token) is None
    assert take(_key(owner, subject="another"), token) is None
    assert take(_key(other), token) is None
    for wrong in (token[:-1], token + "A", token.swapcase(), "\0", "", "%", "カナ"):
        assert take(_key(owner), wrong) is None, wrong
    assert drafts.consume(_key(owner), token) == DATA


@pytest.mark.parametrize("take", [drafts.recall, drafts.consume])
def test_a_draft_of_one_brand_does_not_exist_at_another(inside, take):
    """COM-02"""
    with inside("facility"):
        owner = session().scalars(select(Member.id).order_by(Member.id)).first()
        assert owner is not None
        token = drafts.keep(_key(owner), DATA)
        session().commit()
    with inside("studio"):
        assert take(_key(owner), token) is None
        session().commit()
    with inside("facility"):
        assert drafts.consume(_key(owner), token) == DATA


@pytest.mark.parametrize("take", [drafts.recall, drafts.consume])
def test_a_draft_lives_for_a_day(scope, take):
    """COM-22: to the second, whatever the removal has got to."""
    token = drafts.keep(_key(scope[0]), DATA)
    with clock.freeze(NOW + LIFETIME):
        assert take(_key(scope[0]), token) is None
    with clock.freeze(NOW + LIFETIME - MOMENT):
        assert take(_key(scope[0]), token) == DATA


def test_expiry_removes_what_is_old_used_or_not_and_says_how_many(inside):
    """COM-22: what was typed is not kept longer than needed; another brand's is not touched."""
    for brand in ("studio", "facility"):
        with inside(brand):
            owner = session().scalars(select(Member.id)).first()
            assert owner is not None
            drafts.keep(_key(owner), DATA)
            drafts.consume(_key(owner), drafts.keep(_key(owner), DATA))
            with clock.freeze(NOW + timedelta(hours=1)):
                young = drafts.keep(_key(owner), DATA)
            session().commit()
    with inside("facility"):
        with clock.freeze(NOW + LIFETIME):
            assert drafts.expire() == 0
        with clock.freeze(NOW + LIFETIME + MOMENT):
            assert drafts.expire() == 2
            assert drafts.expire() == 0
            assert owner is not None
            assert drafts.recall(_key(owner), young) == DATA
        session().commit()
    with inside("studio"):
        assert session().scalar(select(func.count()).select_from(Draft)) == 3


@pytest.mark.parametrize("lacking", [{"kind": ""}, {"subject": ""}, {"subject": "長" * 201}])
def test_a_draft_about_nothing_cannot_be_made(lacking):
    """COM-22: a form that forgets to say what it is about fails at once."""
    with pytest.raises(ValueError, match="a kind and a subject"):
        _key(1, **lacking)


def test_whether_a_draft_was_used_can_be_asked(scope):
    """COM-22"""
    token = drafts.keep(_key(scope[0]), DATA)
    assert drafts.is_unused(_key(scope[0]), token)
    assert not drafts.is_unused(_key(scope[0], subject="another"), token)
    drafts.consume(_key(scope[0]), token)
    assert not drafts.is_unused(_key(scope[0]), token)
