"""A name server on loopback that speaks real DNS over UDP; the zone is what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

__all__ = ["NameServer"]


class NameServer(asyncio.DatagramProtocol):
    """Answers from `zone`: (name, type) → (ttl, values). Change it while it runs."""

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.silent = False
        self.rcode = 0
        """Other than 0: the answer to everything."""

    async def __aenter__(self) -> NameServer:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.transport.close()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port

    def put(self, name: str, kind: str, values: Iterable[str], ttl: int = 300) -> None:
        """Say what there is; no values: the name has nothing of this type any more."""
        self.zone[name.lower().rstrip("."), kind] = ttl, list(values)

    def remove(self, name: str) -> None:
        """Make a name unknown."""
        for key in [key for key in self.zone if key[0] == name]:
            del self.zone[key]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = str(question.name).rstrip(".").lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA | dns.flags.AA
        found = self.zone.get((name, kind))
        if self.rcode:
            answer.set_rcode(dns.rcode.Rcode(self.rcode))
        elif found is not None and found[1]:
            ttl, values = found
            answer.answer.append(dns.rrset.from_text(question.name, ttl, "IN", kind, *values))
        elif not any(key[0] == name for key in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)
