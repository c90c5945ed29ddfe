"""The CRM of a domain: where commands go, how, and who may call the API (crm-api §1).

A company's commands go to its CRM, and to as many further addresses as it likes (ours): each is
sent what it wants, in its format, with its token, and none waits for another.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from vpbx.directory import tables
from vpbx.directory.errors import FieldError, Invalid, NotFound
from vpbx.directory.model import MAIN, DomainConfig, Format, Integration
from vpbx.directory.names import group_row, user_row
from vpbx.directory.store import Store
from vpbx.directory.telnums import find_number
from vpbx.directory.values import Values

MAX_URL = 2000
MAX_ADDRESSES = 20
_RESERVED = frozenset({MAIN, "all", "webhook"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_COMMANDS = ("history", "event", "contact", "rating")


class LateEvents(StrEnum):
    """What becomes of events that are no news any more."""

    SEND = "send"
    DROP = "drop"


class Integrations:
    """Operations on a domain's integration."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, domain: DomainConfig) -> Integration:
        """Return the integration; raises NotFound when none was set."""
        found = (await self._store.current(domain)).integration
        if found is None:
            raise NotFound("no CRM is set")
        return found

    async def set(self, domain: DomainConfig, values: Mapping[str, Any]) -> Integration:
        """Set or change the integration.

        url, token (both needed the first time; url "": nothing is sent, commands are fetched
        from the log), format (auto, form, json), enabled, networks (list of IP networks),
        origins (list of https://host), late_events (send or drop), sign (true makes a new
        secret, false ends signing), and history, event, contact, rating: whether each command
        is sent. Another url or format forgets what `auto` had learned.
        """
        table = tables.integrations
        async with self._store.edit(domain) as tx:
            row = await tx.first(table)
            reader = Values(values)
            changes = _read(reader, new=row is None)
            self._store.check_public(reader, "url", host_of(changes.get("url")))
            reader.done()
            if row is None:
                defaults: dict[str, Any] = {"networks": [], "origins": []}
                await tx.insert(table, **{**defaults, **changes})
            else:
                await tx.update(table, **changes)
        return await self.get(domain)

    async def learn_format(self, domain_id: int, learned: Format, address: str = MAIN) -> None:
        """Remember which format an address takes, a form or JSON; nothing without the address."""
        async with self._store.edit(domain_id) as tx:
            if address == MAIN:
                await tx.update(tables.integrations, learned_format=learned.value)
            else:
                more = tables.crm_addresses
                await tx.update(more, more.c.name == address, learned_format=learned.value)

    async def delete(self, domain: DomainConfig) -> None:
        """Forget the integration: no commands to any address, no address list."""
        async with self._store.edit(domain) as tx:
            if not await tx.delete(tables.integrations):
                raise NotFound("no CRM is set")
            await tx.delete(tables.crm_addresses)

    async def add_address(
        self, domain: DomainConfig, name: str, values: Mapping[str, Any]
    ) -> Integration:
        """Send commands to one more address. NotFound where no CRM is set yet.

        values: as `set` takes, without networks and origins; url and token are needed. It is
        sent history, event and rating, and is not asked who calls, unless they say otherwise.
        """
        table = tables.crm_addresses
        async with self._store.edit(domain) as tx:
            if await tx.first(tables.integrations) is None:
                raise NotFound("no CRM is set")
            reader = Values({**values, "name": name})
            changes = _read_address(reader, new=True)
            if not _NAME.fullmatch(name) or name in _RESERVED:
                reader.wrong(
                    "name",
                    "must be a short name of a-z, 0-9, - and _, other than "
                    + ", ".join(sorted(_RESERVED)),
                )
            elif await tx.first(table, table.c.name == name) is not None:
                reader.wrong("name", "is taken by another address")
            elif await tx.count(table) >= MAX_ADDRESSES:
                reader.wrong("name", f"there are {MAX_ADDRESSES} addresses already")
            self._store.check_public(reader, "url", host_of(changes.get("url")))
            reader.done()
            await tx.insert(table, name=name, **changes)
        return await self._address(domain, name)

    async def set_address(
        self, domain: DomainConfig, name: str, values: Mapping[str, Any]
    ) -> Integration:
        """Change one of the further addresses; only what is given."""
        table = tables.crm_addresses
        _not_main(name)
        async with self._store.edit(domain) as tx:
            if await tx.first(table, table.c.name == name) is None:
                raise NotFound("there is no address of this name")
            reader = Values(values)
            changes = _read_address(reader, new=False)
            self._store.check_public(reader, "url", host_of(changes.get("url")))
            reader.done()
            await tx.update(table, table.c.name == name, **changes)
        return await self._address(domain, name)

    async def delete_address(self, domain: DomainConfig, name: str) -> None:
        """Send nothing more to an address; what waits for it is left out."""
        _not_main(name)
        table = tables.crm_addresses
        async with self._store.edit(domain) as tx:
            if not await tx.delete(table, table.c.name == name):
                raise NotFound("there is no address of this name")

    async def _address(self, domain: DomainConfig, name: str) -> Integration:
        found = (await self.get(domain)).at(name)
        if found is None:  # removed by another meanwhile
            raise NotFound("there is no address of this name")
        return found

    async def set_responsible(
        self, domain: DomainConfig, telnum: str, *, enabled: bool, fallback: str = ""
    ) -> None:
        """Switch "straight to the responsible employee" for a number.

        fallback: login, ext or department id that gets the call when they do not answer;
        "": the number's own route.
        """
        number = find_number(await self._store.current(domain), telnum)
        async with self._store.edit(domain) as tx:
            reader = Values({"crm": fallback or None})
            user = await user_row(tx, fallback) if fallback else None
            group = await group_row(tx, fallback) if fallback and user is None else None
            if fallback and user is None and group is None:
                reader.wrong("crm", "must be the login of an employee or the id of a department")
            reader.done()
            await tx.update(
                tables.numbers,
                tables.numbers.c.id == number.row_id,
                responsible_first=enabled,
                crm_user_id=user.id if user else None,
                crm_group_id=group.id if group else None,
            )


