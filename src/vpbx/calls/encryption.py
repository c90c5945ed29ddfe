"""How one leg's packets are protected: what it says of keys, and what it is told of ours.

By SDES (RFC 4568) or DTLS (RFC 5763), for browsers with ICE (RFC 8839). What a description says
of that is a `Wire`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vpbx.frozen import dataclass
from vpbx.media import CNAME, DtlsPeer, SrtpKeys
from vpbx.sip import MediaDescription, Sdp
from vpbx.sip.dtls import PROTOCOLS as DTLS_PROTOCOLS
from vpbx.sip.dtls import DtlsLines, dtls_of
from vpbx.sip.sdes import CryptoLine, fresh_lines, matching, reply_to, usable_lines

__all__ = ["PLAIN", "PLAIN_WIRE", "DtlsWay", "Encryption", "Wire"]

PLAIN = ("RTP/AVP", "RTP/AVPF")
_SECURE = "RTP/SAVP"


@dataclass(frozen=True, slots=True)
class DtlsWay:
    """What one leg is told of our DTLS, and of ICE if it is a browser."""

    fingerprint: str
    name: str = ""
    """What its keys are known by (`DtlsPeer`); a browser's ufrag."""
    password: str = ""
    host: str = ""
    port: int = 0
    """Where browsers send to; 0: it is none."""
    ssrc: int = 0
    """Of the one stream that a browser is sent."""

    def lines(self, setup: str) -> tuple[str, ...]:
        """Return the attributes of a stream that say so."""
        lines = [f"a=setup:{setup}", f"a=fingerprint:sha-256 {self.fingerprint}"]
        if self.port:
            lines += [
                "a=rtcp-mux",
                f"a=ssrc:{self.ssrc} cname:{CNAME}",
                f"a=ice-ufrag:{self.name}",
                f"a=ice-pwd:{self.password}",
                f"a=candidate:1 1 UDP 2130706431 {self.host} {self.port} typ host",
                "a=end-of-candidates",
            ]
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Wire:
    """How packets travel, as a description says it."""

    protocol: str
    keys: tuple[CryptoLine, ...] = ()
    dtls: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    """Attributes of the whole session."""
    relayed: bool = False
    """Whether they pass our relay for SRTP, at a port of its own; with keys they always do."""

    @property
    def through_relay(self) -> bool:
        """Whether packets come to the relay's port."""
        return self.relayed or bool(self.keys)


PLAIN_WIRE = Wire(PLAIN[0])


