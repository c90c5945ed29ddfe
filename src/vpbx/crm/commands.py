"""Commands to the CRM and what is in them (crm-api §2).

A command is a flat mapping in the order of the specification; `crm_token` is added when it is
sent. Fields "only if known" are left out when they are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from vpbx.directory import DomainConfig
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallInfo,
    Completed,
    Dialing,
    Direction,
    Group,
    Party,
    Rated,
    RingEnded,
    Ringing,
    Status,
    Transferred,
    epoch_ms,
)

Fields: TypeAlias = dict[str, str | int]

EVENT_TYPE: dict[type, str] = {
    Ringing: "INCOMING",
    Answered: "ACCEPTED",
    RingEnded: "CANCELLED",
    AttemptEnded: "CANCELLED",
    Completed: "COMPLETED",
    Dialing: "OUTGOING",
    Transferred: "TRANSFERRED",
}
"""The table of §2 `event`: what happened in a call → the type sent."""

HISTORY_STATUS: dict[Status, str] = {
    Status.SUCCESS: "Success",
    Status.MISSED: "Missed",
    Status.CANCEL: "Cancel",
    Status.BUSY: "Busy",
    Status.NOTAVAILABLE: "NotAvailable",
    Status.NOTALLOWED: "NotAllowed",
    Status.NOTFOUND: "NotFound",
}

ANONYMOUS = "anonymous"
"""`phone` of a caller who hides their number: the field may not be empty."""

_MAX_PHONE = 128


def contact_command(phone: str, callid: str, diversion: str) -> Fields:
    """Return the question who is calling."""
    return {
        "cmd": "contact",
        "phone": _phone(phone),
        "callid": callid,
        **_known(diversion=diversion),
    }


def event_command(event: Any) -> Fields:
    """Return the command for one of the events of `EVENT_TYPE`."""
    call: CallInfo = event.call
    user: Party = event.user
    group: Group | None = getattr(event, "group", None)
    return {
        "cmd": "event",
        "type": EVENT_TYPE[type(event)],
        "callid": call.callid,
        "phone": _phone(call.client),
        "user": user.login,
        "direction": str(call.direction),
        **_known(
            diversion=call.diversion,
            groupRealName=group.name if group else "",
            ext=user.ext,
            telnum=user.telnum,
            telnum_name=call.telnum_name,
            second_callid=getattr(event, "second_callid", ""),
        ),
        "time": stamp(event.at),
        "start": stamp(call.started_at),
    }


def history_command(
    event: CallEnded,
    domain: DomainConfig,
    *,
    rating: int | None,
    link: Callable[..., str],
) -> Fields:
    """Return the record of an external call that is over.

    The first ten fields are never empty: see `_somebody` for a call that names no employee;
    one without a number of ours says the domain's main number.
    """
    call, group = event.call, event.group
    user = event.user or _somebody(event, domain)
    wait_s, talk_s = event.lengths
    fields: Fields = {
        "cmd": "history",
        "type": "in" if call.direction is Direction.IN else "out",
        "user": user.login,
        "phone": _phone(call.client),
        "diversion": call.diversion or domain.main_telnum or ANONYMOUS,
        "start": stamp(call.started_at),
        "duration": talk_s,
        "wait": wait_s,
        "callid": call.callid,
        "status": _history_status(event),
        **_known(
            ext=user.ext,
            groupRealName=group.name if group else "",
            telnum=user.telnum,
            telnum_name=call.telnum_name,
            link=_link(event, link),
        ),
    }
    if rating is not None:
        fields["rating"] = rating
    return fields


def _link(event: CallEnded, link: Callable[..., str]) -> str:
    if not event.recorded:
        return ""
    return link(event.call, ".pdf") if event.fax else link(event.call)


def _somebody(event: CallEnded, domain: DomainConfig) -> Party:
    """Return the employee history names when none was rung.

    The department's first, else the number's, else the domain's first administrator.
    """
    department = domain.departments.get(event.group.id) if event.group else None
    number = domain.numbers.get(event.call.diversion)
    logins = [member.login for member in department.members[:1]] if department else []
    if number is not None:
        logins.append(number.user)
    known = (domain.employees[login] for login in logins if login in domain.employees)
    employee = next(known, None) or domain.first_admin()
    return Party(employee.login, employee.name, employee.ext, employee.telnum)


def _history_status(event: CallEnded) -> str:
    if event.call.direction is Direction.IN and event.status is not Status.SUCCESS:
        return "Missed"  # §2: incoming answered Success, else Missed
    return HISTORY_STATUS.get(event.status, "NotAvailable")


def rating_command(event: Rated) -> Fields:
    """Return how the customer rated the employee."""
    return {
        "cmd": "rating",
        "phone": _phone(event.call.client),
        "callid": event.call.callid,
        "rating": event.rating,
        "user": event.user.login,
        **_known(ext=event.user.ext),
    }


def stamp(seconds: float) -> str:
    """Return a moment as commands write it, UTC; the same second that history shows."""
    return _stamp(epoch_ms(seconds) // 1000)


@lru_cache(128)
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _phone(number: str) -> str:
    """Return the customer's number; what a caller makes up instead of one must be text."""
    if not (number.isascii() and number.isprintable()):
        number = number.encode("utf-8", "replace").decode().replace("\0", "")
    return number[:_MAX_PHONE] or ANONYMOUS


def _known(**fields: str) -> Fields:
    return {name: value for name, value in fields.items() if value}
