"""What RTPProxy is told of one session, by the commands of its protocol, and what it answers."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TypeAlias

import structlog

from .control import NoPort, checked
from .listeners import Address
from .model import RtpPeer, Side
from .proxy import Proxy
from .quality import COUNTERS
from .sink import GUARD_PAYLOAD

__all__ = ["NOWHERE", "Aimed", "Wire", "packets_heard"]

log = structlog.get_logger("vpbx.media")

NOWHERE: Address = ("0.0.0.0", 0)  # noqa: S104

Aimed: TypeAlias = tuple[Address, RtpPeer | None]
"""Where a side is sent what it hears, and what it takes and sends; None: nothing is known."""


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
        if not self.closed and (error is not None or _refused(done.result())):
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
        nobody = towards, None
        try:
            # "U" names the port the called side sends to, "L" the one of the calling side.
            if self._guarded:
                return _ports(checked(await self.send(self.both(nobody, nobody))))
            update = self.send(self.address(Side.A, *nobody, tags="a"))
            lookup = self.send(self.address(Side.B, *nobody))
            # The last answer first: over a stream the others are then there already.
            port_a = int(checked(await lookup).split(None, 1)[0])
            return port_a, int(checked(await update).split(None, 1)[0])
        except BaseException:
            self.delete()
            raise

    def address(self, side: Side, at: Address, peer: RtpPeer | None, *, tags: str = "a b") -> str:
        """Return the command that tells RTPProxy the address of a side."""
        host, port = at
        spec = self._proxy.notify_spec
        letter = "U" if side is Side.A else "L"
        notify = f" {spec} T{self._number}" if spec and side is Side.A else ""
        command = f"{letter}{self._takes(peer)} {self.id} {host} {port:d} {tags}{notify}"
        return command + self._catch(peer)

    def both(self, a: Aimed, b: Aimed) -> str:
        """Return the one command that tells RTPProxy in this process the addresses of A and B."""
        (host, port), peer = b
        lookup = f"L{self._takes(peer)} {host} {port:d}{self._catch(peer)}"
        return f"{self.address(Side.A, *a)} && {lookup}"

    def _takes(self, peer: RtpPeer | None) -> str:
        """Return the modifiers of U and L."""
        codecs = _codecs_taken(peer.payloads, peer.dtmf_payload) if peer is not None else ""
        return "a" + codecs if self._guarded else codecs

    def _catch(self, peer: RtpPeer | None) -> str:
        """Return the subcommand of U and L that has the digits of a side told."""
        if not self._proxy.notify_spec:
            return ""
        dtmf = peer.digits_come_as if peer is not None else None
        if peer is None or dtmf is None:
            # The guarding packet is caught as if it were a digit ("h": kept from the other side).
            return f" && M3:1 D{self._number} {GUARD_PAYLOAD} h"
        return f" && M3:1 D{self._number} {dtmf:d}{' h' if peer.digits_hidden else ''}"


def _ports(answer: str) -> tuple[int, int]:
    """Return the ports of A and B from the answer to `Wire.both`: `PORT HOST && 0 && PORT HOST`,
    B's first, or a negative number for what failed. NoPort: there was one for B only."""
    port_b, *_, port_a = answer.split(" && ")
    if _refused(answer):
        raise NoPort("the media engine has a port for one side only")
    return int(port_a.split()[0]), int(port_b.split()[0])


def _refused(answer: str) -> bool:
    return answer.startswith("E") or " && -" in answer


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
