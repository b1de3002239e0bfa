"""RENT-10, COM-30, security.md §4.17: the pages of an account's members, and the password asked for before them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Member
from portal.shared.members import operations as members
from tests.cast import NOW, PASSWORD

PAGE = "/account/members"
KATO = {
    "family_name": "加藤",
    "given_name": "光",
    "login_id": "kato",
    "email": "ｋａｔｏ@one.example",
}
LATER = NOW + timedelta(minutes=16)
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def number(inside):
    """What a member is called in addresses."""

    def find(login_id: str, tenant: str = "facility") -> str:
        with inside(tenant):
            return members.number_of(session().query(Member).filter_by(login_id=login_id).one())

    return find


@pytest.fixture
def logins(inside):
    """The login IDs of everybody who is not removed."""

    def read() -> list[str]:
        with inside("facility"):
            return [m.login_id for m in session().query(Member).filter(Member.status != "removed")]

    return read


def draft(answer) -> str:
    found = re.search(r"draft=([\w-]+)", answer.location)
    assert found
    return found[1]


def test_a_member_is_added_in_three_steps_and_once(visit, logins):
    """COM-22, COM-30: pressing twice or going back adds nobody twice."""
    visitor = visit("facility", "hanako")
    token = draft(visitor.post(f"{PAGE}/new", KATO))
    shown = visitor.get(f"{PAGE}/new/confirm?draft={token}").text
    assert all(text in shown for text in ("加藤", "光", "kato@one.example"))
    assert logins().count("kato") == 0
    for _press in range(3):
        answer = visitor.post(f"{PAGE}/new/confirm", {"draft": token}, page=f"{PAGE}/new")
        assert (answer.status_code, answer.location) == (303, f"{PAGE}/new/done")
    assert logins().count("kato") == 1
    listed = visitor.get(PAGE).text
    assert "パスワード未設定" in listed
    assert "3</b> / 50名" in listed


def test_a_login_id_that_is_used_is_told_before_the_confirm_page(visit, logins):
    """COM-22, COM-23: at its field, everything typed kept; also one of another customer, which is not named."""
    visitor = visit("facility", "hanako")
    for taken in ("kenichi", "yumi", "ＫＥＮＩＣＨＩ"):
        answer = visitor.post(f"{PAGE}/new", KATO | {"login_id": taken})
        assert answer.status_code == 422, taken
        assert "このログインIDは、すでに使われています" in answer.text
        assert 'value="加藤"' in answer.text
        assert "お手続きを完了できませんでした" in answer.text
        assert "入力内容をご確認ください" not in answer.text
    assert "kato" not in logins()


def test_what_is_taken_meanwhile_is_told_at_the_confirm_page_and_its_button(visit, logins):
    """COM-22, COM-23: a reload says it, and so does the last press; the form is back with everything typed."""
    visitor = visit("facility", "hanako")
    late = draft(visitor.post(f"{PAGE}/new", KATO))
    token = draft(visitor.post(f"{PAGE}/new", KATO | {"family_name": "伊藤"}))
    visitor.post(f"{PAGE}/new/confirm", {"draft": token})
    for answer in (
        visitor.get(f"{PAGE}/new/confirm?draft={late}"),
        visitor.post(f"{PAGE}/new/confirm", {"draft": late}),
    ):
        assert answer.status_code == 422
        assert "すでに使われています" in answer.text
        assert 'value="加藤"' in answer.text
    used = visitor.get(f"{PAGE}/new/confirm?draft={token}")
    assert (used.status_code, "伊藤" in used.text) == (200, True), "one's own is in nobody's way"
    assert logins().count("kato") == 1


@ONE
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"email": "not an address"}, "メールアドレスの形式"),
        ({"family_name": " "}, "入力してください"),
        ({"login_id": ""}, "入力してください"),
        *(
            ({"login_id": wrong}, "ログインIDは、半角の英字・数字と")
            for wrong in ("あいう😀", "a", "k a t o")
        ),
        ({"family_kana": "kana"}, "全角カタカナ"),
    ],
)
def test_a_wrong_field_says_what_is_wrong(visit, wrong, message):
    """COM-23"""
    answer = visit("facility", "hanako").post(f"{PAGE}/new", KATO | wrong)
    assert answer.status_code == 422
    assert message in answer.text


def test_who_does_not_manage_sees_the_list_and_why_not_more(visit, number, logins):
    """COM-30: the button is off with its reason; every address behind it refuses, and nothing changes."""
    visitor = visit("facility", "kenichi")
    listed = visitor.get(PAGE).text
    assert "追加・削除は、代表の方と権限のある方だけが行えます。" in listed
    assert f"{PAGE}/new" not in listed
    assert "/removal" not in listed
    hanako, before = number("hanako"), logins()
    for path in (f"{PAGE}/new", f"{PAGE}/{hanako}/removal", f"{PAGE}/{hanako}/representation"):
        assert visitor.get(path).status_code == 403, path
        assert visitor.post(path, KATO, page=PAGE.replace("members", "email")).status_code == 403, (
            path
        )
    assert logins() == before


def test_a_member_is_removed_after_a_second_look(visit, number, logins):
    """RENT-10: a look removes nobody; removed is signed out at the next click; whoever is gone is not found again."""
    visitor, gone, victim = (
        visit("facility", "hanako"),
        visit("facility", "kenichi"),
        number("kenichi"),
    )
    assert "カナリア甲 健一" in visitor.get(f"{PAGE}/{victim}/removal").text
    assert "kenichi" in logins()
    assert visitor.post(f"{PAGE}/{victim}/removal").location == PAGE
    assert "kenichi" not in logins()
    assert gone.get("/account/profile").location.startswith("/sign-in")
    assert visitor.post(f"{PAGE}/{victim}/removal", page=f"{PAGE}/new").status_code == 404


def test_who_manages_members_hands_nothing_over(visit, number, inside):
    """COM-30: 担当者の管理 alone makes nobody the representative, oneself least of all; the way is not shown."""
    with inside("facility"):
        kenichi = session().query(Member).filter_by(login_id="kenichi").one()
        kenichi.rights = "quotes,orders,billing,support,manage"
        session().commit()
    visitor = visit("facility", "kenichi")
    assert "/representation" not in visitor.get(PAGE).text
    for login_id in ("kenichi", "hanako"):
        path = f"{PAGE}/{number(login_id)}/representation"
        for answer in (visitor.get(path), visitor.post(path)):
            assert (answer.status_code, "代表の方だけ" in answer.text) == (403, True)
    with inside("facility"):
        hanako = session().query(Member).filter_by(login_id="hanako").one()
        assert hanako.is_representative
    assert "/representation" in visit("facility", "hanako").get(PAGE).text


def test_only_rights_that_one_holds_are_offered(visit, number, inside):
    """COM-30: the others of that member are named and stay, also when the form is made by hand."""
    with inside("facility"):
        for login_id, rights in (("kenichi", "support,manage"), ("kato", "orders,billing")):
            member = session().query(Member).filter_by(login_id=login_id).one_or_none()
            member = member or _colleague(login_id)
            member.rights = rights
        session().commit()
    visitor, path = visit("facility", "kenichi"), f"{PAGE}/{number('kato')}"
    form = visitor.get(path).text
    offered = re.findall(r'name="rights"[^>]*value="(\w+)"', form)
    assert offered == ["support", "manage"]
    assert "予約・発注、請求・帳票は、ご自身にない権限のため変更できません。" in form
    names = {"family_name": "加藤", "given_name": "光", "version": "1"}
    forged = visitor.post(path, names | {"rights": ["quotes"]})
    assert forged.status_code == 422
    kept = visitor.post(path, names | {"rights": ["support"]})
    assert "予約・発注、請求・帳票、お問い合わせ" in visitor.get(kept.location).text
    assert visitor.post(f"{path}/confirm", {"draft": draft(kept)}).location == f"{path}/done"
    with inside("facility"):
        saved = session().query(Member).filter_by(login_id="kato").one()
        assert saved.rights == "orders,billing,support"


def _colleague(login_id: str) -> Member:
    """A member more of the first account, in the scope that is open."""
    hanako = session().query(Member).filter_by(login_id="hanako").one()
    made = Member(
        account_id=hanako.account_id,
        login_id=login_id,
        login_key=login_id,
        email=f"{login_id}@one.example",
        family_name="加藤",
        given_name="光",
        created_at=NOW,
    )
    session().add(made)
    return made


def test_rights_taken_after_the_confirm_page_are_not_given_back(visit, number, inside):
    """COM-30: what was confirmed with 担当者の管理 is refused without it, and nothing is saved."""
    with inside("facility"):
        _colleague("kato").rights = "support"
        session().query(Member).filter_by(login_id="kenichi").one().rights = "billing,manage"
        session().commit()
    visitor, path = visit("facility", "kenichi"), f"{PAGE}/{number('kato')}"
    names = {"family_name": "加藤", "given_name": "光", "version": "1"}
    token = draft(visitor.post(path, names | {"rights": ["billing"]}))
    with inside("facility"):
        session().query(Member).filter_by(login_id="kenichi").one().rights = "billing"
        session().commit()
    assert visitor.post(f"{path}/confirm", {"draft": token}).status_code == 403
    with inside("facility"):
        assert session().query(Member).filter_by(login_id="kato").one().rights == "support"


def test_what_was_typed_for_a_member_who_is_gone_is_shown(visit, number, inside):
    """COM-23: said that nothing was saved; the form's POST and the last button alike."""
    with inside("facility"):
        _colleague("kato")
        session().commit()
    visitor, path = visit("facility", "hanako"), f"{PAGE}/{number('kato')}"
    typed = {"family_name": "加藤", "given_name": "光", "department": "製造部", "version": "1"}
    token = draft(visitor.post(path, typed))
    visitor.post(f"{path}/removal")
    for answer in (visitor.post(path, typed), visitor.post(f"{path}/confirm", {"draft": token})):
        assert answer.status_code == 404
        assert "保存できませんでした" in answer.text
        assert "製造部" in answer.text
    looked = visitor.get(path)
    assert (looked.status_code, "ページが見つかりません" in looked.text) == (404, True)


