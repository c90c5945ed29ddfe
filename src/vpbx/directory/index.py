"""What must be found before the domain is known: domains by name, numbers, trunks, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import tables
from vpbx.directory.errors import Invalid
from vpbx.directory.model import Identity, Trunk, TrunkMode
from vpbx.directory.numbering import read_number
from vpbx.directory.places import split_address

INDEXED = frozenset({"domains", "numbers", "api_keys", "trunks", "sipuri_transfers", "branches"})
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
    sipuris: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """User part in lower case → domain id, number id, of the addresses of §15 that are on."""
    branches: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Domain of a connected PBX → ids of the domains here that have added it."""

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
    uris = tables.sipuri_transfers
    of_uris = await connection.execute(select(uris).where(uris.c.active))
    of_branches = await connection.execute(
        select(tables.branches.c.domain, tables.branches.c.domain_id)
    )
    branches: dict[str, frozenset[int]] = {}
    for row in of_branches:
        branches[row.domain] = branches.get(row.domain, frozenset()) | {row.domain_id}
    return Index(
        revision,
        {row.id: row.revision for row in rows},
        {row.name: row.id for row in rows},
        {row.id: row.country for row in rows},
        {row.telnum: row.domain_id for row in of_numbers},
        {row.key_hash: Key(row.id, row.domain_id, frozenset(row.rights)) for row in of_keys},
        tuple(_trunk(row) for row in of_trunks),
        {row.user.lower(): (row.domain_id, row.number_id) for row in of_uris},
        branches,
    )


def _spelled(text: str, country: str) -> str:
    try:
        return read_number(text, country).digits
    except Invalid:
        return ""


def _trunk(row: Row[Any]) -> Trunk:
    return Trunk(
        id=row.id,
        name=row.name,
        host=row.host,
        port=row.port,
        transport=row.transport,
        domain_id=row.domain_id,
        username=row.username,
        auth_name=row.auth_name,
        sealed_password=row.sealed_password,
        mode=TrunkMode(row.mode),
        more_addresses=tuple(split_address(word) for word in row.more_addresses.split()),
        networks=tuple(ip_network(word) for word in row.networks.split()),
        identity=Identity(row.identity),
        from_user=row.from_user,
        from_domain=row.from_domain,
        customers_numbers=row.customers_numbers,
        max_calls=row.max_calls,
        priority=row.priority,
        enabled=row.enabled,
    )
