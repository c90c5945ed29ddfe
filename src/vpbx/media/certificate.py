"""The certificate that we show in DTLS handshakes: self-signed, a new one each start.

Nobody trusts it for who has signed it: descriptions name its fingerprint (RFC 5763 §5).
"""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from vpbx.frozen import dataclass

__all__ = ["DtlsCertificate", "make_certificate"]

_LIFE = timedelta(days=3650)
"""Longer than a server runs: peers look at the fingerprint, some at the dates too."""


@dataclass(frozen=True, slots=True)
class DtlsCertificate:
    """Certificate and key as PEM, and the SHA-256 of the certificate as in SDP."""

    certificate: str
    key: str = field(repr=False)
    fingerprint: str


def make_certificate() -> DtlsCertificate:
    """Return a fresh one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vpbx")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    fingerprint = made.fingerprint(SHA256()).hex(":").upper()
    return DtlsCertificate(made.public_bytes(Encoding.PEM).decode(), private.decode(), fingerprint)
