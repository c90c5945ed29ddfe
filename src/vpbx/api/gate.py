"""What every request passes first, as one plain ASGI layer (no task, no queue a request).

Here are settled: who really calls (X-Forwarded-* of trusted proxies only), HTTPS only
(crm-api §1), security headers, and that a fault of ours answers 500 with a request id and
nothing internal.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vpbx.addresses import is_address
from vpbx.api.errors import ApiError, refuse
from vpbx.api.services import PREFIX
from vpbx.directory import is_unavailable
from vpbx.sparing import Sparing

__all__ = ["AUTHORITY", "CLIENT", "SECURE", "Gate", "asked_base", "asked_domain"]

CLIENT = "vpbx.client"
"""Key of the ASGI scope under which the caller's address stands, as text."""

_SLASHES = re.compile("/{2,}")
AUTHORITY = "vpbx.authority"
"""Host and port the client sent its request to, in lower case."""
SECURE = "vpbx.secure"
"""Whether it did so by HTTPS."""
_SOUND_AUTHORITY = re.compile(
    r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
)

_SECRET = re.compile(
    rf"(?<=\A{re.escape(PREFIX)}/records/).+|(?<=/)[\w-]{{20,}}(?:\.\w+)?(?=/|\Z)",
    re.ASCII | re.DOTALL,
)
"""What in a path opens something by itself: an invitation, a recording, a phone's settings."""
HTTPS_REQUIRED = "HTTPS is required"
DATABASE_AWAY = "The database does not answer, try again"
RETRY_S = 5
_OUTAGE_NOTED_S = 60.0
_API_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_CLOSED_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")

log = structlog.get_logger("vpbx.api")
_refusals = Sparing("vpbx.api")


class Gate:
    """The outermost layer of the API."""

    def __init__(self, app: ASGIApp, trusted_proxies: Sequence[str] = ()) -> None:
        self._app = app
        self._outage_noted_at = -math.inf
        self._trusted = tuple(ip_network(item, strict=False) for item in trusted_proxies)
        # One caller makes many requests: parse its address once.
        self._peer = lru_cache(maxsize=4096)(self._judge)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        secure, is_loopback, peer = self._meet(scope)
        out = _Answering(scope, send, peer, secure)
        if not (secure or is_loopback):
            await refuse(ApiError(403, HTTPS_REQUIRED))(scope, receive, out)
            return
        path: str = scope["path"]
        if "//" in path or path.endswith("/"):
            scope["path"] = _SLASHES.sub("/", path).rstrip("/") or "/"
        try:
            await self._app(scope, receive, out)
        except Exception as error:
            answer = self._fault(scope, error, out.started)
            if out.started:
                # Half an answer is out: only breaking it off tells the client.
                raise
            await answer(scope, receive, out)

    def _meet(self, scope: Scope) -> tuple[bool, bool, str]:
        """Note in the scope who asks, how and for whom; return whether it came encrypted,
        whether from this machine, and from which address."""
        client = scope.get("client")
        peer = client[0] if client else ""
        is_loopback, is_trusted = self._peer(peer)
        secure = scope["scheme"] == "https"
        authority = Headers(scope=scope).get("host", "")
        if is_trusted:
            peer, secure = self._forwarded(scope, peer)
            is_loopback = False  # the proxy is; who it speaks for came in clear text
            authority = _forwarded_authority(scope) or authority
        scope[CLIENT], scope[SECURE] = peer, secure
        scope[AUTHORITY] = authority.strip().lower()
        return secure, is_loopback, peer

    def _fault(self, scope: Scope, error: Exception, started: bool) -> ASGIApp:
        """Log what went wrong with a request, and return what is answered."""
        if is_unavailable(error) and not started:
            self._note_outage(error)
            return refuse(ApiError(503, DATABASE_AWAY, headers={"Retry-After": str(RETRY_S)}))
        request_id = secrets.token_hex(8)
        log.exception(
            "An API request failed",
            request_id=request_id,
            method=scope["method"],
            path=scope["path"],
        )
        return refuse(ApiError(500, "Internal error", headers={"X-Request-Id": request_id}))

    def _note_outage(self, error: Exception) -> None:
        """Log that the database is away, once in a while."""
        now = time.monotonic()
        if now - self._outage_noted_at > _OUTAGE_NOTED_S:
            self._outage_noted_at = now
            log.warning("The database does not answer, the API says 503", error=repr(error))

    def _judge(self, peer: str) -> tuple[bool, bool]:
        """Return (is loopback, is a trusted proxy)."""
        address = _parse(peer)
        if address is None:
            return False, False
        return address.is_loopback, self._is_trusted(address)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(_holds(network, address) for network in self._trusted)

    def _forwarded(self, scope: Scope, peer: str) -> tuple[str, bool]:
        """Return the caller as the trusted proxies saw it: address, and whether by HTTPS.

        Proxies append: the right-most address that is not itself a trusted proxy is the
        caller; what stands left of it anyone could have written.
        """
        headers = Headers(scope=scope)
        hops = [h.strip() for v in headers.getlist("x-forwarded-for") for h in v.split(",")]
        for hop in reversed(hops):
            address = _parse(hop)
            if address is None:
                break
            peer = str(address)
            if not self._is_trusted(address):
                break
        protocol = headers.get("x-forwarded-proto", "https").split(",")[-1].strip().lower()
        return peer, scope["scheme"] == "https" or protocol == "https"


