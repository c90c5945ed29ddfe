"""Domains: adding, switching, the operator's settings of a company."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.directory import tables
from vpbx.directory.card import check_card_url, read_origins
from vpbx.directory.errors import Invalid, NotFound
from vpbx.directory.model import DomainConfig
from vpbx.directory.names import FIRST_EXT, ha1, new_password, read_password
from vpbx.directory.numbering import COUNTRIES
from vpbx.directory.store import Store
from vpbx.directory.values import Values

ADMIN = "admin"
LANGUAGES = ("en", "ru")
DEFAULT_TIMEZONE = "Europe/Moscow"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_FLAGS = (
    "enabled",
    "record_external",
    "record_inner",
    "service_record",
    "service_local_gw",
    "service_branch",
    "am_all",
)
MAX_LIMIT = 1_000_000
_LIMITS = ("limit_users", "limit_groups", "limit_local_gw")


@dataclass(frozen=True, slots=True)
class NewDomain:
    """A domain just added, with its first administrator's password: shown this once."""

    domain: DomainConfig
    login: str
    ext: str
    password: str = field(repr=False)

    def __iter__(self) -> Any:
        """Unpack as (domain, password)."""
        return iter((self.domain, self.password))


class Companies:
    """Operations on domains, for the operator (command line)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(
        self,
        name: str,
        timezone: str = DEFAULT_TIMEZONE,
        password: str | None = None,
        **settings: Any,
    ) -> NewDomain:
        """Add a domain with its first administrator: login `admin`, ext 701.

        Without `password` one is generated. `settings` are those of `edit`.
        """
        values = Values(
            {"domain": name, "timezone": timezone, "password": password or None, **settings}
        )
        name = values.matching("domain", check_domain, required=True)
        changes = _read(values)
        given = read_password(values)
        values.done()
        secret = given or new_password()
        zone = changes["timezone"]
        changes.setdefault("country", _country_of(zone))
        changes.setdefault("language", "ru" if changes["country"] == "RU" else "en")
        async with self._store.edit_all() as connection:
            exists = select(tables.domains.c.id).where(tables.domains.c.name == name)
            if await connection.scalar(exists) is not None:
                raise Invalid.one("domain", "this domain exists already")
            created_at = int(self._store.clock.time())
            made = await connection.execute(
                insert(tables.domains).values(
                    name=name, allowed=["ALL"], created_at=created_at, **changes
                )
            )
            domain_id = made.inserted_primary_key[0]  # type: ignore[index]
            await _add_admin(connection, domain_id, name, secret)
        return NewDomain(await self.get(name), ADMIN, str(FIRST_EXT), secret)

    async def get(self, name: str) -> DomainConfig:
        """Return a domain; raises NotFound."""
        found = await self._store.domain(name)
        if found is None:
            raise NotFound(f"there is no domain {name}")
        return found

    async def zones(self) -> dict[int, str]:
        """Return the id and time zone of each domain, without loading them."""
        async with self._store.reading() as connection:
            rows = await connection.execute(select(tables.domains.c.id, tables.domains.c.timezone))
            return {row.id: row.timezone for row in rows}

    async def edit(self, domain: DomainConfig, values: Mapping[str, Any]) -> DomainConfig:
        """Change timezone, country, language, enabled, limit_users, limit_groups,
        limit_local_gw (-1: none), service_record, service_local_gw, service_branch,
        record_external, record_inner, am_all, am_email, ring_timeout_s, contact_timeout_s,
        crm_card_url (`card.check_card_url`; "": none), widget_origins (list of https://host).
        """
        reader = Values(values)
        changes = _read(reader)
        reader.done()
        async with self._store.edit(domain) as tx:
            await tx.set_domain(**changes)
        return await self._store.current(domain)

    async def switch(self, domain: DomainConfig, enabled: bool) -> DomainConfig:
        """Switch the service of a domain on or off."""
        return await self.edit(domain, {"enabled": enabled})

    async def delete(self, domain: DomainConfig) -> None:
        """Remove a domain with everything it set. Its calls' history is not touched."""
        async with self._store.edit_all() as connection:
            done = await connection.execute(
                tables.domains.delete().where(tables.domains.c.id == domain.id)
            )
            if not done.rowcount:
                raise NotFound("no such domain")


def check_domain(text: str) -> str:
    """Return a domain name in lower case; ValueError says what it must look like."""
    name = text.lower().rstrip(".")
    if len(name) > 253 or not _DOMAIN.fullmatch(name):
        raise ValueError("must be a domain name, like acme.vpbx.example")
    return name


def _check_timezone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("must be a time zone of the IANA list, like Europe/Moscow")
    return text


def _check_country(text: str) -> str:
    code = text.upper()
    if code not in COUNTRIES:  # a nonsense one would leave every national number unread
        raise ValueError("must be the two-letter code of a country, like RU or DE")
    return code


async def _add_admin(connection: AsyncConnection, domain_id: int, realm: str, secret: str) -> None:
    """Add the first administrator of a company that was just made."""
    by_login, by_ext = ha1(ADMIN, realm, secret), ha1(str(FIRST_EXT), realm, secret)
    admin = await connection.execute(
        insert(tables.users).values(
            domain_id=domain_id,
            login=ADMIN,
            ext=str(FIRST_EXT),
            name="Administrator",
            position="Administrator",
            role="admin",
            ha1_login_md5=by_login.md5,
            ha1_login_sha256=by_login.sha256,
            ha1_ext_md5=by_ext.md5,
            ha1_ext_sha256=by_ext.sha256,
        )
    )
    user_id = admin.inserted_primary_key[0]  # type: ignore[index]
    names = (ADMIN, str(FIRST_EXT))
    rows = [{"domain_id": domain_id, "name": each, "user_id": user_id} for each in names]
    await connection.execute(insert(tables.names), rows)


def _read(values: Values) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if values.has("timezone"):
        changes["timezone"] = values.matching("timezone", _check_timezone, required=True)
    if values.has("country"):
        changes["country"] = values.matching("country", _check_country, required=True)
    if values.has("language"):
        changes["language"] = values.choice("language", LANGUAGES, "en")
    changes.update({flag: values.boolean(flag) for flag in _FLAGS if values.has(flag)})
    changes.update(
        {
            limit: values.integer(limit, low=-1, high=MAX_LIMIT)
            for limit in _LIMITS
            if values.has(limit)
        }
    )
    if values.has("am_email"):
        changes["am_email"] = values.email("am_email")
    if values.has("crm_card_url"):
        changes["crm_card_url"] = values.matching("crm_card_url", check_card_url)
    if values.has("widget_origins"):
        changes["widget_origins"] = " ".join(read_origins(values, "widget_origins"))
    if values.has("ring_timeout_s"):
        changes["ring_timeout_s"] = values.integer("ring_timeout_s", low=5, high=600)
    if values.has("contact_timeout_s"):
        changes["contact_timeout_s"] = _seconds(values)
    return changes


def _seconds(values: Values) -> float:
    try:
        seconds = float(values.raw("contact_timeout_s"))
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0.1 <= seconds <= 10.0:
        values.wrong("contact_timeout_s", "must be from 0.1 to 10 seconds")
    return seconds


def _country_of(timezone: str) -> str:
    """Return the country a time zone lies in (tzdata's own table), RU when it is in none."""
    try:
        table = resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8")
    except OSError:
        return "RU"
    for line in table.splitlines():
        fields = line.split("\t")
        if not line.startswith("#") and len(fields) > 2 and fields[2] == timezone:
            return fields[0]
    return "RU"
