"""The file that says how a company's database is connected.

    [database]
    url = "postgresql+asyncpg://crm:PASSWORD@db.example/crm"

    [receiver]
    listen = "127.0.0.1:8090"
    token = "TOKEN"                       # crm_token, as the PBX has it

    [contact]
    sql = "SELECT name AS contact_name, manager AS responsible FROM customers WHERE phone = :last10"

    [history]                             # without a section: our table vpbx_calls
    sql = "INSERT INTO calls (id, phone, seconds) VALUES (:callid, :phone, :duration)"

Values go into statements only as bound parameters (`:name`); a statement comes from this file,
never from a call.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["COMMANDS", "OWN_TABLES", "BridgeConfig", "BridgeFault", "read"]

COMMANDS = ("contact", "history", "event", "rating")
OWN_TABLES = ("history", "event", "rating")
_SECTIONS = ("database", "receiver", "api", *COMMANDS)
_LISTEN = re.compile(r"(?P<host>[^\s:]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class BridgeFault(Exception):
    """What keeps the bridge from working. `str()` says what, and how to mend it."""


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """The file, checked."""

    url: str = field(repr=False)
    """SQLAlchemy's URL of the database."""
    host: str
    port: int
    token: str = field(repr=False)
    statements: Mapping[str, str]
    """Command → its statement; those of `OWN_TABLES` that are left out use tables of ours."""
    pool: int = 10
    contact_timeout_s: float = 1.0
    statement_timeout_s: float = 10.0
    api_url: str = ""
    """Of the PBX, for `import`."""
    api_key: str = field(default="", repr=False)


def read(path: Path) -> BridgeConfig:
    """Read the file; `${NAME}` in it is that environment variable."""
    try:
        text = _VARIABLE.sub(_variable, path.read_text("utf-8"))
        document = tomllib.loads(text)
    except OSError as error:
        raise BridgeFault(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BridgeFault(f"{path} is not TOML: {error}") from error
    unknown = document.keys() - set(_SECTIONS)
    if unknown:
        known = ", ".join(f"[{name}]" for name in _SECTIONS)
        raise BridgeFault(f"{path}: [{min(unknown)}] is no section; there are {known}")
    return _checked(path, document)


def _variable(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if value is None:
        raise BridgeFault(f"the environment variable {found[1]} is not set")
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _checked(path: Path, document: Mapping[str, Any]) -> BridgeConfig:
    database, receiver = document.get("database", {}), document.get("receiver", {})
    api = document.get("api", {})

    def text(section: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
        value = section.get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            raise BridgeFault(f"{path}: {name} in [{where}] must be text")
        return value

    listen = _LISTEN.fullmatch(text(receiver, "listen", "receiver", "127.0.0.1:8090"))
    if listen is None or int(listen["port"]) > 65535:
        raise BridgeFault(f"{path}: listen in [receiver] must be HOST:PORT")
    statements = {}
    for command in COMMANDS:
        if command in document:
            statements[command] = text(document[command], "sql", command)
    seconds = {}
    for name, default in (("contact_timeout_s", 1.0), ("statement_timeout_s", 10.0)):
        value = database.get(name, default)
        if not isinstance(value, int | float) or not 0 < value <= 600:
            raise BridgeFault(f"{path}: {name} in [database] must be seconds, more than 0")
        seconds[name] = float(value)
    pool = database.get("pool", 10)
    if not isinstance(pool, int) or not 1 <= pool <= 100:
        raise BridgeFault(f"{path}: pool in [database] must be from 1 to 100 connections")
    return BridgeConfig(
        url=text(database, "url", "database"),
        host=listen["host"].strip("[]"),
        port=int(listen["port"]),
        token=text(receiver, "token", "receiver"),
        statements=statements,
        pool=pool,
        api_url=text(api, "url", "api", ""),
        api_key=text(api, "key", "api", ""),
        **seconds,
    )
