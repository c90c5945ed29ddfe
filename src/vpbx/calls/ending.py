"""What history is told of a call that is over (crm-api §2 history, §4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vpbx.calls.outcome import Ender
from vpbx.calls.statuses import status_of
from vpbx.events import Destination, Direction

if TYPE_CHECKING:
    from vpbx.calls.call import Call

__all__ = ["tell_end"]


def tell_end(call: Call, code: int, *, recorded: bool) -> None:
    """Publish the end of `call`; `code` is the final SIP status of an unanswered one.

    An incoming call that nobody took belongs to the employee rung last; if none was, to the
    best guess made when it began. Its destination and account are those of the department it
    was for, where it was for one.
    """
    journal, direction = call.journal, call.info.direction
    answered = journal.answered_at is not None
    user, group = call.user, call.group
    if not answered and direction is not Direction.OUT:
        user = journal.last_rung or user
    missed_by_group = group is not None and not answered
    destination = Destination.NONE
    if direction is Direction.IN:
        destination = Destination.GROUP if missed_by_group else Destination.USER
    account = user.login if user is not None else ""
    if group is not None and not answered:
        account = group.id
    gave_up = call.ended_by is Ender.CALLER and call.settled is None
    journal.end(
        status_of(direction, answered=answered, gave_up=gave_up, code=code),
        user=user,
        group=group,
        caller=call.from_party,
        destination=destination,
        account=account,
        recorded=recorded,
        sip_code=0 if answered else code,
    )
