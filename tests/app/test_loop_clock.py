"""The clock of the loop: calls that are long to come, many of which are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, cast

import pytest

from vpbx.clock import LoopClock, ManualClock

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Loop:
    """A loop whose time is turned by hand, in whole milliseconds as uvloop's."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000.0)
        self.made: list[Any] = []
        """The timers it was ever asked for."""
        self.failed = False

    def time(self) -> float:
        return round(self.clock.now(), 3)

    def call_later(
        self, delay: float, callback: Callable[[], Any], *, context: Context | None = None
    ) -> Any:
        where = context if context is not None else Context()
        timer = self.clock.call_later(round(delay, 3), lambda: self._run(callback, where))
        self.made.append(timer)
        return timer

    def call_soon(self, callback: Callable[[], Any], *, context: Context | None = None) -> Any:
        where = context if context is not None else Context()
        return self.clock.call_later(0, lambda: self._run(callback, where))

    def _run(self, callback: Callable[[], Any], context: Context) -> None:
        try:
            context.run(callback)
        except ZeroDivisionError:
            self.failed = True


def fails() -> None:
    raise ZeroDivisionError


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def clock(loop: Loop) -> LoopClock:
    return LoopClock(cast(asyncio.AbstractEventLoop, loop))


def noting(happened: list[tuple[str, float]], name: str, loop: Loop) -> Callable[[], None]:
    return lambda: happened.append((name, round(loop.time() - 1000.0, 3)))


@pytest.mark.parametrize("delay_s", [0.2, 1.0, 30.0, 31.37, 900.0])
def test_each_call_happens_once_and_as_late_as_was_asked_for(
    clock: LoopClock, loop: Loop, delay_s: float
) -> None:
    happened: list[tuple[str, float]] = []
    for name, at in (("a", 0.0), ("b", 0.003), ("c", 0.1)):
        loop.clock.advance(at - (loop.time() - 1000.0))
        clock.call_later(delay_s, noting(happened, name, loop))
    loop.clock.advance(2 * delay_s)
    assert [name for name, _ in happened] == ["a", "b", "c"]
    for (_, at), asked in zip(happened, (0.0, 0.003, 0.1), strict=True):
        assert at == pytest.approx(asked + delay_s, abs=0.0021)


def test_what_was_cancelled_never_happens_and_holds_nobody_up(clock: LoopClock, loop: Loop) -> None:
    happened: list[tuple[str, float]] = []
    first = clock.call_later(30, noting(happened, "first", loop))
    loop.clock.advance(10)
    clock.call_later(30, noting(happened, "second", loop))
    first.cancel()
    first.cancel()
    loop.clock.advance(29.9)
    assert happened == []
    loop.clock.advance(0.2)
    assert happened == [("second", 40.0)]
    loop.clock.advance(100)
    clock.call_later(30, noting(happened, "third", loop)).cancel()
    fourth = clock.call_later(30, noting(happened, "fourth", loop))
    loop.clock.advance(30)
    fourth.cancel()  # harmless when it has happened
    assert [name for name, _ in happened] == ["second", "fourth"]


def test_call_that_another_one_of_the_same_moment_cancels_does_not_happen(
    clock: LoopClock, loop: Loop
) -> None:
    happened: list[str] = []

    def one() -> None:
        happened.append("one")
        other.cancel()

    clock.call_later(30, one)
    other = clock.call_later(30, lambda: happened.append("other"))
    loop.clock.advance(60)
    assert happened == ["one"]


def test_call_that_fails_takes_no_other_with_it(clock: LoopClock, loop: Loop) -> None:
    happened: list[tuple[str, float]] = []
    clock.call_later(30, fails)
    clock.call_later(30, noting(happened, "same moment", loop))
    loop.clock.advance(5)
    clock.call_later(30, noting(happened, "later", loop))
    loop.clock.advance(60)
    assert loop.failed
    assert happened == [("same moment", 30.0), ("later", 35.0)]


def test_call_may_ask_for_the_next_one(clock: LoopClock, loop: Loop) -> None:
    moments: list[float] = []

    def again() -> None:
        moments.append(round(loop.time() - 1000.0, 3))
        if len(moments) < 4:
            clock.call_later(15, again)

    clock.call_later(15, again)
    loop.clock.advance(1000)
    assert moments == [15.0, 30.0, 45.0, 60.0]


def test_call_happens_as_whoever_asked_for_it(clock: LoopClock, loop: Loop) -> None:
    seen: list[str] = []

    def ask(name: str) -> None:
        WHO.set(name)
        clock.call_later(30, lambda: seen.append(WHO.get()))

    for name in ("ann", "bob", "nobody"):
        Context().run(ask, name)
    loop.clock.advance(60)
    assert seen == ["ann", "bob", "nobody"]


def test_thousand_calls_cancelled_in_time_cost_the_loop_a_timer_or_two(
    clock: LoopClock, loop: Loop
) -> None:
    for _ in range(1000):
        timer = clock.call_later(60, lambda: None)
        loop.clock.advance(0.01)
        timer.cancel()
    loop.clock.advance(60)
    assert len(loop.made) == 1


def test_peers_who_ask_for_ever_other_delays_fill_nothing(clock: LoopClock, loop: Loop) -> None:
    for delay_s in range(90, 5000):
        clock.call_later(float(delay_s), lambda: None).cancel()
    assert sum(timer.callback is not None for timer in loop.made) <= 256
    happened: list[tuple[str, float]] = []
    clock.call_later(4999.0, noting(happened, "all the same", loop))
    loop.clock.advance(6000)
    assert happened == [("all the same", 4999.0)]


async def test_running_loop_is_followed() -> None:
    clock = LoopClock()
    happened = asyncio.get_running_loop().create_future()
    begun = clock.now()
    clock.call_later(1.0, lambda: happened.set_result(clock.now()))
    assert await happened - begun >= 0.998