def test_who_is_invited_learns_the_login_id_the_company_and_who_invites(visit, inside):
    """RENT-10, COM-30: in the mail and on the page behind its link."""
    visitor = visit("facility", "hanako")
    token = draft(visitor.post(f"{PAGE}/new", KATO))
    visitor.post(f"{PAGE}/new/confirm", {"draft": token})
    with inside("facility"):
        mail = session().query(OutboxMail).filter_by(event="set_password").one()
    link = re.search(r"/set-password/[\w-]+", mail.body)
    assert link
    page = visit("facility").get(link[0]).text
    assert "■ログインに使うログインID\nkato" in mail.body
    assert "<dt>ログインに使うログインID</dt><dd>kato</dd>" in page
    for said in ("カナリア甲株式会社一番", "カナリア甲 花子 様"):
        assert said in mail.body
        assert said in page


def test_the_representative_hands_over(visit, number):
    """COM-30: 代表を変更, and then manages no more."""
    visitor = visit("facility", "hanako")
    assert "代表の変更" in visitor.get(f"{PAGE}/{number('kenichi')}/representation").text
    assert visitor.post(f"{PAGE}/{number('kenichi')}/representation").location == PAGE
    assert "追加・削除は、代表の方と権限のある方だけが行えます。" in visitor.get(PAGE).text


