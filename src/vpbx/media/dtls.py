"""Keys by DTLS-SRTP (RFC 5764), by OpenSSL: one association, whose packets others carry.

The peer proves by its certificate that it is whom signalling named (RFC 5763 §6.8): nothing is
encrypted or decrypted before the fingerprint fits. Loaded by the SRTP process alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import field

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL

from vpbx.frozen import dataclass

_PROFILE = b"SRTP_AES128_CM_SHA1_80"
_KEY, _SALT = 16, 14
_LABEL = b"EXTRACTOR-dtls_srtp"
_RECORD_HEADER, _DATAGRAM_BYTES = 13, 1200
_READ_BYTES = 65536
_GIVE_UP_S = 30.0
_DTLS_1_2 = 0xFEFD
_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE+AESGCM:ECDHE+AES"


@dataclass(frozen=True, slots=True)
class Keys:
    """Master key and salt of each direction, 30 bytes."""

    receive: bytes = field(repr=False)
    send: bytes = field(repr=False)


def make_context(certificate: bytes, key: bytes) -> SSL.Context:
    """Return what associations are made from: our certificate and key (PEM)."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(load_pem_x509_certificate(certificate))
    context.use_privatekey(load_pem_private_key(key, None))  # type: ignore[arg-type]
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(_PROFILE)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    return context


class Association:
    """One handshake and what comes of it. `send` is given datagrams for the peer, `done` the
    keys (once); `active`: the peer begins."""

    def __init__(
        self,
        context: SSL.Context,
        fingerprint: str,
        *,
        active: bool,
        send: Callable[[bytes], None],
        done: Callable[[Keys], None],
        now: float,
    ) -> None:
        self.fingerprint = fingerprint
        self.active = active
        self.failed = ""
        """Why it came to nothing."""
        self._send, self._done = send, done
        self._until = now + _GIVE_UP_S
        self._finished = False
        self._tls = SSL.Connection(context, None)
        self._tls.set_ciphertext_mtu(_DATAGRAM_BYTES)
        if active:
            self._tls.set_accept_state()
        else:
            self._tls.set_connect_state()

    def step(self) -> None:
        """Go on with the handshake; also to begin it."""
        if self._finished or self.failed:
            return
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.failed = f"DTLS failed: {error}"
        else:
            self._finish()
        self._flush()

    def receive(self, data: bytes) -> None:
        """Take a datagram of the peer's."""
        if self.failed:
            return
        with suppress(SSL.Error):
            self._tls.bio_write(data)
        if not self._finished:
            self.step()
            return
        with suppress(SSL.Error):  # its last flight once more, or an alert: calls end by SIP
            while self._tls.recv(_READ_BYTES):
                pass  # said by no protocol of ours; unread it would be kept
        self._flush()

    def due_s(self, now: float) -> float | None:
        """Return when `retry` is to be called, in seconds from now; None: not any more."""
        if self._finished or self.failed:
            return None
        left: float | None = self._tls.DTLSv1_get_timeout()
        wait_s = self._until - now
        return max(0.0, wait_s if left is None else min(left, wait_s))

    def retry(self, now: float) -> None:
        """Send the last flight again where its time has come (RFC 6347 §4.2.4)."""
        if now >= self._until and not self._finished:
            self.failed = "DTLS failed: no answer"
        elif not self._finished and not self.failed:
            with suppress(SSL.Error):
                self._tls.DTLSv1_handle_timeout()
            self._flush()

    def _finish(self) -> None:
        peer = self._tls.get_peer_certificate()  # of which nothing needs to be read
        seen = peer.digest("sha256").decode() if peer is not None else ""
        if seen != self.fingerprint:
            self.failed = "DTLS failed: the certificate is not the one that signalling named"
            return
        if self._tls.get_selected_srtp_profile() != _PROFILE:
            self.failed = f"DTLS failed: the peer does not take {_PROFILE.decode()}"
            return
        self._finished = True
        made = self._tls.export_keying_material(_LABEL, 2 * (_KEY + _SALT))
        client = made[:_KEY] + made[2 * _KEY : 2 * _KEY + _SALT]
        server = made[_KEY : 2 * _KEY] + made[2 * _KEY + _SALT :]
        self._done(Keys(client, server) if self.active else Keys(server, client))

    def _flush(self) -> None:
        """Send what OpenSSL has written, whole records to a datagram."""
        try:
            written = self._tls.bio_read(_READ_BYTES)
        except SSL.Error:
            return
        datagram = b""
        while len(written) >= _RECORD_HEADER:
            size = _RECORD_HEADER + int.from_bytes(written[11:_RECORD_HEADER], "big")
            record, written = written[:size], written[size:]
            if datagram and len(datagram) + len(record) > _DATAGRAM_BYTES:
                self._send(datagram)
                datagram = b""
            datagram += record
        if datagram:
            self._send(datagram)