class Encryption:
    """One leg's half. `relay`: whether packets can pass our relay for SRTP; `dtls_way` makes what
    the leg (a browser?) is told of our DTLS, where there is some."""

    __slots__ = (
        "_dtls",
        "_dtls_way",
        "_keys",
        "_theirs",
        "_way",
        "browser",
        "may_encrypt",
        "on_settled",
        "prefers_dtls",
        "relay",
    )

    def __init__(self, dtls_way: Callable[[bool], DtlsWay] | None, *, relay: bool) -> None:
        self.relay = relay
        self.may_encrypt = False
        """Whether signalling is encrypted, so that keys may be exchanged in it (RFC 4568)."""
        self.browser = False
        """Whether it is a browser, which speaks WebRTC and nothing else."""
        self.prefers_dtls = False
        """Whether to offer keys by DTLS before those by SDES."""
        self.on_settled: Callable[[bool], None] | None = None
        """Hears whether the leg answered with DTLS."""
        self._dtls: DtlsLines | None = None
        """What it says of DTLS, where its packets are encrypted so."""
        self._way: DtlsWay | None = None
        """What we say of it."""
        self._dtls_way = dtls_way
        self._theirs: CryptoLine | None = None
        """The key of what it sends, as long as its packets are encrypted."""
        self._keys: tuple[CryptoLine, ...] = ()
        """Ours: several while an offer waits, then the one that was chosen."""

    def twin(self) -> Encryption:
        """Return a fresh one by the same ways."""
        return Encryption(self._dtls_way, relay=self.relay)

    @property
    def _by_sdes(self) -> bool:
        return self.may_encrypt and self.relay

    @property
    def with_keys(self) -> bool:
        """Whether its packets are encrypted by keys from descriptions, both ways."""
        return self._theirs is not None

    @property
    def ice(self) -> bool:
        """Whether it is found by ICE."""
        return self._dtls is not None and self._dtls.ice

    @property
    def srtp(self) -> SrtpKeys | None:
        """The keys in use."""
        if self._theirs is None:
            return None
        return SrtpKeys(self._theirs.suite, self._theirs.key, self._keys[0].key)

    @property
    def dtls_peer(self) -> DtlsPeer | None:
        """Who is at the other end of DTLS."""
        if self._dtls is None:
            return None
        name = self._find_way().name
        return DtlsPeer(self._dtls.fingerprint, self._dtls.active, name, ice=self._dtls.ice)

    @property
    def port_of_ice(self) -> tuple[str, int] | None:
        """Where a browser's packets come to; None: it is none, they come to a port of the leg."""
        way = self._way
        return (way.host, way.port) if way is not None and way.port else None

    # -- what the leg says -----------------------------------------------------------------------

    def dtls_of(self, sdp: Sdp, media: MediaDescription) -> DtlsLines | None:
        """Return what a stream says of DTLS, where we can follow."""
        if self._dtls_way is None or not (self.may_encrypt or self.browser):
            return None
        lines = dtls_of(sdp, media) if media.protocol in DTLS_PROTOCOLS else None
        # A browser's address is what ICE finds; a phone's is in its description.
        return lines if lines is not None and lines.ice == self.browser else None

    def keys_of(self, media: MediaDescription) -> bool:
        """Say whether a stream has keys by SDES that we can use."""
        return self._by_sdes and bool(usable_lines(media))

    def expect(self, sdp: Sdp, audio: MediaDescription) -> None:
        """Get ready to agree on a stream; MediaError: it cannot be, and nothing has changed."""
        if self.dtls_of(sdp, audio) is not None:
            self._find_way()

    def agree(self, sdp: Sdp, audio: MediaDescription, *, answers: bool) -> None:
        """Take what the leg's stream says, and choose or keep our key for it."""
        lines = usable_lines(audio) if self._by_sdes else ()
        if answers and not self._keys:
            lines = ()  # keys that answer none of ours
        self._theirs = None
        for line in lines:
            ours = matching(self._keys, line)
            self._theirs = line
            self._keys = (reply_to(line, ours),)
            break
        self._dtls = None if self.with_keys else self._same_role(self.dtls_of(sdp, audio))
        if answers and self.on_settled is not None:
            self.on_settled(self._dtls is not None)

    def _same_role(self, lines: DtlsLines | None) -> DtlsLines | None:
        """Keep who begins the handshake where a later description leaves that to us: what was
        agreed on goes on (RFC 8842 §5.3), and another role would mean another handshake."""
        before = self._dtls
        if before is None or lines is None or lines.setup != "actpass":
            return lines
        same = lines.fingerprint == before.fingerprint
        return replace(lines, setup=before.setup) if same else lines

    # -- what it is told -------------------------------------------------------------------------

    def first_offers(self) -> list[Wire]:
        """Return what a first offer may say, the last one to be tried first."""
        wires = [PLAIN_WIRE]
        if not self._by_sdes:
            return wires
        self._keys = self._keys or fresh_lines()
        secure = Wire(_SECURE, self._keys)
        if self._dtls_way is None:
            wires.append(secure)
            return wires
        dtls = self._dtls_wire("actpass", None)
        secure = replace(secure, dtls=dtls.dtls)
        wires += [secure, dtls] if self.prefers_dtls else [dtls, secure]
        return wires

    def later_offer(self, audio: MediaDescription | None) -> Wire | None:
        """Return what an offer says when it is settled how to encrypt; None: it is not yet."""
        if self.browser or self._dtls is not None:
            return self._dtls_wire("actpass", audio)
        return self._agreed(audio.protocol) if audio is not None else None

    def answer(self, audio: MediaDescription | None) -> Wire:
        """Return what an answer says."""
        if self._dtls is not None:
            return self._dtls_wire("passive" if self._dtls.active else "active", audio)
        return self._agreed(audio.protocol if audio is not None else PLAIN[0])

    def settled_for(self, wire: Wire) -> None:
        """Note which of our offers the leg has answered."""
        self._keys = wire.keys

    def _agreed(self, protocol: str) -> Wire:
        return Wire(protocol, self._keys if self.with_keys else ())

    def _dtls_wire(self, setup: str, audio: MediaDescription | None) -> Wire:
        """Say how we do DTLS with this leg; the same for its life."""
        lines, session = self._find_way().lines(setup), ("a=ice-lite",) if self.browser else ()
        first = DTLS_PROTOCOLS[0 if self.browser else 1]
        protocol = audio.protocol if audio is not None else first
        if self._dtls is not None and self._dtls.mid:
            lines = (*lines, f"a=mid:{self._dtls.mid}")
            if self._dtls.bundle:
                session = (*session, f"a=group:BUNDLE {self._dtls.mid}")
        return Wire(protocol, dtls=lines, session=session, relayed=not self.browser)

    def _find_way(self) -> DtlsWay:
        assert self._dtls_way is not None
        if self._way is None:
            self._way = self._dtls_way(self.browser)
        return self._way
