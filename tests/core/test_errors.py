"""A broken rule: one sentence for the page and the CLI, with its field and its parts (OPS-10)."""

from __future__ import annotations

from typing import Any

import pytest

from portal.core.errors import NotFound, RuleBroken, Stale, gettext_noop


def test_a_marked_sentence_is_the_sentence_itself() -> None:
    assert gettext_noop("予約受付") == "予約受付"


@pytest.mark.parametrize(
    ("message", "params", "said"),
    [
        ("カードの有効期限が切れています。", {}, "カードの有効期限が切れています。"),
        ("%(limit)s名まで登録できます。", {"limit": 50}, "50名まで登録できます。"),
        ("%(first)sから%(last)sまで", {"first": "9:00", "last": "18:00"}, "9:00から18:00まで"),
        ("消費税10%を含みます。", {}, "消費税10%を含みます。"),
        ("%(rate)d%%です。", {"rate": 8}, "8%です。"),
    ],
)
def test_a_broken_rule_says_its_sentence_with_its_parts(
    message: str, params: dict[str, Any], said: str
) -> None:
    """The untranslated message stays beside them, so that the page can say it in another language."""
    error = RuleBroken(message, **params)
    assert str(error) == said
    assert (error.message, error.params, error.field) == (message, params, None)


def test_a_sentence_that_lacks_one_of_its_parts_is_a_bug_and_says_so() -> None:
    with pytest.raises(KeyError, match="limit"):
        RuleBroken("%(limit)s名まで", limits=3)


def test_the_field_that_caused_it_is_named_and_is_no_part_of_the_sentence() -> None:
    error = RuleBroken("%(field)sを入力してください。", field="email")
    assert (error.field, error.params, str(error)) == ("email", {}, "%(field)sを入力してください。")


@pytest.mark.parametrize("kind", [NotFound, Stale])
def test_what_is_missing_or_stale_is_a_broken_rule_too(kind: type[RuleBroken]) -> None:
    """COM-02, COM-26: whoever answers broken rules answers these, and can still tell them apart."""
    with pytest.raises(RuleBroken, match="見つかりません"):
        raise kind("ページが見つかりません。")
    assert not issubclass(NotFound, Stale)
    assert not issubclass(Stale, NotFound)
