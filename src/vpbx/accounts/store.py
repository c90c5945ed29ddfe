"""Rows of accounts, sessions and invitations, as values; each function is one statement or two."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.accounts.tables import accounts, invitations, passkeys, sessions
from vpbx.directory import DomainConfig
from vpbx.directory.tables import domains, users


@dataclass(frozen=True, slots=True)
class Account:
    """Who may log in: an employee of a company, or an operator (`domain` is "")."""

    id: int
    domain_id: int
    domain: str
    login: str
    """Of the employee, or the operator's name."""
    language: str
    has_password: bool
    has_totp: bool
    has_passkey: bool = False

    @property
    def has_second(self) -> bool:
        """Whether a second factor is asked for."""
        return self.has_totp or self.has_passkey

    @property
    def is_operator(self) -> bool:
        return not self.domain

    def __str__(self) -> str:
        return self.login if self.is_operator else f"{self.login}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is logged in, or (`pending`) has still to give its second factor."""

    id: int
    account: Account
    created_at: int
    seen_at: int
    pending: bool
    address: str
    agent: str
    company_id: int = 0
    """The company an operator works in just now."""


def new_token() -> str:
    """Return a token that cannot be guessed (256 bits)."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> str:
    """Return what of a token is kept."""
    return hashlib.sha256(token.encode()).hexdigest()


HAS_PASSKEY = exists().where(passkeys.c.account_id == accounts.c.id).label("has_passkey")


def _joined(*more: Any) -> Select[Any]:
    return select(
        accounts,
        users.c.login.label("user_login"),
        domains.c.id.label("of_domain"),
        domains.c.name.label("domain_name"),
        HAS_PASSKEY,
        *more,
    )


_PEOPLE = accounts.outerjoin(users, users.c.id == accounts.c.user_id).outerjoin(
    domains, domains.c.id == users.c.domain_id
)


def account_of(row: Row[Any]) -> Account:
    """Read an account from a joined row."""
    return Account(
        row.id,
        row.of_domain or 0,
        row.domain_name or "",
        row.user_login or row.operator or "",
        row.language,
        bool(row.password),
        bool(row.totp),
        bool(row.has_passkey),
    )


async def find(connection: AsyncConnection, account_id: int) -> Row[Any] | None:
    """Return the joined row of an account."""
    statement = _joined().select_from(_PEOPLE).where(accounts.c.id == account_id)
    found: Row[Any] | None = (await connection.execute(statement)).one_or_none()
    return found


async def find_employee(
    connection: AsyncConnection, domain: DomainConfig, user_id: int
) -> Row[Any] | None:
    """Return the joined row of an employee's account."""
    statement = (
        _joined()
        .select_from(_PEOPLE)
        .where(accounts.c.user_id == user_id, users.c.domain_id == domain.id)
    )
    found: Row[Any] | None = (await connection.execute(statement)).one_or_none()
    return found


async def find_operator(connection: AsyncConnection, name: str) -> Row[Any] | None:
    """Return the joined row of an operator's account."""
    statement = _joined().select_from(_PEOPLE).where(accounts.c.operator == name)
    found: Row[Any] | None = (await connection.execute(statement)).one_or_none()
    return found


async def find_session(connection: AsyncConnection, token: str) -> Row[Any] | None:
    """Return the joined row of a session, with `session_id`, `since`, `seen`, ….

    A row of an account whose employee is gone does not exist: it went with them.
    """
    statement = (
        _joined(
            sessions.c.id.label("session_id"),
            sessions.c.created_at.label("since"),
            sessions.c.seen_at,
            sessions.c.pending,
            sessions.c.address,
            sessions.c.agent,
            sessions.c.company_id,
        )
        .select_from(_PEOPLE.join(sessions, sessions.c.account_id == accounts.c.id))
        .where(sessions.c.token_hash == hashed(token))
    )
    found: Row[Any] | None = (await connection.execute(statement)).one_or_none()
    return found


def session_of(row: Row[Any]) -> Session:
    """Read a session from a row of `find_session`."""
    return Session(
        row.session_id,
        account_of(row),
        row.since,
        row.seen_at,
        bool(row.pending),
        row.address,
        row.agent,
        row.company_id,
    )


async def add_account(connection: AsyncConnection, now: int, **whose: Any) -> int:
    """Insert an account that has no password yet; return its id."""
    statement = insert(accounts).values(
        password="", totp="", totp_step=0, language="", created_at=now, **whose
    )
    made = await connection.execute(statement)
    return int(made.inserted_primary_key[0])  # type: ignore[index]


async def change_account(connection: AsyncConnection, account_id: int, **values: Any) -> None:
    """Change columns of an account."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))


async def end_sessions(
    connection: AsyncConnection, account_id: int, *, but: int = 0, until: int | None = None
) -> list[int]:
    """End all sessions of an account, except one, or those up to a number; return which."""
    c = sessions.c
    which = (c.account_id == account_id) & (c.id != but)
    if until is not None:
        which &= c.id <= until
    ended = (await connection.scalars(select(c.id).where(which))).all()
    await connection.execute(delete(sessions).where(which))
    return list(ended)


async def drop_invitations(connection: AsyncConnection, account_id: int) -> None:
    """Make the invitations of an account worthless."""
    await connection.execute(delete(invitations).where(invitations.c.account_id == account_id))
