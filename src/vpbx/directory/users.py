"""Employees (crm-api §6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.consistency import free_user
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.locations import Locations
from vpbx.directory.model import Department, DomainConfig, Employee, Role
from vpbx.directory.names import (
    check_login,
    claim,
    first_admin_row,
    group_row,
    ha1,
    lowest_free_ext,
    new_password,
    read_ext,
    read_password,
    release,
    user_row,
    within_limit,
)
from vpbx.directory.page import Page, page
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.values import Values

DEFAULT_POSITION = "Manager"
DELAYS = (0, 5, 10, 15)


@dataclass(frozen=True, slots=True)
class NewEmployee:
    """An employee just added; `password` only if it was generated: shown this once."""

    employee: Employee
    password: str = field(repr=False, default="")


class Users:
    """Operations on a domain's employees. `login` may be a login or an ext everywhere."""

    def __init__(self, store: Store, locations: Locations) -> None:
        self._store = store
        self._locations = locations

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[Employee]:
        """Search in login, name, position, email, ext, telnum, mobile; by ext."""
        current = await self._store.current(domain)
        return page(current.employees.values(), _words, search=search, start=start, limit=limit)

    async def get(self, domain: DomainConfig, login: str) -> Employee:
        """Return one employee; raises NotFound."""
        current = await self._store.current(domain)
        found = current.find_employee(login)
        if found is None:
            raise NotFound("no such employee")
        return found

    def is_online(self, domain: DomainConfig, login: str) -> bool:
        """Say whether a device of the employee is registered (crm-api §6 status)."""
        return self._locations.online(domain.id, login)

    async def add(self, domain: DomainConfig, values: Mapping[str, Any]) -> NewEmployee:
        """Add an employee.

        name*; login (default `u`+ext), password (default generated), position (Manager), email,
        ext (lowest free), role (user), mobile, mobile_redirect.
        """
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            changes = _read(reader, tx, None)
            changes.setdefault("position", DEFAULT_POSITION)
            changes.setdefault("role", Role.USER.value)
            ext = changes["ext"] = read_ext(reader, tx.domain.country) or await lowest_free_ext(tx)
            login = reader.matching("login", check_login) or f"u{ext}"
            given = read_password(reader)
            await within_limit(tx, reader, tables.users, tx.domain.limit_users, "employees")
            reader.done()
            password = given or new_password()
            user_id = await tx.insert(
                tables.users,
                login=login,
                since_ms=await _given_up_ms(tx, login),
                **changes,
                **_ha1_columns("login", login, tx, password),
                **_ha1_columns("ext", ext, tx, password),
            )
            await claim(tx, reader, "login", login, user=user_id, group=None)
            await claim(tx, reader, "ext", ext, user=user_id, group=None)
            reader.done()
        return NewEmployee(await self.get(domain, login), "" if given else password)

    async def edit(self, domain: DomainConfig, login: str, values: Mapping[str, Any]) -> Employee:
        """Change name, password, position, email, ext, role, mobile, mobile_redirect.

        A new ext without a new password leaves only the login to register with: the digest of
        the ext would need the password, which is not kept.
        """
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, login)
            reader = Values(values, country=tx.domain.country)
            changes = _read(reader, tx, row)
            await self._keep_an_admin(tx, reader, row, changes)
            ext = read_ext(reader, tx.domain.country) or row.ext
            password = read_password(reader)
            if ext != row.ext:
                await claim(tx, reader, "ext", ext, user=row.id, group=None)
                changes.update(ext=ext, ha1_ext_md5="", ha1_ext_sha256="")
            reader.done()
            if ext != row.ext:
                await release(tx, row.ext)
            if password:
                changes.update(_ha1_columns("login", row.login, tx, password))
                changes.update(_ha1_columns("ext", ext, tx, password))
            await tx.update(tables.users, tables.users.c.id == row.id, **changes)
        return await self.get(domain, row.login)

    async def delete(self, domain: DomainConfig, login: str) -> None:
        """Delete an employee and every mention of them (docs/consistency.md)."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, login)
            heir = await first_admin_row(tx, but=row.id)
            if heir is None:
                raise Invalid.one("login", "the last administrator cannot be deleted")
            await free_user(tx, row.id, heir.id)
            await tx.delete(tables.users, tables.users.c.id == row.id)
            await _give_up(tx, row.login, int(self._store.clock.time() * 1000))
        self._locations.forget(domain.id, row.login)

    async def groups(self, domain: DomainConfig, login: str) -> tuple[Department, ...]:
        """Return the departments an employee is a member of."""
        current = await self._store.current(domain)
        return current.departments_of((await self.get(domain, login)).login)

    async def subscription(self, domain: DomainConfig, login: str, group_id: str = "") -> bool:
        """Say whether they receive calls in a department; without one: in all of theirs."""
        employee = await self.get(domain, login)
        departments = await self.groups(domain, login)
        if group_id:
            departments = tuple(d for d in departments if group_id in (d.id, d.ext))
            if not departments:
                raise Invalid.one("group_id", "is not a department of this employee")
        states = [
            member.calls_enable
            for department in departments
            for member in department.members
            if member.login == employee.login and not member.branch_domain
        ]
        return bool(states) and all(states)

    async def set_subscription(
        self, domain: DomainConfig, login: str, state: bool, group_id: str = ""
    ) -> None:
        """Switch receiving calls in one department, or without it in all of theirs."""
        members = tables.group_members
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, login)
            where = [members.c.user_id == row.id]
            if group_id:
                group = await group_row(tx, group_id)
                where.append(members.c.group_id == (group.id if group is not None else 0))
            changed = await tx.update(members, *where, calls_enable=state)
            if group_id and not changed:
                raise Invalid.one("group_id", "is not a department of this employee")

    async def dnd(self, domain: DomainConfig, login: str) -> bool:
        """Say whether the employee receives calls (inverted against the name, as §6 has it)."""
        return (await self.get(domain, login)).receives_calls

    async def set_dnd(self, domain: DomainConfig, login: str, receives_calls: bool) -> None:
        """Switch receiving calls on (True) or off."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, login)
            await tx.update(
                tables.users, tables.users.c.id == row.id, receives_calls=receives_calls
            )

    async def set_call_waiting(self, domain: DomainConfig, login: str, state: bool) -> None:
        """Let a second call reach the employee while they talk, or not."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, login)
            await tx.update(tables.users, tables.users.c.id == row.id, call_waiting=state)

    async def _keep_an_admin(
        self, tx: Tx, reader: Values, row: Row[Any], changes: dict[str, Any]
    ) -> None:
        if row.role != Role.ADMIN or changes.get("role", row.role) == Role.ADMIN:
            return
        if await first_admin_row(tx, but=row.id) is None:
            reader.wrong("role", "the last administrator must stay admin")


async def _given_up_ms(tx: Tx, login: str) -> int:
    """Return when the login's last owner left; 0: nobody had it."""
    former = await tx.first(tables.former_logins, tables.former_logins.c.login == login)
    return former.until_ms if former is not None else 0


