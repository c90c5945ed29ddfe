"""Departments (crm-api §8)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.consistency import free_group
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import Advanced, CallOrder, Department, DomainConfig, TimeoutTarget
from vpbx.directory.names import (
    claim,
    first_admin_row,
    group_row,
    lowest_free_ext,
    read_ext,
    release,
    user_row,
    within_limit,
)
from vpbx.directory.page import Page, page
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.values import Values

DURATIONS = (5, 10, 15, 20, 25, 30)
DEFAULT_DURATION = 15
TIMES = (15, 30, 60, 120, 300, 600)
DEFAULT_TIME = 120
MAX_MEMBERS = 1000


class Groups:
    """Operations on a domain's departments."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[Department]:
        """Search in id, name, ext; by ext."""
        current = await self._store.current(domain)
        found = current.departments.values()
        return page(found, lambda d: (d.id, d.name, d.ext), search=search, start=start, limit=limit)

    async def get(self, domain: DomainConfig, group_id: str) -> Department:
        """Return one department; raises NotFound."""
        current = await self._store.current(domain)
        found = current.find_department(group_id)
        if found is None:
            raise NotFound("no such department")
        return found

    async def add(
        self, domain: DomainConfig, values: Mapping[str, Any], *, gid: str = ""
    ) -> Department:
        """Add a department; with the id `gid`, where it is to have the same one elsewhere.

        name*, ext (lowest free), call_order (ALL), call_duration (15), timeout {time, target,
        user | group | telnum}, advanced (off), queue_position, users [{login*, calls_enable*}].
        """
        gid = gid or f"g_{uuid.uuid4()}"
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            changes = await _read(reader, tx, None)
            members = await _read_members(reader, tx)
            ext = read_ext(reader, tx.domain.country) or await lowest_free_ext(tx)
            await within_limit(tx, reader, tables.groups, tx.domain.limit_groups, "departments")
            reader.done()
            row_id = await tx.insert(tables.groups, gid=gid, ext=ext, **changes)
            await claim(tx, reader, "ext", ext, user=None, group=row_id)
            await claim(tx, reader, "id", gid, user=None, group=row_id)
            reader.done()
            await _keep_members(tx, row_id, members)
        return await self.get(domain, gid)

    async def edit(
        self, domain: DomainConfig, group_id: str, values: Mapping[str, Any]
    ) -> Department:
        """Change what is sent; `users` replaces the list, in this order."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, group_id)
            reader = Values(values, country=tx.domain.country)
            changes = await _read(reader, tx, row)
            members = await _read_members(reader, tx)
            ext = read_ext(reader, tx.domain.country) or row.ext
            if ext != row.ext:
                await claim(tx, reader, "ext", ext, user=None, group=row.id)
                changes["ext"] = ext
            reader.done()
            if ext != row.ext:
                await release(tx, row.ext)
            await tx.update(tables.groups, tables.groups.c.id == row.id, **changes)
            if reader.has("users"):
                await _keep_members(tx, row.id, members)
        return await self.get(domain, row.gid)

    async def delete(self, domain: DomainConfig, group_id: str) -> None:
        """Delete a department and every mention of it (docs/consistency.md)."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, group_id)
            heir = await first_admin_row(tx)
            if heir is None:
                raise Invalid.one("id", "the domain has no administrator to take its calls")
            await free_group(tx, row.id, heir.id)
            await tx.delete(tables.groups, tables.groups.c.id == row.id)

    async def change_users(
        self, domain: DomainConfig, group_id: str, values: Mapping[str, Any]
    ) -> None:
        """Change members: first `add` (receiving on) at `position` (0 first, -1 last, n), then
        `calls_disable`, then `remove`; logins or exts. Who is a member already and is added
        again moves to the position.
        """
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, group_id)
            reader = Values(values, country=tx.domain.country)
            add = await _users_of(reader, tx, "add")
            # whoever is no member, or nobody at all, needs neither
            disable = await _users_of(reader, tx, "calls_disable", strict=False)
            remove = await _users_of(reader, tx, "remove", strict=False)
            position = reader.integer("position", -1, low=-1)
            before = await _members_of(tx, row.id)
            reader.done()
            kept = [member for member in before if member[0] not in add]
            at = len(kept) if position == -1 else min(position, len(kept))
            after = kept[:at] + [(key, True) for key in dict.fromkeys(add)] + kept[at:]
            await _keep_members(
                tx,
                row.id,
                [(key, on and key not in disable) for key, on in after if key not in remove],
            )


_Member = tuple[tuple[str, int], bool]
"""("user" | "branch", row id), receives calls."""


async def _existing(tx: Tx, group_id: str) -> Row[Any]:
    row = await group_row(tx, group_id)
    if row is None:
        raise NotFound("no such department")
    return row


