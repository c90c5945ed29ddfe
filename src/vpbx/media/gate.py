"""Who may send to a media port: the kernel is told, so that strangers cost nothing.

A gate stands before one port of RTPProxy (and its RTCP port). It is shut until an SDP says
where packets will come from, and then, per SDP:

    state    | takes                                   | becomes
    SHUT     | nothing                                 | LEARNING by `admit`
    LEARNING | nothing yet; a socket of ours listens   | OPEN with the first packet that fits
    OPEN     | one source, one SSRC, the payload types | LEARNING when that SSRC falls silent
             | that were agreed                        | while others come from the same source

What fits: the address and port of the SDP, always. Where signalling has shown that a NAT lies
between (`Admission.behind`), or the host says that nothing listens at that port (ICMP), any
port of the address that signalling came from too: the first one that is heard, and it is not
displaced by another as long as it speaks; only the SDP's own address wins over it at any time.

The listening socket is bound to the same port for a moment; the kernel gives it the packets
instead of RTPProxy. What it has read is passed on, so nothing is missing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol, TypeAlias

from . import kernel
from .packet_filter import NOTHING, Source, dtls_filter, rtcp_filter, rtp_filter

Address: TypeAlias = tuple[str, int]
_Packets: TypeAlias = list[tuple[bytes, Address]]

_READS = 32
_PACKET_BYTES = 2048
_REFUSALS = 3
"""So many ICMP errors before the port in an SDP counts as one nobody listens at."""
_PATIENCE_S = 0.3
"""So long a source that was heard before may take to speak again, before another is taken."""


_LOOKS = 16
"""So many times `crowded` is asked before one who has only pressed keys is listened to again."""


class State(Enum):
    """What a gate does with packets."""

    SHUT = auto()
    LEARNING = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is to send."""

    exact: Address | None
    """By the SDP; None: it names no address."""
    payloads: tuple[int, ...] = ()
    """Payload types; none: all."""
    events: int | None = None
    """The one of telephone-event: some send it as a stream of its own, with another SSRC."""
    dtls: bool = False
    """Packets are DTLS and SRTP, which prove themselves: no type or SSRC is looked at."""
    behind: str = ""
    """The address of a NAT the sender is behind."""
    fallback: str = ""
    """That address, to be tried where the exact port turns out to be closed."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """What a listening socket lets in."""
        exact: tuple[Source, ...] = (self.exact,) if self.exact else ()
        return (*exact, (self.behind, None)) if self.behind else exact


class Doorkeeper(Protocol):
    """Who a gate tells."""

    def learned(self, source: Address) -> None:
        """Packets come from `source`, which is not where the SDP says."""

    def overheard(self, packet: bytes) -> None:
        """Take a packet that RTPProxy did not see, because the gate was learning."""


class Gate:
    """The guard of one port."""

    def __init__(self, host: str, port: int, numbers: tuple[int, int], keeper: Doorkeeper) -> None:
        self.port = port
        self.numbers = numbers
        """RTPProxy's sockets for RTP and RTCP."""
        self.state = State.SHUT
        self.source: Address | None = None
        """Where packets come from, once some did."""
        self._host = host
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._admission = Admission(None)
        self._told: Address | None = None
        self._muted = False
        self._open_to: tuple[tuple[Source, ...], int | None] = ((), None)
        self._listener: socket.socket | None = None
        self._watcher: socket.socket | None = None
        self._borrower: socket.socket | None = None
        self._refusals = 0
        self._candidate: tuple[Address, int | None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._drops = 0
        self._looks = 0
        kernel.allow_second_socket(numbers[0])
        for number in numbers:
            kernel.attach_filter(number, NOTHING)

    def admit(self, admission: Admission, *, anew: bool = True) -> Address | None:
        """Take packets as an SDP describes them, from the first one on that fits.

        Not `anew`: what was learned of the same place stays, should only payload types differ.
        Returns where to send until then: what the SDP says, but what is known of a NAT.
        """
        was = self._admission
        same = replace(was, payloads=admission.payloads, events=admission.events) == admission
        if self.state is State.OPEN and same and not anew:
            self._admission = admission
            self._attach(*self._open_to)
            return self._told
        self._stop()
        if self.source is not None and self.source[0] != admission.behind:
            self.source = None
        self._admission = admission
        self._told = self.source or admission.exact
        self._refusals = 0
        self._learn()
        return self._told

    def mute(self, muted: bool) -> None:
        """Let nothing through for a while, or again what was let through before."""
        if muted != self._muted:
            self._muted = muted
            self._attach(*self._open_to)

    def borrow(self, heard: Callable[[bytes], None]) -> None:
        """Give the packets that come to `heard` instead of RTPProxy, until `give_back`."""
        source = self.source
        if self.state is not State.OPEN or source is None or self._muted or self._admission.dtls:
            return
        self.give_back()

        def read() -> None:
            for packet, _ in _read(self._borrower)[0] if self._borrower is not None else ():
                heard(packet)

        self._borrower = self._socket((source,), source, read)

    def give_back(self) -> None:
        """Let RTPProxy have the packets again."""
        if self._borrower is not None:
            self._loop.remove_reader(self._borrower.fileno())
            self._borrower.close()
            self._borrower = None

    def close(self) -> None:
        """Listen no more; before RTPProxy closes its sockets."""
        self._stop()
        self.state = State.SHUT

    def listen_again(self) -> None:
        """The known SSRC is silent while others come: learn it anew, from the same source."""
        if self.state is State.OPEN and self.source is not None:
            self._stop()
            self._learn(self.source)

    def crowded(self) -> bool:
        """Say whether packets were turned away since this was asked last."""
        if self.state is not State.OPEN or self._muted or self._admission.dtls:
            return False
        if self._open_to[1] is None:
            self._looks = (self._looks + 1) % _LOOKS
            if self._looks == 0:
                self.listen_again()  # so far it has only pressed keys
            return False
        before, self._drops = self._drops, kernel.dropped(self.numbers[0])
        return self._drops != before

    # -- learning --------------------------------------------------------------------------------

    def _learn(self, only: Address | None = None) -> None:
        self.state = State.LEARNING
        admission = self._admission
        sources: tuple[Source, ...] = (only,) if only else admission.sources
        # Until the listener has heard somebody, and if there can be none.
        self._attach(tuple(source for source in sources if source[1] is not None), None)
        if admission.dtls and admission.exact is not None and not admission.behind:
            self.state, self.source = State.OPEN, admission.exact
        elif sources:
            exact = only or (None if admission.behind else admission.exact)
            self._listener = self._socket(sources, exact, self._heard)

    def _socket(
        self, sources: tuple[Source, ...], connected: Address | None, heard: Callable[[], None]
    ) -> socket.socket | None:
        """Open a second socket on our port; `connected`: for packets from there only."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kernel.attach_filter(sock.fileno(), self._filter(sources, None))
            sock.bind((self._host, self.port))
            if connected is not None:
                sock.connect(connected)
        except (OSError, OverflowError):
            sock.close()
            return None
        self._loop.add_reader(sock.fileno(), heard)
        return sock

    def _heard(self) -> None:
        if self._listener is None:
            return
        packets, refused = _read(self._listener)
        for packet, source in packets:
            if self.source in (None, source) or source == self._admission.exact:
                self._settle(source, self._voice(packet), packets)
                return
            if self._candidate is None:
                self._candidate = source, self._voice(packet)
                self._patience = self._loop.call_later(_PATIENCE_S, self._patience_over)
        if refused:
            self._refused()

    def _patience_over(self) -> None:
        if self._candidate is not None and self.state is State.LEARNING:
            self._settle(*self._candidate, [])

    def _refused(self) -> None:
        """The host says that nobody listens at the SDP's port."""
        self._refusals += 1
        was = self._admission
        if self._refusals == _REFUSALS and was.fallback and self.source is None:
            self._stop()
            self._admission = Admission(was.exact, was.payloads, behind=was.fallback)
            self._learn()

    def _voice(self, packet: bytes) -> int | None:
        """Return the SSRC of a packet of sound; None for a telephone-event, or DTLS."""
        if self._admission.dtls:
            return None
        return None if packet[1] & 0x7F == self._admission.events else _ssrc(packet)

    def _settle(
        self, source: Address, ssrc: int | None, packets: list[tuple[bytes, Address]]
    ) -> None:
        listener, exact = self._listener, self._admission.exact
        self.state, self.source = State.OPEN, source
        self._attach((source,), ssrc)
        if listener is not None:
            packets = packets + _read(listener)[0]
        self._stop()
        if source != self._told:
            self._told = source
            self._keeper.learned(source)
        if not self._muted and not self._admission.dtls:
            for packet, origin in packets:
                if origin == source and (ssrc is None or self._voice(packet) in (None, ssrc)):
                    self._keeper.overheard(packet)
        self._drops = kernel.dropped(self.numbers[0])
        if exact is not None and source != exact:
            self._watcher = self._socket((exact,), exact, self._exact_heard)

    def _exact_heard(self) -> None:
        """The SDP's own address speaks after all: it wins."""
        packets = _read(self._watcher)[0] if self._watcher is not None else []
        if packets:
            packet, source = packets[0]
            self._settle(source, self._voice(packet), packets)

    def _attach(self, sources: tuple[Source, ...], ssrc: int | None) -> None:
        self._open_to = sources, ssrc
        rtp, rtcp = self.numbers
        reports: tuple[Source, ...] = tuple((h, p + 1) for h, p in sources if p is not None)
        shut = self._muted or not sources
        kernel.attach_filter(rtp, NOTHING if shut else self._filter(sources, ssrc))
        kernel.attach_filter(rtcp, rtcp_filter(reports) if reports else NOTHING)

    def _filter(self, sources: tuple[Source, ...], ssrc: int | None) -> bytes:
        admission = self._admission
        if admission.dtls:
            return dtls_filter(sources)
        return rtp_filter(sources, admission.payloads, ssrc, admission.events)

    def _stop(self) -> None:
        for sock in (self._listener, self._watcher):
            if sock is not None:
                self._loop.remove_reader(sock.fileno())
                sock.close()
        self._listener = self._watcher = self._candidate = None
        self.give_back()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def _ssrc(packet: bytes) -> int:
    return int.from_bytes(packet[8:12], "big")


def _read(sock: socket.socket) -> tuple[_Packets, bool]:
    """Return the packets that wait at a socket, and whether an ICMP error did."""
    packets: _Packets = []
    for _ in range(_READS):
        try:
            packets.append(sock.recvfrom(_PACKET_BYTES))
        except ConnectionRefusedError:
            return packets, True
        except OSError:
            break
    return packets, False


class Gates:
    """Makes the gates of an engine."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._sockets = kernel.Sockets()

    def make(self, keepers: dict[int, Doorkeeper]) -> dict[int, Gate]:
        """Guard ports, shut at first; `keepers` by port. Empty when that cannot be done."""
        found = self._sockets.find(number for port in keepers for number in (port, port + 1))
        if len(found) < 2 * len(keepers):
            self._sockets.release(found.values())
            return {}
        return {
            port: Gate(self._host, port, (found[port], found[port + 1]), keeper)
            for port, keeper in keepers.items()
        }

    def release(self, gate: Gate) -> None:
        """Let a gate go; RTPProxy is about to close its sockets."""
        gate.close()
        self._sockets.release(gate.numbers)
