"""Whom an employee may call outside."""

from __future__ import annotations

from vpbx.directory import DomainConfig, Employee, is_emergency

__all__ = ["may_call"]


def may_call(domain: DomainConfig, employee: Employee, called: str) -> bool:
    """Say whether the company lets an employee call there (crm-api §13); emergencies always."""
    return is_emergency(called, domain.country) or domain.settings.restrictions.allows(
        domain, employee, called
    )
