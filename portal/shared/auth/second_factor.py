"""The second step of signing in (COM-13, RENT-05): who is asked for what, and how members choose."""

from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import codes, devices
from portal.shared.auth.models import Factor, Member
from portal.shared.auth.operations import proved

_WRONG = msgid("認証コードが正しくありません。アプリに表示されている6桁の数字をご確認ください。")


def is_offered(tenant: Tenant) -> bool:
    """Whether the tenant has a second step at all."""
    return tenant.sign_in.second_factor != "off"


def factor_of(tenant: Tenant, member: Member) -> Factor:
    """What this member is asked for here: where all must, whoever has chosen nothing gets a mailed code."""
    if not is_offered(tenant):
        return Factor.OFF
    if member.second_factor == Factor.OFF and tenant.sign_in.second_factor == "required":
        return Factor.MAIL
    return member.second_factor


def on_offer(tenant: Tenant) -> tuple[Factor, ...]:
    """What members may choose here; nothing at all only where the tenant leaves it to them."""
    offered = tuple(factor for factor in (Factor.MAIL, Factor.TOTP) if factor.value in tenant.sign_in.factors)
    return offered if tenant.sign_in.second_factor == "required" else (Factor.OFF, *offered)


def choose(tenant: Tenant, member_id: int, factor: Factor, password: str, *, by: Actor) -> None:
    """Take mailed codes, or no second step (security.md §4.17). Commits.

    Raises RuleBroken at ``password`` or ``choice``. An app is chosen by `set_up_app`, which has its code proved first.
    """
    if factor == Factor.TOTP or factor not in on_offer(tenant):
        raise RuleBroken("この設定は選べません。", field="choice")
    member = proved(tenant, member_id, password)
    codes.void(member_id)
    _set(tenant, member, factor, "", by=by)


def set_up_app(tenant: Tenant, member_id: int, nonce: str, code: str, password: str, *, by: Actor) -> list[str]:
    """Take the authenticator app that gives `code`; returns the recovery codes, to be shown this once. Commits.

    Raises RuleBroken at ``password`` or ``code``; then whatever was chosen before still counts.
    """
    if Factor.TOTP not in on_offer(tenant) or not codes.is_nonce(nonce):
        raise RuleBroken("この設定は選べません。")
    member = proved(tenant, member_id, password)
    step = codes.step_of(member_id, nonce, code)
    if step is None or (nonce == member.totp_nonce and step <= member.totp_step):
        raise RuleBroken(_WRONG, field="code")
    member.totp_step = step
    fresh = codes.renew(member_id)
    _set(tenant, member, Factor.TOTP, nonce, by=by)
    return fresh


def renew_codes(tenant: Tenant, member_id: int, password: str, *, by: Actor) -> list[str]:
    """Ten new recovery codes, to be shown this once; the earlier ones are void. Commits.

    Raises RuleBroken at ``password``, or when no authenticator app is in use.
    """
    member = proved(tenant, member_id, password)
    if factor_of(tenant, member) != Factor.TOTP:
        raise RuleBroken("リカバリーコードは、認証アプリをご利用の場合に発行できます。")
    fresh = codes.renew(member_id)
    _record(tenant, member, "member.renew_recovery_codes", "codes", by=by)
    return fresh


def _set(tenant: Tenant, member: Member, factor: Factor, nonce: str, *, by: Actor) -> None:
    """Set it, and ask again on every device: what was left out was the second step of before. Commits."""
    before, member.second_factor, member.totp_nonce = member.second_factor, factor, nonce
    devices.trust_none(member.id)
    _record(tenant, member, "member.second_factor", factor.value, by=by, factor=[before.value, factor.value])


def _record(tenant: Tenant, member: Member, action: str, what: str, *, by: Actor, **changes: object) -> None:
    audit.record(action, member, by=by, **changes)
    mailing.tell(tenant, "second_factor_changed", member, what=what)
    session().commit()