async def _read(reader: Values, tx: Tx, row: Row[Any] | None) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    new = row is None
    if new or reader.has("name"):
        changes["name"] = reader.text("name", required=True)
    if new or reader.has("call_order"):
        changes["call_order"] = reader.choice("call_order", CallOrder, CallOrder.ALL).value
    order = changes.get("call_order") or (row.call_order if row is not None else "")
    if new or reader.has("call_duration"):
        # ALL has no interval: clients send back the 0 they were shown
        is_all = order == CallOrder.ALL.value
        allowed = (*DURATIONS, 0) if is_all else DURATIONS
        chosen = reader.choice("call_duration", allowed, DEFAULT_DURATION)
        changes["call_duration"] = chosen or DEFAULT_DURATION
    if new or reader.has("advanced"):
        changes["advanced"] = reader.choice("advanced", Advanced, Advanced.OFF).value
    if new or reader.has("queue_position"):
        changes["queue_position"] = reader.boolean("queue_position")
    timeout = reader.object("timeout")
    if timeout is not None:
        changes.update(await _read_timeout(timeout, tx, row))
    return changes


async def _read_timeout(timeout: Values, tx: Tx, row: Row[Any] | None) -> dict[str, Any]:
    before = row.timeout_time if row is not None else DEFAULT_TIME
    result: dict[str, Any] = {"timeout_time": timeout.choice("time", TIMES, before)}
    if row is not None and not timeout.has("target"):
        return result
    target = timeout.choice("target", TimeoutTarget, TimeoutTarget.VOICEMAIL)
    result.update(
        timeout_target=target.value, timeout_user_id=None, timeout_group_id=None, timeout_telnum=""
    )
    if target is TimeoutTarget.USER:
        user = await user_row(tx, timeout.text("user", required=True))
        if user is None:
            timeout.wrong("user", "must be the login or internal number of an employee")
        else:
            result["timeout_user_id"] = user.id
    elif target is TimeoutTarget.GROUP:
        group = await group_row(tx, timeout.text("group", required=True))
        if group is None or (row is not None and group.id == row.id):
            timeout.wrong("group", "must be the id of another department")
        elif row is not None and await _leads_to(tx, group, row.id):
            timeout.wrong(
                "group", f"calls would go in a circle: {group.name} sends them back here in the end"
            )
        else:
            result["timeout_group_id"] = group.id
    elif target is TimeoutTarget.TELNUM:
        result["timeout_telnum"] = timeout.phone("telnum", required=True)
    return result


async def _leads_to(tx: Tx, group: Row[Any], target_id: int) -> bool:
    """Say whether calls that `group` does not take come to another department in the end."""
    following = {
        row.id: row.timeout_group_id
        for row in await tx.all(tables.groups)
        if row.timeout_target == TimeoutTarget.GROUP.value
    }
    at, seen = group.id, set[int]()
    while at is not None and at not in seen:
        if at == target_id:
            return True
        seen.add(at)
        at = following.get(at)
    return False


async def _read_members(reader: Values, tx: Tx) -> list[_Member]:
    members: dict[tuple[str, int], bool] = {}
    for item in reader.objects("users", max_items=MAX_MEMBERS):
        login = item.text("login", required=True)
        enabled = item.boolean("calls_enable", True, required=True)
        if not login:
            continue
        key = await _find_member(tx, login, item.text("branch_domain"))
        if key is None:
            item.wrong("login", f"{login} is not an employee")
        elif key in members:
            item.wrong("login", f"{login} is named twice")
        else:
            members[key] = enabled
    return list(members.items())


async def _find_member(tx: Tx, login: str, branch_domain: str = "") -> tuple[str, int] | None:
    """Return whom `login` names: one of ours, else one of a connected PBX (`login@domain`)."""
    name, _, domain = login.partition("@")
    domain = branch_domain or domain
    if not domain:
        user = await user_row(tx, name)
        return None if user is None else ("user", user.id)
    branches, people = tables.branches, tables.branch_users
    branch = await tx.first(branches, branches.c.domain == domain.lower())
    if branch is None:
        return None
    found = await tx.first(
        people,
        people.c.branch_id == branch.id,
        people.c.kind == "user",
        (people.c.login == name) | (people.c.ext == name),
    )
    return None if found is None else ("branch", found.id)


async def _users_of(
    reader: Values, tx: Tx, field: str, *, strict: bool = True
) -> list[tuple[str, int]]:
    found = []
    for login in reader.texts(field, max_items=MAX_MEMBERS):
        key = await _find_member(tx, login)
        if key is not None:
            found.append(key)
        elif strict:
            reader.wrong(field, f"{login} is not an employee")
    return found


async def _members_of(tx: Tx, group_id: int) -> list[_Member]:
    members = tables.group_members
    rows = await tx.all(members, members.c.group_id == group_id, order=members.c.position)
    return [
        (("user", row.user_id) if row.user_id else ("branch", row.branch_user_id), row.calls_enable)
        for row in rows
    ]


async def _keep_members(tx: Tx, group_id: int, members: Sequence[_Member]) -> None:
    table = tables.group_members
    await tx.delete(table, table.c.group_id == group_id)
    await tx.insert_many(
        table,
        [
            {
                "group_id": group_id,
                "user_id": row_id if kind == "user" else None,
                "branch_user_id": row_id if kind == "branch" else None,
                "position": position,
                "calls_enable": enabled,
            }
            for position, ((kind, row_id), enabled) in enumerate(members)
        ],
    )
