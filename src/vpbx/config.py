"""Settings of a server: what `vpbx serve` takes, checked, as one frozen value.

Every setting is an option of the command line and, for containers, an environment variable
`VPBX_<OPTION>`; the option wins. A wrong value raises `ConfigError`, whose text names the
option, the value and what is allowed.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["ConfigError", "Endpoint", "PortRange", "ServeConfig", "parse_database"]

DEFAULT_DATA = "./vpbx-data"
DEFAULT_HTTP = "127.0.0.1:8080"
DEFAULT_HTTPS = "0.0.0.0:8443"
DEFAULT_SIP = "0.0.0.0:5060"
DEFAULT_SIP_TLS = "0.0.0.0:5061"
DEFAULT_ACME = "https://acme-v02.api.letsencrypt.org/directory"
DEFAULT_ACME_HTTP = "0.0.0.0:80"
DEFAULT_RTP = "20000-30000"
DEFAULT_WEBRTC = "auto"
DEFAULT_MAKECALLS_PER_EMPLOYEE = 4
DEFAULT_MAKECALLS_PER_SECOND = 10
DEFAULT_SIP_CONNECTIONS = 1000
DEFAULT_CRM_LOG_DAYS = 30
DEFAULT_WITHOUT_QOP = "once"
WITHOUT_QOP = ("off", "once", "reuse")
LOG_LEVELS = ("debug", "info", "warning", "error")
OFF = "off"
MIN_RTP_PORTS = 8
"""Two sides, RTP and RTCP each, for two calls: fewer is surely a slip of the pen."""


class ConfigError(ValueError):
    """A setting that cannot be used. `str()` is a sentence for the administrator."""

    def __init__(self, option: str, message: str) -> None:
        variable = "VPBX_" + option.lstrip("-").replace("-", "_").upper()
        super().__init__(f"{option} (or {variable}): {message}")
        self.option = option


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address to listen on; port 0 takes any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str) -> Endpoint | None:
        """Read `HOST:PORT`, `[IPv6]:PORT` or `:PORT`; `off` is None."""
        text = text.strip()
        if text.lower() == OFF:
            return None
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigError(
                option,
                f"'{text}' is not HOST:PORT with a port from 0 to 65535 "
                "(for example 0.0.0.0:5060 or [::]:5060; port 0 takes any free one; "
                f"'{OFF}' switches it off)",
            )
        return cls(_parse_ip(host.strip("[]") or "0.0.0.0", option, f"of '{text}'"), int(port))  # noqa: S104

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports for sound, both ends included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str, option: str) -> PortRange:
        first, dash, last = text.strip().partition("-")
        if not (dash and first.strip().isdigit() and last.strip().isdigit()):
            raise ConfigError(option, f"'{text}' is not FIRST-LAST (for example {DEFAULT_RTP})")
        ports = cls(int(first), int(last))
        if not 1024 <= ports.first <= ports.last <= 65535:
            raise ConfigError(
                option, f"'{text}' must go upwards and lie within 1024-65535 (like {DEFAULT_RTP})"
            )
        if ports.last - ports.first + 1 < MIN_RTP_PORTS:
            raise ConfigError(
                option,
                f"'{text}' holds fewer than {MIN_RTP_PORTS} ports; a call needs 4",
            )
        return ports

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """All settings of `vpbx serve`, checked."""

    data: Path = Path(DEFAULT_DATA)
    http: Endpoint | None = Endpoint("127.0.0.1", 8080)
    https: Endpoint | None = Endpoint("0.0.0.0", 8443)  # noqa: S104
    sip: Endpoint | None = Endpoint("0.0.0.0", 5060)  # noqa: S104
    sip_tls: Endpoint | None = Endpoint("0.0.0.0", 5061)  # noqa: S104
    rtp: PortRange = PortRange(20000, 30000)
    webrtc_port: int | None = 0
    """UDP port for all browsers; 0: one of `rtp`, None: none."""
    advertise: str = ""
    """Address that the outside sees, when it is not one of the machine's own."""
    public_url: str = ""
    """How links begin that the CRM gets; `{domain}` in it stands for the company's."""
    database: str = ""
    """URL of PostgreSQL; empty: SQLite in the data directory."""
    certificate: Path | None = None
    private_key: Path | None = None
    acme: str = ""
    """E-mail address for the authority that gives public certificates; empty: none are asked."""
    acme_directory: str = DEFAULT_ACME
    """Where that authority's directory is (RFC 8555 §7.1.1)."""
    acme_trust: Path | None = None
    """Certificates to trust that authority by, PEM; None: those of the system."""
    acme_http: Endpoint = Endpoint("0.0.0.0", 80)  # noqa: S104
    """Where its challenges are answered (RFC 8555 §8.3): what the outside reaches as port 80."""
    smtp: str = field(default="", repr=False)
    """URL of the mail server, with its password; empty: no mail is sent."""
    mail_from: str = ""
    """Who letters are from."""
    bridge: Path | None = None
    """File of a bridge to a company's own database, served too; None: none."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-*` headers are believed."""
    allow_private_crm: bool = False
    """Whether companies may send commands, webhooks and registrations to private addresses even
    when there are several; one alone always may."""
    sip_connections: int = DEFAULT_SIP_CONNECTIONS
    """TCP and TLS connections of one address whose phones have not registered (yet)."""
    digest_without_qop: str = DEFAULT_WITHOUT_QOP
    """What to do with phones that know only RFC 2069's digest: `vpbx.sip.WithoutQop`."""
    media: str = ""
    """Control socket of an RTPProxy elsewhere, `udp:HOST:PORT`; empty: in this process."""
    log_level: str = "info"
    log_sip: Path | None = None
    """Where every SIP message is written, as a pcap."""
    makecalls_per_employee: int = DEFAULT_MAKECALLS_PER_EMPLOYEE
    makecalls_per_second: int = DEFAULT_MAKECALLS_PER_SECOND
    """With one API key; 0 for either: no limit."""
    crm_log_days: int = DEFAULT_CRM_LOG_DAYS
    """How long it is kept what was sent to CRMs."""

    def __post_init__(self) -> None:
        if self.sip is None and self.sip_tls is None:
            raise ConfigError("--sip", "--sip and --sip-tls are both off: no call could come in")
        if self.http is None and self.https is None:
            raise ConfigError("--https", "--http and --https are both off: no API would answer")
        if (self.certificate is None) != (self.private_key is None):
            raise ConfigError("--certificate", "--certificate and --private-key go together")
        if self.acme and self.certificate is not None:
            raise ConfigError("--acme", "goes without --certificate: one of them is shown")

    @classmethod
    def parse(
        cls,
        *,
        data: Path = Path(DEFAULT_DATA),
        http: str = DEFAULT_HTTP,
        https: str = DEFAULT_HTTPS,
        sip: str = DEFAULT_SIP,
        sip_tls: str = DEFAULT_SIP_TLS,
        rtp_ports: str = DEFAULT_RTP,
        webrtc_port: str = DEFAULT_WEBRTC,
        advertise: str = "",
        public_url: str = "",
        database: str = "",
        certificate: Path | None = None,
        private_key: Path | None = None,
        acme: str = "",
        acme_directory: str = DEFAULT_ACME,
        acme_trust: Path | None = None,
        acme_http: str = DEFAULT_ACME_HTTP,
        smtp: str = "",
        mail_from: str = "",
        bridge: Path | None = None,
        trusted_proxies: str = "",
        allow_private_crm: bool = False,
        sip_connections: int = DEFAULT_SIP_CONNECTIONS,
        digest_without_qop: str = DEFAULT_WITHOUT_QOP,
        media: str = "",
        log_level: str = "info",
        log_sip: Path | None = None,
        makecalls_per_employee: int = DEFAULT_MAKECALLS_PER_EMPLOYEE,
        makecalls_per_second: int = DEFAULT_MAKECALLS_PER_SECOND,
        crm_log_days: int = DEFAULT_CRM_LOG_DAYS,
    ) -> ServeConfig:
        """Check the texts that the command line or the environment gave."""
        return cls(
            data=data,
            http=_parse_http(http, trusted_proxies),
            https=Endpoint.parse(https, "--https"),
            sip=Endpoint.parse(sip, "--sip"),
            sip_tls=Endpoint.parse(sip_tls, "--sip-tls"),
            rtp=PortRange.parse(rtp_ports, "--rtp-ports"),
            webrtc_port=_parse_webrtc(webrtc_port),
            advertise=_parse_ip(advertise, "--advertise") if advertise else "",
            public_url=_parse_public_url(public_url),
            database=parse_database(database),
            certificate=_parse_file(certificate, "--certificate"),
            private_key=_parse_file(private_key, "--private-key"),
            acme=_parse_email(acme, "--acme") if acme else "",
            acme_directory=_parse_https(acme_directory, "--acme-directory"),
            acme_trust=_parse_file(acme_trust, "--acme-trust"),
            acme_http=_parse_on(acme_http, "--acme-http"),
            smtp=_parse_smtp(smtp, mail_from),
            mail_from=_parse_email(mail_from, "--mail-from") if mail_from else "",
            bridge=_parse_file(bridge, "--bridge"),
            trusted_proxies=_parse_networks(trusted_proxies),
            allow_private_crm=allow_private_crm,
            sip_connections=_parse_count(sip_connections, "--sip-connections", 1, 100_000),
            digest_without_qop=_parse_choice(
                digest_without_qop, "--digest-without-qop", WITHOUT_QOP
            ),
            media=media,
            log_level=parse_log_level(log_level),
            log_sip=log_sip,
            makecalls_per_employee=makecalls_per_employee,
            makecalls_per_second=makecalls_per_second,
            crm_log_days=_parse_count(crm_log_days, "--crm-log-days", 1, 3650),
        )


