"""What a carrier told last, in its plugin's own word: an answer that is the same need not be read again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261201_fingerprints"
down_revision = "20261125_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "shipment", sa.Column("fingerprint", sa.String(200), server_default=sa.text("''"), nullable=False)
    )
