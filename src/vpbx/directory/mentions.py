"""Who and what depends on an employee, a department, a number or a trunk, in words.

For whoever is about to delete one; what then happens is written in docs/consistency.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from vpbx.directory.model import Department, DomainConfig, Employee, Number, Trunk

__all__ = ["of_department", "of_employee", "of_number", "of_trunk"]


def of_employee(domain: DomainConfig, employee: Employee) -> list[str]:
    """Return what names an employee, a line each."""
    login, settings = employee.login, domain.settings
    found = list(_routes(domain, "user", login))
    for group in domain.departments.values():
        if any(member.login == login and not member.branch_domain for member in group.members):
            found.append(f"member of department {group.name}")
    for listed, name in (
        (domain.record_exceptions, "the list of who is never recorded"),
        (settings.blf_users, "the BLF list"),
        (settings.voicemail.users, "who gets voicemail"),
    ):
        if login in listed:
            found.append(f"on {name}")
    if login in settings.caller_ids.users:
        found.append(f"calls with number {settings.caller_ids.users[login]}")
    if login in settings.restrictions.users:
        found.append("has call restrictions of their own")
    return found


def of_department(domain: DomainConfig, department: Department) -> list[str]:
    """Return what names a department, a line each."""
    gid, settings = department.id, domain.settings
    found = list(_routes(domain, "group", gid))
    if gid in settings.voicemail.groups:
        found.append("on who gets voicemail")
    if gid in settings.caller_ids.groups:
        found.append(f"calls with number {settings.caller_ids.groups[gid]}")
    if gid in settings.restrictions.groups:
        found.append("has call restrictions of its own")
    if department.members:
        found.append("members: " + ", ".join(member.login for member in department.members))
    return found


def of_number(domain: DomainConfig, number: Number) -> list[str]:
    """Return what names a number, a line each."""
    telnum, caller_ids = number.telnum, domain.settings.caller_ids
    found = []
    if telnum == domain.main_telnum:
        found.append("the main number of the company")
    for kind, rules in (
        ("employee", caller_ids.users),
        ("department", caller_ids.groups),
        ("region", caller_ids.regions),
    ):
        found += [f"shown for {kind} {who}" for who, number_ in rules.items() if number_ == telnum]
    if telnum in domain.settings.sip_registrations:
        found.append("its registration at another operator")
    if telnum in domain.settings.sipuri_transfers:
        found.append(f"its SIP address {domain.settings.sipuri_transfers[telnum].uri}")
    return found


def of_trunk(domains: list[DomainConfig], trunk: Trunk) -> list[str]:
    """Return the numbers whose calls leave by a trunk, a line each."""
    return [
        f"number {number.telnum} of {domain.name} leaves by it"
        for domain in domains
        for number in domain.numbers.values()
        if number.trunk == trunk.name
    ]


def _routes(domain: DomainConfig, kind: str, name: str) -> Iterator[str]:
    for number in domain.numbers.values():
        if getattr(number, kind) == name:
            yield f"answers number {number.telnum}"
        if number.crm == name:
            yield f"takes calls to {number.telnum} that the responsible employee does not"
        if any(_names(value, kind, name) for value in (number.ivr, number.work, number.other)):
            yield f"in the menu or schedule of number {number.telnum}"
        elif _names(number.custom_routes, kind, name):
            yield f"in an extra route of number {number.telnum}"
    for group in domain.departments.values():
        if getattr(group.timeout, kind) == name:
            yield f"takes calls that department {group.name} does not take in time"


def _names(value: Any, kind: str, name: str) -> bool:
    """Whether a route, or anything in it, leads to `name`."""
    if isinstance(value, tuple):
        return any(_names(each, kind, name) for each in value)
    if not is_dataclass(value):
        return False
    return getattr(value, kind, "") == name or any(
        _names(getattr(value, field.name), kind, name) for field in fields(value)
    )
