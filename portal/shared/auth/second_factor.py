"""The second step of signing in (COM-13, RENT-05): who is asked for what, the codes, and how
members choose.

Six mailed digits are bound to one pending session (security.md §4.13). Authenticator apps have RFC
6238 with SHA-1, six digits, 30 seconds; their secret is stored nowhere, but made from the server's
key and a nonce (§4.14, docs/decisions/totp-secret.md). Ten recovery codes stand in for a lost app,
each burnt by its use (§4.15).
"""

import base64
import hmac
import re
import secrets
from datetime import timedelta

import pyotp
from sqlalchemy import ColumnElement, func, select

from portal.config import Tenant
from portal.core import Actor, RuleBroken, audit, clock, delete_where, session, signer, update_where
from portal.shared import mailing
from portal.shared.accounts.models import Factor, Member
from portal.shared.auth import present_password, sessions, throttling
from portal.shared.auth.models import MemberSession, OneTimeCode, RecoveryCode
from portal.shared.auth.sessions import SignedIn

LIFETIME = timedelta(minutes=10)
MOST_TRIES = 5
STEP_SECONDS = 30
HOW_MANY = 10
_WINDOW = (0, -1, 1)
"""Time-steps that are tried, the likeliest first: a phone's clock may be off by one."""
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""What recovery codes are made of: without what looks alike on paper (0 O, 1 I L)."""


def is_offered(tenant: Tenant) -> bool:
    """Whether the tenant has a second step at all."""
    return tenant.sign_in.second_factor != "off"


def factor_of(tenant: Tenant, member: Member) -> Factor:
    """What this member is asked for here.

    Where all must, whoever has chosen nothing gets a mailed code.
    """
    if not is_offered(tenant):
        return Factor.OFF
    if member.second_factor == Factor.OFF and tenant.sign_in.second_factor == "required":
        return Factor.MAIL
    return member.second_factor


def on_offer(tenant: Tenant) -> tuple[Factor, ...]:
    """What members may choose here; nothing at all only where the tenant leaves it to them."""
    offered = tuple(
        factor for factor in (Factor.MAIL, Factor.TOTP) if factor.value in tenant.sign_in.factors
    )
    if tenant.sign_in.second_factor == "required":
        return offered
    return (Factor.OFF, *offered)


def send(tenant: Tenant, member: Member, waiting: MemberSession) -> None:
    """Mail a new code; the session's earlier one dies.

    The caller commits. Raises TooMany within a minute.
    """
    # By the session: whoever begins anew with the right password is not kept waiting.
    throttling.count(
        "second-step-sent", f"session\n{waiting.id}", limit=1, window=timedelta(seconds=60)
    )
    OneTimeCode.use_up(OneTimeCode.session_id == waiting.id)
    code = f"{secrets.randbelow(10**6):06}"
    now = clock.now()
    kept = OneTimeCode(
        member_id=member.id, session_id=waiting.id, code_digest=_mailed_digests(waiting.id, code)[0]
    )
    kept.created_at = now
    kept.expires_at = now + LIFETIME
    session().add(kept)
    audit.record("member.send_second_step", member, by=member.actor(waiting.address))
    mailing.notify(tenant, "second_step", member, code=code, until=kept.expires_at)


def count_try(session_id: int) -> int | None:
    """Count a try at the session's living code, and say which.

    None when there is none or its tries are used up. One conditional UPDATE: whatever number of
    tries comes at the same moment, five are let through.
    """
    alive = OneTimeCode.alive(OneTimeCode.session_id == session_id, OneTimeCode.tries < MOST_TRIES)
    found = session().scalar(select(OneTimeCode.id).where(*alive))
    if found is None or not update_where(OneTimeCode, *alive, tries=OneTimeCode.tries + 1):
        return None
    return found


def use_mailed(code_id: int, session_id: int, typed: str) -> bool:
    """Use the code up when `typed` is it: true once. The try is counted before."""
    right = OneTimeCode.code_digest.in_(_mailed_digests(session_id, typed))
    return OneTimeCode.use_up(
        OneTimeCode.id == code_id, OneTimeCode.session_id == session_id, right
    )


def _mailed_digests(session_id: int, code: str) -> list[str]:
    return signer.digests("mailed-code", session_id, code)


def new_nonce() -> str:
    """What makes the next secret of a member's app another one. No secret itself."""
    return secrets.token_hex(16)


