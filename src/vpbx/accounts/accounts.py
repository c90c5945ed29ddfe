"""Who may use the console: invitations, passwords, sessions.

An employee's password here is another than that of their phones. It is chosen by who follows an
invitation; making a new one does not take the old password away until it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from vpbx.accounts import store
from vpbx.accounts.errors import Refused
from vpbx.accounts.passkeys import Passkeys
from vpbx.accounts.passwords import Passwords, check
from vpbx.accounts.proofs import Proofs
from vpbx.accounts.second import SecondFactor
from vpbx.accounts.settings import ConsoleSettings, SettingsStore
from vpbx.accounts.store import Account, Session
from vpbx.accounts.tables import accounts, invitations, sessions
from vpbx.accounts.throttle import Throttle
from vpbx.accounts.watch import SessionWatch
from vpbx.clock import Clock
from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, NotFound
from vpbx.directory.tables import users

INVITED_S = 7 * 24 * 3600
PENDING_S = 10 * 60
"""How long somebody may take for their second factor."""
_TOUCH_S = 60
_AGENT = 200
_MOST_SESSIONS = 50
_OPERATOR = "operator:"
WRONG = "login or password is wrong"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link's secret, shown once, and until when it counts (epoch seconds)."""

    token: str = field(repr=False)
    expires_at: int = 0


