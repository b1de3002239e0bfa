"""Adding accounts and members, and finding them: by an operator, by the demo (OPS-13)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from portal.config import NumberFormat, Tenant
from portal.core import Actor, audit, clock, gettext_noop, numbering, session, text
from portal.core.errors import NotFound, RuleBroken, require
from portal.shared.accounts import rights
from portal.shared.accounts.models import USUAL_RIGHTS, Account, Member, MemberStatus, login_key

_ACCOUNT_NUMBER = NumberFormat(prefix="C", digits=6)
_USED = gettext_noop("このログインIDまたはメールアドレスは、すでに使われています。")
_UNAVAILABLE = {
    "login_id": gettext_noop(
        "このログインIDは、すでに使われています。別のログインIDを入力してください。"
    ),
    "email": gettext_noop(
        "このメールアドレスは登録できません。別のメールアドレスを入力するか、お問い合わせください。"
    ),
}
_COLLEAGUES = gettext_noop("このメールアドレスの方は、すでに登録されています。")


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


def add_account(tenant: Tenant, *, by: Actor, number: str = "", **values: str) -> Account:
    """Add an account with the next public number, or the one it brings along (OPS-13).

    `values` are its columns: name, address, telephone. The caller commits.
    """
    style = tenant.numbers.get("account", _ACCOUNT_NUMBER)
    # Customers of an older system keep their numbers; new ones pass over those that are taken.
    number = number or numbering.next_number("account", style, Account.number)
    account = Account(number=number, created_at=clock.now(), **values)
    session().add(account)
    session().flush()
    audit.record("account.add", account, by=by, name=account.name)
    return account


def add_member(
    tenant: Tenant, account: Account, person: Person, *, by: Actor, password_hash: str = ""
) -> Member:
    """Add a member; what must be unique at this brand's sign-in is.

    The caller commits. Raises RuleBroken.
    """
    if "login_id" in tenant.sign_in.items:
        _check_login_id(account, person.login_id)
    rights.require_held(by, person.rights)
    member = Member(
        account_id=account.id,
        login_key=login_key(tenant.sign_in.items, login_id=person.login_id, email=person.email),
        password_hash=password_hash,
        created_at=clock.now(),
        **asdict(person),
    )
    field = "email" if "email" in tenant.sign_in.items else "login_id"
    # Customers do not learn whose an address is; operators may know that it is used.
    message = _UNAVAILABLE[field] if by.kind == "member" else _USED
    with unique_login(field, message):
        session().add(member)
    audit.record("member.add", member, by=by, email=person.email)
    return member


def _check_login_id(account: Account, login_id: str) -> None:
    """Refuse a new login ID that is not of the stated format.

    One that the account has already stays good (RENT-01). Raises RuleBroken at "login_id".
    """
    if not text.normalise(login_id):
        raise RuleBroken("ログインIDを入力してください。", field="login_id")
    shared = select(Member.id).where(Member.account_id == account.id, Member.login_id == login_id)
    if session().scalar(shared.limit(1)) is None:
        check_login_id(login_id)


def check_login_id(login_id: str) -> None:
    """Refuse a login ID that is not of the stated format. Raises RuleBroken at "login_id"."""
    try:
        text.login_id(login_id)
    except ValueError:
        raise RuleBroken(text.LOGIN_ID_FORMAT, field="login_id") from None


@contextmanager
def unique_login(field: str, message: str = _USED) -> Iterator[None]:
    """Do inside what gives a member a sign-in name: the database decides.

    Raises RuleBroken at `field` if it is taken.
    """
    # In a savepoint, so that after a refusal the rest of the transaction can still be used.
    try:
        with session().begin_nested():
            yield
    except IntegrityError:
        raise RuleBroken(message, field=field) from None


def require_free(tenant: Tenant, account_id: int, *, login_id: str, email: str) -> None:
    """Refuse a sign-in name that somebody has, before it is tried.

    Raises RuleBroken at "login_id" or "email". A login ID is anybody's to choose, so that one is
    told that it is taken. An e-mail address is a person's: whether it is another customer's is not
    said, only that it cannot be registered here; a colleague's is named as such. The database
    decides in the end (`unique_login`).
    """
    items = tenant.sign_in.items
    field = "login_id" if items == "login_id_password" else "email"
    found = select(Member.account_id).where(Member.status != MemberStatus.REMOVED)
    # One login ID for the account: only its colleagues share that, so only their addresses count.
    if items == "login_id_email_password":
        found = found.where(
            Member.account_id == account_id, func.lower(Member.email) == email.casefold()
        )
    else:
        found = found.where(Member.login_key == login_key(items, login_id=login_id, email=email))
    holder = session().scalars(found.limit(1)).one_or_none()
    if holder is None:
        return
    if field == "email" and holder == account_id:
        raise RuleBroken(_COLLEAGUES, field=field)
    raise RuleBroken(_UNAVAILABLE[field], field=field)


def account_with(number: str) -> Account | None:
    """The account with this number, if there is one."""
    return session().scalars(select(Account).where(Account.number == number)).one_or_none()


def find_account(number: str) -> Account:
    """The account with this number. Raises NotFound."""
    return require(
        account_with(number), NotFound("会員が見つかりません: %(number)s", number=number)
    )


def all_accounts(limit: int = 100) -> list[Account]:
    """The accounts of the tenant in scope, oldest first."""
    return list(session().scalars(select(Account).order_by(Account.id).limit(limit)))


def find_member(who: str) -> Member:
    """The member with this login ID or e-mail. Raises NotFound, also when several share it."""
    key = who.strip()
    is_named = (Member.login_id == key) | (Member.email == key)
    # Two are enough to know that there are several.
    named = select(Member).where(is_named, Member.status != MemberStatus.REMOVED).limit(2)
    found = session().scalars(named).all()
    if not key or len(found) != 1:
        raise NotFound("担当者が見つからないか、複数います: %(who)s", who=who)
    return found[0]


def representative(account: Account) -> Member:
    """The account's representative. Raises NotFound."""
    active = select(Member).where(
        Member.account_id == account.id, Member.status == MemberStatus.ACTIVE
    )
    # Whoever represents it may be locked: then the one who has been there longest stands in.
    first = active.order_by(Member.is_representative.desc(), Member.id).limit(1)
    missing = NotFound("担当者がいません: %(number)s", number=account.number)
    return require(session().scalars(first).one_or_none(), missing)
