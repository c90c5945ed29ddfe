"""The sandbox's company: who works there, its departments, numbers and menu.

Everything but secrets is the same in every sandbox, so that what one developer says of it is
true for the next. It is made at the first start; what has been changed since then stays.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vpbx.app.datadir import DataDir, write_private
from vpbx.directory import AuthFailure, Directory, DomainConfig
from vpbx.sip import ha1

__all__ = [
    "ACCOUNTING",
    "BUTTONS",
    "DEPARTMENTS",
    "DOMAIN",
    "LABELS",
    "MAIN",
    "OLGAS",
    "RATED",
    "SALES",
    "SALES_LINE",
    "STAFF",
    "SUPPORT",
    "SUPPORT_LINE",
    "VOICEMAIL",
    "Company",
    "Kept",
    "Person",
    "set_up",
]

DOMAIN = "sandbox.localhost"
TIMEZONE = "Europe/Moscow"
TRUNK = "sandbox-carrier"
SALES, SUPPORT, ACCOUNTING = "Sales", "Support", "Accounting"
DEPARTMENTS = (SALES, SUPPORT, ACCOUNTING)
MAIN, SALES_LINE, SUPPORT_LINE, OLGAS, VOICEMAIL = (f"7495123456{n}" for n in (7, 8, 9, 6, 5))
LABELS = {
    MAIN: "Main number",
    SALES_LINE: "Sales line",
    SUPPORT_LINE: "Support line",
    OLGAS: "Olga's direct number",
    VOICEMAIL: "Voicemail",
}
RATED = (SALES_LINE, SUPPORT_LINE)
"""Numbers whose customers are asked to rate who talked to them."""
BUTTONS = {SALES: "1", SUPPORT: "2", ACCOUNTING: "3"}
_FILE = "sandbox.json"


@dataclass(frozen=True, slots=True)
class Person:
    """An employee. `department` "" for the head of the company, who is its administrator."""

    login: str
    name: str
    position: str
    department: str = ""
    ext: str = ""


STAFF = tuple(
    Person(login, name, position, department, str(701 + place))
    for place, (login, name, position, department) in enumerate(
        (
            ("admin", "Maria Volkova", "Director", ""),
            ("olga", "Olga Ivanova", "Head of sales", SALES),
            ("ivan", "Ivan Petrov", "Sales manager", SALES),
            ("anna", "Anna Smirnova", "Sales manager", SALES),
            ("yulia", "Юлия Цой", "Sales manager", SALES),
            ("petr", "Petr Orlov", "Sales manager", SALES),
            ("dmitry", "Dmitry Sokolov", "Head of support", SUPPORT),
            ("elena", "Elena Kuznetsova", "Engineer", SUPPORT),
            ("sergey", "Sergey Popov", "Engineer", SUPPORT),
            ("nina", "Nina Lebedeva", "Engineer", SUPPORT),
            ("tatiana", "Tatiana Morozova", "Chief accountant", ACCOUNTING),
            ("mikhail", "Mikhail Novikov", "Accountant", ACCOUNTING),
        )
    )
)


@dataclass(slots=True)
class Kept:
    """What a sandbox keeps in its directory besides the PBX's own."""

    seed: int
    calls: int
    """External calls of the year before."""
    filled_to: str = ""
    """The last day that was filled with history, ISO."""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    passwords: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, data: DataDir) -> Kept | None:
        """Return what was kept; None where no sandbox has been."""
        try:
            found = json.loads((data.root / _FILE).read_text())
            return cls(**found)
        except (OSError, ValueError, TypeError):
            return None

    def write(self, data: DataDir) -> None:
        """Keep it, readable by this user only."""
        text = json.dumps({name: getattr(self, name) for name in self.__slots__})
        write_private(data.root / _FILE, text.encode())


@dataclass(frozen=True, slots=True)
class Company:
    """What was made of it."""

    domain: DomainConfig
    groups: Mapping[str, str]
    """Name of a department → its id."""

    @property
    def exts(self) -> dict[str, str]:
        """Login → internal number."""
        return {login: each.ext for login, each in self.domain.employees.items()}


