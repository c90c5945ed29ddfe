"""Requests on their way out: with a Via of ours, by the transport that fits (RFC 3261 §18.1.1)."""

from __future__ import annotations

import asyncio

from vpbx.sip.message import Request
from vpbx.sip.transaction import ClientTransaction, TransactionState
from vpbx.sip.transport import Hop, Transports
from vpbx.sip.via import make_via
from vpbx.tasks import watched

__all__ = ["Departures"]

_MAX_UDP_BYTES = 1300
"""Larger requests should not go by UDP (RFC 3261 §18.1.1)."""


class Departures:
    """Starts client transactions on these transports."""

    def __init__(self, transports: Transports) -> None:
        self._transports = transports
        self._preparing: set[asyncio.Task[None]] = set()

    def start(self, tx: ClientTransaction, branch: str) -> None:
        """Send a request: now where its way is plain, else as soon as that is found out."""
        request, hop = tx.request, tx.hop
        if self._transports.is_direct(hop):
            request.headers.push("Via", make_via(hop, self._transports.local_address(hop), branch))
            data = bytes(request)
            if hop.transport != "udp" or len(data) <= _MAX_UDP_BYTES:
                tx.start(hop, data)
                return
            request.headers.setlist("Via", request.headers.getlist("Via")[1:])
        task = watched(asyncio.get_running_loop().create_task(self._start_later(tx, branch)))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)

    async def stop(self) -> None:
        """Send nothing of what waits for its way."""
        for task in list(self._preparing):
            task.cancel()
        await asyncio.gather(*self._preparing, return_exceptions=True)

    async def _start_later(self, tx: ClientTransaction, branch: str) -> None:
        """Start a request whose way must be found out first: a name, or a large message."""
        try:
            hop = await self._transports.resolve(tx.hop)
        except OSError as error:
            tx.transport_failed(f"cannot resolve {tx.hop.host}: {error}")
            return
        data = self._with_via(tx.request, hop, branch)
        if hop.transport == "udp" and len(data) > _MAX_UDP_BYTES:
            tcp = Hop("tcp", hop.host, hop.port)
            if await self._transports.can_connect(tcp):
                hop = tcp
                data = self._with_via(tx.request, hop, branch)
        if tx.state is not TransactionState.TERMINATED:
            tx.start(hop, data)

    def _with_via(self, request: Request, hop: Hop, branch: str) -> bytes:
        request.headers.remove("Via")
        request.headers.push("Via", make_via(hop, self._transports.local_address(hop), branch))
        return bytes(request)
