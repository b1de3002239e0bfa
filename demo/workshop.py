"""The demo's contracts of the brand that also has machines to reserve: two machines that were
bought, and what their contacts ask about them.
"""

from datetime import date, timedelta

from demo import people
from demo.office import OfficeHours
from portal.blueprints.support import operations
from portal.blueprints.support.operations import Registrant
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM, Actor, operator
from portal.shared.accounts import operations as accounts
from portal.shared.inquiries import operations as inquiries
from portal.shared.inquiries.operations import Asked, Writer

_DESK = operator("保守窓口")
_CONTRACTS = (("cutter", date(2024, 10, 1)), ("mill", date(2025, 11, 1)))
_INQUIRIES = (
    (
        26,
        "通常",
        "集塵フィルターの交換時期の目安を教えてください。",
        "使用200時間ごとの交換をお勧めします。",
    ),
    (3, "急ぎ", "原点復帰の途中で止まることがあります。", ""),
)
"""Days ago, urgency, question, answer."""


def fill(tenant: Tenant) -> None:
    """Contracts of the first account, its own people in charge. The caller commits."""
    account = accounts.all_accounts()[0]
    registrants = [
        Registrant(one.family_name, one.given_name, one.email, duty)
        for one, duty in zip(people.CAST[:2], ("契約担当", "業務担当"), strict=True)
    ]
    numbers = []
    for product, form_on in _CONTRACTS:
        contract = operations.add_contract(tenant, account, product, form_on, by=SYSTEM)
        operations.register(tenant, contract, registrants, by=SYSTEM)
        numbers.append(contract.number)
    member = accounts.representative(account)
    writer = Writer(member.name, member.email, member.account_id, member.id)
    by = Actor("member", member.name, member.id, member.account_id)
    office = OfficeHours(tenant.calendar.is_open)
    for days, urgency, question, reply in _INQUIRIES:
        asked_at = min(office.at_or_after(clock.now() - timedelta(days=days)), clock.now())
        asked = Asked("machine", question, numbers[0], {"urgency": urgency})
        with clock.freeze(asked_at):
            made = inquiries.ask(tenant, writer, asked, by=by)
        if reply:
            with clock.freeze(office.at_or_after(asked_at + timedelta(hours=3))):
                inquiries.answer(tenant, made, reply, by=_DESK)
