"""COM-73: a document for somebody without an account: one address, some days, every use shown to the member."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.core.outbox import OutboxMail
from portal.shared.accounts.models import Account, AccountStatus
from portal.shared.documents import sharing
from portal.shared.documents.models import DocumentLink
from portal.shared.members import withdrawal
from tests.cast import NOW

LINKS = "/documents/invoice/FI000001/links"
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHO = {"email": "zeirishi@books.example"}


@pytest.fixture
def issued(run, cast):
    """The billed reservation's documents, drawn."""
    assert (
        run.invoke(args=["facility", "issue", cast.billed, "--tenant", "facility"]).exit_code == 0
    )


@pytest.fixture
def sent(issued, visit, inside):
    """Send the link by the page; gives its path."""

    def do(**typed: str) -> str:
        answer = visit("facility", "hanako").post(LINKS, WHO | {"days": "7"} | typed)
        assert answer.location == LINKS, answer.text
        with inside("facility"):
            newest = (
                select(OutboxMail)
                .where(OutboxMail.event == "document_shared")
                .order_by(OutboxMail.id.desc())
            )
            mail = session().scalars(newest).first()
            assert mail is not None
            assert mail.recipient == WHO["email"]
            found = re.search(r"http://facility\.localhost(/shared-documents/[\w-]+)", mail.body)
            assert found
            return found[1]

    return do


def test_its_recipient_opens_it_and_the_member_sees_that(sent, visit, inside):
    """COM-73, COM-90: looking opens nothing; the right address gives the very bytes; uses are counted and told."""
    path, guest, member = sent(), visit("facility"), visit("facility", "hanako")
    assert "メールアドレスを入力" in guest.get(path).text
    assert "0回" in member.get(LINKS).text
    for typed in ("zeirishi@books.example", " Zeirishi@BOOKS.example "):
        opened = guest.post(path, {"email": typed})
        assert opened.data == member.get("/documents/invoice/FI000001.pdf").data
    page = member.get(LINKS).text
    assert "2回" in page
    assert WHO["email"] in page
    history = member.get("/account/history").text
    done = history.split("<table", 1)[1]
    assert "帳票のリンクの送信" in done
    assert done.count("帳票のリンクからのダウンロード") == 2
    with inside("facility"):
        event = (
            session()
            .scalars(select(AuditEvent).where(AuditEvent.action == "document.open_link"))
            .first()
        )
        assert event is not None
        assert (event.actor_kind, event.actor_name) == ("guest", WHO["email"])


@ONE
def test_anybody_else_is_refused_and_after_five_tries_everybody(sent, visit):
    """security.md §4.5: the link alone is not enough, and its address cannot be guessed through."""
    path, guest = sent(), visit("facility")
    for _try in range(5):
        refused = guest.post(path, {"email": "other@books.example"})
        assert refused.status_code == 422
        assert "お送りしたメールアドレスと異なります" in refused.text
        assert "other@books.example" in refused.text
    assert guest.post(path, WHO).status_code == 429
    with clock.freeze(NOW + timedelta(hours=1, minutes=1)):
        assert guest.post(path, WHO).mimetype == "application/pdf"


@ONE
@pytest.mark.parametrize(
    ("days", "at", "alive"),
    [
        ("3", timedelta(days=3, seconds=-1), True),
        ("3", timedelta(days=3), False),
        ("30", timedelta(days=29), True),
    ],
)
def test_it_ends_by_itself(sent, visit, days, at, alive):
    """COM-73"""
    path = sent(days=days)
    with clock.freeze(NOW + at):
        assert (visit("facility").get(path).status_code == 200) is alive


def test_the_member_ends_it(sent, visit, inside):
    """COM-73: 無効にする; the link is dead, the page says so."""
    path, member = sent(), visit("facility", "hanako")
    with inside("facility"):
        number = sharing.number_of(session().scalars(select(DocumentLink)).one())
    assert member.post(f"{LINKS}/{number}/removal", page=LINKS).location == LINKS
    assert visit("facility").get(path).status_code == 422
    assert "無効" in member.get(LINKS).text
    assert member.post(f"{LINKS}/{'0' * 16}/removal", page=LINKS).status_code == 404


@ONE
def test_it_opens_nothing_elsewhere_nor_for_strangers(sent, visit):
    """COM-02, COM-73: not at the other brand; another account neither sees nor sends links of it."""
    path = sent()
    assert visit("studio").get(path).status_code == 422
    assert visit("studio").post(path, WHO, page="/sign-in").status_code == 422
    stranger = visit("facility", "yumi")
    assert stranger.get(LINKS).status_code == 404
    assert stranger.post(LINKS, WHO | {"days": "7"}, page="/account/profile").status_code == 404


@ONE
def test_it_dies_with_the_account_and_is_erased_with_it(sent, visit, inside, app):
    """COM-16"""
    path = sent()
    with inside("facility"):
        tenant = app.extensions["tenants"].current().by_key["facility"]
        account = session().scalars(select(Account).order_by(Account.id)).first()
        assert account is not None
        account.status = AccountStatus.WITHDRAWN
        session().commit()
    assert visit("facility").get(path).status_code == 422
    with inside("facility"):
        account = session().scalars(select(Account).order_by(Account.id)).first()
        assert account is not None
        withdrawal.erase(account, by=SYSTEM)
        session().commit()
        assert session().query(DocumentLink).count() == 0
    assert tenant.has("document_links")


@ONE
@pytest.mark.parametrize("typed", [{"email": "no address"}, {"days": "90"}, {"email": ""}])
def test_what_cannot_be_is_refused_at_its_field(issued, visit, inside, typed):
    """COM-23"""
    assert visit("facility", "hanako").post(LINKS, WHO | {"days": "7"} | typed).status_code == 422
    with inside("facility"):
        assert session().query(DocumentLink).count() == 0


@ONE
def test_where_the_tenant_has_it_off_there_is_none_of_it(issued, visit, monkeypatch, app):
    """COM-03: no link on the list, no page, no opening."""
    tenants = app.extensions["tenants"].current()
    off = tenants.by_key["facility"].model_copy(
        update={"features": tenants.by_key["facility"].features | {"document_links": False}}
    )
    member = visit("facility", "hanako")
    assert LINKS in member.get("/documents").text
    monkeypatch.setitem(tenants.by_host, "facility.localhost", off)
    assert LINKS not in member.get("/documents").text
    for path in (LINKS, "/shared-documents/x"):
        assert member.get(path).status_code == 404
