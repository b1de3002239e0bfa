"""The demo's inquiries at a facility brand: one that waits, one that is answered, one that an
operator began.
"""

from datetime import timedelta

from demo.office import OfficeHours
from portal.blueprints.facility import queries
from portal.blueprints.facility.models import Reservation
from portal.config.schema import Tenant
from portal.core import clock
from portal.core.actor import SYSTEM, Actor
from portal.core.db import session
from portal.shared.accounts import operations as accounts
from portal.shared.accounts.models import Account, Member
from portal.shared.inquiries import operations, outreach
from portal.shared.inquiries.models import Inquiry, Status
from portal.shared.inquiries.operations import Asked, Writer

_LINK = "http://localhost"
_DESK = Actor("operator", "大森 誠")


def fill(tenant: Tenant, account: Account) -> None:
    """Add the talks of one account, about reservations that are still to come.

    The caller commits.
    """
    now = clock.now()
    office = OfficeHours(tenant.calendar.is_open)
    member = accounts.representative(account)
    coming = queries.changeable(account.id)
    numbers = [reservation.number for reservation in coming] or [""]
    with clock.freeze(office.at_or_after(now - timedelta(days=20))):
        settled = _ask(tenant, member, "other", "駐車場は利用できますか。\n2台で伺う予定です。")
    with clock.freeze(office.at_or_after(now - timedelta(days=19))):
        _answer(tenant, settled, "建物の裏に3台分ございます。\n当日は受付でお声がけください。")
        operations.mark_read(settled.id, member.id)
        operations.move(settled, Status.CLOSED, by=_DESK)
    with clock.freeze(office.at_or_after(now - timedelta(days=9))):
        answered = _ask(
            tenant, member, "other", "材料の持ち込みについて教えてください。", numbers[0]
        )
    with clock.freeze(office.at_or_after(now - timedelta(days=8))):
        _answer(
            tenant,
            answered,
            "アクリルと木材はお持ち込みいただけます。\n"
            "加工できる材料の一覧はこちらです：https://www.tokiwano.example/materials",
        )
    if coming:
        _about_coming(tenant, member, coming)


def _about_coming(tenant: Tenant, member: Member, coming: list[Reservation]) -> None:
    """A change that is asked for, and a message that an operator wrote first."""
    now = clock.now()
    if tenant.inquiries.category("change"):
        _ask_for_change(tenant, member, coming[-1])
    office = OfficeHours(tenant.calendar.is_open)
    written_at = min(office.at_or_after(now - timedelta(days=4)), now)
    message = outreach.Outreach(
        body="ご利用当日は安全講習から始めます。\n開始の10分前に1階受付へお越しください。",
        about=coming[0].number,
        label="ご予約についてのご連絡",
    )
    with clock.freeze(written_at):
        outreach.begin(tenant, member, message, by=_DESK)
    session().flush()


def _ask_for_change(tenant: Tenant, member: Member, reservation: Reservation) -> None:
    """A change that awaits an operator."""
    change = {
        "day": f"{clock.to_local(reservation.starts_at):%Y-%m-%d}",
        "what": "開始を1時間遅らせたいです。",
    }
    asked = Asked(
        "change", "開始時刻の変更をお願いします。", about=reservation.number, answers=change
    )
    with clock.freeze(clock.now() - timedelta(hours=15)):
        operations.ask(tenant, _writer(member), asked, by=SYSTEM)


def _writer(member: Member) -> Writer:
    return Writer(member.name, member.email, member.account_id, member.id)


def _ask(tenant: Tenant, member: Member, category: str, body: str, about: str = "") -> Inquiry:
    known = tenant.inquiries.category(category) or tenant.inquiries.categories[-1]
    asked = Asked(known.key, body, about=about)
    return operations.ask(tenant, _writer(member), asked, by=SYSTEM)


def _answer(tenant: Tenant, inquiry: Inquiry, body: str) -> None:
    operations.answer(tenant, inquiry, body, by=_DESK)
