"""Carrier trunks: addresses outside calls come from and go to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from vpbx.directory import tables
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig, Trunk
from vpbx.directory.names import ha1, read_password
from vpbx.directory.values import Values

if TYPE_CHECKING:
    from vpbx.directory.directory import Directory

TRANSPORTS = ("udp", "tcp", "tls")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[?[0-9A-Fa-f:]+\]?")
_USERNAME = re.compile(r"[A-Za-z0-9+._-]{1,64}")


class Trunks:
    """Operations on trunks, for the operator. `domain` None: a trunk for all domains."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def list(self, domain: DomainConfig | None = None) -> tuple[Trunk, ...]:
        """Return all trunks, or those `domain` may use."""
        found = self._directory.trunks()
        if domain is None:
            return found
        return tuple(trunk for trunk in found if trunk.domain_id in (None, domain.id))

    async def get(self, name: str) -> Trunk:
        """Return the trunk of this name; raises NotFound."""
        found = self._directory.trunk(name)
        if found is None:
            raise NotFound(f"there is no trunk {name}")
        return found

    async def add(
        self, name: str, address: str, *, domain: DomainConfig | None = None, **values: Any
    ) -> Trunk:
        """Add a trunk at `address` (HOST or HOST:PORT). values: transport (udp), username and
        password (for a carrier that registers to us), enabled.
        """
        reader = Values({"name": name, "address": address, **values})
        row = _read(reader, None)
        reader.done()
        async with self._directory.edit_all() as connection:
            taken = select(tables.trunks.c.id).where(tables.trunks.c.name == row["name"])
            if await connection.scalar(taken) is not None:
                raise Invalid.one("name", "a trunk of this name exists already")
            await connection.execute(
                insert(tables.trunks).values(domain_id=domain.id if domain else None, **row)
            )
            await self._touch_domains(connection)
        return await self.get(row["name"])

    async def edit(self, name: str, values: Mapping[str, Any]) -> Trunk:
        """Change address, transport, username, password, enabled."""
        before = await self.get(name)
        reader = Values(values)
        row = _read(reader, before)
        reader.done()
        async with self._directory.edit_all() as connection:
            if row:
                await connection.execute(
                    update(tables.trunks).where(tables.trunks.c.id == before.id).values(**row)
                )
        return await self.get(name)

    async def delete(self, name: str) -> None:
        """Delete a trunk; numbers that named it leave by the default trunk."""
        trunk = await self.get(name)
        async with self._directory.edit_all() as connection:
            await connection.execute(delete(tables.trunks).where(tables.trunks.c.id == trunk.id))
            await self._touch_domains(connection)

    async def _touch_domains(self, connection: Any) -> None:
        """Have every snapshot read again: they hold the names of trunks."""
        await connection.execute(
            update(tables.domains).values(revision=tables.domains.c.revision + 1)
        )


def _read(reader: Values, before: Trunk | None) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if before is None:
        row["name"] = reader.matching("name", _check_name, required=True)
    if before is None or reader.has("address"):
        address = reader.matching("address", _check_address, required=True)
        host, _, port = address.rpartition(":")
        row.update(host=host, port=int(port or 5060))
    if reader.has("transport"):
        row["transport"] = reader.choice("transport", TRANSPORTS, "udp")
    if reader.has("enabled"):
        row["enabled"] = reader.boolean("enabled")
    if reader.has("username"):
        row["username"] = reader.matching("username", _check_username)
        if not reader.has("password"):
            reader.wrong("password", "is needed with a username")
    password = read_password(reader)
    if password:
        username = row.get("username") or (before.username if before else "")
        host = row.get("host") or (before.host if before else "")
        pair = ha1(username, host, password)
        row.update(ha1_md5=pair.md5, ha1_sha256=pair.sha256)
    return row


def _check_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, '.', '_' and '-'")
    return text


def _check_username(text: str) -> str:
    if not _USERNAME.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, '+', '.', '_' and '-'")
    return text


def _check_address(text: str) -> str:
    """Return HOST:PORT with an IPv6 address out of its brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):
        host, port = text, "5060"
    if not _HOST.fullmatch(host) or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError("must be HOST or HOST:PORT")
    return f"{host.strip('[]').lower()}:{port}"
