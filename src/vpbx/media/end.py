"""One side of a media session: what is known of it, and what its SDP says of its packets."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from .gate import Admission, Gate
from .keypad import Keypad
from .listeners import Address
from .model import DtlsPeer, RtpPeer, Side
from .overhearing import Overhearing
from .srtp import BrowserChannel, SrtpChannel

if TYPE_CHECKING:
    from vpbx.clock import Timer

__all__ = [
    "NOWHERE",
    "End",
    "admission_of",
    "codecs_taken",
    "note_baseline",
    "numeric",
    "packets_heard",
]

NOWHERE = ("0.0.0.0", 0)  # noqa: S104


class Spliced(Protocol):
    """A `splice.Splice`, as far as an end is concerned."""

    inside: Address

    def free(self) -> None: ...


class _Session(Protocol):
    """Who is told what comes to a gate."""

    def redirect(self, end: End, source: Address) -> None: ...

    def pass_on(self, end: End, packet: bytes) -> None: ...


@dataclass(slots=True)
class End:
    """What is known of one side; the doorkeeper of its gate."""

    session: _Session
    side: Side
    port: int
    tags: str
    gate: Gate | None = None
    target: Address | None = None
    """Where it is sent to; None while that is not known."""
    crowd: int | None = None
    """Packets it had sent when others were turned away at its gate; None: none were."""
    peer: RtpPeer | None = None
    baseline: int = 0
    untold: str = ""
    """The command with its address, while nothing is to be heard there."""
    relearn: str = ""
    """The same, sent, while the side has not been heard."""
    player: Timer | None = None
    played: asyncio.Future[None] | None = None
    player_left: bool = False
    """Whether RTPProxy has a player for it that it was not told to stop."""
    keypad: Keypad | None = None
    catcher: Overhearing | None = None
    """Catches its digits while something is played to the other side."""
    splice: Spliced | None = None
    """Who stands in its way, where RTPProxy is told that the side is."""
    channel: SrtpChannel | None = None
    """Where its packets come from and go to when they are encrypted."""
    browser: BrowserChannel | None = None
    """The same when it is a browser."""
    dtls: DtlsPeer | None = None
    """What RTPProxy was told of its DTLS."""

    @property
    def told(self) -> Address | None:
        """Where RTPProxy is to send what the side hears."""
        return self.splice.inside if self.splice is not None else self.target

    @property
    def quiet(self) -> bool:
        """Whether it need not speak: it listens to music, or has put the other on hold."""
        return self.played is not None or (self.peer is not None and not self.peer.listens)

    def learned(self, source: Address) -> None:
        """Send to where its packets come from."""
        self.session.redirect(self, source)

    def overheard(self, packet: bytes) -> None:
        """Pass on a packet that RTPProxy has not seen."""
        self.session.pass_on(self, packet)


def packets_heard(done: asyncio.Future[str]) -> dict[Side, int] | None:
    """Return the packet counts of a `Q` answer: `ttl from_a from_b relayed dropped`."""
    if done.cancelled() or done.exception() is not None or done.result().startswith("E"):
        return None
    words = done.result().split()
    return {Side.A: int(words[1]), Side.B: int(words[2])}


def note_baseline(done: asyncio.Future[str], side: Side, end: End) -> None:
    """Keep how many packets a side had sent by now."""
    stats = packets_heard(done)
    if stats is not None:
        end.baseline = stats[side]


@lru_cache(256)
def codecs_taken(payloads: tuple[int, ...], dtmf: int | None) -> str:
    """Return the modifier of U and L that names what a side takes."""
    numbers = payloads if dtmf is None else (*payloads, dtmf)
    return "c" + ",".join(map(str, numbers)) if numbers else ""


def numeric(peer: RtpPeer) -> Address | None:
    """Return the address as RTPProxy may be told it; None for one to be found or learned."""
    try:
        socket.inet_pton(socket.AF_INET, peer.host)
    except (OSError, ValueError):
        return None
    return None if peer.host == NOWHERE[0] or not peer.port else (peer.host, peer.port)


def admission_of(peer: RtpPeer, exact: Address | None) -> Admission:
    """Say whose packets a side's gate lets in."""
    return Admission(
        exact,
        tuple(sorted(peer.may_send)),
        peer.digits_come_as,
        dtls=peer.dtls is not None,
        behind=peer.signalled if peer.behind_nat or exact is None else "",
        fallback=peer.signalled if exact is not None and exact[0] == peer.signalled else "",
    )
