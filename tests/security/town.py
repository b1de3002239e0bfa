"""Who lives where in the attack suite, what is theirs, and the word that gives a leak away.

At each brand two accounts: of the first, `hanako` (its representative) and `kenichi` (a member without any right); of
the second, `yumi`. Everything that the first account has carries its word; what is hanako's alone, hers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta

from flask import Flask
from sqlalchemy import ColumnElement, select, update

from portal.blueprints.facility.models import Facility, Reservation
from portal.blueprints.support.models import Contract, ContractContact, Role
from portal.config import Tenant
from portal.core import clock, file_store
from portal.core.actor import SYSTEM
from portal.core.db import session, tenant_scope
from portal.core.signer import digest
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.accounts.operations import Person
from portal.shared.auth import links, passwords
from portal.shared.auth.models import Device, MemberSession, Passkey, Registration
from portal.shared.calendars import CalendarFeed
from portal.shared.chats.models import Chat
from portal.shared.contacts import operations as contacts
from portal.shared.contacts.models import Address, Kind
from portal.shared.documents import sharing
from portal.shared.documents.models import Document, DocumentKind, DocumentLink
from portal.shared.inquiries.models import Inquiry, InquiryFile, InquiryMessage
from portal.shared.knowledge import operations as knowledge
from portal.shared.knowledge.models import Article, Stance
from portal.shared.knowledge.operations import Written
from portal.shared.members import operations as members
from portal.shared.notices import operations as notices
from tests.cast import PASSWORD

FACILITIES = ("facility", "studio")
DESKS = ("desk", "counter")
BRANDS = (*FACILITIES, *DESKS)
REPRESENTATIVE, COLLEAGUE, STRANGER = "hanako", "kenichi", "yumi"
PNG = b"\x89PNG\r\n\x1a\n"
LATER = timedelta(days=2)


def account_word(brand: str, login_id: str) -> str:
    """The word that stands in everything that an account has. Letters only: no writing escapes it."""
    return f"Q{brand}{'two' if login_id == STRANGER else 'one'}Q"


def own_word(brand: str, login_id: str) -> str:
    """The word that stands in what is one member's alone."""
    return f"Z{brand}{login_id}Z"


def email_of(brand: str, login_id: str) -> str:
    """A member's address."""
    return f"{login_id}@{brand}.example"


@dataclass
class Belongings:
    """What one member and their account have: for each name of a part of an address, what may stand there."""

    account_id: int = 0
    member_id: int = 0
    parts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, value: object) -> None:
        """Note one more value."""
        self.parts[name].append(str(value))


Town = dict[tuple[str, str], Belongings]
"""Belongings by brand and login ID."""


def settle(app: Flask) -> Town:
    """Put everybody and everything into the brands of a portal that has the cast already. Commits."""
    town: Town = {}
    tenants = app.extensions["tenants"].current().by_key
    for brand in BRANDS:
        with tenant_scope(brand):
            if brand in DESKS:
                _add_people(tenants[brand])
            _name_people(brand)
            _publish(brand)
            for login_id in (REPRESENTATIVE, COLLEAGUE, STRANGER):
                member = session().scalars(select(Member).where(_called(login_id))).one()
                found = town[brand, login_id] = Belongings(member.account_id, member.id)
                _give_own(tenants[brand], brand, login_id, found)
                if login_id != COLLEAGUE:
                    _give_account(brand, login_id, found)
            for login_id in (REPRESENTATIVE, COLLEAGUE, STRANGER):
                member = session().get_one(Member, town[brand, login_id].member_id)
                for owner in (REPRESENTATIVE, COLLEAGUE, STRANGER):
                    if town[brand, owner].account_id == member.account_id:
                        town[brand, owner].add("number", members.number_of(member))
            session().commit()
    return town


def _called(login_id: str) -> ColumnElement[bool]:
    return Member.email.like(f"{login_id}@%")


