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
import hashlib
import ipaddress
import secrets as tokens
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
import structlog
from aiohttp import Fingerprint
from yarl import URL

from vpbx.branches.answering import Answering, Refusal, read_flat
from vpbx.branches.proof import proof, proven
from vpbx.branches.secrets import BranchSecrets
from vpbx.branches.wire import Malformed, digest, read_content, write_content
from vpbx.clock import Clock
from vpbx.directory import Branch, BranchStatus, Directory, DomainConfig, NotFound
from vpbx.outside import is_public
from vpbx.public_names import NotPublic, PublicResolver
from vpbx.tasks import watched

__all__ = ["BranchLinks"]

log = structlog.get_logger("vpbx.branches")

_EVERY_S = 900.0
_PAUSES_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
_GATHER_S = 0.2
_TIMEOUT_S = 10.0
_MAX_ANSWER = 4 << 20
_AT_ONCE = 8
_PRIVATE = "it is in a private network, see --allow-private-crm"


class _NoExchange(Exception):
    """It did not come to an exchange: `status` to show, and why."""

    def __init__(self, status: BranchStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


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
            wrong = _NoExchange(BranchStatus.ERROR, f"the key cannot be read: {error}")
            return await self._failed(domain, branch, wrong)
        except _NoExchange as error:
            return await self._failed(domain, branch, error)

    async def _here(self, domain: DomainConfig, branch: Branch) -> Branch:
        """Exchange with another company of this server."""
        done = await self._directory.branches.sync(domain, branch.domain)
        if done.status is not BranchStatus.SUCCESS:
            other = await self._directory.domain(branch.domain)
            added = other is not None and domain.name in other.settings.branches
            reason = "the keys are not the same" if added else "the other side has not added this"
            raise _NoExchange(done.status if added else BranchStatus.WAITING, reason)
        current = await self._directory.current(domain)
        self._exchanged(domain, branch.domain, write_content(current, self._sip()))
        other = await self._directory.domain(branch.domain)
        if other is not None:
            self._exchanged(other, domain.name, write_content(other, self._sip()))
        self._log_success(domain, branch)
        return done

    async def _there(self, domain: DomainConfig, branch: Branch) -> Branch:
        url = _address(branch)
        secret = await self.secrets.of(domain, branch)
        names = {"from": domain.name, "to": branch.domain}
        # an address that who runs this server has set may be anywhere
        private = self._directory.private() or bool(branch.url)
        resolver = PublicResolver(aiohttp.DefaultResolver(), lambda: private)
        host = await self._place(url, resolver, private=private)
        trust, seen = await self._trust(url, host, branch)
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            connector=aiohttp.TCPConnector(ssl=trust, limit=1, resolver=resolver),
            auto_decompress=False,
        ) as http:
            if seen not in ("ca", "plain"):
                # nothing is told before the other side has said that this is its certificate
                await self._round(http, url, names, secret, seen, "")
            ours = write_content(domain, self._sip())
            content = await self._round(http, url, names, secret, seen, ours)
        try:
            people, sip = read_content(content)
        except Malformed as error:
            raise _NoExchange(BranchStatus.ERROR, f"its directory: {error}") from error
        done = await self._directory.branches.keep(
            domain, branch.domain, BranchStatus.SUCCESS, people, sip_told=sip
        )
        self._exchanged(domain, branch.domain, ours)
        self._log_success(domain, branch)
        return done

    async def _round(
        self,
        http: aiohttp.ClientSession,
        url: URL,
        names: dict[str, str],
        secret: bytes,
        seen: str,
        content: str,
    ) -> str:
        """Send `content` with a proof, and return what came back with one."""
        here, there = names["from"], names["to"]
        given = await self._post(http, url / "challenge", names)
        under = {
            "challenge": given.get("challenge", ""),
            "counter": f"{tokens.token_hex(16)}.{seen}",
        }
        ours = proof(secret, by=here, to=there, content=content.encode(), **under)
        told = {**names, **under, "content": content, "proof": ours}
        answer = await self._post(http, url / "exchange", told)
        back = answer.get("content", "")
        theirs = proof(secret, by=there, to=here, content=back.encode(), **under)
        if not proven(answer.get("proof", ""), theirs):
            raise _NoExchange(BranchStatus.ERROR, "its answer does not prove the key")
        return back

    async def _place(self, url: URL, resolver: PublicResolver, *, private: bool) -> str:
        """Return the address to look at the certificate at; raises where none may be used."""
        host = url.host or ""
        try:
            if not (private or is_public(host)):
                raise NotPublic
            async with asyncio.timeout(_TIMEOUT_S):
                found = await resolver.resolve(host, url.port or 0, socket.AF_UNSPEC)
        except NotPublic:
            raise self._out_of_reach(url, _PRIVATE) from None
        except OSError:
            return host  # the request itself meets it
        return found[0]["host"]

    async def _trust(
        self, url: URL, host: str, branch: Branch
    ) -> tuple[ssl.SSLContext | Fingerprint, str]:
        """Return whose certificate is good for the exchange, and what was seen of it.

        One that an authority vouches for is "ca". Where none does (two offices with certificates
        of their own), the one that is shown is taken, and its fingerprint goes under the proof:
        the other side refuses when it is not its own, so nobody can sit in between.
        """
        context = await asyncio.to_thread(_authorities, branch.ca)  # reading them takes a while
        if url.scheme != "https":
            return context, "plain"
        try:
            await _certificate(url, host, context)
        except ssl.SSLCertVerificationError:
            if branch.ca:
                return context, "ca"  # who was named is insisted on
        except (OSError, ValueError):
            return context, "ca"  # whatever it is, the request itself meets it
        else:
            return context, "ca"
        try:
            shown = hashlib.sha256(await _certificate(url, host, _unchecked())).digest()
        except (OSError, ValueError):
            return context, "ca"
        return Fingerprint(shown), shown.hex()

    async def _post(
        self, http: aiohttp.ClientSession, url: URL, value: dict[str, str]
    ) -> dict[str, str]:
        try:
            async with http.post(url, json=value, allow_redirects=False) as got:
                body = await _body(got)
                status = got.status
        except aiohttp.ClientConnectorCertificateError as error:
            reason = "its certificate is not trusted (vpbx branch address --ca FILE)"
            raise self._out_of_reach(url, reason) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
                error.os_error, NotPublic
            ):
                reason = _PRIVATE
            raise self._out_of_reach(url, reason) from error
        try:
            answer = read_flat(body)  # as with what is asked, before anything is proved
        except Refusal:
            answer = None
        if status == 200 and answer is not None:
            return answer
        reason = answer.get("reason", "") if answer is not None else ""
        if status == 404 and reason:
            raise _NoExchange(BranchStatus.WAITING, reason[:200])
        if status == 403 and reason:
            raise _NoExchange(BranchStatus.ERROR, reason[:200])
        if status == 200:
            raise self._out_of_reach(url, "what answers there is no vpbx")
        raise self._out_of_reach(url, f"it answers {status} {reason[:200]}".rstrip())

    @staticmethod
    def _out_of_reach(url: URL, reason: str) -> _NoExchange:
        return _OutOfReach(BranchStatus.ERROR, f"{url.origin()} cannot be reached: {reason}")

    async def _failed(self, domain: DomainConfig, branch: Branch, error: _NoExchange) -> Branch:
        link = self._links.get((domain.id, branch.domain))
        if link is not None:
            pause_s = _PAUSES_S[min(link.failures, len(_PAUSES_S) - 1)]
            link.failures += 1
            link.due_at = self._clock.now() + pause_s
        status = error.status
        if isinstance(error, _OutOfReach) and branch.status is BranchStatus.WAITING:
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


class _OutOfReach(_NoExchange):
    """Nobody was there to say anything."""


def _address(branch: Branch) -> URL:
    """Return the URL to ask; plain HTTP is for loopback only."""
    url = URL(branch.url or f"https://{branch.domain}")
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host or "")):
        return url / "branch/v1"
    raise _NoExchange(BranchStatus.ERROR, f"{url.origin()} is neither https nor on this machine")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """Return what came, all of it; ValueError when that is too much."""
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > _MAX_ANSWER:
            raise ValueError("its answer is too long")
    return bytes(body)


async def _certificate(url: URL, host: str, context: ssl.SSLContext) -> bytes:
    """Return the certificate (DER) that the server of `url` at `host` shows; raises OSError (TLS
    faults are some too)."""
    async with asyncio.timeout(_TIMEOUT_S):
        _, writer = await asyncio.open_connection(
            host, url.port, ssl=context, server_hostname=url.host
        )
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    return bytes(shown or b"")


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=64)
def _authorities(ca: str) -> ssl.SSLContext:
    """Return whom to trust: the authority given for a connection, else the system's."""
    return ssl.create_default_context(cadata=ca or None)
