"""Where calls come from and go to: trunks, numbers with their routes, other operators, files."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from vpbx.db import metadata
from vpbx.directory.tables.columns import flag, id_, number, of_company, of_domain, text

trunks = Table(
    "trunks",
    metadata,
    id_(),
    Column("domain_id", Integer, ForeignKey("domains.id", ondelete="CASCADE")),
    text("name", None),
    text("host", None),
    number("port", 5060),
    text("transport", "udp"),
    text("username"),
    text("auth_name"),
    text("sealed_password"),
    text("mode", "address"),
    text("more_addresses"),
    text("networks"),
    text("identity", "pai"),
    text("from_user"),
    text("from_domain"),
    Column("max_calls", Integer, nullable=False, server_default="0"),
    Column("priority", Integer, nullable=False, server_default="100"),
    text("contact"),
    flag("customers_numbers", False),
    flag("enabled", True),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)
"""Carriers; without a domain they are the operator's and serve all domains.

port 0 and transport "" are left to DNS. `more_addresses` and `networks` are lists with spaces.
`contact` is where a trunk that registers to us is, as JSON; calls read and write it, and it
changes no revision.
"""

media_files = Table(
    "media_files",
    metadata,
    id_(),
    of_company(),
    text("file_id", None),
    text("type", None),
    text("name", None),
    text("path", None),
    Column("duration_s", Float, nullable=False, default=0.0),
    number("size_bytes", 0),
    text("spoken_text"),
    text("spoken_language"),
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("file_id"),
)

numbers = Table(
    "numbers",
    metadata,
    id_(),
    of_company(),
    text("telnum", None),
    text("name"),
    text("type", None),
    Column("user_id", Integer),
    Column("group_id", Integer),
    flag("greeting", False),
    Column("greeting_media_id", Integer),
    flag("enabled", True),
    Column("trunk_id", Integer, ForeignKey("trunks.id", ondelete="SET NULL")),
    text("origin", "operator"),
    flag("responsible_first", False),
    flag("rating", False),
    flag("outgoing", True),
    Column("crm_user_id", Integer),
    Column("crm_group_id", Integer),
    text("calltracking"),
    Column("route", JSON, nullable=False),
    UniqueConstraint("telnum"),
    UniqueConstraint("domain_id", "id"),
    of_domain("user_id", "users"),
    of_domain("group_id", "groups"),
    of_domain("crm_user_id", "users"),
    of_domain("crm_group_id", "groups"),
    of_domain("greeting_media_id", "media_files"),
    sqlite_autoincrement=True,
)
"""`route` is the document of menus, work, other, schedule and extra routes (`telnums.py`)."""

number_refs = Table(
    "number_refs",
    metadata,
    id_(),
    of_company(),
    Column("number_id", Integer, nullable=False),
    Column("user_id", Integer),
    Column("group_id", Integer),
    Column("media_id", Integer),
    of_domain("number_id", "numbers", "CASCADE"),
    of_domain("user_id", "users"),
    of_domain("group_id", "groups"),
    of_domain("media_id", "media_files"),
    Index(None, "number_id"),
)
"""Whom the `route` of a number names: holds the database to it that they exist."""

main_numbers = Table(
    "main_numbers",
    metadata,
    Column(
        "domain_id",
        Integer,
        ForeignKey("domains.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("number_id", Integer, nullable=False),
    of_domain("number_id", "numbers", "CASCADE"),
)

sip_registrations = Table(
    "sip_registrations",
    metadata,
    id_(),
    of_company(),
    Column("number_id", Integer, nullable=False),
    flag("active", True),
    text("name", None),
    text("domain", None),
    text("login", None),
    text("sealed_password", None),
    text("auth_name"),
    number("expires", 600),
    text("proxy"),
    flag("outgoing", True),
    text("status", "waiting"),
    text("reason"),
    UniqueConstraint("number_id"),
    of_domain("number_id", "numbers"),
    sqlite_autoincrement=True,
)

sipuri_transfers = Table(
    "sipuri_transfers",
    metadata,
    id_(),
    of_company(),
    Column("number_id", Integer, nullable=False),
    text("user", None),
    flag("active", True),
    UniqueConstraint("number_id"),
    UniqueConstraint("domain_id", "user"),
    of_domain("number_id", "numbers"),
    sqlite_autoincrement=True,
)

music = Table(
    "music",
    metadata,
    of_company(),
    text("kind", None),
    text("builtin"),
    Column("media_id", Integer),
    PrimaryKeyConstraint("domain_id", "kind"),
    of_domain("media_id", "media_files", "CASCADE"),
)
