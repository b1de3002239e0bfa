"""The second step of signing in (COM-13, RENT-05): who is asked for what, how it begins, and how members choose.

`sign_in` is how it ends.
"""

from dataclasses import dataclass
from datetime import timedelta

from portal.core import audit
from portal.core.actor import Actor
from portal.core.db import session
from portal.core.errors import RuleBroken, msgid
from portal.core.tenancy.schema import Tenant
from portal.shared import mailing
from portal.shared.auth import codes, devices, sessions, throttling, totp
from portal.shared.auth.models import Factor, Member
from portal.shared.auth.operations import proved

_MOST_BEGUN = 10
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


def begin(tenant: Tenant, member: Member, pending_token: str) -> None:
    """Begin the second step of a pending session: mail the code, where it is one. The caller commits.

    Raises throttling.TooMany for a member with ten of them within the hour.
    """
    waiting = sessions.pending(pending_token)
    if waiting is None or factor_of(tenant, member) != Factor.MAIL:
        return
    throttling.count("second-step-begun", f"member\n{member.id}", limit=_MOST_BEGUN, window=timedelta(hours=1))
    codes.send(tenant, member, waiting)


@dataclass(frozen=True, slots=True)
class Present:
    """What the member is asked for now, and how many recovery codes are left."""

    factor: Factor
    codes_left: int


def present(tenant: Tenant, member_id: int) -> Present:
    """What the member has chosen; where all must have a second step, that is never nothing."""
    return Present(factor_of(tenant, session().get_one(Member, member_id)), codes.left(member_id))


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
    member.totp_nonce = ""
    codes.void(member_id)
    _set(tenant, member, factor, by=by)


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
        raise RuleBroken(_WRONG, field="code")
    member.totp_nonce, member.totp_step = nonce, step
    fresh = codes.renew(member_id)
    _set(tenant, member, Factor.TOTP, by=by)
    return fresh


def renew_codes(tenant: Tenant, member_id: int, password: str, *, by: Actor) -> list[str]:
    """Ten new recovery codes, to be shown this once; the earlier ones are void. Commits.

    Raises RuleBroken at ``password``, or when no authenticator app is in use.
    """
    member = proved(tenant, member_id, password)
    if factor_of(tenant, member) != Factor.TOTP:
        session().rollback()
        raise RuleBroken("リカバリーコードは、認証アプリをご利用の場合に発行できます。")
    fresh = codes.renew(member_id)
    audit.record("member.renew_recovery_codes", member, by=by)
    mailing.tell(tenant, "second_factor_changed", member, what="codes")
    session().commit()
    return fresh


def _set(tenant: Tenant, member: Member, factor: Factor, *, by: Actor) -> None:
    """Set it, and ask again on every device: what was left out was the second step of before. Commits."""
    before, member.second_factor = member.second_factor, factor
    devices.trust_none(member.id)
    audit.record("member.second_factor", member, by=by, factor=[before.value, factor.value])
    mailing.tell(tenant, "second_factor_changed", member, what=factor.value)
    session().commit()
