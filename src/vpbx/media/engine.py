"""The media engine: opens sessions, hears what RTPProxy tells, watches for silence."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import resource
import socket
import sys
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import structlog

from vpbx.clock import Clock, LoopClock

from .fax import FaxMachines
from .gate import Gates
from .model import MediaConfig, MediaError, MediaHealth, Side
from .names import Names
from .prompts import PromptLibrary
from .proxy import LocalProxy, Proxy, RemoteProxy
from .session import MediaSession
from .sink import Sink, make_sink
from .srtp import SrtpRelay

if TYPE_CHECKING:
    from vpbx.clock import Timer

log = structlog.get_logger("vpbx.media")

_CALLID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ANSWER_S = 5.0
_DISCARD_S = 0.5
_WATCH_S = 2.5
"""So often RTPProxy is watched for answers."""
_SIDES = {"0": Side.A, "1": Side.B}
_FEW_CALLS = 10
_LOOK_S = 0.12
"""So often gates are asked whether they turned packets away."""
_FILES_PER_SESSION = 7
"""Four sockets, a recording, and room for a prompt each."""
_ANY = "0.0.0.0"  # noqa: S104


class MediaEngine:
    """Relays, plays, records; one a process is enough, several are possible."""

    def __init__(self, config: MediaConfig, *, clock: Clock | None = None) -> None:
        self.config = config
        self.names = Names()
        self.srtp = SrtpRelay(config)
        self.fax = FaxMachines(config)
        self.fingerprint = ""
        """SHA-256 of our certificate for DTLS, as in SDP; empty where there is no DTLS."""
        self.knows_sdes = config.remote is None or _is_here(config.remote, config.listen_host)
        """Whether our relay for SRTP stands beside RTPProxy: they speak by this machine's ports."""
        self.prompts = PromptLibrary(config.prompts_dir)
        self.proxy: Proxy = (
            RemoteProxy(config.remote, config.notify) if config.remote else LocalProxy(config)
        )
        self.sink: Sink | None = None
        self.gates: Gates | None = None
        """Guards of the ports; None where RTPProxy has to guard them itself."""
        self.local_host = config.advertise or config.listen_host
        self._clock = clock
        self._sessions: dict[int, MediaSession] = {}
        self._numbers = itertools.count(1)
        self._sweep: Timer | None = None
        self._look: Timer | None = None
        self._watch: Timer | None = None
        self._recording_broken = False
        self._discarded: list[str] = []
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def clock(self) -> Clock:
        """The clock of the engine; that of the loop unless one was given."""
        if self._clock is None:
            self._clock = LoopClock()
        return self._clock

    @property
    def sessions(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    async def start(self) -> None:
        """Make the folders and prompts, start or connect to RTPProxy.

        MediaError: it does not start or is not there.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._prepare)
        self.srtp.listen()
        try:
            await self.proxy.start(self._notified, self._anew)
        except MediaError:
            self.srtp.stop()
            raise
        await self._identify()
        if not self.fingerprint:
            log.warning(
                "media cannot be encrypted: phones that insist on it are refused with 488",
                by="DTLS" if self.knows_sdes else "SDES or DTLS",
            )
        self._running = True
        self.sink = make_sink(self.config)
        if self.config.remote is None and sys.platform.startswith("linux"):
            self.gates = Gates(self.config.listen_host)
        if self.local_host == _ANY:
            self.local_host = await loop.run_in_executor(None, _own_address)
        self._schedule_sweep()
        self._watch = self.clock.call_later(_WATCH_S, self._look_for_answers)
        log.info(
            "media engine started",
            address=self.local_host,
            ports=f"{self.config.port_min}-{self.config.port_max}",
        )

    def _prepare(self) -> None:
        for folder in (self.config.spool_dir, self.config.record_dir):
            folder.mkdir(parents=True, exist_ok=True)
        self.prompts.expand()
        _raise_file_limit(self.config.max_sessions * _FILES_PER_SESSION + 1024)

    async def stop(self) -> None:
        """Close all sessions and RTPProxy; idempotent."""
        self._running = False
        for timer in (self._sweep, self._look, self._watch):
            if timer is not None:
                timer.cancel()
        self._sweep = self._look = self._watch = None
        for session in tuple(self._sessions.values()):
            await session.close()
        self._remove_discarded()
        self.prompts.close()
        self.names.close()
        self.srtp.stop()
        self.fax.stop()
        await self.proxy.stop()
        if self.gates is not None:
            self.gates.close()
            self.gates = None
        if self.sink is not None:
            self.sink.close()
            self.sink = None

    async def open(
        self,
        callid: str,
        *,
        on_digit: Callable[[Side, str], None] | None = None,
        on_timeout: Callable[[], None] | None = None,
    ) -> MediaSession:
        """Take two ports for a call; MediaError when there are none.

        `on_digit(side, digit)`: `side` has pressed 0-9 * # A-D (RFC 4733). `on_timeout()`:
        nothing came from either side for `no_media_timeout_s`, while nothing was played to
        one of them; told again after each such time. Both are called on the loop.
        """
        if not self._running:
            raise MediaError("the media engine is not running")
        if len(self._sessions) >= self.config.max_sessions:
            raise MediaError(f"{self.config.max_sessions} media sessions are open already")
        if not _CALLID.fullmatch(callid):
            raise MediaError(f"no callid for a media session: {callid[:64]!r}")
        number = next(self._numbers)
        session = MediaSession(self, callid, number, on_digit, on_timeout)
        self._sessions[number] = session
        if self._look is None and self.gates is not None:
            self._look = self.clock.call_later(_LOOK_S, self._look_for_changes)
        try:
            await session._open()
        except BaseException:
            self._sessions.pop(number, None)
            raise
        return session

    async def health(self) -> MediaHealth:
        """Say whether calls can have sound, and if not why."""
        problems = list(self.prompts.problems())
        version = ""
        try:
            version = await asyncio.wait_for(self.proxy.send("V"), _ANSWER_S)
        except (MediaError, TimeoutError) as error:
            problems.append(
                f"the media engine does not answer ({error}): restart vpbx, or the RTPProxy "
                f"at {self.config.remote}"
                if self.config.remote
                else f"the media engine does not answer ({error}): restart vpbx"
            )
        sessions = (self.config.port_max - self.config.port_min + 1) // 4
        if sessions < _FEW_CALLS:
            problems.append(
                f"the RTP port range holds only {sessions} calls: widen it with --rtp-ports"
            )
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < sessions * _FILES_PER_SESSION and soft < 16384:
            problems.append(
                f"only {soft} open files are allowed, enough for {soft // _FILES_PER_SESSION} "
                "calls: raise the limit (ulimit -n, LimitNOFILE=)"
            )
        return MediaHealth(
            ok=not problems,
            problems=tuple(problems),
            sessions=len(self._sessions),
            ports=f"{self.config.port_min}-{self.config.port_max}",
            version=version,
        )

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside calls; it is kept in mind until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self, number: int) -> None:
        """Drop a closed session (it calls this itself)."""
        self._sessions.pop(number, None)

    def recording_name(self, callid: str, port_a: int, port_b: int) -> str:
        """Return a new name for a file of a recording (see `Recording`)."""
        return f"{callid}-{next(self._numbers)}.{port_a}.{port_b}.rtp"

    def discard(self, file: str) -> None:
        """Remove a file soon, with others and not on the loop: a disk may take its time."""
        self._discarded.append(file)
        if len(self._discarded) == 1:
            self.clock.call_later(_DISCARD_S, self._remove_discarded)

    def _remove_discarded(self) -> None:
        files, self._discarded = self._discarded, []
        if self._running:
            asyncio.get_running_loop().run_in_executor(None, _remove, files)
        else:
            _remove(files)

    def recording_runs(self) -> None:
        """Note that a recording could start."""
        self._recording_broken = False

    def recording_failed(self, callid: str, error: MediaError) -> None:
        """Log that a recording could not start, once until one can again."""
        if not self._recording_broken:
            self._recording_broken = True
            log.error(
                "calls are not recorded",
                callid=callid,
                error=str(error),
                folder=str(self.config.spool_dir),
            )

    def _notified(self, line: str) -> None:
        words = line.split()
        tag = words[0] if words else ""
        number = tag[1:]
        session = self._sessions.get(int(number)) if number.isdigit() else None
        if session is None:
            return
        if tag[0] == "D" and len(words) == 5 and words[4] in _SIDES:
            session.digit(_SIDES[words[4]], words[1], self.clock.now())
        elif tag[0] == "T" and len(words) == 1:
            session.timed_out()

    def _schedule_sweep(self) -> None:
        pause_s = self.config.no_media_timeout_s / 4
        self._sweep = self.clock.call_later(pause_s, self._look_for_silence)

    def _look_for_silence(self) -> None:
        now = self.clock.now()
        for session in tuple(self._sessions.values()):
            session.look_for_silence(now, self.config.no_media_timeout_s)
        self._schedule_sweep()

    def _look_for_answers(self) -> None:
        if self.proxy.control is not None:
            self.proxy.control.expire(asyncio.get_running_loop().time() - _ANSWER_S)
        self._watch = self.clock.call_later(_WATCH_S, self._look_for_answers)

    def _anew(self) -> None:
        """End the calls that had sound by an RTPProxy which is no more."""
        for session in tuple(self._sessions.values()):
            session.timed_out()
        self.run(self._identify())

    async def _identify(self) -> None:
        self.fingerprint = await self.proxy.fingerprint()

    def _look_for_changes(self) -> None:
        self._look = None
        if self.gates is not None:
            self.gates.look()
        for session in tuple(self._sessions.values()):
            session.look_for_change()
        if self._sessions:
            self._look = self.clock.call_later(_LOOK_S, self._look_for_changes)


def _remove(files: list[str]) -> None:
    for file in files:
        with contextlib.suppress(OSError):
            os.unlink(file)


def _is_here(remote: str, listen_host: str) -> bool:
    """Say whether an RTPProxy at `udp:H:P`, `tcp:H:P` or `unix:PATH` is on this machine."""
    kind, _, where = remote.partition(":")
    host = where.rpartition(":")[0].strip("[]")
    if kind == "unix" or host in ("localhost", listen_host):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _own_address() -> str:
    """Return the address this machine has towards others (no packet is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            host: str = probe.getsockname()[0]
            return host
        except OSError:
            return "127.0.0.1"


def _raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if most > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
