"""Connected PBXs (crm-api §16) and webhooks (§17)."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from sqlalchemy import Row

from vpbx.directory import tables
from vpbx.directory.companies import check_domain
from vpbx.directory.errors import NotFound
from vpbx.directory.integration import check_url, host_of
from vpbx.directory.model import DomainConfig
from vpbx.directory.page import Page, page
from vpbx.directory.places import is_ip, read_place
from vpbx.directory.policy import Branch, BranchStatus, BranchUser, Webhook
from vpbx.directory.scope import Tx
from vpbx.directory.store import Store
from vpbx.directory.values import Values

MIN_KEY = 8
MAX_CA = 64_000
MAX_WEBHOOKS = 100
WEBHOOK_TYPES = ("sipregs_error",)


class Branches:
    """Operations on a domain's connections to other PBXs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, domain: DomainConfig, *, search: str = "", start: int = 0, limit: int | None = None
    ) -> Page[Branch]:
        """Search in name, domain."""
        current = await self._store.current(domain)
        found = current.settings.branches.values()
        return page(found, lambda b: (b.name, b.domain), search=search, start=start, limit=limit)

    async def get(self, domain: DomainConfig, peer: str) -> Branch:
        """Return the connection to the PBX `peer`; raises NotFound."""
        current = await self._store.current(domain)
        found = current.settings.branches.get(peer.lower())
        if found is None:
            raise NotFound("no such connection")
        return found

    async def add(self, domain: DomainConfig, values: Mapping[str, Any]) -> Branch:
        """Connect domain*, name*, key*. It waits until the other side has done the same."""
        branches = tables.branches
        async with self._store.edit(domain) as tx:
            reader = Values(values)
            peer = reader.matching("domain", check_domain, required=True)
            name = reader.text("name", required=True)
            key = reader.text("key", required=True)
            if key and len(key) < MIN_KEY:
                reader.wrong("key", f"must be at least {MIN_KEY} characters long")
            if peer == tx.domain.name:
                reader.wrong("domain", "must be another PBX")
            if not tx.domain.service_branch:
                reader.wrong("services", "connecting other PBXs is not switched on")
            if await tx.first(branches, branches.c.domain == peer) is not None:
                reader.wrong("domain", "this PBX is connected already")
            reader.done()
            sealed = self._store.secrets.seal(key)
            await tx.insert(branches, domain=peer, name=name, sealed_key=sealed)
        return await self.get(domain, peer)

    async def edit(self, domain: DomainConfig, peer: str, values: Mapping[str, Any]) -> Branch:
        """Change name."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, peer)
            reader = Values(values)
            name = reader.text("name", row.name, required=reader.has("name"))
            reader.done()
            await tx.update(tables.branches, tables.branches.c.id == row.id, name=name)
        return await self.get(domain, peer)

    async def set_address(
        self, domain: DomainConfig, peer: str, values: Mapping[str, Any]
    ) -> Branch:
        """Say where the other side is, where its domain's name does not: url (https, or http on
        loopback), sip (HOST:PORT or a SIP URI), ca (PEM). "" takes one back; it is tried anew.
        """
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, peer)
            reader = Values(values)
            changes: dict[str, Any] = {}
            if reader.has("url"):
                changes["url"] = reader.matching("url", _check_branch_url)
            if reader.has("sip"):
                changes["sip"] = reader.matching("sip", _check_sip)
            if reader.has("ca"):
                changes["ca"] = _read_ca(reader)
            reader.done()
            await tx.update(tables.branches, tables.branches.c.id == row.id, **changes)
        return await self.get(domain, peer)

    async def delete(self, domain: DomainConfig, peer: str) -> None:
        """Disconnect; its employees leave our departments."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, peer)
            await tx.delete(tables.branches, tables.branches.c.id == row.id)

    async def sync(self, domain: DomainConfig, peer: str) -> Branch:
        """Exchange directories with a PBX on this server, when both sides hold the same key.

        Status `success` when done, `error` when the keys differ; a PBX that is not here or has
        not added us leaves the status as it was.
        """
        branch = await self.get(domain, peer)
        there = await self._store.domain(branch.domain)
        theirs = there.settings.branches.get(domain.name) if there is not None else None
        if there is None or theirs is None:
            return branch
        if not hmac.compare_digest(self.key(branch).encode(), self.key(theirs).encode()):
            return await self.keep(domain, peer, BranchStatus.ERROR, ())
        here = await self._store.current(domain)
        await self.keep(there, domain.name, BranchStatus.SUCCESS, _people(here))
        return await self.keep(domain, peer, BranchStatus.SUCCESS, _people(there))

    async def keep(
        self,
        domain: DomainConfig,
        peer: str,
        status: BranchStatus,
        members: Iterable[BranchUser] | None = None,
        *,
        reason: str = "",
        sip_told: str | None = None,
    ) -> Branch:
        """Keep how the connection stands, why and, if given, who is there (the whole list) and
        where they take calls."""
        async with self._store.edit(domain) as tx:
            row = await _existing(tx, peer)
            changes: dict[str, Any] = {"status": status.value, "reason": reason}
            if sip_told is not None:
                changes["sip_told"] = sip_told
            if members is not None:
                changes["synced_at"] = int(self._store.clock.time())
                await _keep_people(tx, row.id, members)
            await tx.update(tables.branches, tables.branches.c.id == row.id, **changes)
        return await self.get(domain, peer)

    def key(self, branch: Branch) -> str:
        """Return the key both sides must hold."""
        return self._store.secrets.open(branch.key)


