"""What sessions record: the pieces of each recording, and what their engine knows of all."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from vpbx.clock import Clock

from .control import checked
from .model import MediaConfig, MediaError, Recording
from .timeline import holds_voice
from .wire import Wire

__all__ = ["Recorder", "Recordings"]

log = structlog.get_logger("vpbx.media")

_DISCARD_S = 0.5


class Recordings:
    """Of an engine: new names, files that nobody needs, and whether recording works at all."""

    def __init__(self, config: MediaConfig) -> None:
        self._config = config
        self._numbers = itertools.count(1)
        self._broken = False
        self._discarded: list[str] = []

    def new_name(self, callid: str, port_a: int, port_b: int) -> str:
        """Return a new name for a file of a recording (see `Recording`)."""
        return f"{callid}-{next(self._numbers)}.{port_a}.{port_b}.rtp"

    def path(self, name: str) -> str:
        """Return where the file of that name is when it is written."""
        return f"{self._config.record_dir}/{name}"

    def run(self) -> None:
        """Note that a recording could start."""
        self._broken = False

    def failed(self, callid: str, error: MediaError) -> None:
        """Log that a recording could not start, once until one can again."""
        if not self._broken:
            self._broken = True
            log.error(
                "calls are not recorded",
                callid=callid,
                error=str(error),
                folder=str(self._config.spool_dir),
            )

    def discard(self, file: str, clock: Clock) -> None:
        """Remove a file soon, with others and not on the loop: a disk may take its time."""
        self._discarded.append(file)
        if len(self._discarded) == 1:
            clock.call_later(_DISCARD_S, self._remove_beside)

    def remove_discarded(self) -> None:
        """Remove now what waits to be."""
        files, self._discarded = self._discarded, []
        _remove(files)

    def _remove_beside(self) -> None:
        files, self._discarded = self._discarded, []
        if files:
            asyncio.get_running_loop().run_in_executor(None, _remove, files)


class Recorder:
    """Of one session."""

    __slots__ = ("_all", "_callid", "_clock", "_name", "_pieces", "_wire", "_written")

    def __init__(self, wire: Wire, callid: str, recordings: Recordings, clock: Clock) -> None:
        self._wire = wire
        self._callid = callid
        self._all = recordings
        self._clock = clock
        self._name = callid
        self._written: str | None = None
        """The file that is written now."""
        self._pieces: dict[str, list[Path]] = {}
        """Of each recording, by its name, the files written so far."""

    @property
    def runs(self) -> bool:
        """Whether a recording was begun and not ended."""
        return self._written is not None

    async def start(
        self, name: str, ports: tuple[int, int], tell: Callable[[], Awaitable[None]]
    ) -> bool:
        """Begin a recording of that name, of what comes to the ports of A and B, once `tell` has
        let them hear each other; False when that is not possible. Never raises."""
        self._name = name or self._callid
        file = self._written = self._all.new_name(self._name, *ports)
        try:
            await tell()
            # "S": both sides into one file.
            answers = [
                self._wire.send(f"CS {self._wire.id} {file} {tags}") for tags in ("a b", "b a")
            ]
            for answer in reversed(answers):
                checked(await answer)
        except MediaError as error:
            self._all.failed(self._callid, error)
            return False
        self._all.run()
        return True

    async def stop(self) -> Recording | None:
        """End the recording; see `MediaSession.stop_recording`."""
        file = self.take()
        if file is not None:
            with contextlib.suppress(MediaError):
                await self._end()
            self._keep(file)
        return self._recorded()

    def take(self) -> str | None:
        """Return the file that is written now, None when none is; whoever takes it ends it."""
        file, self._written = self._written, None
        return file

    async def close(self, file: str | None) -> Recording | None:
        """End the session, and with it that file: return what it captured, or None."""
        answers = [] if file is None else [self._end()]
        answers.append(self._wire.delete())
        for answer in reversed(answers):
            with contextlib.suppress(MediaError):
                await answer
        if file is None:
            return None
        self._keep(file)
        return self._recorded()

    def _end(self) -> asyncio.Future[str]:
        return self._wire.send(f"Na {self._wire.id} a b")

    def _keep(self, name: str) -> None:
        piece = Path(self._all.path(name))
        try:
            if holds_voice(piece):
                self._pieces.setdefault(self._name, []).append(piece)
            else:
                self._all.discard(str(piece), self._clock)
        except OSError:
            pass  # the disk was full, or it is another machine's

    def _recorded(self) -> Recording | None:
        files = self._pieces.get(self._name)
        return Recording(self._name, tuple(files)) if files else None


def _remove(files: list[str]) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            os.unlink(file)
