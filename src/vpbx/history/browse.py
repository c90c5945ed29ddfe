"""History as people look through it: external and inner calls in one list, a page at a time.

The API's queries (`query.py`) are made for streams of everything; these answer a person, who may
not be allowed to see everybody's calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, func, or_, select, tuple_

from vpbx.causes import Cause, load_causes, of_legs
from vpbx.db import Database
from vpbx.events import Direction, Status, lengths
from vpbx.frozen import dataclass
from vpbx.history.path import Step, load_path
from vpbx.history.tables import (
    RECORD_ENCODING,
    RECORD_FAX,
    RECORD_READY,
    UNRETURNED,
    call_history,
    call_tags,
)
from vpbx.history.written import CaughtUp, Written
from vpbx.legs import CallLeg, Grade, grade, load_legs

__all__ = ["KINDS", "Asked", "Browser", "CallRow", "Seen", "Totals", "visible"]

KINDS = ("all", "in", "out", "missed", "inner")
_C = call_history.c
_FEW = 4
"""So many employees are looked for one by one; the calls of more are soon found among all."""
_WHOLE = 9
"""A number of so many digits is that of few customers, whose calls are looked for by it."""
_PLAYABLE = (RECORD_ENCODING, RECORD_READY, RECORD_FAX)


@dataclass(frozen=True, slots=True)
class Seen:
    """Calls somebody may see: of these employees, or that went through these departments.

    `since_ms`: from when on a login is that employee's, for those that somebody had before.
    """

    logins: tuple[str, ...]
    groups: tuple[str, ...] = ()
    since_ms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for; empty text: not asked for. Times are epoch milliseconds.

    `seen` None: all calls may be seen. `client`: how the number begins. `before`: start and
    callid of the call after which the page begins.
    """

    domain_id: int
    since_ms: int
    until_ms: int
    seen: Seen | None
    kind: str = "all"
    login: str = ""
    group: str = ""
    client: str = ""
    diversion: str = ""
    tag: str = ""
    unreturned: bool = False
    before: tuple[int, int] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call that is over."""

    callid: str
    is_inner: bool
    started_ms: int
    wait: int
    duration: int
    direction: str
    status: str
    client: str
    diversion: str
    telnum_name: str
    destination: str
    login: str
    user_name: str
    group: str
    group_name: str
    caller_login: str
    caller_name: str
    rating: int | None
    has_record: bool
    missed_status: int
    is_fax: bool = False
    """What is recorded is a document."""
    path: tuple[Step, ...] = ()
    """Of calls that `Browser.get` returned."""
    legs: tuple[CallLeg, ...] = ()
    """The same."""
    causes: tuple[Cause, ...] = ()
    """The same: what failed on its way, and what was wrong with its sound."""
    mos: int | None = None
    """Of its worst leg, in hundredths; None: nothing was measured."""

    @property
    def started_at(self) -> float:
        return self.started_ms / 1000

    @property
    def is_success(self) -> bool:
        return self.status == Status.SUCCESS

    @property
    def sounds_poor(self) -> bool:
        """Whether somebody in it was, or heard, hard to understand."""
        return self.mos is not None and grade(self.mos / 100) is Grade.POOR

    @property
    def is_missed(self) -> bool:
        return self.direction == Direction.IN and not self.is_success and not self.is_inner


@dataclass(frozen=True, slots=True)
class Totals:
    """How many external calls there were, and how long was talked (s)."""

    incoming: int
    outgoing: int
    missed: int
    unreturned: int
    talked_s: int


class Browser:
    """Reads history for people; `caught_up`: as `Written` has it."""

    def __init__(self, database: Database, caught_up: CaughtUp | None = None) -> None:
        self._database = database
        self._written = Written(caught_up)

    async def find(self, asked: Asked) -> list[CallRow]:
        """Return a page of calls, newest first."""
        if asked.before is None:
            await self._written.wait()
        found: dict[int, Row[Any]] = {}
        async with self._database.connect() as connection:
            for way in _ways(asked):
                statement = select(call_history).where(*way)
                if asked.before is not None:
                    before = tuple_(*asked.before)
                    statement = statement.where(tuple_(_C.started_ms, _C.callid) < before)
                statement = statement.order_by(_C.started_ms.desc(), _C.callid.desc())
                for row in await connection.execute(statement.limit(asked.limit)):
                    found[row.callid] = row
        newest = sorted(found.values(), key=lambda row: (-row.started_ms, -row.callid))
        return [_row(row) for row in newest[: asked.limit]]

    async def get(self, domain_id: int, callid: str, seen: Seen | None) -> CallRow | None:
        """Return one call of a company, if it may be seen."""
        if not callid.isascii() or not callid.isdigit() or len(callid) > 18:
            return None
        await self._written.wait()
        statement = select(call_history).where(
            _C.domain_id == domain_id, _C.callid == int(callid), *visible(seen)
        )
        async with self._database.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        call, legs = _row(row), load_legs(row.legs)
        causes = (*load_causes(row.causes), *of_legs(legs, call.duration))
        return replace(call, path=load_path(row.path), legs=legs, causes=causes)

    async def totals(
        self, domain_id: int, since_ms: int, until_ms: int, seen: Seen | None
    ) -> Totals:
        """Count the external calls of a time."""
        await self._written.wait()
        came, succeeded = _C.direction == Direction.IN.value, _C.status == Status.SUCCESS.value
        talked = case((succeeded, _C.ended_ms - _C.answered_ms), else_=0)
        statement = select(
            _counted(came),
            _counted(~came),
            _counted(came & ~succeeded),
            _counted(_C.missed_status >= UNRETURNED),
            func.coalesce(func.sum(talked), 0),
        ).where(
            _C.domain_id == domain_id,
            _C.is_inner == 0,
            _C.started_ms >= since_ms,
            _C.started_ms < until_ms,
            *visible(seen),
        )
        async with self._database.connect() as connection:
            row = (await connection.execute(statement)).one()
        incoming, outgoing, missed, unreturned, talked_ms = (int(value) for value in row)
        return Totals(incoming, outgoing, missed, unreturned, talked_ms // 1000)


def _counted(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((which, 1), else_=0)), 0)


def visible(seen: Seen | None) -> list[ColumnElement[bool]]:
    """Return the conditions of what somebody may see."""
    if seen is None:
        return []
    always = [login for login in seen.logins if not seen.since_ms.get(login)]
    return [
        or_(
            _of(always),
            _C.group_id.in_(seen.groups),
            *(
                and_(_of([login]), _C.started_ms >= since_ms)
                for login, since_ms in seen.since_ms.items()
                if login in seen.logins and since_ms
            ),
        )
    ]


def _of(logins: Sequence[str]) -> ColumnElement[bool]:
    return or_(_C.user_login.in_(logins), _C.caller_login.in_(logins))


def _ways(asked: Asked) -> Iterator[Sequence[ColumnElement[bool]]]:
    """Return the conditions of the calls asked for, in parts that one index each finds in order.

    A page of the newest calls has to cost the same in a day and in a year of calls. Neither
    database puts two ranges of an index together in order, so calls of one employee are looked
    for among those they took and those they made, and all calls among those with the outside
    and those within.
    """
    people, inner = _people(asked), _C.is_inner
    if asked.tag:  # few calls, found by their number: no other index is to be taken
        t = call_tags.c
        tagged = select(t.callid).where(t.domain_id == asked.domain_id, t.tag == asked.tag)
        named = [_of([asked.login])] if asked.login else []
        yield [_C.callid.in_(tagged), *named, *_wanted(asked, _C.started_ms + 0, inner + 0)]
    elif people is not None:
        for login in people:
            for column in (_C.user_login, _C.caller_login):
                named = [column == login, column != ""]  # as the index has it
                yield [*named, *_wanted(asked, _C.started_ms, inner + 0)]
    elif len(asked.client) >= _WHOLE:
        yield _wanted(asked, _C.started_ms + 0, inner + 0)
    elif asked.kind == "all":
        for value in (0, 1):
            yield [inner == value, *_wanted(asked, _C.started_ms, inner)]
    else:
        yield _wanted(asked, _C.started_ms, inner)


def _people(asked: Asked) -> Sequence[str] | None:
    """Return the employees whose calls are asked for, where they are few."""
    if asked.login:
        return (asked.login,)
    seen = asked.seen
    if seen is not None and not seen.groups and len(seen.logins) <= _FEW:
        return seen.logins
    return None


def _wanted(
    asked: Asked, started: ColumnElement[int], inner: ColumnElement[int]
) -> Sequence[ColumnElement[bool]]:
    """Return what is asked for, by `started` and `inner` as the columns are to be written."""
    wanted = [
        _C.domain_id == asked.domain_id,
        started >= asked.since_ms,
        started < asked.until_ms,
        *visible(asked.seen),
    ]
    if asked.kind != "all":
        wanted.append(inner == int(asked.kind == "inner"))
    if asked.kind in ("in", "missed"):
        wanted.append(_C.direction == Direction.IN.value)
    if asked.kind == "out":
        wanted.append(_C.direction == Direction.OUT.value)
    if asked.kind == "missed":
        wanted.append(_C.status != Status.SUCCESS.value)
    if asked.unreturned:
        wanted.append(_C.missed_status >= UNRETURNED)
    if asked.group:
        wanted.append(_C.group_id == asked.group)
    if asked.client:
        wanted.append(_C.client >= asked.client)
        wanted.append(_C.client < asked.client + ":")  # what begins with these digits
    if asked.diversion:
        wanted.append(_C.diversion == asked.diversion)
    return wanted


def _row(row: Row[Any]) -> CallRow:
    answered = row.answered_ms if row.status == Status.SUCCESS else None
    wait, duration = lengths(row.started_ms, answered, row.ended_ms)
    return CallRow(
        callid=str(row.callid),
        is_inner=bool(row.is_inner),
        started_ms=row.started_ms,
        wait=wait,
        duration=duration,
        direction=row.direction,
        status=row.status,
        client=row.client,
        diversion=row.diversion,
        telnum_name=row.telnum_name,
        destination=row.destination,
        login=row.user_login,
        user_name=row.user_name,
        group=row.group_id,
        group_name=row.group_name,
        caller_login=row.caller_login,
        caller_name=row.caller_name,
        rating=row.rating,
        has_record=row.record in _PLAYABLE,
        missed_status=row.missed_status,
        is_fax=row.record == RECORD_FAX,
        mos=row.mos,
    )
