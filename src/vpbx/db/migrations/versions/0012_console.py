"""Who may use the console: accounts, invitations, sessions, passkeys; and the log of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def moment(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=False)


def account() -> sa.Column[int]:
    return sa.Column(
        "account_id",
        sa.Integer,
        sa.ForeignKey("accounts.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("operator", sa.Text),
        text("password"),
        text("totp"),
        moment("totp_step"),
        text("language"),
        moment("created_at"),
        sa.UniqueConstraint("user_id", name="uq_accounts_user_id"),
        sa.UniqueConstraint("operator", name="uq_accounts_operator"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.Text, primary_key=True),
        account(),
        moment("expires_at"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        text("token_hash"),
        account(),
        moment("created_at"),
        moment("seen_at"),
        sa.Column("pending", sa.SmallInteger, nullable=False),
        number("company_id"),
        text("address"),
        text("agent"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer, primary_key=True),
        account(),
        text("credential_id"),
        text("public_key"),
        moment("sign_count"),
        text("name"),
        moment("created_at"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "console_settings",
        sa.Column(
            "domain_id",
            sa.Integer,
            sa.ForeignKey("domains.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("second_factor", sa.JSON, nullable=False),
        number("idle_s"),
        number("longest_s"),
    )
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        number("domain_id"),
        moment("at_ms"),
        text("actor"),
        text("via"),
        text("address"),
        text("what"),
        text("before"),
        text("after"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_domain", "changes", ["domain_id", "id"])


def downgrade() -> None:
    for name in (
        "changes",
        "console_settings",
        "passkeys",
        "sessions",
        "invitations",
        "accounts",
    ):
        op.drop_table(name)
