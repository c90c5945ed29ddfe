"""The HTTP client that hands commands to CRMs.

One POST a command, on kept connections. The address comes from a customer's settings, so what
is done with it is bounded: http and https only; redirections are not followed (they are a
refusal like any other, or the server could be led anywhere, with the token); of an answer at
most `MAX_ANSWER` bytes are read; proxies of the environment and cookies are not used; and while
`private` says no, no address of this machine's or a private network is connected to, whatever a
name resolves to (`vpbx.outside`): what was resolved and found good is what is connected to.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import math
import os
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from vpbx.crm.encoding import CONTENT_TYPE, Formats, encode
from vpbx.crm.post import Connections, Target
from vpbx.directory import Format, Integration
from vpbx.frozen import dataclass
from vpbx.outside import Private, is_public
from vpbx.public_names import NotPublic, PublicResolver

_KEEP_ALIVE_S = 15.0
_KNOWN_TARGETS = 1000
_PRIVATE = "the CRM's address is a private one; see --allow-private-crm"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command: `status` 0 when there was no HTTP answer; then `error` says why."""

    status: int
    body: bytes = b""
    error: str = ""
    charset: str = ""
    """Of the body, as the CRM says."""
    format: str = ""
    """What the command was sent as, if it was."""
    fate: str = ""
    """Where nothing was sent, and never will be: the state (`record.State`) it ends in."""

    @property
    def taken(self) -> bool:
        """Any 2xx is success (crm-api §2)."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """A short text for support; no secret in it."""
        return self.error or f"HTTP {self.status}"


class CrmClient:
    """Sends commands. `start` it in the loop, `close` it at the end."""

    def __init__(
        self,
        formats: Formats,
        *,
        timeout_s: float = 10.0,
        private: Private = lambda: True,
        user_agent: str = "vpbx",
    ) -> None:
        self._formats = formats
        self._timeout_s = timeout_s
        self._private = private
        self._was_private = private()
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
        self._targets: dict[tuple[str, str, Format], Target | None] = {}
        self._connections: Connections | None = None

    async def start(self) -> None:
        """Be ready to connect."""
        resolver = PublicResolver(aiohttp.DefaultResolver(), self._private)
        self._connections = Connections(resolver, _KEEP_ALIVE_S)

    async def close(self) -> None:
        """Close all connections."""
        if self._connections is not None:
            await self._connections.close()
            self._connections = None
            self._targets.clear()

    async def send(
        self,
        domain_id: int,
        integration: Integration,
        fields: Mapping[str, str | int],
        *,
        delivery: str = "",
        within_s: float = math.inf,
    ) -> Answer:
        """Send one command; the answer says how it went. Nothing is raised but cancellation.

        In format `auto` a command refused as a form is sent once more, as JSON; both in
        `within_s`.
        """
        until = asyncio.get_running_loop().time() + within_s
        form = self._formats.first(domain_id, integration)
        answer = await self._post(integration, fields, form, delivery, until)
        if answer.taken:
            return answer  # in the format it was thought to take: nothing is learned
        again = self._formats.second(integration, form, answer.status)
        if again is not None:
            form = again
            second = await self._post(integration, fields, form, delivery, until)
            if second.taken or not second.status:
                answer = second
        if answer.status:
            self._formats.note(domain_id, integration, form, answer.status)
        return answer

    async def post_json(
        self, address: str, token: str, value: Mapping[str, Any], *, delivery: str = ""
    ) -> Answer:
        """Post a JSON object to `address`, with the token in a header too, as commands are."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return await self._deliver(address, token, Format.JSON, body, delivery)

    async def _post(
        self,
        integration: Integration,
        fields: Mapping[str, str | int],
        form: Format,
        delivery: str,
        until: float,
    ) -> Answer:
        token = integration.token
        body = encode(fields, token, form)
        secret = integration.signing_secret
        return await self._deliver(integration.url, token, form, body, delivery, secret, until)

    async def _deliver(
        self,
        address: str,
        token: str,
        form: Format,
        body: bytes,
        delivery: str = "",
        secret: str = "",
        until: float = math.inf,
    ) -> Answer:
        if self._connections is None:
            return Answer(0, error="not started")
        private = self._private()
        if private != self._was_private:  # connections made under the other rule are not kept
            self._was_private = private
            await self._connections.close()
            await self.start()
        target = self._target(address, token, form)
        if target is None:
            return Answer(0, error="the CRM's address is no http or https URL")
        if not (private or is_public(target.host)):
            return Answer(0, error=_PRIVATE)
        own = {"X-VPBX-Delivery": delivery} if delivery else {}
        if secret:
            own["X-VPBX-Signature"] = signature(secret, body, time.time())
        deadline = min(until, asyncio.get_running_loop().time() + self._timeout_s)
        try:
            reply = await self._connections.post(target, body, own, deadline=deadline)
        except TimeoutError:
            return Answer(0, error="no answer in time")
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return Answer(0, error=_brief(error))
        return Answer(reply.status, reply.body, charset=reply.charset, format=str(form))

    def _target(self, address: str, token: str, form: Format) -> Target | None:
        """Return where to post, found out once; None for an address that may not be used."""
        try:
            return self._targets[address, token, form]
        except KeyError:
            pass
        if len(self._targets) >= _KNOWN_TARGETS:
            self._targets.clear()
        target = self._targets[address, token, form] = self._new_target(address, token, form)
        return target

    def _new_target(self, address: str, token: str, form: Format) -> Target | None:
        try:
            url = URL(address)
            if url.scheme not in ("http", "https") or not url.host:
                return None
            headers = {**self._headers[form], **_token_header(token), **_basic(url)}
            return Target(url.with_user(None), headers)
        except ValueError:
            return None


def signature(secret: str, body: bytes, now: float) -> str:
    """Return what proves that a body is ours: `t=` epoch seconds, `v1=` HMAC-SHA256 of `t.body`."""
    at = str(int(now))
    signed = hmac.digest(secret.encode(), at.encode() + b"." + body, "sha256").hex()
    return f"t={at},v1={signed}"


def _token_header(token: str) -> dict[str, str]:
    """Return the token as a header, which every command carries; nothing where it cannot stand
    in one, as in the body."""
    fits = token.isascii() and token.isprintable() and token == token.strip()
    return {"X-CRM-Token": token} if fits else {}


def _basic(url: URL) -> dict[str, str]:
    """Return the user and password of an address as Basic authentication (RFC 7617, UTF-8)."""
    if url.user is None and url.password is None:
        return {}
    pair = f"{url.user or ''}:{url.password or ''}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _brief(error: Exception) -> str:
    """Say what went wrong without the address, which may hold a secret of its own."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the CRM's certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "no TLS connection can be made"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        if isinstance(error.os_error, NotPublic):
            return _PRIVATE
        return "the CRM's name cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, NotPublic):
            return _PRIVATE
        return f"cannot connect: {os.strerror(cause.errno) if cause.errno else cause}"
    if isinstance(error, HttpProcessingError):
        return "the CRM's answer is not HTTP"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the CRM closed the connection without an answer"
    return type(error).__name__
