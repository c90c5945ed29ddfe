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
from dataclasses import field
from typing import Any

import structlog
from sqlalchemy import select

from vpbx.db import Database
from vpbx.events import CallEvent, CallInfo, Destination, Direction, Group, Party, Rated
from vpbx.frozen import dataclass
from vpbx.history.path import Path
from vpbx.history.tables import call_journal
from vpbx.jsontext import compact
from vpbx.story import Story

log = structlog.get_logger("vpbx.history")


@dataclass(slots=True)
class OpenCall:
    """A call that is going on, and its row in the journal."""

    story: Story
    since: float = 0.0
    """When it began, by the steady clock of the run."""
    queued: bool = False
    """Whether a write waits that will say all this as it is then."""
    path: Path = field(default_factory=list)


def dump(entry: OpenCall) -> str:
    """Return a call's story as the text kept in `call_journal.state`."""
    story, call = entry.story, entry.story.call
    return compact(
        {
            "domain": call.domain,
            "direction": str(call.direction),
            "started_at": call.started_at,
            "since": entry.since,
            "client": call.client,
            "diversion": call.diversion,
            "telnum_name": call.telnum_name,
            "user": _party(story.user),
            "group": story.group and [story.group.id, story.group.name],
            "caller": _party(story.caller),
            "place": str(story.place),
            "account": story.account,
            "rung": _party(story.rung),
            "answered_at": story.answered_at,
            "rating": story.rating,
            "ringing": [_party(party) for party in story.ringing.values()],
            "dialing": _party(story.dialing),
            "talking": _party(story.talking),
            "path": entry.path,
        }
    )


def load(callid: str, domain_id: int, state: str) -> OpenCall:
    """Return the call that `dump` wrote, this release's or the one's before.

    Raises ValueError, KeyError or TypeError otherwise.
    """
    kept: dict[str, Any] = json.loads(state)
    ringing = [Party(*party) for party in kept["ringing"]]
    user = kept["user"] and Party(*kept["user"])
    talks = kept["answered_at"] is not None
    rung, talking = kept.get("rung"), kept.get("talking", kept["user"] if talks else None)
    story = Story(
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
        user=user,
        group=kept["group"] and Group(*kept["group"]),
        caller=kept["caller"] and Party(*kept["caller"]),
        place=Destination(kept.get("place", "")),
        account=kept.get("account", ""),
        rung=rung and Party(*rung),
        answered_at=kept["answered_at"],
        rating=kept["rating"],
        ringing={party.login: party for party in ringing},
        dialing=kept["dialing"] and Party(*kept["dialing"]),
        talking=talking and Party(*talking),
    )
    since = float(kept.get("since", story.call.started_at))
    return OpenCall(story, since, path=list(kept.get("path", ())))


def _party(party: Party | None) -> list[str] | None:
    return None if party is None else [party.login, party.name, party.ext, party.telnum]


@dataclass(frozen=True, slots=True)
class CutOff:
    """A call that a crash cut off, the path it had come, and the events that end it."""

    story: Story
    path: Path
    events: tuple[CallEvent, ...]


async def cut_off_calls(
    database: Database, node: int, until: float, recorded: Callable[[CallInfo], bool]
) -> list[CutOff]:
    """Return the calls this node left open, oldest first.

    Each is ended when the run that it was in was last known to be alive, `until` by that run's
    steady clock: what the machine stood still after that, and what its clock was set to in the
    meantime, is no part of the call. `recorded` tells whether something of a call's sound was
    found on disk.
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
        story = entry.story
        began = story.call.started_at
        ended = max(began + until - entry.since, story.answered_at or began, began)
        found.append(CutOff(story, entry.path, _ending(story, ended, recorded)))
    return found


def _unreadable(callid: str, domain_id: int, started_at: float) -> OpenCall:
    """What can still be said of a call whose entry makes no sense: it gets its row too."""
    story = Story(CallInfo(callid, domain_id, "", Direction.INNER, started_at))
    return OpenCall(story, started_at)


def _ending(story: Story, at: float, recorded: Callable[[CallInfo], bool]) -> tuple[CallEvent, ...]:
    """End a call as if whoever placed it had hung up.

    Sound of a call that nobody answered is a message, if it came as far as voicemail.
    """
    heard = recorded(story.call)
    if story.answered_at is None and story.place is not Destination.AM:
        heard = heard and story.place is Destination.VM
    elif story.answered_at is None and heard:
        story.place = Destination.VM
    end = story.end(at, code=0, gave_up=True, recorded=heard)
    rated: list[CallEvent] = []
    if story.rating is not None and end.user is not None:  # told with the row, so not yet
        rated.append(Rated(story.call, at, end.user, story.rating))
    return (*story.closing(at), *rated, end)
