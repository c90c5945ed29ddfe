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

The listening socket is bound to the same port and address as RTPProxy's for a moment; of two
such the kernel gives the packets to the one that was bound last, whichever of this machine's
addresses they come to (connected to the peer, it would have one address only). What it has read
is passed on, so nothing is missing. RTPProxy's socket is shut meanwhile. The listener gets a
filter, which is dear, when it first hears what does not fit. It stands there from the beginning,
unread while the gate is shut: so RTPProxy's own socket has no filter before the gate opens.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Protocol

from . import kernel
from .admission import Admission
from .doorway import Doorway
from .lender import Heard, Lender
from .listeners import Address, Packets, read
from .packet_filter import Source

_REFUSALS = 3
"""So many ICMP errors before the port in an SDP counts as one nobody listens at."""
_PATIENCE_S = 0.3
"""So long a source that was heard before may take to speak again, before another is taken."""
_GAP = 500
"""A gap of so many sequence numbers is one of lost packets to RTPProxy; a longer one is none."""
_LOOKS = 16
"""So many times `crowded` is asked before one who has only pressed keys is listened to again."""


class State(Enum):
    """What a gate does with packets."""

    SHUT = auto()
    LEARNING = auto()
    OPEN = auto()


class Doorkeeper(Protocol):
    """Who a gate tells."""

    def learned(self, source: Address) -> None:
        """Packets come from `source`, which is not where the SDP says."""

    def overheard(self, packet: bytes) -> None:
        """Take a packet that RTPProxy did not see, because the gate was learning."""


class _Nobody:
    """Whom a closed gate tells."""

    def learned(self, source: Address) -> None:
        """Do nothing."""

    def overheard(self, packet: bytes) -> None:
        """Do nothing."""


_NOBODY = _Nobody()


