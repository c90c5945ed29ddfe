"""Who of a department can take a call at this moment: what the queues ask.

A member may be rung at all who receives the department's calls and calls at all (no DND). They
are to be had when a device is registered, or a mobile rings for them, and they are in no other
call, not even a ringing one; who has call waiting on is to be had while they talk, too.
"""

from __future__ import annotations

from vpbx.calls.across import connected, member, ringee
from vpbx.calls.shared.last_talks import LastTalks
from vpbx.calls.shared.lines import Lines
from vpbx.calls.shared.queues import Rule, Ticket, Waiting
from vpbx.directory import CallOrder, Directory, DomainConfig, Employee

__all__ = ["CompanyStaff", "members_of"]

_NOBODY = Rule(CallOrder.ALL, 0.0, (), gone=True)


class CompanyStaff:
    """Answers for all companies of the directory."""

    def __init__(self, directory: Directory, lines: Lines, talks: LastTalks) -> None:
        self._directory = directory
        self._lines = lines
        self._talks = talks

    def rule(self, domain_id: int, group: str, without: str) -> Rule:
        """Return how the department rings, and whom it may ring now, in order."""
        domain = self._directory.cached_by_id(domain_id)
        department = domain.departments.get(group) if domain is not None else None
        if domain is None or department is None:
            return _NOBODY
        people = tuple(
            employee.login
            for employee in members_of(domain, group)
            if employee.receives_calls and employee.login != without
        )
        if department.call_order is CallOrder.EVENLY:
            people = self._talks.longest_without(domain_id, people)
        return Rule(department.call_order, department.call_duration, people)

    def free(self, domain_id: int, login: str, ticket: Ticket) -> bool:
        """Say whether an employee is to be had; who rings for `ticket` already is, until they
        talk in another call."""
        callid = ticket.callid if isinstance(ticket, Waiting) else ""
        return self.available(domain_id, login, besides=callid, rings=login in ticket.reserved)

    def available(
        self, domain_id: int, login: str, *, besides: str = "", rings: bool = False
    ) -> bool:
        """Say whether an employee is to be had for a call (`besides` that one of theirs).

        `rings`: their phone rings for it already, so it is there and does ring.
        """
        domain = self._directory.cached_by_id(domain_id)
        employee = ringee(domain, login) if domain is not None else None
        if domain is None or employee is None:
            return False
        if self._lines.busy(domain_id, login, besides=besides) and not employee.call_waiting:
            return False
        return rings or (
            not self._lines.rings(domain_id, login, besides=besides)
            and self._reachable(domain, employee)
        )

    def _reachable(self, domain: DomainConfig, employee: Employee) -> bool:
        if "@" in employee.login:
            return connected(domain, employee.login)
        mobile = employee.mobile_redirect.enabled and employee.mobile != ""
        return mobile or self._directory.locations.online(domain.id, employee.login)


def members_of(domain: DomainConfig, group: str) -> list[Employee]:
    """Return a department's people who receive its calls, in their order; those of connected
    PBXs too."""
    department = domain.departments.get(group)
    members = department.members if department is not None else ()
    people = [member(domain, each) for each in members if each.calls_enable]
    return [person for person in people if person is not None]
