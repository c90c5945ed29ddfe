"""One side of a media session: what is known of it, and what its SDP says of its packets."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from typing import Protocol

from .admission import Admission
from .gate import Gate
from .keypad import Keypad
from .listeners import Address
from .model import RtpPeer, Side
from .overhearing import Overhearing
from .player import Player
from .srtp import BrowserChannel, Hearing, SrtpChannel, SrtpRelay
from .wire import NOWHERE, Aimed

__all__ = ["End", "admission_of", "numeric"]


class Spliced(Protocol):
    """A `splice.Splice`, as far as an end is concerned."""

    inside: Address

    def free(self) -> None: ...


class _Aim(Protocol):
    """An `aim.Aim`, as far as an end is concerned."""

    def redirect(self, end: End, source: Address) -> None: ...

    def pass_on(self, end: End, packet: bytes) -> None: ...


@dataclass(slots=True)
class End:
    """What is known of one side; the doorkeeper of its gate."""

    aim: _Aim
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
    untold: Aimed | None = None
    """Its address, while RTPProxy need not know it: nothing is to be heard there."""
    relearn: str = ""
    """The command with it, sent, while the side has not been heard."""
    player: Player | None = None
    """What plays to it, once something was played."""
    keypad: Keypad | None = None
    catcher: Overhearing | None = None
    """Catches its digits while something is played to the other side."""
    splice: Spliced | None = None
    """Who stands in its way, where RTPProxy is told that the side is."""
    channel: SrtpChannel | None = None
    """Where its packets come from and go to when they are encrypted."""
    browser: BrowserChannel | None = None
    """The same when it is a browser."""

    @property
    def told(self) -> Address | None:
        """Where RTPProxy is to send what the side hears."""
        return self.splice.inside if self.splice is not None else self.target

    @property
    def quiet(self) -> bool:
        """Whether it need not speak: it listens to music, or has put the other on hold."""
        if self.player is not None and self.player.plays:
            return True
        return self.peer is not None and not self.peer.listens

    def learned(self, source: Address) -> None:
        """Send to where its packets come from."""
        self.aim.redirect(self, source)

    def overheard(self, packet: bytes) -> None:
        """Pass on a packet that RTPProxy has not seen."""
        self.aim.pass_on(self, packet)

    def channel_of(self, srtp: SrtpRelay) -> SrtpChannel:
        """Return its way for encrypted packets, made when it is first wanted."""
        if self.channel is None:
            self.channel = srtp.open(self.port)
        return self.channel

    def browser_of(self, srtp: SrtpRelay) -> BrowserChannel:
        """Return its way for browsers, made when it is first wanted."""
        if self.browser is None:
            self.browser = srtp.open_browser(self.port)
        return self.browser

    def inner(self, peer: RtpPeer, srtp: SrtpRelay, callid: str) -> tuple[RtpPeer, Address | None]:
        """Return a peer as RTPProxy and the gate are to know it, and its address if it has one:
        our relay's where its packets are encrypted. `callid`: for the log."""
        exact = numeric(peer)
        if peer.srtp is None and peer.dtls is None and not peer.relayed:
            return peer, exact
        host, port = inside = self._let_in(peer, exact, srtp, callid)
        return replace(peer, host=host, port=port, signalled="", behind_nat=False), inside

    def _let_in(
        self, peer: RtpPeer, exact: Address | None, srtp: SrtpRelay, callid: str
    ) -> Address:
        """Have the process for encrypted legs carry a peer's packets; return where RTPProxy
        meets it there."""
        hearing = Hearing(peer.rates, peer.dtmf_payload)
        if peer.dtls is not None and peer.dtls.ice:
            browser = self.browser_of(srtp)
            browser.answered(peer.dtls, hearing, callid)
            return browser.inside
        channel, behind = self.channel_of(srtp), admission_of(peer, exact).behind
        if peer.srtp is not None:
            channel.use(peer.srtp, exact, hearing)
        elif peer.dtls is not None:
            channel.agree(peer.dtls, exact, behind, hearing, callid)
        else:
            channel.pass_plain(exact, behind)
        return channel.inside

    def close(self) -> None:
        """Let go of all that is its own but the gate."""
        if self.player is not None:
            self.player.done()
        if self.keypad is not None:
            self.keypad.close()
        for channel in (self.channel, self.browser):
            if channel is not None:
                channel.close()
        if self.splice is not None:
            self.splice.free()


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
        behind=peer.signalled if peer.behind_nat or exact is None else "",
        fallback=peer.signalled if exact is not None and exact[0] == peer.signalled else "",
    )
