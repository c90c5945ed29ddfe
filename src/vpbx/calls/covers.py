"""What each seat of a call hears in the place of the other one.

Theory of operation. A seat hears the other seat, unless there is something in its place. That
is a value, not a history of play and stop: prompts that are being spoken cover hold music
(while the other seat holds), which covers a loop (ringback, music of a queue). Whenever a cover
goes, what lies under it is heard again, so no step needs to know what another has begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from vpbx.calls.sounds import Spoken
from vpbx.media import MediaError, MediaSession, Side
from vpbx.tasks import watched

__all__ = ["Covers"]

log = structlog.get_logger("vpbx.calls")

_HOLD_MUSIC = "holdmusic"


class Covers:
    """Of both seats. Every method that talks to the engine may raise `MediaError`."""

    __slots__ = ("_held", "_loops", "_speaking", "hold_music", "language", "session")

    def __init__(self, language: str) -> None:
        self.language = language
        self.hold_music = _HOLD_MUSIC
        """What a seat hears while the other one holds."""
        self.session: MediaSession | None = None
        self._held: set[Side] = set()
        """Seats that hear music because the other one holds."""
        self._loops: dict[Side, str] = {}
        self._speaking: dict[Side, asyncio.Task[None]] = {}

    @property
    def _media(self) -> MediaSession:
        if self.session is None:
            raise MediaError("the call has no media")
        return self.session

    def speak(self, side: Side, prompts: Sequence[Spoken], done: Callable[[], None]) -> None:
        """Let `side` hear prompts, one after the other, in place of those that are spoken now.

        A prompt is the name of a built-in one or the path of an upload, or a phrase of several,
        said in a row. `done` is called when
        the last one was heard; not when they were stopped (`hush`) or replaced.
        """
        self._stop_speaking(side)
        speaking = self._speak(side, tuple(prompts), done)
        task = watched(asyncio.get_running_loop().create_task(speaking))
        self._speaking[side] = task

    async def _speak(self, side: Side, prompts: Sequence[Spoken], done: Callable[[], None]) -> None:
        for prompt in prompts:
            await self._play(side, prompt, repeat=1, wait=True)
        heard: object = self
        try:
            while heard != self._under(side):  # `loop` and hold leave it to us meanwhile
                heard = self._under(side)
                await self._settle(side)
        except MediaError as error:
            log.debug("a prompt could not be ended", error=str(error))
        del self._speaking[side]
        done()

    async def loop(self, side: Side, prompt: str) -> None:
        """Let `side` hear `prompt` over and over until `hush`; again while it runs: no change."""
        if self._loops.get(side) != prompt:
            self._loops[side] = prompt
            if side not in self._speaking and side not in self._held:
                await self._settle(side)

    async def hush(self, side: Side) -> None:
        """Stop what `speak` and `loop` began, if anything."""
        spoke = self._stop_speaking(side)
        looped = self._loops.pop(side, None) is not None
        if spoke or looped:
            await self._settle(side)

    async def quiet(self, side: Side) -> bool:
        """Stop what `speak` began; music in a loop, if there is some, is heard again."""
        if spoke := self._stop_speaking(side):
            await self._settle(side)
        return spoke

    def loops(self, side: Side) -> bool:
        """Say whether something was begun to be heard in a loop and not stopped."""
        return side in self._loops

    def _stop_speaking(self, side: Side) -> bool:
        task = self._speaking.pop(side, None)
        return task is not None and task.cancel()

    def _stop_all_speaking(self) -> None:
        for side in tuple(self._speaking):
            self._stop_speaking(side)

    def _under(self, side: Side) -> str | None:
        """Return what `side` is to hear when no prompt is spoken; None: the other seat."""
        return self.hold_music if side in self._held else self._loops.get(side)

    async def _settle(self, side: Side) -> None:
        music = self._under(side)
        if music is not None:
            await self._play(side, music, repeat=0)
        else:
            await self._media.stop_playing(side)

    async def _play(self, side: Side, prompt: Spoken, *, repeat: int, wait: bool = False) -> None:
        """A side that speaks no codec prompts exist in hears nothing; that ends no call."""
        try:
            await self._media.play(side, prompt, repeat=repeat, language=self.language, wait=wait)
        except MediaError as error:
            log.debug("a prompt was not played", prompt=prompt, error=str(error))

    @property
    def on_hold(self) -> bool:
        """Whether anybody holds the other one."""
        return bool(self._held)

    async def _hold(self, side: Side, *, held: bool, changed: bool) -> None:
        """Let a seat hear music while the other one holds, unless it holds as well."""
        if not changed:
            return
        if held:
            self._held.add(side)
        else:
            self._held.discard(side)
        for one in Side:
            if one not in self._speaking:
                await self._settle(one)
