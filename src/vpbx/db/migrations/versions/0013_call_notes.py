"""What people write to calls: notes, and tags to find them by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "call_notes",
        sa.Column("callid", BIG, primary_key=True, autoincrement=False),
        sa.Column("domain_id", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at_ms", BIG, nullable=False),
    )
    op.create_table(
        "call_tags",
        sa.Column("domain_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("callid", BIG, primary_key=True, autoincrement=False),
    )
    op.create_index("ix_call_tags_callid", "call_tags", ["callid"])


def downgrade() -> None:
    op.drop_table("call_tags")
    op.drop_table("call_notes")
