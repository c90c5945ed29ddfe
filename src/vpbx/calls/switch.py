"""What all calls share: settings, the parts they use, and the calls themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import structlog

from vpbx.calls.callid import CallIds
from vpbx.calls.connections import Connections
from vpbx.calls.inbox import Inbox
from vpbx.calls.leg import Leg
from vpbx.calls.passes import Passes
from vpbx.calls.registry import CallRegistry
from vpbx.calls.shared.last_talks import AskHistory, LastTalks
from vpbx.calls.shared.lines import Lines, Presence
from vpbx.calls.shared.parking import ParkingLot
from vpbx.calls.shared.queues import Queues
from vpbx.calls.staff import CompanyStaff
from vpbx.calls.tastes import Tastes
from vpbx.clock import Clock
from vpbx.directory import Contact, Directory, DomainConfig, Employee, Number, PromisedCall
from vpbx.events import CallEvent, CallInfo, Completed, Direction, EventBus
from vpbx.media import EncodeResult, MediaEngine, Recording, Side
from vpbx.sip import RegistrarLimits, SipStack, Throttle, WithoutQop
from vpbx.sip.resolver import Resolver
from vpbx.tasks import watched

__all__ = [
    "AskContact",
    "CallsConfig",
    "Encoder",
    "Mailbox",
    "Picked",
    "RecordingPlan",
    "Rung",
    "StoredMessage",
    "SubscriptionLimits",
    "Switch",
]

log = structlog.get_logger("vpbx.calls")

AskContact: TypeAlias = Callable[[DomainConfig, str, str, str], Awaitable[Contact | None]]
"""(domain, phone, callid, diversion) → what the CRM knows of the caller; may take its time."""


class RecordingPlan(Protocol):
    """Where recordings are kept."""

    def path(self, call: CallInfo) -> Path:
        """Return the MP3's path for a call; the directory may not exist yet."""


class Picked(Protocol):
    """What a call waits in (`calls.ringing`, `steps.park`), for who takes it from elsewhere."""

    def pick_up(self, leg: Leg, employee: Employee) -> None:
        """Let `employee`, who has dialled, take the call by the leg they dialled with."""


class Rung(Picked, Protocol):
    """The phones that ring for a call, for who watches them too."""

    def leg_of(self, login: str) -> Leg | None:
        """Return a phone of an employee that rings; None: none does, or not yet."""

    def ring_also(self, employee: Employee) -> None:
        """Ring the phones of an employee too, who has asked for the call."""


class Encoder(Protocol):
    """Makes MP3s (`vpbx.media.RecordingWorker`)."""

    async def encode(self, recording: Recording, target: Path, *, left: Side) -> EncodeResult:
        """Write one stereo MP3 to `target`."""


class StoredMessage(Protocol):
    """A voicemail message (`vpbx.mail.Message`)."""

    @property
    def id(self) -> int: ...
    @property
    def callid(self) -> str: ...
    @property
    def client(self) -> str:
        """Who left it, digits; "": they hid their number."""

    @property
    def heard(self) -> bool: ...


