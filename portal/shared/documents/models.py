"""Issued documents: what they were made from, and the bytes that never change (COM-72)."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import (
    ID,
    Base,
    EnumType,
    LabelledEnum,
    TenantOwned,
    gettext_noop,
    tenant_fk,
    tenant_table_args,
)
from portal.core.files import FileKey

_PARTY_BYTES = 180
"""What a file name has room for beside date, amount and number: file systems end at 255 bytes."""


class DocumentKind(LabelledEnum):
    """What a document is; the value names its number sequence and its template."""

    INVOICE = "invoice", gettext_noop("請求書")
    WORK_REPORT = "work_report", gettext_noop("作業完了報告書")
    RECEIPT = "receipt", gettext_noop("領収書")
    CREDIT_NOTE = "credit_note", gettext_noop("返金明細書")

    @property
    def bears_amount(self) -> bool:
        """Whether it says what is to be paid, was paid or is given back."""
        return self is not DocumentKind.WORK_REPORT


class Document(TenantOwned, Base):
    """A document issued to an account. `sha256` (also the file's key) is empty until it is drawn,
    then fixed.

    `replaced_by` is the number of the one of its kind that corrects it, if any; `total` is 0 where
    it bears no amount.
    """

    __tablename__ = "document"
    account_id: Mapped[int] = mapped_column(ID)
    kind: Mapped[DocumentKind] = mapped_column(EnumType(DocumentKind, 20))
    number: Mapped[str] = mapped_column(String(30))
    about: Mapped[str] = mapped_column(String(60))
    counterparty: Mapped[str] = mapped_column(String(100))
    transaction_date: Mapped[date]
    total: Mapped[int] = mapped_column(ID)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    sha256: Mapped[str] = mapped_column(FileKey(), default="")
    size: Mapped[int] = mapped_column(default=0)
    issued_at: Mapped[datetime]
    drawn_at: Mapped[datetime | None]
    replaced_by: Mapped[str] = mapped_column(String(30), default="", server_default="")
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        UniqueConstraint("tenant_id", "kind", "number"),
        Index("ix_document_about", "tenant_id", "account_id", "about", "kind"),
        Index("ix_document_mine", "tenant_id", "account_id", "issued_at", "id"),
        Index("ix_document_sha256", "tenant_id", "sha256"),
        # For the search by day that 電子帳簿保存法 asks for, besides amount and counterparty.
        Index("ix_document_date", "tenant_id", "transaction_date", "id"),
    )

    @property
    def subject(self) -> str:
        """How the audit trail names this document."""
        return f"document:{self.number}"

    @property
    def amount(self) -> int | None:
        """Its total in yen, tax included; None where it bears no amount."""
        return self.total if self.kind.bears_amount else None

    @property
    def filename(self) -> str:
        """A file name to sort by: date, counterparty, total if any (電子帳簿保存法).

        A long counterparty is cut, so that every file system takes the name.
        """
        # Without what no file system of Windows takes in a name.
        plain = "".join(
            character for character in self.counterparty if character not in '\\/:*?"<>|\r\n\t'
        )
        party = plain.encode()[:_PARTY_BYTES].decode(errors="ignore")
        amount = "" if self.amount is None else f"{self.amount}_"
        return f"{self.transaction_date:%Y%m%d}_{party}_{amount}{self.number}.pdf"


class DocumentLink(TenantOwned, Base):
    """A document that somebody without an account may open: mailed to one `recipient`, kept as a
    digest (COM-73).
    """

    __tablename__ = "document_link"
    account_id: Mapped[int] = mapped_column(ID)
    document_id: Mapped[int] = mapped_column(ID)
    recipient: Mapped[str] = mapped_column(String(254))
    token_digest: Mapped[str] = mapped_column(String(64))
    made_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    uses: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None]
    __table_args__ = tenant_table_args(
        tenant_fk("account_id", "account"),
        tenant_fk("document_id", "document"),
        UniqueConstraint("tenant_id", "token_digest"),
        Index("ix_document_link_document", "tenant_id", "document_id", "id"),
    )
