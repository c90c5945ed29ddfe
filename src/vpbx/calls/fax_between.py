"""T.38 that the two ends of a call speak with each other: a fax machine behind an adapter.

    asked   one of them wants it in the place of sound; the other one is offered the same
    joined  both speak it, and what they send is passed on past the sound engine
    over    one of them wants sound again, or has gone

Each is told the other's own words about T.38, with an address of ours. Who asked is refused when
the other one does not want it, and the machines go on in sound (ITU-T T.38 Annex D).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from vpbx.calls import t38
from vpbx.calls.leg import Leg
from vpbx.media import MediaError, PacketPeer, PacketRelay

__all__ = ["FaxBetween", "may_be_sent", "wants_fax"]


def wants_fax(leg: Leg, other: Leg | None, offer: str, host: str) -> bool:
    """Say whether an offer in the middle of a call is of T.38 alone, that `other` may speak too.
    `host`: our address for it.

    Where sound is encrypted T.38 is not spoken: it would not be.
    """
    if other is None or other.ended or not other.session.answered:
        return False
    plain = not any(_encrypted(each) for each in (leg, other))
    return plain and t38.is_alone(offer) and _peer(leg, offer, host) is not None


def may_be_sent(host: str, signalled: str, own: str) -> bool:
    """Say whether what the other end says may go to a host that a leg names, whose signalling
    comes from `signalled`; `own` is this machine's.

    What is passed on may be anything at all, and comes from this machine: so it goes to no group,
    and only who is on this machine may have it sent to what else listens there.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_multicast or address.is_unspecified:
        return False
    return host == signalled or not (address.is_loopback or host == own)


def _peer(leg: Leg, text: str | None, host: str) -> PacketPeer | None:
    """Return who speaks T.38 by a leg's description, where we can and may."""
    peer = t38.peer_of(text)
    if peer is None:
        return None
    source = leg.sound.source
    signalled, behind_nat = source(peer.host) if source is not None else ("", False)
    if not may_be_sent(peer.host, signalled, host):
        return None
    return replace(peer, behind=signalled if behind_nat else "")


def _encrypted(leg: Leg) -> bool:
    peer = leg.sound.peer
    return peer is None or peer.srtp is not None or peer.dtls is not None


class FaxBetween:
    """One change from sound to T.38, from who asked for it to its end."""

    def __init__(self, relay: PacketRelay, host: str, by: Leg, other: Leg, offer: str) -> None:
        self._relay = relay
        self._host = host
        self._by = by
        self._other = other
        self._said = {by: offer}
        """How each has described its T.38 last."""
        self.joined = False
        self.silent = False
        """Whether the other one has said 200, so that it speaks no more, with T.38 or without."""
        self.over = False
        """Whether it has come to nothing: no T.38 in the answer, or who asked has taken it back
        (CANCEL) meanwhile."""
        other.session.reinvite(self._offer())

    def takes(self, leg: Leg, offer: str) -> bool:
        """Answer a later offer of T.38: a refresh, another address; False: it is of sound, or of
        somebody else."""
        if leg not in (self._by, self._other):
            return False
        if not t38.is_alone(offer) or _peer(leg, offer, self._host) is None:
            return False
        if self.joined:
            self._said[leg] = offer
            self._admit(leg)
            self._answer(leg)
        else:
            leg.session.refuse(491)  # both ask at once
        return True

    def answered(self, leg: Leg, code: int, answer: str | None) -> bool:
        """Take the answer to our offer; False: it is none. A stream refused in a 200 leaves no
        sound either (RFC 3264 §6): it is to be offered again."""
        if self.joined or leg is not self._other:
            return False
        self.silent = 200 <= code < 300
        self.joined = self.silent and self._admit_both(answer or "")
        self.over = not (self.joined and self._by.session.is_asked)
        if self.joined:
            self._answer(self._by)
        return True

    def _admit_both(self, answer: str) -> bool:
        if _peer(self._other, answer, self._host) is None:
            return False
        self._said[self._other] = answer
        try:
            self._admit(self._other)
            self._admit(self._by)
        except MediaError:
            return False
        return True

    def end(self) -> None:
        """Pass nothing on any more; who still waits for an answer is refused."""
        if not self.joined:
            self._by.session.refuse(488)
        self._relay.close()

    def _offer(self) -> str:
        other = self._other
        before, origin = other.session.local_sdp, other.sound.origin()
        return t38.offer(before, origin, *self._address(other), like=self._said[self._by])

    def _answer(self, leg: Leg) -> None:
        opposite = self._other if leg is self._by else self._by
        like, origin = self._said[opposite], leg.sound.origin()
        leg.session.answer(t38.answer(self._said[leg], origin, *self._address(leg), like=like))

    def _address(self, leg: Leg) -> tuple[str, int]:
        return self._host, self._relay.port(leg.side)

    def _admit(self, leg: Leg) -> None:
        peer = _peer(leg, self._said[leg], self._host)
        assert peer is not None
        self._relay.admit(leg.side, peer)
