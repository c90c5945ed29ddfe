"""Everything that joins this server to others, kept in step with what is set.

Trunks are followed in DNS (`carriers`), accounts are registered (`accounts`); this module reads
what is set whenever that changes, and keeps how a company's registrations stand.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import structlog

from vpbx.branches import BranchSecrets
from vpbx.calls.accounts import Account, Accounts, registration_key
from vpbx.calls.across import Across
from vpbx.calls.carriers import Carriers, trunk_key
from vpbx.calls.config import CallsConfig
from vpbx.calls.gateways import Gateways
from vpbx.calls.parts import Parts
from vpbx.calls.registry import CallRegistry
from vpbx.directory import (
    DomainConfig,
    NotFound,
    RegistrationStatus,
    SipRegistration,
    Trunk,
    TrunkMode,
    read_host,
    read_place,
)
from vpbx.sip import SipStack, Throttle

__all__ = ["Connections"]

log = structlog.get_logger("vpbx.calls")

_GATHER_S = 0.1
"""Changes come in flocks; those of so long are looked at together."""
_AGAIN_S = 5.0
_SLOW_S = 3.0
"""A registration that has not come to anything by then, after a start, is `waiting` again."""


class Connections:
    """Trunks and accounts of this server.

    `failed` hears of a company's registration that has begun to fail, once per failure.
    """

    def __init__(
        self,
        config: CallsConfig,
        parts: Parts,
        calls: CallRegistry,
        throttle: Throttle | None = None,
    ) -> None:
        directory, clock, secret = parts.directory, parts.clock, config.secret
        self.resolver = parts.resolver
        self.accounts = Accounts(self.resolver, clock, secret, self._stands, directory.private)
        self.gateways = Gateways(directory, clock, secret, throttle)
        self.branch_secrets = BranchSecrets(directory)
        self.across = Across(directory, self.resolver, clock, self.branch_secrets, secret, throttle)
        self.carriers = Carriers(
            directory,
            calls,
            resolver=self.resolver,
            accounts=self.accounts,
            gateways=self.gateways,
            clock=clock,
            max_tried=config.max_trunks_tried,
        )
        self.failed: Callable[[DomainConfig, SipRegistration], None] | None = None
        self._directory = directory
        self._clock = clock
        self._stack: SipStack | None = None
        self._news: asyncio.Queue[tuple[Account, RegistrationStatus, str]] = asyncio.Queue()
        self._untold: Counter[str] = Counter()
        """Of each account, how many statuses are not written yet."""
        self._tasks: list[asyncio.Task[None]] = []

    def attach(self, stack: SipStack) -> None:
        """Use `stack` from now on. Its loop is running."""
        self._stack = stack

    async def start(self) -> None:
        """Find the trunks, register the accounts, and go on doing so as settings change."""
        assert self._stack is not None
        hosts = [listen.host for listen in self._stack.listens]
        self.resolver.ipv6 = any(":" in host for host in hosts)
        await self.carriers.start()
        since = self._directory.revision
        with suppress(Exception):  # they register again
            await self.gateways.load()
        with suppress(Exception):  # a database that is away is tried again below
            await self._read()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._follow(since), name="vpbx-connections"),
            loop.create_task(self._keep_statuses(), name="vpbx-registrations"),
            loop.create_task(self._wait_for_first(), name="vpbx-registrations-first"),
        ]

    async def stop(self) -> None:
        """Follow nothing any more; what is registered stays so."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self.accounts.stop()
        self.carriers.stop()
        self.across.stop()

    async def _follow(self, since: int) -> None:
        while True:
            since = await self._directory.changed(since)
            await asyncio.sleep(_GATHER_S)
            since = self._directory.revision
            try:
                await self._read()
            except Exception as error:
                log.warning("registrations cannot be read", error=type(error).__name__)
                await asyncio.sleep(_AGAIN_S)
                since = -1

    async def _read(self) -> None:
        assert self._stack is not None
        self.carriers.tidy()
        wanted = []
        anew = []
        for domain_id, registration in await self._directory.sip_registrations.everywhere():
            account = self._of_registration(domain_id, registration)
            if account is not None:
                wanted.append(account)
                # somebody edited it: the status it had says nothing of what it is now
                if registration.status is RegistrationStatus.WAITING:
                    anew.append(account)
        for trunk in self._directory.trunks():
            if trunk.mode is TrunkMode.REGISTER and trunk.enabled:
                account = self._of_trunk(trunk)
                if account is not None:
                    wanted.append(account)
        before = {account.key: self.accounts.get(account.key) for account in anew}
        self.accounts.sync(self._stack, wanted)
        for account in anew:
            if before[account.key] == account and not self._untold[account.key]:
                self.accounts.renew(account.key)
        await self.across.prepare(self._stack)

    def _of_registration(self, domain_id: int, registration: SipRegistration) -> Account | None:
        try:
            password = self._directory.sip_registrations.password(registration)
            host, port = read_host(registration.domain)
            proxy = read_place(registration.proxy) if registration.proxy else None
        except ValueError as error:
            log.error(
                "a registration cannot be used", telnum=registration.telnum, reason=str(error)
            )
            return None
        return Account(
            key=registration_key(domain_id, registration.telnum),
            host=host,
            port=port,
            login=registration.login,
            auth_name=registration.auth_name,
            password=password,
            expires_s=registration.expires,
            proxy=proxy,
            domain_id=domain_id,
            telnum=registration.telnum,
        )

    def _of_trunk(self, trunk: Trunk) -> Account | None:
        credentials = self.carriers.credentials(trunk)
        if credentials is None:
            return None
        return Account(
            key=trunk_key(trunk),
            host=trunk.from_domain or trunk.host,
            port=0 if trunk.from_domain else trunk.port,
            login=trunk.username,
            auth_name=trunk.auth_name,
            password=credentials.password,
            transport=trunk.transport,
            proxy=(trunk.host, trunk.port, trunk.transport),
        )

    # -- how registrations stand ------------------------------------------------------------------

    def _stands(self, account: Account, status: RegistrationStatus, reason: str) -> None:
        if account.domain_id:
            self._untold[account.key] += 1
            self._news.put_nowait((account, status, reason))

    async def _keep_statuses(self) -> None:
        """Write down how registrations stand, in the order it happened; tell of new failures."""
        while True:
            account, status, reason = await self._news.get()
            kept = await self._keep(account, status, reason)
            while not kept:
                await asyncio.sleep(_AGAIN_S)
                kept = await self._keep(account, status, reason)
            self._untold[account.key] -= 1
            if not self._untold[account.key]:
                del self._untold[account.key]

    async def _keep(self, account: Account, status: RegistrationStatus, reason: str) -> bool:
        """Write one status; False when the database is away."""
        rules = self._directory.sip_registrations
        try:
            domain = await self._directory.domain_by_id(account.domain_id)
            if domain is None:
                return True
            news = await rules.set_status(domain, account.telnum, status, reason)
            if news and status is RegistrationStatus.ERROR and self.failed is not None:
                domain = await self._directory.current(domain)
                self.failed(domain, await rules.get(domain, account.telnum))
        except NotFound:
            return True  # it was deleted meanwhile
        except Exception as error:
            log.warning("a registration's status cannot be kept", error=type(error).__name__)
            return False
        return True

    async def _wait_for_first(self) -> None:
        """Take back what an earlier run said of registrations that do not get through now."""
        await asyncio.sleep(_SLOW_S)
        for domain_id, registration in await self._directory.sip_registrations.everywhere():
            key = registration_key(domain_id, registration.telnum)
            success = registration.status is RegistrationStatus.SUCCESS
            account = self.accounts.get(key)
            if success and account is not None and self.accounts.state(key)[0] == "waiting":
                self._stands(account, RegistrationStatus.WAITING, "")
