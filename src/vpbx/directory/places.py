"""Where a SIP peer is, as people write it: HOST, HOST:PORT, or a SIP URI."""

from __future__ import annotations

import re
from ipaddress import ip_address

__all__ = ["is_ip", "read_host", "read_place", "split_address", "written"]

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?")
_URI = re.compile(
    r"(?P<scheme>sips?):(?:[^@;?]*@)?(?P<place>[^;?@]+)(?P<parameters>(?:;[^?]*)?)", re.I
)
_TRANSPORTS = ("udp", "tcp", "tls")


def split_address(text: str) -> tuple[str, int]:
    """Return host (IPv6 out of its brackets) and port (0 where none is)."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        host, port = text, "0"
    return host.strip("[]"), int(port)


def written(host: str, port: int) -> str:
    """Return host and port as they stand in a URI; a port of 0 is left out."""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host


def is_ip(text: str) -> bool:
    """Say whether this is an address, not a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def read_host(text: str) -> tuple[str, int]:
    """Read HOST or HOST:PORT; ValueError for anything else. No port: 0."""
    host, port = split_address(text)
    if not 0 <= port < 65_536 or text.endswith(":0"):
        raise ValueError("no port of this number")
    if not is_ip(host) and (not _HOST.fullmatch(host) or host.replace(".", "").isdigit()):
        raise ValueError("no host of this name")
    return host.lower().rstrip("."), port


def read_place(text: str) -> tuple[str, int, str]:
    """Read HOST, HOST:PORT or a SIP URI: host, port (0: none named), transport ("": none named).

    Raises ValueError saying what it must look like.
    """
    try:
        transport = ""
        uri = _URI.fullmatch(text.strip().removeprefix("<").removesuffix(">"))
        if uri is not None:
            for parameter in uri["parameters"].split(";"):
                name, _, value = parameter.partition("=")
                if name.strip().lower() == "transport":
                    transport = value.strip().lower()
            if uri["scheme"].lower() == "sips":
                transport = "tls"
            if transport not in ("", *_TRANSPORTS):
                raise ValueError
            text = uri["place"]
        host, port = read_host(text)
    except ValueError:
        raise ValueError("must be HOST, HOST:PORT or a SIP URI") from None
    return host, port, transport