@ONE
@pytest.mark.parametrize(
    "path",
    ["/account/members/new", "/account/members/{}/removal", "/account/export", "/account/proof"],
)
def test_what_matters_asks_for_the_password_when_it_is_long_ago(visit, number, path):
    """security.md §4.17: and leads back; a form that was opened in time may still be sent half an hour later."""
    visitor, path = visit("facility", "hanako"), path.format(number("kenichi"))
    assert visitor.get(path).status_code == 200
    if path == "/account/proof":
        return
    with clock.freeze(LATER):
        asked = visitor.get(path)
        assert (asked.status_code, asked.location) == (303, f"/account/proof?next={path}")
        wrong = visitor.post(asked.location, {"password": "wrong"})
        assert (wrong.status_code, "現在のパスワードが正しくありません" in wrong.text) == (
            422,
            True,
        )
        assert visitor.get(path).status_code == 303
        right = visitor.post(asked.location, {"password": PASSWORD})
        assert (right.status_code, right.location) == (303, path)
        assert visitor.get(path).status_code == 200


@ONE
def test_proofs_are_counted(visit):
    """security.md §4.5: who guesses at the password of an open session waits."""
    visitor = visit("facility", "hanako")
    for _try in range(10):
        assert visitor.post("/account/proof", {"password": "wrong"}).status_code == 422
    tired = visitor.post("/account/proof", {"password": PASSWORD})
    assert tired.status_code == 429
    assert int(tired.headers["Retry-After"]) > 0


