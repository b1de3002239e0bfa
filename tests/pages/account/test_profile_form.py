"""会員情報の変更, first step: what is accepted, what is refused and where, what is kept (FAC-07, COM-23)."""

from __future__ import annotations

import re
from html import unescape

import pytest

from tests.pages.account.walk import (
    CONFIRM,
    FORM,
    TYPED,
    fields,
    fill_in,
    press_save,
    token_of,
    values,
    versions,
)

KANA = "全角カタカナで入力してください。"
TELEPHONE = "電話番号は10桁または11桁の数字で入力してください。"
POSTAL = "郵便番号は7桁の数字で入力してください。"
MISSING, CHOOSE = "入力してください。", "選択してください。"
REFUSED = [
    ("account_name", "", MISSING),
    ("account_name", "　 ", MISSING),
    ("account_name", "社" * 101, "100文字以内"),
    ("account_kana", "abc", KANA),
    ("account_kana", "ア" * 101, "100文字以内"),
    ("postal_code", "", MISSING),
    ("postal_code", "144-003", POSTAL),
    ("postal_code", "144-00355", POSTAL),
    ("prefecture", "", CHOOSE),
    ("prefecture", "江戸府", CHOOSE),
    ("city", "", MISSING),
    ("city", "区" * 61, "60文字以内"),
    ("street", "", MISSING),
    ("street", "町" * 101, "100文字以内"),
    ("building", "階" * 101, "100文字以内"),
    ("account_telephone", "", MISSING),
    ("account_telephone", "12345", TELEPHONE),
    ("account_telephone", "0312345678 内線9", TELEPHONE),
    ("family_name", "", MISSING),
    ("family_name", "姓" * 41, "40文字以内"),
    ("given_name", "", MISSING),
    ("given_name", "名" * 41, "40文字以内"),
    ("family_kana", "一番", KANA),
    ("family_kana", "ア" * 61, "60文字以内"),
    ("given_kana", "hanako", KANA),
    ("given_kana", "ア" * 61, "60文字以内"),
    ("department", "部" * 81, "80文字以内"),
    ("telephone", "090-1234-567", TELEPHONE),
]
NORMALISED = [
    ("account_name", "  一番精機　(株) ", "一番精機　(株)"),
    ("account_name", "㈱ＡＢＣ", "㈱ＡＢＣ"),
    ("account_name", "髙\ufa11精機\u200b", "髙\ufa11精機"),
    ("account_kana", "ｲﾁﾊﾞﾝｾｲｷ", "イチバンセイキ"),
    ("account_kana", "いちばん　せいき", "イチバン セイキ"),
    ("postal_code", "〒１４４－００３５", "1440035"),
    ("postal_code", " 144 0035 ", "1440035"),
    ("city", "\t大田区\r\n", "大田区"),
    ("street", "南蒲田９丁目９９", "南蒲田9丁目99"),
    ("account_telephone", "０３－１２３４－５６７８", "0312345678"),
    ("account_telephone", "+81 3 1234 5678", "0312345678"),
    ("telephone", "(090) 1234ー5678", "09012345678"),
    ("family_kana", "いちばん", "イチバン"),
    ("family_name", "ｻｲﾄｳ", "サイトウ"),
    ("department", "ﾌﾞﾋﾝ購買部", "ﾌﾞﾋﾝ購買部"),
    ("building", "", ""),
    ("telephone", "　", ""),
]


_as_read = {"1440035": "144-0035", "0312345678": "03-1234-5678", "09012345678": "090-1234-5678"}


