"""Who asks (crm-api §3): the key, its domain, its rights, and a brake on guessing.

Keys are compared and addresses judged by the directory; here only HTTP's side of it stands.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

import structlog
from starlette.requests import Request

from vpbx.api.errors import FORBIDDEN, ApiError
from vpbx.api.gate import CLIENT, asked_domain
from vpbx.clock import Clock
from vpbx.directory import INVALID_TOKEN, AuthFailure, Directory, KeyIdentity

__all__ = ["Door", "Right", "WrongKeys"]

Right = tuple[str, str]
"""Area and action, in the words of crm-api §3: `("Employees", "Creating")`."""

WINDOW_S = 60.0
MAX_SOURCES = 10_000
TOO_MANY = "Too many wrong keys"

log = structlog.get_logger("vpbx.api")


class Door:
    """Lets a request in, as the company its key belongs to."""

    def __init__(self, directory: Directory, clock: Clock, wrong_keys_per_minute: int) -> None:
        self._directory = directory
        self._wrong = WrongKeys(clock, wrong_keys_per_minute)

    async def admit(
        self, request: Request, right: Right | None, key: str | None = None
    ) -> KeyIdentity:
        """Return whose key the request bears; ApiError 401, 403 or 429 otherwise.

        `key`: where it stands elsewhere than in the header.
        """
        scope = request.scope
        source: str = scope[CLIENT]
        if key is None:
            key = request.headers.get("x-api-key", "").strip()
        try:
            identity = await self._directory.authenticate_key(
                key, asked_domain(scope), source or None
            )
        except AuthFailure as failure:
            # No key at all is no guess.
            if key and str(failure) == INVALID_TOKEN and self._wrong.add(source):
                retry = {"Retry-After": str(int(WINDOW_S))}
                raise ApiError(429, TOO_MANY, headers=retry) from None
            raise ApiError(401, str(failure)) from None
        if right is not None and not identity.allows(*right):
            raise ApiError(403, FORBIDDEN)
        return identity


class WrongKeys:
    """Counts wrong keys by source, in windows of a minute; bounded whatever comes in."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def add(self, source: str) -> bool:
        """Count one more; True when this source has had more than its share."""
        source = _network(source)
        now = self._clock.now()
        since, count = self._counts.pop(source, (now, 0))
        if now - since >= WINDOW_S:
            since, count = now, 0
        count += 1
        self._counts[source] = (since, count)
        if len(self._counts) > MAX_SOURCES:
            self._counts.popitem(last=False)
        if count == self._limit + 1:
            log.warning("Wrong API keys are being tried", source=source, tries=count)
        return count > self._limit


def _network(source: str) -> str:
    """Return the unit that is counted: an IPv4 address, an IPv6 /64."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return source