def _add_people(tenant: Tenant) -> None:
    """The people of a desk, whom the cast of the facilities does not have."""
    hashed = passwords.hash_password(PASSWORD)
    one = accounts.add_account(tenant, by=SYSTEM, name="one", telephone="0300001001")
    two = accounts.add_account(tenant, by=SYSTEM, name="two", telephone="0300001002")
    for account, login_id in ((one, REPRESENTATIVE), (one, COLLEAGUE), (two, STRANGER)):
        person = Person(
            family_name=login_id,
            given_name="x",
            email=email_of(tenant.key, login_id),
            is_representative=login_id != COLLEAGUE,
        )
        accounts.add_member(tenant, account, person, by=SYSTEM, password_hash=hashed)
    session().flush()


def _name_people(brand: str) -> None:
    """Give accounts, people and reservations the words of their owners, and profiles that may be saved."""
    place = {"postal_code": "1000001", "prefecture": "東京都", "telephone": "0312345678"}
    for login_id in (REPRESENTATIVE, COLLEAGUE, STRANGER):
        word = account_word(brand, login_id)
        member = session().scalars(select(Member).where(_called(login_id))).one()
        member.family_name = word
        member.given_name = login_id
        member.rights = "" if login_id == COLLEAGUE else member.rights
        account = session().get_one(Account, member.account_id)
        account.name = word
        account.city = word
        account.street = word
        for name, value in place.items():
            setattr(account, name, value)
        theirs = Reservation.account_id == account.id
        session().execute(update(Reservation).where(theirs).values(purpose=word, remarks=word))


def _publish(brand: str) -> None:
    """What all members of a brand may read."""
    file_store().put(PNG)
    session().execute(update(Facility).values(photo=file_store().put(PNG)))
    notices.publish("お知らせ", "本文", by=SYSTEM)
    knowledge.put(Written("guide", "勤怠", "打刻", "打刻の修正", (), "本文"), by=SYSTEM)
    session().flush()


def _give_own(tenant: Tenant, brand: str, login_id: str, found: Belongings) -> None:
    """What is a member's alone: sessions, devices, passkeys, links, a calendar, what they follow."""
    word = own_word(brand, login_id)
    now = clock.now()
    member_id = found.member_id
    opened, _token = MemberSession.issue(
        member_id=member_id, seen_at=now, proved_at=now, expires_at=now + LATER, user_agent=word
    )
    found.add("number", opened.number)
    device, _token = Device.issue(member_id=member_id, user_agent=word, seen_at=now)
    found.add("number", device.number)
    passkey = Passkey(
        member_id=member_id, credential_id=word, public_key=b"-", label=word, created_at=now
    )
    session().add(passkey)
    session().flush()
    found.add("number", passkey.number)
    for purpose in links.Purpose:
        payload = {"email": f"{word}@new.example"}
        found.add("token", links.issue(member_id, purpose, lifetime=LATER, payload=payload))
    token = f"calendar-{brand}-{login_id}"
    found.add("token", token)
    session().add(CalendarFeed(member_id=member_id, token_digest=digest(token), created_at=now))
    article = session().scalars(select(Article)).one()
    session().add(Stance(member_id=member_id, article_id=article.id, follows=True))
    found.add("token", knowledge.token_of(member_id, article.number))
    _register_somebody(f"{brand}-{login_id}", word, found)
    del tenant


def _register_somebody(name: str, word: str, found: Belongings) -> None:
    """A registration that waits for its proof; its tokens are known to who registered alone."""
    handle = f"handle-{name}"
    token = f"registration-{name}"
    found.add("handle", handle)
    found.add("token", token)
    typed = dict.fromkeys((*members.PROFILE, *members.ACCOUNT_PROFILE), "")
    session().add(
        Registration(
            email=f"{word}@register.example",
            password_hash="-",
            data=typed | {"family_name": word},
            handle=handle,
            token_digest=digest(token),
            code_digest="-",
            created_at=clock.now(),
            expires_at=clock.now() + LATER,
        )
    )


