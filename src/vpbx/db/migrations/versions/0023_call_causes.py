"""Why a call failed, as it was noted on its way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("call_history", sa.Column("causes", sa.Text))


def downgrade() -> None:
    op.drop_column("call_history", "causes")
