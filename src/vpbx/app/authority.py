"""The server's own certificate authority: what it signs with when it was given no certificate.

Who trusts its one certificate (`vpbx certificate show --ca`) trusts every company's name on
this server, whatever companies come later. Its key never leaves the data directory.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vpbx.app.datadir import write_private

__all__ = ["Authority"]

_VALID_FOR = datetime.timedelta(days=3650)
_LEAF_VALID_FOR = datetime.timedelta(days=365)
"""Clients refuse what holds longer than 825 days, even from an authority they were given."""
_RENEW_BEFORE = datetime.timedelta(days=90)
_BACKDATED = datetime.timedelta(hours=1)
"""Clients whose clock is a little behind are let in too."""
_ORGANISATION = "vpbx"


class Authority:
    """The authority of a data directory, made at first use."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "ca.pem"
        self._key_file = folder / "ca-key.pem"
        self._held, self._key = self._load() or self._make()

    @property
    def pem(self) -> bytes:
        """The certificate that clients must trust, PEM."""
        return self._held.public_bytes(serialization.Encoding.PEM)

    def signed(self, certificate: x509.Certificate) -> bool:
        """Whether a certificate is one of ours."""
        return certificate.issuer == self._held.subject

    def issue(self, names: Iterable[str], path: Path, key_path: Path | None = None) -> None:
        """Write a certificate for names and addresses with its chain; its key into the same
        file, or one of its own.
        """
        wanted = list(names)
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(_name(wanted[0]))
            .issuer_name(self._held.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _LEAF_VALID_FOR)
            .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in wanted]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(_usage(digital_signature=True), True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
            )
            .sign(self._key, hashes.SHA256())
        )
        chain = leaf.public_bytes(serialization.Encoding.PEM) + self.pem
        if key_path is None:
            write_private(path, chain + _private(key))
        else:
            write_private(key_path, _private(key))
            write_private(path, chain)

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        try:
            held = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError):
            return None
        left = held.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or left < _RENEW_BEFORE:
            return None
        return held, key

    def _make(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        # The number tells it from one that this machine had before: clients go by the name.
        serial = x509.random_serial_number()
        name = _name(f"vpbx authority of {socket.gethostname()[:30]} {serial % 0xFFFFFF:06x}")
        held = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _private(key))
        write_private(self.certificate, held.public_bytes(serialization.Encoding.PEM))
        return held, key


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, text[:64]),
        ]
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(**wanted: bool) -> x509.KeyUsage:
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{each: wanted.get(each, False) for each in every})
