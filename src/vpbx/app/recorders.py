"""Who is told of calls: history, companies' CRMs, voice mailboxes and e-mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from vpbx.app.addresses import link_base
from vpbx.app.call_log import call_log
from vpbx.app.ground import NODE, Ground
from vpbx.app.report_mail import ReportSender
from vpbx.app.voicemail import VoiceMailbox
from vpbx.console import ConsoleLetter, Live
from vpbx.crm import (
    Contacts,
    CrmClient,
    CrmRecorder,
    Formats,
    Outbox,
    OutboxConfig,
    Webhooks,
    WebhookSender,
)
from vpbx.directory import Contact, DomainConfig, Format, SipRegistration
from vpbx.events import (
    CallEnded,
    CallInfo,
    EventBus,
    FaxReceived,
    MessageLeft,
    RecordingReady,
)
from vpbx.history import (
    Beside,
    CustomerNames,
    Encoding,
    History,
    HistoryRecorder,
    RecordingLinks,
    ReportAhead,
    Reports,
    ReportStore,
)
from vpbx.mail import Letter, Mailboxes, MailQueue, MailRecorder, Smtp
from vpbx.reporting import ReportMails

__all__ = ["Recorders"]

_LAST_COMMANDS_S = 0.5
"""For a CRM to take the commands that the end of the last calls caused."""


class Recorders:
    """All that listens to the events of calls, in the order of their hearing them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.events = EventBus(ground.writer.submit)
        self.names = CustomerNames(ground.database, ground.writer)
        self.live = Live()
        self.events.subscribe(self.live.on_event)
        self._keep_history()
        self.events.subscribe(call_log, CallEnded)

    def _keep_history(self) -> None:
        ground, encoding = self._ground, Encoding()
        self.links = RecordingLinks(ground.data.secret("recording links"), link_base(ground.config))
        self.history = History(
            ground.database, self.links, ground.data.records, encoding, ground.writer.caught_up
        )
        self.recorder = HistoryRecorder(NODE, encoding, ground.clock)
        self.events.subscribe(self.recorder)

    async def start(self) -> None:
        """Listen; nothing is sent to a CRM before `start_sending`."""
        await self._connect_crm()
        await self._keep_mail()

    async def start_sending(self) -> None:
        """Send commands, those of before a crash first."""
        await self.outbox.start()
        self._ground.life.later(partial(self.outbox.stop, _LAST_COMMANDS_S), 2 * _LAST_COMMANDS_S)

    async def _connect_crm(self) -> None:
        ground = self._ground
        directory, clock, life = ground.directory, ground.clock, ground.life

        def learned(domain_id: int, form: Format, address: str) -> None:
            life.spawn(directory.integrations.learn_format(domain_id, form, address))

        client = CrmClient(Formats(learned), private=directory.private)
        await client.start()
        life.later(client.close, 0.3)
        kept_s = ground.config.crm_log_days * 86_400.0
        self.outbox = Outbox(
            ground.database,
            ground.writer,
            client,
            ground.integration_of,
            node=NODE,
            clock=clock,
            config=OutboxConfig(log_kept_s=kept_s, failed_kept_s=kept_s),
            is_open=self.recorder.is_open,
            webhook=WebhookSender(client, directory.domain_by_id),
        )
        self._webhooks = Webhooks(self.outbox, lambda: int(clock.time() * 1000))
        self._contacts = Contacts(client, self.outbox.crm_answers, self.outbox.asked)
        self.crm = CrmRecorder(self.outbox, directory.cached, self._link, self.recorder.is_open)
        self.events.subscribe(self.crm)

    def _link(self, call: CallInfo, *ending: str) -> str:
        return self.links.url(call.domain, call.domain_id, call.callid, *ending)

    async def _keep_mail(self) -> None:
        ground = self._ground
        config, records = ground.config, ground.data.records
        smtp = Smtp.parse(config.smtp, config.mail_from) if config.smtp else None
        self.mail = MailQueue(ground.database, smtp, records, clock=ground.clock)
        self.boxes = boxes = Mailboxes(ground.database, ground.writer, ground.directory.since_ms)

        def path(call: CallInfo) -> Path:
            return ground.recording_path(call).relative_to(records)

        def changed(domain_id: int, login: str) -> None:
            boxes.changed(domain_id, login)

        mail = MailRecorder(self.mail, ground.directory.cached, path, changed)
        self.events.subscribe(mail, MessageLeft, FaxReceived, RecordingReady)
        await self.mail.start()
        ground.life.later(self.mail.stop, 0.3)
        self.mailbox = VoiceMailbox(boxes, records, ground.data.prompts / "voicemail")

    def send_reports(self) -> None:
        """Send the reports that companies have by e-mail, as they are due."""
        ground = self._ground
        ahead = ReportAhead(ReportStore(ground.database), self._zones, ground.clock.time)
        ground.life.spawn(ahead.run())
        beside = Beside(ahead.hurry, ground.life.spawn)
        self.reports = Reports(ground.database, ground.writer.caught_up, beside)
        self.report_mails = ReportMails(ground.database, ground.clock.time)
        sender = ReportSender(
            self.report_mails,
            self.reports,
            ground.directory,
            self.mail,
            ground.console_at,
            ground.clock,
        )
        ground.life.spawn(sender.run())

    async def _zones(self) -> list[tuple[int, ZoneInfo]]:
        """Return the companies and where their clocks are."""
        zones = await self._ground.directory.companies.zones()
        return [(domain_id, ZoneInfo(name)) for domain_id, name in zones.items()]

    async def send_letter(self, domain_id: int, address: str, letter: ConsoleLetter) -> bool:
        """Send a letter of the console at once; False: the mail server does not take it."""
        return await self.mail.send(
            Letter(domain_id, address, letter.subject, letter.body, html=letter.html)
        )

    async def contact(
        self, domain: DomainConfig, phone: str, callid: str, diversion: str
    ) -> Contact | None:
        """Ask the CRM who calls, and keep what it calls them."""
        found = await self._contacts.contact(domain, phone, callid, diversion)
        if found is not None:
            self.names.note(domain.id, phone, found.name)
        return found

    def registration_failed(self, domain: DomainConfig, registration: SipRegistration) -> None:
        """Tell who subscribed that a company's registration fails (crm-api §14)."""
        data = {
            "telnum": registration.telnum,
            "name": registration.name,
            "domain": registration.domain,
        }
        self._ground.writer.submit(self._webhooks.announce(domain, "sipregs_error", data))

    def commands(self, domain_id: int) -> AsyncIterator[dict[str, str | int]]:
        """Give the commands to a company's CRM as they are made, also where none is set."""
        return self.crm.listen(domain_id)
