"""Which addresses a company's settings may send the server to (crm-api §1, §14, §16, §17).

A company alone on its server may have its CRM or its operator's gateway beside it. With more
than one, an address of this machine's or a private network would let one of them reach what is
the provider's, so only what can be reached from anywhere will do, whatever a name resolves to.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

__all__ = ["Private", "is_public"]

Private: TypeAlias = Callable[[], bool]
"""Tells whether private addresses may be used now."""

_NAT64 = IPv6Network("64:ff9b::/96")
_CARRYING = (_NAT64, IPv6Network("64:ff9b:1::/96"), IPv6Network("::/96"))
"""Where the last 32 bits are an IPv4 address: NAT64 (RFC 6052, 8215), IPv4-compatible."""
_NEVER = (
    IPv6Network("64:ff9b:1::/48"),  # a translator of one's own network (RFC 8215)
    IPv6Network("fec0::/10"),  # site-local, once
)


def is_public(host: str) -> bool:
    """Tell whether an IP address may be reached from anywhere; True for what is a name.

    An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo) is as public
    as that.
    """
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return True
    return all(
        each.is_global and not each.is_multicast and not _never(each) for each in _carried(address)
    )


def _never(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _NEVER if network.version == address.version)


def _carried(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    found: list[IPv4Address | IPv6Address] = [address]
    if any(address in network for network in _CARRYING):
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    return found