def test_a_neighbours_number_is_nobodys(visit, number, logins):
    """COM-02: 404 on every address, looked at or sent; nothing changes."""
    visitor, stranger, before = visit("facility", "hanako"), number("yumi"), logins()
    for what in ("removal", "representation", "invitation"):
        path = f"{PAGE}/{stranger}/{what}"
        assert visitor.post(path, page=f"{PAGE}/new").status_code == 404, path
        if what != "invitation":
            assert visitor.get(path).status_code == 404, path
    assert logins() == before


@ONE
@pytest.mark.parametrize("twin", ["studio"])
def test_an_invitation_is_sent_again_by_its_button(visit, inside, number, twin):
    """RENT-10: a second press within the minute says so, and sends nothing."""
    visitor = visit("facility", "hanako")
    token = draft(visitor.post(f"{PAGE}/new", KATO))
    visitor.post(f"{PAGE}/new/confirm", {"draft": token}, page=f"{PAGE}/new")

    def sent() -> int:
        with inside("facility"):
            return session().query(OutboxMail).filter_by(event="set_password").count()

    path, before = f"{PAGE}/{number('kato')}/invitation", sent()
    for _press in range(2):
        assert visitor.post(path, page=PAGE).location == PAGE
    assert sent() == before + 1
    assert "試行回数が多すぎます" in visitor.get(PAGE).text
    assert visit(twin, "hanako").post(path, page=PAGE).status_code == 404


EDITED = {
    "family_name": "健二",
    "given_name": "改",
    "department": "製造部",
    "telephone": "０３-１２３４-５６７８",
}


def edit(visitor, number: str, data: dict[str, str], version: str = "1") -> str:
    """Go to the confirm page of an edit; returns the draft."""
    return draft(visitor.post(f"{PAGE}/{number}", data | {"version": version}))


def test_the_representative_edits_everybody(visit, number, inside):
    """COM-30, FAC-08: in three steps; the login ID is shown and never changes; the person is told."""
    visitor, kenichi = visit("facility", "hanako"), number("kenichi")
    page = visitor.get(f"{PAGE}/{kenichi}").text
    assert "担当者情報を削除する" in page
    assert 'name="login_id"' not in page
    assert "kenichi" in page
    token = edit(visitor, kenichi, EDITED | {"login_id": "other", "email": "x@y.example"})
    assert "03-1234-5678" in visitor.get(f"{PAGE}/{kenichi}/confirm?draft={token}").text
    for _press in range(2):
        done = visitor.post(f"{PAGE}/{kenichi}/confirm", {"draft": token}, page=f"{PAGE}/{kenichi}")
        assert (done.status_code, done.location) == (303, f"{PAGE}/{kenichi}/done")
    assert "ご本人へメールでお知らせしました" in visitor.get(done.location).text
    with inside("facility"):
        kept = session().query(Member).filter_by(login_id="kenichi").one()
        assert (kept.family_name, kept.department, kept.telephone) == (
            "健二",
            "製造部",
            "0312345678",
        )
        assert (kept.email, kept.version) == ("kenichi@one.example", 2)
        told = [m.recipient for m in session().query(OutboxMail) if "会員情報" in m.subject]
        assert told == ["kenichi@one.example"]


