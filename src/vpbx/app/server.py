"""The running server: its parts made, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvloop
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from vpbx.accounts import Accounts, Audit
from vpbx.acting import Actor, acting, actor
from vpbx.api import ApiConfig, ApiServices, create_app
from vpbx.app import logs, ports
from vpbx.app.addresses import Addresses, link_base, with_sip_ports
from vpbx.app.call_log import call_log
from vpbx.app.certificate import Identities, fingerprints, outside_address
from vpbx.app.control import Answers, Control, Follows, Question
from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir, full_disk, keep_private
from vpbx.app.fault import PortTaken, StartError
from vpbx.app.gauges import Gauges
from vpbx.app.http import with_metrics
from vpbx.app.integration import integration_answers, integration_follows
from vpbx.app.lifetime import Lifetime
from vpbx.app.limits import raise_open_files
from vpbx.app.live import answers
from vpbx.app.pulse import Pulse
from vpbx.app.recovery import Recovery
from vpbx.app.report_mail import ReportSender
from vpbx.app.sip_metrics import SipMetrics, defence
from vpbx.app.sip_trace import PcapFile, SipTrace
from vpbx.app.uploads import Uploads
from vpbx.app.voicemail import VoiceMailbox
from vpbx.app.watchdog import Watchdog
from vpbx.app.web import Web
from vpbx.app.web_sip import with_sip
from vpbx.branches import BranchLinks
from vpbx.calls import CallsConfig, CallService
from vpbx.clock import Clock, LoopClock
from vpbx.config import ServeConfig
from vpbx.console import (
    PAGES,
    Asks,
    ConsoleLetter,
    ConsoleServices,
    Live,
    Provisioning,
    create_console,
    with_console,
)
from vpbx.crm import (
    Contacts,
    CrmClient,
    CrmRecorder,
    Formats,
    IntegrationLog,
    Outbox,
    OutboxConfig,
    Webhooks,
    WebhookSender,
)
from vpbx.db import Database, Writer
from vpbx.directory import (
    Contact,
    Directory,
    DomainConfig,
    Format,
    Integration,
    Secrets,
    SipRegistration,
)
from vpbx.events import CallInfo, EventBus
from vpbx.history import (
    Browser,
    CustomerNames,
    Encoding,
    History,
    HistoryRecorder,
    Notes,
    RecordingLinks,
    Reports,
    recording_path,
)
from vpbx.mail import Letter, Mailboxes, MailQueue, MailRecorder, Smtp
from vpbx.media import MediaConfig, MediaEngine, MediaError, RecordingWorker
from vpbx.reporting import ReportMails
from vpbx.sip import BudgetLimits, Hop, Listen, SipStack, StackConfig, WithoutQop

__all__ = ["App", "run", "settle"]

log = structlog.get_logger("vpbx.app")

_GC_THRESHOLDS = (1_000, 5, 50)
_ANY = ("0.0.0.0", "::")  # noqa: S104
_STOP_ALL_S = 4.0
"""The promise is 5 s; after this each part that is left gets the least there is."""
_LAST_COMMANDS_S = 0.5
"""For a CRM to take the commands that the end of the last calls caused."""
_GOODBYE_S = 1.5
"""For phones and carriers to answer our BYE."""
_CERTIFICATES_EVERY_S = 3.0
"""How often changed certificate files are looked for."""
_PATIENCE_S = 1.5
"""How long somebody who asked waits for a database that is locked or away; the API's promise is
an answer within 2 s."""
NODE = 0
"""Which of several servers on one database this is; there is one, until there are more."""


class App:
    """A server. `start` it, use its parts, `stop` it; what `start` began it undoes on failure."""

    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.data = DataDir(config.data)
        self.registry = CollectorRegistry()
        self.addresses: Addresses
        self.database: Database
        self.directory: Directory
        self.accounts: Accounts
        self.calls: CallService
        self.branches: BranchLinks
        self.history: History
        self.outbox: Outbox
        self.mail: MailQueue
        self.boxes: Mailboxes
        self.reports: Reports
        self.report_mails: ReportMails
        self.stack: SipStack
        self.more_answers: dict[str, Answers] = {}
        """What commands may ask besides, by verb; to be set before the start."""
        self.more_follows: dict[str, Follows] = {}
        self._clock: Clock

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
        return self._crm.listen(domain_id)

    async def _start(self) -> None:
        config, data = self.config, self.data
        data.prepare()
        lock = data.lock()
        self._life.on_end(lock.release)
        files = raise_open_files()
        identities = Identities(config)
        tls = identities.context
        web = Web(self._life, config, self.registry, files=files)
        self.config = web.bind(tls)
        config = self.config = with_sip_ports(self.config)

        self.database = database = await open_database(
            data, config.database, patience_s=_PATIENCE_S
        )
        self._life.later(database.close, 0.5)
        data.remember_database(config.database)
        self._writer = writer = Writer(database, spill=data.unwritten("calls"))
        await writer.start()
        self._life.later(writer.stop, 1.5)
        self.directory = Directory(
            database,
            clock=self._clock,
            secrets=Secrets.from_file(data.secrets_key),
            allow_private=config.allow_private_crm,
            spill=data.unwritten("settings"),
        )
        await self.directory.start()
        self._life.later(self.directory.stop, 0.7)
        self.names = CustomerNames(database, writer)
        identities.is_company = self.directory.knows
        self.accounts = Accounts(database, self.directory, self._clock)
        self.audit = Audit(database, self.directory)

        events = EventBus(writer.submit)
        self.live = Live()
        events.subscribe(self.live.on_event)
        recorder = self._keep_history(events, writer)
        contacts = await self._connect_crm(writer, events, recorder)
        mailbox = await self._keep_mail(writer, events)
        recovery = Recovery(
            directory=self.directory,
            history=self.history,
            recorder=recorder,
            events=events,
            clock=self._clock,
            node=NODE,
        )
        pulse = Pulse(data.pulse, self._clock)
        await recovery.close_calls(data, database, writer, self._recording_path, pulse.last())
        pulse.start()
        self._life.later(pulse.stop, 0.1)
        await self.outbox.start()
        self._life.later(partial(self.outbox.stop, _LAST_COMMANDS_S), 2 * _LAST_COMMANDS_S)

        media = await self._start_media()
        worker = RecordingWorker()
        self._life.later(worker.stop, 1)
        self._life.on_end(self._life.drop_background)
        self._send_reports()
        self._life.spawn(recovery.recode(data, worker, self._recording_path))
        self._life.spawn(recovery.rescue_faxes(data, media.fax, self._recording_path))
        await self._start_calls(media, events, contacts, worker, mailbox, tls)
        await self._answer_http(web)
        await self._answer_commands()
        self._life.spawn(_keep_fresh(identities))
        if config.acme:
            await web.ask_for_certificates(data.tls, self.directory.domain_names, self._clock)
        if config.bridge is not None:
            await web.serve_bridge(config.bridge)
        self._watch()
        self.addresses = Addresses.of(config)
        lock.tell(
            {
                "pid": os.getpid(),
                "started_at": int(time.time()),
                "at": str(self.addresses),
                "links": link_base(config),
                "mail": self.mail.sends,
            }
        )

    def _keep_history(self, events: EventBus, writer: Writer) -> HistoryRecorder:
        encoding = Encoding()
        links = RecordingLinks(self.data.secret("recording links"), link_base(self.config))
        self.history = History(self.database, links, self.data.records, encoding, writer.caught_up)
        recorder = HistoryRecorder(NODE, encoding, self._clock)
        events.subscribe(recorder)
        return recorder

    async def _connect_crm(
        self, writer: Writer, events: EventBus, recorder: HistoryRecorder
    ) -> Contacts:
        def learned(domain_id: int, form: Format, address: str) -> None:
            self._life.spawn(self.directory.integrations.learn_format(domain_id, form, address))

        client = CrmClient(Formats(learned), private=self.directory.private)
        await client.start()
        self._life.later(client.close, 0.3)
        kept_s = self.config.crm_log_days * 86_400.0
        self.outbox = Outbox(
            self.database,
            writer,
            client,
            self._integration_of,
            node=NODE,
            clock=self._clock,
            config=OutboxConfig(log_kept_s=kept_s, failed_kept_s=kept_s),
            is_open=recorder.is_open,
            webhook=WebhookSender(client, self.directory.domain_by_id),
        )
        self._webhooks = Webhooks(self.outbox, lambda: int(self._clock.time() * 1000))
        links = self.history.links

        def link(call: CallInfo, *ending: str) -> str:
            return links.url(call.domain, call.domain_id, call.callid, *ending)

        cached = self.directory.cached
        events.subscribe(call_log)
        self._crm = CrmRecorder(self.outbox, cached, link, recorder.is_open)
        events.subscribe(self._crm)
        return Contacts(client, self.outbox.crm_answers, self.outbox.asked)

    async def _keep_mail(self, writer: Writer, events: EventBus) -> VoiceMailbox:
        data, config = self.data, self.config
        smtp = Smtp.parse(config.smtp, config.mail_from) if config.smtp else None
        self.mail = queue = MailQueue(self.database, smtp, data.records, clock=self._clock)
        self.boxes = boxes = Mailboxes(self.database, writer, self.directory.since_ms)

        def path(call: CallInfo) -> Path:
            return self._recording_path(call).relative_to(data.records)

        def changed(domain_id: int, login: str) -> None:
            boxes.changed(domain_id, login)

        events.subscribe(MailRecorder(queue, self.directory.cached, path, changed))
        await queue.start()
        self._life.later(queue.stop, 0.3)
        return VoiceMailbox(boxes, data.records, data.prompts / "voicemail")

    def _send_reports(self) -> None:
        self.reports = Reports(self.database, self._writer.caught_up)
        self.report_mails = ReportMails(self.database, self._clock.time)
        sender = ReportSender(
            self.report_mails,
            self.reports,
            self.directory,
            self.mail,
            self._console_at,
            self._clock,
        )
        self._life.spawn(sender.run())

    async def _send_mail(self, domain_id: int, address: str, letter: ConsoleLetter) -> bool:
        return await self.mail.send(
            Letter(domain_id, address, letter.subject, letter.body, html=letter.html)
        )

    def _console_at(self, domain: str) -> str:
        """Say how links to the console begin."""
        return link_base(self.config).replace("{domain}", domain)

    async def _start_media(self) -> MediaEngine:
        config, data = self.config, self.data
        host = config.sip.host if config.sip else config.sip_tls.host  # type: ignore[union-attr]
        advertise = config.advertise or (outside_address() if host in _ANY else "")
        media = MediaEngine(
            MediaConfig(
                spool_dir=data.spool,
                record_dir=data.recorded,
                prompts_dir=data.prompts,
                listen_host=host,
                advertise=advertise,
                port_min=config.rtp.first,
                port_max=config.rtp.last,
                remote=config.media or None,
                webrtc_port=None if config.media else config.webrtc_port,
            ),
            clock=self._clock,
        )
        try:
            await media.start()
        except (MediaError, OSError) as error:
            raise StartError(
                f"The media engine does not start: {error}. "
                "Try another range with --rtp-ports A-B; `vpbx doctor` looks closer."
            ) from error
        self._life.later(media.stop, 0.7)
        return media

    async def _start_calls(
        self,
        media: MediaEngine,
        events: EventBus,
        contacts: Contacts,
        worker: RecordingWorker,
        mailbox: VoiceMailbox,
        tls: ssl.SSLContext,
    ) -> None:
        config = self.config
        self.calls = CallService(
            config=CallsConfig(
                secret=self.data.secret("digest nonces"),
                uploads=self.data.media,
                node=NODE,
                without_qop=WithoutQop(config.digest_without_qop),
                after_callid=await self.history.last_callid(),
                max_makecalls=config.makecalls_per_employee,
            ),
            directory=self.directory,
            media=media,
            events=events,
            contact=partial(self._named, contacts),
            records=_Records(self._recording_path),
            encoder=worker,
            mailbox=mailbox,
            last_talks=self.history.last_talks,
            clock=self._clock,
        )
        self.calls.supervisors.told = self._note_supervision
        passes = self.calls.passes
        self.accounts.on_ended(lambda session_id: passes.withdraw(str(session_id)))
        self.accounts.watch.also(lambda: {int(each) for each in passes.sessions()})
        self._life.spawn(self.accounts.watch.run())
        listens = []
        if config.sip:
            listens += [Listen(kind, config.sip.host, config.sip.port) for kind in ("udp", "tcp")]
        if config.sip_tls:
            listens.append(Listen("tls", config.sip_tls.host, config.sip_tls.port, tls))
        self.stack = SipStack(
            StackConfig(
                listens=tuple(listens),
                advertise=config.advertise,
                budgets=BudgetLimits(),
                connections_per_source=config.sip_connections,
                tap=self._trace_sip(),
            ),
            self.calls,
            clock=self._clock,
        )
        self.calls.attach(self.stack)
        self.calls.connections.failed = self._registration_failed
        self.boxes.changed = self.calls.mailbox_changed
        try:
            await self.stack.start()
        except OSError as error:
            kind = PortTaken if ports.in_use(error) else StartError
            raise kind(f"SIP cannot listen: {error}. See `vpbx doctor`.") from error
        self._life.later(self._hang_up, 2 * _GOODBYE_S)
        await self.calls.start()
        secrets = self.calls.connections.branch_secrets
        self.branches = BranchLinks(
            self.directory, self._clock, secrets, self._sip_told, self._certificates_shown
        )
        self.branches.start()
        self._life.later(self.branches.stop, 0.3)

    def _trace_sip(self) -> Callable[[bool, bytes, Hop], None]:
        """Keep what goes over the wire, for who asks for it later or now."""
        file = None
        if self.config.log_sip is not None:
            file = PcapFile(self.config.log_sip, lambda peer: self.stack.layer.local_address(peer))
            self._life.on_end(file.close)
        self.trace = SipTrace(
            lambda callid: any(call.info.callid == callid for call in self.calls.active()),
            to_log=self.config.log_level == "debug",
            file=file,
        )
        self.calls.trace(self.trace.leg)
        return self.trace.message

    def _certificates_shown(self, domain: str) -> frozenset[str]:
        return fingerprints(self.config, domain)

    def _sip_told(self) -> str:
        """Say where this server takes calls, for connected PBXs: SIP URIs with spaces."""
        told = []
        for scheme, endpoint in (("sips", self.config.sip_tls), ("sip", self.config.sip)):
            if endpoint is not None:
                own = outside_address() if endpoint.host in _ANY else endpoint.host
                host = self.config.advertise or own
                host = f"[{host}]" if ":" in host else host
                told.append(f"{scheme}:{host}:{endpoint.port}")
        return " ".join(told)

    def _registration_failed(self, domain: DomainConfig, registration: SipRegistration) -> None:
        """Tell who subscribed that a company's registration fails (crm-api §14)."""
        data = {
            "telnum": registration.telnum,
            "name": registration.name,
            "domain": registration.domain,
        }
        self._writer.submit(self._webhooks.announce(domain, "sipregs_error", data))

    async def _hang_up(self) -> None:
        await self.calls.stop(_GOODBYE_S)
        await self.stack.stop(_GOODBYE_S)

    async def _named(
        self, contacts: Contacts, domain: DomainConfig, phone: str, callid: str, diversion: str
    ) -> Contact | None:
        """Ask the CRM who calls, and keep what it calls them."""
        found = await contacts.contact(domain, phone, callid, diversion)
        if found is not None:
            self.names.note(domain.id, phone, found.name)
        return found

    async def _note_supervision(self, domain_id: int, login: str, what: str) -> None:
        """Write into the log of changes who listens to whom; who presses a key acts by phone."""
        with acting(actor() or Actor(login, "phone")):
            await self.audit.note(domain_id, "listening to calls", "", what)

    async def _answer_http(self, web: Web) -> None:
        services = ApiServices(
            directory=self.directory,
            history=self.history,
            calls=self.calls,
            clock=self._clock,
            commands=IntegrationLog(self.outbox),
            branches=self.branches,
            config=ApiConfig(
                trusted_proxies=self.config.trusted_proxies,
                https_port=self.config.https.port if self.config.https else 0,
                makecalls_per_second=self.config.makecalls_per_second,
            ),
        )
        app = with_console(create_app(services), create_console(self._console(), PAGES), PAGES)
        app = with_metrics(app, self.registry)
        app = with_sip(app, lambda: self.stack)
        await web.answer(app)

    def _console(self) -> ConsoleServices:
        return ConsoleServices(
            directory=self.directory,
            history=self.history,
            browser=Browser(self.database, self._writer.caught_up),
            reports=self.reports,
            notes=Notes(self.database),
            names=self.names,
            calls=self.calls,
            accounts=self.accounts,
            audit=self.audit,
            clock=self._clock,
            live=self.live,
            commands=IntegrationLog(self.outbox),
            uploads=Uploads(self.directory, self.data),
            boxes=self.boxes,
            media_path=lambda file: self.data.media / file.path,
            asks=Asks(self._clock),
            link_base=self._console_at,
            report_mails=self.report_mails,
            sends_mail=self.mail.sends,
            send_mail=self._send_mail,
            provisioning=Provisioning(self._clock),
            sip_addresses=self._sip_told,
            sip_messages=lambda callid: self.trace.messages(callid),
            free_disk=self.data.free,
            trusted_proxies=self.config.trusted_proxies,
            https_port=self.config.https.port if self.config.https else 0,
        )

    async def _answer_commands(self) -> None:
        control = Control(
            self.data.root,
            {
                **answers(self.calls, self.directory, self.branches),
                **integration_answers(self.directory, self.outbox),
                "defence": self._defence,
                **self.more_answers,
            },
            {
                **self.more_follows,
                "trace": self.trace.follow,
                **integration_follows(self.directory, self._crm),
            },
        )
        await control.start()
        self._life.later(control.stop, 0.1)

    async def _defence(self, question: Question) -> dict[str, Any]:
        return defence(self.stack, self.calls)

    def _watch(self) -> None:
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(Gauges(self.calls, self.stack, self.outbox))
        self.registry.register(SipMetrics(self.stack, self.calls))
        self.watchdog = Watchdog(self._clock, self.registry)
        self.watchdog.start()
        self._life.on_end(self.watchdog.stop)

    async def _integration_of(self, domain_id: int) -> Integration | None:
        domain = await self.directory.domain_by_id(domain_id)
        return domain.integration if domain is not None and domain.enabled else None

    def _recording_path(self, call: CallInfo) -> Path:
        return recording_path(self.data.records, call.domain_id, call.callid, call.started_at)


