"""What goes on now, for all who look: rendered once per change, company and kind of viewer.

Events of calls only mark their company as changed; a moment later what its viewers see is
rendered, once for each language and reach, and every tab gets the newest when it is ready for
it: a slow tab skips states and holds nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from vpbx.events import CallEvent
from vpbx.tasks import watched

__all__ = ["Live"]

_GATHER_S = 0.4
_IDLE_S = 20.0
_MOST_TABS = 2000


@dataclass(slots=True)
class _Channel:
    """Viewers who see the same; `text` is what they see, "" nothing yet."""

    domain_id: int
    render: Callable[[], str]
    text: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
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
                if channel.domain_id in dirty:
                    text = channel.render()
                    if text != channel.text:
                        channel.text = text
                        channel.changed.set()
                        channel.changed = asyncio.Event()
                    await asyncio.sleep(0)  # other companies' calls have their turn between

    async def follow(
        self, domain_id: int, kind: Hashable, render: Callable[[], str]
    ) -> AsyncIterator[str]:
        """Give what viewers of a kind see, now and whenever it changes; "" now and then."""
        if self._tabs >= _MOST_TABS:
            return
        key = (domain_id, kind)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(domain_id, render)
        if not channel.tabs:
            channel.text = render()
        channel.tabs += 1
        self._tabs += 1
        try:
            seen = channel.text
            yield seen
            while True:
                changed = channel.changed
                if channel.text == seen:
                    try:
                        async with asyncio.timeout(_IDLE_S):
                            await changed.wait()
                    except TimeoutError:
                        yield ""
                        continue
                seen = channel.text
                yield seen
        finally:
            self._tabs -= 1
            channel.tabs -= 1
            if not channel.tabs:
                self._channels.pop(key, None)
