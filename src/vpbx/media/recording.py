"""The worker process that makes MP3 of recordings: it must not hold up calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog

from .model import EncodeResult, Recording, Side

log = structlog.get_logger("vpbx.media")

_PIECE = re.compile(r"(?P<callid>[A-Za-z0-9_-]+)-(?P<number>\d+)\.(?P<side>[ab])\.rtp")
_LINE_LIMIT = 1 << 20
_LIMIT_S = 600.0
"""A recording that takes longer than this to encode has hung the worker."""


class RecordingWorker:
    """Encodes recordings one after another in a process of low priority.

    The process starts with the first recording and is started again when it has died; a
    recording that kills it twice is given up, and its pcap files stay where they are.
    """

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn: asyncio.Lock | None = None

    async def encode(self, recording: Recording, target: Path, *, left: Side) -> EncodeResult:
        """Make the stereo MP3 `target`: `left` in the left channel, the other in the right.

        Both start at the first packet of either; gaps are silence. `target` appears complete
        (atomic rename), its folder is made, and the pcap files are then removed. Never
        raises: a failure is logged and told in the result, and leaves the pcap files.
        """
        job = {
            "left": [str(file) for file in _files(recording, left)],
            "right": [str(file) for file in _files(recording, left.other)],
            "names": {str(key): name for key, name in recording.payload_names.items()},
            "target": str(target),
        }
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            result = await self._attempt(job)
            if result is None:
                result = await self._attempt(job)
        if result is None:
            result = EncodeResult(False, error="the encoder died twice")
        if not result.ok:
            log.error("a recording was not encoded", callid=recording.callid, error=result.error)
        return result

    async def _attempt(self, job: Mapping[str, object]) -> EncodeResult | None:
        """Return the worker's answer, None when it died of the job."""
        try:
            process = await self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(job).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), _LIMIT_S)
            answer = json.loads(line)
        except asyncio.CancelledError:
            # Half an answer would be taken for that of the next recording.
            await self._kill()
            raise
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("the recording encoder has died", error=str(error))
            await self._kill()
            return None
        return EncodeResult(bool(answer["ok"]), float(answer["seconds"]), str(answer["error"]))

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "vpbx.media.encode"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT,
                start_new_session=True,  # Ctrl-C is for the server, which finishes its work
            )
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def warm_up(self) -> None:
        """Start the process before the first recording is there (takes some 0.3 s)."""
        with contextlib.suppress(OSError):
            await self._running()

    async def stop(self) -> None:
        """End the process once the recording in hand is done; idempotent."""
        if self._turn is not None:
            await self._turn.acquire()
            self._turn.release()
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 2.0)
            except TimeoutError:
                process.kill()
                await process.wait()

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
                for file in (*recording.files_a, *recording.files_b):
                    await loop.run_in_executor(None, partial(file.unlink, missing_ok=True))
                continue
            target, left = planned
            results.append((recording.callid, await self.encode(recording, target, left=left)))
        return results


def _files(recording: Recording, side: Side) -> tuple[Path, ...]:
    return recording.files_a if side is Side.A else recording.files_b


def left_behind(folders: tuple[Path, ...]) -> list[Recording]:
    """Return the recordings whose pcap files lie in `folders`, one a call."""
    calls: dict[str, dict[str, list[tuple[int, Path]]]] = {}
    for folder in folders:
        for file in folder.glob("*.rtp"):
            match = _PIECE.fullmatch(file.name)
            if match:
                sides = calls.setdefault(match["callid"], {"a": [], "b": []})
                sides[match["side"]].append((int(match["number"]), file))
    return [
        Recording(
            callid,
            tuple(file for _, file in sorted(sides["a"])),
            tuple(file for _, file in sorted(sides["b"])),
        )
        for callid, sides in sorted(calls.items())
    ]
