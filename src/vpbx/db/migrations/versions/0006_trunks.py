"""Trunks with passwords, registration, several addresses; where connected PBXs are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXTS = {
    "trunks": {
        "auth_name": "",
        "sealed_password": "",
        "mode": "address",
        "more_addresses": "",
        "networks": "",
        "identity": "pai",
        "from_user": "",
        "from_domain": "",
        "contact": "",
    },
    "sip_registrations": {"reason": ""},
    "branches": {"reason": "", "url": "", "sip": "", "sip_told": "", "ca": ""},
}
_NUMBERS = {"max_calls": "0", "priority": "100"}


def upgrade() -> None:
    for table, columns in _TEXTS.items():
        for name, default in columns.items():
            op.add_column(table, sa.Column(name, sa.Text(), server_default=default, nullable=False))
    for name, default in _NUMBERS.items():
        op.add_column(
            "trunks", sa.Column(name, sa.Integer(), server_default=default, nullable=False)
        )
    # The password itself is kept from now on, encrypted: we have to prove it, not only check it.
    op.drop_column("trunks", "ha1_md5")
    op.drop_column("trunks", "ha1_sha256")


def downgrade() -> None:
    for name in ("ha1_md5", "ha1_sha256"):
        op.add_column("trunks", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in _NUMBERS:
        op.drop_column("trunks", name)
    for table, columns in _TEXTS.items():
        for name in columns:
            op.drop_column(table, name)
