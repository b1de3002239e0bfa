"""Passkeys: what a member's device signs for the brand's exact host, and for no other (COM-13,
security.md §4.16).

A passkey asks for the person as well as for the device, so that it counts as both steps of signing
in.
"""

import base64
import json
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import TypedDict
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError

from portal.config import Tenant
from portal.core import (
    Actor,
    NotFound,
    RuleBroken,
    audit,
    clock,
    delete_where,
    gettext_noop,
    session,
    signer,
    update_where,
)
from portal.shared import mailing
from portal.shared.accounts.models import Member, of_who_may_sign_in
from portal.shared.auth import throttling
from portal.shared.auth.models import Passkey, PasskeyChallenge, numbered
from portal.shared.auth.sessions import Client

LIFETIME = timedelta(minutes=5)
MOST = 10
_ALGORITHMS = (-8, -7, -257)
"""Ed25519, ES256 and RS256, by their numbers in COSE, the most wanted first."""
WRONG = gettext_noop("入力内容に誤りがあります。もう一度ご確認ください。")
_UNPROVED = gettext_noop("パスキーを確認できませんでした。もう一度お試しください。")


class Unproved(RuleBroken):
    """No passkey that counts here signed a challenge that is alive.

    One calm answer, whatever is wrong.
    """


def must_be_on(tenant: Tenant, *, alone: bool = False) -> None:
    """Raises NotFound where the tenant has no passkeys, or with `alone` none that let in by
    themselves.
    """
    uses = {"sign_in"} if alone else {"second_step", "sign_in"}
    if tenant.sign_in.passkeys not in uses:
        raise NotFound("ページが見つかりません")


def list_passkeys(member_id: int) -> list[Passkey]:
    """The member's passkeys, the newest first."""
    newest_first = select(Passkey).where(Passkey.member_id == member_id).order_by(Passkey.id.desc())
    return list(session().scalars(newest_first))


class CreationOptions(TypedDict):
    """What a browser makes a passkey from: PublicKeyCredentialCreationOptionsJSON of WebAuthn."""

    rp: dict[str, str]
    user: dict[str, str]
    pubKeyCredParams: list[dict[str, object]]
    excludeCredentials: list[dict[str, str]]
    authenticatorSelection: dict[str, str]
    attestation: str
    challenge: str


class RequestOptions(TypedDict):
    """What a browser signs with a passkey: PublicKeyCredentialRequestOptionsJSON of WebAuthn."""

    rpId: str
    userVerification: str
    allowCredentials: list[dict[str, str]]
    challenge: str


def creation_options(tenant: Tenant, member_id: int) -> CreationOptions:
    """What the browser makes a new passkey from.

    Commits. Raises NotFound, or throttling.TooMany.
    """
    must_be_on(tenant)
    member = session().get_one(Member, member_id)
    # One for all of a member's passkeys, and it tells nothing of them.
    handle = _text(signer.macs("passkey-handle", member_id)[0])
    return {
        "rp": {"id": _host(tenant), "name": tenant.name},
        "user": {"id": handle, "name": member.login_id or member.email, "displayName": member.name},
        "pubKeyCredParams": [{"type": "public-key", "alg": number} for number in _ALGORITHMS],
        "excludeCredentials": _named(member_id),
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "required"},
        "attestation": "none",
        "challenge": _begin(tenant, "register", member_id),
    }


def request_options(
    tenant: Tenant, client: Client, *, member_id: int | None = None
) -> RequestOptions:
    """What the browser signs to come in, or for `member_id`'s second step.

    Commits. Raises as `creation_options`.
    """
    must_be_on(tenant, alone=member_id is None)
    # Who comes in by it is not known yet: the device offers what it has for the host.
    allowed = _named(member_id) if member_id else []
    return {
        "rpId": _host(tenant),
        "userVerification": "required",
        "allowCredentials": allowed,
        "challenge": _begin(tenant, _purpose(member_id), member_id, client.network),
    }


