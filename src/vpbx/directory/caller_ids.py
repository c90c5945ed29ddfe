"""Outgoing numbers (crm-api §12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.errors import NotFound
from vpbx.directory.model import DomainConfig, Number, Origin
from vpbx.directory.names import group_row, user_row
from vpbx.directory.policy import CallerIds
from vpbx.directory.regions import REGIONS, Region
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.telnums import number_row
from vpbx.directory.values import Values


class CallerIdRules:
    """Operations on which number outgoing calls show."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, domain: DomainConfig) -> tuple[str, CallerIds]:
        """Return the main number and the rules for employees, departments and regions."""
        current = await self._store.current(domain)
        return current.main_telnum, current.settings.caller_ids

    async def telnums(self, domain: DomainConfig) -> tuple[Number, ...]:
        """Return all numbers; `outgoing` says whether calls may leave with them."""
        return tuple((await self._store.current(domain)).numbers.values())

    def regions(self) -> tuple[Region, ...]:
        """Return all regions."""
        return tuple(REGIONS.values())

    async def set_main(self, domain: DomainConfig, values: Mapping[str, Any]) -> None:
        """Set the company's number: telnum*."""
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            number = await self._number(tx, reader)
            reader.done()
            await tx.delete(tables.main_numbers)
            await tx.insert(tables.main_numbers, number_id=number)

    async def set_user(self, domain: DomainConfig, values: Mapping[str, Any]) -> None:
        """Set an employee's number: telnum*, login*."""
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            number = await self._number(tx, reader)
            row = await user_row(tx, reader.text("login", required=True))
            if row is None and reader.raw("login"):
                reader.wrong("login", "must be the login or internal number of an employee")
            reader.done()
            await self._keep(tx, "user_id", row, number)

    async def set_group(self, domain: DomainConfig, values: Mapping[str, Any]) -> None:
        """Set a department's number: telnum*, id*."""
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            number = await self._number(tx, reader)
            row = await group_row(tx, reader.text("id", required=True))
            if row is None and reader.raw("id"):
                reader.wrong("id", "must be the id of a department")
            reader.done()
            await self._keep(tx, "group_id", row, number)

    async def set_region(self, domain: DomainConfig, values: Mapping[str, Any]) -> None:
        """Set the number for calls to a region: telnum*, id*."""
        table = tables.caller_ids
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            number = await self._number(tx, reader)
            region = reader.choice("id", REGIONS, "", required=True)
            reader.done()
            await tx.delete(table, table.c.region_id == region)
            await tx.insert(table, region_id=region, number_id=number)

    async def delete_user(self, domain: DomainConfig, login: str) -> None:
        """Delete an employee's number; NotFound when none is set."""
        async with self._store.edit(domain) as tx:
            await self._drop(tx, "user_id", await user_row(tx, login))

    async def delete_group(self, domain: DomainConfig, group_id: str) -> None:
        """Delete a department's number; NotFound when none is set."""
        async with self._store.edit(domain) as tx:
            await self._drop(tx, "group_id", await group_row(tx, group_id))

    async def delete_region(self, domain: DomainConfig, region_id: str) -> None:
        """Delete a region's number; NotFound when none is set."""
        table = tables.caller_ids
        async with self._store.edit(domain) as tx:
            if not await tx.delete(table, table.c.region_id == region_id):
                raise NotFound("no number is set for this region")

    async def _number(self, tx: Tx, reader: Values) -> int:
        """Read field telnum: a number of the company that outgoing calls may show."""
        telnum = reader.text("telnum", required=True)
        if not telnum:
            return 0
        try:
            row = await number_row(tx, telnum)
        except NotFound:
            row = None
        if row is None or not await _is_open(tx, row):
            reader.wrong("telnum", "must be a number of the company open to outgoing calls")
            return 0
        return int(row.id)

    async def _keep(self, tx: Tx, column: str, row: Row[Any] | None, number_id: int) -> None:
        if row is not None:
            table = tables.caller_ids
            await tx.delete(table, table.c[column] == row.id)
            await tx.insert(table, **{column: row.id}, number_id=number_id)

    async def _drop(self, tx: Tx, column: str, row: Row[Any] | None) -> None:
        table = tables.caller_ids
        if row is None or not await tx.delete(table, table.c[column] == row.id):
            raise NotFound("no outgoing number is set")


async def _is_open(tx: Tx, number: Row[Any]) -> bool:
    """Say whether calls may leave with the number, as `Number.outgoing` does."""
    table = tables.sip_registrations
    registration = await tx.first(table, table.c.number_id == number.id)
    if registration is not None:
        return bool(registration.active and registration.outgoing)
    return bool(number.origin == Origin.OPERATOR and number.outgoing)
