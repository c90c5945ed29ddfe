"""`*2` and a number, pressed in a talk: a transfer for phones that have no key for it.

pressed           | and
*2                | who pressed it is asked for the number, and the other side hears music
an ext in full    | the call goes there; at once, unless a longer ext begins so
any other number  | the call goes there after 3 s without a digit, or at #
*2 once more      | the talk goes on
*5                | the other side is parked

Where the media engine hears no digits of a side while it plays something to the other one
(another machine's RTPProxy), the music begins when the call goes on.
"""

from __future__ import annotations

from vpbx.calls.addresses import party_of
from vpbx.calls.call import Call
from vpbx.calls.inbox import Event, Reminder
from vpbx.calls.leg import Digit, Leg
from vpbx.calls.outcome import Passed
from vpbx.calls.parking import PARK
from vpbx.calls.sounds import prompt
from vpbx.calls.transfer import Refused, goal_for, talks_to

__all__ = ["StarTwo"]

CODE = "*2"
INTERDIGIT_S = 3.0
NO_NUMBER_S = 10.0
_MOST = 32


class StarTwo:
    """What was pressed so far in one talk, by either side."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._keypads: dict[Leg, _Keypad] = {}

    async def take(self, event: Event) -> Passed | None:
        """Go on by an event of the talk; the transfer, once the number is there."""
        if isinstance(event, Digit):
            leg = event.leg
            if event.digit and self._may(leg):
                return await self._keypad(leg).pressed(event.digit)
            return None
        for keypad in self._keypads.values():
            if keypad.pauses(event):
                return await keypad.over()
        return None

    def _may(self, leg: Leg) -> bool:
        """Say whether it is an employee of ours who talks here; those of a connected PBX are
        served there."""
        employees, party = self._call.domain.employees, leg.party
        return party is not None and party.login in employees and leg in self._call.legs()

    def leave(self) -> None:
        """Forget the timers."""
        for keypad in self._keypads.values():
            keypad.leave()

    def _keypad(self, leg: Leg) -> _Keypad:
        for old in [each for each in self._keypads if each not in self._call.legs()]:
            self._keypads.pop(old).leave()  # another one talks in their place by now
        return self._keypads.setdefault(leg, _Keypad(self._call, leg))


class _Keypad:
    """What one of them has pressed."""

    def __init__(self, call: Call, leg: Leg) -> None:
        self._call = call
        self._leg = leg
        self._typed = ""
        self._pause: Reminder | None = None

    def pauses(self, event: Event) -> bool:
        """Say whether an event means that nothing more was pressed in time."""
        return self._pause is not None and self._pause.means(event)

    def leave(self) -> None:
        """Forget the timer."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    async def pressed(self, digit: str) -> Passed | None:
        """Take a digit; the transfer, if the number is complete."""
        leg = self._leg
        self._typed += digit
        number = self._typed[len(CODE) :]
        if self._typed == PARK:
            return await self._dial(PARK)
        if not CODE.startswith(self._typed[: len(CODE)]) or len(number) > _MOST:
            await self._forget()
            if digit == CODE[0]:
                self._typed = digit
                self._wait(INTERDIGIT_S)
        elif self._typed == CODE:
            await self._call.bridge.divert(leg.side)
            self._say(leg, "transfer-dial")
            self._wait(NO_NUMBER_S)
        elif number == CODE:
            await self._forget()
        elif number:
            await self._call.bridge.quiet(leg.side)
            if number.endswith("#"):
                return await self._dial(number[:-1])
            if self._is_complete(number):
                return await self._dial(number)
            self._wait(INTERDIGIT_S)
        else:
            self._wait(INTERDIGIT_S)
        return None

    async def over(self) -> Passed | None:
        """Nothing more was pressed in time: what is there is the number, if anything is."""
        number = self._typed[len(CODE) :]
        if self._leg not in self._call.legs():
            self.leave()
        elif self._typed.startswith(CODE) and number:
            return await self._dial(number)
        else:
            await self._forget()
        return None

    def _say(self, leg: Leg, name: str) -> None:
        call = self._call
        sound = prompt(call.domain, call.switch.config.uploads, name)
        call.bridge.speak(leg.side, (sound,), lambda: None)

    def _is_complete(self, number: str) -> bool:
        exts = self._call.domain.by_ext
        return number in exts and not any(ext != number and ext.startswith(number) for ext in exts)

    async def _dial(self, number: str) -> Passed | None:
        call, leg = self._call, self._leg
        assert leg.party is not None
        by = call.domain.employees.get(leg.party.login)
        try:
            if by is None:
                raise Refused(603)
            goal = goal_for(call.domain, by, number, talks_to(call, leg))
        except Refused:
            await self._forget()
            self._say(leg, "transfer-failed")
            return None
        self.leave()
        await call.bridge.rejoin(leg.side, music=True)
        return Passed(goal, party_of(by), leg, waits=False, say="transfer-wait")

    async def _forget(self) -> None:
        """Begin anew; what is said to them is over."""
        begun = self._typed.startswith(CODE)
        self.leave()
        self._typed = ""
        if begun:
            await self._call.bridge.rejoin(self._leg.side)
            await self._call.bridge.quiet(self._leg.side)

    def _wait(self, seconds: float) -> None:
        self.leave()
        self._pause = self._call.remind(seconds)
