"""What pages of every brand call things: the act that was done, and only what the brand's sign-in asks for."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.core.actor import SYSTEM
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.auth import password_reset, passwords
from portal.shared.members import operations as members
from tests.cast import PASSWORD
from tests.support.client import Visitor
from tests.support.contracts import contract_of

ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ADDRESS = {
    "name": "一番商事",
    "postal_code": "1440035",
    "prefecture": "東京都",
    "city": "大田区",
    "street": "1-2-3",
    "telephone": "0312345678",
}
BOOK = "/billing-addresses"


@pytest.fixture
def yamada(app, inside):
    """Signed in at the desk by address and password, with a login ID from an older system."""
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        account = accounts.add_account(tenant, by=SYSTEM, name="一番")
        person = accounts.Person(
            "山田", "太郎", "yamada@one.example", login_id="yama77", is_representative=True
        )
        hashed = passwords.hash_password(PASSWORD)
        made = accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
        contract_of(tenant, account, made)
        number = members.number_of(made)
        session().commit()
    visitor = Visitor(app, "desk")
    visitor.post("/sign-in", {"email": "yamada@one.example", "password": PASSWORD})
    return visitor, number


@ONE
def test_only_what_the_sign_in_asks_for_is_named(yamada, app, inside):
    """COM-10, COM-11: by address and password there is no login ID, on no page and in no refusal."""
    visitor, number = yamada
    page = visitor.get(f"/account/members/{number}").text
    assert "yamada@one.example" in page
    assert "ログインID" not in page
    assert "yama77" not in page
    assert "ログインID" not in visitor.get("/account/password").text
    tenant = app.extensions["tenants"].current().by_key["desk"]
    with inside("desk"):
        made = session().scalars(select(Member).where(Member.login_id == "yama77")).one()
        who = password_reset._context_of(tenant, made)
        rules = tenant.sign_in.password
        passwords.check("quiet-yama77-River-9", rules=rules, who=who)
        with pytest.raises(RuleBroken, match="メールアドレス"):
            passwords.check("quiet-yamada-River-9", rules=rules, who=who)


@ONE
def test_what_was_typed_for_a_chat_goes_along_to_the_form(yamada):
    """SUP-11, COM-23: nobody types it twice."""
    visitor, _number = yamada
    typed = {"category": "other", "body": "画面が真っ白です。", "step": "form"}
    answer = visitor.post("/chat", typed)
    assert answer.status_code == 303
    page = visitor.get(answer.location).text
    assert answer.location.startswith("/inquiries/new?draft=")
    assert "画面が真っ白です。" in page


@ONE
def test_an_address_that_is_changed_ends_with_the_word_for_it(visit):
    """COM-22, COM-24: 変更 for what was there, with the numbers written as people write them."""
    hanako = visit("facility", "hanako")

    def save(page: str, typed: dict[str, str]) -> tuple[str, str]:
        """The confirm page and the last one."""
        kept = hanako.post(page, typed).location
        token = {"draft": kept.rpartition("=")[2]}
        confirm = hanako.get(kept).text
        return confirm, hanako.get(hanako.post(f"{page}/confirm", token).location).text

    confirm, done = save(f"{BOOK}/new", ADDRESS)
    assert "登録する</button>" in confirm
    assert "登録が完了しました" in done
    listed = hanako.get(BOOK).text
    path = listed.partition(f'href="{BOOK}/')[2]
    number = next(
        part.partition('"')[0]
        for part in listed.split(f'href="{BOOK}/')[1:]
        if "一番商事" in part.partition("</a>")[0]
    )
    assert path
    form = hanako.get(f"{BOOK}/{number}").text
    assert 'value="144-0035"' in form
    assert 'value="03-1234-5678"' in form
    confirm, done = save(f"{BOOK}/{number}", ADDRESS | {"version": "1", "building": "2階"})
    assert "変更する</button>" in confirm
    assert "変更が完了しました" in done
    assert "登録が完了しました" not in done


@ONE
def test_a_missing_right_is_no_mistake_in_what_was_typed(visit):
    """COM-30: the title says that it cannot be done, the text why."""
    page = visit("facility", "kenichi").get("/account/members/new")
    assert page.status_code == 403
    assert "この操作はできません" in page.text
    assert "代表の方と権限のある方だけ" in page.text
    assert "入力内容をご確認ください" not in page.text


@ONE
def test_a_dead_link_to_a_document_tells_an_outsider_whom_to_ask(visit):
    """COM-73: they have no sign-in to go back to."""
    page = visit("facility").get("/shared-documents/" + "x" * 43)
    assert page.status_code == 422
    assert "お送りした方へ再送をご依頼ください" in page.text
    assert "ログインへ戻る" not in page.text


@ONE
def test_the_change_history_says_what_it_is_about_under_a_heading(visit):
    """COM-21, COM-90: as the CSV does; on a narrow screen too."""
    page = visit("facility", "hanako").get("/account/history").text
    assert '<th scope="col">対象</th>' in page
    assert '<td data-l="対象">' in page
