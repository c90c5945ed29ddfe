"""The echo test: who calls hears themselves, by the way their sound takes through the server."""

from __future__ import annotations

import asyncio
from typing import cast

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome
from vpbx.directory.goals import ToEcho
from vpbx.media import RtpPeer, comes_from

__all__ = ["echo"]


class _Mirror(asyncio.DatagramProtocol):
    """Sends each packet of RTPProxy's back; a stranger's would go to whom it names."""

    def __init__(self, source: tuple[str, int]) -> None:
        self._source = source

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if comes_from(addr, self._source):
            self._transport.sendto(data, addr)


async def echo(call: Call, goal: ToEcho) -> Outcome:
    """Say what this is, then give the guest their own sound back until they hang up."""
    guest = call.guest
    assert guest is not None
    await call.hear_out("echo-test", "beep")
    loop = asyncio.get_running_loop()
    session, other = call.bridge.session, guest.side.other
    assert session is not None
    source = session.source(other)
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Mirror(source), local_addr=(call.switch.media.config.inner_host, 0)
    )
    try:
        host, port = transport.get_extra_info("sockname")[:2]
        spoken = guest.sound.peer
        assert spoken is not None
        mirror = RtpPeer(host, port, spoken.payloads, spoken.dtmf_payload, spoken.ptime_ms)
        await call.bridge.point(other, mirror)
        while True:
            await call.next()
    finally:
        transport.close()