async def _give_up(tx: Tx, login: str, at_ms: int) -> None:
    """Note that a login is nobody's from now on."""
    former = tables.former_logins
    if not await tx.update(former, former.c.login == login, until_ms=at_ms):
        await tx.insert(former, login=login, until_ms=at_ms)


async def _existing(tx: Tx, login: str) -> Row[Any]:
    row = await user_row(tx, login)
    if row is None:
        raise NotFound("no such employee")
    return row


def _read(reader: Values, tx: Tx, row: Row[Any] | None) -> dict[str, Any]:
    """Return the columns of what was sent, except login, ext and password."""
    changes: dict[str, Any] = {}
    if row is None or reader.has("name"):
        changes["name"] = reader.text("name", required=True)
    if reader.has("position"):
        changes["position"] = reader.text("position")
    if reader.has("email"):
        changes["email"] = reader.email("email")
    if reader.has("role"):
        changes["role"] = reader.choice("role", Role, Role.USER).value
    if reader.has("mobile"):
        changes["mobile"] = reader.phone("mobile")
    redirect = reader.object("mobile_redirect")
    if redirect is not None:
        enabled = redirect.boolean("enabled", required=True)
        changes["redirect_enabled"] = enabled
        changes["redirect_forward"] = enabled and redirect.boolean("forward")
        changes["redirect_delay"] = redirect.choice("delay", DELAYS, 0) if enabled else 0
    before = row.redirect_enabled if row is not None else False
    mobile = changes.get("mobile", row.mobile if row is not None else "")
    if changes.get("redirect_enabled", before) and not mobile:
        if redirect is None:
            reader.wrong("mobile", "is needed while mobile_redirect is enabled")
        else:
            redirect.wrong("enabled", "needs a mobile number")
    return changes


def _ha1_columns(kind: str, username: str, tx: Tx, password: str) -> dict[str, str]:
    pair = ha1(username, tx.domain.name, password)
    return {f"ha1_{kind}_md5": pair.md5, f"ha1_{kind}_sha256": pair.sha256}


def _words(employee: Employee) -> tuple[str, ...]:
    e = employee
    return (e.login, e.name, e.position, e.email, e.ext, e.telnum, e.mobile)