@pytest.mark.parametrize(("name", "typed", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_wrong_field_is_told_at_the_field_and_in_the_summary_with_everything_kept(
    reader, name, typed, message
):
    """COM-23: status 422, the message is the field's description, a link leads there, the rest stands as typed."""
    answer = fill_in(reader, **{name: typed})
    page = answer.text
    assert answer.status_code == 422
    wrong = {key: own for key, own in fields(page).items() if own.get("aria-invalid")}
    assert list(wrong) == [name]
    assert wrong[name]["aria-describedby"] == f"{name}-e"
    told = re.search(rf'<p class="ferr" id="{name}-e">.*?<span>(.*?)</span>', page)
    assert told
    assert message in told[1]
    summary = page[page.index('role="alert"') : page.index("<form", page.index('role="alert"'))]
    linked = re.findall(rf'<a href="#{name}">[^<]*：([^<]*)</a>', summary)
    assert "　".join(linked) == told[1]
    kept = values(page)
    assert {key: kept[key] for key in TYPED if key != name} == {
        k: TYPED[k] for k in TYPED if k != name
    }
    if name != "prefecture":
        assert kept[name] == typed.strip()
    assert 'aria-current="step"><i aria-hidden="true">1</i>' in page


@pytest.mark.parametrize(("name", "typed", "made"), NORMALISED, ids=range(len(NORMALISED)))
def test_width_kana_spaces_and_hyphens_are_forgiven_and_the_confirmation_shows_what_will_be_kept(
    reader, name, typed, made
):
    """COM-23: normalised, not refused."""
    token = token_of(fill_in(reader, **{name: typed}))
    assert values(reader.get(f"{FORM}?draft={token}").text) == TYPED | {
        name: _as_read.get(made, made)
    }
    shown = re.findall(r"<dd>(.*?)</dd>", reader.get(f"{CONFIRM}?draft={token}").text)
    kept = [_as_read.get(value, value) or "—" for value in (TYPED | {name: made}).values()]
    assert [unescape(value) for value in shown] == kept


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        *(
            ("account_name", 100),
            ("account_kana", 100),
            ("city", 60),
            ("street", 100),
            ("building", 100),
        ),
        *(("family_name", 40), ("given_name", 40), ("family_kana", 60), ("given_kana", 60)),
        ("department", 80),
    ],
)
def test_the_longest_text_that_is_kept_passes(reader, name, longest):
    """COM-23: the boundary itself."""
    assert fill_in(reader, **{name: "ア" * longest}).status_code == 303


def test_every_empty_field_is_told_at_once(reader):
    """COM-23: nobody has to send the form nine times."""
    page = reader.post(FORM, versions(reader.get(FORM).text)).text
    wrong = {name for name, own in fields(page).items() if own.get("aria-invalid")}
    assert wrong == {
        *("account_name", "postal_code", "prefecture", "city", "street", "account_telephone"),
        *("family_name", "given_name"),
    }
    assert page.count("<li><a href=") >= len(wrong)


def test_the_form_begins_with_what_is_on_record(reader):
    """FAC-07"""
    shown = values(reader.get(FORM).text)
    assert (shown["account_name"], shown["account_telephone"]) == (
        "カナリア甲株式会社一番",
        "03-0000-1001",
    )
    assert (shown["family_name"], shown["given_name"], shown["city"]) == ("カナリア甲", "花子", "")
    assert 'href="/account/password"' in reader.get(FORM).text


def test_required_fields_are_marked_and_optional_ones_too(reader):
    """COM-23: 必須 and 任意 stand in the label."""
    page = reader.get(FORM).text
    marks = dict(re.findall(r'<label for="(\w+)">[^<]*<span class="(req|opt)">', page))
    assert {name for name, mark in marks.items() if mark == "opt"} == {
        *("account_kana", "building", "family_kana", "given_kana", "department", "telephone")
    }
    assert set(marks) == set(TYPED)


@pytest.mark.parametrize(
    "versions_typed", [{"version": "x"}, {"account_version": ""}, {"version": "9" * 40}]
)
def test_a_version_that_is_no_number_is_no_crash(visit, cast, versions_typed):
    """COM-26: what a browser never sends is a form that is not up to date."""
    hanako = visit("facility", cast.representative)
    answer = hanako.post(FORM, versions(hanako.get(FORM).text) | TYPED | versions_typed)
    if answer.status_code == 303:
        answer = press_save(hanako, token_of(answer))
    assert answer.status_code in (409, 422)


def test_markup_that_was_typed_stays_text(reader):
    """Security: a name is a name on the form and on the confirmation."""
    evil = "<script>alert(1)</script>"
    token = token_of(fill_in(reader, department=evil))
    for page in (
        reader.get(f"{CONFIRM}?draft={token}").text,
        reader.get(f"{FORM}?draft={token}").text,
    ):
        assert evil not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_form_without_its_token_is_refused(reader):
    """Security: CSRF."""
    answer = reader.client.post(FORM, base_url=reader.base, data=TYPED)
    assert answer.status_code == 400
    assert reader.client.post(CONFIRM, base_url=reader.base, data={"draft": "x"}).status_code == 400
