"""Whom an employee may call outside."""

from __future__ import annotations

from vpbx.directory import DomainConfig, Employee, is_emergency

__all__ = ["may_call", "may_call_back"]


def may_call(domain: DomainConfig, employee: Employee, called: str) -> bool:
    """Say whether the company lets an employee call there (crm-api §13); emergencies always."""
    return is_emergency(called, domain.country) or domain.settings.restrictions.allows(
        domain, employee, called
    )


def may_call_back(domain: DomainConfig, group: str, client: str) -> bool:
    """Say whether a department calls a customer back there: who calls in may show any number,
    and a dear one is no way to have the company pay for it."""
    return domain.settings.restrictions.allows_department(domain, group, client)
