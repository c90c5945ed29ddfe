"""The log of the integration, and a secret that signs what is sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_FAILED = sa.text("state = 'failed'")


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.add_column("crm_outbox", sa.Column("log_id", BIG))
    op.add_column(
        "integrations", sa.Column("signing_secret", sa.Text, nullable=False, server_default="")
    )
    op.create_table(
        "crm_log",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("node", sa.SmallInteger, nullable=False),
        sa.Column("domain_id", sa.Integer, nullable=False),
        text("callid"),
        text("cmd"),
        text("fields"),
        text("state"),
        text("format"),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("done_ms", BIG),
        sa.Column("next_ms", BIG),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("latency_ms", sa.Integer, nullable=False),
        text("answer"),
        text("error"),
        text("tries"),
        sa.Column("replay_of", BIG),
    )
    op.create_index("ix_crm_log_domain", "crm_log", ["domain_id", "id"])
    op.create_index("ix_crm_log_call", "crm_log", ["domain_id", "callid"])
    op.create_index(
        "ix_crm_log_failed",
        "crm_log",
        ["domain_id", "id"],
        sqlite_where=_FAILED,
        postgresql_where=_FAILED,
    )


def downgrade() -> None:
    op.drop_table("crm_log")
    op.drop_column("integrations", "signing_secret")
    op.drop_column("crm_outbox", "log_id")