async def set_up(
    directory: Directory, kept: Kept, *, carrier: str, crm: Mapping[str, Any]
) -> Company:
    """Make the company, or bring that of the last run up to date.

    `carrier`: HOST:PORT of the simulated one. `crm`: what `integrations.set` takes. Secrets
    that `kept` has not are made and put there.
    """
    domain = await directory.domain(DOMAIN)
    is_new = domain is None
    if domain is None:
        password = kept.passwords.setdefault("admin", secrets.token_urlsafe(9))
        domain = (await directory.companies.add(DOMAIN, TIMEZONE, password, am_all=True)).domain
        await _staff(directory, domain, kept)
        await _departments(directory, domain)
    await _let_in(directory, domain, kept)
    await _connect(directory, domain, carrier)
    if is_new:
        await _numbers(directory, await directory.current(domain))
    await directory.integrations.set(domain, crm)
    domain = await directory.current(domain)
    return Company(domain, {each.name: each.id for each in domain.departments.values()})


async def _staff(directory: Directory, domain: DomainConfig, kept: Kept) -> None:
    for person in STAFF:
        if person.login in domain.employees:
            changes = {"name": person.name, "position": person.position}
            await directory.users.edit(domain, person.login, changes)
            continue
        password = kept.passwords.setdefault(person.login, secrets.token_urlsafe(9))
        values = {
            "login": person.login,
            "name": person.name,
            "position": person.position,
            "ext": person.ext,
            "email": f"{person.login}@sandbox.example",
            "password": password,
        }
        await directory.users.add(domain, values)


async def _departments(directory: Directory, domain: DomainConfig) -> None:
    for name in DEPARTMENTS:
        members = [person.login for person in STAFF if person.department == name]
        values = {
            "name": name,
            "call_order": "ALL" if name == SALES else "EVENLY",
            "timeout": {"time": 30, "target": "voicemail"},
            "users": [{"login": login, "calls_enable": True} for login in members],
        }
        same_everywhere = f"g_{uuid.uuid5(uuid.NAMESPACE_DNS, f'{name}.{DOMAIN}')}"
        await directory.groups.add(domain, values, gid=same_everywhere)


async def _let_in(directory: Directory, domain: DomainConfig, kept: Kept) -> None:
    """See that the kept passwords and key are good: somebody may have changed them."""
    for person in STAFF:
        found = domain.employees.get(person.login)
        password = kept.passwords.setdefault(person.login, secrets.token_urlsafe(9))
        if found and found.ha1_login.md5 != ha1(person.login, domain.name, password).md5:
            await directory.users.edit(domain, person.login, {"password": password})
    try:
        await directory.authenticate_key(kept.key, domain.name, None)
    except AuthFailure:
        kept.key = (await directory.keys.add(domain, note="sandbox")).key


async def _connect(directory: Directory, domain: DomainConfig, carrier: str) -> None:
    if directory.trunk(TRUNK) is None:
        await directory.trunk_rules.add(TRUNK, carrier)
    else:
        await directory.trunk_rules.edit(TRUNK, {"address": carrier})


async def _numbers(directory: Directory, domain: DomainConfig) -> None:
    groups = {each.name: each.id for each in domain.departments.values()}
    telnums = directory.telnums
    for number, name in LABELS.items():
        await telnums.add(domain, number, trunk=TRUNK, name=name)
    items: list[dict[str, Any]] = [
        {"button": button, "type": "group", "group": groups[name]}
        for name, button in BUTTONS.items()
    ]
    items.append({"button": "0", "type": "user", "user": "admin"})
    items.append({"button": "timeout", "type": "group", "group": groups[SALES]})
    menu = {"name": "Main menu", "greeting": True, "items": items}
    mailbox = {"subtype": "voicemail", "greeting": False}
    for number, route in (
        (MAIN, {"type": "ivr", "ivr": menu}),
        (SALES_LINE, {"type": "group", "group": groups[SALES]}),
        (SUPPORT_LINE, {"type": "group", "group": groups[SUPPORT]}),
        (OLGAS, {"type": "user", "user": "olga"}),
        (VOICEMAIL, {"type": "scheduler", "work": mailbox, "other": mailbox, "schedule": {}}),
    ):
        await telnums.edit(domain, number, {"greeting": False, **route})
    for number in RATED:
        await telnums.configure(domain, number, {"rating": "true"})
    await directory.integrations.set_responsible(domain, SALES_LINE, enabled=True)
