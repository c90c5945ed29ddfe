"""Which days of a company's history changed: kept by triggers, so that no way of changing it is
forgotten. Reports keep what they counted of a day for as long as its version stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
COUNTED = (
    "domain_id, is_inner, started_ms, answered_ms, ended_ms, direction, status, destination, "
    "user_login, user_name, group_id, group_name, caller_login, rating"
)
COUNT = (
    "INSERT INTO call_days (domain_id, day, version) "
    "VALUES ({row}.domain_id, {row}.started_ms / 86400000, 1) "
    "ON CONFLICT (domain_id, day) DO UPDATE SET version = call_days.version + 1;"
)
NEW, OLD = COUNT.format(row="NEW"), COUNT.format(row="OLD")
EVENTS = {
    "insert": ("INSERT", NEW),
    "update": (f"UPDATE OF {COUNTED}", f"{OLD} {NEW}"),
    "delete": ("DELETE", OLD),
}


def upgrade() -> None:
    op.create_table(
        "call_days",
        sa.Column("domain_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", BIG, nullable=False),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name, (event, counts) in EVENTS.items():
        if is_sqlite:
            op.execute(
                f"CREATE TRIGGER call_days_{name} AFTER {event} ON call_history BEGIN {counts} END"
            )
        else:
            op.execute(
                f"CREATE FUNCTION call_days_{name}() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {counts} RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER call_days_{name} AFTER {event} ON call_history "
                f"FOR EACH ROW EXECUTE FUNCTION call_days_{name}()"
            )


def downgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for name in EVENTS:
        op.execute(f"DROP TRIGGER call_days_{name}" + ("" if is_sqlite else " ON call_history"))
        if not is_sqlite:
            op.execute(f"DROP FUNCTION call_days_{name}()")
    op.drop_table("call_days")
