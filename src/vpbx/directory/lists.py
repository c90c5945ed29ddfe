"""Lists of employees and departments in the domain's settings (crm-api §11).

Never recorded (`record/users-exception`), on the BLF list, and who gets voicemail (`am`).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Table

from vpbx.directory import tables
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import Department, DomainConfig, Employee
from vpbx.directory.names import group_row, user_row
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.values import Values


class _List:
    """What lists of employees and of departments have in common."""

    table: Table
    column: str
    field: str
    unknown: str

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name

    async def add(self, domain: DomainConfig, names: Iterable[str]) -> None:
        """Add to the list: logins or exts, or department ids. Who is there already stays."""
        async with self._store.edit(domain) as tx:
            reader = Values({"": list(names)})
            rows = await tx.all(self.table, self.table.c.list == self._name)
            before = {row._mapping[self.column] for row in rows}
            wanted: dict[int, None] = {}
            for index, name in enumerate(reader.texts("")):
                row_id = await self._find(tx, name)
                if row_id is None:
                    reader.wrong(f"[{index}]", f"{name} {self.unknown}")
                else:
                    wanted[row_id] = None
            reader.done()
            new = [row_id for row_id in wanted if row_id not in before]
            await tx.insert_many(
                self.table, [{"list": self._name, self.column: row_id} for row_id in new]
            )

    async def delete(self, domain: DomainConfig, names: Iterable[str]) -> None:
        """Take from the list; NotFound, and nothing changed, when one is not in it."""
        async with self._store.edit(domain) as tx:
            wanted = {await self._find(tx, str(name)) for name in names}
            if not wanted:
                raise Invalid.one(self.field, "is required")
            found = self.table.c[self.column].in_([row_id for row_id in wanted if row_id])
            if await tx.delete(self.table, self.table.c.list == self._name, found) < len(wanted):
                raise NotFound("not in the list")

    async def _find(self, tx: Tx, name: str) -> int | None:
        raise NotImplementedError


class EmployeeList(_List):
    """A list of employees."""

    table = tables.user_lists
    column = "user_id"
    field = "user"
    unknown = "is not an employee"

    async def list(self, domain: DomainConfig) -> tuple[Employee, ...]:
        """Return the employees on the list, by ext."""
        current = await self._store.current(domain)
        settings = current.settings
        logins = {
            "record": current.record_exceptions,
            "blf": settings.blf_users,
            "am": frozenset(settings.voicemail.users),
        }[self._name]
        found = [current.employees[login] for login in logins]
        return tuple(sorted(found, key=lambda employee: (len(employee.ext), employee.ext)))

    async def _find(self, tx: Tx, name: str) -> int | None:
        row = await user_row(tx, name)
        return row.id if row is not None else None


class DepartmentList(_List):
    """A list of departments."""

    table = tables.group_lists
    column = "group_id"
    field = "group"
    unknown = "is not a department"

    async def list(self, domain: DomainConfig) -> tuple[Department, ...]:
        """Return the departments on the list."""
        current = await self._store.current(domain)
        return tuple(current.departments[gid] for gid in current.settings.voicemail.groups)

    async def _find(self, tx: Tx, name: str) -> int | None:
        row = await group_row(tx, name)
        return row.id if row is not None else None
