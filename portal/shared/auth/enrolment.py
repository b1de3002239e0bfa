"""Adding accounts and members, and finding them: by an operator, by the demo (OPS-13)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.core import Actor, NumberFormat, Tenant, audit, clock, numbering, session, text
from portal.core.errors import NotFound, RuleBroken, need
from portal.shared.auth.models import USUAL_RIGHTS, Account, Member, MemberStatus, login_key

_ACCOUNT_NUMBER = NumberFormat(prefix="C", digits=6)


@dataclass(frozen=True, slots=True)
class Person:
    """A member to be: names, what they sign in with, how they are reached."""

    family_name: str
    given_name: str
    email: str
    login_id: str = ""
    family_kana: str = ""
    given_kana: str = ""
    department: str = ""
    telephone: str = ""
    is_representative: bool = False
    rights: str = ",".join(USUAL_RIGHTS)


def add_account(tenant: Tenant, *, by: Actor, number: str = "", **values: Any) -> Account:
    """Add an account with the next public number, or the one it brings along (OPS-13). The caller commits."""
    style = tenant.numbers.get("account", _ACCOUNT_NUMBER)
    number = number or numbering.next_number("account", style, Account.number)
    account = Account(number=number, created_at=clock.now(), **values)
    session().add(account)
    session().flush()
    audit.record("account.add", account, by=by, name=account.name)
    return account


def add_member(
    tenant: Tenant, account: Account, person: Person, *, by: Actor, password_hash: str = ""
) -> Member:
    """Add a member; what must be unique at this brand's sign-in is. The caller commits. Raises RuleBroken."""
    if "login_id" in tenant.sign_in.items and not text.normalise(person.login_id):
        raise RuleBroken("ログインIDを入力してください。", field="login_id")
    member = Member(
        account_id=account.id,
        login_key=login_key(tenant.sign_in.items, login_id=person.login_id, email=person.email),
        password_hash=password_hash,
        created_at=clock.now(),
        **asdict(person),
    )
    with unique_login("email" if "email" in tenant.sign_in.items else "login_id"):
        session().add(member)
    audit.record("member.add", member, by=by, email=person.email)
    return member


@contextmanager
def unique_login(field: str) -> Iterator[None]:
    """Do inside what gives a member a sign-in name: the database decides; RuleBroken at `field` if it is taken."""
    try:
        with session().begin_nested():
            yield
    except IntegrityError:
        raise RuleBroken(
            "このログインIDまたはメールアドレスは、すでに使われています。", field=field
        ) from None


def account_with(number: str) -> Account | None:
    """The account with this number, if there is one."""
    return session().scalars(select(Account).where(Account.number == number)).one_or_none()


def find_account(number: str) -> Account:
    """The account with this number. Raises NotFound."""
    return need(account_with(number), NotFound("会員が見つかりません: %(number)s", number=number))


def all_accounts(limit: int = 100) -> list[Account]:
    """The accounts of the tenant in scope, oldest first."""
    return list(session().scalars(select(Account).order_by(Account.id).limit(limit)))


def find_member(who: str) -> Member:
    """The member with this login ID or e-mail. Raises NotFound, also when several share it."""
    key = who.strip()
    named = (Member.login_id == key) | (Member.email == key)
    found = (
        session()
        .scalars(select(Member).where(named, Member.status != MemberStatus.REMOVED).limit(2))
        .all()
    )
    if not key or len(found) != 1:
        raise NotFound("担当者が見つからないか、複数います: %(who)s", who=who)
    return found[0]


def representative(account: Account) -> Member:
    """The account's representative. Raises NotFound."""
    there = select(Member).where(
        Member.account_id == account.id, Member.status == MemberStatus.ACTIVE
    )
    first = there.order_by(Member.is_representative.desc(), Member.id).limit(1)
    missing = NotFound("担当者がいません: %(number)s", number=account.number)
    return need(session().scalars(first).one_or_none(), missing)
