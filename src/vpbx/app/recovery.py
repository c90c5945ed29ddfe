"""What a crash left behind: calls that are still open in the journal, sound not yet an MP3,
pages of faxes not yet a PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from vpbx.app.datadir import DataDir
from vpbx.calls import left_side
from vpbx.clock import Clock
from vpbx.db import Database, Writer
from vpbx.directory import Directory
from vpbx.events import (
    CallEnded,
    CallInfo,
    Destination,
    EventBus,
    FaxReceived,
    MessageLeft,
    RecordingReady,
)
from vpbx.history import PDF, History, HistoryRecorder
from vpbx.mail import Mailboxes
from vpbx.media import FaxMachines, MediaError, RecordingWorker, Side, holds_voice

__all__ = ["Recovery"]

log = structlog.get_logger("vpbx.app")


class Recovery:
    """Ends the calls that a crash cut off, before the first new one; `recode` their sound after.

    The sound of such calls is set aside at once, so that the work of hours may be taken up in
    the background without coming near the recordings of new calls.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        history: History,
        recorder: HistoryRecorder,
        events: EventBus,
        boxes: Mailboxes,
        clock: Clock,
        node: int,
    ) -> None:
        self._directory = directory
        self._history = history
        self._recorder = recorder
        self._events = events
        self._boxes = boxes
        self._clock = clock
        self._node = node
        self._unmade: dict[str, CallInfo] = {}
        self._faxes: list[CallEnded] = []
        self._messages: dict[str, CallEnded] = {}
        """By callid: calls that ended in voicemail with some sound."""

    async def close_calls(
        self,
        data: DataDir,
        database: Database,
        writer: Writer,
        path: Callable[[CallInfo], Path],
        alive: float | None,
    ) -> None:
        """End every call that the last run of this server left open.

        It was last `alive`, by its steady clock; None: nobody knows, so they ended now.
        """
        heard = _set_aside(data)
        until = self._clock.time() if alive is None else alive
        events = await self._recorder.close_open_journal(
            database,
            until,
            lambda call: call.callid in heard or path(call).with_suffix(PDF).exists(),
        )
        for event in events:
            await self._directory.domain(event.call.domain)  # the CRM's settings, for its recorder
            self._events.publish(event)
            if isinstance(event, CallEnded) and event.fax and event.recorded:
                self._faxes.append(event)
            elif isinstance(event, CallEnded) and event.destination is Destination.VM:
                self._messages[event.call.callid] = event
        if events:
            await writer.flush()
            calls = len({event.call.callid for event in events})
            log.warning("calls that the last run left open are ended", calls=calls)
        unmade = await self._history.recordings_in_the_making(self._node)
        self._unmade = {call.callid: call for call in unmade}

    async def recode(
        self, data: DataDir, worker: RecordingWorker, path: Callable[[CallInfo], Path]
    ) -> None:
        """Make the MP3s that were not made before the crash, and say so of each."""
        calls = self._unmade

        def plan(callid: str) -> tuple[Path, Side] | None:
            call = calls.get(callid)
            if call is None:
                return None
            return path(call), left_side(call.direction)

        results = dict(await worker.recover((data.left_behind,), plan))
        for callid, call in calls.items():
            made = results.get(callid)
            ok = made.ok if made is not None else path(call).exists()
            if made is not None and made.ok and callid in self._messages:
                await self._deliver(self._messages[callid], made.seconds)
            self._events.publish(RecordingReady(call, self._clock.time(), ok))
        if calls:
            log.info("recordings of the last run are done", recordings=len(calls))

    async def _deliver(self, event: CallEnded, seconds: float) -> None:
        """Put what somebody had said to a voicemail by the crash into the box it is for."""
        call = event.call
        domain = await self._directory.domain(call.domain)
        if domain is None or await self._boxes.has(call.callid):
            return
        user = event.user.login if event.user is not None and event.group is None else ""
        group = event.group.id if event.group is not None else ""
        boxes = domain.settings.voicemail.boxes(domain, user=user, group=group)
        client = call.client if event.caller is None else event.caller.ext
        self._events.publish(MessageLeft(call, event.at, boxes, client, "", round(seconds)))

    async def rescue_faxes(
        self, data: DataDir, machines: FaxMachines, path: Callable[[CallInfo], Path]
    ) -> None:
        """Make PDFs of the pages that had arrived before the crash, and have them told."""
        for event in self._faxes:
            call, target = event.call, path(event.call).with_suffix(PDF)
            pages = 0
            try:
                if not target.exists():
                    files = data.left_behind.glob(f"{call.callid}.*.tif")
                    pages = await machines.rescue(files, target)
            except MediaError as error:
                log.error("a fax of the last run is lost", callid=call.callid, error=str(error))
            now, ok = self._clock.time(), target.exists()
            if pages and event.user is not None:
                fax = FaxReceived(call, now, event.user, call.client, "", pages, whole=False)
                self._events.publish(fax)
            self._events.publish(RecordingReady(call, now, ok, fax=True))
        self._faxes.clear()
        for file in data.left_behind.glob("*.tif"):  # nobody was told that those had arrived
            file.unlink(missing_ok=True)


def _set_aside(data: DataDir) -> frozenset[str]:
    """Move the sound of the last run out of the way; return the callids it belongs to.

    What the crash took before a first word was on disk counts as no sound.
    """
    for folder in (data.spool, data.recorded):
        for file in (*folder.glob("*.rtp"), *folder.glob("*.tif")):
            file.rename(data.left_behind / file.name)
    sound, faxes = data.left_behind.glob("*.rtp"), data.left_behind.glob("*.tif")
    heard = {file.name.rpartition("-")[0] for file in sound if holds_voice(file)}
    return frozenset(heard | {file.name.partition(".")[0] for file in faxes})
