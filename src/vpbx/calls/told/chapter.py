"""A chapter: what is told of a call under one callid, from its start to its end.

Values only. Whoever tells an end or encodes a recording gets the chapter, never the call, which
may have turned to the next one by then (a transfer).
"""

from __future__ import annotations

from vpbx.calls.shared.lines import Lines
from vpbx.calls.told.journal import Journal
from vpbx.clock import Clock
from vpbx.events import CallInfo, Direction, EventBus
from vpbx.media import Side
from vpbx.story import Story

__all__ = ["Chapter", "left_side"]


def left_side(direction: Direction) -> Side:
    """Return whose voice is in the left channel: the customer's, of an inner call the caller's.

    Side A is always who the call began with, whether they dialled or the API rang them first.
    """
    return Side.B if direction is Direction.OUT else Side.A


class Chapter:
    """One callid: its journal, and through that who has the call, where it is and its end."""

    __slots__ = ("info", "journal")

    def __init__(self, info: CallInfo, events: EventBus, clock: Clock, lines: Lines) -> None:
        self.info = info
        self.journal = Journal(info, events, clock, lines)

    @property
    def story(self) -> Story:
        """What has been told so far comes to this."""
        return self.journal.story

    @property
    def parties(self) -> list[str]:
        """Logins of the employees it is of."""
        story = self.story
        return [party.login for party in (story.owner, story.caller) if party is not None]

    @property
    def left(self) -> Side:
        """The side whose voice is in the left channel."""
        return left_side(self.info.direction)
