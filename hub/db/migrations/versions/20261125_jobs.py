"""Jobs; on PostgreSQL with the tables of procrastinate, which distributes them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261125_jobs"
down_revision = "20261125_tracking"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('ready', 'busy')")


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("order_key", sa.String(200), nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_owner", sa.String(200), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        comment="work behind the scenes; on PostgreSQL procrastinate says whose turn it is",
    )
    op.create_index("ix_job_open", "job", ["run_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_job_key", "job", ["order_key", "id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "planned",
        sa.Column("kind", sa.String(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", "kind", name=op.f("pk_planned")),
        comment="ticks that were enqueued already, by any process",
    )
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        from procrastinate.schema import SchemaManager  # noqa: PLC0415 - comes with the extra [postgres]

        connection.exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
