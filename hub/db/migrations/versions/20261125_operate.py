"""Effects that need a person are found without reading those that were sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_operate"
down_revision = "20261125_orders"
branch_labels = None
depends_on = None

STUCK = sa.text("state IN ('dead', 'uncertain')")


def upgrade() -> None:
    op.create_index(
        "ix_outbox_stuck", "outbox", ["lane", "state"], sqlite_where=STUCK, postgresql_where=STUCK
    )
