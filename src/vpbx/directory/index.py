"""What must be found before the domain is known: domains by name, numbers, trunks, keys."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import tables
from vpbx.directory.errors import Invalid
from vpbx.directory.model import Ha1Pair, Trunk
from vpbx.directory.numbering import read_number

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
    countries: Mapping[int, str] = field(default_factory=dict)
    """Domain id → country."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    """SHA-256 of the key → key."""
    trunks: tuple[Trunk, ...] = ()

    def owner(self, text: str, *, within: int | None = None) -> tuple[int, str] | None:
        """Return whose number is meant by `text`, in any spelling: (domain id, telnum).

        A national spelling is read by the country of the company that would own the number;
        what could be numbers of several companies is nobody's. `within`: of one domain only.
        """
        digits = text.removeprefix("+")
        owners = {self._owned(digits, "", within)} if digits.isdigit() else {None}
        if owners == {None}:
            countries = sorted(set(self.countries.values()))
            owners = {self._owned(_spelled(text, each), each, within) for each in countries}
            owners.discard(None)
        return owners.pop() if len(owners) == 1 else None

    def _owned(self, telnum: str, country: str, within: int | None) -> tuple[int, str] | None:
        domain_id = self.numbers.get(telnum)
        if domain_id is None or (within is not None and within != domain_id):
            return None
        return (domain_id, telnum) if country in ("", self.countries.get(domain_id)) else None

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
    of_domains = await connection.execute(
        select(domains.id, domains.name, domains.country, domains.revision)
    )
    rows = of_domains.all()
    of_numbers = await connection.execute(select(numbers.telnum, numbers.domain_id))
    of_keys = await connection.execute(select(tables.api_keys))
    of_trunks = await connection.execute(select(tables.trunks).order_by(tables.trunks.c.id))
    return Index(
        revision,
        {row.id: row.revision for row in rows},
        {row.name: row.id for row in rows},
        {row.id: row.country for row in rows},
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


def _spelled(text: str, country: str) -> str:
    try:
        return read_number(text, country).digits
    except Invalid:
        return ""


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
