"""Which of its flows a device registered by (RFC 5626)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("locations") as locations:
        locations.add_column(sa.Column("reg_id", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("locations") as locations:
        locations.drop_column("reg_id")
