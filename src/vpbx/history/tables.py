"""Tables of history. Times are epoch milliseconds, callids numbers.

`call_history` holds one row for each call that is over; rows are written once, when the call
ends (later only `record`, `missed_status` and, at most, `rating` change). `call_journal` holds one
row for each call that is going on; it exists to be read after a crash, by the node that wrote it.
`call_notes` and `call_tags` hold what people write to calls that are over.

There is no foreign key to the domains: a call that is being written must not fail because of
what happens to the directory meanwhile, and history outlives what it names.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, SmallInteger, String, Table, Text, text

from vpbx.db import BIG, metadata

"""On SQLite INTEGER, so that the primary key is the row id itself."""

NO_RECORD, RECORD_ENCODING, RECORD_READY, RECORD_FAILED, RECORD_FAX = range(5)
"""Values of `record`: nothing recorded; being turned into MP3; playable; lost; a fax, a PDF."""

NOT_MISSED, CALLED_AGAIN, CALLED_BACK, UNRETURNED, TRIED_BACK = range(5)
"""Values of `missed_status`, as crm-api §4 numbers them: of a missed call, whether the customer
called again, we called back, nobody did, or we tried and they did not answer. From UNRETURNED on
a later call may still change it."""

call_history = Table(
    "call_history",
    metadata,
    Column("callid", BIG, primary_key=True, autoincrement=False),
    Column("domain_id", Integer, nullable=False),
    Column("is_inner", SmallInteger, nullable=False),
    Column("started_ms", BIG, nullable=False),
    Column("answered_ms", BIG),
    Column("ended_ms", BIG, nullable=False),
    Column("direction", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("diversion", Text, nullable=False),
    Column("telnum_name", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("user_login", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("user_ext", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("caller_login", Text, nullable=False),
    Column("caller_name", Text, nullable=False),
    Column("rating", SmallInteger),
    Column("record", SmallInteger, nullable=False),
    Column("sip_code", SmallInteger, nullable=False),
    Column("node", SmallInteger, nullable=False),
    Column("ended_by", Text, nullable=False),
    Column("missed_status", SmallInteger, nullable=False),
    Column("path", Text),
    Column("legs", Text),
    Column("mos", SmallInteger),
    Column("causes", Text),
    # Newest first, alone or with one filter; `callid` last makes the order total.
    Index("ix_call_history_started", "domain_id", "is_inner", "started_ms", "callid"),
    Index("ix_call_history_client", "domain_id", "client", "is_inner", "started_ms", "callid"),
    Index("ix_call_history_account", "domain_id", "account", "is_inner", "started_ms", "callid"),
    Index("ix_call_history_user", "domain_id", "user_login", "started_ms", "callid"),
    Index(
        "ix_call_history_caller",
        "domain_id",
        "caller_login",
        "started_ms",
        "callid",
        sqlite_where=text("caller_login <> ''"),
        postgresql_where=text("caller_login <> ''"),
    ),
    Index(
        "ix_call_history_unreturned",
        "domain_id",
        "client",
        sqlite_where=text(f"missed_status >= {UNRETURNED}"),
        postgresql_where=text(f"missed_status >= {UNRETURNED}"),
    ),
    Index(
        "ix_call_history_encoding",
        "node",
        sqlite_where=text(f"record = {RECORD_ENCODING}"),
        postgresql_where=text(f"record = {RECORD_ENCODING}"),
    ),
)

call_days = Table(
    "call_days",
    metadata,
    Column("domain_id", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("version", BIG, nullable=False),
)
"""How often the history of a day (UTC, days since 1970) has changed: kept by triggers, whoever
changes a row; nobody writes it. What reports counted of a day holds while its version does."""

report_sums = Table(
    "report_sums",
    metadata,
    Column("domain_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(64), primary_key=True),
    Column("days", Integer, primary_key=True, autoincrement=False),
    Column("first_day", Integer, primary_key=True, autoincrement=False),
    Column("version", BIG, nullable=False),
    Column("sums", LargeBinary, nullable=False),
)
"""What reports counted of so many days from one on (`report_store.py`). `version` is the sum of
those of its days in `call_days`: another one means that it has to be counted anew."""

call_journal = Table(
    "call_journal",
    metadata,
    Column("callid", BIG, primary_key=True, autoincrement=False),
    Column("node", SmallInteger, nullable=False),
    Column("domain_id", Integer, nullable=False),
    Column("started_ms", BIG, nullable=False),
    Column("state", Text, nullable=False),
)

call_notes = Table(
    "call_notes",
    metadata,
    Column("callid", BIG, primary_key=True, autoincrement=False),
    Column("domain_id", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("at_ms", BIG, nullable=False),
)
"""What somebody wrote to a call; `author`: an account, as the log of changes names it."""

customer_names = Table(
    "customer_names",
    metadata,
    Column("domain_id", Integer, primary_key=True, autoincrement=False),
    Column("client", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("at_ms", BIG, nullable=False),
    Index("ix_customer_names_at", "domain_id", "at_ms"),
)
"""What CRMs have said customers are called, and when."""

call_tags = Table(
    "call_tags",
    metadata,
    Column("domain_id", Integer, primary_key=True, autoincrement=False),
    Column("tag", Text, primary_key=True),
    Column("callid", BIG, primary_key=True, autoincrement=False),
    Index("ix_call_tags_callid", "callid"),
)