def _forwarded_authority(scope: Scope) -> str:
    """Return host and port as the trusted proxy was asked for them, "" when it does not say.

    Of several values the right-most is the nearest proxy's own.
    """
    headers = Headers(scope=scope)

    def last(name: str) -> str:
        return headers.get(name, "").rpartition(",")[2].strip()

    host, port = last("x-forwarded-host"), last("x-forwarded-port")
    if not host:
        return ""
    usual = {"https": "443", "http": "80"}.get(last("x-forwarded-proto").lower() or "https")
    has_port = ":" in host.rpartition("]")[2]
    return f"{host}:{port}" if port.isdigit() and port != usual and not has_port else host


def asked_base(scope: Scope, https_port: int) -> str:
    """Return how links begin that lead to where this request came to; "" when it names no host.

    Of a request by plain HTTP (development, on loopback) they lead to the very port it came to;
    where its host names no port they are https, of `https_port` (0: there is none).
    """
    authority: str = scope.get(AUTHORITY, "")
    if not _SOUND_AUTHORITY.fullmatch(authority):
        return ""
    if scope.get(SECURE):
        return f"https://{authority.removesuffix(':443')}"
    if not https_port or ":" in authority.rpartition("]")[2]:
        return f"http://{authority}"
    return f"https://{authority}" + ("" if https_port == 443 else f":{https_port}")


def asked_domain(scope: Scope) -> str | None:
    """Return the domain that the request's host names; None for localhost and addresses."""
    host: str = scope.get(AUTHORITY, "")
    if host.startswith("["):
        return None
    name = host.partition(":")[0].rstrip(".")
    if not name or name == "localhost" or is_address(name):
        return None
    return name


@lru_cache(maxsize=4096)
def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; one with a port or in brackets too, as some proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _holds(network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> bool:
    return network.version == address.version and address in network


class _Answering:
    """The way out of one answer: with our headers, and a line in the log where it is a refusal."""

    def __init__(self, scope: Scope, send: Send, peer: str, secure: bool) -> None:
        self._scope = scope
        self._send = send
        self._peer = peer
        self._secure = secure
        self._status = 0
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._status = message["status"]
            _add_headers(message, self._secure)
        elif 400 <= self._status < 500:
            body = message.get("body", b"")
            _tell_refusal(self._scope, self._peer, self._status, body)
            self._status = 0  # once
        await self._send(message)


def _tell_refusal(scope: Scope, peer: str, status: int, body: bytes) -> None:
    """Log who was refused what and why."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    errors = said.get("errors", ()) if isinstance(said, dict) else ()
    fields = [f"{error['field']} {error['message']}" for error in errors]
    path = _SECRET.sub("…", scope["path"])
    _refusals.info(
        "an API request was refused",
        status=status,
        reason="; ".join(fields) or said.get("message", ""),
        method=scope["method"],
        path=path[:200],
        source=peer,
    )


def _add_headers(message: Message, secure: bool) -> None:
    headers = message.setdefault("headers", [])
    present = {name for name, _ in headers}
    extra = [item for item in (*_API_HEADERS, *_CLOSED_HEADERS) if item[0] not in present]
    if secure:
        extra.append(_HSTS)
    message["headers"] = [*headers, *extra]
