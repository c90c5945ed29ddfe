"""Where the server listens: ports taken or refused, the line `ready`, how links begin."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vpbx.app import ports
from vpbx.app.fault import PortTaken, StartError
from vpbx.config import Endpoint, ServeConfig

__all__ = ["Addresses", "link_base", "port_fault", "with_sip_ports"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server listens, with the real ports."""

    sip: Endpoint | None
    sip_tls: Endpoint | None
    http: Endpoint | None
    https: Endpoint | None
    rtp: str

    @classmethod
    def of(cls, config: ServeConfig) -> Addresses:
        return cls(config.sip, config.sip_tls, config.http, config.https, str(config.rtp))

    def __str__(self) -> str:
        """Return what the line `ready` says: only what is on."""
        words = {
            "sip": f"udp:{self.sip},tcp:{self.sip}" if self.sip else "",
            "sip-tls": str(self.sip_tls or ""),
            "http": str(self.http or ""),
            "https": str(self.https or ""),
            "rtp": self.rtp,
        }
        return " ".join(f"{name}={value}" for name, value in words.items() if value)


def with_sip_ports(config: ServeConfig) -> ServeConfig:
    """See that the SIP ports can be had, and put in the real ones where 0 was asked."""
    sip, sip_tls = config.sip, config.sip_tls
    if sip is not None:
        sip = _free_for(sip, ("udp", "tcp"), "--sip")
    if sip_tls is not None:
        sip_tls = _free_for(sip_tls, ("tcp",), "--sip-tls")
    return replace(config, sip=sip, sip_tls=sip_tls)


def _free_for(endpoint: Endpoint, transports: tuple[ports.Transport, ...], option: str) -> Endpoint:
    wanted = endpoint
    if endpoint.port == 0:
        wanted = Endpoint(endpoint.host, ports.free_port(endpoint.host, transports))
    for transport in transports:
        error = ports.why_not(transport, wanted)
        if error is not None:
            raise port_fault(error, transport, wanted, option)
    return wanted


def port_fault(
    error: OSError, transport: ports.Transport, endpoint: Endpoint, option: str
) -> StartError:
    found, remedy = ports.explain(error, transport, endpoint, option)
    kind = PortTaken if ports.in_use(error) else StartError
    return kind(f"{found[0].upper()}{found[1:]}. {remedy}")


def link_base(config: ServeConfig) -> str:
    """How recording links begin: the public URL, else our own port."""
    if config.public_url:
        return config.public_url
    scheme, usual = ("https", 443) if config.https else ("http", 80)
    endpoint = config.https or config.http
    port = f":{endpoint.port}" if endpoint and endpoint.port != usual else ""
    return f"{scheme}://{{domain}}{port}"
