"""Accounts made in the workspace stand beside those of the file; secrets of web hooks are sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_accounts"
down_revision = "20261125_parcels"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "account", sa.Column("origin", sa.String(200), server_default=sa.text("'file'"), nullable=False)
    )
    op.add_column("account", sa.Column("keys", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column(
        "account", sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False)
    )
    # The key is not in the database: the next start, which has it, seals what stands in plain text.
    op.add_column("webhook", sa.Column("sealed", sa.Text(), server_default=sa.text("''"), nullable=False))
