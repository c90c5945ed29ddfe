"""Tables of voice mailboxes and of e-mail on its way. Times are epoch milliseconds.

There is no foreign key to companies: a call that is being written must not fail because of what
happens to the directory meanwhile.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, SmallInteger, Table, Text

from vpbx.db import BIG, metadata

voicemail = Table(
    "voicemail",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False),
    Column("login", Text, nullable=False),
    Column("callid", BIG, nullable=False),
    Column("client", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("left_ms", BIG, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("heard", SmallInteger, nullable=False),
    Column("path", Text, nullable=False),
    Index("ix_voicemail_box", "domain_id", "login", "left_ms"),
    sqlite_autoincrement=True,
)
"""`path`: the recording, below the directory of recordings."""

WAITING, GIVEN_UP = range(2)

mail_queue = Table(
    "mail_queue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False),
    Column("made_ms", BIG, nullable=False),
    Column("next_ms", BIG, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("attachment", Text, nullable=False),
    Column("attachment_name", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("html", Text, nullable=False, server_default=""),
    Column("attached", Text, nullable=False, server_default=""),
    Index("ix_mail_queue_due", "status", "next_ms"),
    sqlite_autoincrement=True,
)
"""`attachment`: a file below the directory of recordings, which may not be ready yet; `attached`:
what is attached itself, where it is text."""
