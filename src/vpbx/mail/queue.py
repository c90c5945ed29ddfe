"""E-mail on its way: kept in the database until a mail server has taken it.

A letter that is not taken is tried again with growing pauses for a day, then given up; both can
be seen (`vpbx mail queue`). A few go at once, so that one over which the mail server ponders, or
says nothing, holds up no other. A mail server that is away is told once in the log, and again when
it is back. A letter waits for the recording it brings; where that never comes, it goes without.
"""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import aiosmtplib
import structlog
from sqlalchemy import bindparam, delete, insert, select, update

from vpbx.clock import Clock
from vpbx.db import Database, Write
from vpbx.events import epoch_ms
from vpbx.mail.smtp import Smtp
from vpbx.mail.tables import GIVEN_UP, WAITING, mail_queue

__all__ = ["Letter", "MailQueue", "QueuedLetter", "keep_letter"]

log = structlog.get_logger("vpbx.mail")

_C = mail_queue.c
_INSERT = insert(mail_queue)
_DELETE = delete(mail_queue).where(_C.id == bindparam("key"))
_TRIED = (
    update(mail_queue)
    .where(_C.id == bindparam("key"))
    .values(
        attempts=bindparam("new_attempts"),
        next_ms=bindparam("new_next"),
        status=bindparam("new_status"),
        error=bindparam("new_error"),
    )
)
_EMPTY = update(mail_queue).where(_C.id == bindparam("key")).values(body="", html="", attached="")
"""What a letter said that nobody gets: it may have been an invitation."""
_MOVE = (
    update(mail_queue)
    .where(_C.status == WAITING)
    .values(next_ms=_C.next_ms + bindparam("by"), made_ms=_C.made_ms + bindparam("by"))
)
_NOT_LATER = (
    update(mail_queue)
    .where(_C.status == WAITING, _C.next_ms > bindparam("latest"))
    .values(next_ms=bindparam("latest"))
)
_CLOCK_SET_S = 1.0
"""From how much on the clock counts as set."""
_PAUSES_S = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_GIVE_UP_S = 24 * 3600
_FOR_SOUND_S = 900
"""So long a letter waits for its recording."""
_LOOK_S = 30.0
_SOON_MS = 2000
_AT_ONCE = 4
"""Fewer connections than any mail server takes of one client."""
_MAX_ERROR = 200
_PERMANENT = range(500, 600)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to be sent.

    attachment: a file below the directory of recordings, or attached: a text that goes as a file
    of the name; "": none. html: the body once more, as mail programs prefer it; "": only plain.
    """

    domain_id: int
    recipient: str
    subject: str
    body: str
    attachment: str = ""
    attachment_name: str = ""
    html: str = ""
    attached: str = ""


@dataclass(frozen=True, slots=True)
class QueuedLetter:
    """A letter that was not taken yet, as support sees it. Times: seconds since 1970."""

    id: int
    domain_id: int
    recipient: str
    subject: str
    made_at: float
    next_at: float
    attempts: int
    error: str


async def keep_letter(database: Database, letter: Letter, now: float) -> None:
    """Put a letter where the queue of a running server finds it within half a minute."""
    async with database.begin() as connection:
        await connection.execute(_INSERT, _values(letter, now))


def _values(letter: Letter, now: float) -> dict[str, Any]:
    now_ms = epoch_ms(now)
    return {
        "domain_id": letter.domain_id,
        "made_ms": now_ms,
        "next_ms": now_ms,
        "attempts": 0,
        "status": WAITING,
        "recipient": letter.recipient,
        "subject": letter.subject,
        "body": letter.body,
        "attachment": letter.attachment,
        "attachment_name": letter.attachment_name,
        "error": "",
        "html": letter.html,
        "attached": letter.attached,
    }


class MailQueue:
    """Letters of all companies. `start` it to send; `smtp` None: letters are not even kept.

    Rows hold the time of day. When the clock is set, they are moved along: no letter is given up
    for it, and none waits for an hour that is not to come. After a restart with a wrong clock no
    letter waits longer than the longest pause.
    """

    def __init__(self, database: Database, smtp: Smtp | None, files: Path, *, clock: Clock) -> None:
        self._database = database
        self._smtp = smtp
        self._files = files
        self._clock = clock
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sending: dict[int, asyncio.Task[None]] = {}
        """Letters that are being handed over, by their keys."""
        self._away = False
        self._told_off = False
        self._behind_s = clock.time() - clock.now()
        """How far the monotonic clock is behind that of the rows."""
        self._checked = False

    async def start(self) -> None:
        """Begin to send."""
        if self._smtp is not None:
            self._behind_s = self._clock.time() - self._clock.now()
            self._task = asyncio.create_task(self._run(), name="vpbx-mail")

    async def stop(self) -> None:
        """Send no more; what is left goes after the next start."""
        if self._task is not None:
            tasks = [self._task, *self._sending.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._task = None

    @property
    def sends(self) -> bool:
        """Whether there is a mail server; without one nothing is kept."""
        return self._smtp is not None

    def wake(self) -> None:
        """Look for letters now."""
        self._wake.set()

    def put(self, letter: Letter) -> list[Write]:
        """Return the writes that put a letter on its way; none without a mail server."""
        if self._smtp is None:
            if not self._told_off:
                self._told_off = True
                log.warning("no mail is sent", hint="vpbx serve --smtp URL --mail-from ADDRESS")
            return []
        return [Write(_INSERT, _values(letter, self._now()), None, self.wake)]

    async def send(self, letter: Letter) -> bool:
        """Put a letter on its way and see it on disk; False without a mail server."""
        if self._smtp is None:
            return False
        await keep_letter(self._database, letter, self._now())
        self.wake()
        return True

    async def pending(self, *, given_up: bool = False) -> list[QueuedLetter]:
        """Return the letters that wait (or were given up), the oldest first."""
        status = GIVEN_UP if given_up else WAITING
        query = select(mail_queue).where(_C.status == status).order_by(_C.id)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            QueuedLetter(
                row.id,
                row.domain_id,
                row.recipient,
                row.subject,
                row.made_ms / 1000,
                row.next_ms / 1000,
                row.attempts,
                row.error,
            )
            for row in rows
        ]

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            pause_s = _LOOK_S
            try:
                pause_s = await self._send_due()
            except Exception as error:  # the database is away, say; that is told elsewhere
                log.debug("letters cannot be looked for", error=repr(error))
            try:
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _now(self) -> float:
        """Return the time of day that rows are written by."""
        return self._clock.now() + self._behind_s

    async def _follow_clock(self) -> None:
        """Move the rows along if the clock was set since they were written."""
        by_s = self._clock.time() - self._now()
        if not self._checked:  # what was set before we began nobody can tell
            latest = epoch_ms(self._now() + _PAUSES_S[-1])
            async with self._database.begin() as connection:
                await connection.execute(_NOT_LATER, {"latest": latest})
            self._checked = True
        elif abs(by_s) >= _CLOCK_SET_S:
            async with self._database.begin() as connection:
                await connection.execute(_MOVE, {"by": epoch_ms(by_s)})
            self._behind_s += by_s

    async def _send_due(self) -> float:
        """Begin to send what is due; return the seconds until something else is. Whatever is
        sent wakes us."""
        await self._follow_clock()
        now, free = epoch_ms(self._now()), _AT_ONCE - len(self._sending)
        others = select(mail_queue).where(_C.status == WAITING, _C.id.not_in(list(self._sending)))
        query = others.order_by(_C.next_ms).limit(free + 1)
        async with self._database.connect() as connection:
            rows: Sequence[Any] = (await connection.execute(query)).all()
        for row in rows[:free]:
            if row.next_ms > now:
                return min(_LOOK_S, float(row.next_ms - now) / 1000)
            self._sending[row.id] = asyncio.create_task(self._send(row), name="vpbx-letter")
        return _LOOK_S

    async def _send(self, row: Any) -> None:
        """Try once to send a letter."""
        try:
            await self._hand_over(row)
        except Exception as error:  # the database is away: another look will find it again
            log.debug("what became of a letter cannot be written", error=repr(error))
        else:
            self.wake()
        finally:
            del self._sending[row.id]

    async def _hand_over(self, row: Any) -> None:
        now_s = self._now()
        age_s = now_s - row.made_ms / 1000
        attachment = self._files / row.attachment if row.attachment else None
        content = row.attached.encode() if row.attached else None
        if attachment is not None:
            content = await asyncio.to_thread(_read, attachment)
            if content is None and age_s < _FOR_SOUND_S:
                values = (row.attempts, epoch_ms(now_s) + _SOON_MS, WAITING, row.error)
                await self._tried(row.id, *values)
                return
        assert self._smtp is not None
        try:
            await self._smtp.send(_message(self._smtp.sender, row, content))
        except aiosmtplib.SMTPResponseException as error:
            told = f"{error.code} {error.message}"
            await self._failed(row, age_s, told, final=_is_final(error))
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._tell_away(str(error) or type(error).__name__)
            await self._failed(row, age_s, str(error) or type(error).__name__, final=False)
        else:
            if self._away:
                self._away = False
                log.info("the mail server takes letters again", host=self._smtp.host)
            async with self._database.begin() as connection:
                await connection.execute(_DELETE, {"key": row.id})

    def _tell_away(self, why: str) -> None:
        assert self._smtp is not None
        if not self._away:
            self._away = True
            log.warning("the mail server does not take letters", host=self._smtp.host, why=why)

    async def _failed(self, row: Any, age_s: float, why: str, *, final: bool) -> None:
        attempts = row.attempts + 1
        pause_s = _PAUSES_S[min(attempts, len(_PAUSES_S)) - 1]
        status = GIVEN_UP if final or age_s + pause_s > _GIVE_UP_S else WAITING
        if status == GIVEN_UP:
            log.warning("a letter was given up", recipient=row.recipient, why=why)
        next_ms = epoch_ms(self._now() + pause_s)
        await self._tried(row.id, attempts, next_ms, status, why[:_MAX_ERROR])

    async def _tried(self, key: int, attempts: int, next_ms: int, status: int, why: str) -> None:
        values = {
            "key": key,
            "new_attempts": attempts,
            "new_next": next_ms,
            "new_status": status,
            "new_error": why,
        }
        async with self._database.begin() as connection:
            await connection.execute(_TRIED, values)
            if status == GIVEN_UP:
                await connection.execute(_EMPTY, {"key": key})


def _is_final(error: aiosmtplib.SMTPResponseException) -> bool:
    """Whether the server will never take this letter (RFC 5321 §4.2.1), our login apart."""
    return error.code in _PERMANENT and not isinstance(error, aiosmtplib.SMTPAuthenticationError)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _message(sender: str, row: Any, content: bytes | None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = row.recipient
    message["Subject"] = row.subject
    message["Date"] = formatdate(row.made_ms / 1000)
    message["Message-ID"] = make_msgid(f"letter-{row.id}", sender.partition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(row.body)
    if row.html:
        message.add_alternative(row.html, subtype="html")
    if content is not None:
        kind = mimetypes.guess_type(row.attachment_name)[0] or "application/octet-stream"
        maintype, subtype = kind.split("/", 1)
        message.add_attachment(
            content, maintype=maintype, subtype=subtype, filename=row.attachment_name
        )
        if row.attached:
            *_, attached = message.iter_attachments()
            attached.set_param("charset", "utf-8")
    return message
