"""STUN as an ICE-lite agent needs it (RFC 8489, RFC 8445 §2.5): checks are answered, none made."""

from __future__ import annotations

import hashlib
import hmac
import socket
import struct
import zlib

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_REQUEST, _SUCCESS = 0x0001, 0x0101
_USERNAME, _INTEGRITY, _XOR_ADDRESS, _USE_CANDIDATE, _FINGERPRINT = (
    0x0006,
    0x0008,
    0x0020,
    0x0025,
    0x8028,
)
_INTEGRITY_BYTES = 20
_FINGERPRINT_XOR = 0x5354554E
_MAX_ATTRIBUTES = 32


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN, by its first bits and the magic cookie (RFC 7983)."""
    return len(data) >= _HEADER.size and data[0] < 4 and data[4:8] == _COOKIE.to_bytes(4, "big")


class Check:
    """A connectivity check: a binding request that names us by our ufrag."""

    __slots__ = ("_data", "_integrity_at", "nominates", "transaction", "ufrag")

    def __init__(
        self, data: bytes, transaction: bytes, ufrag: str, integrity_at: int, nominates: bool
    ) -> None:
        self._data = data
        self._integrity_at = integrity_at
        self.transaction = transaction
        self.ufrag = ufrag
        """Ours: the first half of its USERNAME."""
        self.nominates = nominates
        """Whether it says that this pair is to be used."""

    @staticmethod
    def parse(data: bytes) -> Check | None:
        """Read a check; None for what is none, or not whole."""
        if not is_stun(data):
            return None
        kind, length, _, transaction = _HEADER.unpack_from(data)
        if kind != _REQUEST or length != len(data) - _HEADER.size:
            return None
        ufrag, integrity_at, nominates = "", 0, False
        at = _HEADER.size
        for _ in range(_MAX_ATTRIBUTES):
            if at + _ATTRIBUTE.size > len(data):
                break
            name, size = _ATTRIBUTE.unpack_from(data, at)
            value = data[at + 4 : at + 4 + size]
            if name == _USERNAME:
                ufrag = value.decode("ascii", "replace").partition(":")[0]
            elif name == _USE_CANDIDATE:
                nominates = True
            elif name == _INTEGRITY and len(value) == _INTEGRITY_BYTES:
                integrity_at = at
                break  # what follows it is not protected
            at += 4 + (size + 3) // 4 * 4
        if not ufrag or not integrity_at:
            return None
        return Check(data, transaction, ufrag, integrity_at, nominates)

    def proves(self, password: str) -> bool:
        """Whether its sender knows our password."""
        at = self._integrity_at
        head = self._data[:2] + struct.pack("!H", at + 4 + _INTEGRITY_BYTES - _HEADER.size)
        wanted = hmac.new(password.encode(), head + self._data[4:at], hashlib.sha1).digest()
        return hmac.compare_digest(wanted, self._data[at + 4 : at + 4 + _INTEGRITY_BYTES])

    def answer(self, source: tuple[str, int], password: str) -> bytes:
        """Make the success response: where the check came from, signed."""
        port = source[1] ^ (_COOKIE >> 16)
        address = int.from_bytes(socket.inet_aton(source[0]), "big") ^ _COOKIE
        body = _ATTRIBUTE.pack(_XOR_ADDRESS, 8) + struct.pack("!BBHI", 0, 1, port, address)

        def message(more: int) -> bytes:
            return _HEADER.pack(_SUCCESS, len(body) + more, _COOKIE, self.transaction) + body

        key = password.encode()
        signed = hmac.new(key, message(4 + _INTEGRITY_BYTES), hashlib.sha1).digest()
        body += _ATTRIBUTE.pack(_INTEGRITY, _INTEGRITY_BYTES) + signed
        crc = zlib.crc32(message(8)) ^ _FINGERPRINT_XOR
        body += _ATTRIBUTE.pack(_FINGERPRINT, 4) + struct.pack("!I", crc)
        return message(0)
