"""One exchange with a PBX on another server, over HTTPS, by a proof of the key."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import secrets as tokens
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache

import aiohttp
from aiohttp import Fingerprint
from yarl import URL

from vpbx.branches.answering import Refusal, read_flat
from vpbx.branches.proof import proof, proven
from vpbx.branches.secrets import BranchSecrets
from vpbx.directory import Branch, BranchStatus, DomainConfig
from vpbx.outside import is_public
from vpbx.public_names import NotPublic, PublicResolver

__all__ = ["Asking", "NoExchange", "OutOfReach"]

_TIMEOUT_S = 10.0
_MAX_ANSWER = 4 << 20
_PRIVATE = "it is in a private network, see --allow-private-crm"


class NoExchange(Exception):
    """It did not come to an exchange: `status` to show, and why."""

    def __init__(self, status: BranchStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class OutOfReach(NoExchange):
    """Nobody was there to say anything."""


class Asking:
    """Asks other PBXs. `private` says whether they may be in private networks."""

    def __init__(self, secrets: BranchSecrets, private: Callable[[], bool]) -> None:
        self._secrets = secrets
        self._private = private

    async def exchange(self, domain: DomainConfig, branch: Branch, ours: str) -> str:
        """Tell the other side `ours` and return what it tells; raises NoExchange."""
        url = _address(branch)
        secret = await self._secrets.of(domain, branch)
        names = {"from": domain.name, "to": branch.domain}
        # an address that who runs this server has set may be anywhere
        private = self._private() or bool(branch.url)
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
            return await self._round(http, url, names, secret, seen, ours)

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
            raise NoExchange(BranchStatus.ERROR, "its answer does not prove the key")
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
            raise _out_of_reach(url, _PRIVATE) from None
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
            raise _out_of_reach(url, reason) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
                error.os_error, NotPublic
            ):
                reason = _PRIVATE
            raise _out_of_reach(url, reason) from error
        try:
            answer = read_flat(body)  # as with what is asked, before anything is proved
        except Refusal:
            answer = None
        if status == 200 and answer is not None:
            return answer
        reason = answer.get("reason", "") if answer is not None else ""
        if status == 404 and reason:
            raise NoExchange(BranchStatus.WAITING, reason[:200])
        if status == 403 and reason:
            raise NoExchange(BranchStatus.ERROR, reason[:200])
        if status == 200:
            raise _out_of_reach(url, "what answers there is no vpbx")
        raise _out_of_reach(url, f"it answers {status} {reason[:200]}".rstrip())


def _out_of_reach(url: URL, reason: str) -> NoExchange:
    return OutOfReach(BranchStatus.ERROR, f"{url.origin()} cannot be reached: {reason}")


def _address(branch: Branch) -> URL:
    """Return the URL to ask; plain HTTP is for loopback only."""
    url = URL(branch.url or f"https://{branch.domain}")
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.host or "")):
        return url / "branch/v1"
    raise NoExchange(BranchStatus.ERROR, f"{url.origin()} is neither https nor on this machine")


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
