"""The phone in pages: the customer's card in the CRM, sites that embed it, customers' names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("domains", sa.Column("crm_card_url", sa.Text, nullable=False, server_default=""))
    op.add_column(
        "domains", sa.Column("widget_origins", sa.Text, nullable=False, server_default="")
    )
    op.create_table(
        "customer_names",
        sa.Column("domain_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("client", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at_ms", _BIG, nullable=False),
        sa.Index("ix_customer_names_at", "domain_id", "at_ms"),
    )


def downgrade() -> None:
    op.drop_table("customer_names")
    op.drop_column("domains", "widget_origins")
    op.drop_column("domains", "crm_card_url")
