"""Tables of who may use the console, and of what was changed. Times are epoch seconds; of
`changes` milliseconds.

Tokens are kept as SHA-256: they are random, so nothing slower is needed, and a copy of the
database opens no session. `changes` has no foreign key: the log outlives what it tells of.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from vpbx.db import BIG, metadata


def _account() -> Column[int]:
    return Column(
        "account_id",
        Integer,
        ForeignKey("accounts.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )


accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE")),
    Column("operator", Text),
    Column("password", Text, nullable=False),
    Column("totp", Text, nullable=False),
    Column("totp_step", BIG, nullable=False),
    Column("language", Text, nullable=False),
    Column("created_at", BIG, nullable=False),
    UniqueConstraint("user_id", name="uq_accounts_user_id"),
    UniqueConstraint("operator", name="uq_accounts_operator"),
    sqlite_autoincrement=True,
)
"""Of an employee (`user_id`) or an operator (their name). `password`: argon2id, "" until one is
chosen; `totp`: the secret, sealed, "" none; `totp_step`: the last code's, which counts once."""

invitations = Table(
    "invitations",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _account(),
    Column("expires_at", BIG, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", Text, nullable=False),
    _account(),
    Column("created_at", BIG, nullable=False),
    Column("seen_at", BIG, nullable=False),
    Column("pending", SmallInteger, nullable=False),
    Column("company_id", Integer, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
    sqlite_autoincrement=True,
)
"""`pending`: the password was right, the second factor is still to come. `company_id`: where an
operator works just now, 0 nowhere."""

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Integer, primary_key=True),
    _account(),
    Column("credential_id", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("sign_count", BIG, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BIG, nullable=False),
    UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    sqlite_autoincrement=True,
)
"""Public keys of WebAuthn authenticators; id and key in base64url."""

console_settings = Table(
    "console_settings",
    metadata,
    Column(
        "domain_id",
        Integer,
        ForeignKey("domains.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("second_factor", JSON, nullable=False),
    Column("idle_s", Integer, nullable=False),
    Column("longest_s", Integer, nullable=False),
)
"""`second_factor`: the roles that need one."""

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Index("ix_changes_domain", "domain_id", "id"),
    sqlite_autoincrement=True,
)
"""`via`: console, api or command."""
