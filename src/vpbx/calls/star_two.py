"""`*2` and a number, pressed in a talk: a transfer for phones that have no key for it.

pressed           | and
*2                | who pressed it is asked for the number, and the other side hears music
an ext in full    | the call goes there; at once, unless a longer ext begins so
any other number  | the call goes there after 3 s without a digit, or at #
*2 once more      | the talk goes on
*5                | the other side is parked

Where the media engine hears no digits of a side while it plays something to the other one
(another machine's RTPProxy, DTLS), the music begins when the call goes on.
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
    """What was pressed so far in one talk."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._leg: Leg | None = None
        self._typed = ""
        self._pause: Reminder | None = None

    async def take(self, event: Event) -> Passed | None:
        """Go on by an event of the talk; the transfer, once the number is there."""
        if isinstance(event, Digit):
            if event.digit and event.leg.party is not None:
                return await self._pressed(event.leg, event.digit)
        elif self._pause is not None and self._pause.means(event):
            return await self._over()
        return None

    def leave(self) -> None:
        """Forget the timer."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    async def _pressed(self, leg: Leg, digit: str) -> Passed | None:
        if leg is not self._leg:
            await self._forget()
            self._leg = leg
        self._typed += digit
        number = self._typed[len(CODE) :]
        if self._typed == PARK:
            return await self._dial(PARK)
        if not CODE.startswith(self._typed[: len(CODE)]) or len(number) > _MOST:
            await self._forget()
            if digit == CODE[0]:
                self._leg, self._typed = leg, digit
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

    def _say(self, leg: Leg, name: str) -> None:
        call = self._call
        sound = prompt(call.domain, call.switch.config.uploads, name)
        call.bridge.speak(leg.side, (sound,), lambda: None)

    def _is_complete(self, number: str) -> bool:
        exts = self._call.domain.by_ext
        return number in exts and not any(ext != number and ext.startswith(number) for ext in exts)

    async def _over(self) -> Passed | None:
        number = self._typed[len(CODE) :]
        if self._typed.startswith(CODE) and number:
            return await self._dial(number)
        await self._forget()
        return None

    async def _dial(self, number: str) -> Passed | None:
        call, leg = self._call, self._leg
        assert leg is not None
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
        leg, begun = self._leg, self._typed.startswith(CODE)
        self.leave()
        self._leg, self._typed = None, ""
        if leg is not None and begun:
            await self._call.bridge.rejoin(leg.side)
            await self._call.bridge.quiet(leg.side)

    def _wait(self, seconds: float) -> None:
        self.leave()
        self._pause = self._call.remind(seconds)
