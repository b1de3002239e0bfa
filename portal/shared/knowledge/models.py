"""Articles and where they stand, what search finds them by, what members think of them and
follow.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core import ID, Base, TenantOwned, tenant_fk, tenant_table_args


class Place(TenantOwned, Base):
    """A section of a category; a category is the one whose `section` is empty."""

    __tablename__ = "knowledge_place"
    number: Mapped[str] = mapped_column(String(20))
    category: Mapped[str] = mapped_column(String(60))
    section: Mapped[str] = mapped_column(String(60))
    __table_args__ = tenant_table_args(
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "category", "section"),
    )

    @property
    def subject(self) -> str:
        """How the audit trail names it: places and articles are numbered apart."""
        return f"knowledge:{self.number}"

    @property
    def name(self) -> str:
        """As readers see it."""
        return " › ".join(filter(None, (self.category, self.section)))


class Article(TenantOwned, Base):
    """An article in Markdown.

    `key` is its file's own name for it; `products` are between commas, none: for all. `title_key`
    and `text_key` are what search compares, `plain` is what it shows. `mailed_to` is the last
    follower who was told of it as it stands, None when nobody is left to be.
    """

    __tablename__ = "knowledge_article"
    number: Mapped[str] = mapped_column(String(20))
    key: Mapped[str] = mapped_column(String(60))
    place_id: Mapped[int] = mapped_column(ID)
    title: Mapped[str] = mapped_column(String(120), default="")
    products: Mapped[str] = mapped_column(String(1000), default="")
    published_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]
    mailed_to: Mapped[int | None] = mapped_column(ID)
    # Folded once, when the article is saved: to fold what is compared would let no index help.
    title_key: Mapped[str] = mapped_column(Text, default="")
    text_key: Mapped[str] = mapped_column(Text, default="")
    plain: Mapped[str] = mapped_column(Text, default="")
    body: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = tenant_table_args(
        tenant_fk("place_id", "knowledge_place"),
        UniqueConstraint("tenant_id", "number"),
        UniqueConstraint("tenant_id", "key"),
        Index("ix_knowledge_article_newest", "tenant_id", "updated_at", "id"),
        Index("ix_knowledge_article_place", "tenant_id", "place_id", "withdrawn_at", "products"),
    )

    @property
    def subject(self) -> str:
        """How the audit trail names it: places and articles are numbered apart."""
        return f"knowledge:{self.number}"


class Posting(TenantOwned, Base):
    """That two characters stand side by side in an article, and when that was last written.

    Newest first.
    """

    __tablename__ = "knowledge_posting"
    gram: Mapped[int] = mapped_column(BigInteger)
    moment: Mapped[int] = mapped_column(BigInteger)
    article_id: Mapped[int] = mapped_column(ID)
    in_title: Mapped[bool]
    __table_args__ = tenant_table_args(
        tenant_fk("article_id", "knowledge_article"),
        # All that a search compares stands in the index: the table itself is never read for it.
        Index("ix_knowledge_posting_gram", "tenant_id", "gram", "moment", "article_id", "in_title"),
    )


class Stance(TenantOwned, Base):
    """What a member thinks of an article, and whether they follow it; or all that is in a place."""

    __tablename__ = "knowledge_stance"
    member_id: Mapped[int] = mapped_column(ID)
    article_id: Mapped[int | None] = mapped_column(ID)
    place_id: Mapped[int | None] = mapped_column(ID)
    follows: Mapped[bool] = mapped_column(default=False)
    is_helpful: Mapped[bool | None]
    __table_args__ = tenant_table_args(
        tenant_fk("member_id", "member"),
        tenant_fk("article_id", "knowledge_article"),
        tenant_fk("place_id", "knowledge_place"),
        # Each row is about an article or a place; the other column is NULL, which is never equal.
        UniqueConstraint("tenant_id", "article_id", "member_id"),
        UniqueConstraint("tenant_id", "place_id", "member_id"),
        Index("ix_knowledge_stance_mine", "tenant_id", "member_id"),
    )
