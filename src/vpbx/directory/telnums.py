"""Numbers and who answers them (crm-api §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.consistency import free_number
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig, Number
from vpbx.directory.names import first_admin_row, group_row, user_row
from vpbx.directory.numbering import normalize
from vpbx.directory.page import Page, page
from vpbx.directory.scope import Tx
from vpbx.directory.values import Values

if TYPE_CHECKING:
    from vpbx.directory.directory import Directory


class Telnums:
    """Operations on a domain's numbers."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[Number]:
        """Search in telnum, name, user, user_name, group, group_name; by telnum."""
        current = await self._directory.current(domain)

        def words(number: Number) -> tuple[str, ...]:
            user = current.employees.get(number.user)
            group = current.departments.get(number.group)
            return (
                number.telnum,
                number.name,
                number.user,
                user.name if user else "",
                number.group,
                group.name if group else "",
            )

        return page(current.numbers.values(), words, search=search, start=start, limit=limit)

    async def get(self, domain: DomainConfig, telnum: str) -> Number:
        """Return one number, in any spelling; raises NotFound."""
        current = await self._directory.current(domain)
        found = current.numbers.get(telnum) or current.numbers.get(_spell(telnum, domain.country))
        if found is None:
            raise NotFound("no such number")
        return found

    async def add(
        self,
        domain: DomainConfig,
        telnum: str,
        *,
        trunk: str = "",
        user: str = "",
        group: str = "",
        name: str = "",
    ) -> Number:
        """Give the domain a number (for the operator), routed to an employee or department.

        Without either it is routed to the first administrator. The first number of a domain
        becomes its main one.
        """
        reader = Values({"telnum": telnum, "name": name}, country=domain.country)
        digits = reader.phone("telnum", required=True)
        label = reader.text("name")
        async with self._directory.edit(domain) as tx:
            values = await _destination(tx, reader, user, group)
            if trunk:
                found = self._directory.trunk(trunk, domain)
                if found is None:
                    reader.wrong("trunk", f"there is no trunk {trunk}")
                else:
                    values["trunk_id"] = found.id
            reader.done()
            await add_number(tx, digits, name=label, **values)
        return await self.get(domain, digits)

    async def delete(self, domain: DomainConfig, telnum: str) -> None:
        """Take a number from the domain, with every mention of it (docs/consistency.md)."""
        async with self._directory.edit(domain) as tx:
            row = await number_row(tx, telnum)
            await free_number(tx, row.id)
            await tx.delete(tables.numbers, tables.numbers.c.id == row.id)

    async def set_enabled(self, domain: DomainConfig, telnum: str, enabled: bool) -> None:
        """Receive calls on the number, or not."""
        async with self._directory.edit(domain) as tx:
            row = await number_row(tx, telnum)
            await tx.update(tables.numbers, tables.numbers.c.id == row.id, enabled=enabled)

    async def set_main(self, domain: DomainConfig, telnum: str) -> None:
        """Make it the company's main number."""
        async with self._directory.edit(domain) as tx:
            row = await number_row(tx, telnum)
            await tx.delete(tables.main_numbers)
            await tx.insert(tables.main_numbers, number_id=row.id)


def _spell(telnum: str, country: str) -> str:
    try:
        return normalize(telnum, country)
    except Invalid:
        return ""


async def number_row(tx: Tx, telnum: str) -> Row[Any]:
    """Return the row of a number of the domain, in any spelling; raises NotFound."""
    numbers = tables.numbers
    spelled = _spell(telnum, tx.domain.country)
    row = await tx.first(numbers, numbers.c.telnum == telnum) or await tx.first(
        numbers, numbers.c.telnum == spelled
    )
    if row is None:
        raise NotFound("no such number")
    return row


async def add_number(tx: Tx, telnum: str, **values: Any) -> int:
    """Insert a number and return its row id; the domain's first becomes the main one.

    That another company has it is told by the unique constraint (Invalid at `telnum`).
    """
    if await tx.first(tables.numbers, tables.numbers.c.telnum == telnum) is not None:
        raise Invalid.one("telnum", "this number is taken")
    number_id = await tx.insert(tables.numbers, telnum=telnum, **{"route": {}, **values})
    if await tx.first(tables.main_numbers) is None:
        await tx.insert(tables.main_numbers, number_id=number_id)
    return number_id


async def _destination(tx: Tx, reader: Values, user: str, group: str) -> dict[str, Any]:
    if user and group:
        reader.wrong("user", "cannot go together with group")
    if group:
        found = await group_row(tx, group)
        if found is None:
            reader.wrong("group", f"there is no department {group}")
            return {}
        return {"type": "group", "group_id": found.id}
    row = await user_row(tx, user) if user else await first_admin_row(tx)
    if row is None:
        reader.wrong("user", f"there is no employee {user}")
        return {}
    return {"type": "user", "user_id": row.id}
