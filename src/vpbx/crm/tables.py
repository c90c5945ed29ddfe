"""Tables of the connection to the CRMs. Times are epoch milliseconds.

`crm_outbox` holds each command that the CRM has not taken yet. `fields` is the command as a
JSON object without `crm_token`, which is added when it is sent, so that a token put right also
counts for what waits. Rows whose `status` is failed were given up; they are kept to be seen.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text

from vpbx.db import metadata

_BIG = BigInteger().with_variant(Integer, "sqlite")

PENDING, FAILED = "pending", "failed"

crm_outbox = Table(
    "crm_outbox",
    metadata,
    Column("id", _BIG, primary_key=True, autoincrement=False),
    Column("node", SmallInteger, nullable=False),
    Column("domain_id", Integer, nullable=False),
    Column("callid", Text, nullable=False),
    Column("cmd", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("created_ms", _BIG, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_ms", _BIG),
    Column("error", Text, nullable=False),
    Index("ix_crm_outbox_pending", "node", "domain_id", "status", "id"),
)
