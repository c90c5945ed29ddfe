"""What the outside is told of a call: the one place that publishes call events.

Theory of operation. A call touches some employees; each of them is in one state of the call,
and moves (somebody rings, is dialled for, talks, stops) change it. The table below says which
move is possible in which state, where it leads and what is published. A move that is not in
the table changes nothing and publishes nothing, so a route may say "stop" of anybody at any
time, twice if need be, and the events still come out balanced:

- each Ringing is followed by exactly one Answered or RingEnded of the same employee,
- each Dialing by exactly one Answered or AttemptEnded,
- each Answered by exactly one Completed,
- one CallStarted comes first, one CallEnded after all of these.

When somebody answers, those who still ring are told off first: a receiver that keeps one state
a call then ends with the right one (crm-api §2).

Times are the moment the call began plus what the monotonic clock has counted since: a clock
that is set while they talk changes no duration.

Inner calls publish the same events; that the CRM does not hear of them is up to its recorder.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TypeAlias

from vpbx.calls.shared.lines import Lines, Use
from vpbx.causes import Cause
from vpbx.clock import Clock
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallerReplaced,
    CallEvent,
    CallInfo,
    CallStarted,
    Completed,
    Destination,
    Dialing,
    Entered,
    EventBus,
    FaxReceived,
    Group,
    MessageLeft,
    Party,
    Rated,
    RecordingReady,
    RingEnded,
    Ringing,
    Taken,
    Transferred,
)
from vpbx.legs import CallLeg
from vpbx.story import Story

__all__ = ["Journal", "Move", "PartyState"]


_MOST_CAUSES = 16


class PartyState(Enum):
    """What an employee is to a call."""

    __hash__ = object.__hash__  # of a C slot; Enum's own is a function of Python

    IDLE = auto()
    RINGING = auto()
    DIALING = auto()
    """The outside party is being called for them."""
    TALKING = auto()


class Move(Enum):
    """What changes it."""

    __hash__ = object.__hash__

    RING = auto()
    DIAL = auto()
    ANSWER = auto()
    STOP = auto()


_Event: TypeAlias = (
    type[Ringing]
    | type[RingEnded]
    | type[Dialing]
    | type[AttemptEnded]
    | type[Answered]
    | type[Completed]
)

TABLE: dict[tuple[PartyState, Move], tuple[PartyState, tuple[_Event, ...]]] = {
    (PartyState.IDLE, Move.RING): (PartyState.RINGING, (Ringing,)),
    (PartyState.IDLE, Move.DIAL): (PartyState.DIALING, (Dialing,)),
    (PartyState.RINGING, Move.ANSWER): (PartyState.TALKING, (Answered,)),
    (PartyState.RINGING, Move.STOP): (PartyState.IDLE, (RingEnded,)),
    (PartyState.DIALING, Move.ANSWER): (PartyState.TALKING, (Answered,)),
    (PartyState.DIALING, Move.STOP): (PartyState.IDLE, (AttemptEnded,)),
    (PartyState.TALKING, Move.STOP): (PartyState.IDLE, (Completed,)),
}

USE: dict[PartyState, Use | None] = {
    PartyState.IDLE: None,
    PartyState.RINGING: Use.RINGING,
    PartyState.DIALING: Use.PLACING,
    PartyState.TALKING: Use.TALKING,
}
"""What a state means for the employee's line."""