def _not_main(name: str) -> None:
    if name == MAIN:
        raise Invalid([FieldError("name", f"the address {MAIN} is the company's CRM itself")])


def host_of(url: str | None) -> str:
    """Return the host of a URL that was found good; "" where there is none."""
    return (urlsplit(url).hostname or "") if url else ""


def check_url(text: str, *, password: bool = False) -> str:
    """Return an http or https URL; ValueError says what it must look like.

    A user and password in it, where they may be, go as Basic authentication.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or len(text) > MAX_URL:
        raise ValueError("must be an https:// (or http://) address")
    if any(char.isspace() for char in text):
        raise ValueError("must have no spaces in it")
    if parts.username and not password:
        raise ValueError("must have no password in it")
    _ = parts.port  # ValueError when it is none
    return text


def _read(reader: Values, *, new: bool) -> dict[str, Any]:
    changes = _read_address(reader, new=new)
    if reader.has("networks"):
        changes["networks"] = _networks(reader)
    if reader.has("origins"):
        changes["origins"] = _origins(reader)
    return changes


def _read_address(reader: Values, *, new: bool) -> dict[str, Any]:
    """Read what each address has of its own."""
    changes: dict[str, Any] = {}
    if new or reader.has("url"):
        url = reader.text("url", required=new and not reader.has("url"), max_length=MAX_URL)
        changes["url"] = url
        if url:
            changes["learned_format"] = Format.AUTO.value
            try:
                check_url(url, password=True)
            except ValueError as error:
                reader.wrong("url", str(error))
    if new or reader.has("token"):
        changes["token"] = reader.text("token", required=True)
    if reader.has("format"):
        changes["format"] = reader.choice("format", Format, Format.AUTO).value
        changes["learned_format"] = Format.AUTO.value
    if reader.has("enabled"):
        changes["enabled"] = reader.boolean("enabled")
    if reader.has("sign"):  # a secret of ours, new each time: nobody has to think of one
        sign = reader.boolean("sign")
        changes["signing_secret"] = "whsec_" + secrets.token_urlsafe(32) if sign else ""
    if reader.has("late_events"):
        late = reader.choice("late_events", LateEvents, LateEvents.DROP)
        changes["late_events"] = late is LateEvents.SEND
    for command in _COMMANDS:
        if reader.has(command):
            changes[f"send_{command}"] = reader.boolean(command)
    return changes


def _networks(reader: Values) -> list[str]:
    networks = []
    for text in reader.texts("networks", max_items=1000):
        try:
            networks.append(str(ip_network(text, strict=False)))
        except ValueError:
            reader.wrong("networks", f"{text} is not an IP network like 192.0.2.0/24")
    return networks


def _origins(reader: Values) -> list[str]:
    origins = []
    for text in reader.texts("origins", max_items=100):
        try:
            parts = urlsplit(text.lower())
            good = parts.scheme in ("http", "https") and parts.netloc and parts.path in ("", "/")
        except ValueError:
            good = False
        if good:
            origins.append(f"{parts.scheme}://{parts.netloc}")
        else:
            reader.wrong("origins", f"{text} is not an origin like https://crm.example")
    return origins