def _purpose(member_id: int | None) -> str:
    """What a challenge to sign is for: the second step of who is known, or all of signing in."""
    return "second_step" if member_id else "sign_in"


def register(tenant: Tenant, member_id: int, label: str, answer: str, *, by: Actor) -> None:
    """Keep the passkey that `answer` brings, and mail the member.

    Commits; the challenge is used up in any case. Raises NotFound, Unproved, or RuleBroken when the
    member has as many as may be.
    """
    from webauthn import base64url_to_bytes, verify_registration_response

    must_be_on(tenant)
    member = Member.locked(member_id)
    if len(list_passkeys(member_id)) >= MOST:
        raise RuleBroken("パスキーは%(most)s個まで登録できます。", most=MOST)
    challenge, _credential_id = _claimed(answer)
    made = None
    if _take("register", member_id, challenge):
        with suppress(Exception):  # a stranger wrote it, and the parsers raise whatever they meet
            made = verify_registration_response(
                credential=answer,
                expected_challenge=base64url_to_bytes(challenge),
                expected_rp_id=_host(tenant),
                expected_origin=tenant.base_url,
                require_user_verification=True,
            )
    if made is None:
        session().commit()
        raise Unproved(_UNPROVED)
    new = Passkey(member_id=member_id, credential_id=_text(made.credential_id), label=label)
    new.public_key = made.credential_public_key
    new.sign_count = made.sign_count
    new.created_at = clock.now()
    session().add(new)
    try:
        _tell(tenant, member, "added", label, by=by)
    except (IntegrityError, DataError):
        # Somebody has it already, or its name is longer than names may be.
        session().rollback()
        raise Unproved(_UNPROVED) from None
    session().commit()


def remove(tenant: Tenant, member_id: int, number: str, *, by: Actor) -> None:
    """Remove one of the member's own passkeys, and mail the member. Commits. Raises NotFound."""
    must_be_on(tenant)
    member = Member.locked(member_id)
    found = numbered(list_passkeys(member_id), number)
    session().delete(found)
    _tell(tenant, member, "removed", found.label, by=by)
    session().commit()


def forget_all(member_id: int) -> None:
    """Remove every passkey of a member, and what may become one.

    The caller has locked the member, and commits.
    """
    for model in (Passkey, PasskeyChallenge):
        delete_where(model, model.member_id == member_id)


def forget_challenges() -> None:
    """Remove challenges that nobody answered in time. The caller commits."""
    delete_where(PasskeyChallenge, PasskeyChallenge.expires_at <= clock.now())


def proved(tenant: Tenant, answer: str, client: Client, *, member_id: int | None = None) -> Member:
    """The member, now locked, whose passkey signed what `request_options` gave.

    `member_id` is the same as there. The caller commits. Raises NotFound, or Unproved, to come in
    by it in the words of a wrong password; then the challenge is used up, and a counter that went
    back is audited.
    """
    must_be_on(tenant, alone=member_id is None)
    member = _signer(tenant, answer, client, member_id)
    if member is None:
        session().commit()
        raise Unproved(_UNPROVED if member_id else WRONG)
    return member


def _signer(tenant: Tenant, answer: str, client: Client, member_id: int | None) -> Member | None:
    """The member, locked, whose passkey signed `answer`; None when nothing that counts did."""
    challenge, credential_id = _claimed(answer)
    found = _find(credential_id)
    # Nobody else's row is locked: two who bring each other's passkeys would wait for each other for
    # ever.
    member = None
    if found is not None and member_id in (None, found.member_id):
        member = Member.locked(found.member_id)
    is_ours = _take(_purpose(member_id), member_id, challenge)
    passkey = _find(credential_id)  # anew, under the lock: it may have been removed meanwhile
    if not is_ours or member is None or passkey is None:
        return None
    sign_count = _verify_signature(tenant, answer, challenge, passkey)
    if sign_count is None:
        return None
    by = member.actor(client.address)
    if not _count_up(passkey.id, sign_count):
        audit.record("member.refuse_passkey", member, by=by, label=passkey.label)
        return None
    audit.record("member.use_passkey", member, by=by, label=passkey.label)
    return member


