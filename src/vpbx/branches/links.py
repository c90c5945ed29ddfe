"""The side that asks: keeps every connection to another PBX exchanged and says how it stands.

A connection is exchanged when it is added, when our own directory has changed, every 15
minutes, and after growing pauses while it fails. What the other side has learned from us as it
asked us counts too. Two companies of one server need no HTTP for it.

    waiting   the other side has not added us, or was never reached
    success   exchanged
    error     the keys differ, or it was connected and cannot be reached any more
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from vpbx.branches.answering import Answering
from vpbx.branches.asking import Asking, NoExchange, OutOfReach
from vpbx.branches.secrets import BranchSecrets
from vpbx.branches.wire import Malformed, digest, read_content, write_content
from vpbx.clock import Clock
from vpbx.directory import Branch, BranchStatus, Directory, DomainConfig, NotFound
from vpbx.tasks import watched

__all__ = ["BranchLinks"]

log = structlog.get_logger("vpbx.branches")

_EVERY_S = 900.0
_PAUSES_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_GATHER_S = 0.2
_AT_ONCE = 8


@dataclass(slots=True)
class _Link:
    """What is known of one connection."""

    key: str
    """Sealed key, url and CA it was tried with: another one is tried at once."""
    told: str = ""
    """Digest of what the other side has of us."""
    due_at: float = 0.0
    failures: int = 0


class BranchLinks:
    """All connections of this server.

    `sip` says where it takes calls, for the other side; `certificates` the fingerprints
    (SHA-256, hex) of those that clients of a company may be shown.
    """

    def __init__(
        self,
        directory: Directory,
        clock: Clock,
        secrets: BranchSecrets,
        sip: Callable[[], str],
        certificates: Callable[[str], frozenset[str]],
    ) -> None:
        self.secrets = secrets
        self.answering = Answering(directory, secrets, sip, certificates, self._exchanged)
        self._asking = Asking(secrets, directory.private)
        self._directory = directory
        self._clock = clock
        self._sip = sip
        self._links: dict[tuple[int, str], _Link] = {}
        self._busy: dict[tuple[int, str], asyncio.Lock] = {}
        self._digests: dict[int, tuple[int, str]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to exchange."""
        loop = asyncio.get_running_loop()
        self._task = watched(loop.create_task(self._run(), name="vpbx-branches"))

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def sync(self, domain: DomainConfig, peer: str) -> Branch:
        """Exchange now, and return how the connection stands; raises NotFound."""
        branch = await self._directory.branches.get(domain, peer)
        return await self._exchange(domain, branch)

    # -- when -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        since = -1
        while True:
            next_at = self._clock.now() + _EVERY_S
            try:
                since = self._directory.revision  # what changes during an exchange counts, too
                due = await self._due()
                if due:
                    await asyncio.gather(*(self._exchange(*one) for one in due))
                next_at = min([next_at, *(link.due_at for link in self._links.values())])
            except Exception as error:
                log.exception("connections to other PBXs are not looked after", error=repr(error))
                next_at = self._clock.now() + _PAUSES_S[0]
            await self._wait(since, next_at)

    async def _wait(self, since: int, until: float) -> None:
        """Wait for a change of anything or for the time."""
        done = asyncio.Event()
        timer = self._clock.call_later(max(0.1, until - self._clock.now()), done.set)
        waiting = [
            asyncio.ensure_future(self._directory.changed(since)),
            asyncio.ensure_future(done.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            for each in waiting:
                each.cancel()
        await asyncio.sleep(_GATHER_S)

    async def _due(self) -> list[tuple[DomainConfig, Branch]]:
        """Return the connections to exchange now; forget those that are no more."""
        due = []
        seen = set()
        now = self._clock.now()
        for domain_id in self._directory.connecting():
            domain = await self._directory.domain_by_id(domain_id)
            if domain is None or not domain.enabled or not domain.services.branch:
                continue
            ours = self._digest(domain)
            for branch in domain.settings.branches.values():
                at = domain.id, branch.domain
                seen.add(at)
                key = f"{branch.id} {branch.key} {branch.url} {branch.ca}"
                link = self._links.get(at)
                if link is None or link.key != key:
                    link = self._links[at] = _Link(key)
                if now >= link.due_at or (link.told != ours and not link.failures):
                    due.append((domain, branch))
        for gone in self._links.keys() - seen:
            del self._links[gone]
            self._busy.pop(gone, None)
        return due

    def _digest(self, domain: DomainConfig) -> str:
        """Return the digest of what a company tells, made once for each state of it."""
        known = self._digests.get(domain.id)
        if known is None or known[0] != domain.revision:
            known = self._digests[domain.id] = (
                domain.revision,
                digest(write_content(domain, self._sip())),
            )
        return known[1]

    def _exchanged(self, domain: DomainConfig, peer: str, content: str) -> None:
        """Note that the other side has `content` of us now."""
        link = self._links.get((domain.id, peer))
        if link is not None:
            link.told, link.failures = digest(content), 0
            link.due_at = self._clock.now() + _EVERY_S

    # -- how --------------------------------------------------------------------------------------

    async def _exchange(self, domain: DomainConfig, branch: Branch) -> Branch:
        at = domain.id, branch.domain
        async with self._busy.setdefault(at, asyncio.Lock()), self._room:
            try:
                return await self._settle(domain, branch)
            except NotFound:
                return branch  # deleted meanwhile, also while what went wrong was noted

    async def _settle(self, domain: DomainConfig, branch: Branch) -> Branch:
        """Exchange, or note why that cannot be; NotFound when there is no such connection."""
        try:
            if self._directory.knows(branch.domain) and not branch.url:
                return await self._here(domain, branch)
            return await self._there(domain, branch)
        except ValueError as error:  # the server's key file was replaced
            wrong = NoExchange(BranchStatus.ERROR, f"the key cannot be read: {error}")
            return await self._failed(domain, branch, wrong)
        except NoExchange as error:
            return await self._failed(domain, branch, error)

    async def _here(self, domain: DomainConfig, branch: Branch) -> Branch:
        """Exchange with another company of this server."""
        done = await self._directory.branches.sync(domain, branch.domain)
        if done.status is not BranchStatus.SUCCESS:
            other = await self._directory.domain(branch.domain)
            added = other is not None and domain.name in other.settings.branches
            reason = "the keys are not the same" if added else "the other side has not added this"
            raise NoExchange(done.status if added else BranchStatus.WAITING, reason)
        current = await self._directory.current(domain)
        self._exchanged(domain, branch.domain, write_content(current, self._sip()))
        other = await self._directory.domain(branch.domain)
        if other is not None:
            self._exchanged(other, domain.name, write_content(other, self._sip()))
        self._log_success(domain, branch)
        return done

    async def _there(self, domain: DomainConfig, branch: Branch) -> Branch:
        """Exchange with a company of another server."""
        ours = write_content(domain, self._sip())
        content = await self._asking.exchange(domain, branch, ours)
        try:
            people, sip = read_content(content)
        except Malformed as error:
            raise NoExchange(BranchStatus.ERROR, f"its directory: {error}") from error
        done = await self._directory.branches.keep(
            domain, branch.domain, BranchStatus.SUCCESS, people, sip_told=sip
        )
        self._exchanged(domain, branch.domain, ours)
        self._log_success(domain, branch)
        return done

    async def _failed(self, domain: DomainConfig, branch: Branch, error: NoExchange) -> Branch:
        link = self._links.get((domain.id, branch.domain))
        if link is not None:
            pause_s = _PAUSES_S[min(link.failures, len(_PAUSES_S) - 1)]
            link.failures += 1
            link.due_at = self._clock.now() + pause_s
        status = error.status
        if isinstance(error, OutOfReach) and branch.status is BranchStatus.WAITING:
            status = BranchStatus.WAITING  # it may not be there yet
        if (status, error.reason) == (branch.status, branch.reason):
            return branch
        log.warning(
            "not connected to another PBX",
            domain=domain.name,
            peer=branch.domain,
            status=str(status),
            reason=error.reason,
        )
        return await self._directory.branches.keep(
            domain, branch.domain, status, reason=error.reason
        )

    @staticmethod
    def _log_success(domain: DomainConfig, branch: Branch) -> None:
        if branch.status is not BranchStatus.SUCCESS:
            log.info("connected to another PBX", domain=domain.name, peer=branch.domain)
