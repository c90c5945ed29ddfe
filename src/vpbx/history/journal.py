"""The journal of calls that are going on, and what becomes of it after a crash.

Theory of operation. When a call starts, a row with all that is known of it is written; each
event that changes what would have to be said of the call if the machine stopped now (who rings,
who talks since when) writes the row anew, once for all that come within one transaction; when
the call ends the row goes, in the same transaction in which the history row comes. So after a
crash the rows left are exactly the calls that were cut off. `cut_off_calls` turns each into the
events that ended it; published on the bus they take the usual way: history row, CRM commands,
journal row gone, all in one transaction a call.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import select

from vpbx.db import Database
from vpbx.events import (
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallInfo,
    CallStarted,
    Completed,
    Destination,
    Direction,
    Group,
    Party,
    RingEnded,
    Status,
)
from vpbx.history.tables import call_journal

log = structlog.get_logger("vpbx.history")


@dataclass(slots=True)
class OpenCall:
    """What is known of a call that is going on."""

    call: CallInfo
    user: Party | None = None
    """Who history would name now."""
    group: Group | None = None
    caller: Party | None = None
    answered_at: float | None = None
    rating: int | None = None
    ringing: dict[str, Party] = field(default_factory=dict)
    """By login: whose phones ring."""
    dialing: Party | None = None
    """For whom the customer is dialled."""
    queued: bool = False
    """Whether a write waits that will say all this as it is then."""


def begin(event: CallStarted) -> OpenCall:
    """Return the journal entry of a call that starts."""
    return OpenCall(event.call, event.user, event.group, event.caller)


def dump(entry: OpenCall) -> str:
    """Return an entry as the text kept in `call_journal.state`."""
    call = entry.call
    return json.dumps(
        {
            "domain": call.domain,
            "direction": call.direction.value,
            "started_at": call.started_at,
            "client": call.client,
            "diversion": call.diversion,
            "telnum_name": call.telnum_name,
            "user": _party(entry.user),
            "group": entry.group and [entry.group.id, entry.group.name],
            "caller": _party(entry.caller),
            "answered_at": entry.answered_at,
            "rating": entry.rating,
            "ringing": [_party(party) for party in entry.ringing.values()],
            "dialing": _party(entry.dialing),
        }
    )


def load(callid: str, domain_id: int, state: str) -> OpenCall:
    """Return the entry that `dump` wrote. Raises ValueError, KeyError or TypeError otherwise."""
    kept: dict[str, Any] = json.loads(state)
    ringing = [Party(*party) for party in kept["ringing"]]
    return OpenCall(
        call=CallInfo(
            callid=callid,
            domain_id=domain_id,
            domain=kept["domain"],
            direction=Direction(kept["direction"]),
            started_at=float(kept["started_at"]),
            client=kept["client"],
            diversion=kept["diversion"],
            telnum_name=kept["telnum_name"],
        ),
        user=kept["user"] and Party(*kept["user"]),
        group=kept["group"] and Group(*kept["group"]),
        caller=kept["caller"] and Party(*kept["caller"]),
        answered_at=kept["answered_at"],
        rating=kept["rating"],
        ringing={party.login: party for party in ringing},
        dialing=kept["dialing"] and Party(*kept["dialing"]),
    )


def _party(party: Party | None) -> list[str] | None:
    return None if party is None else [party.login, party.name, party.ext, party.telnum]


@dataclass(frozen=True, slots=True)
class CutOff:
    """A call that a crash cut off, and the events that end it."""

    entry: OpenCall
    events: tuple[CallEvent, ...]


async def cut_off_calls(
    database: Database, node: int, now: float, recorded: Callable[[CallInfo], bool]
) -> list[CutOff]:
    """Return the calls this node left open, oldest first, each ended `now`.

    `recorded` tells whether something of a call's sound was found on disk.
    """
    columns = call_journal.c
    statement = (
        select(columns.callid, columns.domain_id, columns.started_ms, columns.state)
        .where(columns.node == node)
        .order_by(columns.callid)
    )
    async with database.connect() as connection:
        rows = (await connection.execute(statement)).all()
    found: list[CutOff] = []
    for callid, domain_id, started_ms, state in rows:
        try:
            entry = load(str(callid), domain_id, state)
        except (ValueError, KeyError, TypeError) as error:
            log.error("a journal entry is unreadable", callid=callid, error=repr(error))
            entry = _unreadable(str(callid), domain_id, started_ms / 1000)
        found.append(CutOff(entry, _ending(entry, max(now, entry.call.started_at), recorded)))
    return found


def _unreadable(callid: str, domain_id: int, started_at: float) -> OpenCall:
    """What can still be said of a call whose entry makes no sense: it gets its row too."""
    return OpenCall(CallInfo(callid, domain_id, "", Direction.INNER, started_at))


_UNANSWERED = {
    Direction.IN: Status.MISSED,
    Direction.OUT: Status.CANCEL,
    Direction.INNER: Status.NOANSWER,
}


def _ending(
    entry: OpenCall, now: float, recorded: Callable[[CallInfo], bool]
) -> tuple[CallEvent, ...]:
    call, user, group = entry.call, entry.user, entry.group
    events: list[CallEvent] = []
    if call.direction is not Direction.INNER:
        events += [RingEnded(call, now, party, group) for party in entry.ringing.values()]
        if entry.answered_at is not None and user is not None:
            events.append(Completed(call, now, user, group))
        elif entry.dialing is not None:
            events.append(AttemptEnded(call, now, entry.dialing))
    answered = entry.answered_at is not None
    destination = Destination.NONE
    if call.direction is Direction.IN:
        if group is not None and not answered:
            destination = Destination.GROUP
        elif user is not None:
            destination = Destination.USER
    events.append(
        CallEnded(
            call,
            now,
            Status.SUCCESS if answered else _UNANSWERED[call.direction],
            user,
            group,
            entry.caller,
            entry.answered_at,
            destination,
            recorded=answered and recorded(call),
        )
    )
    return tuple(events)
