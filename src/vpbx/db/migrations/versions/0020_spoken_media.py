"""Texts that the built-in voice said, with what it made of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

COLUMNS = ("spoken_text", "spoken_language")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("media_files", sa.Column(name, sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("media_files", name)