class _Records:
    """`vpbx.calls.RecordingPlan`: where MP3s are kept."""

    def __init__(self, path: Callable[[CallInfo], Path]) -> None:
        self.path = path


async def _keep_fresh(identities: Identities) -> None:
    """Take up changed certificate files, for as long as the server runs."""
    while True:
        await asyncio.sleep(_CERTIFICATES_EVERY_S)
        try:
            identities.refresh()
        except Exception:
            log.exception("the certificates cannot be looked after")


def run(config: ServeConfig) -> None:
    """Serve until SIGTERM or SIGINT; `StartError` when it cannot begin."""
    keep_private()
    with (
        logs.serving(config.log_level),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(config))


def settle() -> None:
    """Leave what is loaded by now out of garbage collections for good.

    It stays until the end anyway, and to look through all of it (numbering plans, models)
    would hold up every call for a tenth of a second now and then. The rest is looked through
    less often than Python would, which took 9 % of a loaded server's time, and no more seldom
    than measured: 20,000 calls leave memory flat, ten times these thresholds save nothing more.
    How often all is looked through is the product of the three; the first two say how long calls
    wait for one look at what is new. 50 calls a second with 15 NOTIFYs each left 50,000 objects
    to be looked at (5,000, 10) and 36 to 64 ms of waiting; so 5,000, and 3 to 8 ms, a tenth as
    often since an answered request leaves little behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _serve(config: ServeConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    app = App(config)
    await app.start()
    settle()
    app.watchdog.forget()
    with contextlib.suppress(OSError):  # a log on a full disk; whoever waits for it is served
        os.write(1, f"ready {app.addresses}\n".encode())
    await stop.wait()
    log.info("stopping", calls=len(app.calls.active()))
    await app.stop()
    log.info("stopped")
