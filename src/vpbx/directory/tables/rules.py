"""Rules of calls: the black list, lists of employees, caller numbers, restrictions."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Date,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from vpbx.db import metadata
from vpbx.directory.tables.columns import Words, id_, number, of_company, of_domain, text

blacklist = Table(
    "blacklist",
    metadata,
    of_company(),
    text("telnum", None),
    text("comment"),
    PrimaryKeyConstraint("domain_id", "telnum"),
)

blacklist_hits = Table(
    "blacklist_hits",
    metadata,
    of_company(),
    text("telnum", None),
    Column("day", Date, nullable=False),
    number("calls"),
    PrimaryKeyConstraint("domain_id", "telnum", "day"),
    ForeignKeyConstraint(
        ["domain_id", "telnum"], ["blacklist.domain_id", "blacklist.telnum"], ondelete="CASCADE"
    ),
)
"""Blocked calls by local day."""

user_lists = Table(
    "user_lists",
    metadata,
    of_company(),
    text("list", None),
    Column("user_id", Integer, nullable=False),
    PrimaryKeyConstraint("domain_id", "list", "user_id"),
    of_domain("user_id", "users", "CASCADE"),
)
"""Employees never recorded (`record`), on the BLF list (`blf`), who get voicemail (`am`)."""

group_lists = Table(
    "group_lists",
    metadata,
    of_company(),
    text("list", None),
    Column("group_id", Integer, nullable=False),
    PrimaryKeyConstraint("domain_id", "list", "group_id"),
    of_domain("group_id", "groups", "CASCADE"),
)

caller_ids = Table(
    "caller_ids",
    metadata,
    id_(),
    of_company(),
    Column("user_id", Integer),
    Column("group_id", Integer),
    Column("region_id", Words),
    Column("number_id", Integer, nullable=False),
    UniqueConstraint("domain_id", "user_id"),
    UniqueConstraint("domain_id", "group_id"),
    UniqueConstraint("domain_id", "region_id"),
    of_domain("user_id", "users", "CASCADE"),
    of_domain("group_id", "groups", "CASCADE"),
    of_domain("number_id", "numbers", "CASCADE"),
)

call_rules = Table(
    "call_rules",
    metadata,
    id_(),
    of_company(),
    Column("user_id", Integer),
    Column("group_id", Integer),
    Column("allowed", JSON, nullable=False),
    UniqueConstraint("domain_id", "user_id"),
    UniqueConstraint("domain_id", "group_id"),
    of_domain("user_id", "users", "CASCADE"),
    of_domain("group_id", "groups", "CASCADE"),
)
