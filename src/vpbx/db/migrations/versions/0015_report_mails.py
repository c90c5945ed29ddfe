"""Reports that go out by e-mail, and letters with HTML and a text attached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def moment(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)


def upgrade() -> None:
    op.create_table(
        "report_mails",
        sa.Column("id", sa.Integer, primary_key=True),
        number("domain_id"),
        text("every"),
        number("at_minute"),
        text("zone"),
        text("by"),
        text("group_id"),
        number("in_time_s"),
        text("recipients"),
        moment("due_ms"),
        moment("sent_ms"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_report_mails_domain", "report_mails", ["domain_id", "zone"])
    op.create_index("ix_report_mails_due", "report_mails", ["due_ms"])
    op.add_column("mail_queue", text("html", ""))
    op.add_column("mail_queue", text("attached", ""))


def downgrade() -> None:
    op.drop_column("mail_queue", "attached")
    op.drop_column("mail_queue", "html")
    op.drop_table("report_mails")
