"""The worker process that makes MP3 of recordings: it must not hold up calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import structlog

from .model import EncodeResult, Recording, Side

log = structlog.get_logger("vpbx.media")

_PIECE = re.compile(r"(?P<callid>[A-Za-z0-9_-]+)-(?P<number>\d+)\.\d+\.\d+\.rtp")
_SPARE = 1024 * 1024
_LIMIT_S = 600.0
"""A recording that takes longer than this to encode has hung the worker."""


class _Process(asyncio.SubprocessProtocol):
    """The running encoder: one job in, one answer out."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.SubprocessTransport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""
        self.ended: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def start(cls) -> _Process:
        """Run the program."""
        _, process = await asyncio.get_running_loop().subprocess_exec(
            cls,
            *(sys.executable, "-m", "vpbx.media.encode"),
            stderr=None,
            start_new_session=True,  # Ctrl-C is for the server, which finishes its work
        )
        return process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\n") and self._answer is not None:
            if not self._answer.done():
                self._answer.set_result(self._received)
            self._received = b""

    def process_exited(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(OSError("the process has ended"))
        if not self.ended.done():
            self.ended.set_result(None)

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._transport is not None
        return self._transport.get_pid()

    async def ask(self, job: bytes) -> bytes:
        """Send a job and return its answer; OSError when the process ends over it."""
        assert self._transport is not None
        if self.ended.done():
            raise OSError("the process has ended")
        self._answer = self._loop.create_future()
        cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0)).write(job + b"\n")
        return await self._answer

    async def end(self, timeout_s: float) -> None:
        """Let it finish what it does, for so long, then kill it."""
        assert self._transport is not None
        stdin = self._transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), timeout_s)
        self._transport.close()
        await self.ended


class RecordingWorker:
    """Encodes recordings one after another in a process of low priority.

    The process starts with the first recording and is started again when it has died; a
    recording that kills it twice is given up, and its pcap files stay where they are.
    """

    def __init__(self, *, look_again_s: float = 5.0) -> None:
        self._look_again_s = look_again_s
        self._no_room = False
        self._process: _Process | None = None
        self._turn: asyncio.Lock | None = None
        self._stopped = False

    async def encode(self, recording: Recording, target: Path, *, left: Side) -> EncodeResult:
        """Make the stereo MP3 `target`: `left` in the left channel, the other in the right.

        Both start at the first packet of either; gaps are silence. `target` appears complete
        (atomic rename), its folder is made, and the pcap files are then removed. Never
        raises: a failure is logged and told in the result, and leaves the pcap files. While
        the disk is full this waits for room. Only `stop` ends what waits here, as if it were
        cancelled: `recover` does it another day.
        """
        job = {
            "files": [str(file) for file in recording.files],
            "swap": left is Side.B,
            "names": {str(key): name for key, name in recording.payload_names.items()},
            "target": str(target),
        }
        result = await self._in_turn(job)
        while result.no_room:
            await self._until_room(recording, target)
            result = await self._in_turn(job)
            if not result.no_room and self._no_room:
                self._no_room = False
                log.info("there is room again, recordings are made")
        if not result.ok:
            log.error("a recording was not encoded", callid=recording.callid, error=result.error)
        return result

    async def _in_turn(self, job: Mapping[str, object]) -> EncodeResult:
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            result = await self._attempt(job)
            if result is None:
                result = await self._attempt(job)
        return result or EncodeResult(False, error="the encoder died twice")

    async def _until_room(self, recording: Recording, target: Path) -> None:
        """Wait until the MP3 will fit; how full the disk is, is looked at, not tried out."""
        if not self._no_room:
            self._no_room = True
            log.error("the disk is full, recordings are made when there is room")
        while not self._stopped:
            await asyncio.sleep(self._look_again_s)
            if await asyncio.to_thread(_has_room, recording.files, target):
                return
        raise asyncio.CancelledError

    async def _attempt(self, job: Mapping[str, object]) -> EncodeResult | None:
        """Return the worker's answer, None when it died of the job."""
        try:
            process = await self._running()
            line = await asyncio.wait_for(process.ask(json.dumps(job).encode()), _LIMIT_S)
            answer = json.loads(line)
        except asyncio.CancelledError:
            # What it still says would be taken for its answer to the next job.
            await self._end(0)
            raise
        except (OSError, TimeoutError, ValueError) as error:
            if self._stopped:
                raise asyncio.CancelledError from error
            log.warning("the recording encoder has died", error=str(error))
            await self._end(0)
            return None
        return EncodeResult(
            bool(answer["ok"]),
            float(answer["seconds"]),
            str(answer["error"]),
            bool(answer.get("no_room")),
        )

    async def _running(self) -> _Process:
        if self._process is None or self._process.ended.done():
            await self._end(0)
            self._process = await _Process.start()
        if self._stopped:
            raise asyncio.CancelledError
        return self._process

    async def _end(self, timeout_s: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end(timeout_s)

    async def warm_up(self) -> None:
        """Start the process before the first recording is there (takes some 0.3 s)."""
        with contextlib.suppress(OSError):
            await self._running()

    async def stop(self, timeout_s: float = 2.0) -> None:
        """End the process, after the recording in hand if that takes no longer; idempotent."""
        self._stopped = True
        await self._end(timeout_s)
        if self._turn is not None:
            async with self._turn:  # until all who wait have seen it
                await self._end(0)

    async def recover(
        self,
        folders: tuple[Path, ...],
        plan: Callable[[str], tuple[Path, Side] | None],
    ) -> list[tuple[str, EncodeResult]]:
        """Encode what a crash has left in the spool and record folders.

        To be called before calls are taken. `plan(callid)` gives the MP3's path and the left
        side, or None when the recording belongs to nobody: then it is deleted.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, left_behind, folders)
        results = []
        for recording in found:
            planned = plan(recording.callid)
            if planned is None:
                for file in recording.files:
                    await loop.run_in_executor(None, partial(file.unlink, missing_ok=True))
                continue
            target, left = planned
            results.append((recording.callid, await self.encode(recording, target, left=left)))
        return results


def _has_room(files: Sequence[Path], target: Path) -> bool:
    """Tell whether the MP3 of these files will fit: it takes less than they do."""
    folder = next(parent for parent in target.parents if parent.is_dir())
    needed = sum(file.stat().st_size for file in files if file.exists())
    return shutil.disk_usage(folder).free > needed + _SPARE


def left_behind(folders: tuple[Path, ...]) -> list[Recording]:
    """Return the recordings whose pcap files lie in `folders`, one a call."""
    calls: dict[str, list[tuple[int, Path]]] = {}
    for folder in folders:
        for file in folder.glob("*.rtp"):
            match = _PIECE.fullmatch(file.name)
            if match:
                calls.setdefault(match["callid"], []).append((int(match["number"]), file))
    return [
        Recording(callid, tuple(file for _, file in sorted(pieces)))
        for callid, pieces in sorted(calls.items())
    ]
