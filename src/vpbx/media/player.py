"""What one side of a session hears instead of the other: prompts and music, played by RTPProxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from vpbx.clock import Clock, Timer

from .control import checked
from .model import MediaError
from .prompts import BYTES_PER_S, PromptLibrary
from .wire import Wire

__all__ = ["Player"]


class Player:
    """Plays to one side, which `tags` names in commands. `over()` is called at each end."""

    __slots__ = ("_clock", "_over", "_played", "_prompts", "_tags", "_timer", "_wire", "left")

    def __init__(
        self,
        wire: Wire,
        tags: str,
        *,
        prompts: PromptLibrary,
        clock: Clock,
        over: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._tags = tags
        self._prompts = prompts
        self._clock = clock
        self._over = over
        self._timer: Timer | None = None
        self._played: asyncio.Future[None] | None = None
        self.left = False
        """Whether RTPProxy has a player for the side that it was not told to stop."""

    @property
    def plays(self) -> bool:
        """Whether something is played now."""
        return self._played is not None

    async def play(self, path: str, codecs: Sequence[int], *, repeat: int, wait: bool) -> None:
        """Play a prompt that is prepared, in the first of these codecs that fits; see
        `MediaSession.play`."""
        self.done()
        times = "-1" if repeat == 0 else str(repeat)
        answer = self._wire.send(
            f"P{times} {self._wire.id} {self._prompts.spoken(path)} "
            f"{','.join(map(str, codecs))} {self._tags}"
        )
        played = self._played = asyncio.get_running_loop().create_future()
        self.left = True
        try:
            checked(await answer)
        except MediaError:
            self._prompts.forget(path)
            raise
        if repeat and self._played is played:
            seconds = repeat * self._prompts.size(path, codecs[0]) / BYTES_PER_S
            self._timer = self._clock.call_later(seconds, self.done)
        if wait:
            await asyncio.shield(played)

    async def stop(self) -> None:
        """Play no more; harmless when nothing is played."""
        if self._played is None:
            return
        self.done()
        self.left = False
        checked(await self.leave())

    def done(self) -> None:
        """Note that nothing is played any more; harmless when nothing was."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._played is not None:
            self._over()
            if not self._played.done():
                self._played.set_result(None)
        self._played = None

    def leave(self) -> asyncio.Future[str]:
        """Have RTPProxy's player destroyed."""
        return self._wire.send(f"S {self._wire.id} {self._tags}")