async def _keep_people(tx: Tx, branch_id: int, members: Iterable[BranchUser]) -> None:
    """Make these the people of a connected PBX; who was there already keeps their row."""
    people = tables.branch_users
    wanted = {(each.kind, each.login): each for each in members}
    for old in await tx.all(people, people.c.branch_id == branch_id):
        new = wanted.pop((old.kind, old.login), None)
        if new is None:
            await tx.delete(people, people.c.id == old.id)
        elif (new.name, new.ext) != (old.name, old.ext):
            await tx.update(people, people.c.id == old.id, name=new.name, ext=new.ext)
    rows = [
        {
            "branch_id": branch_id,
            "kind": each.kind,
            "login": each.login,
            "name": each.name,
            "ext": each.ext,
        }
        for each in wanted.values()
    ]
    await tx.insert_many(people, rows)


def _people(domain: DomainConfig) -> list[BranchUser]:
    users = [BranchUser(e.login, e.name, e.ext) for e in domain.employees.values()]
    groups = [BranchUser(d.id, d.name, d.ext, "group") for d in domain.departments.values()]
    return users + groups


def _check_branch_url(text: str) -> str:
    url = urlsplit(text)
    host = url.hostname or ""
    loopback = host == "localhost" or (is_ip(host) and ip_address(host).is_loopback)
    if url.scheme not in ("https", "http") or not host or url.username or url.query:
        raise ValueError("must be https://HOST[:PORT]")
    if url.scheme == "http" and not loopback:
        raise ValueError("must be https, unless it is on this machine")
    return text.rstrip("/")


def _check_sip(text: str) -> str:
    read_place(text)
    return text


def _read_ca(reader: Values) -> str:
    """Read certificates in PEM, many lines of them."""
    text = reader.raw("ca")
    if text == "":
        return ""
    try:
        if not isinstance(text, str) or len(text) > MAX_CA:
            raise ValueError
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        reader.wrong("ca", "must be certificates in PEM")
    return str(text)


async def _existing(tx: Tx, peer: str) -> Row[Any]:
    row = await tx.first(tables.branches, tables.branches.c.domain == peer.lower())
    if row is None:
        raise NotFound("no such connection")
    return row


class Webhooks:
    """Operations on a domain's subscriptions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, domain: DomainConfig) -> tuple[Webhook, ...]:
        """Return all subscriptions."""
        return (await self._store.current(domain)).settings.webhooks

    async def add(self, domain: DomainConfig, values: Mapping[str, Any]) -> Webhook:
        """Subscribe: type (sipregs_error), url*."""
        async with self._store.edit(domain) as tx:
            reader = Values(values)
            kind = reader.choice("type", WEBHOOK_TYPES, WEBHOOK_TYPES[0])
            url = reader.text("url", required=True, max_length=2000)
            if url:
                try:
                    check_url(url)
                except ValueError as error:
                    reader.wrong("url", str(error))
                else:
                    self._store.check_public(reader, "url", host_of(url))
            if await tx.count(tables.webhooks) >= MAX_WEBHOOKS:
                reader.wrong("limits", f"the domain may have at most {MAX_WEBHOOKS} subscriptions")
            reader.done()
            made = Webhook(str(uuid.uuid4()), kind, url)
            await tx.insert(tables.webhooks, id=made.id, type=kind, url=url)
        return made

    async def delete(self, domain: DomainConfig, webhook_id: str) -> None:
        """Unsubscribe; raises NotFound."""
        async with self._store.edit(domain) as tx:
            if not await tx.delete(tables.webhooks, tables.webhooks.c.id == webhook_id):
                raise NotFound("no such subscription")