def is_nonce(text: str) -> bool:
    """Whether `text` has the shape of a nonce."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None


def secret(member_id: int, nonce: str) -> str:
    """The secret as people type it into their app: base32."""
    return _base32(_secrets(member_id, nonce)[0])


def uri(secret_text: str, *, issuer: str, name: str) -> str:
    """What the QR code says, as apps read it (otpauth)."""
    return pyotp.TOTP(secret_text).provisioning_uri(name=name, issuer_name=issuer)


def code_at(key: bytes, step: int) -> str:
    """The six digits of a time-step (RFC 4226, §5.3)."""
    return pyotp.HOTP(_base32(key)).at(step)


def step_of(member_id: int, nonce: str, typed: str) -> int | None:
    """The time-step that `typed` is right for: the present one, the one before or after.

    None when it is wrong.
    """
    now = int(clock.now().timestamp()) // STEP_SECONDS
    # The server's earlier keys are tried too: members' apps outlive a change of the key.
    for key in _secrets(member_id, nonce):
        for step in (now + shift for shift in _WINDOW):
            # In constant time, so that nobody measures how many digits were right.
            if hmac.compare_digest(code_at(key, step).encode(), typed.encode()):
                return step
    return None


def use_app(member_id: int, nonce: str, typed: str) -> bool:
    """Whether `typed` is right and newer than the last code that was used.

    Each time-step counts once.
    """
    step = step_of(member_id, nonce, typed)
    if step is None or not nonce:
        return False
    # The database compares: of two who send the same code at the same moment, one gets in.
    newer = (Member.id == member_id, Member.totp_nonce == nonce, Member.totp_step < step)
    return update_where(Member, *newer, totp_step=step) == 1


def _base32(key: bytes) -> str:
    return base64.b32encode(key).decode()


def _secrets(member_id: int, nonce: str) -> list[bytes]:
    return [mac[:20] for mac in signer.macs("totp", member_id, nonce)]


def make_recovery_codes(member_id: int) -> list[str]:
    """Ten new recovery codes, to be shown this once; the earlier ones are void (§4.15).

    The caller commits.
    """
    void_recovery_codes(member_id)
    now = clock.now()
    fresh = ["".join(secrets.choice(_LETTERS) for _ in range(10)) for _ in range(HOW_MANY)]
    for code in fresh:
        code_digest = _recovery_digests(member_id, code)[0]
        session().add(RecoveryCode(member_id=member_id, code_digest=code_digest, created_at=now))
    return [f"{code[:5]}-{code[5:]}" for code in fresh]


def void_recovery_codes(member_id: int) -> None:
    """Void all recovery codes of a member."""
    delete_where(RecoveryCode, RecoveryCode.member_id == member_id)


def use_recovery_code(member_id: int, typed: str) -> bool:
    """Burn the recovery code that `typed` is, written with or without its hyphen: true once."""
    right = RecoveryCode.code_digest.in_(_recovery_digests(member_id, typed))
    return update_where(RecoveryCode, *_unburnt(member_id), right, used_at=clock.now()) == 1


def count_recovery_codes(member_id: int) -> int:
    """How many of the member's recovery codes are not used yet."""
    return session().scalar(select(func.count(RecoveryCode.id)).where(*_unburnt(member_id))) or 0


def _unburnt(member_id: int) -> tuple[ColumnElement[bool], ...]:
    return RecoveryCode.member_id == member_id, RecoveryCode.used_at.is_(None)


def _recovery_digests(member_id: int, code: str) -> list[str]:
    return signer.digests("recovery-code", member_id, code.replace("-", "").upper())


def choose(tenant: Tenant, who: SignedIn, factor: Factor, password: str, *, by: Actor) -> None:
    """Take mailed codes, or no second step (security.md §4.17). Commits.

    Raises RuleBroken at ``password`` or ``choice``. An app is chosen by `set_up_app`, which has its
    code proved first.
    """
    if factor == Factor.TOTP or factor not in on_offer(tenant):
        raise RuleBroken("この設定は選べません。", field="choice")
    member = present_password.require(tenant, who, password)
    void_recovery_codes(member.id)
    _set(tenant, member, factor, "", by=by)


def set_up_app(
    tenant: Tenant, who: SignedIn, nonce: str, code: str, password: str, *, by: Actor
) -> list[str]:
    """Take the authenticator app that gives `code`.

    Returns the recovery codes, to be shown this once. Commits. Raises RuleBroken at ``password`` or
    ``code``; then whatever was chosen before still counts.
    """
    if Factor.TOTP not in on_offer(tenant) or not is_nonce(nonce):
        raise RuleBroken("この設定は選べません。")
    member = present_password.require(tenant, who, password)
    # A code of the same app that was used already does not count a second time, here either.
    step = step_of(member.id, nonce, code)
    if step is None or (nonce == member.totp_nonce and step <= member.totp_step):
        raise RuleBroken(
            "認証コードが正しくありません。アプリに表示されている6桁の数字をご確認ください。",
            field="code",
        )
    member.totp_step = step
    fresh = make_recovery_codes(member.id)
    _set(tenant, member, Factor.TOTP, nonce, by=by)
    return fresh


def renew_codes(tenant: Tenant, who: SignedIn, password: str, *, by: Actor) -> list[str]:
    """Ten new recovery codes, to be shown this once; the earlier ones are void. Commits.

    Raises RuleBroken at ``password``, or when no authenticator app is in use.
    """
    member = present_password.require(tenant, who, password)
    if factor_of(tenant, member) != Factor.TOTP:
        raise RuleBroken("リカバリーコードは、認証アプリをご利用の場合に発行できます。")
    fresh = make_recovery_codes(member.id)
    _record(tenant, member, "member.renew_recovery_codes", "codes", by=by)
    return fresh


def _set(tenant: Tenant, member: Member, factor: Factor, nonce: str, *, by: Actor) -> None:
    """Set it, and ask again on every device: what was left out was the second step of before.

    Commits.
    """
    before = member.second_factor
    member.second_factor = factor
    member.totp_nonce = nonce
    sessions.trust_none(member.id)
    _record(
        tenant,
        member,
        "member.second_factor",
        factor.value,
        by=by,
        factor=[before.value, factor.value],
    )


def _record(
    tenant: Tenant, member: Member, action: str, what: str, *, by: Actor, **changes: object
) -> None:
    audit.record(action, member, by=by, **changes)
    mailing.notify(tenant, "second_factor_changed", member, what=what)
    session().commit()
