"""The directory's tables.

Every row of a company carries `domain_id`, and references between rows of a company are made of
(domain_id, id) pairs, so that the database itself refuses one that crosses domains. A reference
that must not outlive its target but whose loss means a decision (a number's employee, a menu's
button) has no ON DELETE: the rule in `consistency.py` decides first, and the database stops
whoever forgets. Mere list entries go with their target (CASCADE).
"""

from __future__ import annotations

import re

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect

from vpbx.db import BIG, metadata


class Words(TypeDecorator[str]):
    """Text that any client may have sent: what no database can hold (NUL, lone surrogates)
    becomes U+FFFD, so that looking for it finds nothing instead of failing.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return _UNSTORABLE.sub("\ufffd", value)


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _domain() -> Column[int]:
    return Column(
        "domain_id", Integer, ForeignKey("domains.id", ondelete="CASCADE"), nullable=False
    )


def _text(name: str, default: str | None = "") -> Column[str]:
    return Column(name, Words, nullable=False, server_default=default)


def _flag(name: str, default: bool) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=default)


def _number(name: str, default: int | None = None) -> Column[int]:
    return Column(name, Integer, nullable=False, default=default)


def _milliseconds(name: str) -> Column[int]:
    """A time since 1970."""
    return Column(name, BIG, nullable=False, default=0, server_default="0")


def _of_domain(column: str, target: str, ondelete: str | None = None) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["domain_id", column], [f"{target}.domain_id", f"{target}.id"], ondelete=ondelete
    )


directory_state = Table(
    "directory_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _number("revision"),
)
"""One row: goes up with every change of anything here, so that other processes notice."""

domains = Table(
    "domains",
    metadata,
    _id(),
    _text("name", None),
    _text("timezone", None),
    _text("country"),
    _text("language"),
    _flag("enabled", True),
    _number("revision", 1),
    _number("limit_users", -1),
    _number("limit_groups", -1),
    _number("limit_local_gw", -1),
    _flag("service_record", True),
    _flag("service_local_gw", True),
    _flag("service_branch", True),
    _flag("record_external", True),
    _flag("record_inner", False),
    _flag("block_anonymous", False),
    _number("ring_timeout_s", 30),
    Column("contact_timeout_s", Float, nullable=False, default=2.0),
    Column("allowed", JSON, nullable=False),
    _flag("am_all", False),
    _text("am_email"),
    _text("crm_card_url"),
    _text("widget_origins"),
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

users = Table(
    "users",
    metadata,
    _id(),
    _domain(),
    _text("login", None),
    _text("ext", None),
    _text("name", None),
    _text("position"),
    _text("email"),
    _text("role", None),
    _text("mobile"),
    _flag("redirect_enabled", False),
    _flag("redirect_forward", False),
    _number("redirect_delay", 0),
    _flag("receives_calls", True),
    _flag("call_waiting", False),
    _text("ha1_login_md5"),
    _text("ha1_login_sha256"),
    _text("ha1_ext_md5"),
    _text("ha1_ext_sha256"),
    _milliseconds("since_ms"),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("domain_id", "login"),
    UniqueConstraint("domain_id", "ext"),
    sqlite_autoincrement=True,
)

former_logins = Table(
    "former_logins",
    metadata,
    _domain(),
    _text("login", None),
    _milliseconds("until_ms"),
    PrimaryKeyConstraint("domain_id", "login"),
)
"""Until when a login was somebody's who is gone: what was theirs is not the next one's. The
next one's `users.since_ms` is that; 0 where nobody had the login before."""

groups = Table(
    "groups",
    metadata,
    _id(),
    _domain(),
    _text("gid", None),
    _text("ext", None),
    _text("name", None),
    _text("call_order", None),
    _number("call_duration", 15),
    _number("timeout_time", 120),
    _text("timeout_target", "voicemail"),
    Column("timeout_user_id", Integer),
    Column("timeout_group_id", Integer),
    _text("timeout_telnum"),
    _text("advanced", "off"),
    _flag("queue_position", False),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("domain_id", "gid"),
    UniqueConstraint("domain_id", "ext"),
    _of_domain("timeout_user_id", "users"),
    _of_domain("timeout_group_id", "groups"),
    sqlite_autoincrement=True,
)

names = Table(
    "names",
    metadata,
    _domain(),
    _text("name", None),
    Column("user_id", Integer),
    Column("group_id", Integer),
    PrimaryKeyConstraint("domain_id", "name"),
    _of_domain("user_id", "users", "CASCADE"),
    _of_domain("group_id", "groups", "CASCADE"),
    CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one_owner"),
)
"""Every login, ext and department id of a domain: whatever names one party names no other."""

branches = Table(
    "branches",
    metadata,
    _id(),
    _domain(),
    _text("domain", None),
    _text("name", None),
    _text("sealed_key", None),
    _text("status", "waiting"),
    _text("reason"),
    _text("url"),
    _text("sip"),
    _text("sip_told"),
    _text("ca"),
    Column("synced_at", Integer),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("domain_id", "domain"),
    sqlite_autoincrement=True,
)

