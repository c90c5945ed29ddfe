"""What must be found before the domain is known: domains by name, numbers, trunks, keys."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import tables
from vpbx.directory.model import Ha1Pair, Trunk

INDEXED = frozenset({"domains", "numbers", "api_keys", "trunks"})
"""Tables the index is made of."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is kept: never the key itself."""

    id: int
    domain_id: int
    rights: frozenset[str]


@dataclass(frozen=True, slots=True)
class Index:
    """One reading of the indexes over all domains; `revision` says of which moment."""

    revision: int = 0
    revisions: Mapping[int, int] = field(default_factory=dict)
    """Domain id → revision of its settings."""
    domains: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    """SHA-256 of the key → key."""
    trunks: tuple[Trunk, ...] = ()

    def with_revision(self, domain_id: int, revision: int) -> Index:
        """Return the index after one more change, of a domain, that touched nothing in it."""
        revisions = {**self.revisions, domain_id: revision}
        return replace(self, revision=self.revision + 1, revisions=revisions)


async def read_revision(connection: AsyncConnection) -> int:
    """Return the number that goes up with every change."""
    return int(await connection.scalar(select(tables.directory_state.c.revision)) or 0)


async def read_index(connection: AsyncConnection) -> Index:
    """Read the whole index."""
    revision = await read_revision(connection)
    domains = tables.domains.c
    numbers = tables.numbers.c
    of_domains = await connection.execute(select(domains.id, domains.name, domains.revision))
    rows = of_domains.all()
    of_numbers = await connection.execute(select(numbers.telnum, numbers.domain_id))
    of_keys = await connection.execute(select(tables.api_keys))
    of_trunks = await connection.execute(select(tables.trunks).order_by(tables.trunks.c.id))
    return Index(
        revision,
        {row.id: row.revision for row in rows},
        {row.name: row.id for row in rows},
        {row.telnum: row.domain_id for row in of_numbers},
        {row.key_hash: Key(row.id, row.domain_id, frozenset(row.rights)) for row in of_keys},
        tuple(
            Trunk(
                row.id,
                row.name,
                row.host,
                row.port,
                row.transport,
                row.domain_id,
                row.username,
                Ha1Pair(row.ha1_md5, row.ha1_sha256),
                row.enabled,
            )
            for row in of_trunks
        ),
    )


async def addresses_of(trunks: tuple[Trunk, ...]) -> dict[str, frozenset[str]]:
    """Return the IP addresses of each trunk's host; a name that does not resolve has none."""
    hosts = {trunk.host for trunk in trunks}
    found = await asyncio.gather(*(_resolve(host) for host in hosts))
    return dict(zip(hosts, found, strict=True))


async def _resolve(host: str) -> frozenset[str]:
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return frozenset()
    return frozenset(str(answer[4][0]) for answer in answers)
