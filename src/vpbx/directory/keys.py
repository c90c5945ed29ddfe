"""API keys and their rights (crm-api §1, §3).

A key is 256 random bits and is kept as its SHA-256: with that much randomness a slow hash would
protect nothing more and would cost every request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from vpbx.directory import tables
from vpbx.directory.errors import (
    CRM_DISABLED,
    CRM_SWITCHED_OFF,
    INVALID_TOKEN,
    AuthFailure,
    Invalid,
    NotFound,
)
from vpbx.directory.model import DomainConfig
from vpbx.directory.store import Store

_FULL = ("View", "Creating", "Editing", "Deleting")
_AREAS: dict[str, tuple[str, ...]] = {
    "Employees": _FULL,
    "Departments": ("Creating", "Editing", "Deleting"),
    "Black list": _FULL,
    "Numbers of other operators": _FULL,
    "Connecting other PBXs": _FULL,
    "Numbers": ("View", "Editing"),
    "Main settings": ("View", "Editing", "Deleting"),
    "Outgoing numbers": ("View", "Editing", "Deleting"),
    "Call restrictions": ("View", "Editing", "Deleting"),
}
RIGHTS: tuple[str, ...] = tuple(f"{area}:{act}" for area, acts in _AREAS.items() for act in acts)
"""Every right, as `Area:Action`."""

_BY_WORDS = {right.lower(): right for right in RIGHTS}


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """Who asks: the domain of the key and what the key may."""

    domain: DomainConfig
    rights: frozenset[str]
    key_id: int

    def allows(self, area: str, action: str) -> bool:
        """Say whether the key holds area → action."""
        return f"{area}:{action}" in self.rights


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `key` is shown this once."""

    id: int
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as it can be listed. `prefix`: its first characters, to tell keys apart."""

    id: int
    prefix: str
    note: str
    rights: tuple[str, ...]
    created_at: int


class Keys:
    """Operations on a domain's API keys."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self, domain: DomainConfig, rights: Iterable[str] | None = None, note: str = ""
    ) -> NewKey:
        """Make a key with `rights` (`"Employees:View"`, `"Employees -> View"`); None: all."""
        held = RIGHTS if rights is None else tuple(_right(each) for each in rights)
        key = f"vpbx_{secrets.token_urlsafe(32)}"
        async with self._store.edit(domain) as tx:
            key_id = await tx.insert(
                tables.api_keys,
                key_hash=_hash(key),
                prefix=key[:9],
                note=note[:255],
                rights=sorted(set(held)),
                created_at=int(self._store.clock.time()),
            )
        return NewKey(key_id, key)

    async def list(self, domain: DomainConfig) -> tuple[KeyInfo, ...]:
        """Return the domain's keys, without the keys themselves."""
        async with self._store.look(domain) as tx:
            rows = await tx.all(tables.api_keys, order=tables.api_keys.c.id)
        return tuple(
            KeyInfo(row.id, row.prefix, row.note, tuple(row.rights), row.created_at) for row in rows
        )

    async def revoke(self, domain: DomainConfig, key_id: int) -> None:
        """Delete a key; raises NotFound."""
        async with self._store.edit(domain) as tx:
            if not await tx.delete(tables.api_keys, tables.api_keys.c.id == key_id):
                raise NotFound("no such key")

    async def authenticate(self, key: str, host: str | None, remote_ip: str | None) -> KeyIdentity:
        """Return whose key this is; raises AuthFailure.

        Whoever holds no valid key learns nothing but `Invalid token`. The time of the lookup
        depends on the hash of the key only.
        """
        found = self._store.key(_hash(key)) if key else None
        domain = None
        if found is not None:
            domain = await self._store.domain_by_id(found.domain_id)
        if found is None or domain is None:
            raise AuthFailure(INVALID_TOKEN)
        if host and self._store.knows(host) and host.lower() != domain.name:
            raise AuthFailure(INVALID_TOKEN)
        integration = domain.integration
        if integration is not None and integration.networks and remote_ip is not None:
            address = ip_address(remote_ip)
            address = getattr(address, "ipv4_mapped", None) or address
            if not any(address in network for network in integration.networks):
                raise AuthFailure(INVALID_TOKEN)
        if not domain.enabled:
            raise AuthFailure(CRM_DISABLED)
        if integration is not None and not integration.enabled:
            raise AuthFailure(CRM_SWITCHED_OFF)
        return KeyIdentity(domain, found.rights, found.id)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _right(text: str) -> str:
    area, _, action = text.replace("->", ":").partition(":")
    right = _BY_WORDS.get(f"{area.strip()}:{action.strip()}".lower())
    if right is None:
        raise Invalid.one("right", f"{text!r} is not a right; one of: {', '.join(RIGHTS)}")
    return right
