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

import codecs
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

__all__ = ["COMMANDS", "BridgeConfig", "BridgeFault", "Sheet", "read"]

COMMANDS = ("contact", "history", "event", "rating")
_KEYS = {
    "database": ("url", "pool", "contact_timeout_s", "statement_timeout_s", "timezone"),
    "receiver": ("listen", "token"),
    "api": ("url", "key"),
    "customers": ("csv", "phone", "name", "responsible", "encoding"),
    **dict.fromkeys(COMMANDS, ("sql",)),
}
"""Sections, and what may stand in each."""
_LISTEN = re.compile(r"(?P<host>[^\s:]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


class BridgeFault(Exception):
    """What keeps the bridge from working. `str()` says what, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A spreadsheet of customers, saved as CSV: where, and how its columns are called."""

    path: Path
    phone: str
    name: str
    responsible: str
    encoding: str


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """The file, checked."""

    url: str = field(repr=False)
    """SQLAlchemy's URL of the database."""
    host: str
    port: int
    token: str = field(repr=False)
    statements: Mapping[str, str]
    """Command → its statement; those that are left out use tables of ours."""
    pool: int = 10
    contact_timeout_s: float = 1.0
    statement_timeout_s: float = 10.0
    timezone: str = "UTC"
    """Which times are written in."""
    sheet: Sheet | None = None
    api_url: str = ""
    """Of the PBX, for `import`."""
    api_key: str = field(default="", repr=False)


def read(path: Path) -> BridgeConfig:
    """Read the file; `${NAME}` in it is that environment variable."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BridgeFault(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BridgeFault(f"{path} is not TOML: {error}") from error
    unknown = document.keys() - _KEYS.keys()
    if unknown:
        known = ", ".join(f"[{name}]" for name in _KEYS)
        raise BridgeFault(f"{path}: [{min(unknown)}] is no section; there are {known}")
    for section, found in document.items():
        if not isinstance(found, dict):
            raise BridgeFault(f"{path}: {section} must be a section, [{section}]")
        for name in found:
            if name not in _KEYS[section]:
                known = ", ".join(_KEYS[section])
                raise BridgeFault(f"{path}: [{section}] has no {name}; it has {known}")
            if isinstance(found[name], str):
                found[name] = _VARIABLE.sub(_variable, found[name])
    return _checked(path, document)


def _variable(found: re.Match[str]) -> str:
    value = os.environ.get(found[1])
    if value is None:
        raise BridgeFault(f"the environment variable {found[1]} is not set")
    return value


def _checked(path: Path, document: Mapping[str, Any]) -> BridgeConfig:
    database, receiver = document.get("database", {}), document.get("receiver", {})
    api = document.get("api", {})
    listen = _LISTEN.fullmatch(_text(path, receiver, "listen", "receiver", "127.0.0.1:8090"))
    if listen is None or int(listen["port"]) > 65535:
        raise BridgeFault(f"{path}: listen in [receiver] must be HOST:PORT")
    seconds = {}
    for name, default in (("contact_timeout_s", 1.0), ("statement_timeout_s", 10.0)):
        value = database.get(name, default)
        if not isinstance(value, int | float) or not 0 < value <= 600:
            raise BridgeFault(f"{path}: {name} in [database] must be seconds, more than 0")
        seconds[name] = float(value)
    pool = database.get("pool", 10)
    if not isinstance(pool, int) or not 1 <= pool <= 100:
        raise BridgeFault(f"{path}: pool in [database] must be from 1 to 100 connections")
    timezone = _text(path, database, "timezone", "database", "UTC")
    if timezone not in available_timezones():
        raise BridgeFault(f"{path}: timezone in [database] must be like Europe/Moscow, or UTC")
    return BridgeConfig(
        url=_text(path, database, "url", "database"),
        host=listen["host"].strip("[]"),
        port=int(listen["port"]),
        token=_text(path, receiver, "token", "receiver"),
        statements={
            command: _text(path, document[command], "sql", command)
            for command in COMMANDS
            if command in document
        },
        pool=pool,
        timezone=timezone,
        sheet=_sheet(path, document["customers"]) if "customers" in document else None,
        api_url=_text(path, api, "url", "api", ""),
        api_key=_text(path, api, "key", "api", ""),
        **seconds,
    )


def _sheet(path: Path, section: Mapping[str, Any]) -> Sheet:
    def given(name: str, default: str | None = None) -> str:
        return _text(path, section, name, "customers", default)

    encoding = given("encoding", "utf-8-sig")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise BridgeFault(f"{path}: encoding in [customers] must be like utf-8 or cp1251") from None
    return Sheet(
        path=path.parent / given("csv"),
        phone=given("phone", "phone"),
        name=given("name", "name"),
        responsible=given("responsible", "responsible"),
        encoding=encoding,
    )


def _text(
    path: Path, section: Mapping[str, Any], name: str, where: str, default: str | None = None
) -> str:
    value = section.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise BridgeFault(f"{path}: {name} in [{where}] must be text")
    return value
