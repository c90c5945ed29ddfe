"""A chapter: what is told of a call under one callid, from its start to its end.

Values only. Whoever tells an end or encodes a recording gets the chapter, never the call, which
may have turned to the next one by then (a transfer).
"""

from __future__ import annotations

from vpbx.calls.journal import Journal
from vpbx.calls.statuses import status_of
from vpbx.clock import Clock
from vpbx.events import CallInfo, Destination, Direction, EventBus, Group, Party
from vpbx.media import Side

__all__ = ["Chapter", "left_side"]


def left_side(direction: Direction) -> Side:
    """Return whose voice is in the left channel: the customer's, of an inner call the caller's.

    Side A is always who the call began with, whether they dialled or the API rang them first.
    """
    return Side.B if direction is Direction.OUT else Side.A


class Chapter:
    """One callid: who has the call, its journal, its end."""

    __slots__ = ("caller", "group", "info", "journal", "user")

    def __init__(self, info: CallInfo, events: EventBus, clock: Clock) -> None:
        self.info = info
        self.journal = Journal(info, events, clock)
        self.user: Party | None = None
        """Who it belongs to: the best guess, later the one who was rung or talked."""
        self.group: Group | None = None
        self.caller: Party | None = None
        """Inner calls: the employee who calls."""

    @property
    def answered(self) -> bool:
        """Whether anybody has talked."""
        return self.journal.answered_at is not None

    @property
    def parties(self) -> list[str]:
        """Logins of the employees it is of."""
        return [party.login for party in (self.user, self.caller) if party is not None]

    @property
    def left(self) -> Side:
        """The side whose voice is in the left channel."""
        return left_side(self.info.direction)

    def end(self, code: int, *, gave_up: bool, recorded: bool) -> None:
        """Publish the end; `code` is the final SIP status of an unanswered call.

        `gave_up`: whoever placed the call ended it, and not we, nor whom they called.

        An incoming call that nobody took belongs to the employee rung last; if none was, to the
        best guess made when it began. Its destination and account are those of the department
        it was for, where it was for one.
        """
        journal, direction = self.journal, self.info.direction
        answered = self.answered
        user, group = self.user, self.group
        if not answered and direction is not Direction.OUT:
            user = journal.last_rung or user
        missed_by_group = group is not None and not answered
        destination = Destination.NONE
        if direction is Direction.IN:
            destination = Destination.GROUP if missed_by_group else Destination.USER
        account = user.login if user is not None else ""
        if group is not None and not answered:
            account = group.id
        journal.end(
            status_of(direction, answered=answered, gave_up=gave_up, code=code),
            user=user,
            group=group,
            caller=self.caller,
            destination=destination,
            account=account,
            recorded=recorded,
            sip_code=0 if answered else code,
        )
