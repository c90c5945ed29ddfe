"""The running server: its parts made, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import structlog
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from vpbx.accounts import Accounts, Audit
from vpbx.app.addresses import Addresses, link_base, with_sip_ports
from vpbx.app.certificate import Identities
from vpbx.app.control import Answers, Control, Follows
from vpbx.app.datadir import DataDir, full_disk
from vpbx.app.fault import StartError
from vpbx.app.gauges import Gauges
from vpbx.app.ground import NODE, Ground, lay_ground
from vpbx.app.integration import integration_answers, integration_follows
from vpbx.app.lifetime import Lifetime
from vpbx.app.limits import raise_open_files
from vpbx.app.live import answers
from vpbx.app.pulse import Pulse
from vpbx.app.recorders import Recorders
from vpbx.app.recovery import Recovery
from vpbx.app.services import make_site
from vpbx.app.sip_metrics import SipMetrics
from vpbx.app.telephony import Telephony
from vpbx.app.watchdog import Watchdog
from vpbx.app.web import Web
from vpbx.calls import CallService
from vpbx.clock import Clock, LoopClock
from vpbx.config import ServeConfig
from vpbx.db import Database
from vpbx.directory import Directory
from vpbx.history import History
from vpbx.mail import Mailboxes

__all__ = ["App"]

log = structlog.get_logger("vpbx.app")

_STOP_ALL_S = 4.0
"""The promise is 5 s; after this each part that is left gets the least there is."""
_CERTIFICATES_EVERY_S = 3.0
"""How often changed certificate files are looked for."""


class App:
    """A server. `start` it, use its parts, `stop` it; what `start` began it undoes on failure.

    The parts stand on one another in this order: `Ground` (database, directory), `Recorders`
    (who is told of calls), `Telephony` (calls and SIP), and what answers over HTTP.
    """

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.data = DataDir(config.data)
        self.registry = CollectorRegistry()
        self.addresses: Addresses
        self.database: Database
        self.directory: Directory
        self.accounts: Accounts
        self.calls: CallService
        self.history: History
        self.boxes: Mailboxes
        self.more_answers: dict[str, Answers] = {}
        """What commands may ask besides, by verb; to be set before the start."""
        self.more_follows: dict[str, Follows] = {}
        self._clock: Clock
        self._told: Recorders

    async def start(self) -> None:
        """Start everything; `StartError` says in a sentence why that cannot be."""
        self._clock = LoopClock()
        self._life = Lifetime(self._clock)
        try:
            await self._start()
        except BaseException as error:
            await self._life.end()
            if full_disk(error) and not isinstance(error, StartError):
                raise self.data.full() from error
            raise

    async def stop(self) -> None:
        """Tell every call, write what is left, and free everything, in less than 5 s.

        Each part has a bound of its own; what is not done by then, the next start finds:
        rows of the outbox, the journal of calls, sound that is no MP3 yet.
        """
        await self._life.end(_STOP_ALL_S)

    @property
    def clock(self) -> Clock:
        """What time it is for the server."""
        return self._clock

    def commands(self, domain_id: int) -> AsyncIterator[dict[str, str | int]]:
        """Give the commands to a company's CRM as they are made, also where none is set."""
        return self._told.commands(domain_id)

    async def _start(self) -> None:
        data, life = self.data, self._life
        data.prepare()
        lock = data.lock()
        life.on_end(lock.release)
        files = raise_open_files()
        identities = Identities(self.config)
        web = Web(life, self.config, self.registry, files=files)
        self.config = with_sip_ports(web.bind(identities.context))
        ground = await lay_ground(self.config, data, self._clock, life, self.registry)
        self.database, self.directory = ground.database, ground.directory
        identities.is_company = self.directory.knows
        self.accounts = Accounts(self.database, self.directory, self._clock)
        audit = Audit(self.database, self.directory)
        self._told = told = Recorders(ground)
        await told.start()
        self.history, self.boxes = told.history, told.boxes
        recovery = await _recover(ground, told)
        await told.start_sending()
        telephony = Telephony(ground, told, self.accounts, audit, identities.context)
        await telephony.start_media()
        life.on_end(life.drop_background)
        told.send_reports()
        life.spawn(recovery.recode(data, telephony.worker, ground.recording_path))
        life.spawn(recovery.rescue_faxes(data, telephony.media.fax, ground.recording_path))
        await telephony.start()
        self.calls = telephony.calls
        await web.answer(make_site(ground, told, telephony, self.accounts, audit))
        await self._answer_commands(telephony, audit)
        life.spawn(_keep_fresh(identities))
        await self._serve_more(web)
        self._watch(telephony)
        self.addresses = Addresses.of(self.config)
        lock.tell(self._running())

    async def _serve_more(self, web: Web) -> None:
        """Serve what few servers do: certificates by ACME, the bridge."""
        if self.config.acme:
            names = self.directory.domain_names
            await web.ask_for_certificates(self.data.tls, names, self._clock)
        if self.config.bridge is not None:
            await web.serve_bridge(self.config.bridge)

    def _running(self) -> dict[str, int | str | bool]:
        """What commands find in the lock file of a server that runs."""
        return {
            "pid": os.getpid(),
            "started_at": int(time.time()),
            "at": str(self.addresses),
            "links": link_base(self.config),
            "mail": self._told.mail.sends,
        }

    async def _answer_commands(self, telephony: Telephony, audit: Audit) -> None:
        control = Control(
            self.data.root,
            {
                **answers(self.calls, self.directory, telephony.branches, audit),
                **integration_answers(self.directory, self._told.outbox),
                "defence": telephony.defence,
                **self.more_answers,
            },
            {
                **self.more_follows,
                "trace": telephony.trace.follow,
                **integration_follows(self.directory, self._told.crm),
            },
        )
        await control.start()
        self._life.later(control.stop, 0.1)

    def _watch(self, telephony: Telephony) -> None:
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(Gauges(self.calls, telephony.stack, self._told.outbox))
        self.registry.register(SipMetrics(telephony.stack, self.calls))
        self.watchdog = Watchdog(self._clock, self.registry)
        self.watchdog.start()
        self._life.on_end(self.watchdog.stop)


async def _recover(ground: Ground, told: Recorders) -> Recovery:
    """End the calls that a crash cut off, and begin to note that the server is alive."""
    recovery = Recovery(
        directory=ground.directory,
        history=told.history,
        recorder=told.recorder,
        events=told.events,
        boxes=told.boxes,
        clock=ground.clock,
        node=NODE,
    )
    pulse = Pulse(ground.data.pulse, ground.clock)
    await recovery.close_calls(
        ground.data, ground.database, ground.writer, ground.recording_path, pulse.last()
    )
    pulse.start()
    ground.life.later(pulse.stop, 0.1)
    return recovery


async def _keep_fresh(identities: Identities) -> None:
    """Take up changed certificate files, for as long as the server runs."""
    while True:
        await asyncio.sleep(_CERTIFICATES_EVERY_S)
        try:
            identities.refresh()
        except Exception:
            log.exception("the certificates cannot be looked after")
