"""Numbers of other operators: SIP registrations (crm-api §14) and SIP addresses (§15)."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import Row, Table, select

from vpbx.directory import tables
from vpbx.directory.errors import NotFound
from vpbx.directory.model import DomainConfig, Number, Origin
from vpbx.directory.names import first_admin_row
from vpbx.directory.page import Page, page
from vpbx.directory.places import read_host, read_place, written
from vpbx.directory.policy import (
    RegistrationStatus,
    SipRegistration,
    SipuriTransfer,
    registration_of,
)
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.telnums import add_number, find_number, number_row
from vpbx.directory.values import Values

Accounts: TypeAlias = list[tuple[int, SipRegistration]]

MIN_EXPIRES = 60
MAX_EXPIRES = 86_400
DEFAULT_EXPIRES = 600
_USER = re.compile(r"[^\s<>\"@;]{1,128}")


class SipRegistrations:
    """Operations on a domain's registrations at other operators."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[SipRegistration]:
        """Search in telnum, name, domain."""
        current = await self._store.current(domain)
        found = current.settings.sip_registrations.values()
        return page(
            found, lambda r: (r.telnum, r.name, r.domain), search=search, start=start, limit=limit
        )

    async def get(self, domain: DomainConfig, telnum: str) -> SipRegistration:
        """Return one; raises NotFound."""
        number = find_number(await self._store.current(domain), telnum)
        current = await self._store.current(domain)
        found = current.settings.sip_registrations.get(number.telnum)
        if found is None:
            raise NotFound("no such SIP registration")
        return found

    async def add(self, domain: DomainConfig, values: Mapping[str, Any]) -> SipRegistration:
        """Add telnum*, name*, domain*, login*, password*, active, auth_name, expires, proxy,
        outgoing. A number the company does not have yet is added, routed to the first
        administrator, and goes again with the registration.
        """
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            telnum = reader.phone("telnum", required=True)
            changes = self._read(reader, new=True)
            await _may_add(tx, reader)
            reader.done()
            number_id = await _number_for(tx, telnum, Origin.SIP_REGISTRATION)
            if await _row(tx, tables.sip_registrations, number_id) is not None:
                reader.wrong("telnum", "this number has a SIP registration")
            reader.done()
            await tx.insert(tables.sip_registrations, number_id=number_id, **changes)
        return await self.get(domain, telnum)

    async def edit(
        self, domain: DomainConfig, telnum: str, values: Mapping[str, Any]
    ) -> SipRegistration:
        """Change what is sent; telnum stays. What matters to registering starts it anew."""
        table = tables.sip_registrations
        async with self._store.edit(domain) as tx:
            number, row = await _existing(tx, table, telnum)
            reader = Values(values, country=tx.domain.country)
            changes = self._read(reader, new=False)
            reader.done()
            if changes.keys() - {"name", "outgoing"}:
                changes.update(status=RegistrationStatus.WAITING.value, reason="")
            await tx.update(table, table.c.id == row.id, **changes)
        return await self.get(domain, number.telnum)

    async def delete(self, domain: DomainConfig, telnum: str) -> None:
        """Delete one, and its number if it came with it."""
        async with self._store.edit(domain) as tx:
            number, row = await _existing(tx, tables.sip_registrations, telnum)
            await tx.delete(tables.sip_registrations, tables.sip_registrations.c.id == row.id)
            await _release_number(tx, number)

    async def everywhere(self) -> Accounts:
        """Return the active registrations of all companies that may have some, with their ids."""
        rows, numbers, domains = tables.sip_registrations.c, tables.numbers.c, tables.domains.c
        statement = (
            select(tables.sip_registrations, numbers.telnum)
            .where(
                rows.number_id == numbers.id,
                rows.domain_id == domains.id,
                rows.active,
                domains.enabled,
                domains.service_local_gw,
            )
            .order_by(rows.id)
        )
        async with self._store.reading() as connection:
            found = (await connection.execute(statement)).all()
        return [(row.domain_id, registration_of(row, row.telnum)) for row in found]

    async def set_status(
        self, domain: DomainConfig, telnum: str, status: RegistrationStatus, reason: str = ""
    ) -> bool:
        """Keep how the registration stands, and why; True when the status is news."""
        table = tables.sip_registrations
        async with self._store.edit(domain) as tx:
            _, row = await _existing(tx, table, telnum)
            await tx.update(table, table.c.id == row.id, status=status.value, reason=reason)
        return bool(row.status != status.value)

    def password(self, registration: SipRegistration) -> str:
        """Return the password to register with; ValueError when the key file was replaced."""
        return self._store.secrets.open(registration.sealed_password)

    def _read(self, reader: Values, *, new: bool) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if new or reader.has("name"):
            changes["name"] = reader.text("name", required=True)
        if new or reader.has("domain"):
            changes["domain"] = reader.matching("domain", _check_domain, required=True)
            if changes["domain"]:
                self._store.check_public(reader, "domain", read_host(changes["domain"])[0])
        if new or reader.has("login"):
            changes["login"] = reader.matching("login", _check_user, required=True)
        if new or reader.has("password"):
            password = reader.text("password", required=True)
            changes["sealed_password"] = self._store.secrets.seal(password)
        for field in ("active", "outgoing"):
            if reader.has(field):
                changes[field] = reader.boolean(field)
        if reader.has("auth_name"):
            changes["auth_name"] = reader.matching("auth_name", _check_user)
        if reader.has("expires"):
            changes["expires"] = reader.integer(
                "expires", DEFAULT_EXPIRES, low=MIN_EXPIRES, high=MAX_EXPIRES
            )
        if reader.has("proxy"):
            changes["proxy"] = reader.matching("proxy", _check_proxy)
            if changes["proxy"]:
                self._store.check_public(reader, "proxy", read_place(changes["proxy"])[0])
        return changes