branch_users = Table(
    "branch_users",
    metadata,
    _id(),
    _domain(),
    Column("branch_id", Integer, nullable=False),
    _text("kind", "user"),
    _text("login", None),
    _text("name"),
    _text("ext"),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("branch_id", "kind", "login"),
    _of_domain("branch_id", "branches", "CASCADE"),
)
"""The employees and departments of a connected PBX, as it told them."""

group_members = Table(
    "group_members",
    metadata,
    _id(),
    _domain(),
    Column("group_id", Integer, nullable=False),
    Column("user_id", Integer),
    Column("branch_user_id", Integer),
    _number("position"),
    _flag("calls_enable", True),
    UniqueConstraint("group_id", "user_id"),
    UniqueConstraint("group_id", "branch_user_id"),
    _of_domain("group_id", "groups", "CASCADE"),
    _of_domain("user_id", "users", "CASCADE"),
    _of_domain("branch_user_id", "branch_users", "CASCADE"),
    CheckConstraint("(user_id IS NULL) <> (branch_user_id IS NULL)", name="one_member"),
)

trunks = Table(
    "trunks",
    metadata,
    _id(),
    Column("domain_id", Integer, ForeignKey("domains.id", ondelete="CASCADE")),
    _text("name", None),
    _text("host", None),
    _number("port", 5060),
    _text("transport", "udp"),
    _text("username"),
    _text("auth_name"),
    _text("sealed_password"),
    _text("mode", "address"),
    _text("more_addresses"),
    _text("networks"),
    _text("identity", "pai"),
    _text("from_user"),
    _text("from_domain"),
    Column("max_calls", Integer, nullable=False, server_default="0"),
    Column("priority", Integer, nullable=False, server_default="100"),
    _text("contact"),
    _flag("customers_numbers", False),
    _flag("enabled", True),
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
    _id(),
    _domain(),
    _text("file_id", None),
    _text("type", None),
    _text("name", None),
    _text("path", None),
    Column("duration_s", Float, nullable=False, default=0.0),
    _number("size_bytes", 0),
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("domain_id", "id"),
    UniqueConstraint("file_id"),
)

numbers = Table(
    "numbers",
    metadata,
    _id(),
    _domain(),
    _text("telnum", None),
    _text("name"),
    _text("type", None),
    Column("user_id", Integer),
    Column("group_id", Integer),
    _flag("greeting", False),
    Column("greeting_media_id", Integer),
    _flag("enabled", True),
    Column("trunk_id", Integer, ForeignKey("trunks.id", ondelete="SET NULL")),
    _text("origin", "operator"),
    _flag("responsible_first", False),
    _flag("rating", False),
    _flag("outgoing", True),
    Column("crm_user_id", Integer),
    Column("crm_group_id", Integer),
    _text("calltracking"),
    Column("route", JSON, nullable=False),
    UniqueConstraint("telnum"),
    UniqueConstraint("domain_id", "id"),
    _of_domain("user_id", "users"),
    _of_domain("group_id", "groups"),
    _of_domain("crm_user_id", "users"),
    _of_domain("crm_group_id", "groups"),
    _of_domain("greeting_media_id", "media_files"),
    sqlite_autoincrement=True,
)
"""`route` is the document of menus, work, other, schedule and extra routes (`telnums.py`)."""

number_refs = Table(
    "number_refs",
    metadata,
    _id(),
    _domain(),
    Column("number_id", Integer, nullable=False),
    Column("user_id", Integer),
    Column("group_id", Integer),
    Column("media_id", Integer),
    _of_domain("number_id", "numbers", "CASCADE"),
    _of_domain("user_id", "users"),
    _of_domain("group_id", "groups"),
    _of_domain("media_id", "media_files"),
    Index(None, "number_id"),
)
"""Whom the `route` of a number names: holds the database to it that they exist."""

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _domain(),
    _text("key_hash", None),
    _text("prefix"),
    _text("note"),
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
    _text("url"),
    _text("token"),
    _text("format", "auto"),
    _text("learned_format", "auto"),
    _flag("enabled", True),
    Column("networks", JSON, nullable=False),
    Column("origins", JSON, nullable=False),
    _flag("send_history", True),
    _flag("send_event", True),
    _flag("send_contact", True),
    _flag("send_rating", True),
    _flag("late_events", False),
    _text("signing_secret"),
)

crm_addresses = Table(
    "crm_addresses",
    metadata,
    _id(),
    _domain(),
    _text("name", None),
    _text("url"),
    _text("token"),
    _text("format", "auto"),
    _text("learned_format", "auto"),
    _flag("enabled", True),
    _flag("send_history", True),
    _flag("send_event", True),
    _flag("send_contact", False),
    _flag("send_rating", True),
    _flag("late_events", False),
    _text("signing_secret"),
    UniqueConstraint("domain_id", "name"),
    sqlite_autoincrement=True,
)
"""Where commands go besides the address of `integrations`."""

