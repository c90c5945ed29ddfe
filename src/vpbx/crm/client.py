"""The HTTP client that hands commands to CRMs.

One POST a command, on kept connections. The address comes from a customer's settings, so what
is done with it is bounded: http and https only; redirections are not followed (they are a
refusal like any other, or the server could be led anywhere, with the token); of an answer at
most `MAX_ANSWER` bytes are read; proxies of the environment and cookies are not used; and where
`private_addresses` is off, no address of this machine's or a private network is connected to,
whatever a name resolves to (a provider with many customers sets it so; a company with its CRM
beside its PBX could not).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from vpbx.crm.encoding import CONTENT_TYPE, Formats, encode
from vpbx.directory import Format, Integration

MAX_ANSWER = 65_536
_KEEP_ALIVE_S = 15.0
_KNOWN_URLS = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: `status` 0 when there was no HTTP answer; then `error` says why."""

    status: int
    body: bytes = b""
    error: str = ""

    @property
    def taken(self) -> bool:
        """Any 2xx is success (crm-api §2)."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """A short text for support; no secret in it."""
        return self.error or f"HTTP {self.status}"


class PublicResolver(AbstractResolver):
    """Resolves names, and finds nothing where only private addresses stand behind one."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise OSError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        await self._inner.close()


def is_public(host: str) -> bool:
    """Tell whether an IP address may be reached from anywhere; True for what is a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global and not address.is_multicast


class CrmClient:
    """Sends commands. `start` it in the loop, `close` it at the end."""

    def __init__(
        self,
        formats: Formats,
        *,
        timeout_s: float = 10.0,
        private_addresses: bool = True,
        user_agent: str = "vpbx",
    ) -> None:
        self._formats = formats
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._private_addresses = private_addresses
        # What comes back compressed would have to be bounded after unpacking: ask for none.
        self._headers = {
            form: {
                "Content-Type": content_type,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": user_agent,
            }
            for form, content_type in CONTENT_TYPE.items()
        }
        self._urls: dict[str, URL | None] = {}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session (no connection yet)."""
        resolver: AbstractResolver = aiohttp.DefaultResolver()
        if not self._private_addresses:
            resolver = PublicResolver(resolver)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # bounded for each domain by its lane
                keepalive_timeout=_KEEP_ALIVE_S,
                resolver=resolver,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=self._timeout,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self, domain_id: int, integration: Integration, fields: Mapping[str, str | int]
    ) -> Answer:
        """Send one command; the answer says how it went. Nothing is raised but cancellation.

        In format `auto` a command refused as a form is sent once more, as JSON (D15).
        """
        url = self._url(integration.url)
        if url is None:
            return Answer(0, error="the CRM's address is no http or https URL we may reach")
        form = self._formats.first(domain_id, integration)
        answer = await self._post(url, integration, fields, form)
        again = self._formats.second(integration, form, answer.status)
        if again is not None:
            form = again
            second = await self._post(url, integration, fields, form)
            if second.taken or not second.status:
                answer = second
        if answer.status:
            self._formats.note(domain_id, integration, form, answer.status)
        return answer

    async def _post(
        self, url: URL, integration: Integration, fields: Mapping[str, str | int], form: Format
    ) -> Answer:
        if self._session is None:
            return Answer(0, error="not started")
        try:
            async with self._session.post(
                url,
                data=encode(fields, integration.token, form),
                headers=self._headers[form],
                allow_redirects=False,
            ) as response:
                body = await _read(response)
                return Answer(response.status, body)
        except TimeoutError:
            return Answer(0, error="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(0, error=_brief(error))

    def _url(self, text: str) -> URL | None:
        """Return the address as a URL, parsed once; None when it may not be used."""
        try:
            return self._urls[text]
        except KeyError:
            pass
        if len(self._urls) >= _KNOWN_URLS:
            self._urls.clear()
        url = self._urls[text] = self._checked(text)
        return url

    def _checked(self, text: str) -> URL | None:
        try:
            url = URL(text)
        except ValueError:
            return None
        if url.scheme not in ("http", "https") or not url.host:
            return None
        return url if self._private_addresses or is_public(url.host) else None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read the answer, so that its connection can be used again; a too long one is cut off."""
    parts: list[bytes] = []
    left = MAX_ANSWER
    while left > 0:
        part = await response.content.read(left)
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    response.close()
    return b"".join(parts)


def _brief(error: Exception) -> str:
    """Say what went wrong without the address, which may hold a secret of its own."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the CRM's certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "no TLS connection can be made"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the CRM's name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        return f"cannot connect: {os.strerror(cause.errno) if cause.errno else cause}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the CRM closed the connection without an answer"
    return type(error).__name__
