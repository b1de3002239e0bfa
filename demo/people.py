"""The demo's people: two accounts at every brand, each with a representative and an ordinary
member.
"""

from dataclasses import dataclass

from portal.config.schema import Tenant
from portal.core.actor import SYSTEM
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.operations import Person
from portal.shared.auth import passwords

PASSWORD = "sakura-Doori-58"  # noqa: S105 - the demo prints it
_COLUMNS = (
    "name",
    "name_kana",
    "postal_code",
    "prefecture",
    "city",
    "street",
    "building",
    "telephone",
)
_TAKASAKI = (
    "株式会社髙﨑精機製作所",
    "カブシキガイシャタカサキセイキセイサクショ",
    "1440035",
    "東京都",
    "大田区",
)
_MINATO = (
    "合同会社みなとデザイン",
    "ゴウドウガイシャミナトデザイン",
    "2310023",
    "神奈川県",
    "横浜市中区",
)
ACCOUNTS = (
    dict(
        zip(
            _COLUMNS,
            (*_TAKASAKI, "南蒲田9丁目99番1号", "テクノポート蒲田 7階", "0300001001"),
            strict=True,
        )
    ),
    dict(zip(_COLUMNS, (*_MINATO, "山下町999番", "", "0450001002"), strict=True)),
)


@dataclass(frozen=True, slots=True)
class DemoMember:
    """One of the cast: which account, what role, who."""

    account: int
    role: str
    login_id: str
    family_name: str
    given_name: str
    family_kana: str
    given_kana: str
    department: str

    @property
    def email(self) -> str:
        """Their invented address."""
        return (
            f"{self.login_id}@{'takasaki-seiki' if self.account == 0 else 'minato-design'}.example"
        )

    def login_id_at(self, tenant: Tenant) -> str:
        """Their login ID: at a brand that asks for the e-mail too it is the account's own
        (RENT-01).
        """
        shared = tenant.sign_in.items == "login_id_email_password"
        return (
            next(one.login_id for one in CAST if one.account == self.account)
            if shared
            else self.login_id
        )

    def fields(self, tenant: Tenant) -> dict[str, str]:
        """What they type into this brand's sign-in form, by the form's own field names."""
        items = tenant.sign_in.items
        values = {"password": PASSWORD}
        if "login_id" in items:
            values = {"login_id": self.login_id_at(tenant)} | values
        if "email" in items:
            values = {"email": self.email} | values
        return values


CAST = (
    DemoMember(
        0, "representative", "yoshida", "吉田", "花子", "ヨシダ", "ハナコ", "購買部 資材調達課"
    ),
    DemoMember(0, "member", "tanaka", "田中", "健一", "タナカ", "ケンイチ", "技術部 試作課"),
    DemoMember(1, "representative", "mori", "森", "由美", "モリ", "ユミ", "代表"),
    DemoMember(1, "member", "okada", "岡田", "翔", "オカダ", "ショウ", "制作部"),
)


def fill(tenant: Tenant) -> None:
    """Add the accounts and the cast to the tenant in scope. The caller commits."""
    hashed = passwords.hash_password(PASSWORD)
    added = [accounts.add_account(tenant, by=SYSTEM, **values) for values in ACCOUNTS]
    for someone in CAST:
        person = Person(
            family_name=someone.family_name,
            given_name=someone.given_name,
            email=someone.email,
            login_id=someone.login_id_at(tenant),
            family_kana=someone.family_kana,
            given_kana=someone.given_kana,
            department=someone.department,
            telephone=added[someone.account].telephone,
            is_representative=someone.role == "representative",
        )
        accounts.add_member(tenant, added[someone.account], person, by=SYSTEM, password_hash=hashed)
