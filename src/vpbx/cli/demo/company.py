"""The demo's company: made at the first run, found again at the next ones."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from vpbx.app.datadir import DataDir, write_private
from vpbx.directory import AuthFailure, Directory, DomainConfig
from vpbx.sip import ha1

__all__ = [
    *("CUSTOMER", "CUSTOMER_NAME", "DOMAIN", "HOTLINE", "MANAGER", "NUMBER", "OLGA_DIRECT", "YOU"),
    *("Company", "set_up"),
]

DOMAIN = "demo.localhost"
NUMBER = "74951234567"
HOTLINE = "74951234568"
OLGA_DIRECT = "74951234569"
MANAGER = "olga"
YOU = "you"
CUSTOMER = "79101112233"
CUSTOMER_NAME = "Anna Petrova"
TRUNK = "demo-carrier"
_DEPARTMENT = "Sales"
_NAMES = {MANAGER: "Olga Ivanova", YOU: "Your softphone"}
_FILE = "demo.json"


@dataclass(frozen=True, slots=True)
class Company:
    """What the story needs to know, and its audience."""

    domain: str
    key: str
    passwords: dict[str, str]
    exts: dict[str, str]


async def set_up(
    directory: Directory, data: DataDir, *, carrier: str, crm_url: str, crm_token: str
) -> Company:
    """Make the company, or bring the one of the last run up to date.

    `carrier` is HOST:PORT of the carrier. Passwords and the key are kept in the data
    directory, so that a softphone set up once works in the next demo too.
    """
    kept = _kept(data)
    domain = await directory.domain(DOMAIN)
    if domain is None:
        domain = (await directory.companies.add(DOMAIN)).domain
    passwords = {}
    for login, name in _NAMES.items():
        password = kept.get(login) or secrets.token_urlsafe(9)
        await _employ(directory, domain, login, name, password)
        passwords[login] = password
    key = await _key(directory, domain, kept.get("key", ""))
    await _connect(directory, domain, carrier)
    await directory.integrations.set(
        domain, {"url": crm_url, "token": crm_token, "enabled": True, "format": "auto"}
    )
    write_private(data.root / _FILE, json.dumps({"key": key, **passwords}).encode())
    domain = await directory.current(domain)
    exts = {login: domain.employees[login].ext for login in _NAMES}
    return Company(domain.name, key, passwords, exts)


def _kept(data: DataDir) -> dict[str, Any]:
    try:
        kept = json.loads((data.root / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


async def _employ(
    directory: Directory, domain: DomainConfig, login: str, name: str, password: str
) -> None:
    found = domain.employees.get(login)
    if found is None:
        await directory.users.add(domain, {"login": login, "name": name, "password": password})
    elif found.ha1_login.md5 != ha1(login, domain.name, password).md5:
        await directory.users.edit(domain, login, {"password": password})


async def _key(directory: Directory, domain: DomainConfig, kept: str) -> str:
    try:
        await directory.authenticate_key(kept, domain.name, None)
    except AuthFailure:
        return (await directory.keys.add(domain, note="demo")).key
    return kept


async def _connect(directory: Directory, domain: DomainConfig, carrier: str) -> None:
    """See that the carrier's calls to the number ring the department."""
    if directory.trunk(TRUNK) is None:
        await directory.trunk_rules.add(TRUNK, carrier)
    else:
        await directory.trunk_rules.edit(TRUNK, {"address": carrier})
    if NUMBER not in domain.numbers:
        users = [{"login": login, "calls_enable": True} for login in _NAMES]
        group = await directory.groups.add(domain, {"name": _DEPARTMENT, "users": users})
        await directory.telnums.add(domain, NUMBER, trunk=TRUNK, group=group.id, name="Main number")
    await directory.telnums.configure(domain, NUMBER, {"rating": True})
    await _open_hotline(directory, domain)
    if OLGA_DIRECT not in domain.numbers:
        await directory.telnums.add(
            domain, OLGA_DIRECT, trunk=TRUNK, user=MANAGER, name="Olga's own"
        )
    await directory.am_users.add(domain, [MANAGER])


async def _open_hotline(directory: Directory, domain: DomainConfig) -> None:
    """See that the hotline has its menu: 1 Sales, 2 Olga."""
    if HOTLINE in domain.numbers:
        return
    await directory.telnums.add(domain, HOTLINE, trunk=TRUNK, user=MANAGER, name="Hotline")
    current = await directory.current(domain)
    sales = current.numbers[NUMBER].group
    items = [
        {"button": "1", "type": "group", "group": sales},
        {"button": "2", "type": "user", "user": MANAGER},
    ]
    menu = {"name": "Hotline", "greeting": True, "items": items}
    await directory.telnums.edit(current, HOTLINE, {"type": "ivr", "greeting": False, "ivr": menu})
