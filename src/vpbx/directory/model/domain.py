"""Everything of one domain, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from zoneinfo import ZoneInfo

from vpbx.directory.directions import is_emergency
from vpbx.directory.errors import Invalid
from vpbx.directory.model.crm import Integration
from vpbx.directory.model.numbers import Number
from vpbx.directory.model.people import Department, Employee, Role
from vpbx.directory.numbering import normalize
from vpbx.directory.policy import Settings
from vpbx.directory.routes import Holding, production_calendar, route_at
from vpbx.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How many of each a domain may have; -1: any number."""

    users: int = -1
    groups: int = -1
    local_gw: int = -1


@dataclass(frozen=True, slots=True)
class Services:
    """What the operator has switched on for the domain (crm-api §11)."""

    record: bool = True
    local_gw: bool = True
    branch: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class DomainConfig:
    """Everything calls need to know of one domain, at one moment."""

    id: int
    name: str
    timezone: str
    zone: ZoneInfo
    country: str
    language: str
    enabled: bool
    revision: int
    employees: Mapping[str, Employee]
    """By login, in the order of exts."""
    by_ext: Mapping[str, Employee | Department]
    departments: Mapping[str, Department]
    """By id, in the order of exts."""
    numbers: Mapping[str, Number]
    """By telnum."""
    integration: Integration | None = None
    limits: Limits = Limits()
    services: Services = Services()
    record_external: bool = True
    record_inner: bool = False
    record_exceptions: frozenset[str] = frozenset()
    ring_timeout_s: int = 30
    contact_timeout_s: float = 2.0
    main_telnum: str = ""
    crm_card_url: str = ""
    """Where a customer's card is in the CRM, with `{places}` (`directory.card`)."""
    widget_origins: tuple[str, ...] = ()
    """Sites whose pages may embed the phone."""
    settings: Settings = field(default_factory=Settings)

    def __repr__(self) -> str:
        return f"DomainConfig({self.name!r}, revision={self.revision})"

    def find_employee(self, login_or_ext: str) -> Employee | None:
        """Return the employee with this login or ext."""
        found = self.employees.get(login_or_ext) or self.employees.get(login_or_ext.lower())
        if found is None:
            by_ext = self.by_ext.get(login_or_ext)
            return by_ext if isinstance(by_ext, Employee) else None
        return found

    def find_named(self, text: str) -> Employee | None:
        """Return the employee whom another program names, which knows them by what it stores.

        That is a login, an ext, `login@domain`, or a direct number in any spelling
        (crm-api §2 contact, and the older version of the API).
        """
        name, _, domain = text.strip().partition("@")
        if not name or (domain and domain.lower() != self.name.lower()):
            return None
        found = self.find_employee(name)
        if found is not None:
            return found
        try:
            digits = normalize(name, self.country)
        except Invalid:
            return None
        return next((each for each in self.employees.values() if each.telnum == digits), None)

    def find_department(self, id_or_ext: str) -> Department | None:
        """Return the department with this id or ext."""
        found = self.departments.get(id_or_ext)
        if found is None:
            by_ext = self.by_ext.get(id_or_ext)
            return by_ext if isinstance(by_ext, Department) else None
        return found

    def callee(self, ext: str) -> Employee | Department | None:
        """Return who answers an internal number (or login)."""
        return self.by_ext.get(ext) or self.find_employee(ext)

    def first_admin(self) -> Employee:
        """Return the administrator who has been there longest; there is always one."""
        admins = (e for e in self.employees.values() if e.role is Role.ADMIN)
        return min(admins, key=lambda employee: employee.id)

    def departments_of(self, login: str) -> tuple[Department, ...]:
        """Return the departments `login` is a member of, by ext."""
        return tuple(
            department
            for department in self.departments.values()
            if any(m.login == login and not m.branch_domain for m in department.members)
        )

    def holding(self, number: Number, moment: datetime) -> Holding | None:
        """Return the route of a scheduler number that holds at `moment` (aware); else None."""
        if number.work is None or number.other is None:
            return None
        return route_at(
            moment,
            self.zone,
            work=number.work,
            other=number.other,
            schedule=number.schedule,
            custom_routes=number.custom_routes,
            is_holiday=production_calendar(self.country),
        )

    @property
    def numbers_allowed_as_clid(self) -> frozenset[str]:
        """Numbers outgoing calls may show."""
        return frozenset(n.telnum for n in self.numbers.values() if n.outgoing)

    def outgoing_number(self, employee: Employee | None, called: str) -> Number | None:
        """Return the number shown for a call to `called` (crm-api §12, without clid).

        The employee's, their department's, that of the region of `called`, main; else the
        first that may be used at all; None when the domain has none. An emergency number is
        called with any.
        """
        for telnum in self.settings.caller_ids.candidates(self, employee, called):
            number = self.numbers.get(telnum)
            if number is not None and number.outgoing:
                return number
        urgent = is_emergency(called, self.country)
        return next((n for n in self.numbers.values() if n.outgoing or urgent), None)
