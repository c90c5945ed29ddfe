"""Voice mailboxes: what was left for an employee, and what of it they have heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update

from vpbx.db import Database, Write, Writer
from vpbx.mail.tables import voicemail

__all__ = ["Mailboxes", "Message"]

_C = voicemail.c
_HEARD = update(voicemail).where(_C.id == bindparam("key")).values(heard=1)
_DELETE = delete(voicemail).where(_C.id == bindparam("key"))


@dataclass(frozen=True, slots=True)
class Message:
    """A voicemail message. left_at: seconds since 1970; path: its sound, below the recordings."""

    id: int
    callid: str
    client: str
    """Who left it, digits; "": they hid their number."""
    name: str
    left_at: float
    seconds: int
    heard: bool
    path: str


class Mailboxes:
    """The boxes of all employees. `changed` is called with (domain_id, login) after changes.

    `since_ms` says from when on a login is that of who has it now (since 1970): what was left for
    somebody before them is in no box any more.
    """

    def __init__(
        self, database: Database, writer: Writer, since_ms: Callable[[int, str], int]
    ) -> None:
        self._database = database
        self._writer = writer
        self._since_ms = since_ms
        self.changed: Callable[[int, str], None] = lambda domain_id, login: None

    async def messages(self, domain_id: int, login: str) -> list[Message]:
        """Return an employee's messages: new ones first, each kind the oldest first."""
        await self._writer.flush()
        query = (
            select(voicemail)
            .where(*self._of(domain_id, login))
            .order_by(_C.heard, _C.left_ms, _C.id)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Message(
                row.id,
                str(row.callid),
                row.client,
                row.name,
                row.left_ms / 1000,
                row.seconds,
                bool(row.heard),
                row.path,
            )
            for row in rows
        ]

    async def has(self, callid: str) -> bool:
        """Say whether what was left in a call is in somebody's box."""
        await self._writer.flush()
        query = select(_C.id).where(_C.callid == int(callid)).limit(1)
        async with self._database.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def counts(self, domain_id: int, login: str) -> tuple[int, int]:
        """Return how many messages are new, and how many were heard (RFC 3842)."""
        query = select(_C.heard, func.count()).where(*self._of(domain_id, login)).group_by(_C.heard)
        async with self._database.connect() as connection:
            found = {int(heard): int(count) for heard, count in await connection.execute(query)}
        return found.get(0, 0), found.get(1, 0)

    async def tallies(self, domain_id: int) -> dict[str, tuple[int, int]]:
        """Return how many messages are new and how many were heard, of each login that has any."""
        await self._writer.flush()
        query = (
            select(_C.login, func.sum(1 - _C.heard), func.sum(_C.heard))
            .where(_C.domain_id == domain_id)
            .group_by(_C.login)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).all()
        found = {login: (int(new), int(heard)) for login, new, heard in rows}
        for login in found:
            if self._since_ms(domain_id, login):
                found[login] = await self.counts(domain_id, login)
        return found

    def _of(self, domain_id: int, login: str) -> tuple[ColumnElement[bool], ...]:
        since_ms = self._since_ms(domain_id, login)
        return _C.domain_id == domain_id, _C.login == login, _C.left_ms >= since_ms

    async def settled(self) -> None:
        """Wait until all changes so far are on disk, and everybody can read them."""
        await self._writer.flush()

    def hear(self, domain_id: int, login: str, message_id: int) -> None:
        """A message was heard; it is an old one from now on."""
        self._change(domain_id, login, message_id, _HEARD)

    def delete(self, domain_id: int, login: str, message_id: int) -> None:
        """Take a message out of the box; the recording stays with the call's history."""
        self._change(domain_id, login, message_id, _DELETE)

    def _change(self, domain_id: int, login: str, message_id: int, statement: object) -> None:
        def told() -> None:
            self.changed(domain_id, login)

        write = Write(statement, {"key": message_id}, message_id, told)  # type: ignore[arg-type]
        self._writer.submit([write])
