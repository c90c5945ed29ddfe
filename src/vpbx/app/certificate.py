"""The server's certificate for HTTPS and SIP over TLS: the administrator's, or our own.

Our own is self-signed, made at the first start and again when it is about to expire or the
machine's names change: enough to encrypt, and to be shown to a browser once.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vpbx.app.datadir import DataDir, write_private
from vpbx.app.fault import StartError
from vpbx.config import ServeConfig

__all__ = ["Certificate", "certificate_of", "loaded_context", "outside_address", "server_context"]

_VALID_FOR = datetime.timedelta(days=3650)
_RENEW_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate file says. Times are aware, UTC."""

    path: Path
    names: tuple[str, ...]
    not_before: datetime.datetime
    not_after: datetime.datetime
    self_signed: bool

    @classmethod
    def read(cls, path: Path) -> Certificate:
        """Read the first certificate of a PEM file; `ValueError` when there is none."""
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        try:
            names = certificate.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            ).value
            found = [str(name.value) for name in names]
        except x509.ExtensionNotFound:
            found = []
        return cls(
            path=path,
            names=tuple(found),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            self_signed=certificate.issuer == certificate.subject,
        )

    def covers(self, host: str) -> bool:
        """Whether a client that checks names is content with `host` (one `*` label allowed)."""
        parent = host.partition(".")[2]
        return host in self.names or (bool(parent) and f"*.{parent}" in self.names)


def certificate_of(config: ServeConfig) -> tuple[Path, Path]:
    """Return the certificate and key files that a server of `config` uses."""
    if config.certificate and config.private_key:
        return config.certificate, config.private_key
    tls = DataDir(config.data).tls
    return tls / "certificate.pem", tls / "key.pem"


def server_context(config: ServeConfig) -> ssl.SSLContext:
    """Return the TLS context of the server, making the self-signed certificate if needed."""
    if config.certificate is None:
        _ensure_self_signed(*certificate_of(config), config.advertise)
    return loaded_context(config)


def loaded_context(config: ServeConfig) -> ssl.SSLContext:
    """Return the TLS context of the certificate that is there; `StartError` says why not."""
    certificate, key = certificate_of(config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"The certificate {certificate} with the key {key} cannot be used: {error}. "
            "Give --certificate and --private-key in PEM that belong together."
        ) from error
    return context


def own_names(advertise: str = "") -> tuple[str, ...]:
    """Return the names and addresses that reach this machine, as far as it knows itself."""
    hostname = socket.gethostname()
    names = ["localhost", "*.localhost", hostname, socket.getfqdn(), "127.0.0.1", "::1"]
    names += [advertise, outside_address()]
    return tuple(dict.fromkeys(name for name in names if name))


def outside_address() -> str:
    """Return the address that packets to the outside would carry; none are sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _ensure_self_signed(certificate: Path, key: Path, advertise: str) -> None:
    names = own_names(advertise)
    try:
        held = Certificate.read(certificate)
        soon = datetime.datetime.now(datetime.UTC) + _RENEW_BEFORE
        if key.exists() and held.not_after > soon and set(names) <= set(held.names):
            return
    except (OSError, ValueError):
        pass
    private_key = ec.generate_private_key(ec.SECP256R1())
    pem = _self_signed(private_key, names).public_bytes(serialization.Encoding.PEM)
    write_private(
        key,
        private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    write_private(certificate, pem)


def _self_signed(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64])])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