def _parse_webrtc(text: str) -> int | None:
    if text in ("auto", "off"):
        return 0 if text == "auto" else None
    if text.isascii() and text.isdigit() and 1024 <= int(text[:6]) < 65536:
        return int(text)
    raise ConfigError("--webrtc-port", f"'{text}' is neither a port from 1024 on, auto nor off")


def _parse_email(text: str, option: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise ConfigError(option, f"'{text}' is not an e-mail address")
    return text


def _parse_smtp(url: str, mail_from: str) -> str:
    """Return the URL as it is; what is wrong with it is said without its password."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError("--smtp", "must be smtp[s]://[USER:PASSWORD@]HOST[:PORT]")
    if not mail_from and "@" not in unquote(parts.username or ""):
        raise ConfigError("--mail-from", "is needed with --smtp: the address letters are from")
    return url


def _parse_https(text: str, option: str) -> str:
    if not text.startswith("https://"):
        raise ConfigError(option, f"'{text}' is not an https:// address")
    return text


def _parse_on(text: str, option: str) -> Endpoint:
    found = Endpoint.parse(text, option)
    if found is None:
        raise ConfigError(option, "cannot be off where --acme is given")
    return found


def _parse_count(number: int, option: str, least: int, most: int) -> int:
    if not least <= number <= most:
        raise ConfigError(option, f"{number} is not a number from {least} to {most}")
    return number


def _parse_choice(text: str, option: str, choices: tuple[str, ...]) -> str:
    choice = text.strip().lower()
    if choice not in choices:
        raise ConfigError(option, f"'{text}' is not one of {', '.join(choices)}")
    return choice


def parse_log_level(text: str) -> str:
    """Return the level in small letters."""
    level = text.strip().lower()
    if level not in LOG_LEVELS:
        raise ConfigError("--log-level", f"'{text}' is not one of {', '.join(LOG_LEVELS)}")
    return level


def _parse_http(text: str, trusted_proxies: str) -> Endpoint | None:
    endpoint = Endpoint.parse(text, "--http")
    if endpoint and not endpoint.is_loopback and not trusted_proxies.strip():
        raise ConfigError(
            "--http",
            f"'{text}' would carry keys in clear text to the outside; plain HTTP is for "
            "loopback (127.0.0.1:8080) or behind a TLS proxy named by --trusted-proxies",
        )
    return endpoint


def _parse_ip(text: str, option: str, where: str = "") -> str:
    host = "127.0.0.1" if text.strip().lower() == "localhost" else text.strip()
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        place = f" {where}" if where else ""
        raise ConfigError(
            option, f"'{text}'{place} is not an IP address (like 192.0.2.10, or 0.0.0.0 for all)"
        ) from None


def _parse_public_url(url: str) -> str:
    url = url.strip().rstrip("/")
    if url and not url.startswith(("https://", "http://")):
        raise ConfigError(
            "--public-url",
            f"'{url}' is not a URL (like https://pbx.example or https://{{domain}}:8443)",
        )
    return url


def _parse_networks(text: str) -> tuple[str, ...]:
    networks = []
    for item in text.replace(",", " ").split():
        try:
            networks.append(str(ipaddress.ip_network(item, strict=False)))
        except ValueError:
            raise ConfigError(
                "--trusted-proxies",
                f"'{item}' is not an IP address or network (like 10.0.0.5 or 10.0.0.0/8)",
            ) from None
    return tuple(networks)


def parse_database(url: str) -> str:
    """Return the URL of a database we know; `ConfigError` else."""
    url = url.strip()
    if url and not url.startswith(("postgresql://", "postgres://", "postgresql+asyncpg://")):
        scheme = url.partition("://")[0]
        raise ConfigError(
            "--database",
            f"'{scheme}' is not a database vpbx knows; allowed is "
            "postgresql://USER:PASSWORD@HOST/NAME (without --database: SQLite in --data)",
        )
    return url


def _parse_file(path: Path | None, option: str) -> Path | None:
    if path is not None and not path.is_file():
        raise ConfigError(option, f"there is no file '{path}'")
    return path
