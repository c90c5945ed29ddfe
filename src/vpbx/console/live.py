"""What goes on now, for all who look: rendered once per change, company and kind of viewer.

Events of calls only mark their company as changed; a moment later what its viewers see is
rendered and encoded, once for each language and reach, and the tabs get the newest of it a few in
a turn of the loop: a slow tab skips states and holds nobody up, and many hold up no call. Nor does
a board of many calls: it is rendered a little in a turn (`vpbx.console.turns`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from vpbx.events import CallEvent
from vpbx.tasks import watched

__all__ = ["Live"]

_GATHER_S = 0.4
_IDLE_S = 20.0
_MOST_TABS = 2000
_TABS_A_TURN = 2
_BETWEEN_S = 0.002
"""Other work has its turn between so many tabs; a thousand of them take a second."""


@dataclass(slots=True)
class _Channel:
    """Viewers who see the same; `board` is what they see, b"" nothing yet."""

    domain_id: int
    render: Callable[[], Awaitable[bytes]]
    board: bytes = b""
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is rendered, so that what began later is what is seen in the end."""
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    """Tabs that have what there is."""
    tabs: int = 0


class Live:
    """Follows calls for whoever looks; costs a call nothing when nobody does."""

    def __init__(self) -> None:
        self._channels: dict[Hashable, _Channel] = {}
        self._dirty: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._tabs = 0

    def on_event(self, event: CallEvent) -> Iterable[Any]:
        """`vpbx.events.Recorder`: note that a company's calls changed; writes nothing."""
        if self._channels:
            self.touch(event.call.domain_id)
        return ()

    def touch(self, domain_id: int) -> None:
        """Have a company's viewers see what there is now, soon."""
        self._dirty.add(domain_id)
        if self._task is None or self._task.done():
            self._task = watched(asyncio.create_task(self._tell(), name="vpbx-console-live"))

    async def _tell(self) -> None:
        while self._dirty:
            await asyncio.sleep(_GATHER_S)
            dirty, self._dirty = self._dirty, set()
            for channel in list(self._channels.values()):
                if channel.domain_id in dirty and channel.tabs:
                    async with channel.rendering:
                        board = await channel.render()
                        changed, channel.board = board != channel.board, board
                    if changed:
                        await _wake(channel)
                    await asyncio.sleep(0)  # other companies' calls have their turn between

    async def follow(
        self, domain_id: int, kind: Hashable, render: Callable[[], Awaitable[bytes]]
    ) -> AsyncIterator[bytes]:
        """Give what viewers of a kind see, now and whenever it changes; b"" now and then."""
        if self._tabs >= _MOST_TABS:
            return
        key = (domain_id, kind)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(domain_id, render)
        channel.tabs += 1
        self._tabs += 1
        try:
            async with channel.rendering:
                if not channel.board:
                    channel.board = await render()
            seen = channel.board
            yield seen
            while True:
                if channel.board is seen and not await _changes(channel):
                    yield b""
                    continue
                seen = channel.board
                yield seen
        finally:
            self._tabs -= 1
            channel.tabs -= 1
            if not channel.tabs:
                self._channels.pop(key, None)


async def _wake(channel: _Channel) -> None:
    """Let the tabs have what there is now, a few at a time."""
    waiting, channel.waiting = channel.waiting, set()
    for number, tab in enumerate(waiting, 1):
        if not tab.done():
            tab.set_result(None)
        if number % _TABS_A_TURN == 0:
            await asyncio.sleep(_BETWEEN_S)


async def _changes(channel: _Channel) -> bool:
    """Wait until there is something new; False: there was nothing for a while."""
    changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    channel.waiting.add(changed)
    try:
        async with asyncio.timeout(_IDLE_S):
            await changed
    except TimeoutError:
        return False
    finally:
        channel.waiting.discard(changed)
    return True
