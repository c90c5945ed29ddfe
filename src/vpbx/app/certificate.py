"""The certificates of the server, for HTTPS and SIP over TLS: which one a client is shown.

    the client names      | it is shown
    ----------------------|------------------------------------------------------------
    (any name)            | --certificate, where it is given; else:
    a company's domain    | the one that --acme got for it; else one of our authority's
    anything else, or none| one of our authority's for this machine's names and addresses

One context serves both listeners and all their life: what changes (a renewed file, a new
company) is taken up by it, and connections that are open go on.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from vpbx.app.authority import Authority
from vpbx.app.datadir import DataDir
from vpbx.app.fault import StartError
from vpbx.config import ServeConfig

__all__ = [
    "Certificate",
    "Identities",
    "acme_file",
    "certificate_of",
    "loaded_context",
    "outside_address",
    "shown_to",
]

log = structlog.get_logger("vpbx.app")

_RENEW_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate file says. Times are aware, UTC."""

    path: Path
    names: tuple[str, ...]
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime

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
            issuer=certificate.issuer.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )

    def covers(self, host: str) -> bool:
        """Whether a client that checks names is content with `host` (one `*` label allowed)."""
        parent = host.partition(".")[2]
        return host in self.names or (bool(parent) and f"*.{parent}" in self.names)

    def holds(self, names: set[str]) -> bool:
        """Whether it is good for all of `names`, and will be for a while."""
        soon = datetime.datetime.now(datetime.UTC) + _RENEW_BEFORE
        return self.not_after > soon and names <= set(self.names)


def certificate_of(config: ServeConfig) -> tuple[Path, Path]:
    """Return the certificate and key files that who names no company is shown."""
    if config.certificate and config.private_key:
        return config.certificate, config.private_key
    tls = DataDir(config.data).tls
    return tls / "certificate.pem", tls / "key.pem"


def acme_file(tls: Path, domain: str) -> Path:
    """Return where the certificate is kept that --acme got for a company."""
    return tls / "acme" / f"{domain}.pem"


def shown_to(config: ServeConfig, domain: str) -> Path:
    """Return the file of the certificate that who names `domain` is shown."""
    tls = DataDir(config.data).tls
    if config.certificate is None and domain:
        acme, own = acme_file(tls, domain), _company_file(tls, domain)
        if acme.exists() or own.exists():
            return acme if acme.exists() else own
    return certificate_of(config)[0]


def fingerprints(config: ServeConfig, domain: str) -> frozenset[str]:
    """Return SHA-256, in hex, of the certificates that clients of a company may be shown."""
    found = set()
    for path in {shown_to(config, domain), shown_to(config, "")}:
        with contextlib.suppress(OSError, ValueError):
            shown = x509.load_pem_x509_certificates(path.read_bytes())[0]
            found.add(shown.fingerprint(hashes.SHA256()).hex())
    return frozenset(found)


def loaded_context(config: ServeConfig) -> ssl.SSLContext:
    """Return the TLS context of the certificate that is there; `StartError` says why not."""
    certificate, key = certificate_of(config)
    try:
        return _context(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"The certificate {certificate} with the key {key} cannot be used: {error}. "
            "Give --certificate and --private-key in PEM that belong together."
        ) from error


def _company_file(tls: Path, domain: str) -> Path:
    return tls / "companies" / f"{domain}.pem"


class Identities:
    """Which certificate a client is shown. `is_company` says whose names are ours."""

    def __init__(
        self, config: ServeConfig, is_company: Callable[[str], bool] = lambda name: False
    ) -> None:
        self._config = config
        self._tls = DataDir(config.data).tls
        self.is_company = is_company
        self._authority: Authority | None = None
        self._companies: dict[str, _Shown] = {}
        if config.certificate is None:
            self._authority = Authority(self._tls)
            self._renew_own()
        self.context = loaded_context(config)
        self._files = _stamp(*certificate_of(config))
        if config.certificate is None:
            self.context.sni_callback = self._choose

    def refresh(self) -> None:
        """Take up certificate files that have changed; a bad one is told once, and not used."""
        if self._config.certificate is None:
            self._renew_own()
        certificate, key = certificate_of(self._config)
        stamp = _stamp(certificate, key)
        if stamp == self._files:
            return
        self._files = stamp
        try:
            _context(certificate, key)  # whether they belong together, before the old one is lost
            self.context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            log.error(
                "the changed certificate cannot be used, the old one stays",
                certificate=str(certificate),
                error=str(error),
            )
        else:
            log.info("the changed certificate is used from now on", certificate=str(certificate))

    def _renew_own(self) -> None:
        self._issue(own_names(self._config.advertise), *certificate_of(self._config))

    def _issue(self, names: tuple[str, ...], path: Path, key: Path | None = None) -> None:
        assert self._authority is not None
        try:
            held = x509.load_pem_x509_certificate(path.read_bytes())
            good = self._authority.signed(held) and Certificate.read(path).holds(set(names))
            if good and (key or path).exists():
                return
        except (OSError, ValueError):
            pass
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._authority.issue(names, path, key)

    def _choose(
        self, connection: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext
    ) -> None:
        """Show a company's own certificate to who names it (RFC 6066 §3)."""
        name = (server_name or "").lower().rstrip(".")
        if not name or not self.is_company(name):
            return
        try:
            connection.context = self._of_company(name)
        except (OSError, ValueError) as error:  # the disk is full, say: the other one must do
            log.error("no certificate for a company", domain=name, error=str(error))

    def _of_company(self, name: str) -> ssl.SSLContext:
        path = acme_file(self._tls, name)
        if not path.exists():
            path = _company_file(self._tls, name)
            if name not in self._companies or self._companies[name].is_old():
                self._issue((name, f"*.{name}"), path)
        shown = self._companies.get(name)
        stamp = _stamp(path, path)
        if shown is None or shown.stamp != stamp:
            until = Certificate.read(path).not_after
            shown = self._companies[name] = _Shown(_context(path, path), stamp, until)
        return shown.context


@dataclass(frozen=True, slots=True)
class _Shown:
    """A company's context, and the file it was read from."""

    context: ssl.SSLContext
    stamp: tuple[object, ...]
    until: datetime.datetime

    def is_old(self) -> bool:
        return self.until - _RENEW_BEFORE < datetime.datetime.now(datetime.UTC)


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _stamp(*files: Path) -> tuple[object, ...]:
    """Return what tells a changed file from what it was."""
    found: list[object] = []
    for file in files:
        try:
            stat = file.stat()
            found += [stat.st_mtime_ns, stat.st_size, stat.st_ino]
        except OSError:
            found.append(None)
    return tuple(found)


def own_names(advertise: str = "") -> tuple[str, ...]:
    """Return the names and addresses that reach this machine, as far as it knows itself."""
    hostname = socket.gethostname()
    names = [hostname, "localhost", "*.localhost", socket.getfqdn(), "127.0.0.1", "::1"]
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
