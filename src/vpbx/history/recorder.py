"""HistoryRecorder: call events → the journal of open calls and the history of ended ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    SmallInteger,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
)

from vpbx.causes import Cause, dump_causes
from vpbx.clock import Clock
from vpbx.db import Database, Values, Write, insert_or_ignore
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallerReplaced,
    CallEvent,
    CallInfo,
    CallStarted,
    Completed,
    Dialing,
    Direction,
    Entered,
    Rated,
    RecordingReady,
    RingEnded,
    Ringing,
    Status,
    Taken,
    epoch_ms,
)
from vpbx.history import journal
from vpbx.history.journal import OpenCall
from vpbx.history.path import add_step, dump_path
from vpbx.history.recordings import Encoding
from vpbx.history.tables import (
    CALLED_AGAIN,
    CALLED_BACK,
    NO_RECORD,
    NOT_MISSED,
    RECORD_ENCODING,
    RECORD_FAILED,
    RECORD_FAX,
    RECORD_READY,
    TRIED_BACK,
    UNRETURNED,
    call_history,
    call_journal,
)
from vpbx.legs import dump_legs, worst
from vpbx.story import Story, account_of

_OPEN = insert_or_ignore(call_journal, ["callid"])
_CHANGE = (
    call_journal.update()
    .where(call_journal.c.callid == bindparam("key"))
    .values(state=bindparam("state"))
)
_FORGET = call_journal.delete().where(call_journal.c.callid == bindparam("key"))
_CLOSE = insert_or_ignore(call_history, ["callid"])
_SET_RECORD = (
    call_history.update()
    .where(call_history.c.callid == bindparam("key"))
    .values(record=bindparam("record"))
)
_SET_RATING = (
    call_history.update()
    .where(call_history.c.callid == bindparam("key"))
    .values(rating=bindparam("rating"))
)

_RETURNED = (
    call_history.update()
    .where(
        call_history.c.domain_id == bindparam("domain"),
        call_history.c.client == bindparam("customer"),
        call_history.c.missed_status >= literal_column(str(UNRETURNED)),
        call_history.c.missed_status <= bindparam("most", type_=SmallInteger),
        call_history.c.started_ms < bindparam("before", type_=BigInteger),
    )
    .values(missed_status=bindparam("becomes"))
)
"""What a call says of those missed before it from the same customer."""

_later = call_history.alias("later")
_SETTLE = (
    call_history.update()
    .where(call_history.c.callid == bindparam("key"))
    .values(
        missed_status=func.coalesce(
            select(
                case(
                    (_later.c.status != "success", TRIED_BACK),
                    (_later.c.direction == "in", CALLED_AGAIN),
                    else_=CALLED_BACK,
                )
            )
            .where(
                _later.c.domain_id == bindparam("domain"),
                _later.c.client == bindparam("customer"),
                _later.c.is_inner == literal_column("0"),
                _later.c.started_ms > bindparam("after", type_=BigInteger),
                or_(_later.c.status == "success", _later.c.direction == "out"),
            )
            .order_by((_later.c.status == "success").desc(), _later.c.started_ms)
            .limit(literal_column("1"))
            .scalar_subquery(),
            UNRETURNED,
        )
    )
)
"""What calls that began after a missed one, and ended before it, say of it."""

_MAX_NUMBER = 128

RESTART = "restart"
"""`call_history.ended_by` of a call that a crash cut off; empty for all others."""


class HistoryRecorder:
    """A recorder of `vpbx.events.EventBus`.

    `node` is this server's number among those that share the database; `encoding` is told of
    recordings that are not playable yet; `clock` is the one that `close_open_journal` of the
    next run measures by.
    """

    def __init__(self, node: int, encoding: Encoding, clock: Clock | None = None) -> None:
        self._node = node
        self._clock = clock
        self._encoding = encoding
        self._open: dict[str, OpenCall] = {}
        self._cut_off: set[str] = set()
        self._handlers: dict[type, Callable[[Any], list[Write]]] = {
            CallStarted: self._started,
            Ringing: self._changed,
            RingEnded: self._changed,
            Dialing: self._changed,
            AttemptEnded: self._changed,
            Answered: self._changed,
            Completed: self._completed,
            Entered: self._changed,
            Taken: self._changed,
            CallerReplaced: self._changed,
            Rated: self._rated,
            CallEnded: self._ended,
            RecordingReady: self._recording_ready,
        }

    def __call__(self, event: CallEvent) -> Iterable[Write]:
        """Return the writes that `event` causes."""
        entry = self._open.get(event.call.callid)
        if entry is not None:
            add_step(entry.path, event)
        handler = self._handlers.get(type(event))
        return handler(event) if handler is not None else ()

    async def close_open_journal(
        self,
        database: Database,
        until: float,
        recorded: Callable[[CallInfo], bool] = lambda call: False,
    ) -> list[CallEvent]:
        """Return the events that end the calls this node left open when it stopped.

        They ended `until`, by the steady clock (`Clock.steady`) of the run that was cut off.

        Call it once, before the first call, and publish all of them on the bus, in order: only
        then are the calls in history. An answered call was a success, an unanswered one missed
        (in), cancelled (out) or not answered (inner); `recorded` tells whether sound of it was
        saved. Their rows say `ended_by` restart.
        """
        events: list[CallEvent] = []
        for cut in await journal.cut_off_calls(database, self._node, until, recorded):
            callid = cut.story.call.callid
            self._open[callid] = OpenCall(cut.story, path=cut.path)
            self._cut_off.add(callid)
            events += cut.events
        return events

    def is_open(self, callid: str) -> bool:
        """Tell whether a call is going on."""
        return callid in self._open

    def _started(self, event: CallStarted) -> list[Write]:
        callid = event.call.callid
        since = self._clock.steady() if self._clock else event.call.started_at
        entry = self._open[callid] = OpenCall(Story(event.call), since, queued=True)
        entry.story.tell(event)
        add_step(entry.path, event)
        return [Write(_OPEN, partial(self._opened_row, entry), callid)]

    def _opened_row(self, entry: OpenCall) -> Values:
        call = entry.story.call
        return {
            "node": self._node,
            "domain_id": call.domain_id,
            "started_ms": epoch_ms(call.started_at),
            "callid": int(call.callid),
            "state": _state(entry),
        }

    def _changed(self, event: Any) -> list[Write]:
        entry = self._open.get(event.call.callid)
        if entry is None:
            return []
        entry.story.tell(event)
        if entry.queued:
            return []
        entry.queued = True
        return [Write(_CHANGE, partial(_changed_row, entry), event.call.callid)]

    def _completed(self, event: Completed) -> list[Write]:
        """Note it; a write of its own it is not worth, the end comes with it."""
        entry = self._open.get(event.call.callid)
        if entry is not None:
            entry.story.tell(event)
        return []

    def _rated(self, event: Rated) -> list[Write]:
        callid = event.call.callid
        if callid not in self._open:
            return [Write(_SET_RATING, {"key": int(callid), "rating": event.rating}, callid)]
        return self._changed(event)

    def _ended(self, event: CallEnded) -> list[Write]:
        callid = event.call.callid
        entry = self._open.pop(callid, None)
        ended_by = ""
        if callid in self._cut_off:
            self._cut_off.remove(callid)
            ended_by = RESTART
        if event.recorded and (ended_by or not event.fax):
            self._encoding.begin(callid)
        row = _row(event, entry.story.rating if entry else None)
        row["node"] = self._node
        row["ended_by"] = ended_by
        row["path"] = dump_path(entry.path) if entry else ""
        row["legs"], row["mos"] = dump_legs(event.legs), worst(event.legs)
        restart = (Cause("restart"),) if ended_by else ()
        row["causes"] = dump_causes((*event.causes, *restart))
        return [
            Write(_CLOSE, row, callid),
            Write(_FORGET, {"key": int(callid)}, callid),
            *_called_back(row),
        ]

    def _recording_ready(self, event: RecordingReady) -> list[Write]:
        callid = event.call.callid
        self._encoding.end(callid)
        made = RECORD_FAX if event.fax else RECORD_READY
        record = made if event.ok else RECORD_FAILED
        return [Write(_SET_RECORD, {"key": int(callid), "record": record}, callid)]


def _called_back(row: Values) -> list[Write]:
    """Return what a call that is over changes in `missed_status` of others, or in its own.

    Each has a key of its own, though it may touch what others do: in whatever order they go
    out after the rows, which come first in a transaction, the outcome is the same.
    """
    if row["is_inner"] or not row["client"]:
        return []
    about = {"domain": row["domain_id"], "customer": row["client"]}
    answered = row["status"] == Status.SUCCESS
    if row["missed_status"]:
        values = {**about, "key": row["callid"], "after": row["started_ms"]}
        return [Write(_SETTLE, values, ("settle", row["callid"]))]
    becomes = TRIED_BACK
    if answered:
        becomes = CALLED_BACK if row["direction"] == Direction.OUT else CALLED_AGAIN
    values = {
        **about,
        "before": row["started_ms"],
        "most": TRIED_BACK if answered else UNRETURNED,
        "becomes": becomes,
    }
    return [Write(_RETURNED, values, ("returned", row["callid"]))]


def _changed_row(entry: OpenCall) -> Values:
    return {"key": int(entry.story.call.callid), "state": _state(entry)}


def _state(entry: OpenCall) -> str:
    """Return an entry as it is kept; what changes from now on is a write of its own."""
    entry.queued = False
    return journal.dump(entry)


def _row(event: CallEnded, rating: int | None) -> Values:
    call, user, group, caller = event.call, event.user, event.group, event.caller
    answered = event.answered_at
    missed = call.direction is Direction.IN and event.status is not Status.SUCCESS
    return {
        "callid": int(call.callid),
        "domain_id": call.domain_id,
        "is_inner": int(call.direction is Direction.INNER),
        "started_ms": epoch_ms(call.started_at),
        "answered_ms": None if answered is None else epoch_ms(answered),
        "ended_ms": epoch_ms(event.at),
        "direction": str(call.direction),
        "status": str(event.status),
        "client": _storable(call.client),
        "account": event.account or account_of(event.status, call.direction, user, group),
        "diversion": _storable(call.diversion),
        "telnum_name": call.telnum_name,
        "destination": str(event.destination),
        "user_login": user.login if user else "",
        "user_name": user.name if user else "",
        "user_ext": user.ext if user else "",
        "group_id": group.id if group else "",
        "group_name": group.name if group else "",
        "caller_login": caller.login if caller else "",
        "caller_name": caller.name if caller else "",
        "rating": rating,
        "record": _record(event),
        "sip_code": event.sip_code,
        "missed_status": UNRETURNED if missed else NOT_MISSED,
    }


def _record(event: CallEnded) -> int:
    if not event.recorded:
        return NO_RECORD
    return RECORD_FAX if event.fax else RECORD_ENCODING


def _storable(text: str) -> str:
    """Return what came from the network as text that every database takes, or the row is lost.

    PostgreSQL takes no NUL and indexes no long text; neither database takes half characters.
    """
    if text.isascii() and text.isprintable() and len(text) <= _MAX_NUMBER:
        return text
    whole = text[:_MAX_NUMBER].encode("utf-8", "replace").decode()
    return whole.replace("\0", "")