def test_who_manages_members_renames_everybody_but_the_representative(visit, number, inside):
    """FAC-08, COM-30: mails and documents are addressed to that name; no link leads there."""
    with inside("facility"):
        _colleague("kato")
        session().query(Member).filter_by(login_id="kenichi").one().rights = "manage"
        session().commit()
    visitor, hanako = visit("facility", "kenichi"), f"{PAGE}/{number('hanako')}"
    listed = visitor.get(PAGE).text
    assert f'href="{PAGE}/{number("kato")}"' in listed
    assert f'href="{hanako}"' not in listed
    for answer in (visitor.get(hanako), visitor.post(hanako, EDITED, page=PAGE)):
        assert (answer.status_code, "ご本人だけが変更できます" in answer.text) == (403, True)
    assert visitor.get(f"{PAGE}/{number('kato')}").status_code == 200


def test_a_contact_person_edits_only_themself(visit, number):
    """FAC-08: no link to others, and their addresses answer with the reason; a stranger's is a 404."""
    visitor, own, other = visit("facility", "kenichi"), number("kenichi"), number("hanako")
    listed = visitor.get(PAGE).text
    assert f'href="{PAGE}/{own}"' in listed
    assert f'href="{PAGE}/{other}"' not in listed
    assert visitor.get(f"{PAGE}/{own}").status_code == 200
    refused = visitor.get(f"{PAGE}/{other}")
    assert (refused.status_code, "ご本人だけが変更できます" in refused.text) == (403, True)
    assert visitor.post(f"{PAGE}/{other}", EDITED, page=f"{PAGE}/{own}").status_code == 403
    for stranger in (number("yumi"), number("hanako", "studio"), "0" * 16):
        for path in ("", "/confirm", "/done"):
            assert visitor.get(f"{PAGE}/{stranger}{path}").status_code == 404


def test_two_who_edit_one_see_both_values(visit, number, inside):
    """COM-26: the second save is told, with what is there now; pressed again it goes through."""
    first, second, kenichi = (
        visit("facility", "hanako"),
        visit("facility", "kenichi"),
        number("kenichi"),
    )
    late = edit(second, kenichi, EDITED | {"department": "営業部"})
    token = edit(first, kenichi, EDITED)
    first.post(f"{PAGE}/{kenichi}/confirm", {"draft": token}, page=f"{PAGE}/{kenichi}")
    stale = second.post(f"{PAGE}/{kenichi}/confirm", {"draft": late}, page=f"{PAGE}/{kenichi}")
    assert stale.status_code == 409
    assert all(word in stale.text for word in ("営業部", "製造部", "ほかの方が先に更新しました"))
    again = edit(second, kenichi, EDITED | {"department": "営業部"}, version="2")
    second.post(f"{PAGE}/{kenichi}/confirm", {"draft": again}, page=f"{PAGE}/{kenichi}")
    with inside("facility"):
        assert session().query(Member).filter_by(login_id="kenichi").one().department == "営業部"


def test_members_are_listed_by_their_reading(visit, inside):
    """COM-30: the representative first, then 五十音順 whatever the kanji; without a reading last. CSV alike."""
    readings = [
        ("渡辺", "ワタナベ", "イチロウ"),
        ("生田", "ガモウ", "アキ"),
        ("上原", "カミハラ", "アキ"),
        ("上原", "カミハラ", "アイ"),
        ("相川", "アイカワ", "アキ"),
        ("阿部", "", ""),
    ]
    with inside("facility"):
        hanako = session().query(Member).filter_by(login_id="hanako").one()
        for place, (family, kana, given_kana) in enumerate(readings):
            session().add(
                Member(
                    account_id=hanako.account_id,
                    login_id=f"reader{place}",
                    login_key=f"reader{place}",
                    email=f"reader{place}@one.example",
                    family_name=family,
                    family_kana=kana,
                    given_kana=given_kana,
                    created_at=NOW,
                )
            )
        session().commit()
    visitor = visit("facility", "hanako")
    for path in (PAGE, f"{PAGE}.csv"):
        found = re.findall(r"(hanako|kenichi|reader\d)@one\.example", visitor.get(path).text)
        *ordered, last, very_last = dict.fromkeys(found)
        assert ordered == ["hanako", "reader4", "reader3", "reader2", "reader1", "reader0"], path
        assert {last, very_last} == {"kenichi", "reader5"}
