"""What connections bring is taken one after the other, and never for long at once."""

from __future__ import annotations

import asyncio

from vpbx.sip.transport.turns import Turns


class Slow:
    """A processor on which each step takes a millisecond and a half."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_others_have_their_turn_though_hundreds_have_something_to_be_taken() -> None:
    slow, order = Slow(), []
    turns = Turns(slow)

    def step(name: str) -> None:
        slow.now += 0.0015
        order.append(name)

    for number in range(200):
        turns.enter(lambda number=number: step(f"connection {number}"))  # type: ignore[misc]
    for _ in range(5):
        await asyncio.sleep(0)
        order.append("datagram")
    assert order[:6] == [
        *("connection 0", "connection 1", "datagram"),
        *("connection 2", "connection 3", "datagram"),
    ]
    while sum(name != "datagram" for name in order) < 200:
        await asyncio.sleep(0)


async def test_who_has_more_comes_again_after_the_others() -> None:
    turns, order = Turns(), []

    def step(name: str, left: int) -> None:
        order.append(name)
        if left:
            turns.enter(lambda: step(name, left - 1))

    turns.enter(lambda: step("much", 3))
    turns.enter(lambda: step("little", 0))
    while len(order) < 5:
        await asyncio.sleep(0)
    assert order == ["much", "little", "much", "much", "much"]


async def test_who_gives_up_waiting_takes_nothing() -> None:
    turns, order = Turns(), []
    first = asyncio.create_task(turns.take(lambda: order.append("given up")))
    await asyncio.sleep(0)
    first.cancel()
    await turns.take(lambda: order.append("taken"))
    assert order == ["taken"]
