"""Persons of organisations, merged cards and where their rows came from, decisions about doubles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261201_contacts"
down_revision = "20261201_fingerprints"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("undone_at IS NULL")


def upgrade() -> None:
    op.add_column("contact", sa.Column("merged_into_id", sa.BigInteger(), nullable=True))
    op.add_column("contact", sa.Column("organisation_id", sa.BigInteger(), nullable=True))
    op.add_column("contact", sa.Column("position", sa.Text(), server_default=sa.text("''"), nullable=False))
    for name, column in (
        ("ix_contact_merged", "merged_into_id"),
        ("ix_contact_organisation", "organisation_id"),
    ):
        known = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "contact", [column], sqlite_where=known, postgresql_where=known)
    for table in ("identity", "request", "orders"):
        op.add_column(table, sa.Column("home_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "contact_owner", sa.Column("card_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.execute("UPDATE contact_owner SET card_id = contact_id")
    op.create_index("ix_contact_owner_card", "contact_owner", ["card_id"])
    op.add_column("contact_doubt", sa.Column("settled_by", sa.String(200), nullable=True))
    op.add_column("contact_doubt", sa.Column("decision", sa.String(200), nullable=True))
    op.create_index("ix_contact_doubt_contact", "contact_doubt", ["contact_id"])
    op.create_index("ix_contact_doubt_other", "contact_doubt", ["other_contact_id"])
    op.create_index("ix_contact_doubt_request", "contact_doubt", ["request_id"])
    op.create_table(
        "contact_merge",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("survivor_id", sa.BigInteger(), nullable=False),
        sa.Column("merged_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_merge")),
        comment="which card was merged into which; what belonged to it stands in the home_id of each row",
    )
    op.create_index(
        "uq_contact_merge_open", "contact_merge", ["merged_id"], unique=True,
        sqlite_where=OPEN, postgresql_where=OPEN,
    )  # fmt: skip
    op.create_index("ix_contact_merge_survivor", "contact_merge", ["survivor_id"])
    op.create_table(
        "joined_before",
        sa.Column("request_id", KEY, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_joined_before")),
        comment="requests that messages joined when their card was merged: an undo gives that role back",
    )
