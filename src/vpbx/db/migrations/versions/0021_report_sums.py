"""What reports counted of days that are over, for as long as no day of it has changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "report_sums",
        sa.Column("domain_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(64), primary_key=True),
        sa.Column("days", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first_day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("sums", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("report_sums")
