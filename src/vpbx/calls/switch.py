"""What all calls share: settings, the parts they use, and the calls themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from vpbx.calls.callid import CallIds
from vpbx.calls.config import CallsConfig
from vpbx.calls.connections import Connections
from vpbx.calls.inbox import Inbox
from vpbx.calls.leg import Leg
from vpbx.calls.parts import Parts
from vpbx.calls.passes import Passes
from vpbx.calls.registry import CallRegistry
from vpbx.calls.shared.last_talks import LastTalks
from vpbx.calls.shared.lines import Lines, Presence
from vpbx.calls.shared.parking import ParkingLot
from vpbx.calls.shared.queues import Queues
from vpbx.calls.staff import CompanyStaff
from vpbx.calls.tastes import Tastes
from vpbx.directory import DomainConfig, Employee, Number, PromisedCall
from vpbx.events import CallInfo, Completed, Direction
from vpbx.sip import SipStack, Throttle
from vpbx.tasks import watched

__all__ = ["Picked", "Rung", "Switch"]

log = structlog.get_logger("vpbx.calls")


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


class Switch:
    """The one value that every call is given."""

    stack: SipStack

    def __init__(self, config: CallsConfig, parts: Parts) -> None:
        directory, clock = parts.directory, parts.clock
        self.config = config
        self.directory = directory
        self.media = parts.media
        self.events = parts.events
        self.clock = clock
        self.contact = parts.contact
        self.records = parts.records
        self.encoder = parts.encoder
        self.mailbox = parts.mailbox
        self.on_leg: Callable[[str, str], None] | None = None
        """Hears of each SIP call (its Call-ID) that a call of ours (its callid) consists of."""
        self.callids = CallIds(config.node, clock)
        self.callids.follow(config.after_callid)
        self.calls = CallRegistry(config)
        self.lines = Lines()
        self.passes = Passes(clock)
        self.throttle = Throttle(clock)
        self.connections = Connections(config, parts, self.calls, self.throttle)
        self.last_talks = LastTalks(parts.last_talks, directory.since_ms)
        self.staff = CompanyStaff(directory, self.lines, self.last_talks)
        self.queues = Queues(clock, self.staff)
        self.lines.watch(self._line_moved)
        parts.events.subscribe(self._note_talk, Completed)
        directory.on_loaded(lambda domain: self.calls.settings_changed(domain.id))
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
        if (was, now) == (Presence.IDLE, Presence.RINGING) or not self.queues.any(domain_id):
            return
        if domain_id not in self._looking:
            self._looking.add(domain_id)
            asyncio.get_running_loop().call_soon(self._look, domain_id)

    def _look(self, domain_id: int) -> None:
        self._looking.discard(domain_id)
        self.queues.changed(domain_id)

    def _note_talk(self, event: Completed) -> tuple[()]:
        call = event.call
        if call.direction is not Direction.INNER:
            self.last_talks.talked(call.domain_id, event.user.login, call.started_at, event.at)
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
