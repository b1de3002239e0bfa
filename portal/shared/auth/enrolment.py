"""Adding accounts and members, and finding them: by an operator, by the demo, from CSV (OPS-13, RENT-27)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from portal.core import (
    Actor,
    NumberFormat,
    Tenant,
    audit,
    clock,
    csvio,
    msgid,
    numbering,
    session,
    text,
)
from portal.core.errors import NotFound, RuleBroken, need
from portal.shared.auth import passwords, rights
from portal.shared.auth.models import (
    USUAL_RIGHTS,
    Account,
    AccountStatus,
    Member,
    MemberStatus,
    login_key,
)

_ACCOUNT_NUMBER = NumberFormat(prefix="C", digits=6)
REQUIRED = ("会員番号", "メールアドレス", "姓", "名")
OPTIONAL = (
    "会社名",
    "ログインID",
    "セイ",
    "メイ",
    "部署名",
    "電話番号",
    "代表",
    "パスワードハッシュ",
)
_USED = msgid("このログインIDまたはメールアドレスは、すでに使われています。")
_UNAVAILABLE = {
    "login_id": msgid("このログインIDは、すでに使われています。別のログインIDを入力してください。"),
    "email": msgid(
        "このメールアドレスは登録できません。別のメールアドレスを入力するか、お問い合わせください。"
    ),
}
_COLLEAGUES = msgid("このメールアドレスの方は、すでに登録されています。")
_NUMBER = re.compile(r"[A-Za-z0-9._-]+")
_YES, _NO = ("1", "○", "代表"), ("", "0", "×")
_MOST_MEMORY = 256 * 1024  # KiB; a hash that takes more would take the server with it
_MOST_PASSES = 20


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
    rights.require_held(by, person.rights)
    member = Member(
        account_id=account.id,
        login_key=login_key(tenant.sign_in.items, login_id=person.login_id, email=person.email),
        password_hash=password_hash,
        created_at=clock.now(),
        **asdict(person),
    )
    field = "email" if "email" in tenant.sign_in.items else "login_id"
    with unique_login(field, _UNAVAILABLE[field] if by.kind == "member" else _USED):
        session().add(member)
    audit.record("member.add", member, by=by, email=person.email)
    return member


@contextmanager
def unique_login(field: str, message: str = _USED) -> Iterator[None]:
    """Do inside what gives a member a sign-in name: the database decides; RuleBroken at `field` if it is taken."""
    try:
        with session().begin_nested():
            yield
    except IntegrityError:
        raise RuleBroken(message, field=field) from None


def require_free(tenant: Tenant, account_id: int, *, login_id: str, email: str) -> None:
    """Refuse a sign-in name that somebody has, before it is tried. Raises RuleBroken at "login_id" or "email".

    A login ID is anybody's to choose, so that one is told that it is taken. An e-mail address is a person's: whether
    it is another customer's is not said, only that it cannot be registered here; a colleague's is named as such. The
    database decides in the end (`unique_login`).
    """
    items = tenant.sign_in.items
    field = "login_id" if items == "login_id_password" else "email"
    found = select(Member.account_id).where(Member.status != MemberStatus.REMOVED)
    if items == "login_id_email_password":  # one login ID for the account: only colleagues share it
        found = found.where(
            Member.account_id == account_id, func.lower(Member.email) == email.casefold()
        )
    else:
        found = found.where(Member.login_key == login_key(items, login_id=login_id, email=email))
    holder = session().scalars(found.limit(1)).one_or_none()
    if holder is None:
        return
    is_colleagues = field == "email" and holder == account_id
    raise RuleBroken(_COLLEAGUES if is_colleagues else _UNAVAILABLE[field], field=field)


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


_Line = tuple[str, str, Person, str]
"""会員番号, 会社名 where the account is new, who, and the password hash of a member to be."""


def import_members(tenant: Tenant, data: bytes, *, by: Actor) -> tuple[int, int]:
    """Import members; returns how many were added and how many were known. The caller commits.

    A 会員番号 that is new makes the account, by its 会社名. Who brings a password hash along must change the password
    after the first sign-in; who does not waits for a link. Raises CsvMistakes, having changed nothing.
    """
    rows = csvio.read_csv(data, REQUIRED + OPTIONAL, optional=OPTIONAL)
    lines = csvio.collect(rows, partial(_read, tenant, set(), {}))
    new = [line for line in lines if line is not None]
    for number, company, person, password_hash in new:
        account = account_with(number) or add_account(tenant, by=by, number=number, name=company)
        added = add_member(tenant, account, person, by=by, password_hash=password_hash)
        added.must_change_password = bool(password_hash)
    if new:
        audit.record("member.import", f"import:{len(new)}", by=by, added=len(new))
    return len(new), len(lines) - len(new)


def _read(
    tenant: Tenant, keys: set[str], companies: dict[str, str], row: csvio.Row
) -> _Line | None:
    """One line, or None for a member who is there already. `keys` and `companies` are of the lines before."""
    number = row.text("会員番号", 20, required=True)
    if not _NUMBER.fullmatch(number):
        raise RuleBroken("半角の英数字で入力してください。", field="会員番号")
    person, password_hash = _person(row), _password_hash(row)
    if "login_id" in tenant.sign_in.items and not person.login_id:
        raise RuleBroken("入力してください。", field="ログインID")
    key = login_key(tenant.sign_in.items, login_id=person.login_id, email=person.email)
    if key in keys:
        raise RuleBroken("同じログインIDまたはメールアドレスが前の行にあります。")
    keys.add(key)
    found = session().scalars(select(Member).where(Member.login_key == key)).one_or_none()
    if found is None:
        return number, _company(row, number, companies), person, password_hash
    account = session().get_one(Account, found.account_id)
    if account.number != number:
        raise RuleBroken("このログインIDまたはメールアドレスは、ほかの会員が使っています。")
    return None


def _company(row: csvio.Row, number: str, companies: dict[str, str]) -> str:
    """The name of the account to be made; "" where there is one. The first line with a number names it."""
    company, account = row.text("会社名", 100), account_with(number)
    if account is not None and account.status != AccountStatus.ACTIVE:
        raise RuleBroken("この会員は退会しています。", field="会員番号")
    if account is not None:
        return ""
    known = companies.setdefault(number, company)
    if not known:
        del companies[number]
        raise RuleBroken(
            "この会員番号はありません。会社名を入力すると登録されます。", field="会社名"
        )
    if company not in ("", known):
        raise RuleBroken("前の行の会社名と異なります。", field="会社名")
    return known


def _person(row: csvio.Row) -> Person:
    role = row.text("代表", 10)
    if role not in (*_YES, *_NO):
        raise RuleBroken("1 または空欄にしてください。", field="代表")
    return Person(
        row.text("姓", 40, required=True),
        row.text("名", 40),
        row.take("メールアドレス", text.email),
        login_id=row.text("ログインID", 60),
        family_kana=_kana(row, "セイ"),
        given_kana=_kana(row, "メイ"),
        department=row.text("部署名", 80),
        telephone=row.take("電話番号", text.telephone) if row.values["電話番号"].strip() else "",
        is_representative=role in _YES,
    )


def _kana(row: csvio.Row, column: str) -> str:
    row.text(column, 60)
    return row.take(column, text.katakana)


def _password_hash(row: csvio.Row) -> str:
    value = row.values["パスワードハッシュ"].strip()
    if value and not (len(value) <= 200 and (passwords.is_legacy(value) or _is_argon2(value))):
        raise RuleBroken("この形式のパスワードハッシュは使えません。", field="パスワードハッシュ")
    return value


def _is_argon2(value: str) -> bool:
    try:
        costs = extract_parameters(value)
    except (InvalidHashError, ValueError):
        return False
    return costs.memory_cost <= _MOST_MEMORY and costs.time_cost <= _MOST_PASSES
