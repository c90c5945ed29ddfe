"""Voice mailboxes, and e-mail on its way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def moment(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)


def upgrade() -> None:
    op.create_table(
        "voicemail",
        sa.Column("id", sa.Integer, primary_key=True),
        number("domain_id"),
        text("login"),
        moment("callid"),
        text("client"),
        text("name"),
        moment("left_ms"),
        number("seconds"),
        sa.Column("heard", sa.SmallInteger, nullable=False),
        text("path"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_voicemail_box", "voicemail", ["domain_id", "login", "left_ms"])
    op.create_table(
        "mail_queue",
        sa.Column("id", sa.Integer, primary_key=True),
        number("domain_id"),
        moment("made_ms"),
        moment("next_ms"),
        number("attempts"),
        sa.Column("status", sa.SmallInteger, nullable=False),
        text("recipient"),
        text("subject"),
        text("body"),
        text("attachment"),
        text("attachment_name"),
        text("error"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mail_queue_due", "mail_queue", ["status", "next_ms"])


def downgrade() -> None:
    op.drop_table("mail_queue")
    op.drop_table("voicemail")
