"""Indexes of the list of parcels: each holds only the parcels that a person is asked about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_parcels"
down_revision = "20261125_webform"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_shipment_waiting", "shipment", ["happened_at", "id"], "status = 'arrived'"),
    (
        "ix_shipment_storage",
        "shipment",
        ["paid_storage_at", "id"],
        "paid_storage_at IS NOT NULL AND NOT final",
    ),
    (
        "ix_shipment_money_due",
        "shipment",
        ["id"],
        "status = 'delivered' AND money_status IN ('collected', 'expected', 'unknown')",
    ),
    ("ix_shipment_loose", "shipment", ["id"], "order_id IS NULL AND parent_id IS NULL"),
    ("ix_observation_unknown", "observation", ["shipment_id"], "status = 'unknown'"),
)


def upgrade() -> None:
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
