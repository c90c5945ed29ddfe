"""What the operator sets for a number: rating of calls, and whether calls leave with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("numbers") as numbers:
        numbers.add_column(
            sa.Column("rating", sa.Boolean, nullable=False, server_default=sa.false())
        )
        numbers.add_column(
            sa.Column("outgoing", sa.Boolean, nullable=False, server_default=sa.true())
        )


def downgrade() -> None:
    with op.batch_alter_table("numbers") as numbers:
        numbers.drop_column("outgoing")
        numbers.drop_column("rating")
