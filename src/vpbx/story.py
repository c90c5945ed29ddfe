"""What has become of a call: a fold over its events, for the end as it happens and after a crash.

The one place that says whose call it was, where it ended and how (crm-api §2 history, §4,
call-events). Call control folds the events it publishes, history those it journals; both then
ask the same `Story` for the end, so a call that a crash cut off is told like any other.

Whose it was: of a call that somebody took, theirs. Of one that nobody took: the employee rung
last; if none was, the best guess made when it began or came to another place. The place it
ended at, unless somebody took it, is where it was last said to be; else the department it was
for, else the employee.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vpbx.causes import Cause
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallerReplaced,
    CallEvent,
    CallInfo,
    CallStarted,
    Completed,
    Destination,
    Dialing,
    Direction,
    Entered,
    FaxReceived,
    Group,
    Party,
    Rated,
    RingEnded,
    Ringing,
    Status,
    Taken,
)
from vpbx.legs import CallLeg

__all__ = ["FAX", "Story", "account_of", "status_of"]

FAX = "fax"
"""The account of a call that went to the fax machine."""

_STATUS_OF_CODE = {
    486: Status.BUSY,
    600: Status.BUSY,
    403: Status.NOTALLOWED,
    603: Status.NOTALLOWED,
    404: Status.NOTFOUND,
    484: Status.NOTFOUND,
    604: Status.NOTFOUND,
}
"""What the called network's answer means in the history of an outgoing call."""


def status_of(
    direction: Direction, *, answered: bool, gave_up: bool = False, code: int = 0
) -> Status:
    """Return the history status of a call.

    `gave_up`: whoever placed the call ended it unanswered; `code`: the SIP status that decided.
    """
    if answered:
        return Status.SUCCESS
    if direction is Direction.IN:
        return Status.MISSED
    if direction is Direction.INNER:
        return Status.NOANSWER
    if gave_up:
        return Status.CANCEL
    return _STATUS_OF_CODE.get(code, Status.NOTAVAILABLE)


def account_of(
    status: Status, direction: Direction, user: Party | None, group: Group | None
) -> str:
    """Return whose call it was (crm-api §4): the login of who talked or placed the call; else
    the department's id; else the employee who was to get it."""
    theirs = status is Status.SUCCESS or direction is Direction.OUT
    if user is not None and (theirs or group is None):
        return user.login
    return group.id if group is not None else ""


