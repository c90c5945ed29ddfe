"""What became of missed calls, and late events of an integration."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UNRETURNED = sa.text("missed_status >= 3")


def upgrade() -> None:
    op.add_column(
        "integrations",
        sa.Column("late_events", sa.Boolean, nullable=False, server_default="0"),
    )
    op.add_column(
        "call_history",
        sa.Column("missed_status", sa.SmallInteger, nullable=False, server_default="0"),
    )
    op.execute(
        """
        UPDATE call_history SET missed_status = coalesce((
            SELECT CASE WHEN later.status <> 'success' THEN 4
                        WHEN later.direction = 'in' THEN 1 ELSE 2 END
            FROM call_history AS later
            WHERE later.domain_id = call_history.domain_id
              AND later.client = call_history.client AND later.client <> ''
              AND later.is_inner = 0 AND later.started_ms > call_history.started_ms
              AND (later.status = 'success' OR later.direction = 'out')
            ORDER BY (later.status = 'success') DESC, later.started_ms LIMIT 1), 3)
        WHERE is_inner = 0 AND direction = 'in' AND status <> 'success'
        """
    )
    op.create_index(
        "ix_call_history_unreturned",
        "call_history",
        ["domain_id", "client"],
        sqlite_where=_UNRETURNED,
        postgresql_where=_UNRETURNED,
    )


def downgrade() -> None:
    op.drop_index("ix_call_history_unreturned", "call_history")
    op.drop_column("call_history", "missed_status")
    op.drop_column("integrations", "late_events")
