"""The echo test: who calls hears themselves, by the way their sound takes through the server."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome
from vpbx.directory.goals import ToEcho
from vpbx.media import Datagrams, RtpPeer, comes_from

__all__ = ["echo"]


class _Mirror(Datagrams):
    """Sends each packet of RTPProxy's back; a stranger's would go to whom it names."""

    def __init__(self, source: tuple[str, int]) -> None:
        self._source = source

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if comes_from(addr, self._source):
            self.send(data, addr)


async def echo(call: Call, goal: ToEcho) -> Outcome:
    """Say what this is, then give the guest their own sound back until they hang up."""
    guest = call.guest
    assert guest is not None
    await call.hear_out("echo-test", "beep")
    session, other = call.bridge.session, guest.side.other
    assert session is not None
    mirror = _Mirror(session.source(other))
    await mirror.listen(call.switch.media.config.inner_host)
    try:
        host, port = mirror.address
        spoken = guest.sound.peer
        assert spoken is not None
        peer = RtpPeer(host, port, spoken.payloads, spoken.dtmf_payload, spoken.ptime_ms)
        await call.bridge.point(other, peer)
        while True:
            await call.next()
    finally:
        mirror.close()
