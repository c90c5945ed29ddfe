"""The company itself: its settings, its keys, the addresses of its CRM, who is told of changes."""

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
from vpbx.directory.tables.columns import flag, id_, number, of_company, text

directory_state = Table(
    "directory_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    number("revision"),
)
"""One row: goes up with every change of anything here, so that other processes notice."""

domains = Table(
    "domains",
    metadata,
    id_(),
    text("name", None),
    text("timezone", None),
    text("country"),
    text("language"),
    flag("enabled", True),
    number("revision", 1),
    number("limit_users", -1),
    number("limit_groups", -1),
    number("limit_local_gw", -1),
    flag("service_record", True),
    flag("service_local_gw", True),
    flag("service_branch", True),
    flag("record_external", True),
    flag("record_inner", False),
    flag("block_anonymous", False),
    number("ring_timeout_s", 30),
    Column("contact_timeout_s", Float, nullable=False, default=2.0),
    Column("allowed", JSON, nullable=False),
    flag("am_all", False),
    text("am_email"),
    text("crm_card_url"),
    text("widget_origins"),
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

api_keys = Table(
    "api_keys",
    metadata,
    id_(),
    of_company(),
    text("key_hash", None),
    text("prefix"),
    text("note"),
    Column("rights", JSON, nullable=False),
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("key_hash"),
    sqlite_autoincrement=True,
)

integrations = Table(
    "integrations",
    metadata,
    Column(
        "domain_id",
        Integer,
        ForeignKey("domains.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    text("url"),
    text("token"),
    text("format", "auto"),
    text("learned_format", "auto"),
    flag("enabled", True),
    Column("networks", JSON, nullable=False),
    Column("origins", JSON, nullable=False),
    flag("send_history", True),
    flag("send_event", True),
    flag("send_contact", True),
    flag("send_rating", True),
    flag("late_events", False),
    text("signing_secret"),
)

crm_addresses = Table(
    "crm_addresses",
    metadata,
    id_(),
    of_company(),
    text("name", None),
    text("url"),
    text("token"),
    text("format", "auto"),
    text("learned_format", "auto"),
    flag("enabled", True),
    flag("send_history", True),
    flag("send_event", True),
    flag("send_contact", False),
    flag("send_rating", True),
    flag("late_events", False),
    text("signing_secret"),
    UniqueConstraint("domain_id", "name"),
    sqlite_autoincrement=True,
)
"""Where commands go besides the address of `integrations`."""

webhooks = Table(
    "webhooks",
    metadata,
    text("id", None),
    of_company(),
    text("type", None),
    text("url", None),
    PrimaryKeyConstraint("id"),
    Index(None, "domain_id"),
)
