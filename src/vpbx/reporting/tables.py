"""The table of reports that go out by e-mail. Times are epoch milliseconds.

There is no foreign key to companies: those of a company that is gone are dropped when they are
due.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from vpbx.db import BIG, metadata

report_mails = Table(
    "report_mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False),
    Column("every", Text, nullable=False),
    Column("at_minute", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("in_time_s", Integer, nullable=False),
    Column("recipients", Text, nullable=False),
    Column("due_ms", BIG, nullable=False),
    Column("sent_ms", BIG, nullable=False),
    Index("ix_report_mails_domain", "domain_id", "zone"),
    Index("ix_report_mails_due", "due_ms"),
    sqlite_autoincrement=True,
)
"""`zone`: the one `due_ms` was reckoned in; a company's may change. `recipients`: addresses with
spaces between. `sent_ms`: when the last one was put on its way, 0: none yet."""