class Mailbox(Protocol):
    """The voice mailboxes of employees."""

    async def counts(self, domain_id: int, login: str) -> tuple[int, int] | None:
        """Return how many messages are new and how many old; None: nobody knows just now."""

    async def messages(self, domain_id: int, login: str) -> Sequence[StoredMessage]:
        """Return an employee's messages, new ones first."""

    async def sound(self, message: StoredMessage) -> Path:
        """Return what `MediaSession.play` takes; MediaError or OSError when it is gone."""

    def hear(self, domain_id: int, login: str, message_id: int) -> None:
        """It is no new message any more."""

    def delete(self, domain_id: int, login: str, message_id: int) -> None:
        """Take it out of the box."""


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """Bounds of what phones may subscribe to; seconds, and subscriptions at the same time."""

    min_expires_s: int = 60
    max_expires_s: int = 1800
    """A phone that was not told of a restart notices by then at the latest."""
    default_expires_s: int = 1800
    per_employee: int = 1000
    per_company: int = 10_000
    in_all: int = 50_000


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
    max_makecalls: int = 4
    """Calls by makecall that one employee may have at once; 0: as many as are asked for."""
    max_trunks_tried: int = 3
    trunk_silence_s: float = 5.0
    """A trunk that has not answered anything by then, not even 100, is given up for the next
    one, where there is a next one."""
    trunk_trying_s: float = 20.0
    """One that has answered 100 and nothing more by then, too."""
    dial_timeout_s: float = 120.0
    """An outside party may ring so long."""
    park_s: float = 90.0
    """A parked call that nobody took back by then rings at who parked it."""
    country: str = "RU"
    """Numbering plan of a caller's or called number while no domain is known."""
    nonce_ttl_s: float = 300.0
    without_qop: WithoutQop = WithoutQop.ONCE
    """What to do with phones that know only RFC 2069's digest."""
    registrar: RegistrarLimits = field(default_factory=RegistrarLimits)
    subscriptions: SubscriptionLimits = field(default_factory=SubscriptionLimits)


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
        mailbox: Mailbox | None = None,
        resolver: Resolver | None = None,
        last_talks: AskHistory | None = None,
    ) -> None:
        self.config = config
        self.directory = directory
        self.media = media
        self.events = events
        self.clock = clock
        self.contact = contact
        self.records = records
        self.encoder = encoder
        self.on_leg: Callable[[str, str], None] | None = None
        """Hears of each SIP call (its Call-ID) that a call of ours (its callid) consists of."""
        self.mailbox = mailbox
        self.callids = CallIds(config.node, clock)
        self.callids.follow(config.after_callid)
        self.calls = CallRegistry(
            max_calls=config.max_calls,
            max_calls_per_domain=config.max_calls_per_domain,
            max_calls_per_trunk=config.max_calls_per_trunk,
        )
        self.lines = Lines()
        self.passes = Passes(clock)
        self.throttle = Throttle(clock)
        self.connections = Connections(
            directory,
            self.calls,
            clock,
            secret=config.secret,
            max_tried=config.max_trunks_tried,
            throttle=self.throttle,
            resolver=resolver,
        )
        self.last_talks = LastTalks(last_talks)
        self.staff = CompanyStaff(directory, self.lines, self.last_talks)
        self.queues = Queues(clock, self.staff)
        self.lines.watch(self._line_moved)
        events.subscribe(self._note_talks)
        self.call_back: Callable[[PromisedCall], None] = lambda promised: None
        """Whom to give a customer to who is to be called back."""
        self.consult: Callable[[DomainConfig, Any, Inbox], None] = lambda domain, asked, inbox: None
        """Whom to ask for a call in which an employee consults a colleague (`Asked`)."""
        self.called_in: Callable[[int, str], None] = lambda domain_id, client: None
        """Whom to tell that a customer has called in: nobody needs to call them back."""
        self.ringing: dict[str, Rung] = {}
        """By callid: whose ringing can be picked up."""
        self.tastes = Tastes()
        self.parked: ParkingLot[Picked] = ParkingLot()
        self.stopping = False
        self._looking: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._media_down = False

    def _line_moved(self, domain_id: int, login: str, was: Presence, now: Presence) -> None:
        """Let the queues look, once for all that happens in a turn of the loop.

        That somebody begins to ring makes nobody free; whoever rings them has reserved them.
        """
        if (was, now) != (Presence.IDLE, Presence.RINGING) and domain_id not in self._looking:
            self._looking.add(domain_id)
            asyncio.get_running_loop().call_soon(self._look, domain_id)

    def _look(self, domain_id: int) -> None:
        self._looking.discard(domain_id)
        self.queues.changed(domain_id)

    def _note_talks(self, event: CallEvent) -> tuple[()]:
        if isinstance(event, Completed) and event.call.direction is not Direction.INNER:
            self.last_talks.talked(event.call.domain_id, event.user.login, event.at)
        return ()

    def new_call(
        self,
        domain: DomainConfig,
        direction: Direction,
        client: str = "",
        number: Number | None = None,
    ) -> CallInfo:
        """Return what holds for a call that begins now, with a callid of its own."""
        return CallInfo(
            self.callids.new(),
            domain.id,
            domain.name,
            direction,
            self.clock.time(),
            client,
            number.telnum if number is not None else "",
            number.name if number is not None else "",
        )

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
