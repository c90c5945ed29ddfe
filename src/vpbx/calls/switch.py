"""What all calls share: settings, the parts they use, and the calls themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import structlog

from vpbx.calls.callid import CallIds
from vpbx.calls.connections import Connections
from vpbx.calls.registry import CallRegistry
from vpbx.calls.shared.lines import Lines
from vpbx.clock import Clock
from vpbx.directory import Contact, Directory, DomainConfig
from vpbx.events import CallInfo, EventBus
from vpbx.media import EncodeResult, MediaEngine, Recording, Side
from vpbx.sip import RegistrarLimits, SipStack
from vpbx.sip.resolver import Resolver
from vpbx.tasks import watched

__all__ = ["AskContact", "CallsConfig", "Encoder", "RecordingPlan", "Switch"]

log = structlog.get_logger("vpbx.calls")

AskContact: TypeAlias = Callable[[DomainConfig, str, str, str], Awaitable[Contact | None]]
"""(domain, phone, callid, diversion) → what the CRM knows of the caller; may take its time."""


class RecordingPlan(Protocol):
    """Where recordings are kept."""

    def path(self, call: CallInfo) -> Path:
        """Return the MP3's path for a call; the directory may not exist yet."""


class Encoder(Protocol):
    """Makes MP3s (`vpbx.media.RecordingWorker`)."""

    async def encode(self, recording: Recording, target: Path, *, left: Side) -> EncodeResult:
        """Write one stereo MP3 to `target`."""


@dataclass(frozen=True, slots=True)
class CallsConfig:
    """Settings of call control."""

    secret: bytes
    """At least 16 bytes; makes the digest nonces. Kept, phones survive a restart unasked."""
    uploads: Path | None = None
    """Where the media catalogue's files lie."""
    node: int = 0
    """0 to 99: which of several servers this is."""
    after_callid: int = 0
    """The greatest call id given out so far."""
    max_calls: int = 2000
    max_calls_per_domain: int = 1000
    max_calls_per_trunk: int = 1000
    max_trunks_tried: int = 3
    trunk_silence_s: float = 5.0
    """A trunk that has not answered anything by then, not even 100, is given up for the next
    one, where there is a next one."""
    dial_timeout_s: float = 120.0
    """An outside party may ring so long."""
    country: str = "RU"
    """Numbering plan of a caller's or called number while no domain is known."""
    nonce_ttl_s: float = 300.0
    registrar: RegistrarLimits = field(default_factory=RegistrarLimits)


class Switch:
    """The one value that every call is given."""

    stack: SipStack

    def __init__(
        self,
        *,
        config: CallsConfig,
        directory: Directory,
        media: MediaEngine,
        events: EventBus,
        clock: Clock,
        contact: AskContact | None = None,
        records: RecordingPlan | None = None,
        encoder: Encoder | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.config = config
        self.directory = directory
        self.media = media
        self.events = events
        self.clock = clock
        self.contact = contact
        self.records = records
        self.encoder = encoder
        self.callids = CallIds(config.node, clock)
        self.callids.follow(config.after_callid)
        self.calls = CallRegistry(
            max_calls=config.max_calls,
            max_calls_per_domain=config.max_calls_per_domain,
            max_calls_per_trunk=config.max_calls_per_trunk,
        )
        self.lines = Lines()
        self.connections = Connections(
            directory,
            self.calls,
            clock,
            secret=config.secret,
            max_tried=config.max_trunks_tried,
            resolver=resolver,
        )
        self.stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._media_down = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside all calls; `wait` waits for it."""
        task = watched(asyncio.get_running_loop().create_task(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def wait(self, timeout_s: float) -> None:
        """Wait for what was spawned, and what that spawns; what is late is cancelled."""
        until = self.clock.now() + timeout_s
        while self._tasks and (left_s := until - self.clock.now()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    def media_failed(self, error: Exception) -> None:
        """Note that the media engine does not serve; said once until it serves again."""
        if not self._media_down:
            self._media_down = True
            log.error("media engine does not serve, new calls get 503", error=str(error))

    def media_serves(self) -> None:
        """Note that it does."""
        if self._media_down:
            self._media_down = False
            log.info("media engine serves again")
