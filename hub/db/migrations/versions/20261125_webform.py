"""A limit of its own for the reaction to a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_webform"
down_revision = "20261125_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("task", sa.Column("reaction_ms", sa.BigInteger(), nullable=True))