@dataclass(slots=True)
class Story:
    """What is known of a call that is going on."""

    call: CallInfo
    user: Party | None = None
    """Who has it; while nobody does, the best guess."""
    group: Group | None = None
    caller: Party | None = None
    """Inner calls: who calls."""
    place: Destination = Destination.NONE
    account: str = ""
    """Said where neither employee nor department is what an account names: `ivr`, `fax`."""
    rung: Party | None = None
    """Who was rung last."""
    answered_at: float | None = None
    rating: int | None = None
    ringing: dict[str, Party] = field(default_factory=dict)
    """By login: whose phones ring."""
    dialing: Party | None = None
    """For whom the customer is dialled."""
    talking: Party | None = None
    kept: bool = False
    """Whether a fax has arrived that is kept."""
    talked_until: float | None = None
    """When the talk ended, where something came after it: the customer was asked to rate it."""

    def tell(self, event: CallEvent) -> None:
        """Go on by one event."""
        turn = _TURNS.get(type(event))
        if turn is not None:
            turn(self, event)

    @property
    def owner(self) -> Party | None:
        """Whose call it would be if it ended now."""
        if self.answered_at is not None or self.call.direction is Direction.OUT:
            return self.user
        return self.rung or self.user

    def closing(self, at: float) -> list[CallEvent]:
        """Return what ends everything that is open: who rings, is dialled for, talks."""
        call, group = self.call, self.group
        events: list[CallEvent] = [
            RingEnded(call, at, party, group) for party in self.ringing.values()
        ]
        if self.talking is not None:
            events.append(Completed(call, at, self.talking, group))
        if self.dialing is not None:
            events.append(AttemptEnded(call, at, self.dialing, group))
        return events

    def end(
        self,
        at: float,
        *,
        code: int,
        gave_up: bool,
        recorded: bool,
        legs: tuple[CallLeg, ...] = (),
        causes: tuple[Cause, ...] = (),
    ) -> CallEnded:
        """Return the end. `code` is the final SIP status of an unanswered call; `gave_up`: who
        placed the call ended it, and neither we nor whom they called."""
        answered = self.answered_at is not None
        fax = answered and self.account == FAX
        if self.account == FAX:
            recorded = fax and (recorded or self.kept)
        if answered and self.talking is None and self.talked_until is not None:
            at = self.talked_until
        direction, user, group = self.call.direction, self.owner, self.group
        status = status_of(direction, answered=answered, gave_up=gave_up, code=code)
        return CallEnded(
            self.call,
            at,
            status,
            user=user,
            group=group,
            caller=self.caller,
            answered_at=self.answered_at,
            destination=self._destination(answered=answered),
            account=self.account or account_of(status, direction, user, group),
            recorded=recorded,
            sip_code=0 if answered else code,
            fax=fax,
            legs=legs,
            causes=causes,
        )

    def _destination(self, *, answered: bool) -> Destination:
        """Return where an incoming call ended, or whom it was for."""
        if self.call.direction is not Direction.IN:
            return Destination.NONE
        if self.place is not Destination.NONE:
            return self.place
        if self.group is not None and not answered:
            return Destination.GROUP
        return Destination.USER if self.owner is not None else Destination.NONE

    # -- one turn for each kind of event --------------------------------------------------------

    def _started(self, event: CallStarted) -> None:
        self.user, self.group, self.caller = event.user, event.group, event.caller
        self.place, self.account = event.place, event.account

    def _entered(self, event: Entered) -> None:
        self.place, self.group, self.account = event.place, event.group, event.account
        if event.user is not None:
            self.user = event.user

    def _taken(self, event: Taken) -> None:
        self.place, self.account = event.place, event.account
        if event.account != FAX:  # which is for whom its number names, whoever was rung before
            self.user = self.owner
        self.answered_at = event.at

    def _ringing(self, event: Ringing) -> None:
        self.ringing[event.user.login] = event.user
        if self.answered_at is None:
            self.rung = event.user
            self.group = event.group or self.group

    def _ring_ended(self, event: RingEnded) -> None:
        self.ringing.pop(event.user.login, None)

    def _dialing(self, event: Dialing) -> None:
        self.dialing = self.user = event.user
        self.group = event.group or self.group

    def _attempt_ended(self, event: AttemptEnded) -> None:
        self.dialing = None

    def _answered(self, event: Answered) -> None:
        self.ringing.pop(event.user.login, None)
        self.dialing = None
        self.talking = self.user = event.user
        self.group = event.group or self.group
        self.account = ""
        if self.call.direction is Direction.IN:
            self.place = Destination.USER
        if self.answered_at is None:
            self.answered_at = event.at

    def _completed(self, event: Completed) -> None:
        if self.talking is not None and self.talking.login == event.user.login:
            self.talking = None
            self.talked_until = event.at

    def _caller_replaced(self, event: CallerReplaced) -> None:
        self.caller = event.caller

    def _fax_received(self, event: FaxReceived) -> None:
        self.kept = True

    def _rated(self, event: Rated) -> None:
        self.rating = event.rating


_TURNS: dict[type, Callable[[Story, Any], None]] = {
    CallStarted: Story._started,
    Entered: Story._entered,
    Taken: Story._taken,
    Ringing: Story._ringing,
    RingEnded: Story._ring_ended,
    Dialing: Story._dialing,
    AttemptEnded: Story._attempt_ended,
    Answered: Story._answered,
    Completed: Story._completed,
    Rated: Story._rated,
    CallerReplaced: Story._caller_replaced,
    FaxReceived: Story._fax_received,
}