def _verify_signature(tenant: Tenant, answer: str, challenge: str, passkey: Passkey) -> int | None:
    """The counter of an answer that `passkey` signed for this host; None for any other answer."""
    from webauthn import base64url_to_bytes, verify_authentication_response

    try:
        signed = verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_host(tenant),
            expected_origin=tenant.base_url,
            credential_public_key=passkey.public_key,
            # Told that the counter stood at 0, so that who cannot sign has nothing audited:
            # `_count_up` compares.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception:  # a stranger wrote it, and the parsers raise whatever they meet
        return None
    return signed.new_sign_count


def _begin(tenant: Tenant, purpose: str, member_id: int | None, network: str = "") -> str:
    """A new challenge.

    Commits. Raises throttling.TooMany by the member, or a stranger's network.
    """
    who = f"member\n{member_id}" if member_id else f"address\n{network}"
    throttling.count_by(tenant.sign_in, f"passkey-{purpose}", who, times=10)
    made = secrets.token_urlsafe(32)
    until = clock.now() + LIFETIME
    session().add(
        PasskeyChallenge(member_id=member_id, purpose=purpose, challenge=made, expires_at=until)
    )
    session().commit()
    return made


def _take(purpose: str, member_id: int | None, challenge: str) -> bool:
    """Use a challenge up: of those who bring it at the same moment, one is told that it did."""
    ours = PasskeyChallenge.challenge == challenge, PasskeyChallenge.purpose == purpose
    alive = (PasskeyChallenge.member_id == member_id, PasskeyChallenge.expires_at > clock.now())
    # Removed and not marked: a challenge says nothing once it was answered.
    return delete_where(PasskeyChallenge, *ours, *alive) == 1


def _find(credential_id: str) -> Passkey | None:
    """The passkey of somebody who may sign in."""
    of_members = select(Passkey).join(Member, Member.id == Passkey.member_id)
    return (
        session()
        .scalars(of_who_may_sign_in(of_members.where(Passkey.credential_id == credential_id)))
        .one_or_none()
    )


def _claimed(answer: str) -> tuple[str, str]:
    """The challenge and the credential that an answer says it is of.

    Empty when it is no answer at all.
    """
    from webauthn.helpers import base64url_to_bytes, parse_client_data_json

    try:
        given = json.loads(answer)
        said = parse_client_data_json(base64url_to_bytes(given["response"]["clientDataJSON"]))
        return _text(said.challenge), _text(base64url_to_bytes(given["id"]))
    except Exception:  # a stranger wrote it, and the parsers raise whatever they meet
        return "", ""


def _host(tenant: Tenant) -> str:
    """The host that passkeys are made for (WebAuthn's RP ID), without scheme and port."""
    # The brand's whole host and no ending of it: brands on one domain share no passkeys.
    return urlsplit(tenant.base_url).hostname or ""


def _count_up(passkey_id: int, count: int) -> bool:
    """Note the use, unless the counter went back: then there are two of what should be one.

    Always 0 is no counter.
    """
    is_forward = Passkey.sign_count < count if count else Passkey.sign_count == 0
    own = (Passkey.id == passkey_id, is_forward)
    return update_where(Passkey, *own, sign_count=count, used_at=clock.now()) == 1


def _text(of: bytes) -> str:
    return base64.urlsafe_b64encode(of).decode().rstrip("=")


def _named(member_id: int) -> list[dict[str, str]]:
    return [
        {"type": "public-key", "id": passkey.credential_id} for passkey in list_passkeys(member_id)
    ]


def _tell(tenant: Tenant, member: Member, what: str, label: str, *, by: Actor) -> None:
    audit.record(f"member.passkey_{what}", member, by=by, label=label)
    mailing.notify(tenant, "passkey_changed", member, what=what, label=label)
