"""The path of a call: who rang and who talked when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("call_history", sa.Column("path", sa.Text))


def downgrade() -> None:
    op.drop_column("call_history", "path")
