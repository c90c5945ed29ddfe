"""The echo test: who calls hears themselves, by the way their sound takes through the server."""

from __future__ import annotations

import asyncio
from typing import cast

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome
from vpbx.directory.goals import ToEcho
from vpbx.media import RtpPeer

__all__ = ["echo"]

_ANY, _LOOPBACK = "0.0.0.0", "127.0.0.1"  # noqa: S104


class _Mirror(asyncio.DatagramProtocol):
    """Sends each packet back to where it came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data, addr)


async def echo(call: Call, goal: ToEcho) -> Outcome:
    """Say what this is, then give the guest their own sound back until they hang up."""
    guest = call.guest
    assert guest is not None
    await call.hear_out("echo-test", "beep")
    loop = asyncio.get_running_loop()
    host = call.switch.media.config.listen_host
    transport, _ = await loop.create_datagram_endpoint(_Mirror, local_addr=(host, 0))
    try:
        port: int = transport.get_extra_info("sockname")[1]
        spoken = guest.sound.peer
        assert spoken is not None
        here = _LOOPBACK if host == _ANY else host
        mirror = RtpPeer(here, port, spoken.payloads, spoken.dtmf_payload, spoken.ptime_ms)
        await call.bridge.point(guest.side.other, mirror)
        while True:
            await call.next()
    finally:
        transport.close()
