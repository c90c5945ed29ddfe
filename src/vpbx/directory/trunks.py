"""Carrier trunks: who brings and takes outside calls, and how we know each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, TypeAlias

from sqlalchemy import delete, insert, select, update

from vpbx.directory import tables
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig, Identity, Trunk, TrunkMode
from vpbx.directory.places import is_ip, read_host, written
from vpbx.directory.store import Store
from vpbx.directory.values import CONTROL, Values

TRANSPORTS = ("udp", "tcp", "tls", "auto")
MAX_ADDRESSES = 16
MAX_NETWORKS = 64
MAX_PASSWORD = 255
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USERNAME = re.compile(r"[^\s<>\"@;:\\]{1,128}")
_BROADEST = {4: 8, 6: 16}
"""A network wider than that as a source of calls is a mistake."""

Owners: TypeAlias = list[tuple[str, str]]


class Trunks:
    """Operations on trunks, for the operator. `domain` None: a trunk for all domains.

    values: address (HOST or HOST:PORT; several: a list, the first is the main one), transport
    (udp, tcp, tls, auto), mode (address, register, accept), username, password, auth_name,
    networks (list), identity (from, pai, rpid), from_user, from_domain, customers_numbers,
    max_calls, priority, enabled. A name without a port and a transport is looked up by RFC 3263.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, domain: DomainConfig | None = None) -> tuple[Trunk, ...]:
        """Return all trunks, or those `domain` may use."""
        found = self._store.trunks()
        if domain is None:
            return found
        return tuple(trunk for trunk in found if trunk.domain_id in (None, domain.id))

    async def get(self, name: str) -> Trunk:
        """Return the trunk of this name; raises NotFound."""
        found = self._store.trunk(name)
        if found is None:
            raise NotFound(f"there is no trunk {name}")
        return found

    async def add(
        self,
        name: str,
        address: str | Sequence[str] | None = None,
        *,
        domain: DomainConfig | None = None,
        **values: Any,
    ) -> Trunk:
        """Add a trunk at `address`; one that registers here (mode accept) needs none."""
        reader = Values({"name": name, "address": address, **values})
        row = self._read(reader, None)
        reader.done()
        async with self._store.edit_all() as connection:
            taken = select(tables.trunks.c.id).where(tables.trunks.c.name == row["name"])
            if await connection.scalar(taken) is not None:
                raise Invalid.one("name", "a trunk of this name exists already")
            await self._check_username(connection, row, None)
            await connection.execute(
                insert(tables.trunks).values(domain_id=domain.id if domain else None, **row)
            )
            await self._touch_domains(connection)
        return await self.get(row["name"])

    async def edit(self, name: str, values: Mapping[str, Any]) -> Trunk:
        """Change what is in `values`; username "" takes name and password away."""
        before = await self.get(name)
        reader = Values(values)
        row = self._read(reader, before)
        reader.done()
        async with self._store.edit_all() as connection:
            if row:
                await self._check_username(connection, row, before)
                await connection.execute(
                    update(tables.trunks).where(tables.trunks.c.id == before.id).values(**row)
                )
                if row.get("name", before.name) != before.name:
                    await self._touch_domains(connection)
        return await self.get(row.get("name", name))

    async def delete(self, name: str) -> None:
        """Delete a trunk; numbers that named it leave by the default trunk."""
        trunk = await self.get(name)
        async with self._store.edit_all() as connection:
            await connection.execute(delete(tables.trunks).where(tables.trunks.c.id == trunk.id))
            await self._touch_domains(connection)

    async def numbers(self, name: str) -> Owners:
        """Return (domain, telnum) of the numbers whose calls leave by this trunk first."""
        trunk = await self.get(name)
        numbers, domains = tables.numbers.c, tables.domains.c
        statement = (
            select(domains.name, numbers.telnum)
            .where(numbers.trunk_id == trunk.id, numbers.domain_id == domains.id)
            .order_by(domains.name, numbers.telnum)
        )
        async with self._store.reading() as connection:
            return [(row[0], row[1]) for row in await connection.execute(statement)]

    def password(self, trunk: Trunk) -> str:
        """Return the password; ValueError when the key file was replaced."""
        return self._store.secrets.open(trunk.sealed_password) if trunk.sealed_password else ""

    async def contacts(self) -> dict[int, str]:
        """Return where trunks that register here are, by id: what `keep_contact` was given."""
        columns = tables.trunks.c
        statement = select(columns.id, columns.contact).where(columns.contact != "")
        async with self._store.reading() as connection:
            return {row.id: row.contact for row in await connection.execute(statement)}

    async def keep_contact(self, trunk: Trunk, contact: str) -> None:
        """Keep where a trunk that registers here is, over a restart. No setting changes."""
        async with self._store.writing() as connection:
            await connection.execute(
                update(tables.trunks).where(tables.trunks.c.id == trunk.id).values(contact=contact)
            )

    async def _touch_domains(self, connection: Any) -> None:
        """Have every snapshot read again: they hold the names of trunks."""
        await connection.execute(
            update(tables.domains).values(revision=tables.domains.c.revision + 1)
        )

    async def _check_username(
        self, connection: Any, row: Mapping[str, Any], before: Trunk | None
    ) -> None:
        """Two trunks that register here cannot have one name."""
        mode = row.get("mode") or (before.mode if before else TrunkMode.ADDRESS)
        username = row.get("username") or (before.username if before else "")
        if mode != TrunkMode.ACCEPT:
            return
        columns = tables.trunks.c
        others = select(columns.id).where(
            columns.username == username,
            columns.mode == TrunkMode.ACCEPT.value,
            columns.id != (before.id if before else 0),
        )
        if await connection.scalar(others) is not None:
            raise Invalid.one("username", "another trunk registers here by this name")

    def _read(self, reader: Values, before: Trunk | None) -> dict[str, Any]:
        row: dict[str, Any] = {}
        if before is None or reader.has("name"):
            row["name"] = reader.matching("name", _check_name, required=True)
        mode = before.mode if before else TrunkMode.ADDRESS
        if reader.has("mode"):
            mode = reader.choice("mode", TrunkMode, mode)
            row["mode"] = mode.value
        _read_address(reader, before, mode, row)
        _read_identity(reader, row)
        if reader.has("networks"):
            row["networks"] = " ".join(_networks(reader))
        if reader.has("max_calls"):
            row["max_calls"] = reader.integer("max_calls", low=0, high=100_000)
        if reader.has("priority"):
            row["priority"] = reader.integer("priority", low=0, high=1000)
        if reader.has("enabled"):
            row["enabled"] = reader.boolean("enabled")
        self._read_credentials(reader, before, mode, row)
        return row

    def _read_credentials(
        self, reader: Values, before: Trunk | None, mode: TrunkMode, row: dict[str, Any]
    ) -> None:
        username = before.username if before else ""
        sealed = before.sealed_password if before else ""
        if reader.has("username"):
            username = row["username"] = reader.matching("username", _check_username)
            if not username:
                sealed = row["sealed_password"] = ""
        if reader.has("auth_name"):
            row["auth_name"] = reader.matching("auth_name", _check_username)
        if reader.has("password"):
            password = _password(reader)
            if password:
                sealed = row["sealed_password"] = self._store.secrets.seal(password)
        if sealed and not username and not reader.errors:
            reader.wrong("username", "is needed with a password")
        if username and not sealed and not reader.errors:
            reader.wrong("password", "is needed with a username")
        if mode is not TrunkMode.ADDRESS and not username and not reader.errors:
            reader.wrong("username", "is needed to register")


