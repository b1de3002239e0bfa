"""Members from CSV, with the accounts that are new (OPS-13, RENT-27)."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from sqlalchemy import select

from portal.config import Tenant
from portal.core import Actor, Row, RuleBroken, Stale, audit, clock, text
from portal.core.csvio import Cells
from portal.shared import imports
from portal.shared.accounts.models import Account, AccountStatus, Member, login_key, subject_of
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords

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
_STORED = {
    "family_name": "姓",
    "given_name": "名",
    "email": "メールアドレス",
    "login_id": "ログインID",
    "family_kana": "セイ",
    "given_kana": "メイ",
    "department": "部署名",
    "telephone": "電話番号",
    "is_representative": "代表",
}
"""What is stored of a member, by the column that says it."""
_NUMBER = re.compile(r"[A-Za-z0-9._-]+")
_YES = ("1", "○", "代表")
_NO = ("", "0", "×")
_MOST_MEMORY = 256 * 1024
"""KiB that checking one hash may take: more would take the server with it."""
_MOST_PASSES = 20
_TAKEN = "このログインIDまたはメールアドレスは、ほかの会員が使っています。"
_WITHDRAWN = "この会員は退会しています。"


class Members:
    """An import of members (see `imports.Importer`).

    A 会員番号 that is new makes the account, by its 会社名. Who brings a password hash along must
    change the password after the first sign-in; who does not waits for a link.
    """

    action = "member.import"
    columns = REQUIRED + OPTIONAL
    optional: Collection[str] = OPTIONAL
    printed: Collection[str] = ("会社名", "姓", "名", "部署名")

    def __init__(self, tenant: Tenant) -> None:
        self._items = tenant.sign_in.items
        self._keys: set[str] = set()
        self._companies: dict[str, str] = {}
        self._statuses: dict[str, AccountStatus] = {}
        self._names: dict[str, str] = {}
        self._known: dict[str, imports.StagedRow] = {}

    def look_up(self, rows: Sequence[Row]) -> None:
        """Which accounts there are, and what is known of those whose sign-in names are used."""
        numbers = [text.normalise(row.values["会員番号"]) for row in rows]
        accounts = select(Account.number, Account.status, Account.name)
        for number, status, name in imports.found_by(accounts, Account.number, numbers):
            self._statuses[number] = status
            self._names[number] = name
        # By what must be unique and not by number and name: a sign-in name decides who somebody is.
        keys = [self._key(row.values["ログインID"], row.values["メールアドレス"]) for row in rows]
        columns = [getattr(Member, name) for name in ("login_key", *_STORED)]
        members = select(Account.number, *columns).join(Account, Account.id == Member.account_id)
        # Compared as mail servers do: an address in capitals is the same person's.
        for found in imports.found_by(members, Member.login_key, keys):
            self._known[found.login_key] = _comparable(found._asdict())

    def _key(self, login_id: str, email: str) -> str:
        return login_key(self._items, login_id=login_id, email=email)

    def read(self, row: Row) -> imports.StagedRow | None:
        """The columns of a new member, with `number` of the account, and `company` where that is
        new as well.
        """
        cells = Cells()
        number = cells.read(_number, row)
        person = cells.read(_person, row, needs_login_id="login_id" in self._items)
        password_hash = cells.read(_password_hash, row)
        cells.require()
        # Within the file first: the database will know of these rows only when all are stored.
        key = self._key(person.login_id, person.email)
        if key in self._keys:
            raise RuleBroken("同じログインIDまたはメールアドレスが前の行にあります。")
        self._keys.add(key)
        if key in self._known:
            self._require_same(row, number, person, self._known[key])
            return None
        self._check_login_id(person.login_id, number)
        return {
            **asdict(person),
            "number": number,
            "company": self._company(row, number),
            "login_key": key,
            "password_hash": password_hash,
            "must_change_password": bool(password_hash),
        }

    def _check_login_id(self, login_id: str, number: str) -> None:
        """Refuse a new login ID that is not of the stated format. Raises RuleBroken at its column.

        Where an account's people share one (RENT-01), whoever joins an account that is there has
        that account's.
        """
        is_shared = self._items == "login_id_email_password" and number in self._statuses
        if "login_id" not in self._items or is_shared:
            return
        try:
            text.login_id(login_id)
        except ValueError:
            raise RuleBroken(text.LOGIN_ID_FORMAT, field="ログインID") from None

    def _require_same(
        self, row: Row, number: str, person: Person, known: Mapping[str, object]
    ) -> None:
        """Refuse a row about a known member that says something else; an empty cell says nothing.

        A password hash is not compared: the first sign-in replaces it. Raises RuleBroken.
        """
        if known["number"] != number:
            raise RuleBroken(_TAKEN)
        said = {name: column for name, column in _STORED.items() if row.values[column].strip()}
        cells = Cells()
        cells.read(imports.require_same, known, _comparable(asdict(person)), said)
        cells.read(self._require_name, row, number)
        cells.require()

    def _require_name(self, row: Row, number: str) -> None:
        """Refuse a 会社名 that is not the known account's; an empty cell says nothing.

        Raises RuleBroken.
        """
        company = row.text("会社名", 100, clean=text.one_line)
        if company not in ("", self._names[number]):
            raise RuleBroken(imports.OTHERWISE, field="会社名")

    def _company(self, row: Row, number: str) -> str:
        """The name of the account to be made; "" where there is one.

        The first line with a number names it.
        """
        company = row.text("会社名", 100, clean=text.one_line)
        status = self._statuses.get(number)
        if status is not None and status is not AccountStatus.ACTIVE:
            raise RuleBroken(_WITHDRAWN, field="会員番号")
        if status is not None:
            self._require_name(row, number)
            return ""
        # Not kept while it is empty: a line further down may still name the new account.
        known = self._companies.get(number, company)
        if not known:
            raise RuleBroken(
                "この会員番号はありません。会社名を入力すると登録されます。", field="会社名"
            )
        self._companies[number] = known
        if company not in ("", known):
            raise RuleBroken("前の行の会社名と異なります。", field="会社名")
        return known

    def store(self, rows: Sequence[imports.StagedRow], *, by: Actor) -> None:
        """Insert them, their accounts first; an event for each of both.

        Raises Stale for a customer who left.
        """
        now = clock.now()
        made = [
            {"number": number, "name": name, "created_at": now}
            for number, name in self._new_accounts(rows)
        ]
        # Accounts first, and read back with their new ids, which their members' rows point at.
        imports.add_rows(Account, made)
        accounts = _accounts(row["number"] for row in rows)
        members = [_member(row, accounts[row["number"]]) | {"created_at": now} for row in rows]
        imports.add_rows(Member, members)
        audit.record_all(_events(made, members, accounts, by))

    def _new_accounts(self, rows: Iterable[imports.StagedRow]) -> Iterator[tuple[str, str]]:
        """Number and name of each account that these rows bring and none before them has."""
        for row in rows:
            if row["company"] and row["number"] not in self._statuses:
                self._statuses[row["number"]] = AccountStatus.ACTIVE
                yield row["number"], row["company"]


def _accounts(numbers: Iterable[str]) -> dict[str, int]:
    """The ids of accounts by their numbers.

    Raises Stale when one has left since the file was read.
    """
    asked = list(numbers)
    found = imports.found_by(
        select(Account.number, Account.id, Account.status), Account.number, asked
    )
    active = {number: key for number, key, status in found if status is AccountStatus.ACTIVE}
    if not active.keys() >= set(asked):
        raise Stale(_WITHDRAWN, field="会員番号")
    return active


def _member(row: imports.StagedRow, account_id: int) -> imports.StagedRow:
    columns = {name: value for name, value in row.items() if name not in ("number", "company")}
    return columns | {"account_id": account_id}


def _events(
    made: Iterable[imports.StagedRow],
    members: Iterable[imports.StagedRow],
    accounts: dict[str, int],
    by: Actor,
) -> Iterator[dict[str, object]]:
    for account in made:
        yield audit.described(
            "account.add",
            f"account:{account['number']}",
            by=by,
            account_id=accounts[account["number"]],
            name=account["name"],
        )
    for member in members:
        yield audit.described(
            "member.add",
            subject_of(member["login_key"], member["login_id"], member["email"]),
            by=by,
            account_id=member["account_id"],
            email=member["email"],
        )


def _comparable(member: imports.StagedRow) -> imports.StagedRow:
    """What is known of a member, with the address as mail servers compare it."""
    return {**member, "email": member["email"].casefold()}


def _number(row: Row) -> str:
    number = row.text("会員番号", imports.KEY, required=True)
    if not _NUMBER.fullmatch(number):
        raise RuleBroken("半角の英数字で入力してください。", field="会員番号")
    return number


def _person(row: Row, *, needs_login_id: bool) -> Person:
    """The member that the row tells of. Raises CellErrors."""
    cells = Cells()
    person = Person(
        cells.read(row.text, "姓", 40, required=True, clean=text.usual_width),
        cells.read(row.text, "名", 40, clean=text.usual_width),
        cells.read(row.take, "メールアドレス", text.email),
        login_id=cells.read(row.text, "ログインID", 60, required=needs_login_id),
        family_kana=cells.read(_kana, row, "セイ"),
        given_kana=cells.read(_kana, row, "メイ"),
        department=cells.read(row.text, "部署名", 80, clean=text.one_line),
        telephone=cells.read(_telephone, row),
        is_representative=cells.read(_is_representative, row),
    )
    cells.require()
    return person


def _is_representative(row: Row) -> bool:
    role = row.text("代表", 10)
    if role not in (*_YES, *_NO):
        raise RuleBroken("1 または空欄にしてください。", field="代表")
    return role in _YES


def _telephone(row: Row) -> str:
    if not row.values["電話番号"].strip():
        return ""
    return row.take("電話番号", text.telephone)


def _kana(row: Row, column: str) -> str:
    row.text(column, 60)
    return row.take(column, text.katakana)


def _password_hash(row: Row) -> str:
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
