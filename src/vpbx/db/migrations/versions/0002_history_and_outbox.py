"""History of calls, the journal of open ones, and the outbox of commands to the CRMs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def upgrade() -> None:
    op.create_table(
        "call_history",
        sa.Column("callid", BIG, primary_key=True, autoincrement=False),
        sa.Column("domain_id", sa.Integer, nullable=False),
        sa.Column("is_inner", sa.SmallInteger, nullable=False),
        sa.Column("started_ms", BIG, nullable=False),
        sa.Column("answered_ms", BIG),
        sa.Column("ended_ms", BIG, nullable=False),
        text("direction"),
        text("status"),
        text("client"),
        text("account"),
        text("diversion"),
        text("telnum_name"),
        text("destination"),
        text("user_login"),
        text("user_name"),
        text("user_ext"),
        text("group_id"),
        text("group_name"),
        text("caller_login"),
        text("caller_name"),
        sa.Column("rating", sa.SmallInteger),
        sa.Column("record", sa.SmallInteger, nullable=False),
        sa.Column("sip_code", sa.SmallInteger, nullable=False),
        sa.Column("node", sa.SmallInteger, nullable=False),
        text("ended_by"),
    )
    for name, columns in (
        ("started", ["domain_id", "is_inner", "started_ms", "callid"]),
        ("client", ["domain_id", "client", "is_inner", "started_ms", "callid"]),
        ("account", ["domain_id", "account", "is_inner", "started_ms", "callid"]),
    ):
        op.create_index(f"ix_call_history_{name}", "call_history", columns)
    op.create_index(
        "ix_call_history_encoding",
        "call_history",
        ["node"],
        sqlite_where=sa.text("record = 1"),
        postgresql_where=sa.text("record = 1"),
    )
    op.create_table(
        "call_journal",
        sa.Column("callid", BIG, primary_key=True, autoincrement=False),
        sa.Column("node", sa.SmallInteger, nullable=False),
        sa.Column("domain_id", sa.Integer, nullable=False),
        sa.Column("started_ms", BIG, nullable=False),
        text("state"),
    )
    op.create_table(
        "crm_outbox",
        sa.Column("id", BIG, primary_key=True, autoincrement=False),
        sa.Column("node", sa.SmallInteger, nullable=False),
        sa.Column("domain_id", sa.Integer, nullable=False),
        text("callid"),
        text("cmd"),
        text("fields"),
        sa.Column("created_ms", BIG, nullable=False),
        text("status"),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("tried_ms", BIG),
        text("error"),
    )
    op.create_index("ix_crm_outbox_pending", "crm_outbox", ["node", "domain_id", "status", "id"])


def downgrade() -> None:
    for table in ("crm_outbox", "call_journal", "call_history"):
        op.drop_table(table)
