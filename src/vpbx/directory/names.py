"""Logins, internal numbers and passwords: their form, and who may have which."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from typing import Any

from sqlalchemy import Row, Table

from vpbx.directory import tables
from vpbx.directory.directions import is_emergency
from vpbx.directory.model import Ha1Pair
from vpbx.directory.scope import Tx
from vpbx.directory.text import composed
from vpbx.directory.values import CONTROL, Values

FIRST_EXT = 701
LAST_EXT = 999_999
MIN_PASSWORD = 8
MAX_PASSWORD = 128
_LOGIN = re.compile(r"(?=.*[a-z])[a-z0-9][a-z0-9._-]{0,63}")
_EXT = re.compile(r"[0-9]{2,6}")


def check_login(text: str) -> str:
    """Return a login in lower case; ValueError says what it must look like."""
    login = text.lower()
    if not _LOGIN.fullmatch(login):
        raise ValueError(
            "must be 1 to 64 of a-z, 0-9, '.', '_' and '-', begin with a letter or digit "
            "and have a letter"
        )
    return login


def check_ext(text: str) -> str:
    """Return an internal number; ValueError says what it must look like."""
    if not _EXT.fullmatch(text):
        raise ValueError("must be 2 to 6 digits")
    return text


def read_ext(values: Values, country: str) -> str:
    """Read field `ext`; an emergency number is refused."""
    ext = values.matching("ext", check_ext)
    if ext and is_emergency(ext, country):
        values.wrong("ext", "is an emergency number")
    return ext


def read_password(values: Values) -> str:
    """Read field `password`, "" when it was not sent."""
    value = values.raw("password")
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not MIN_PASSWORD <= len(value) <= MAX_PASSWORD:
        values.wrong("password", f"must be {MIN_PASSWORD} to {MAX_PASSWORD} characters long")
        return ""
    if CONTROL.search(value):
        values.wrong("password", "must not contain control characters")
        return ""
    return composed(value)


def new_password() -> str:
    """Return a random password of 16 letters and digits (95 bits)."""
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(16))


def ha1(username: str, realm: str, password: str) -> Ha1Pair:
    """Return what a digest is checked against (RFC 7616 3.4.2), for MD5 and SHA-256."""
    text = f"{username}:{realm}:{password}".encode()
    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    return Ha1Pair(md5, hashlib.sha256(text).hexdigest())


async def lowest_free_ext(tx: Tx) -> str:
    """Return the lowest internal number from 701 on that nobody has."""
    rows = await tx.all(tables.names)
    taken = {row.name for row in rows}
    for number in range(FIRST_EXT, LAST_EXT + 1):
        ext = str(number)
        if ext not in taken and not is_emergency(ext, tx.domain.country):
            return ext
    return ""


async def claim(
    tx: Tx, values: Values, field: str, name: str, *, user: int | None, group: int | None
) -> None:
    """Take `name` for an employee or department; noted at `field` when another has it."""
    taken = await tx.first(tables.names, tables.names.c.name == name)
    if taken is None:
        await tx.insert(tables.names, name=name, user_id=user, group_id=group)
    elif (taken.user_id, taken.group_id) != (user, group):
        values.wrong(field, f"{name} is taken")


async def release(tx: Tx, name: str) -> None:
    """Let `name` be taken by others."""
    await tx.delete(tables.names, tables.names.c.name == name)


async def user_row(tx: Tx, login_or_ext: str) -> Row[Any] | None:
    """Return the row of the employee with this login or ext."""
    users = tables.users
    name = str(login_or_ext).strip().lower()
    return await tx.first(users, (users.c.login == name) | (users.c.ext == name))


async def group_row(tx: Tx, gid: str) -> Row[Any] | None:
    """Return the row of the department with this id (or ext)."""
    groups = tables.groups
    name = composed(str(gid).strip())
    return await tx.first(groups, (groups.c.gid == name) | (groups.c.ext == name))


async def first_admin_row(tx: Tx, *, but: int = 0) -> Row[Any] | None:
    """Return the row of the longest-serving administrator other than `but`."""
    users = tables.users
    return await tx.first(users, users.c.role == "admin", users.c.id != but, order=users.c.id)


async def within_limit(tx: Tx, values: Values, table: Table, limit: int, what: str) -> None:
    """Note an error when the domain already has `limit` rows of `table` (-1: no limit)."""
    if limit >= 0 and await tx.count(table) >= limit:
        values.wrong("limits", f"the domain may have at most {limit} {what}")
