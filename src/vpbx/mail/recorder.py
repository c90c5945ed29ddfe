"""MailRecorder: what happens in calls → messages in boxes and letters on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy import insert

from vpbx.db import Write
from vpbx.directory import DomainConfig
from vpbx.events import (
    CallEvent,
    CallInfo,
    FaxReceived,
    MessageLeft,
    RecordingReady,
    epoch_ms,
)
from vpbx.mail.letters import fax_text, voicemail_text
from vpbx.mail.queue import Letter, MailQueue
from vpbx.mail.tables import voicemail

__all__ = ["MailRecorder"]

_LEFT = insert(voicemail)


class MailRecorder:
    """A recorder of `vpbx.events.EventBus`.

    `domains` gives a company's snapshot by name without waiting. `path` says where a call's
    recording will lie, below the directory of recordings. `changed` is told (domain_id, login)
    when a new message can be read.
    """

    def __init__(
        self,
        queue: MailQueue,
        domains: Callable[[str], DomainConfig | None],
        path: Callable[[CallInfo], Path],
        changed: Callable[[int, str], None],
    ) -> None:
        self._queue = queue
        self._domains = domains
        self._path = path
        self._changed = changed

    def __call__(self, event: CallEvent) -> Iterable[Write]:
        """Return the writes that `event` causes."""
        if isinstance(event, MessageLeft):
            return self._left(event)
        if isinstance(event, FaxReceived):
            return self._faxed(event)
        if isinstance(event, RecordingReady):
            self._queue.wake()
        return ()

    def _left(self, event: MessageLeft) -> list[Write]:
        call = event.call
        path = str(self._path(call))
        writes = [
            Write(
                _LEFT,
                {
                    "domain_id": call.domain_id,
                    "login": login,
                    "callid": int(call.callid),
                    "client": event.client,
                    "name": event.name,
                    "left_ms": epoch_ms(event.at),
                    "seconds": event.seconds,
                    "heard": 0,
                    "path": path,
                },
                (call.callid, login),
                self._told(call.domain_id, login),
            )
            for login in event.boxes
        ]
        domain = self._domains(call.domain)
        if domain is not None:
            text = voicemail_text(domain, call, event)
            for address in _addresses(domain, event.boxes):
                letter = Letter(
                    call.domain_id, address, text.subject, text.body, path, text.attachment_name
                )
                writes += self._queue.put(letter)
        return writes

    def _faxed(self, event: FaxReceived) -> list[Write]:
        """A fax goes to whom its number names; to the company's first administrator where they
        have no address: pages that nobody is told of are lost."""
        call = event.call
        domain = self._domains(call.domain)
        if domain is None:
            return []
        text = fax_text(domain, call, event)
        path = str(self._path(call).with_suffix(".pdf"))
        for login in dict.fromkeys((event.user.login, domain.first_admin().login)):
            employee = domain.employees.get(login)
            if employee is not None and employee.email:
                subject, body, name = text.subject, text.body, text.attachment_name
                letter = Letter(call.domain_id, employee.email, subject, body, path, name)
                return self._queue.put(letter)
        return []

    def _told(self, domain_id: int, login: str) -> Callable[[], None]:
        return lambda: self._changed(domain_id, login)


def _addresses(domain: DomainConfig, boxes: Iterable[str]) -> tuple[str, ...]:
    """Return who gets a copy: those whose boxes it is in, and the company's own address."""
    found = [domain.employees[login].email for login in boxes if login in domain.employees]
    return tuple(dict.fromkeys(filter(None, [*found, domain.settings.voicemail.email])))
