"""The busy company: customers call at a rate, managers answer, miss, pass on and call out."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from vpbx.sandbox.company import (
    BUTTONS,
    DEPARTMENTS,
    MAIN,
    OLGAS,
    RATED,
    SALES_LINE,
    STAFF,
    SUPPORT_LINE,
    VOICEMAIL,
)
from vpbx.sandbox.customers import Customers
from vpbx.sim import Answer, Cast, Part, Plan
from vpbx.tasks import watched

__all__ = ["MOST_AT_ONCE", "Traffic"]

T = TypeVar("T")

MOST_AT_ONCE = 24
"""Calls of ours; beyond that customers find the line busy, as elsewhere."""
_NUMBERS = {MAIN: 0.45, SALES_LINE: 0.27, SUPPORT_LINE: 0.2, OLGAS: 0.05, VOICEMAIL: 0.03}
_IN, _OUT = 0.7, 0.92
_TAKEN, _PASSED_ON, _CALLED_BACK = 0.84, 0.1, 0.5
_TALK_S, _TALK_SPREAD, _TALK_LEAST_S, _TALK_MOST_S = 22.0, 0.6, 4.0, 90.0
_OUT_ANSWERS = {Answer.TAKE: 0.68, Answer.BUSY: 0.1, Answer.IGNORE: 0.2, Answer.UNKNOWN: 0.02}
_MARKS = {5: 0.6, 4: 0.2, 3: 0.08, 2: 0.04, 1: 0.08}


class Traffic:
    """Calls of customers and employees, by chances that `seed` decides."""

    def __init__(self, cast: Cast, seed: int, per_minute: float) -> None:
        self._cast = cast
        self._chance = random.Random(f"traffic of {seed}")
        self._customers = Customers(seed)
        self._per_minute = per_minute
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Call until cancelled; what goes on then is hung up."""
        try:
            while True:
                await asyncio.sleep(self._chance.expovariate(self._per_minute / 60))
                if len(self._calls) < MOST_AT_ONCE:
                    self._begin(self._some_call())
        finally:
            calls = tuple(self._calls)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    def _begin(self, play: Callable[[], Awaitable[object]]) -> None:
        async def call() -> None:
            await play()

        task = watched(asyncio.create_task(call()))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    def _some_call(self) -> Callable[[], Awaitable[object]]:
        kind = self._chance.random()
        if kind < _IN:
            plan = self._plan()
            return lambda: self._incoming(plan)
        login = self._somebody()
        part = Part(after_s=self._chance.uniform(2, 6), talk_s=self._talk_s())
        if kind < _OUT:
            answer = self._choose(_OUT_ANSWERS)
            return lambda: self._outgoing(login, self._customer(), part, answer)
        colleague = self._chance.choice([each for each in STAFF if each.login != login])
        return lambda: self._outgoing(login, colleague.ext, part, Answer.TAKE)

    async def _incoming(self, plan: Plan) -> None:
        played = await self._cast.customer_calls(plan)
        if not played.answered_by and self._chance.random() < _CALLED_BACK:
            await asyncio.sleep(self._chance.uniform(10, 90))
            part = Part(after_s=3, talk_s=self._talk_s())
            await self._outgoing(self._somebody(), plan.caller, part, Answer.TAKE)

    async def _outgoing(self, login: str, number: str, part: Part, answer: Answer) -> None:
        if self._free(login) and not self._cast.plays(number):
            await self._cast.employee_calls(login, number, part, answer)

    def _plan(self) -> Plan:
        chance = self._chance
        number = self._choose(_NUMBERS)
        press = ""
        if number == MAIN and chance.random() < 0.9:
            press = BUTTONS[DEPARTMENTS[int(chance.random() ** 2 * len(DEPARTMENTS))]]
        parts: tuple[Part, ...] = ()
        hangs_up = chance.random() < 0.5
        if number != VOICEMAIL and chance.random() < _TAKEN:
            after_s = chance.uniform(2, 8)
            parts = (Part("", after_s, self._talk_s(), hangs_up),)
            if chance.random() < _PASSED_ON:
                first = Part("", after_s, self._talk_s() / 2, passes_to=self._somebody())
                parts = (first, *parts)
        return Plan(
            caller=self._customer(),
            number=number,
            parts=parts,
            press=press,
            patience_s=chance.uniform(12, 40),
            message_s=chance.uniform(3, 12) if number == VOICEMAIL else 0.0,
            rating=self._choose(_MARKS) if number in RATED and chance.random() < 0.7 else 0,
        )

    def _customer(self) -> str:
        while True:
            number = self._customers.somebody(self._chance)
            if not self._cast.plays(number):
                return number

    def _somebody(self) -> str:
        """Return an employee, one who is free where there is one."""
        free = [person.login for person in STAFF[1:] if self._free(person.login)]
        return self._chance.choice(free or [person.login for person in STAFF[1:]])

    def _free(self, login: str) -> bool:
        return not self._cast.talks(login)

    def _talk_s(self) -> float:
        wanted = self._chance.lognormvariate(math.log(_TALK_S), _TALK_SPREAD)
        return min(max(wanted, _TALK_LEAST_S), _TALK_MOST_S)

    def _choose(self, weights: Mapping[T, float]) -> T:
        return self._chance.choices(list(weights), list(weights.values()))[0]