def _read_address(
    reader: Values, before: Trunk | None, mode: TrunkMode, row: dict[str, Any]
) -> None:
    transport = before.transport if before else ""
    if reader.has("transport"):
        transport = reader.choice("transport", TRANSPORTS, "udp")
        transport = row["transport"] = "" if transport == "auto" else transport
    if reader.has("address"):
        words = reader.texts("address", max_items=MAX_ADDRESSES)
        addresses = [_address(reader, word, transport) for word in words if word]
        if addresses:
            row["host"], row["port"] = addresses[0]
            row["more_addresses"] = " ".join(written(*one) for one in addresses[1:])
    host = row.get("host", before.host if before else "")
    if not host and mode is not TrunkMode.ACCEPT and not reader.errors:
        reader.wrong("address", "is required")
    if before is None:
        row.setdefault("host", "")
        row.setdefault("port", 0)
    if before is None and not reader.has("transport"):
        # a bare name is left to DNS; who names a port or an address means UDP
        row["transport"] = "" if host and not row["port"] else "udp"


def _address(reader: Values, text: str, transport: str) -> tuple[str, int]:
    """Read HOST or HOST:PORT; an address without a port gets the usual one."""
    try:
        host, port = read_host(text)
    except ValueError:
        reader.wrong("address", "must be HOST or HOST:PORT")
        return "", 0
    if is_ip(host):
        port = port or (5061 if transport == "tls" else 5060)
    return host, port


def _read_identity(reader: Values, row: dict[str, Any]) -> None:
    if reader.has("identity"):
        row["identity"] = reader.choice("identity", Identity, Identity.PAI).value
    if reader.has("from_user"):
        row["from_user"] = reader.matching("from_user", _check_username)
    if reader.has("customers_numbers"):
        row["customers_numbers"] = reader.boolean("customers_numbers")
    if reader.has("from_domain"):
        row["from_domain"] = reader.matching("from_domain", _check_host)


def _networks(reader: Values) -> list[str]:
    found = []
    for index, word in enumerate(reader.texts("networks", max_items=MAX_NETWORKS)):
        if not word:
            continue
        try:
            network = ip_network(word, strict=False)
        except ValueError:
            reader.wrong(f"networks[{index}]", "must be an address or a network (192.0.2.0/24)")
            continue
        if network.prefixlen < _BROADEST[network.version]:
            least = _BROADEST[network.version]
            reader.wrong(f"networks[{index}]", f"is too wide, /{least} at most")
        found.append(str(network))
    return found


def _password(reader: Values) -> str:
    value = reader.raw("password")
    if not isinstance(value, str) or not 0 < len(value) <= MAX_PASSWORD:
        reader.wrong("password", f"must be 1 to {MAX_PASSWORD} characters long")
    elif CONTROL.search(value):
        reader.wrong("password", "must not contain control characters")
    else:
        return value
    return ""


def _check_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' and '-'")
    return text


def _check_username(text: str) -> str:
    if not _USERNAME.fullmatch(text):
        raise ValueError('must be 1 to 128 characters without spaces and < > " @ ; : \\')
    return text


def _check_host(text: str) -> str:
    host, port = read_host(text)
    if port:
        raise ValueError("must be the name or the address of a host")
    return host