def _give_account(brand: str, login_id: str, found: Belongings) -> None:
    """What all members of an account share: addresses, threads, a chat, documents, contracts, reservations."""
    word = account_word(brand, login_id)
    for kind in Kind:
        for place in range(2):
            found.add("number", contacts.number_of(_address(found, kind, word, usual=not place)))
    for with_chat in (False, True):
        _thread(f"IQ{brand}{login_id}{with_chat:d}"[:20], word, found, with_chat=with_chat)
    for issued in DocumentKind:
        _document(f"{issued.name}-{brand}-{login_id}", issued, word, found)
    if brand in DESKS:
        _contract(brand, login_id, word, found)
    owned = select(Reservation.number).where(Reservation.account_id == found.account_id)
    for number in session().scalars(owned):
        found.add("number", number)


def _address(found: Belongings, kind: Kind, word: str, *, usual: bool) -> Address:
    made = Address(
        account_id=found.account_id,
        kind=kind,
        name=word,
        postal_code="1000001",
        prefecture="東京都",
        city=word,
        street=word,
        is_usual=usual,
        created_at=clock.now(),
    )
    session().add(made)
    session().flush()
    return made


def _thread(number: str, word: str, found: Belongings, *, with_chat: bool) -> None:
    """An inquiry with one message and one file of its own; an open chat where it is one."""
    now = clock.now()
    inquiry = Inquiry(
        number=number,
        account_id=found.account_id,
        member_id=found.member_id,
        name=word,
        email=f"{word}@one.example",
        category="other",
        label="その他",
        channel="chat" if with_chat else "web",
        created_at=now,
        updated_at=now,
    )
    session().add(inquiry)
    session().flush()
    message = InquiryMessage(
        inquiry_id=inquiry.id, by_kind="member", by_name=word, body=word, created_at=now
    )
    session().add(message)
    session().flush()
    sha256 = file_store().put(PNG + number.encode() + word.encode())
    session().add(
        InquiryFile(
            message_id=message.id, name=f"{word}.png", media_type="image/png", size=1, sha256=sha256
        )
    )
    found.add("number", number)
    found.add("sha256", sha256)
    if with_chat:
        session().add(Chat(inquiry_id=inquiry.id, account_id=found.account_id, active_at=now))


def _document(number: str, kind: DocumentKind, word: str, found: Belongings) -> None:
    """A document that is drawn, and a link to it."""
    now = clock.now()
    made = Document(
        account_id=found.account_id,
        kind=kind,
        number=number,
        about="FR000002",
        counterparty=word,
        transaction_date=date(2026, 11, 1),
        total=1000,
        content={},
        sha256=file_store().put(f"%PDF-{word}-{number}".encode()),
        issued_at=now,
        drawn_at=now,
    )
    session().add(made)
    session().flush()
    token = f"document-link-{number}"
    link = DocumentLink(
        account_id=found.account_id,
        document_id=made.id,
        recipient=f"{word}@books.example",
        made_by=word,
        token_digest=digest(token),
        created_at=now,
        expires_at=now + LATER,
    )
    session().add(link)
    session().flush()
    found.add("number", number)
    found.add("link", sharing.number_of(link))
    found.add("token", token)


def _contract(brand: str, login_id: str, word: str, found: Belongings) -> None:
    """A contract with its main contact, and a deputy where the account has a colleague."""
    now = clock.now()
    made = Contract(
        number=f"CT{brand}{login_id}",
        account_id=found.account_id,
        product="manage",
        product_label="業務",
        form_on=date(2026, 1, 1),
        created_at=now,
        registered_at=now,
    )
    session().add(made)
    session().flush()
    found.add("number", made.number)
    theirs = select(Member.id).where(Member.account_id == found.account_id)
    for member_id in session().scalars(theirs.order_by(Member.id)):
        contact = ContractContact(
            contract_id=made.id,
            account_id=found.account_id,
            member_id=member_id,
            person=word,
            role=Role.MAIN if member_id == found.member_id else Role.DEPUTY,
            created_at=now,
        )
        session().add(contact)
        session().flush()
        found.add("contact_id", contact.id)
        found.add("who", str(contact.id))
