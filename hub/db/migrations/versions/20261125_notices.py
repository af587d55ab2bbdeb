"""Notices to the staff, the staff's messengers, acknowledgements, sources of a start, public files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_notices"
down_revision = "20261125_accounts"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNREAD = sa.text("read_at IS NULL")
DUE = sa.text("digest_at IS NOT NULL")
LINKED = sa.text("linked_at IS NOT NULL AND ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        comment="what a person was told, as his list in the workspace shows it",
    )
    op.create_index("ix_notice_staff", "notice", ["staff_id", "id"])
    op.create_index(
        "ix_notice_unread", "notice", ["staff_id", "kind"], sqlite_where=UNREAD, postgresql_where=UNREAD
    )
    op.create_table(
        "notice_choice",
        sa.Column("staff_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_notice_choice_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_notice_choice")),
        comment="where a person wants to be told, and when not",
    )
    op.create_index(
        "ix_notice_choice_digest", "notice_choice", ["digest_at"], sqlite_where=DUE, postgresql_where=DUE
    )
    op.create_table(
        "staff_link",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.String(200), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(200), nullable=True),
        sa.Column("channel_id", sa.String(200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_link_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_link")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_staff_link_code_hash")),
        comment="which messenger belongs to which person of the staff; before that, the one-time code",
    )
    op.create_index(
        "uq_staff_link_address",
        "staff_link",
        ["channel_id", "account"],
        unique=True,
        sqlite_where=LINKED,
        postgresql_where=LINKED,
    )
    op.create_index("ix_staff_link_staff", "staff_link", ["staff_id"])
    op.create_table(
        "staff_message",
        sa.Column("about", sa.String(200), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("about", "account", name=op.f("pk_staff_message")),
        comment="what the staff bot wrote, by the provider's id: an answer to it finds its task",
    )
    op.create_table(
        "acknowledgement",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False),
        sa.Column("away_texts", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_acknowledgement")),
        comment="what an account answers by itself to a new request; off unless somebody switched it on",
    )
    op.create_table(
        "start_source",
        sa.Column("channel_id", sa.String(200), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "account", name=op.f("pk_start_source")),
        comment="by which link somebody opened a chat before he has asked anything: his next request keeps it",
    )
    op.create_table(
        "file_link",
        sa.Column("token_hash", sa.String(200), nullable=False),
        sa.Column("attachment_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_file_link")),
        comment="public addresses of files that a provider fetches itself",
    )
    op.create_index("ix_file_link_expires", "file_link", ["expires_at"])
