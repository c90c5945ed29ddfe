"""A cast that plays calls of a company: customers at the carrier, employees at their phones.

Each call has a `Plan`: who takes it and when, how long they talk, to whom it is passed on, who
hangs up, what the customer presses. `Cast.customer_calls` plays it and says what came of it;
employees whom nobody planned anything for take what rings, so the API's calls are taken too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeAlias

from vpbx.sim.call import Call, CallFailed, Ending
from vpbx.sim.carrier import Carrier
from vpbx.sim.phone import Phone

__all__ = ["CUSTOMER_HZ", "Answer", "Cast", "Part", "Plan", "Played", "Tell"]

CUSTOMER_HZ = 440.0
_FIRST_EMPLOYEE_HZ, _BETWEEN_HZ, _VOICES = 700.0, 50.0, 20
_LOOK_S = 0.1
_PRESS_AFTER_S = 1.5
"""From the answer of a menu or a mailbox to the first key."""
_RATE_AFTER_S = 2.0
_RATING_S = 45.0
_UNPLANNED_AFTER_S = 2.0
_UNPLANNED_TALK_S = 60.0
_ANSWER_MOST_S = 180.0

Tell: TypeAlias = Callable[[str], None]
"""Hears, in words, what happens in a call."""


class Answer(StrEnum):
    """What a customer does who is called."""

    TAKE = "take"
    BUSY = "busy"
    IGNORE = "ignore"
    UNKNOWN = "unknown"
    """There is no such number."""


_REFUSALS = {Answer.BUSY: 486, Answer.UNKNOWN: 404}


@dataclass(frozen=True, slots=True)
class Part:
    """What an employee does in a call, or a customer who is called."""

    by: str = ""
    """Login of who takes it; "": who is rung and free."""
    after_s: float = 2.0
    """It rings so long before."""
    talk_s: float = 10.0
    hangs_up: bool = False
    """Whether whoever took the call ends it; else the one who called does."""
    passes_to: str = ""
    """What is dialled to pass the customer on after the talk: an ext, a login, a number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a customer's call shall go. Without parts nobody takes it."""

    caller: str
    number: str
    parts: tuple[Part, ...] = ()
    """One for each employee whom the customer talks to, in this order."""
    press: str = ""
    """Keys for the menu that answers; a comma is a pause, for a menu within it to begin."""
    patience_s: float = 30.0
    """How long the customer waits for somebody to take the call."""
    message_s: float = 0.0
    """How long the customer speaks to the mailbox that answers."""
    rating: int = 0
    """What the customer presses when asked to rate the employee who has hung up."""
    listens: bool = False
    """Whether it is looked at that both sides hear each other."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a call."""

    answered_by: tuple[str, ...] = ()
    code: int = 0
    """Final SIP status of a call that was refused, else 0."""
    problem: str = ""
    """Why it did not go as planned."""


