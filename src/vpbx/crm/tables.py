"""Tables of the connection to the CRMs. Times are epoch milliseconds.

`crm_outbox` holds each command that the CRM has not taken yet. `fields` is the command as a
JSON object without `crm_token`, which is added when it is sent, so that a token put right also
counts for what waits. Rows whose `status` is failed were given up; they are kept to be seen.
Those of status replay are sent once more because somebody asked for it (`replay`). `address` is
the name of the CRM's address that a command is for.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, SmallInteger, Table, Text, text

from vpbx.db import BIG, metadata
from vpbx.directory import MAIN

PENDING, FAILED, REPLAY = "pending", "failed", "replay"

SUBSCRIBERS = "webhook"
"""In place of an address: what goes to subscribers, not to the CRM."""

crm_outbox = Table(
    "crm_outbox",
    metadata,
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("node", SmallInteger, nullable=False),
    Column("domain_id", Integer, nullable=False),
    Column("callid", Text, nullable=False),
    Column("cmd", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("created_ms", BIG, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_ms", BIG),
    Column("error", Text, nullable=False),
    Column("log_id", BIG),
    Column("address", Text, nullable=False, server_default=MAIN),
    Index("ix_crm_outbox_pending", "node", "domain_id", "address", "status", "id"),
)

crm_log = Table(
    "crm_log",
    metadata,
    Column("id", BIG, primary_key=True, autoincrement=False),
    Column("node", SmallInteger, nullable=False),
    Column("domain_id", Integer, nullable=False),
    Column("callid", Text, nullable=False),
    Column("cmd", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("created_ms", BIG, nullable=False),
    Column("done_ms", BIG),
    Column("next_ms", BIG),
    Column("attempts", Integer, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("tries", Text, nullable=False),
    Column("replay_of", BIG),
    Column("address", Text, nullable=False, server_default=MAIN),
    Index("ix_crm_log_domain", "domain_id", "id"),
    Index("ix_crm_log_call", "domain_id", "callid"),
    Index(
        "ix_crm_log_failed",
        "domain_id",
        "id",
        sqlite_where=text("state = 'failed'"),
        postgresql_where=text("state = 'failed'"),
    ),
    Index(
        "ix_crm_log_replays",
        "replay_of",
        sqlite_where=text("replay_of IS NOT NULL"),
        postgresql_where=text("replay_of IS NOT NULL"),
    ),
)
"""What was sent, for people and for those who fetch it; see `record`."""
