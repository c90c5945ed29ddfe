"""Indexes for the calls of one employee: those they took, and those they made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MADE = sa.text("caller_login <> ''")


def upgrade() -> None:
    op.create_index(
        "ix_call_history_user",
        "call_history",
        ["domain_id", "user_login", "started_ms", "callid"],
    )
    op.create_index(
        "ix_call_history_caller",
        "call_history",
        ["domain_id", "caller_login", "started_ms", "callid"],
        sqlite_where=MADE,
        postgresql_where=MADE,
    )


def downgrade() -> None:
    op.drop_index("ix_call_history_caller", "call_history")
    op.drop_index("ix_call_history_user", "call_history")
