"""Sends the reports that companies have by e-mail, as they are due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from vpbx.clock import Clock
from vpbx.console import report_letter
from vpbx.db import Unavailable, Write
from vpbx.directory import Directory, DomainConfig
from vpbx.history import Reports
from vpbx.mail import Letter, MailQueue
from vpbx.reporting import Due, ReportMails

__all__ = ["ReportSender"]

log = structlog.get_logger("vpbx.mail")

_LOOK_S = 30.0
"""How soon is seen what other processes set, and that the clock was set."""


class ReportSender:
    """Looks for what is due, makes it, and hands it to the queue of letters."""

    def __init__(
        self,
        mails: ReportMails,
        reports: Reports,
        directory: Directory,
        queue: MailQueue,
        link_base: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._mails = mails
        self._reports = reports
        self._directory = directory
        self._queue = queue
        self._link_base = link_base
        self._clock = clock
        self._wake = asyncio.Event()
        self._failing = False
        self._broken: set[int] = set()
        mails.changed = self._wake.set

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._wake.clear()
            pause_s = _LOOK_S
            try:
                await self.send_due()
                pause_s = await self._pause()
                self._failing = False
            except Exception as error:  # the database is away, say: told once, tried again
                if not self._failing:
                    log.warning("reports by e-mail cannot be looked for", why=repr(error)[:200])
                self._failing = True
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _pause(self) -> float:
        at = await self._mails.next_at()
        return _LOOK_S if at is None else min(_LOOK_S, max(0.5, at - self._clock.time()))

    async def send_due(self) -> None:
        """Send what is due now."""
        sent = True
        while sent:
            found = await self._mails.due(self._directory.domain_by_id)
            sent = any([await self._tried(due) for due in found])

    async def _tried(self, due: Due) -> bool:
        """Send one report; one that cannot be made keeps up no other."""
        domain = await self._directory.domain_by_id(due.mail.domain_id)
        try:
            return domain is not None and await self._send(due, domain)
        except Unavailable:
            raise
        except Exception:
            if due.mail.id not in self._broken:
                log.exception("a report cannot be made", report=due.mail.id)
            self._broken.add(due.mail.id)
            return False

    async def _send(self, due: Due, domain: DomainConfig) -> bool:
        letters: list[Write] = []
        group = due.mail.group
        if group and group not in domain.departments:
            log.warning("a report is of a department that is gone", domain=domain.name)
        elif domain.enabled:
            for at in due.times:
                letters += await self._letters(due, domain, at)
        taken = await self._mails.take(due, domain, letters)
        if taken and letters:
            log.info("reports are on their way", domain=domain.name, letters=len(letters))
            self._queue.wake()
        self._broken.discard(due.mail.id)
        return taken

    async def _letters(self, due: Due, domain: DomainConfig, at: float) -> list[Write]:
        link = f"{self._link_base(domain.name)}/reports"
        made = await report_letter(self._reports, domain, due.mail, at, link)
        writes: list[Write] = []
        for address in due.mail.recipients:
            writes += self._queue.put(
                Letter(
                    domain.id,
                    address,
                    made.subject,
                    made.body,
                    attachment_name=made.csv_name,
                    html=made.html,
                    attached=made.csv,
                )
            )
        return writes