class Journal:
    """The events of one call, in order and in balance."""

    __slots__ = (
        "_bus",
        "_causes",
        "_clock",
        "_lines",
        "_open",
        "_origin",
        "ended",
        "info",
        "legs",
        "started",
        "story",
    )

    def __init__(self, info: CallInfo, bus: EventBus, clock: Clock, lines: Lines) -> None:
        self.info = info
        self.story = Story(info)
        """What all that was published comes to."""
        self.started = False
        self.legs: tuple[CallLeg, ...] = ()
        """Who was in it, and how good their sound was; known before the end."""
        self.ended = False
        self._causes: list[Cause] = []
        self._bus = bus
        self._clock = clock
        self._lines = lines
        self._origin = clock.now()
        self._open: dict[str, tuple[Party, PartyState, Group | None]] = {}

    def start(
        self,
        user: Party | None,
        *,
        group: Group | None = None,
        caller: Party | None = None,
        place: Destination = Destination.NONE,
        account: str = "",
    ) -> None:
        """Publish that the call exists; `user` is the best guess of who will have it."""
        if not self.started:
            self.started = True
            at = self.info.started_at
            self._publish(CallStarted(self.info, at, user, group, caller, place, account))

    def enter(
        self,
        place: Destination = Destination.NONE,
        *,
        user: Party | None = None,
        group: Group | None = None,
        account: str = "",
    ) -> None:
        """Publish that the call has come to another place, if that says anything new.

        `user` is the best guess of who it belongs to now; None leaves the one before.
        """
        story = self.story
        same = (place, group, account) == (story.place, story.group, story.account)
        if self.started and not self.ended and not (same and user in (None, story.user)):
            self._publish(Entered(self.info, self.now(), place, user, group, account))

    def take(self, place: Destination, *, account: str = "", since: float | None = None) -> None:
        """Publish that something which is no employee has taken the call: it is a success.

        `since`: when it did (see `now`), where that shows only later.
        """
        if self.started and not self.ended:
            self.stop_all()
            at = self.now() if since is None else since
            self._publish(Taken(self.info, at, place, account))

    def receive_fax(self, client: str, name: str, pages: int, *, whole: bool) -> None:
        """Publish that a fax has arrived for whom the call is."""
        user = self.story.user
        if self.started and not self.ended and user is not None:
            self._publish(FaxReceived(self.info, self.now(), user, client, name, pages, whole))

    def rate(self, party: Party, rating: int) -> None:
        """Publish that the customer has rated an employee, 1 to 5."""
        if self.started and not self.ended:
            self._publish(Rated(self.info, self.now(), party, rating))

    def leave_message(self, boxes: tuple[str, ...], client: str, name: str, seconds: int) -> None:
        """Publish that the caller has left a voicemail message."""
        if self.started and not self.ended:
            self._publish(MessageLeft(self.info, self.now(), boxes, client, name, seconds))

    def ring(self, party: Party, group: Group | None = None) -> None:
        """A device of `party` rings."""
        self._move(party, Move.RING, group)

    def dial(self, party: Party, group: Group | None = None) -> None:
        """The outside party is dialled for `party`."""
        self._move(party, Move.DIAL, group)

    def answer(self, party: Party, group: Group | None = None) -> None:
        """Talk begins, and everybody else who still rings has stopped.

        A phone may answer without having said that it rings: it is told as one that rang.
        """
        if self.state(party) is PartyState.IDLE:
            self._move(party, Move.RING, group)
        self.stop_all(besides=party)
        self._move(party, Move.ANSWER, group)

    def pass_on(self, party: Party, second_callid: str) -> None:
        """`party` passes the call on, which goes on under `second_callid`: they are done here."""
        self._tell_transfer(party, second_callid)
        self.stop(party)

    def put_through(self, party: Party, to: Party | None) -> None:
        """Somebody else, `to`, talks in the place of `party`: the call is now theirs, or it was
        `party` who had placed it."""
        story = self.story
        if self.state(party) is PartyState.DIALING and to is not None:
            self.stop(party)
            self.dial(to)
            return
        if self.answered_at is not None:
            self._tell_transfer(party, "")
        if story.caller is not None and story.caller.login == party.login:
            if self.started and not self.ended:
                self._publish(CallerReplaced(self.info, self.now(), to))
            return
        if self.answered_at is None:
            return
        if self._open.pop(party.login, None) is not None:
            self._use(party, None, None)
        if to is None:
            self.take(Destination.TELNUM)
        elif self.started and not self.ended:
            self._open[to.login] = (to, PartyState.TALKING, None)
            self._publish(Answered(self.info, self.now(), to))
            self._use(to, PartyState.TALKING, None)

    def _tell_transfer(self, party: Party, second_callid: str) -> None:
        if self.started and not self.ended:
            group = self._open[party.login][2] if party.login in self._open else None
            self._publish(Transferred(self.info, self.now(), party, second_callid, group))

    def stop(self, party: Party) -> None:
        """Whatever `party` was doing in this call is over."""
        self._move(party, Move.STOP, None)

    def stop_all(self, *, besides: Party | None = None) -> None:
        """All but `besides` have stopped."""
        for party, _, _ in tuple(self._open.values()):
            if besides is None or party.login != besides.login:
                self._move(party, Move.STOP, None)

    def state(self, party: Party) -> PartyState:
        """Return what `party` is doing in this call."""
        entry = self._open.get(party.login)
        return entry[1] if entry else PartyState.IDLE

    @property
    def answered_at(self) -> float | None:
        """When talk began."""
        return self.story.answered_at

    def because(self, *causes: Cause) -> None:
        """Note what has failed; what is the same is noted once."""
        for cause in causes:
            if cause not in self._causes and len(self._causes) < _MOST_CAUSES:
                self._causes.append(cause)

    def end(self, code: int, *, gave_up: bool = False, recorded: bool = False) -> None:
        """Stop everybody and publish the end of the call; once, however often it is asked.

        See `Story.end`.
        """
        if not self.started or self.ended:
            return
        self.stop_all()
        self.ended = True
        end = self.story.end(
            self.now(),
            code=code,
            gave_up=gave_up,
            recorded=recorded,
            legs=self.legs,
            causes=tuple(self._causes),
        )
        self._publish(end)

    def recording_ready(self, ok: bool) -> None:
        """Publish that the recording is complete on disk, or never will be."""
        self._bus.publish(RecordingReady(self.info, self.now(), ok))

    def _move(self, party: Party, move: Move, group: Group | None) -> None:
        if self.ended or not self.started:
            return
        was = self._open.get(party.login)
        entry = TABLE.get((was[1] if was else PartyState.IDLE, move))
        if entry is None:
            return
        state, events = entry
        if was is not None:  # an employee keeps the name and department they came in with
            party, group = was[0], was[2]
        if state is PartyState.IDLE:
            del self._open[party.login]
        else:
            self._open[party.login] = (party, state, group)
        at = self.now()
        for event in events:
            self._publish(event(self.info, at, party, group))
        self._use(party, state, group)

    def _use(self, party: Party, state: PartyState | None, group: Group | None) -> None:
        info, now = self.info, self._clock.now()
        use = USE[state] if state is not None else None
        department = group.id if group is not None else ""
        self._lines.move(info.domain_id, party.login, info.callid, use, now=now, group=department)

    def _publish(self, event: CallEvent) -> None:
        self.story.tell(event)
        self._bus.publish(event)

    def now(self) -> float:
        """Return this moment as the call's events tell it."""
        return self.info.started_at + self._clock.now() - self._origin
