"""What is agreed with one encrypted leg: its keys, by SDES or by DTLS, and the stream it hears.

Loaded by the SRTP process alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from time import monotonic
from typing import Any

from pylibsrtp import Error, Policy, Session

from .one_stream import OneStream

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_OF_DTLS = "AES_CM_128_HMAC_SHA1_80"
PACKET_BYTES = 2048
"""No packet is longer."""
_MOST_PACKET_BYTES = 1400
"""libsrtp's buffer, less what encryption adds."""
_WINDOW = 1024
_EARLY = 4
"""So many datagrams of a handshake are kept that begin before signalling has named the peer."""
_DTLS_FIRST, _DTLS_END = 20, 64
_RTCP_FIRST, _RTCP_END = 192, 224
"""RFC 7983, RFC 5761."""


def _session(suite: str, key: bytes, *, inbound: bool) -> Session:
    """Return a context of RFC 3711. Outbound it refuses an index that was used: two packets under
    one give away what both say (§9.1), and the second one would be taken for a replay anyway."""
    policy = Policy(
        key=key,
        ssrc_type=Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=_PROFILES[suite],
    )
    policy.window_size = _WINDOW
    return Session(policy)


def is_dtls(data: bytes) -> bool:
    """Whether a datagram is DTLS (RFC 7983)."""
    return bool(data) and _DTLS_FIRST <= data[0] < _DTLS_END


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram is RTCP (RFC 5761)."""
    return len(data) > 1 and _RTCP_FIRST <= data[1] < _RTCP_END


class Secured:
    """What was agreed with one leg: its keys, and the stream that it hears."""

    def __init__(self, ssrc: int | None = None) -> None:
        self.stream = OneStream(secrets.randbits(32) if ssrc is None else ssrc)
        self.channel: object = None
        """Who carries its packets."""
        self.send: Callable[[bytes], None] = lambda _: None
        """How a datagram gets to it."""
        self.knows: Callable[[Any], bool] = lambda _: True
        """Whether one from there is its."""
        self.association: Any = None
        self.found = True
        """Whether it is known where it is: nothing is begun before."""
        self.label = ""
        self._rx: Session | None = None
        self._tx: Session | None = None
        self._rx_key = self._tx_key = b""
        self._early: list[tuple[bytes, Any]] = []

    def keys(self, suite: str, rx: bytes, tx: bytes) -> None:
        """Take keys; one that is as before keeps its counters."""
        if rx != self._rx_key:
            self._rx, self._rx_key = _session(suite, rx, inbound=True), rx
        if tx != self._tx_key:
            self._tx, self._tx_key = _session(suite, tx, inbound=False), tx

    def clocked(self, words: dict[str, Any]) -> None:
        self.stream.rates = {int(kind): rate for kind, rate in words["rates"].items()}
        self.stream.events = words["events"]

    def agree(self, dtls: Any, context: Any, words: dict[str, Any]) -> bool:
        """Agree on keys with whom signalling names; False: it was with them already."""
        self.label = words["call"]
        was = self.association
        named = words["fingerprint"], words["active"]
        if was is not None and (was.fingerprint, was.active) == named and not was.failed:
            return False
        self.association = dtls.Association(
            context,
            words["fingerprint"],
            active=words["active"],
            send=lambda datagram: self.send(datagram),
            done=lambda keys: self.keys(_OF_DTLS, keys.receive, keys.send),
            now=monotonic(),
        )
        early, self._early = self._early, []
        if not words["active"] and self.found:
            self.association.step()
        for data, source in early:
            if self.knows(source):
                self.association.receive(data)
        return True

    def take_dtls(self, data: bytes, source: Any) -> None:
        if self.association is None:
            self._early = [*self._early[1 - _EARLY :], (data, source)]
        elif self.knows(source):
            self.association.receive(data)

    def decrypt(self, data: bytes) -> bytes:
        if self._rx is None:
            raise Error("there are no keys")
        return self._rx.unprotect(data)

    def decrypt_rtcp(self, data: bytes) -> bytes:
        if self._rx is None:
            raise Error("there are no keys")
        return self.stream.heard_of(self._rx.unprotect_rtcp(data))

    def encrypt(self, data: bytes) -> bytes:
        if self._tx is None or len(data) > _MOST_PACKET_BYTES:
            raise Error("there are no keys")
        return self._tx.protect(self.stream.pass_on(data, monotonic()))

    def encrypt_rtcp(self, data: bytes) -> bytes:
        told = self.stream.report(data)
        if self._tx is None or not told or len(told) > _MOST_PACKET_BYTES:
            raise Error("there is nothing to be told")
        return self._tx.protect_rtcp(told)
