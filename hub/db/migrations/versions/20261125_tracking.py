"""Budgets of a minute and a day, lists of carriers, found waybills, and public links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_tracking"
down_revision = "20261125_operate"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DUE = sa.text("next_poll_at IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("shipment") as batch:
        batch.add_column(sa.Column("announced", sa.String(200), server_default=sa.text("''"), nullable=False))
        batch.add_column(
            sa.Column("announced_money", sa.String(200), server_default=sa.text("''"), nullable=False)
        )
        batch.add_column(sa.Column("made_at", sa.BigInteger(), nullable=True))
    # What was known before this counts as announced.
    op.execute("UPDATE shipment SET announced = status, announced_money = money_status")
    # "silent" is backing off now; those that nobody asks for any more have given up.
    op.execute("UPDATE shipment SET phase = 'given_up' WHERE phase = 'silent' AND next_poll_at IS NULL")
    op.drop_index("ix_shipment_due", "shipment")
    op.create_index(
        "ix_shipment_due", "shipment", ["account", "next_poll_at"], sqlite_where=DUE, postgresql_where=DUE
    )
    op.create_index("ix_shipment_status", "shipment", ["status", "id"])
    op.create_index("ix_shipment_phase", "shipment", ["phase", "id"])
    op.execute("UPDATE call_budget SET window_at = 0, used = 0")
    with op.batch_alter_table("call_budget") as batch:
        batch.add_column(sa.Column("recent", sa.Text(), server_default=sa.text("'[]'"), nullable=False))
        batch.add_column(sa.Column("flights", sa.Text(), server_default=sa.text("'[]'"), nullable=False))
        batch.add_column(sa.Column("pace", sa.BigInteger(), server_default=sa.text("1000"), nullable=False))
        batch.add_column(sa.Column("paced_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "carrier_list",
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reached_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account", "kind", name=op.f("pk_carrier_list")),
        comment="how far the lists of a carrier's account were read, and when they are read again",
    )
    op.create_table(
        "found_waybill",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("number", sa.String(200), nullable=False),
        sa.Column("account", sa.String(200), nullable=False),
        sa.Column("order_reference", sa.String(200), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.String(200), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=True),
        sa.Column("cod_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(200), nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_found_waybill")),
        sa.UniqueConstraint("number", "account", name=op.f("uq_found_waybill_number_account")),
        comment="waybills that the account made and no order has yet",
    )
    op.create_index("ix_found_waybill_order", "found_waybill", ["order_id"])
    op.create_index("ix_found_waybill_state", "found_waybill", ["state", "id"])
    op.create_table(
        "track_link",
        sa.Column("secret", sa.String(60), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_track_link_order_id")),
        sa.PrimaryKeyConstraint("secret", name=op.f("pk_track_link")),
        sa.UniqueConstraint("order_id", name=op.f("uq_track_link_order_id")),
        comment="public tracking pages: one secret address an order",
    )
