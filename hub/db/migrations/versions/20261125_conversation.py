"""Conversations: files, receipts, threads, and what only some messages have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_conversation"
down_revision = "20261123_people"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "message_extra",
        sa.Column("message_id", KEY, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("full_text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("group_key", sa.String(length=200), nullable=False),
        sa.Column("edits", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_message_extra")),
        comment="what only some messages have; the hot rows stay short",
    )
    op.create_table(
        "message_mark",
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("mark", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("about", "account", "mark", name=op.f("pk_message_mark")),
        comment="receipts by the provider's id: they may come before the answer of the sending call",
    )
    op.create_table(
        "thread_token",
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_thread_token")),
        comment="what our messages carry, so that an answer finds its request",
    )
    op.create_index("ix_thread_token_request", "thread_token", ["request_id"])
    op.create_table(
        "attachment",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(length=200), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("blob", sa.String(length=200), nullable=True),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("inline", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index("ix_attachment_message", "attachment", ["message_id", "id"])
    op.create_index(
        "ix_attachment_due",
        "attachment",
        ["next_try_at"],
        sqlite_where=sa.text("next_try_at IS NOT NULL"),
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_table(
        "reachability",
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "account", name=op.f("pk_reachability")),
        comment="who can be written to on which channel: a person who left or blocked us cannot",
    )