class Gate:
    """The guard of one port."""

    def __init__(self, doorway: Doorway, keeper: Doorkeeper) -> None:
        self.numbers = doorway.numbers
        """RTPProxy's sockets for RTP and RTCP."""
        self.state = State.SHUT
        self.source: Address | None = None
        """Where packets come from, once some did."""
        self._doorway = doorway
        self._keeper = keeper
        self._lender = Lender(doorway)
        self._loop = asyncio.get_running_loop()
        self._admission = Admission(None)
        self._told: Address | None = None
        self._muted = False
        self._open_to: tuple[tuple[Source, ...], int | None] = ((), None)
        """Whom RTPProxy's own socket hears, by source and SSRC."""
        self._awaited: tuple[Source, ...] = ()
        self._listener: socket.socket | None = None
        self._watcher: socket.socket | None = None
        self._refusals = 0
        self._candidate: tuple[Address, int | None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._drops = 0
        self._looks = 0
        self.aside = 0
        """Packets that came and that RTPProxy misses in the row, so that it takes them for lost."""
        self._muted_at = 0
        self._spoke: int | None = None
        """The SSRC it was opened to last."""

    def guard(self) -> None:
        """Let nothing come to the RTCP port that was not admitted; before RTPProxy is told of a
        peer whom it would go to."""
        self._doorway.guard()

    def admit(self, admission: Admission, *, anew: bool = True) -> Address | None:
        """Take packets as an SDP describes them, from the first one on that fits.

        Not `anew`: what was learned of the same place stays, should only payload types differ.
        Returns where to send until then: what the SDP says, but what is known of a NAT.
        """
        same = not anew and self.state is not State.SHUT and self._admission.same_place(admission)
        if self.state is State.OPEN and same:
            self._admission = admission
            self._apply()
            if self._lender.lends:
                self._lender.lend(self.source, admission)
            return self._told
        if self.state is State.LEARNING and same and self._listener is not None:
            self._admission = admission
            self._forget_candidate()
            if self._doorway.sifts:
                self._doorway.sift(admission.filter(self._awaited))
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
            self._apply()
            dropped = kernel.dropped(self.numbers[0])
            if muted:
                self._muted_at = dropped
            elif self.state is State.OPEN:
                self._passed_by(dropped - self._muted_at)

    def _passed_by(self, packets: int) -> None:
        """Note that so many packets in a row came while RTPProxy was not to hear them."""
        if packets <= _GAP:
            self.aside += packets

    def borrow(self, heard: Heard) -> bool:
        """Give the packets that come to `heard` (and whoever else borrows them) instead of
        RTPProxy, until `give_back`, wherever an SDP says meanwhile that they come from; False:
        that cannot be."""
        if self.state is not State.OPEN or self.source is None:
            return False
        if self._lender.has_lent(heard):
            return True
        return not self._muted and self._lender.borrow(heard, self.source, self._admission)

    def give_back(self, heard: Heard) -> None:
        """Let RTPProxy have the packets again, unless others have borrowed them; harmless for
        who has not."""
        lent = self._lender.has_lent(heard)
        self._lender.give_back(heard)
        if lent and not self._lender.borrowed:
            self._passed_by(self._lender.kept)

    def splice(self, heard: Heard, inside: Address) -> bool:
        """Give the packets that come to `heard`, who passes them on to RTPProxy from `inside`,
        until `unsplice`; False: that cannot be. Who borrows them meanwhile has them instead."""
        if self.state is State.SHUT:
            return False
        lender = self._lender
        if not lender.splice(heard, inside):
            return False
        if self.state is State.OPEN and not lender.lend(self.source, self._admission):
            lender.unsplice()
            return False
        self._apply()
        return True

    def unsplice(self) -> None:
        """Let RTPProxy hear for itself again; harmless when it does."""
        if self._lender.unsplice():
            if self._lender.lends:
                self._lender.lend(self.source, self._admission)
            self._apply()

    def hear_reports(self, heard: Callable[[], None]) -> None:
        """Have `heard` called when RTCP has come (see `reports`), in the place of RTPProxy, who
        is to pass it on; from `guard` on.

        Where packets come from another place than the SDP says, by way of a NAT, RTCP may come
        from any port of that host, and has yet to prove whose it is.
        """
        self._doorway.hear_reports(heard)

    @property
    def hears_reports(self) -> bool:
        """Whether RTCP comes to us."""
        return self._doorway.hears_reports

    def reports(self) -> Packets:
        """Return the RTCP that has come."""
        return self._doorway.reports()

    def is_beside(self, source: Address) -> bool:
        """Say whether RTCP is from the port beside the one that sound comes from, or is to."""
        return source in self._doorway.beside

    def reports_no_more(self) -> None:
        """Let RTPProxy have RTCP again; harmless when it has."""
        self._doorway.reports_no_more()

    @property
    def voice(self) -> int | None:
        """The SSRC that is let in; None: any, or none yet."""
        return self._open_to[1]

    def close(self) -> None:
        """Hear nothing more; before RTPProxy closes its sockets, and `leave` after it."""
        self._lender.forget()
        self._stop()
        self._doorway.shut()
        self.state = State.SHUT
        self._keeper = _NOBODY  # no circle is left behind

    def leave(self) -> None:
        """Close our own sockets, when RTPProxy has closed its."""
        self._doorway.leave()

    def listen_again(self) -> None:
        """The known SSRC is silent while others come: learn it anew, from the same source."""
        if self.state is State.OPEN and self.source is not None:
            self._stop()
            self._learn(self.source)

    def crowded(self) -> bool:
        """Say whether packets were turned away since this was asked last."""
        if self.state is not State.OPEN or self._muted:
            return False
        if self._lender.inside is not None:
            return False  # who is spliced in hears every SSRC
        if self._open_to[1] is None:
            self._looks = (self._looks + 1) % _LOOKS
            if self._looks == 0:
                self.listen_again()  # so far it has only pressed keys
            return False
        before, self._drops = self._drops, kernel.dropped(self.numbers[0])
        return self._drops != before

    # -- learning --------------------------------------------------------------------------------

    def _learn(self, only: Address | None = None) -> None:
        """Listen for who is admitted; `only`: for another SSRC of a source that was heard."""
        self.state = State.LEARNING
        admission = self._admission
        sources = self._awaited = (only,) if only else admission.sources
        listener = self._doorway.listen(self._heard if sources else None)
        self._listener = listener if sources else None
        if self._listener is None:  # better any SSRC than nothing
            self._open(tuple(source for source in sources if source[1] is not None), None)
        elif only is None:
            self._open((), None, sources)

    def _heard(self) -> None:
        if self._listener is None:
            return
        packets, refused = read(self._listener)
        fitting = [one for one in packets if self._fits(*one)]
        if len(fitting) != len(packets) and not self._doorway.sifts:
            self._doorway.sift(self._admission.filter(self._awaited))
        for packet, source in fitting:
            if self.source in (None, source) or source == self._admission.exact:
                self._settle(source, self._admission.voice(packet), fitting)
                return
            if self._candidate is None:
                self._candidate = source, self._admission.voice(packet)
                self._patience = self._loop.call_later(_PATIENCE_S, self._patience_over)
        if refused and refused == self._admission.exact:
            self._refused()

    def _fits(self, packet: bytes, source: Address) -> bool:
        """Whether a packet is what the filter for those awaited lets through."""
        if source not in self._awaited and (source[0], None) not in self._awaited:
            return False
        return self._admission.fits(packet)

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

    def _settle(
        self, source: Address, ssrc: int | None, packets: list[tuple[bytes, Address]]
    ) -> None:
        listener, exact = self._listener, self._admission.exact
        self.state, self.source = State.OPEN, source
        self._open((source,), ssrc)
        self._doorway.ready()
        if listener is not None:
            packets = packets + [one for one in read(listener)[0] if self._fits(*one)]
        self._stop()
        self._doorway.aside()
        if source != self._told:
            self._told = source
            self._keeper.learned(source)
        lender = self._lender
        if lender.lends:
            lender.lend(source, self._admission)
        take = lender.give if lender.lends else self._keeper.overheard
        if lender.lends or not self._muted:
            voice = self._admission.voice
            again = ssrc is not None and ssrc == self._spoke
            for packet, origin in packets:
                if origin == source and (ssrc is None or voice(packet) in (None, ssrc)):
                    take(packet)
                    self.aside += again
        self._spoke = ssrc
        self._drops = kernel.dropped(self.numbers[0])
        if exact is not None and source != exact:
            program = self._admission.filter((exact,))
            self._watcher = self._doorway.open(self._exact_heard, program, exact)

    def _exact_heard(self) -> None:
        """The SDP's own address speaks after all: it wins."""
        packets = read(self._watcher)[0] if self._watcher is not None else []
        if packets:
            packet, source = packets[0]
            self._settle(source, self._admission.voice(packet), packets)

    def _open(
        self, sources: tuple[Source, ...], ssrc: int | None, reports: tuple[Source, ...] = ()
    ) -> None:
        """Let RTPProxy hear these sources, with that SSRC if one is given, and RTCP from the
        ports beside theirs, or beside those of `reports`."""
        self._open_to = sources, ssrc
        self._apply()
        beside = tuple((host, port + 1) for host, port in reports or sources if port is not None)
        at = self.source
        host = at[0] if at and at != self._admission.exact else ""
        self._doorway.let_reports_in(beside, host)

    def _apply(self) -> None:
        sources, ssrc = self._open_to
        shut = self._muted or not sources
        if self._lender.inside is not None:
            sources, ssrc = (self._lender.inside,), None
        if shut:
            self._doorway.let_in()
        else:
            self._doorway.let_in(partial(self._admission.filter, sources, ssrc))

    def _stop(self) -> None:
        if self._watcher is not None:
            self._doorway.close(self._watcher)
        self._listener = self._watcher = None
        self._lender.stop()
        self._forget_candidate()

    def _forget_candidate(self) -> None:
        self._candidate = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
