"""The directory: domains and everything a company sets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "directory_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_state")),
    )
    op.create_table(
        "domains",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("limit_users", sa.Integer(), nullable=False),
        sa.Column("limit_groups", sa.Integer(), nullable=False),
        sa.Column("limit_local_gw", sa.Integer(), nullable=False),
        sa.Column("service_record", sa.Boolean(), nullable=False),
        sa.Column("service_local_gw", sa.Boolean(), nullable=False),
        sa.Column("service_branch", sa.Boolean(), nullable=False),
        sa.Column("record_external", sa.Boolean(), nullable=False),
        sa.Column("record_inner", sa.Boolean(), nullable=False),
        sa.Column("block_anonymous", sa.Boolean(), nullable=False),
        sa.Column("ring_timeout_s", sa.Integer(), nullable=False),
        sa.Column("contact_timeout_s", sa.Float(), nullable=False),
        sa.Column("allowed", sa.JSON(), nullable=False),
        sa.Column("am_all", sa.Boolean(), nullable=False),
        sa.Column("am_email", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_domains")),
        sa.UniqueConstraint("name", name=op.f("uq_domains_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_api_keys_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blacklist",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("telnum", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_blacklist_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain_id", "telnum", name=op.f("pk_blacklist")),
    )
    op.create_table(
        "branches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("synced_at", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_branches_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branches")),
        sa.UniqueConstraint("domain_id", "domain", name=op.f("uq_branches_domain_id_domain")),
        sa.UniqueConstraint("domain_id", "id", name=op.f("uq_branches_domain_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "integrations",
        sa.Column("domain_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("token", sa.Text(), server_default="", nullable=False),
        sa.Column("format", sa.Text(), server_default="auto", nullable=False),
        sa.Column("learned_format", sa.Text(), server_default="auto", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("origins", sa.JSON(), nullable=False),
        sa.Column("send_history", sa.Boolean(), nullable=False),
        sa.Column("send_event", sa.Boolean(), nullable=False),
        sa.Column("send_contact", sa.Boolean(), nullable=False),
        sa.Column("send_rating", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_integrations_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_integrations")),
    )
    op.create_table(
        "media_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_media_files_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media_files")),
        sa.UniqueConstraint("domain_id", "id", name=op.f("uq_media_files_domain_id_id")),
        sa.UniqueConstraint("file_id", name=op.f("uq_media_files_file_id")),
    )
    op.create_table(
        "trunks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("transport", sa.Text(), server_default="udp", nullable=False),
        sa.Column("username", sa.Text(), server_default="", nullable=False),
        sa.Column("ha1_md5", sa.Text(), server_default="", nullable=False),
        sa.Column("ha1_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_trunks_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trunks")),
        sa.UniqueConstraint("name", name=op.f("uq_trunks_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("ext", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("mobile", sa.Text(), server_default="", nullable=False),
        sa.Column("redirect_enabled", sa.Boolean(), nullable=False),
        sa.Column("redirect_forward", sa.Boolean(), nullable=False),
        sa.Column("redirect_delay", sa.Integer(), nullable=False),
        sa.Column("receives_calls", sa.Boolean(), nullable=False),
        sa.Column("call_waiting", sa.Boolean(), nullable=False),
        sa.Column("ha1_login_md5", sa.Text(), server_default="", nullable=False),
        sa.Column("ha1_login_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("ha1_ext_md5", sa.Text(), server_default="", nullable=False),
        sa.Column("ha1_ext_sha256", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_users_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("domain_id", "ext", name=op.f("uq_users_domain_id_ext")),
        sa.UniqueConstraint("domain_id", "id", name=op.f("uq_users_domain_id_id")),
        sa.UniqueConstraint("domain_id", "login", name=op.f("uq_users_domain_id_login")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_webhooks_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_domain_id"), "webhooks", ["domain_id"], unique=False)
    op.create_table(
        "blacklist_hits",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("telnum", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "telnum"],
            ["blacklist.domain_id", "blacklist.telnum"],
            name=op.f("fk_blacklist_hits_domain_id_telnum"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_blacklist_hits_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("domain_id", "telnum", "day", name=op.f("pk_blacklist_hits")),
    )
    op.create_table(
        "branch_users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("branch_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="user", nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("ext", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "branch_id"],
            ["branches.domain_id", "branches.id"],
            name=op.f("fk_branch_users_domain_id_branch_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_branch_users_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_branch_users")),
        sa.UniqueConstraint(
            "branch_id", "kind", "login", name=op.f("uq_branch_users_branch_id_kind_login")
        ),
        sa.UniqueConstraint("domain_id", "id", name=op.f("uq_branch_users_domain_id_id")),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("gid", sa.Text(), nullable=False),
        sa.Column("ext", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("call_order", sa.Text(), nullable=False),
        sa.Column("call_duration", sa.Integer(), nullable=False),
        sa.Column("timeout_time", sa.Integer(), nullable=False),
        sa.Column("timeout_target", sa.Text(), server_default="voicemail", nullable=False),
        sa.Column("timeout_user_id", sa.Integer(), nullable=True),
        sa.Column("timeout_group_id", sa.Integer(), nullable=True),
        sa.Column("timeout_telnum", sa.Text(), server_default="", nullable=False),
        sa.Column("advanced", sa.Text(), server_default="off", nullable=False),
        sa.Column("queue_position", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "timeout_group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_groups_domain_id_timeout_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "timeout_user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_groups_domain_id_timeout_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_groups_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("domain_id", "ext", name=op.f("uq_groups_domain_id_ext")),
        sa.UniqueConstraint("domain_id", "gid", name=op.f("uq_groups_domain_id_gid")),
        sa.UniqueConstraint("domain_id", "id", name=op.f("uq_groups_domain_id_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "locations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("connection", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), server_default="", nullable=False),
        sa.Column("call_id", sa.Text(), server_default="", nullable=False),
        sa.Column("cseq", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("instance", sa.Text(), server_default="", nullable=False),
        sa.Column("q", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "login"],
            ["users.domain_id", "users.login"],
            name=op.f("fk_locations_domain_id_login"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_locations_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_locations")),
    )
    op.create_index(
        op.f("ix_locations_domain_id_login"), "locations", ["domain_id", "login"], unique=False
    )
    op.create_table(
        "music",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("builtin", sa.Text(), server_default="", nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["domain_id", "media_id"],
            ["media_files.domain_id", "media_files.id"],
            name=op.f("fk_music_domain_id_media_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_music_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain_id", "kind", name=op.f("pk_music")),
    )
    op.create_table(
        "user_lists",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_user_lists_domain_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_user_lists_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain_id", "list", "user_id", name=op.f("pk_user_lists")),
    )
    op.create_table(
        "call_rules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("allowed", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_call_rules_domain_id_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_call_rules_domain_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_call_rules_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_rules")),
        sa.UniqueConstraint("domain_id", "group_id", name=op.f("uq_call_rules_domain_id_group_id")),
        sa.UniqueConstraint("domain_id", "user_id", name=op.f("uq_call_rules_domain_id_user_id")),
    )
    op.create_table(
        "group_lists",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_group_lists_domain_id_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_group_lists_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain_id", "list", "group_id", name=op.f("pk_group_lists")),
    )
    op.create_table(
        "group_members",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("branch_user_id", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("calls_enable", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(user_id IS NULL) <> (branch_user_id IS NULL)",
            name=op.f("ck_group_members_one_member"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "branch_user_id"],
            ["branch_users.domain_id", "branch_users.id"],
            name=op.f("fk_group_members_domain_id_branch_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_group_members_domain_id_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_group_members_domain_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_group_members_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_members")),
        sa.UniqueConstraint(
            "group_id", "branch_user_id", name=op.f("uq_group_members_group_id_branch_user_id")
        ),
        sa.UniqueConstraint("group_id", "user_id", name=op.f("uq_group_members_group_id_user_id")),
    )
    op.create_table(
        "names",
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(user_id IS NULL) <> (group_id IS NULL)", name=op.f("ck_names_one_owner")
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_names_domain_id_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_names_domain_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_names_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("domain_id", "name", name=op.f("pk_names")),
    )
    op.create_table(
        "numbers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("telnum", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("greeting", sa.Boolean(), nullable=False),
        sa.Column("greeting_media_id", sa.Integer(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("trunk_id", sa.Integer(), nullable=True),
        sa.Column("origin", sa.Text(), server_default="operator", nullable=False),
        sa.Column("responsible_first", sa.Boolean(), nullable=False),
        sa.Column("crm_user_id", sa.Integer(), nullable=True),
        sa.Column("crm_group_id", sa.Integer(), nullable=True),
        sa.Column("calltracking", sa.Text(), server_default="", nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "crm_group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_numbers_domain_id_crm_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "crm_user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_numbers_domain_id_crm_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "greeting_media_id"],
            ["media_files.domain_id", "media_files.id"],
            name=op.f("fk_numbers_domain_id_greeting_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_numbers_domain_id_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_numbers_domain_id_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_numbers_domain_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["trunk_id"], ["trunks.id"], name=op.f("fk_numbers_trunk_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numbers")),
        sa.UniqueConstraint("domain_id", "id", name=op.f("uq_numbers_domain_id_id")),
        sa.UniqueConstraint("telnum", name=op.f("uq_numbers_telnum")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "caller_ids",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("region_id", sa.Text(), nullable=True),
        sa.Column("number_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_caller_ids_domain_id_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "number_id"],
            ["numbers.domain_id", "numbers.id"],
            name=op.f("fk_caller_ids_domain_id_number_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_caller_ids_domain_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_caller_ids_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caller_ids")),
        sa.UniqueConstraint("domain_id", "group_id", name=op.f("uq_caller_ids_domain_id_group_id")),
        sa.UniqueConstraint(
            "domain_id", "region_id", name=op.f("uq_caller_ids_domain_id_region_id")
        ),
        sa.UniqueConstraint("domain_id", "user_id", name=op.f("uq_caller_ids_domain_id_user_id")),
    )
    op.create_table(
        "main_numbers",
        sa.Column("domain_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "number_id"],
            ["numbers.domain_id", "numbers.id"],
            name=op.f("fk_main_numbers_domain_id_number_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_main_numbers_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("domain_id", name=op.f("pk_main_numbers")),
    )
    op.create_table(
        "number_refs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("number_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("media_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["domain_id", "group_id"],
            ["groups.domain_id", "groups.id"],
            name=op.f("fk_number_refs_domain_id_group_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "media_id"],
            ["media_files.domain_id", "media_files.id"],
            name=op.f("fk_number_refs_domain_id_media_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "number_id"],
            ["numbers.domain_id", "numbers.id"],
            name=op.f("fk_number_refs_domain_id_number_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["domain_id", "user_id"],
            ["users.domain_id", "users.id"],
            name=op.f("fk_number_refs_domain_id_user_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"], ["domains.id"], name=op.f("fk_number_refs_domain_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_refs")),
    )
    op.create_index(op.f("ix_number_refs_number_id"), "number_refs", ["number_id"], unique=False)
    op.create_table(
        "sip_registrations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("number_id", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("sealed_password", sa.Text(), nullable=False),
        sa.Column("auth_name", sa.Text(), server_default="", nullable=False),
        sa.Column("expires", sa.Integer(), nullable=False),
        sa.Column("proxy", sa.Text(), server_default="", nullable=False),
        sa.Column("outgoing", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), server_default="waiting", nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "number_id"],
            ["numbers.domain_id", "numbers.id"],
            name=op.f("fk_sip_registrations_domain_id_number_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_sip_registrations_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sip_registrations")),
        sa.UniqueConstraint("number_id", name=op.f("uq_sip_registrations_number_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sipuri_transfers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("domain_id", sa.Integer(), nullable=False),
        sa.Column("number_id", sa.Integer(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["domain_id", "number_id"],
            ["numbers.domain_id", "numbers.id"],
            name=op.f("fk_sipuri_transfers_domain_id_number_id"),
        ),
        sa.ForeignKeyConstraint(
            ["domain_id"],
            ["domains.id"],
            name=op.f("fk_sipuri_transfers_domain_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sipuri_transfers")),
        sa.UniqueConstraint("domain_id", "user", name=op.f("uq_sipuri_transfers_domain_id_user")),
        sa.UniqueConstraint("number_id", name=op.f("uq_sipuri_transfers_number_id")),
        sqlite_autoincrement=True,
    )
    op.bulk_insert(
        sa.table("directory_state", sa.column("id"), sa.column("revision")),
        [{"id": 1, "revision": 1}],
    )


def downgrade() -> None:
    for name in (
        "sipuri_transfers",
        "sip_registrations",
        "number_refs",
        "main_numbers",
        "caller_ids",
        "numbers",
        "names",
        "group_members",
        "group_lists",
        "call_rules",
        "user_lists",
        "music",
        "locations",
        "groups",
        "branch_users",
        "blacklist_hits",
        "webhooks",
        "users",
        "trunks",
        "media_files",
        "integrations",
        "branches",
        "blacklist",
        "api_keys",
        "domains",
        "directory_state",
    ):
        op.drop_table(name)
