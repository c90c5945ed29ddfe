"""A call that is to take the place of another one: INVITE with Replaces (RFC 3891).

A phone sends it to finish a transfer that its peer was asked for, to go on with a talk on another
device, or to take a call that rings at a colleague (it has learned of the dialog by BLF).

dialog                          | answer
none of ours, or of others here | 481
one that has ended              | 603
ours, a phone that rings        | the call is picked up, as by *8 and an ext
their own INVITE, unanswered    | 481 (only who has called may replace it)
answered, `early-only`          | 486
a colleague's, told by BLF      | 486
answered                        | the caller has its place, its old owner is hung up

Who may: of an employee's dialog, an authenticated employee of the same company; of a carrier's,
that carrier. Somebody else's dialog is answered as one that is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from vpbx.calls.leg import Leg, Replaced
from vpbx.calls.registry import LiveCall
from vpbx.calls.switch import Switch
from vpbx.directory import Employee
from vpbx.sip import Replaces, Request, Session, SessionState, SipStack, replaces

__all__ = ["find_dialog", "take_place", "wanted_place"]

_NOT_OURS, _OVER, _BUSY = 481, 603, 486

May: TypeAlias = Callable[[LiveCall, Leg], bool]
"""Whether who calls may have the place of this leg of this call."""


def wanted_place(request: Request) -> Replaces | None:
    """Return whose place an INVITE asks for; ValueError when it cannot be read."""
    text = request.headers.get("Replaces")
    return replaces(text) if text is not None else None


def find_dialog(stack: SipStack, wanted: Replaces) -> Session | None:
    """Return the session of a dialog, named as whoever receives the request knows it.

    Or as the phone at its other end does: that is how BLF tells of it (RFC 4235), and a phone
    that watches addresses its INVITE to that one. Tags are random, so nothing is mixed up.
    """
    dialogs, tags = stack.dialogs, (wanted.local_tag, wanted.remote_tag)
    found = dialogs.find(wanted.call_id, *tags) or dialogs.find(wanted.call_id, *reversed(tags))
    return found[0] if found is not None else None


def take_place(
    switch: Switch, leg: Leg, wanted: Replaces, may: May, employee: Employee | None
) -> int:
    """Let the call of `leg` have the place it wants; returns what it is refused with, else 0."""
    session = find_dialog(switch.stack, wanted)
    if session is None:
        ended, tags = switch.stack.dialogs.has_ended, (wanted.local_tag, wanted.remote_tag)
        over = ended(wanted.call_id, *tags) or ended(wanted.call_id, *reversed(tags))
        return _OVER if over else _NOT_OURS
    old = session.listener
    if session.state is SessionState.ENDED:
        return _OVER
    call = _call_of(switch, old) if isinstance(old, Leg) else None
    if call is None or not isinstance(old, Leg) or not may(call, old):
        return _NOT_OURS
    if not session.answered:
        ringing = switch.ringing.get(call.info.callid)
        if session.direction == "in" or ringing is None or employee is None:
            return _NOT_OURS
        if leg.session.remote_sdp is None:  # a phone that rings is taken by who says what it speaks
            return 488
        ringing.pick_up(leg, employee)
        return 0
    if wanted.early_only or _watched(switch, old, wanted, employee):
        return _BUSY
    assert old.inbox is not None
    old.inbox.put(Replaced(old, leg))
    return 0


def _watched(switch: Switch, old: Leg, wanted: Replaces, employee: Employee | None) -> bool:
    """Say whether a colleague's talk was told by BLF, or is named as BLF names it: a key that is
    pressed a moment too late, for a call that rang, must not take it out of their hands."""
    dialogs = switch.stack.dialogs
    if old.party is None or employee is None or old.party.login == employee.login:
        return False
    return old.watched or dialogs.find(wanted.call_id, wanted.local_tag, wanted.remote_tag) is None


def _call_of(switch: Switch, leg: Leg) -> LiveCall | None:
    if leg.inbox is None:
        return None
    return next((call for call in switch.calls if call.inbox is leg.inbox), None)
