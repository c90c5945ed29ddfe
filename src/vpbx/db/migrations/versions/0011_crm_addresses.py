"""Several addresses that a company's commands go to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_REPLAYS = sa.text("replay_of IS NOT NULL")


def text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def upgrade() -> None:
    op.create_table(
        "crm_addresses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "domain_id",
            sa.Integer,
            sa.ForeignKey("domains.id", ondelete="CASCADE"),
            nullable=False,
        ),
        text("name"),
        text("url", ""),
        text("token", ""),
        text("format", "auto"),
        text("learned_format", "auto"),
        flag("enabled"),
        flag("send_history"),
        flag("send_event"),
        flag("send_contact"),
        flag("send_rating"),
        flag("late_events"),
        text("signing_secret", ""),
        sa.UniqueConstraint("domain_id", "name"),
        sqlite_autoincrement=True,
    )
    for table in ("crm_outbox", "crm_log"):
        op.add_column(table, text("address", "main"))
    op.execute("UPDATE crm_outbox SET address = 'webhook' WHERE cmd = 'webhook'")
    op.execute("UPDATE crm_log SET address = 'webhook' WHERE cmd = 'webhook'")
    op.drop_index("ix_crm_outbox_pending", "crm_outbox")
    op.create_index(
        "ix_crm_outbox_pending", "crm_outbox", ["node", "domain_id", "address", "status", "id"]
    )
    op.create_index(
        "ix_crm_log_replays",
        "crm_log",
        ["replay_of"],
        sqlite_where=_REPLAYS,
        postgresql_where=_REPLAYS,
    )


def downgrade() -> None:
    op.drop_index("ix_crm_log_replays", "crm_log")
    op.drop_index("ix_crm_outbox_pending", "crm_outbox")
    op.create_index("ix_crm_outbox_pending", "crm_outbox", ["node", "domain_id", "status", "id"])
    for table in ("crm_outbox", "crm_log"):
        op.drop_column(table, "address")
    op.drop_table("crm_addresses")
