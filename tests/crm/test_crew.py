"""Tasks that are used again for work that comes often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from structlog.testing import capture_logs

from vpbx.crm.crew import Crew


@pytest.fixture
async def crew() -> AsyncIterator[Crew]:
    made = Crew(idle=2)
    yield made
    await made.end()


async def test_work_given_together_is_done_together(crew: Crew) -> None:
    """Also by those who have done some before, and more of it than may wait for more."""
    tasks = set()

    for _ in range(3):
        all_here = asyncio.Barrier(5)

        async def meet(all_here: asyncio.Barrier = all_here) -> None:
            tasks.add(asyncio.current_task())
            await all_here.wait()

        for _ in range(5):
            crew.do(meet)
        async with asyncio.timeout(30):
            await crew.rest()
    assert len(tasks) == 5 + 3 + 3, "two of each five were woken, not made"


async def test_work_after_work_is_done_by_one_task(crew: Crew) -> None:
    done: list[tuple[int, asyncio.Task[None] | None]] = []

    async def note(number: int) -> None:
        done.append((number, asyncio.current_task()))

    for number in range(5):
        crew.do(partial(note, number))
        await crew.rest()
        await asyncio.sleep(0)
    assert [number for number, _ in done] == list(range(5))
    assert len({task for _, task in done}) == 1


async def test_what_fails_is_logged_and_hinders_nothing(crew: Crew) -> None:
    done = []

    async def fail() -> None:
        raise RuntimeError("as it happens")

    async def work() -> None:
        done.append(1)

    with capture_logs() as said:
        crew.do(fail)
        await crew.rest()
        await asyncio.sleep(0)
        crew.do(work)
        await crew.rest()
    assert done == [1]
    assert [str(line["exc_info"]) for line in said] == ["as it happens"]


async def test_the_end_cancels_what_is_begun_and_what_is_not(crew: Crew) -> None:
    cancelled = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    async def at_once() -> None: ...

    crew.do(at_once)
    await crew.rest()
    await asyncio.sleep(0)
    crew.do(hang)  # by the one that waits
    crew.do(hang)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    crew.do(hang)  # not begun yet
    async with asyncio.timeout(30):
        await crew.end()
        await crew.rest()
        assert cancelled == [1, 1]
        crew.do(at_once)
        await crew.rest()
