"""The mail server that letters are handed to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

__all__ = ["Smtp"]


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server to hand letters to, and who they are from."""

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    """TLS from the first byte (smtps); else STARTTLS where the server offers it."""
    patience_s: float = 60.0
    """So long it may say nothing."""

    @classmethod
    def parse(cls, url: str, sender: str) -> Smtp:
        """Read smtp[s]://[user:password@]host[:port]; ValueError says what it must look like."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("must be smtp[s]://[USER:PASSWORD@]HOST[:PORT]")
        tls = parts.scheme == "smtps"
        username = unquote(parts.username or "")
        sender = sender or (username if "@" in username else "")
        if "@" not in sender:
            raise ValueError("needs --mail-from ADDRESS: who letters are from")
        return cls(
            parts.hostname,
            parts.port or (465 if tls else 25),
            sender,
            username,
            unquote(parts.password or ""),
            tls,
        )

    async def send(self, message: EmailMessage) -> None:
        """Hand one message over; raises what aiosmtplib raises."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username or None,
            password=self.password or None,
            use_tls=self.tls,
            timeout=self.patience_s,
        )
        async with client:
            try:
                await client.send_message(message)
            except asyncio.CancelledError:
                client.close()  # no good-bye, which may be waited for as long as the rest
                raise