locations = Table(
    "locations",
    metadata,
    _id(),
    _domain(),
    _text("login", None),
    _text("contact", None),
    _text("transport", None),
    _text("host", None),
    _number("port"),
    _number("connection", 0),
    _text("path"),
    _text("call_id"),
    _number("cseq", 0),
    Column("expires_at", Float, nullable=False),
    _text("user_agent"),
    _text("instance"),
    Column("q", Float, nullable=False, default=1.0),
    _number("reg_id", 0),
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
    _domain(),
    _text("gid", None),
    _text("client", None),
    _text("diversion", None),
    Column("since", Float, nullable=False),
    _number("tries", 0),
    Column("not_before", Float, nullable=False),
    ForeignKeyConstraint(
        ["domain_id", "gid"], ["groups.domain_id", "groups.gid"], ondelete="CASCADE"
    ),
)
"""Customers who were promised to be called back, by the call in which they asked for it."""

blacklist = Table(
    "blacklist",
    metadata,
    _domain(),
    _text("telnum", None),
    _text("comment"),
    PrimaryKeyConstraint("domain_id", "telnum"),
)

blacklist_hits = Table(
    "blacklist_hits",
    metadata,
    _domain(),
    _text("telnum", None),
    Column("day", Date, nullable=False),
    _number("calls"),
    PrimaryKeyConstraint("domain_id", "telnum", "day"),
    ForeignKeyConstraint(
        ["domain_id", "telnum"], ["blacklist.domain_id", "blacklist.telnum"], ondelete="CASCADE"
    ),
)
"""Blocked calls by local day."""

user_lists = Table(
    "user_lists",
    metadata,
    _domain(),
    _text("list", None),
    Column("user_id", Integer, nullable=False),
    PrimaryKeyConstraint("domain_id", "list", "user_id"),
    _of_domain("user_id", "users", "CASCADE"),
)
"""Employees never recorded (`record`), on the BLF list (`blf`), who get voicemail (`am`)."""

group_lists = Table(
    "group_lists",
    metadata,
    _domain(),
    _text("list", None),
    Column("group_id", Integer, nullable=False),
    PrimaryKeyConstraint("domain_id", "list", "group_id"),
    _of_domain("group_id", "groups", "CASCADE"),
)

music = Table(
    "music",
    metadata,
    _domain(),
    _text("kind", None),
    _text("builtin"),
    Column("media_id", Integer),
    PrimaryKeyConstraint("domain_id", "kind"),
    _of_domain("media_id", "media_files", "CASCADE"),
)

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
    _of_domain("number_id", "numbers", "CASCADE"),
)

caller_ids = Table(
    "caller_ids",
    metadata,
    _id(),
    _domain(),
    Column("user_id", Integer),
    Column("group_id", Integer),
    Column("region_id", Words),
    Column("number_id", Integer, nullable=False),
    UniqueConstraint("domain_id", "user_id"),
    UniqueConstraint("domain_id", "group_id"),
    UniqueConstraint("domain_id", "region_id"),
    _of_domain("user_id", "users", "CASCADE"),
    _of_domain("group_id", "groups", "CASCADE"),
    _of_domain("number_id", "numbers", "CASCADE"),
)

call_rules = Table(
    "call_rules",
    metadata,
    _id(),
    _domain(),
    Column("user_id", Integer),
    Column("group_id", Integer),
    Column("allowed", JSON, nullable=False),
    UniqueConstraint("domain_id", "user_id"),
    UniqueConstraint("domain_id", "group_id"),
    _of_domain("user_id", "users", "CASCADE"),
    _of_domain("group_id", "groups", "CASCADE"),
)

sip_registrations = Table(
    "sip_registrations",
    metadata,
    _id(),
    _domain(),
    Column("number_id", Integer, nullable=False),
    _flag("active", True),
    _text("name", None),
    _text("domain", None),
    _text("login", None),
    _text("sealed_password", None),
    _text("auth_name"),
    _number("expires", 600),
    _text("proxy"),
    _flag("outgoing", True),
    _text("status", "waiting"),
    _text("reason"),
    UniqueConstraint("number_id"),
    _of_domain("number_id", "numbers"),
    sqlite_autoincrement=True,
)

sipuri_transfers = Table(
    "sipuri_transfers",
    metadata,
    _id(),
    _domain(),
    Column("number_id", Integer, nullable=False),
    _text("user", None),
    _flag("active", True),
    UniqueConstraint("number_id"),
    UniqueConstraint("domain_id", "user"),
    _of_domain("number_id", "numbers"),
    sqlite_autoincrement=True,
)

webhooks = Table(
    "webhooks",
    metadata,
    _text("id", None),
    _domain(),
    _text("type", None),
    _text("url", None),
    PrimaryKeyConstraint("id"),
    Index(None, "domain_id"),
)