class Accounts:
    """Operations on accounts. What a company asks of them is in `settings`."""

    def __init__(self, database: Database, directory: Directory, clock: Clock) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._passwords = Passwords()
        self.throttle = Throttle(clock)
        self.settings = SettingsStore(database)
        self.second = SecondFactor(database, directory, clock, self.throttle)
        self.passkeys = Passkeys(database, clock, self.throttle)
        self.proofs = Proofs(clock)
        self.watch = SessionWatch(database, self._tell_ended)
        self._watchers: list[Callable[[int], None]] = []

    def on_ended(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with the number of each session that ends; see `watch`."""
        self._watchers.append(tell)

    def _tell_ended(self, session_ids: Iterable[int]) -> None:
        session_ids = list(session_ids)
        self.watch.ended(session_ids)
        for session_id in session_ids:
            for tell in self._watchers:
                tell(session_id)

    def _now(self) -> int:
        return int(self._clock.time())

    # Invitations

    async def invite(self, domain: DomainConfig, login: str) -> Invitation:
        """Return a new invitation for an employee; older ones are worthless. NotFound."""
        employee = await self._directory.users.get(domain, login)
        async with self._database.begin() as connection:
            row = await store.find_employee(connection, domain, employee.id)
            account_id = (
                row.id
                if row is not None
                else await store.add_account(connection, self._now(), user_id=employee.id)
            )
            return await self._invite(connection, account_id)

    async def invite_operator(self, name: str) -> Invitation:
        """Return a new invitation for an operator, who is added when there is none yet."""
        name = name.strip().lower()
        if not name or len(name) > 64 or not name.isprintable() or "@" in name or " " in name:
            raise Refused("name", "must be one word of at most 64 characters without @")
        async with self._database.begin() as connection:
            row = await store.find_operator(connection, name)
            account_id = (
                row.id
                if row is not None
                else await store.add_account(connection, self._now(), operator=name)
            )
            return await self._invite(connection, account_id)

    async def _invite(self, connection: Any, account_id: int) -> Invitation:
        made = Invitation(store.new_token(), self._now() + INVITED_S)
        await store.drop_invitations(connection, account_id)
        await connection.execute(
            insert(invitations).values(
                token_hash=store.hashed(made.token),
                account_id=account_id,
                expires_at=made.expires_at,
            )
        )
        return made

    async def invited(self, token: str) -> Account | None:
        """Return whom an invitation is for; None when it is worth nothing (any more)."""
        async with self._database.connect() as connection:
            row = await self._invited(connection, token)
        return None if row is None else store.account_of(row)

    async def _invited(self, connection: Any, token: str) -> Row[Any] | None:
        wanted = select(invitations.c.account_id).where(
            invitations.c.token_hash == store.hashed(token),
            invitations.c.expires_at > self._now(),
        )
        account_id = await connection.scalar(wanted)
        return None if account_id is None else await store.find(connection, account_id)

    async def accept(self, token: str, password: str) -> Account:
        """Set the password an invitation is for, end all sessions; NotFound, Refused."""
        account = await self.invited(token)
        if account is None:
            raise NotFound("no such invitation")
        check(password, *str(account).replace("@", ".").split("."))
        kept = await self._passwords.hash(password)
        async with self._database.begin() as connection:
            if await self._invited(connection, token) is None:
                raise NotFound("no such invitation")
            await store.change_account(connection, account.id, password=kept)
            await store.drop_invitations(connection, account.id)
            ended = await store.end_sessions(connection, account.id)
        self._tell_ended(ended)
        return account

    # Logging in

    async def log_in(
        self,
        domain: DomainConfig | None,
        login: str,
        password: str,
        source: str,
        *,
        operator: bool = False,
    ) -> Account:
        """Return whose login (or ext) and password these are: an employee's of `domain` (None:
        of a company that is not here), or an `operator`'s.

        Raises Refused (the same whatever was wrong), TooMany or Busy.
        """
        row = await self._row(domain, login, operator)
        name = login.strip().lower()[:255] if row is None else store.account_of(row).login
        key = _OPERATOR + name if operator else f"{name}@{domain.name if domain else ''}"
        known = row is not None and await self._used_from(row.id, source)
        self.throttle.attempt(key, source, known=known)
        fits = await self._passwords.fits(row.password if row is not None else "", password)
        if row is None or not fits:
            raise Refused("password", WRONG)
        self.throttle.right(key, source)
        return store.account_of(row)

    async def _row(
        self, domain: DomainConfig | None, login: str, operator: bool
    ) -> Row[Any] | None:
        login = login.strip()[:255]
        employee = domain.find_employee(login) if domain is not None and domain.enabled else None
        async with self._database.connect() as connection:
            if operator:
                return await store.find_operator(connection, login.lower())
            if domain is None or employee is None:
                return None
            return await store.find_employee(connection, domain, employee.id)

    async def check_code(self, account: Account, code: str, source: str) -> None:
        """Raise Refused unless `code` is the second factor's of `account` now; TooMany."""
        known = await self._used_from(account.id, source)
        await self.second.check(account, code, source, known=known)

    async def _used_from(self, account_id: int, source: str) -> bool:
        statement = select(sessions.c.id).where(
            sessions.c.account_id == account_id,
            sessions.c.address == source,
            sessions.c.pending == 0,
        )
        async with self._database.connect() as connection:
            return (await connection.execute(statement.limit(1))).first() is not None

    async def open(self, account: Account, *, pending: bool, address: str, agent: str) -> str:
        """Begin a session and return its token, which nobody had before."""
        token, now = store.new_token(), self._now()
        async with self._database.begin() as connection:
            made = await connection.execute(
                insert(sessions).values(
                    token_hash=store.hashed(token),
                    account_id=account.id,
                    created_at=now,
                    seen_at=now,
                    pending=int(pending),
                    company_id=0,
                    address=address,
                    agent="".join(c for c in agent[:_AGENT] if c.isprintable()),
                )
            )
            ended = await self._keep_few(connection, account.id)
        self._tell_ended(ended)
        if not pending:
            self.proofs.note(int(made.inserted_primary_key[0]))  # type: ignore[index]
        return token

    async def _keep_few(self, connection: Any, account_id: int) -> list[int]:
        """Drop sessions that ran out, and the oldest of too many; return which those were."""
        longest = (
            select(sessions.c.id)
            .where(sessions.c.account_id == account_id)
            .order_by(sessions.c.id.desc())
            .offset(_MOST_SESSIONS)
            .limit(1)
        )
        oldest = await connection.scalar(longest) or 0
        await connection.execute(
            delete(sessions).where(
                sessions.c.account_id == account_id,
                sessions.c.seen_at < self._now() - ConsoleSettings.LONGEST_S,
            )
        )
        return await store.end_sessions(connection, account_id, until=oldest)

    # Sessions

    async def session(self, token: str, *, used: bool = True) -> Session | None:
        """Return the session of a token, and note that it is `used`; None when it has ended."""
        now = self._now()
        async with self._database.connect() as connection:
            row = await store.find_session(connection, token)
        if row is None:
            return None
        found = store.session_of(row)
        limits = await self.settings.get(found.account.domain_id)
        idle_s = PENDING_S if found.pending else limits.idle_s
        if now - found.seen_at >= idle_s or now - found.created_at >= limits.longest_s:
            await self.end(found.account, found.id)
            return None
        if used and now - found.seen_at >= _TOUCH_S and not found.pending:
            async with self._database.begin() as connection:
                await connection.execute(
                    update(sessions).where(sessions.c.id == found.id).values(seen_at=now)
                )
        return found

    async def sessions(self, account: Account) -> list[Session]:
        """Return the sessions of an account that count, the one used last first."""
        statement = (
            select(sessions)
            .where(sessions.c.account_id == account.id, sessions.c.pending == 0)
            .order_by(sessions.c.seen_at.desc(), sessions.c.id.desc())
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        limits, now = await self.settings.get(account.domain_id), self._now()
        return [
            Session(r.id, account, r.created_at, r.seen_at, False, r.address, r.agent)
            for r in rows
            if now - r.seen_at < limits.idle_s and now - r.created_at < limits.longest_s
        ]

    async def end(self, account: Account, session_id: int) -> bool:
        """End a session of an account; False when it has none of that number."""
        async with self._database.begin() as connection:
            gone = await connection.execute(
                delete(sessions).where(
                    sessions.c.id == session_id, sessions.c.account_id == account.id
                )
            )
        if gone.rowcount > 0:
            self._tell_ended([session_id])
        return gone.rowcount > 0

    async def end_others(self, account: Account, but: int) -> bool:
        """End all sessions of an account but one (0: all); False when there was none."""
        async with self._database.begin() as connection:
            ended = await store.end_sessions(connection, account.id, but=but)
        self._tell_ended(ended)
        return bool(ended)

    async def enter(self, session: Session, company_id: int) -> None:
        """Let an operator work in a company (0: in none); an employee is where they are."""
        if session.account.is_operator:
            async with self._database.begin() as connection:
                await connection.execute(
                    update(sessions)
                    .where(sessions.c.id == session.id)
                    .values(company_id=company_id)
                )

    # What an account's owner changes

    async def confirm(self, session: Session, password: str, source: str, *, field: str) -> None:
        """Note that who has a session knows its account's password; Refused, TooMany, Busy."""
        key = f"own:{session.account.id}"
        self.throttle.attempt(key, source)
        async with self._database.connect() as connection:
            row = await store.find(connection, session.account.id)
        if row is None or not await self._passwords.fits(row.password, password):
            raise Refused(field, "is not your password")
        self.throttle.right(key, source)
        self.proofs.note(session.id)

    async def change_password(self, session: Session, old: str, new: str, source: str) -> None:
        """Set another password and end all other sessions; Refused, TooMany, Busy."""
        account = session.account
        await self.confirm(session, old, source, field="old")
        check(new, *str(account).replace("@", ".").split("."))
        kept = await self._passwords.hash(new)
        async with self._database.begin() as connection:
            await store.change_account(connection, account.id, password=kept)
            await store.drop_invitations(connection, account.id)
            ended = await store.end_sessions(connection, account.id, but=session.id)
        self._tell_ended(ended)

    async def set_language(self, account: Account, language: str) -> None:
        """Keep the language somebody wants ("": the company's)."""
        async with self._database.begin() as connection:
            await store.change_account(connection, account.id, language=language)

    # For administrators and operators

    async def of_domain(self, domain: DomainConfig) -> dict[str, Account]:
        """Return the accounts of a company's employees, by login."""
        statement = select(accounts, users.c.login, store.HAS_PASSKEY).join_from(
            accounts, users, users.c.id == accounts.c.user_id
        )
        statement = statement.where(users.c.domain_id == domain.id)
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return {
            r.login: Account(
                *(r.id, domain.id, domain.name, r.login, r.language),
                *(bool(r.password), bool(r.totp), bool(r.has_passkey)),
            )
            for r in rows
        }

    async def operators(self) -> list[Account]:
        """Return all operators, by name."""
        statement = (
            select(accounts, store.HAS_PASSKEY)
            .where(accounts.c.operator.is_not(None))
            .order_by(accounts.c.operator)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Account(
                *(r.id, 0, "", r.operator, r.language),
                *(bool(r.password), bool(r.totp), bool(r.has_passkey)),
            )
            for r in rows
        ]

    async def remove(self, account: Account) -> None:
        """Take an account away: its sessions end, its password is no more."""
        async with self._database.begin() as connection:
            ended = await store.end_sessions(connection, account.id)
            await connection.execute(delete(accounts).where(accounts.c.id == account.id))
        self._tell_ended(ended)