class Cast:
    """Who plays. `phones` by login, each registered; `exts` says their internal numbers."""

    def __init__(self, carrier: Carrier, phones: Mapping[str, Phone], exts: Mapping[str, str]):
        self._carrier = carrier
        self._phones = phones
        self._exts = exts
        self.domain = next(iter(phones.values())).domain
        self._playing: dict[str, _Performance] = {}
        """By what the phones show of who calls."""
        self._called: dict[str, tuple[Answer, Part]] = {}
        """By the number that is called."""
        self._voices = {
            login: _FIRST_EMPLOYEE_HZ + _BETWEEN_HZ * (place % _VOICES)
            for place, login in enumerate(phones)
        }
        carrier.behaviour = self._customer_is_called
        for login, phone in phones.items():
            phone.behaviour = partial(self._rings, login)

    def plays(self, number: str) -> bool:
        """Tell whether a customer with this number is in a call."""
        return number in self._playing or number in self._called

    def talks(self, login: str) -> bool:
        """Tell whether an employee has a call."""
        return any(call.is_answered and not call.is_over for call in self._phones[login].calls)

    async def customer_calls(self, plan: Plan, tell: Tell = lambda text: None) -> Played:
        """Play a customer's call to its end; whoever cancels this hangs up."""
        performance = _Performance(self, plan, tell)
        self._playing[plan.caller] = performance
        try:
            call = await self._carrier.call(plan.number, caller=plan.caller, tone_hz=CUSTOMER_HZ)
            try:
                return await performance.play(call)
            finally:
                call.hangup()
                self._carrier.forget(call)
        finally:
            del self._playing[plan.caller]

    async def employee_calls(
        self,
        login: str,
        number: str,
        part: Part,
        answer: Answer = Answer.TAKE,
        *,
        patience_s: float = 20.0,
        tell: Tell = lambda text: None,
    ) -> Played:
        """Let an employee call a customer, or a colleague by ext; `part` is what these do."""
        phone, own = self._phones[login], self._exts[login]
        self._called[number] = (answer, part)
        colleague = next((each for each, ext in self._exts.items() if ext == number), "")
        if colleague:
            taking = (Part(colleague, part.after_s, part.talk_s, part.hangs_up),)
            parts = taking if answer is Answer.TAKE else ()
            self._playing[own] = _Performance(self, Plan(own, number, parts), lambda text: None)
        call = await phone.call(number, tone_hz=self._voices[login])
        try:
            return await _called_out(call, part, patience_s, tell, colleague or number)
        finally:
            call.hangup()
            phone.forget(call)
            self._called.pop(number, None)
            self._playing.pop(own, None)

    def voice(self, login: str) -> float:
        """Return the tone that an employee speaks in, Hz."""
        return self._voices[login]

    async def _rings(self, login: str, call: Call) -> None:
        """What an employee does whose phone rings."""
        try:
            performance = self._playing.get(call.caller[1])
            if performance is not None:
                await performance.rings(login, call)
            elif not await _over(call, _UNPLANNED_AFTER_S) and not self.talks(login):
                await call.answer(self._voices[login])
                if not await _over(call, _UNPLANNED_TALK_S):
                    call.hangup()
            await _over(call, None)
        except CallFailed:
            pass  # it was over just then
        finally:
            self._phones[login].forget(call)

    async def _customer_is_called(self, call: Call) -> None:
        answer, part = self._called.get(call.called, (Answer.TAKE, Part(talk_s=20.0)))
        try:
            if answer in _REFUSALS:
                call.reject(_REFUSALS[answer])
            elif answer is Answer.TAKE and not await _over(call, part.after_s):
                await call.answer(CUSTOMER_HZ)
                if not await _over(call, part.talk_s):
                    call.hangup()
            await _over(call, None)
        except CallFailed:
            pass
        finally:
            self._carrier.forget(call)


