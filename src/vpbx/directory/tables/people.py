"""Who is called: employees, departments, connected PBXs, and where their devices are."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from vpbx.db import metadata
from vpbx.directory.tables.columns import (
    Words,
    flag,
    id_,
    milliseconds,
    number,
    of_company,
    of_domain,
    text,
)

users = Table(
    "users",
    metadata,
    id_(),
    of_company(),
    text("login", None),
    text("ext", None),
    text("name", None),
    text("position"),
    text("email"),
    text("role", None),
    text("mobile"),
    flag("redirect_enabled", False),
    flag("redirect_forward", False),
    number("redirect_delay", 0),
    flag("receives_calls", True),
    flag("call_waiting", False),
    text("ha1_login_md5"),
    text("ha1_login_sha256"),
    text("ha1_ext_md5"),
    text("ha1_ext_sha256"),
    milliseconds("since_ms"),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("domain_id", "login"),
    UniqueConstraint("domain_id", "ext"),
    sqlite_autoincrement=True,
)

former_logins = Table(
    "former_logins",
    metadata,
    of_company(),
    text("login", None),
    milliseconds("until_ms"),
    PrimaryKeyConstraint("domain_id", "login"),
)
"""Until when a login was somebody's who is gone: what was theirs is not the next one's. The
next one's `users.since_ms` is that; 0 where nobody had the login before."""

groups = Table(
    "groups",
    metadata,
    id_(),
    of_company(),
    text("gid", None),
    text("ext", None),
    text("name", None),
    text("call_order", None),
    number("call_duration", 15),
    number("timeout_time", 120),
    text("timeout_target", "voicemail"),
    Column("timeout_user_id", Integer),
    Column("timeout_group_id", Integer),
    text("timeout_telnum"),
    text("advanced", "off"),
    flag("queue_position", False),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("domain_id", "gid"),
    UniqueConstraint("domain_id", "ext"),
    of_domain("timeout_user_id", "users"),
    of_domain("timeout_group_id", "groups"),
    sqlite_autoincrement=True,
)

names = Table(
    "names",
    metadata,
    of_company(),
    text("name", None),
    Column("user_id", Integer),
    Column("group_id", Integer),
    PrimaryKeyConstraint("domain_id", "name"),
    of_domain("user_id", "users", "CASCADE"),
    of_domain("group_id", "groups", "CASCADE"),
    CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one_owner"),
)
"""Every login, ext and department id of a domain: whatever names one party names no other."""

branches = Table(
    "branches",
    metadata,
    id_(),
    of_company(),
    text("domain", None),
    text("name", None),
    text("sealed_key", None),
    text("status", "waiting"),
    text("reason"),
    text("url"),
    text("sip"),
    text("sip_told"),
    text("ca"),
    Column("synced_at", Integer),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("domain_id", "domain"),
    sqlite_autoincrement=True,
)

branch_users = Table(
    "branch_users",
    metadata,
    id_(),
    of_company(),
    Column("branch_id", Integer, nullable=False),
    text("kind", "user"),
    text("login", None),
    text("name"),
    text("ext"),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("branch_id", "kind", "login"),
    of_domain("branch_id", "branches", "CASCADE"),
)
"""The employees and departments of a connected PBX, as it told them."""

group_members = Table(
    "group_members",
    metadata,
    id_(),
    of_company(),
    Column("group_id", Integer, nullable=False),
    Column("user_id", Integer),
    Column("branch_user_id", Integer),
    number("position"),
    flag("calls_enable", True),
    UniqueConstraint("group_id", "user_id"),
    UniqueConstraint("group_id", "branch_user_id"),
    of_domain("group_id", "groups", "CASCADE"),
    of_domain("user_id", "users", "CASCADE"),
    of_domain("branch_user_id", "branch_users", "CASCADE"),
    CheckConstraint("(user_id IS NULL) <> (branch_user_id IS NULL)", name="one_member"),
)

locations = Table(
    "locations",
    metadata,
    id_(),
    of_company(),
    text("login", None),
    text("contact", None),
    text("transport", None),
    text("host", None),
    number("port"),
    number("connection", 0),
    text("path"),
    text("call_id"),
    number("cseq", 0),
    Column("expires_at", Float, nullable=False),
    text("user_agent"),
    text("instance"),
    Column("q", Float, nullable=False, default=1.0),
    number("reg_id", 0),
    ForeignKeyConstraint(
        ["domain_id", "login"], ["users.domain_id", "users.login"], ondelete="CASCADE"
    ),
    Index(None, "domain_id", "login"),
)
"""Where employees' devices are (RFC 3261 10: bindings)."""

callbacks = Table(
    "callbacks",
    metadata,
    Column("callid", Words, primary_key=True),
    of_company(),
    text("gid", None),
    text("client", None),
    text("diversion", None),
    Column("since", Float, nullable=False),
    number("tries", 0),
    Column("not_before", Float, nullable=False),
    ForeignKeyConstraint(
        ["domain_id", "gid"], ["groups.domain_id", "groups.gid"], ondelete="CASCADE"
    ),
)
"""Customers who were promised to be called back, by the call in which they asked for it."""
