"""OPS-01, COM-20: one tenant with two brand modules: each shows its own, neither stands in the other's way."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import select

from portal.blueprints.facility import booking
from portal.blueprints.facility.models import Facility, Reservation
from portal.blueprints.support import operations as contracts
from portal.blueprints.support.models import ContractContact
from portal.blueprints.support.operations import Registrant
from portal.config import Tenant
from portal.core import clock, gettext_noop
from portal.core.actor import SYSTEM, Actor
from portal.core.db import session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.account_hooks import DeclaredHooks
from portal.shared.accounts.models import Account, AccountStatus, Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords
from portal.shared.calendars import Event
from portal.shared.inquiries import asking, inbound
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.asking import MayNotAsk
from portal.shared.inquiries.models import Inquiry
from portal.shared.inquiries.operations import Asked, Writer
from portal.shared.members import withdrawal
from portal.web.brand import CalendarSource, inquiry_words
from tests.cast import NOW, PASSWORD
from tests.support.client import Visitor

RESERVATION = "R00000001"
CONTRACT = "CT00000001"


@pytest.fixture
def works(app: Flask) -> Tenant:
    """The tenant that has both."""
    found: Tenant = app.extensions["tenants"].current().by_key["works"]
    return found


@pytest.fixture
def people(app: Flask, works: Tenant, inside) -> dict[str, int]:
    """One account with a reservation and a contract: 山田 is the contract's contact, 伊藤 is not."""
    hashed = passwords.hash_password(PASSWORD)
    with inside("works"):
        account = accounts.add_account(works, by=SYSTEM, name="一番")
        found = {}
        for name in ("yamada", "ito"):
            person = Person(name, "", f"{name}@one.example", is_representative=name == "yamada")
            member = accounts.add_member(works, account, person, by=SYSTEM, password_hash=hashed)
            session().flush()
            found[name] = member.id
        machine = Facility(
            code="LC-01", name="レーザー加工機", hourly_price=4500, daily_price=28000
        )
        session().add(machine)
        session().flush()
        begins = NOW + timedelta(days=3)
        wanted = booking.Booking(machine, begins, begins + timedelta(hours=2), purpose="試作")
        contact = session().get_one(Member, found["yamada"])
        made = booking.create_reservation(works, account, contact, wanted, by=SYSTEM)
        contract = contracts.add_contract(works, account, "machine", date(2026, 4, 1), by=SYSTEM)
        contracts.register(works, contract, [Registrant("yamada", "", contact.email)], by=SYSTEM)
        assert (made.number, contract.number) == (RESERVATION, CONTRACT)
        session().commit()
    return found


@pytest.fixture
def yamada(app: Flask, people: dict[str, int]) -> Visitor:
    """The contact, signed in."""
    return _signed_in(app, "yamada")


def _signed_in(app: Flask, name: str) -> Visitor:
    visitor = Visitor(app, "works")
    typed = {"email": f"{name}@one.example", "password": PASSWORD}
    assert visitor.post("/sign-in", typed).status_code == 303
    return visitor


def _member(people: dict[str, int], name: str) -> Actor:
    found = session().get_one(Member, people[name])
    return Actor("member", found.name, found.id, found.account_id)


def _ask(works: Tenant, people: dict[str, int], name: str, category: str, about: str) -> Inquiry:
    found = session().get_one(Member, people[name])
    writer = Writer(found.name, found.email, found.account_id, found.id)
    asked = Asked(category, "教えてください。", about=about)
    return inquiries.ask(works, writer, asked, by=_member(people, name))


def test_com_20_the_top_page_shows_each_modules_part_under_its_heading(yamada: Visitor) -> None:
    """COM-20: both lists are there, though both call their values alike."""
    page = yamada.get("/").text
    for words in ("<h2>ご利用履歴の一覧</h2>", "<h2>ご契約と担当者</h2>", RESERVATION, CONTRACT):
        assert page.count(words) >= 1, words
    assert f"/facility/reservations/{RESERVATION}" in page
    assert f"/support/contracts/{CONTRACT}" in page
    assert "問い合わせる" in page  # what the support desk's page begins with


