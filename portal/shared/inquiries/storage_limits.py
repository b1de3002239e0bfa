"""How much an account may store, and how much may be sent from one network address a day.

Without these anybody with a sign-in could fill the disk: a form that was never sent keeps its files
for as long as its draft lives.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select

from portal.config import Tenant
from portal.core import Actor, RuleBroken, clock, session
from portal.shared.accounts.models import Account, Member
from portal.shared.auth import throttling
from portal.shared.drafts import LIFETIME, Draft
from portal.shared.inquiries.models import Inquiry, InquiryFile, InquiryMessage

_KIBIBYTE = 1024
_MEBIBYTE = 1024 * 1024
_DAY = timedelta(days=1)


def reserve_storage(tenant: Tenant, new_files: Mapping[str, int], *, by: Actor) -> None:
    """Make sure that `by` may store these files (size in bytes by digest), in the running
    transaction.

    The account's row stays locked until the transaction ends, so that of several uploads at the
    same moment each counts what the others add. Raises RuleBroken at ``files``.
    """
    size = sum(new_files.values())
    if by.account_id is not None and size:
        _lock_account(by.account_id)
        if _stored_bytes(by.account_id, new_files) > tenant.storage.account_megabytes * _MEBIBYTE:
            raise RuleBroken(
                "お預かりできるファイルの合計（%(n)sMB）を超えるため、添付できません。"
                "ファイルを減らして、もう一度お試しください。",
                field="files",
                n=tenant.storage.account_megabytes,
            )
    if by.address and size:
        _count_address(tenant, by.address, size)


def _lock_account(account_id: int) -> None:
    # FOR NO KEY UPDATE: rows that point at the account can still be written meanwhile.
    own = select(Account.id).where(Account.id == account_id)
    session().execute(own.with_for_update(key_share=True))


def _stored_bytes(account_id: int, new_files: Mapping[str, int]) -> int:
    """Bytes of the account's messages, and of its open forms and `new_files`, each content once."""
    written = (
        select(func.coalesce(func.sum(InquiryFile.size), 0))
        .join(InquiryMessage, InquiryMessage.id == InquiryFile.message_id)
        .join(Inquiry, Inquiry.id == InquiryMessage.inquiry_id)
        .where(Inquiry.account_id == account_id, InquiryMessage.by_kind != "operator")
    )
    # By digest: the same bytes in two open forms are stored once, and count once.
    waiting = dict(new_files)
    for data in session().scalars(_open_drafts_of(account_id)):
        for file in data.get("attached") or ():
            waiting[file["sha256"]] = file["size"]
    return int(session().scalars(written).one()) + sum(waiting.values())


def _open_drafts_of(account_id: int) -> Select[tuple[dict[str, Any]]]:
    return (
        select(Draft.data)
        .join(Member, Member.id == Draft.member_id)
        .where(
            Member.account_id == account_id,
            Draft.used_at.is_(None),
            Draft.created_at > clock.now() - LIFETIME,
        )
        .execution_options(yield_per=100)
    )


def _count_address(tenant: Tenant, address: str, size: int) -> None:
    """Count bytes (in KiB) against the network address's day."""
    megabytes = tenant.storage.address_megabytes
    # Rounded up, and in KiB: the counter's column would not hold a day's bytes.
    kibibytes = -(-size // _KIBIBYTE)
    try:
        throttling.count(
            "upload-kib",
            throttling.network_of(address),
            limit=megabytes * _KIBIBYTE,
            window=_DAY,
            amount=kibibytes,
        )
    except throttling.TooMany:
        raise RuleBroken(
            "お使いのネットワークから1日に送信できるファイルの合計（%(n)sMB）を超えました。"
            "明日以降に、もう一度お試しください。",
            field="files",
            n=megabytes,
        ) from None
