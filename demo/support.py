"""The demo's contracts: one with room, one that is full, one that an ended app has frozen (COM-43),
and inquiries.
"""

from datetime import date, timedelta
from pathlib import Path

from demo import people
from portal.blueprints.support import operations, queries
from portal.blueprints.support.models import UnitKind
from portal.blueprints.support.operations import Registrant
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.core.business_days import first_open
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Member
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.operations import Asked, Writer
from portal.shared.knowledge import operations as knowledge
from portal.shared.members.operations import roster

_LINK = "http://localhost"
_APPS = ("勤怠", "工数", "給与")
_CONTRACTS = (
    ("manage-ac", date(2022, 9, 1), ("app", *_APPS), ("荒木", "中村", "石井", "小林")),
    ("manage", date(2025, 4, 1), ("app", *_APPS[:1]), ("荒木", "中村")),
    ("data-link", date(2024, 7, 1), ("connection", "給与データ連携"), ("石井",)),
)
_ARTICLES = sorted((Path(__file__).parent / "articles").glob("*.md"))
_DESK = operator("サポート窓口")
_INQUIRIES = (
    (34, "給与", "通常", "年末調整の様式はどこから印刷できますか。", "「帳票」から印刷できます。"),
    (12, "勤怠", "急ぎ", "締め処理のあとに打刻を修正したいです。", "締めを取り消してください。"),
    (2, "工数", "通常", "工数の集計が前月のまま変わりません。", ""),
)
"""Days ago, app, urgency, question, answer."""


def fill(tenant: Tenant) -> None:
    """Contracts of the first account, its own people in charge. The caller commits."""
    account = accounts.all_accounts()[0]
    main, deputy = (
        Registrant(one.family_name, one.given_name, one.email, duty)
        for one, duty in zip(people.CAST[:2], ("契約担当", "システム担当"), strict=True)
    )
    for product, form_on, (kind, *names), others in _CONTRACTS:
        contract = operations.add_contract(tenant, account, product, form_on, by=SYSTEM)
        for name in names:
            operations.add_unit(contract, UnitKind(kind), name, by=SYSTEM)
        operations.register(tenant, contract, [main, deputy], by=SYSTEM)
        for family in others:  # they share the deputy's address (SUP-07)
            who = Registrant(family, "", deputy.email, "業務担当")
            operations.add_contact(tenant, contract, who, by=SYSTEM)
    operations.add_unit(contract, UnitKind.CONNECTION, "銀行データ連携", by=SYSTEM)
    operations.add_contact(tenant, contract, Registrant("大野", "", deputy.email), by=SYSTEM)
    operations.end_unit(contract, UnitKind.CONNECTION, "銀行データ連携", by=SYSTEM)
    _publish_articles()
    for member in roster(account.id):
        _ask(tenant, member)


def _publish_articles() -> None:
    for place, path in enumerate(_ARTICLES):
        with clock.freeze(clock.now() - timedelta(days=40 - 3 * place)):
            knowledge.put(knowledge.read(path.read_text(encoding="utf-8")), by=SYSTEM, quiet=True)


def _ask(tenant: Tenant, member: Member) -> None:
    """What a contact asked about the first contract, in business hours; the newest awaits its
    answer.
    """
    about = queries.contracts_of_contact(member.account_id, member.id)[0].number
    writer = Writer(member.name, member.email, member.account_id, member.id)
    by = Actor("member", member.name, member.id, member.account_id)
    for days, app, urgency, question, reply in _INQUIRIES:
        day = first_open(clock.today() - timedelta(days=days), tenant.calendar.is_open, step=-1)
        asked = Asked("product", question, about, {"app": app, "urgency": urgency})
        with clock.freeze(clock.local(day.year, day.month, day.day, 10, 20)):
            made = inquiries.ask(tenant, writer, asked, by=by)
        if reply:
            with clock.freeze(clock.local(day.year, day.month, day.day, 14, 5)):
                inquiries.answer(tenant, made, reply, by=_DESK)
                inquiries.mark_read(made.id, member.id)
