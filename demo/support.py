"""The demo's contracts: one with room, one that is full, one that an ended app has frozen (COM-43)."""

from datetime import date, timedelta
from pathlib import Path

from demo import people
from portal.blueprints.support import operations
from portal.blueprints.support.models import UnitKind
from portal.blueprints.support.operations import Registrant
from portal.core import clock
from portal.core.actor import SYSTEM
from portal.core.tenancy.schema import Tenant
from portal.shared.auth import enrolment
from portal.shared.knowledge import operations as knowledge

_LINK = "http://localhost"
_APPS = ("勤怠", "工数", "給与")
_CONTRACTS = (
    ("manage-ac", date(2022, 9, 1), ("app", *_APPS), ("荒木", "中村", "石井", "小林")),
    ("manage", date(2025, 4, 1), ("app", *_APPS[:1]), ("荒木", "中村")),
    ("data-link", date(2024, 7, 1), ("connection", "給与データ連携"), ("石井",)),
)


_ARTICLES = sorted((Path(__file__).parent / "articles").glob("*.md"))


def fill(tenant: Tenant) -> None:
    """Contracts of the first account, its own people in charge. The caller commits."""
    account = enrolment.all_accounts()[0]
    main, deputy = (
        Registrant(one.family_name, one.given_name, one.email, duty)
        for one, duty in zip(people.CAST[:2], ("契約担当", "システム担当"), strict=True)
    )
    for product, form_on, (kind, *names), others in _CONTRACTS:
        contract = operations.add_contract(tenant, account, product, form_on, by=SYSTEM)
        for name in names:
            operations.add_unit(contract, UnitKind(kind), name, by=SYSTEM)
        operations.register(tenant, contract, [main, deputy], by=SYSTEM, link_base=_LINK)
        for family in others:  # they share the deputy's address (SUP-07)
            who = Registrant(family, "", deputy.email, "業務担当")
            operations.add_contact(tenant, contract, who, by=SYSTEM, link_base=_LINK)
    operations.add_unit(contract, UnitKind.CONNECTION, "銀行データ連携", by=SYSTEM)
    operations.add_contact(
        tenant, contract, Registrant("大野", "", deputy.email), by=SYSTEM, link_base=_LINK
    )
    operations.end_unit(contract, UnitKind.CONNECTION, "銀行データ連携", by=SYSTEM)
    for place, path in enumerate(_ARTICLES):
        with clock.freeze(clock.now() - timedelta(days=40 - 3 * place)):
            knowledge.put(knowledge.read(path.read_text(encoding="utf-8")), by=SYSTEM, quiet=True)
