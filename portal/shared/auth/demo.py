"""The demo's people: two accounts at every brand, each with a representative and an ordinary member."""

from dataclasses import dataclass

from portal.core.actor import SYSTEM
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import enrolment, passwords
from portal.shared.auth.enrolment import Person

PASSWORD = "sakura-Doori-58"  # noqa: S105 - the demo prints it
ACCOUNTS = (
    {
        "name": "株式会社髙﨑精機製作所",
        "name_kana": "カブシキガイシャタカサキセイキセイサクショ",
        "postal_code": "1440035",
        "prefecture": "東京都",
        "city": "大田区",
        "street": "南蒲田9丁目99番1号",
        "building": "テクノポート蒲田 7階",
        "telephone": "0300001001",
    },
    {
        "name": "合同会社みなとデザイン",
        "name_kana": "ゴウドウガイシャミナトデザイン",
        "postal_code": "2310023",
        "prefecture": "神奈川県",
        "city": "横浜市中区",
        "street": "山下町999番",
        "building": "",
        "telephone": "0450001002",
    },
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
        return f"{self.login_id}@{'takasaki-seiki' if self.account == 0 else 'minato-design'}.example"

    def login_id_at(self, tenant: Tenant) -> str:
        """Their login ID: at a brand that asks for the e-mail too it is the account's own (RENT-01)."""
        shared = tenant.sign_in.items == "login_id_email_password"
        return next(one.login_id for one in CAST if one.account == self.account) if shared else self.login_id

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
    DemoMember(0, "representative", "yoshida", "吉田", "花子", "ヨシダ", "ハナコ", "購買部 資材調達課"),
    DemoMember(0, "member", "tanaka", "田中", "健一", "タナカ", "ケンイチ", "技術部 試作課"),
    DemoMember(1, "representative", "mori", "森", "由美", "モリ", "ユミ", "代表"),
    DemoMember(1, "member", "okada", "岡田", "翔", "オカダ", "ショウ", "制作部"),
)


def fill(tenant: Tenant) -> None:
    """Add the accounts and the cast to the tenant in scope. The caller commits."""
    hashed = passwords.hash_password(PASSWORD)
    accounts = [enrolment.add_account(tenant, by=SYSTEM, **values) for values in ACCOUNTS]
    for someone in CAST:
        person = Person(
            family_name=someone.family_name,
            given_name=someone.given_name,
            email=someone.email,
            login_id=someone.login_id_at(tenant),
            family_kana=someone.family_kana,
            given_kana=someone.given_kana,
            department=someone.department,
            telephone=accounts[someone.account].telephone,
            is_representative=someone.role == "representative",
        )
        enrolment.add_member(tenant, accounts[someone.account], person, by=SYSTEM, password_hash=hashed)
