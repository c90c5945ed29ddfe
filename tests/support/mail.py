"""A real mail server that says what a test wants it to say."""

from __future__ import annotations

import asyncio
import email
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.ports import free_port

__all__ = ["MailServer", "mail_server"]


class MailServer:
    """Takes letters on loopback; `refusal`: what it answers instead of taking one; to `ponders`
    it says nothing while `may_answer` is not set."""

    def __init__(self) -> None:
        self.port = free_port()
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refusal = ""
        self.ponders = ""
        self.may_answer = asyncio.Event()
        self.tries = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.tries += 1
        if self.refusal:
            return self.refusal
        if self.ponders in envelope.rcpt_tos:
            await self.may_answer.wait()
        content = cast(bytes, envelope.content)
        letter: Any = email.message_from_bytes(content, policy=default)
        self.letters.append(letter)
        self.recipients += envelope.rcpt_tos
        return "250 taken"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop), "127.0.0.1", self.port
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def until(self, count: int, timeout_s: float = 30) -> None:
        """Wait until so many letters are there."""
        async with asyncio.timeout(timeout_s):
            while len(self.letters) < count:
                await asyncio.sleep(0.02)

    def to(self, address: str, count: int = 1, timeout_s: float = 30.0) -> list[EmailMessage]:
        """Wait, beside a server in a thread, until so many letters to an address are there."""
        by = time.monotonic() + timeout_s
        found: list[EmailMessage] = []
        while len(found) < count and time.monotonic() < by:
            time.sleep(0.02)
            found = [letter for letter in list(self.letters) if letter["To"] == address]
        assert len(found) >= count, f"{len(found)} letters to {address}"
        return found


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server in a thread, for tests that have no loop."""
    server, loop = MailServer(), asyncio.new_event_loop()
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
