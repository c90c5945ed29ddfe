"""Trunks that may show a customer's number, on a call that is sent on to the outside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "trunks",
        sa.Column("customers_numbers", sa.Boolean(), server_default="0", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("trunks", "customers_numbers")
