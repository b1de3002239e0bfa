"""二段階認証の設定: each member chooses, with the present password (COM-13, RENT-05, security.md §4.17)."""

from dataclasses import dataclass

from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import RuleBroken
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import devices, recovery, second_factor, totp
from portal.shared.auth.models import Factor, Member
from portal.shared.auth.proving import proved


@dataclass(frozen=True, slots=True)
class Present:
    """What the member is asked for now, and how many recovery codes are left."""

    factor: Factor
    codes_left: int


def present(tenant: Tenant, member_id: int) -> Present:
    """What the member has chosen; where all must have a second step, that is never nothing."""
    member = session().get_one(Member, member_id)
    return Present(second_factor.factor_of(tenant, member), recovery.left(member_id))


def on_offer(tenant: Tenant) -> tuple[Factor, ...]:
    """What members may choose here; nothing at all only where the tenant leaves it to them."""
    offered = tuple(factor for factor in (Factor.MAIL, Factor.TOTP) if factor.value in tenant.sign_in.factors)
    return offered if tenant.sign_in.second_factor == "required" else (Factor.OFF, *offered)


def choose(tenant: Tenant, member_id: int, factor: Factor, password: str, *, by: Actor) -> None:
    """Take mailed codes, or no second step. Commits. Raises RuleBroken at ``password`` or ``choice``.

    An authenticator app is chosen by `set_up_app`, which has its code proved first.
    """
    if factor == Factor.TOTP or factor not in on_offer(tenant):
        raise RuleBroken("この設定は選べません。", field="choice")
    member = proved(tenant, member_id, password)
    member.totp_nonce = ""
    recovery.forget(member_id)
    _set(tenant, member, factor, by=by)
    session().commit()


def set_up_app(tenant: Tenant, member_id: int, nonce: str, code: str, password: str, *, by: Actor) -> list[str]:
    """Take the authenticator app that gives `code`; returns the recovery codes, to be shown this once. Commits.

    Raises RuleBroken at ``password`` or ``code``; then whatever was chosen before still counts.
    """
    if Factor.TOTP not in on_offer(tenant) or not totp.is_nonce(nonce):
        raise RuleBroken("この設定は選べません。")
    member = proved(tenant, member_id, password)
    step = totp.step_of(member_id, nonce, code)
    if step is None or (nonce == member.totp_nonce and step <= member.totp_step):
        session().rollback()
        raise RuleBroken(
            "認証コードが正しくありません。アプリに表示されている6桁の数字をご確認ください。", field="code"
        )
    member.totp_nonce, member.totp_step = nonce, step
    fresh = recovery.renew(member_id)
    _set(tenant, member, Factor.TOTP, by=by)
    session().commit()
    return fresh


def renew_codes(tenant: Tenant, member_id: int, password: str, *, by: Actor) -> list[str]:
    """Ten new recovery codes, to be shown this once; the earlier ones are void. Commits.

    Raises RuleBroken at ``password``, or when no authenticator app is in use.
    """
    member = proved(tenant, member_id, password)
    if second_factor.factor_of(tenant, member) != Factor.TOTP:
        session().rollback()
        raise RuleBroken("リカバリーコードは、認証アプリをご利用の場合に発行できます。")
    fresh = recovery.renew(member_id)
    audit.record("member.renew_recovery_codes", member, by=by)
    mailing.tell(tenant, "second_factor_changed", member, what="codes")
    session().commit()
    return fresh


def _set(tenant: Tenant, member: Member, factor: Factor, *, by: Actor) -> None:
    """Set it, and ask again on every device: what was left out was the second step of before."""
    before, member.second_factor = member.second_factor, factor
    devices.trust_none(member.id)
    audit.record("member.second_factor", member, by=by, factor=[before.value, factor.value])
    mailing.tell(tenant, "second_factor_changed", member, what=factor.value)