@dataclass(slots=True)
class _Performance:
    """One customer's call while it goes on."""

    cast: Cast
    plan: Plan
    tell: Tell
    answered_by: list[str] = field(default_factory=list)
    problem: str = ""
    _place: int = 0
    """Which part is next, or is being played."""
    _talking: bool = False
    _is_done: bool = False
    """The customer may hang up."""
    _waits_for: str = ""
    """To whom the customer has been passed on, who has not taken the call yet."""
    _left: bool = False
    """The employee has hung up: the customer may be asked to rate them."""

    async def play(self, call: Call) -> Played:
        """Be the customer until the call is over."""
        plan = self.plan
        keys = asyncio.create_task(self._press(call))
        loop = asyncio.get_running_loop()
        waits_since = loop.time()
        try:
            while not await _over(call, _LOOK_S):
                if self._talking:
                    waits_since = loop.time()
                if self._is_done or loop.time() - waits_since > plan.patience_s:
                    self.tell(f"{plan.caller} hangs up")
                    call.hangup()
                elif self._left:
                    await self._rate(call)
        finally:
            keys.cancel()
        ending = call.ending or Ending(0, "")
        return Played(tuple(self.answered_by), ending.code, self.problem or self._missing(ending))

    async def rings(self, login: str, call: Call) -> None:
        """Be an employee whose phone rings for this call."""
        place, part = self._place, self._part
        if part is None or part.by not in ("", login) or self.cast.talks(login):
            return
        if await _over(call, part.after_s) or place != self._place or self._talking:
            return
        self._talking = True
        self._waits_for = ""
        await call.answer(self.cast.voice(login))
        self.answered_by.append(login)
        self.tell(f"{login} answers")
        began_at = asyncio.get_running_loop().time()
        if self.plan.listens:
            await self._listen(login, call)
        spent_s = asyncio.get_running_loop().time() - began_at
        if await _over(call, max(0.0, part.talk_s - spent_s)):
            self._next()  # the customer is gone, or somebody else has passed them on
        elif part.passes_to:
            await self._pass_on(login, call, part.passes_to)
        elif part.hangs_up:
            self.tell(f"{login} hangs up")
            self._left = True
            call.hangup()
        else:
            self._is_done = True

    @property
    def _part(self) -> Part | None:
        """What is to be played next; whoever comes beyond the plan takes the call as usual."""
        parts = self.plan.parts
        if not parts:
            return None
        return parts[self._place] if self._place < len(parts) else Part()

    async def _listen(self, login: str, call: Call) -> None:
        try:
            measured = await call.heard(CUSTOMER_HZ)
        except TimeoutError as error:
            self.problem = f"{login} does not hear the customer: {error}"
        else:
            self.tell(f"{login} hears the customer ({measured:.0f} Hz)")

    async def _pass_on(self, login: str, call: Call, whom: str) -> None:
        self.tell(f"{login} passes the call on to {whom}")
        self._next()
        self._waits_for = whom
        code = await call.transfer(f"sip:{whom}@{self.cast.domain}")
        if code != 202:
            self.problem = f"the transfer to {whom} was refused ({code})"
            self._is_done = True
        call.hangup()

    def _next(self) -> None:
        self._place += 1
        self._talking = False

    async def _press(self, call: Call) -> None:
        """Press the menu's keys; or speak to the mailbox, past its greeting by #."""
        plan = self.plan
        if not plan.press and not plan.message_s:
            return
        try:
            await call.answered(_ANSWER_MOST_S)
            for keys in (plan.press or "#").split(","):
                await asyncio.sleep(_PRESS_AFTER_S)
                call.dial(keys)
            if plan.message_s:
                self._talking = True
                self.tell(f"{plan.caller} leaves a message")
                await asyncio.sleep(plan.message_s + _PRESS_AFTER_S)
                self._is_done = True
        except (CallFailed, TimeoutError):
            pass  # told by how the call ends

    async def _rate(self, call: Call) -> None:
        """Press the mark when the question is put, and hear the end."""
        self._left = False
        if self.plan.rating and not await _over(call, _RATE_AFTER_S):
            self.tell(f"{self.plan.caller} rates {self.plan.rating}")
            call.dial(str(self.plan.rating))
        if not await _over(call, _RATING_S):
            call.hangup()

    def _missing(self, ending: Ending) -> str:
        """Say what of the plan has not come about."""
        if ending.code not in (0, 487):
            return f"the call was refused: {ending.code} {ending.cause}"
        if self._waits_for:
            return f"nobody took the call that was passed on to {self._waits_for}"
        if not self.plan.parts or self.answered_by:
            return ""
        who = self.plan.parts[0].by
        return f"{who} was not rung" if who else "nobody who was rung took the call"


async def _called_out(call: Call, part: Part, patience_s: float, tell: Tell, whom: str) -> Played:
    """Be the employee who calls."""
    try:
        await call.answered(patience_s)
    except TimeoutError:
        tell(f"{whom} does not answer")
        return Played()
    except CallFailed as failed:
        tell(f"{whom} is not reached: {failed}")
        return Played(code=failed.code)
    tell(f"{whom} answers")
    most_s = part.talk_s if not part.hangs_up else part.talk_s + _UNPLANNED_TALK_S
    await _over(call, most_s)
    return Played(answered_by=(whom,))


async def _over(call: Call, within_s: float | None) -> bool:
    """Wait for the end of a call, at most so long (None: as long as it takes); tell if it came."""
    try:
        await call.ended(within_s if within_s is not None else 10 * 365 * 86400.0)
    except TimeoutError:
        return False
    return True
