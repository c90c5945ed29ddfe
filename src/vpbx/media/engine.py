"""The media engine: opens sessions, hears what RTPProxy tells, watches for silence."""

from __future__ import annotations

import asyncio
import itertools
import re
import resource
import socket
import sys
from typing import TYPE_CHECKING

import structlog

from vpbx.clock import Clock

from .equipment import Equipment
from .fax import FaxMachines
from .gates import Gates
from .model import MediaConfig, MediaError, MediaHealth, Side
from .session import MediaSession
from .sink import make_sink
from .watch import OnDigit, OnTimeout

if TYPE_CHECKING:
    from vpbx.clock import Timer

log = structlog.get_logger("vpbx.media")

_CALLID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ANSWER_S = 5.0
_WATCH_S = 2.5
"""So often RTPProxy is watched for answers."""
_SIDES = {"0": Side.A, "1": Side.B}
_FEW_CALLS = 10
_LOOK_S = 0.12
"""So often gates are asked whether they turned packets away."""
_FILES_PER_SESSION = 11
"""Four sockets, one of ours in front of each, a recording, and room for a prompt each."""
_ANY = "0.0.0.0"  # noqa: S104


class MediaEngine:
    """Relays, plays, records; one a process is enough, several are possible."""

    def __init__(self, config: MediaConfig, *, clock: Clock | None = None) -> None:
        self.config = config
        self.fax = FaxMachines(config)
        self._shared = Equipment(config, clock)
        self.proxy = self._shared.proxy
        self.prompts = self._shared.prompts
        self.srtp = self._shared.srtp
        self._sessions: dict[int, MediaSession] = {}
        self._numbers = itertools.count(1)
        self._sweep: Timer | None = None
        self._look: Timer | None = None
        self._watch: Timer | None = None
        self._running = False

    @property
    def clock(self) -> Clock:
        """The clock of the engine; that of the loop unless one was given."""
        return self._shared.clock

    @property
    def local_host(self) -> str:
        """The address of sound, as in SDP."""
        return self._shared.local_host

    @property
    def knows_sdes(self) -> bool:
        """Whether packets can be encrypted by our relay: not for an RTPProxy elsewhere."""
        return self._shared.knows_sdes

    @property
    def knows_splices(self) -> bool:
        """Whether a third one can stand in a talk: not with an RTPProxy of its own."""
        return self._shared.gates is not None

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
        if not self.knows_sdes:
            log.warning("media cannot be encrypted: phones that insist on it are refused with 488")
        self._running = True
        shared = self._shared
        shared.sink = make_sink(self.config)
        if self.config.remote is None and sys.platform.startswith("linux"):
            shared.gates = Gates(self.config.listen_host)
        if shared.local_host == _ANY:
            shared.local_host = await loop.run_in_executor(None, _own_address)
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
        shared = self._shared
        shared.recordings.remove_discarded()
        shared.prompts.close()
        shared.names.close()
        shared.srtp.stop()
        self.fax.stop()
        await shared.proxy.stop()
        if shared.gates is not None:
            shared.gates.close()
            shared.gates = None
        if shared.sink is not None:
            shared.sink.close()
            shared.sink = None

    async def open(
        self,
        callid: str,
        *,
        on_digit: OnDigit | None = None,
        on_timeout: OnTimeout | None = None,
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
        session = MediaSession(
            self._shared,
            callid,
            number,
            on_digit=on_digit,
            on_timeout=on_timeout,
            on_closed=self._forget,
        )
        self._sessions[number] = session
        if self._look is None and self._shared.gates is not None:
            self._look = self.clock.call_later(_LOOK_S, self._look_for_changes)
        try:
            await session.take_ports()
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

    def _forget(self, number: int) -> None:
        self._sessions.pop(number, None)

    def _notified(self, line: str) -> None:
        words = line.split()
        tag = words[0] if words else ""
        number = tag[1:]
        session = self._sessions.get(int(number)) if number.isdigit() else None
        if session is None:
            return
        if tag[0] == "D" and len(words) == 5 and words[4] in _SIDES:
            session.watch.digit(_SIDES[words[4]], words[1], self.clock.now())
        elif tag[0] == "T" and len(words) == 1:
            session.watch.timed_out()

    def _schedule_sweep(self) -> None:
        pause_s = self.config.no_media_timeout_s / 4
        self._sweep = self.clock.call_later(pause_s, self._look_for_silence)

    def _look_for_silence(self) -> None:
        now = self.clock.now()
        for session in tuple(self._sessions.values()):
            session.watch.look_for_silence(now, self.config.no_media_timeout_s)
        self._schedule_sweep()

    def _look_for_answers(self) -> None:
        if self.proxy.control is not None:
            self.proxy.control.expire(asyncio.get_running_loop().time() - _ANSWER_S)
        self._watch = self.clock.call_later(_WATCH_S, self._look_for_answers)

    def _anew(self) -> None:
        """End the calls that had sound by an RTPProxy which is no more."""
        for session in tuple(self._sessions.values()):
            session.watch.timed_out()

    def _look_for_changes(self) -> None:
        self._look = None
        if self._shared.gates is not None:
            self._shared.gates.look()
        for session in tuple(self._sessions.values()):
            session.watch.look_for_change()
        if self._sessions:
            self._look = self.clock.call_later(_LOOK_S, self._look_for_changes)


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
