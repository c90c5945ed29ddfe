"""Telling IP addresses from names."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

__all__ = ["is_address"]

_LONGEST = 64
"""An IPv6 address with its zone; what is longer comes from somebody who tries what fits in here."""


def is_address(host: str) -> bool:
    """Say whether `host` is an IP address, without brackets and port, and not a name."""
    return len(host) <= _LONGEST and _is_address(host)


@lru_cache(maxsize=4096)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
