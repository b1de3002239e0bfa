"""The support desk's part in an account's life: what is lost by leaving, what is kept, what is personal (COM-16)."""

from collections.abc import Iterator

from portal.blueprints.support import queries
from portal.blueprints.support.models import ContractContact
from portal.core import csvio
from portal.core.db import discard
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared.auth.models import Account

HISTORY = {
    "contract.add": msgid("ご契約の登録"),
    "contract.add_unit": msgid("ご契約内容の追加"),
    "contract.end_unit": msgid("ご契約内容の終了"),
    "contract.add_contact": msgid("問い合わせご担当者の登録"),
    "contract.remove_contact": msgid("問い合わせご担当者の削除"),
    "contract.hand_over": msgid("主担当の変更"),
}
_LOST = msgid("ご契約 %(number)s（%(product)s）のお問い合わせ窓口")
_HEADER = ("契約番号", "製品", "お名前", "役割", "ご担当", "メールアドレス")


def losses(_tenant: Tenant, account: Account) -> Iterator[RuleBroken]:
    """Nobody can ask about its contracts any more."""
    for contract in queries.contracts(account.id):
        yield RuleBroken(_LOST, number=contract.number, product=contract.product_label)


def papers(_tenant: Tenant, account: Account) -> Iterator[tuple[str, bytes]]:
    """The contracts and who may ask about them."""
    rows = [
        (contract.number, contract.product_label, one.person, one.role.label, one.duty, email)
        for contract in queries.contracts(account.id)
        for one, email in queries.contacts(contract)
    ]
    yield "contracts.csv", b"".join(csvio.write_csv(rows, _HEADER))


def erase(account: Account) -> None:
    """Take the persons off its contracts."""
    discard(ContractContact, ContractContact.account_id == account.id)