def test_com_20_no_two_elements_of_the_top_page_share_an_id(yamada: Visitor) -> None:
    """COM-20, COM-100: labels would belong to the other list's boxes."""
    ids = re.findall(r'\bid="([^"]+)"', yamada.get("/").text)
    assert sorted(ids) == sorted(set(ids))


def test_com_21_the_address_of_the_top_page_searches_neither_list(yamada: Visitor) -> None:
    """COM-21: a search belongs to the list's own page."""
    page = yamada.get("/?number=nothing&status=billed&page=a1.1.1").text
    assert RESERVATION in page
    assert CONTRACT in page


def test_each_place_stands_once_in_the_navigation(yamada: Visitor) -> None:
    """COM-03: the first module's word for the form that both name; the rest of both."""
    page = yamada.get("/").text
    side = page[page.index('<nav class="side"') : page.index("</nav>")]
    hrefs = re.findall(r'<a href="(/[^"]*)"', side)
    assert hrefs == list(dict.fromkeys(hrefs))
    assert {"/facility/reservations", "/support/contracts", "/inquiries/new", "/inquiries"} <= set(
        hrefs
    )
    assert "<span>お問い合わせ</span>" in side
    assert "Webから問い合わせ" not in page  # the button above says it as the navigation does


def test_a_place_is_there_as_soon_as_one_module_shows_it(
    app: Flask, yamada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-03: another module's right or feature takes nothing away."""
    brands = app.extensions["brands"]
    items = brands["facility"].navigation
    hidden = tuple(
        replace(item, feature="delivery_addresses") if "inquiry_form" in item.endpoint else item
        for item in items
    )
    monkeypatch.setitem(brands, "facility", replace(brands["facility"], navigation=hidden))
    page = yamada.get("/").text
    assert page.count('<a href="/inquiries/new">\n<svg') >= 1


def test_pages_call_the_inquiries_as_the_navigation_does(app: Flask, works: Tenant) -> None:
    """SUP-13: the first module that has a word for a page gives it."""
    with app.test_request_context():
        words = inquiry_words(works)
    assert (words.form, words.history) == ("お問い合わせ", "マイアクティビティ")


def test_com_20_a_card_that_two_modules_show_stands_once(
    app: Flask, yamada: Visitor, works: Tenant, inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-20"""
    brands = app.extensions["brands"]
    shown = brands["facility"].attention
    with inside("works"):
        _reservation().total = 5000
        session().commit()
    monkeypatch.setitem(brands, "support", replace(brands["support"], attention=shown))
    assert yamada.get("/").text.count("payment=unpaid") == 1


def _reservation() -> Reservation:
    return session().scalars(select(Reservation)).one()


def test_fac_11_each_module_with_events_has_a_feed_of_its_own(
    app: Flask, yamada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAC-11: one secret, a feed each, both listed and called so that calendars tell them apart."""
    at = NOW + timedelta(days=9)
    visits = [Event("V1", at, at + timedelta(hours=1), "点検", "", "CONFIRMED", (NOW,))]
    brands = app.extensions["brands"]
    source = CalendarSource(gettext_noop("点検"), "visits", lambda _account: visits)
    monkeypatch.setitem(brands, "support", replace(brands["support"], calendar=source))
    page = yamada.post("/calendar").text
    feeds = re.findall(r'value="http://works\.localhost(/calendar/(\w+)/[\w-]{43}\.ics)"', page)
    assert [module for _path, module in feeds] == ["facility", "support"]
    found = {
        module: Calendar.from_ical(Visitor(app, "works").get(path).data) for path, module in feeds
    }
    numbers = {
        module: [str(one["UID"]).partition("@")[0] for one in parsed.walk("VEVENT")]
        for module, parsed in found.items()
    }
    assert numbers == {"facility": [RESERVATION], "support": ["V1"]}
    names = {str(parsed["X-WR-CALNAME"]) for parsed in found.values()}
    assert names == {"試験工房 ご予約", "試験工房 点検"}


def test_sup_10_a_category_offers_its_own_modules_numbers(yamada: Visitor) -> None:
    """SUP-10, FAC-05: contracts where it is about a contract, reservations where about one."""
    change = yamada.get("/inquiries/new?category=change").text
    assert f'value="{RESERVATION}"' in change
    assert f'value="{CONTRACT}"' not in change
    machine = yamada.get("/inquiries/new?category=machine").text
    assert f'value="{CONTRACT}"' in machine
    assert f'value="{RESERVATION}"' not in machine


@pytest.mark.parametrize(("category", "about"), [("change", RESERVATION), ("machine", CONTRACT)])
def test_com_50_an_inquiry_about_each_arrives(
    yamada: Visitor, inside, category: str, about: str
) -> None:
    """COM-50"""
    typed = {"category": category, "about": about, "body": "教えてください。", "agreed": "y"}
    typed |= {"f_day": "2026-12-01"} if category == "change" else {}
    kept = yamada.post("/inquiries/new", typed)
    assert kept.status_code == 303, kept.text
    done = yamada.post("/inquiries/new/confirm", {"draft": kept.location.rpartition("=")[2]})
    assert done.location == "/inquiries/new/done"
    with inside("works"):
        made = session().scalars(select(Inquiry)).one()
        assert (made.category, made.about) == (category, about)


def test_com_50_anothers_number_is_refused_at_the_field(yamada: Visitor) -> None:
    """COM-50, FAC-05"""
    typed = {"category": "change", "about": CONTRACT, "body": "変更", "agreed": "y"}
    answer = yamada.post("/inquiries/new", typed | {"f_day": "2026-12-01"})
    assert answer.status_code == 422
    assert "一覧から選択してください。" in answer.text


def test_sup_01_who_is_no_contact_asks_about_reservations_alone(
    works: Tenant, people: dict[str, int], inside
) -> None:
    """SUP-01: the contract's rule keeps nobody from asking about a machine they reserved."""
    with inside("works"):
        assert _ask(works, people, "ito", "change", RESERVATION).about == RESERVATION
        assert _ask(works, people, "ito", "other", "").about == ""
        with pytest.raises(MayNotAsk):
            _ask(works, people, "ito", "machine", CONTRACT)
        with pytest.raises(MayNotAsk):  # the number is the contract's, whatever the category
            _ask(works, people, "ito", "other", CONTRACT)
        assert _ask(works, people, "yamada", "machine", "").about == CONTRACT


def test_sup_01_the_form_is_open_to_who_is_no_contact(app: Flask, people: dict[str, int]) -> None:
    """SUP-01"""
    ito = _signed_in(app, "ito")
    assert ito.get("/inquiries/new").status_code == 200
    assert ito.get(f"/support/contracts/{CONTRACT}").status_code == 200
    answer = ito.post(
        "/inquiries/new",
        {"category": "machine", "about": CONTRACT, "body": "動きません", "agreed": "y"},
    )
    assert answer.status_code == 422


def test_com_02_another_account_sees_neither_modules_records(
    app: Flask, works: Tenant, people: dict[str, int], inside
) -> None:
    """COM-02: what is not yours does not exist, whichever module it is of."""
    with inside("works"):
        account = accounts.add_account(works, by=SYSTEM, name="二番")
        person = Person("suzuki", "", "suzuki@one.example", is_representative=True)
        hashed = passwords.hash_password(PASSWORD)
        accounts.add_member(works, account, person, by=SYSTEM, password_hash=hashed)
        session().commit()
    suzuki = _signed_in(app, "suzuki")
    for path in (f"/facility/reservations/{RESERVATION}", f"/support/contracts/{CONTRACT}"):
        assert suzuki.get(path).status_code == 404
    for path in ("/", "/facility/reservations.csv", "/support/contracts.csv", "/inquiries/new"):
        page = suzuki.get(path)
        assert page.status_code == 200
        assert RESERVATION not in page.text
        assert CONTRACT not in page.text


def test_sup_12_mail_of_who_is_no_contact_becomes_an_inquiry(
    works: Tenant, people: dict[str, int], inside
) -> None:
    """SUP-12: it comes in under その他, which no module's rule is for."""
    raw = b"From: ito@one.example\r\nTo: works@works.example\r\nSubject: x\r\nMessage-ID: <1@x>\r\n\r\nx"
    with inside("works"):
        outcome = inbound.receive(works, raw, envelope_from="ito@one.example")
        assert outcome is inbound.Outcome.BEGUN
        session().commit()


def test_sup_11_a_chat_is_about_either_module_or_neither(
    app: Flask, people: dict[str, int]
) -> None:
    """SUP-11"""
    with clock.freeze(clock.local(2026, 11, 24, 10)):
        yamada = _signed_in(app, "yamada")
        page = yamada.get("/chat").text
        assert RESERVATION in page
        assert CONTRACT in page
        typed = {"category": "change", "about": "", "body": "こんにちは", "agreed": "y"}
        assert yamada.post("/chat", typed).status_code == 303


def test_com_16_leaving_asks_both_modules(works: Tenant, people: dict[str, int], inside) -> None:
    """COM-16: what either has open keeps one from leaving, and what either loses is said."""
    with inside("works"):
        account = session().scalars(select(Account)).one()
        open_links = {one.link.endpoint for one in withdrawal.open_business(works, account)}
        assert open_links == {"facility.reservations"}
        losses = [str(message) for message in withdrawal.losses(works, account)]
        assert any(CONTRACT in message for message in losses)
        _ask(works, people, "yamada", "machine", CONTRACT)
        open_links = {one.link.endpoint for one in withdrawal.open_business(works, account)}
        assert open_links == {"facility.reservations", "inquiries.index"}


def test_com_16_the_export_holds_what_both_keep_each_file_once(yamada: Visitor) -> None:
    """COM-16"""
    answer = yamada.post("/account/export")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as made:
        names = made.namelist()
    assert {"reservations.csv", "contracts.csv", "inquiries.csv"} <= set(names)
    assert len(names) == len(set(names))


def test_com_16_a_file_that_two_modules_export_is_there_once(
    app: Flask, works: Tenant, yamada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COM-16: an account's documents belong to every module that has orders."""
    hooks = app.extensions["services"][DeclaredHooks].by_module
    monkeypatch.setitem(hooks, "support", hooks["facility"])
    with zipfile.ZipFile(io.BytesIO(yamada.post("/account/export").data)) as made:
        assert made.namelist().count("reservations.csv") == 1


def test_com_16_erasing_takes_what_both_keep(works: Tenant, people: dict[str, int], inside) -> None:
    """COM-16"""
    with inside("works"):
        account = session().scalars(select(Account)).one()
        account.status = AccountStatus.WITHDRAWN
        session().flush()
        withdrawal.erase(account, by=SYSTEM)
        session().commit()
        assert _reservation().contact["email"] == ""
        assert session().scalars(select(ContractContact)).all() == []


def test_sup_14_products_are_searched_by_beside_reservations(
    works: Tenant, people: dict[str, int], inside
) -> None:
    """SUP-13, SUP-14"""
    with inside("works"):
        account = session().scalars(select(Account)).one()
        assert [one.label for one in asking.products(works, account.id).values()] == ["工作機"]


def test_ops_01_a_category_of_a_module_that_is_off_is_a_mistake(works: Tenant) -> None:
    """OPS-01: told with what was probably meant."""
    table = works.model_dump(exclude={"key"})
    table["inquiries"]["categories"][0]["module"] = "facilty"
    with pytest.raises(ValueError, match="did you mean 'facility'"):
        type(works)(key="works", **table)


def test_ops_01_the_category_for_everything_else_is_of_no_module(works: Tenant) -> None:
    """OPS-01, SUP-12: mail that comes in and what operators begin stand under it."""
    table = works.model_dump(exclude={"key"})
    table["inquiries"]["categories"][-1]["module"] = "support"
    with pytest.raises(ValueError, match="for everything else"):
        type(works)(key="works", **table)


def test_cli_each_modules_commands_work_on_its_own(run, people: dict[str, int]) -> None:
    """OPS-10: either by its group: the one's worklist, the other's contacts."""
    listed = run.invoke(args=["facility", "list", "--tenant", "works"])
    assert (listed.exit_code, RESERVATION in listed.output) == (0, True), listed.output
    shown = run.invoke(args=["support", "show", CONTRACT, "--tenant", "works"])
    assert (shown.exit_code, "yamada" in shown.output) == (0, True), shown.output


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with clock.freeze(NOW):
        yield
