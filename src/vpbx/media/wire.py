"""What RTPProxy is told of one session, by the commands of its protocol, and what it answers."""

from __future__ import annotations

import asyncio
from functools import lru_cache

import structlog

from .control import checked
from .listeners import Address
from .model import RtpPeer, Side
from .proxy import Proxy
from .quality import COUNTERS
from .sink import GUARD_PAYLOAD

__all__ = ["NOWHERE", "Wire", "packets_heard"]

log = structlog.get_logger("vpbx.media")

NOWHERE: Address = ("0.0.0.0", 0)  # noqa: S104


class Wire:
    """The commands of one session. `guarded`: its ports have gates, so RTPProxy learns nothing
    by itself (its asymmetric mode)."""

    __slots__ = ("_callid", "_guarded", "_number", "_proxy", "closed", "id")

    def __init__(self, proxy: Proxy, callid: str, number: int, *, guarded: bool) -> None:
        self._proxy = proxy
        self._callid = callid
        self._number = number
        self._guarded = guarded
        self.id = f"{callid}.{number}"
        """What RTPProxy calls the session."""
        self.closed = False
        """Whether the session has ended."""

    def send(self, command: str) -> asyncio.Future[str]:
        """Send a command; the future is its answer."""
        return self._proxy.send(command)

    def tell(self, command: str) -> asyncio.Future[str]:
        """Send a command with an address, and log its failure: silence ends the call."""
        answer = self._proxy.send(command)
        answer.add_done_callback(self._told)
        return answer

    def _told(self, done: asyncio.Future[str]) -> None:
        error = done.exception()
        if not self.closed and (error is not None or done.result().startswith("E")):
            log.warning(
                "a media address was refused",
                callid=self._callid,
                error=str(error or done.result()),
            )

    def count(self) -> asyncio.Future[str]:
        """Ask how many packets came (see `packets_heard`)."""
        return self._proxy.send(f"Q {self.id} a b")

    def measure(self, side: Side) -> asyncio.Future[str]:
        """Ask what was measured of what came from a side (see `quality.counted`)."""
        tags = "a b" if side is Side.A else "b a"
        return self._proxy.send(f"Q {self.id} {tags} {COUNTERS}")

    def delete(self) -> asyncio.Future[str]:
        """Let RTPProxy close the ports."""
        return self._proxy.send(f"D {self.id} a b")

    async def take_ports(self, towards: Address) -> tuple[int, int]:
        """Begin the session; return the ports of A and B. MediaError: there are none.

        What the sides are sent goes `towards` nobody until their addresses are known.
        """
        # "U" names the port the called side sends to, "L" the one of the calling side.
        update = self.send(self.address(Side.A, towards, None, new=True))
        lookup = self.send(self.address(Side.B, towards, None))
        try:
            # The last answer first: over a stream the others are then there already.
            port_a = int(checked(await lookup).split(None, 1)[0])
            port_b = int(checked(await update).split(None, 1)[0])
        except BaseException:
            update.cancel()
            self.delete()
            raise
        return port_a, port_b

    def address(self, side: Side, at: Address, peer: RtpPeer | None, *, new: bool = False) -> str:
        """Return the command that tells RTPProxy the address of a side."""
        host, port = at
        spec, number = self._proxy.notify_spec, self._number
        codecs = _codecs_taken(peer.payloads, peer.dtmf_payload) if peer is not None else ""
        if self._guarded:
            codecs = "a" + codecs
        tags = "a" if new else "a b"
        if side is Side.B:
            command = f"L{codecs} {self.id} {host} {port:d} {tags}"
        elif spec:
            command = f"U{codecs} {self.id} {host} {port:d} {tags} {spec} T{number}"
        else:
            command = f"U{codecs} {self.id} {host} {port:d} {tags}"
        if not spec:
            return command
        dtmf = peer.digits_come_as if peer is not None else None
        if dtmf is not None:
            hidden = " h" if peer is not None and peer.digits_hidden else ""
            return f"{command} && M3:1 D{number} {dtmf:d}{hidden}"
        # The guarding packet is caught as if it were a digit ("h": and kept from the other side).
        return f"{command} && M3:1 D{number} {GUARD_PAYLOAD} h"


def packets_heard(done: asyncio.Future[str]) -> dict[Side, int] | None:
    """Return the packet counts of a `Q` answer: `ttl from_a from_b relayed dropped`."""
    if done.cancelled() or done.exception() is not None or done.result().startswith("E"):
        return None
    words = done.result().split()
    return {Side.A: int(words[1]), Side.B: int(words[2])}


@lru_cache(256)
def _codecs_taken(payloads: tuple[int, ...], dtmf: int | None) -> str:
    """Return the modifier of U and L that names what a side takes."""
    numbers = payloads if dtmf is None else (*payloads, dtmf)
    return "c" + ",".join(map(str, numbers)) if numbers else ""
