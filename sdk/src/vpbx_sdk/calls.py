"""What goes on in calls, from the commands that tell of it.

    receiver.calls.of_user("olga")          # who rings at Olga, whom she talks with
    receiver.calls.get(callid).state        # ringing, dialing, talking, waiting, over
    receiver.calls.conversation(callid)     # all calls that a transfer made of one

A `Receiver` keeps it up to date; whoever fetches commands may feed a `Calls` itself (`take`).
What was missed mends itself: a call whose end was never told ends with its `history`. So many
are remembered; those that are over are forgotten first, then those of which nothing was heard for
longest.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Literal

from vpbx_sdk.commands import Command, Contact, Event, History, Rating

__all__ = ["Call", "Calls", "State"]

State = Literal["waiting", "ringing", "dialing", "talking", "over"]

_MOST = 10_000
"""Calls that are remembered, about."""


@dataclass(frozen=True)
class Call:
    """A call as far as it was told: a value of the moment it was asked for.

    state: `waiting` nobody rings (a menu, a queue); `ringing` at the employees `ringing`;
    `dialing` the employee `user` has the customer called; `talking` with `user`; `over`.
    """

    callid: str
    phone: str = ""
    diversion: str = ""
    direction: str = ""
    state: State = "waiting"
    ringing: tuple[str, ...] = ()
    """Logins of the employees whose phones ring, in the order they began to."""
    user: str = ""
    """Login of who talks or calls; after the end of who did so last."""
    group: str = ""
    started: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    continues: str = ""
    """callid of the call that this one was passed on from."""
    continued: str = ""
    """callid of the call it goes on as after a transfer."""
    history: History | None = None
    """Once it is over and told."""
    rating: int | None = None

    @property
    def over(self) -> bool:
        """Whether it is."""
        return self.state == "over"


@dataclass
class Calls:
    """The calls of a company. Safe to be used by several threads."""

    _calls: OrderedDict[str, Call] = field(default_factory=OrderedDict)
    _heard: dict[str, datetime] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def take(self, command: Command) -> Call | None:
        """Learn from a command; return the call it is about, None when it is about none."""
        if not isinstance(command, (Contact, Event, History, Rating)) or not command.callid:
            return None
        with self._lock:
            call = self._calls.get(command.callid) or Call(command.callid)
            if not call.phone:
                call = replace(call, phone=command.phone)
            call = self._put(_after(call, command))
            if isinstance(command, Event) and command.second_callid:
                self._link(call, command.second_callid)
            self._forget()
            return self._calls.get(command.callid, call)

    def get(self, callid: str) -> Call | None:
        """Return a call, None where nothing was heard of it (or it was long ago)."""
        with self._lock:
            return self._calls.get(callid)

    def active(self) -> list[Call]:
        """Return the calls that are not over, the oldest first."""
        with self._lock:
            return [call for call in self._calls.values() if not call.over]

    def of_user(self, login: str) -> list[Call]:
        """Return the calls that ring at an employee, or that they make or talk in."""
        return [
            call
            for call in self.active()
            if login in call.ringing or (call.user == login and call.state != "ringing")
        ]

    def of_phone(self, phone: str) -> list[Call]:
        """Return the calls with a customer that are not over."""
        return [call for call in self.active() if call.phone == phone]

    def conversation(self, callid: str) -> list[Call]:
        """Return the call and all that transfers made of it, in order, from whichever part."""
        with self._lock:
            first, seen = self._calls.get(callid), {callid}
            while first is not None and first.continues not in seen:
                before = self._calls.get(first.continues)
                if before is None:
                    break
                seen.add(before.callid)
                first = before
            parts: list[Call] = []
            while first is not None and first not in parts:
                parts.append(first)
                first = self._calls.get(first.continued)
            return parts

    def _put(self, call: Call) -> Call:
        self._calls[call.callid] = call
        self._heard[call.callid] = datetime.now(timezone.utc)
        return call

    def _link(self, call: Call, second: str) -> None:
        """The call goes on as another."""
        on = self._calls.get(second) or Call(second, call.phone, call.diversion, call.direction)
        self._put(replace(on, continues=call.callid))

    def _forget(self) -> None:
        """Keep what is bounded: what is over goes first, then what was silent for longest."""
        if len(self._calls) <= _MOST + _MOST // 10:
            return

        def worth(callid: str) -> tuple[bool, datetime]:
            return not self._calls[callid].over, self._heard[callid]

        for callid in sorted(self._calls, key=worth)[: len(self._calls) - _MOST]:
            del self._calls[callid], self._heard[callid]


def _after(call: Call, command: Contact | Event | History | Rating) -> Call:
    """Return the call as it is after what the command tells."""
    if isinstance(command, Contact):
        return replace(call, direction="in", diversion=command.diversion or call.diversion)
    if isinstance(command, Rating):
        return replace(call, rating=command.rating)
    if isinstance(command, History):
        start = command.start or call.started
        return replace(
            call,
            state="over",
            ringing=(),
            direction=command.type or call.direction,
            diversion=command.diversion or call.diversion,
            user=command.user or call.user,
            started=start,
            ended=call.ended
            or (start + timedelta(seconds=command.wait + command.duration) if start else None),
            history=command,
            rating=call.rating if command.rating is None else command.rating,
        )
    return _on_event(call, command)


def _on_event(call: Call, event: Event) -> Call:
    call = replace(
        call,
        direction=event.direction or call.direction,
        diversion=event.diversion or call.diversion,
        group=event.group or call.group,
        started=call.started or _moment(event.fields.get("start", "")) or event.time,
    )
    if call.over:  # told late: it changes nothing any more
        return call
    others = tuple(login for login in call.ringing if login != event.user)
    if event.type == "INCOMING":
        state: State = "talking" if call.state == "talking" else "ringing"
        return replace(call, state=state, ringing=(*others, event.user))
    if event.type == "OUTGOING":
        return replace(call, state="dialing", user=event.user)
    if event.type == "ACCEPTED":
        answered = call.answered or event.time
        return replace(call, state="talking", user=event.user, ringing=others, answered=answered)
    if event.type == "CANCELLED":
        return _cancelled(call, event, others)
    if event.type == "TRANSFERRED":
        return replace(call, continued=event.second_callid or call.continued)
    if event.type == "COMPLETED":
        return replace(call, state="over", ringing=(), ended=event.time)
    return call


def _cancelled(call: Call, event: Event, others: tuple[str, ...]) -> Call:
    """Somebody rings no more; or the customer was called in vain."""
    if call.state == "talking":
        return replace(call, ringing=others)
    if call.state == "dialing" and event.user == call.user:
        return replace(call, state="over", ended=event.time)
    return replace(call, ringing=others, state="ringing" if others else "waiting")


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
