"""COM-16, COM-90: leaving in its steps, the history, one's data to take along."""

from __future__ import annotations

import io
import itertools
import json
import re
import threading
import zipfile

import pytest

from portal.core.actor import SYSTEM
from portal.core.audit import AuditEvent
from portal.core.db import session
from portal.shared.accounts.models import Account
from portal.shared.auth import operator_actions
from portal.shared.members import withdrawal
from tests.cast import PASSWORD

LEAVE = "/account/withdrawal"
ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def status(inside):
    """Where the first account stands."""

    def read() -> str:
        with inside("facility"):
            return session().query(Account).filter_by(number="C000001").one().status.value

    return read


def test_what_is_open_is_listed_and_the_button_is_off(visit, status):
    """COM-16: sent all the same, it is refused at the first step."""
    visitor = visit("facility", "hanako")
    page = visitor.get(LEAVE).text
    assert "お支払い待ちのご予約が1件あります。" in page
    assert re.search(r'aria-disabled="true"[^>]*>退会手続きへ', page)
    answer = visitor.post(LEAVE, {"reason": "x"})
    assert (answer.status_code, "お手続き中のものがあるため" in answer.text) == (422, True)
    assert status() == "active"


def test_what_was_opened_since_the_first_step_stands_in_the_way_at_the_last(
    visit, settled, inside, status
):
    """COM-16: the draft of a while ago is no permission."""
    from portal.blueprints.facility.models import Reservation

    visitor = visit("facility", "hanako")
    token = visitor.post(LEAVE, {"reason": "x"}).location.rpartition("=")[2]
    with inside("facility"):
        session().query(Reservation).filter_by(number="FR000002").update(
            {"status": "billed", "paid_at": None}
        )
        session().commit()
    answer = visitor.post(f"{LEAVE}/confirm", {"draft": token, "password": PASSWORD}, page=LEAVE)
    assert (answer.status_code, "お手続き中のものがあるため" in answer.text) == (422, True)
    assert status() == "active"


def test_what_is_open_leads_to_a_list_of_just_these(visit):
    """COM-16: how many there are, what to do about them, and a link; the list shows as many."""
    visitor = visit("facility", "hanako")
    page = visitor.get(LEAVE).text
    item = r'<li>\s*<a href="(/facility/reservations[^"]+)">[^<]*?([0-9]+)件あります。</a>\s*<div>([^<]+)'
    found = re.findall(item, page)
    assert [remedy[:2] for _href, _count, remedy in found] == ["ご利", "お支"]
    for href, count, _remedy in found:
        assert f"全{count}件中" in visitor.get(href).text, href


def test_leaving_takes_three_steps_and_the_password(visit, settled, status):
    """COM-16: the reason is kept on the way back; wrong passwords do nothing; then everybody is out."""
    visitor, other = visit("facility", "hanako"), visit("facility", "kenichi")
    kept = visitor.post(LEAVE, {"reason": "移転のため"})
    assert "移転のため" in visitor.get(kept.location).text
    assert "移転のため" in visitor.get(kept.location.replace("/confirm", "")).text
    token = kept.location.rpartition("=")[2]
    for password in ("wrong", ""):
        answer = visitor.post(
            f"{LEAVE}/confirm", {"draft": token, "password": password}, page=LEAVE
        )
        assert answer.status_code == 422
    assert status() == "active"
    gone = visitor.post(f"{LEAVE}/confirm", {"draft": token, "password": PASSWORD}, page=LEAVE)
    assert gone.location == f"{LEAVE}/done"
    assert "portal=;" in gone.headers["Set-Cookie"]
    assert "これまでご利用いただき" in visitor.get(f"{LEAVE}/done").text
    assert status() == "withdrawn"
    assert other.get("/account/profile").location.startswith("/sign-in")


@ONE
def test_who_is_not_the_representative_reads_why_not(visit, settled, status):
    """COM-16"""
    visitor = visit("facility", "kenichi")
    assert "退会のお手続きは、代表の方だけが行えます。" in visitor.get(LEAVE).text
    assert LEAVE not in visitor.get("/account/profile").text
    assert LEAVE in visit("facility", "hanako").get("/account/profile").text


def test_the_history_shows_what_concerns_the_reader(visit):
    """COM-90: the representative everything of the account, others themselves, nobody a neighbour's."""
    visit("facility", "kenichi")
    visit("facility", "yumi")
    whole = visit("facility", "hanako").get("/account/history").text.split("<table", 1)[1]
    assert "kenichi" in whole
    assert "ご予約の受付" in whole
    assert "yumi" not in whole
    own = visit("facility", "kenichi").get("/account/history").text.split("<table", 1)[1]
    assert "hanako" not in own
    assert "ご予約の受付" not in own
    assert own.count("ログイン") > 1


def test_the_data_are_a_zip_of_what_is_ones_own(visit, inside):
    """COM-16, COM-73: no secret, no neighbour; whoever does not represent takes themself alone; it is audited."""

    def taken(login_id: str) -> zipfile.ZipFile:
        answer = visit("facility", login_id).post("/account/export")
        assert answer.mimetype == "application/zip"
        return zipfile.ZipFile(io.BytesIO(answer.data))

    whole, own = taken("hanako"), taken("kenichi")
    assert {"account.json", "history.csv", "reservations.csv"} <= set(whole.namelist())
    assert set(own.namelist()) == {"account.json", "history.csv"}
    data = json.loads(whole.read("account.json"))
    assert [m["login_id"] for m in data["members"]] == ["hanako", "kenichi"]
    assert [m["login_id"] for m in json.loads(own.read("account.json"))["members"]] == ["kenichi"]
    everything = b"".join(whole.read(name) for name in whole.namelist()).decode()
    assert not re.search("argon2|password_hash|totp|yumi|FR000004", everything)
    assert "FR000001" in whole.read("reservations.csv").decode()
    with inside("facility"):
        assert session().query(AuditEvent).filter_by(action="member.export").count() == 2


def test_what_operators_sort_their_customers_by_is_not_in_the_data(visit, inside):
    """COM-16, COM-60: tags are the brand's notes on a customer, as is what it says of them in the trail."""
    with inside("facility"):
        account = session().query(Account).order_by(Account.id).limit(1).one()
        operator_actions.set_tags(account, ["slow-payer"], by=SYSTEM)
        session().commit()
    answer = visit("facility", "hanako").post("/account/export")
    whole = zipfile.ZipFile(io.BytesIO(answer.data))
    everything = b"".join(whole.read(name) for name in whole.namelist()).decode()
    assert "slow-payer" not in everything
    assert "tags" not in json.loads(whole.read("account.json"))["account"]


def test_nobody_waits_to_write_while_ones_data_are_packed(visit, inside, monkeypatch):
    """COM-90: the documents of many years take a while."""
    really = vars(withdrawal)["write_zip"]
    written: list[str] = []

    def write() -> None:
        with inside("facility"):
            session().query(Account).filter_by(number="C000001").update({"building": "別館"})
            session().commit()
            written.append("別館")

    def pack(entries, at):
        first = next(entries)
        other = threading.Thread(target=write)
        other.start()
        other.join(4)
        assert written
        return really(itertools.chain([first], entries), at)

    monkeypatch.setattr(withdrawal, "write_zip", pack)
    answer = visit("facility", "hanako").post("/account/export")
    assert answer.status_code == 200
    assert zipfile.ZipFile(io.BytesIO(answer.data)).testzip() is None
