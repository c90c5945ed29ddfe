"""Which phones must not be told of SHA-256.

A phone that knows MD5 alone should pass over a SHA-256 challenge (RFC 8760 §2.4). Some give up
on the whole 401 instead: baresip 1.x, which Debian 12 ships, among them. A device that was
offered both and comes back without any credentials is one of those: it is offered MD5 alone
from then on. Those known to be so by their User-Agent are spared the first round, which can
cost half a minute of the phone's patience.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from vpbx.sip import Hop, Request

__all__ = ["Challenges"]

_STUMBLING = re.compile(r"baresip v[01]\.", re.IGNORECASE)
_MAX_DEVICES = 10_000


class Challenges:
    """What each device was offered and did not take; the oldest are forgotten."""

    def __init__(self, max_devices: int = _MAX_DEVICES) -> None:
        self._max_devices = max_devices
        self._unanswered: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def md5_only(self, request: Request, hop: Hop) -> bool:
        """Say whether to offer MD5 alone, and remember that this device is being asked."""
        if _STUMBLING.match(request.headers.get("User-Agent") or ""):
            return True
        device = _device(request, hop)
        if device in self._unanswered:
            # asked before: credentials, even wrong ones, show that it could read both
            self._unanswered[device] |= request.headers.get("Authorization") is None
        else:
            self._unanswered[device] = False
            if len(self._unanswered) > self._max_devices:
                self._unanswered.popitem(last=False)
        return self._unanswered[device]

    def answered(self, request: Request, hop: Hop) -> None:
        """Forget a device that took what it was offered, unless that had to be MD5 alone."""
        device = _device(request, hop)
        if self._unanswered.get(device) is False:
            del self._unanswered[device]


def _device(request: Request, hop: Hop) -> tuple[str, str]:
    """Name a device across calls and registrations: its address and the name it uses."""
    uri = request.from_address.uri
    return hop.host, f"{uri.user}@{uri.host}"
