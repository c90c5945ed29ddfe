"""Logins of employees who are gone: what was theirs is not the next one's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_GONE = """
INSERT INTO former_logins (domain_id, login, until_ms)
SELECT found.domain_id, found.login, MAX(found.at_ms) + 1 FROM (
    SELECT domain_id, login, left_ms AS at_ms FROM voicemail
    UNION ALL SELECT domain_id, user_login, ended_ms FROM call_history
    UNION ALL SELECT domain_id, caller_login, ended_ms FROM call_history
) AS found
JOIN domains ON domains.id = found.domain_id
LEFT JOIN users ON users.domain_id = found.domain_id AND users.login = found.login
WHERE found.login <> '' AND users.id IS NULL
GROUP BY found.domain_id, found.login
"""


def upgrade() -> None:
    op.add_column("users", sa.Column("since_ms", BIG, nullable=False, server_default="0"))
    op.create_table(
        "former_logins",
        sa.Column("domain_id", sa.Integer, nullable=False),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("until_ms", BIG, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("domain_id", "login", name="pk_former_logins"),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name="fk_former_logins_domain_id_domains",
            ondelete="CASCADE",
        ),
    )
    op.execute(sa.text(_GONE))


def downgrade() -> None:
    op.drop_table("former_logins")
    op.drop_column("users", "since_ms")