class SipuriTransfers:
    """Operations on addresses of ours that other operators send a number's calls to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[SipuriTransfer]:
        """Search in telnum, uri."""
        current = await self._store.current(domain)
        found = current.settings.sipuri_transfers.values()
        return page(found, lambda t: (t.telnum, t.uri), search=search, start=start, limit=limit)

    async def get(self, domain: DomainConfig, telnum: str) -> SipuriTransfer:
        """Return one; raises NotFound."""
        number = find_number(await self._store.current(domain), telnum)
        current = await self._store.current(domain)
        found = current.settings.sipuri_transfers.get(number.telnum)
        if found is None:
            raise NotFound("no such SIP address")
        return found

    async def add(self, domain: DomainConfig, values: Mapping[str, Any]) -> SipuriTransfer:
        """Make an address for telnum*; active. The number as with SIP registrations."""
        table = tables.sipuri_transfers
        async with self._store.edit(domain) as tx:
            reader = Values(values, country=tx.domain.country)
            telnum = reader.phone("telnum", required=True)
            active = reader.boolean("active", True)
            await _may_add(tx, reader)
            reader.done()
            number_id = await _number_for(tx, telnum, Origin.SIPURI)
            if await _row(tx, table, number_id) is not None:
                reader.wrong("telnum", "this number has a SIP address already")
            reader.done()
            await tx.insert(table, number_id=number_id, user=_new_user(), active=active)
        return await self.get(domain, telnum)

    async def edit(
        self, domain: DomainConfig, telnum: str, values: Mapping[str, Any]
    ) -> SipuriTransfer:
        """Change active."""
        table = tables.sipuri_transfers
        async with self._store.edit(domain) as tx:
            number, row = await _existing(tx, table, telnum)
            reader = Values(values)
            active = reader.boolean("active", row.active)
            reader.done()
            await tx.update(table, table.c.id == row.id, active=active)
        return await self.get(domain, number.telnum)

    async def delete(self, domain: DomainConfig, telnum: str) -> None:
        """Delete one, and its number if it came with it."""
        table = tables.sipuri_transfers
        async with self._store.edit(domain) as tx:
            number, row = await _existing(tx, table, telnum)
            await tx.delete(table, table.c.id == row.id)
            await _release_number(tx, number)

    def find(self, domain: DomainConfig, user: str) -> Number | None:
        """Return the number that calls to `user`@domain arrive at; None when there is none or
        it is switched off. No await; letter case is taken leniently.
        """
        address = f"{user}@{domain.name}".lower()
        for transfer in domain.settings.sipuri_transfers.values():
            if transfer.active and transfer.uri.lower() == address:
                return domain.numbers.get(transfer.telnum)
        return None

    async def owner(self, user: str) -> tuple[DomainConfig, Number] | None:
        """Return whose address `user` is and the number it stands for, whatever its host."""
        domain = await self._store.sipuri_domain(user)
        number = self.find(domain, user) if domain is not None else None
        return None if domain is None or number is None else (domain, number)


async def _may_add(tx: Tx, reader: Values) -> None:
    """Note when the service is off or the limit of `local_gw` is reached."""
    if not tx.domain.service_local_gw:
        reader.wrong("services", "numbers of other operators are not switched on")
    limit = tx.domain.limit_local_gw
    used = await tx.count(tables.sip_registrations) + await tx.count(tables.sipuri_transfers)
    if 0 <= limit <= used:
        reader.wrong("limits", f"the domain may have at most {limit} numbers of other operators")


async def _number_for(tx: Tx, telnum: str, origin: Origin) -> int:
    """Return the row id of the company's number `telnum`, added when it has none."""
    row = await tx.first(tables.numbers, tables.numbers.c.telnum == telnum)
    if row is not None:
        return int(row.id)
    admin = await first_admin_row(tx)
    return await add_number(
        tx, telnum, type="user", user_id=admin.id if admin else None, origin=origin.value
    )


async def _release_number(tx: Tx, number: Row[Any]) -> None:
    """Delete a number that came with what was just deleted, unless something else needs it."""
    if number.origin == Origin.OPERATOR:
        return
    numbers = tables.numbers
    for table, left in (
        (tables.sip_registrations, Origin.SIP_REGISTRATION),
        (tables.sipuri_transfers, Origin.SIPURI),
    ):
        if await _row(tx, table, number.id) is not None:
            await tx.update(numbers, numbers.c.id == number.id, origin=left.value)
            return
    await tx.delete(numbers, numbers.c.id == number.id)


async def _row(tx: Tx, table: Table, number_id: int) -> Row[Any] | None:
    return await tx.first(table, table.c.number_id == number_id)


async def _existing(tx: Tx, table: Table, telnum: str) -> tuple[Row[Any], Row[Any]]:
    number = await number_row(tx, telnum)
    row = await _row(tx, table, number.id)
    if row is None:
        raise NotFound("there is none for this number")
    return number, row


def _new_user() -> str:
    alphabet = string.ascii_letters + string.digits
    return "pbx-" + "".join(secrets.choice(alphabet) for _ in range(12))


def _check_domain(text: str) -> str:
    try:
        return written(*read_host(text))
    except ValueError:
        raise ValueError("must be HOST or HOST:PORT") from None


def _check_proxy(text: str) -> str:
    read_place(text)
    return text


def _check_user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise ValueError('must be 1 to 128 characters without spaces and < > " @ ;')
    return text
