"""What is kept of a call's legs, and how good the worst of them sounded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("call_history", sa.Column("legs", sa.Text))
    op.add_column("call_history", sa.Column("mos", sa.SmallInteger))


def downgrade() -> None:
    op.drop_column("call_history", "mos")
    op.drop_column("call_history", "legs")
