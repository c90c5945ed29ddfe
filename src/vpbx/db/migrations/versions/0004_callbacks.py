"""Customers who were promised to be called back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("callid", sa.Text(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("gid", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("diversion", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "gid"],
            ["groups.domain_id", "groups.gid"],
            name=op.f("fk_callbacks_domain_id_gid"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_callbacks_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("callid", name=op.f("pk_callbacks")),
    )


def downgrade() -> None:
    op.drop_table("callbacks")
