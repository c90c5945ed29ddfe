"""Ports of this machine: is one free, and if not, who has it?"""

from __future__ import annotations

import errno
import os
import random
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vpbx.config import Endpoint

__all__ = ["Transport", "explain", "free_port", "holder_of", "in_use", "why_not"]

Transport = Literal["udp", "tcp"]

_LISTENING = {"tcp": "0A", "udp": "07"}
_PROC = Path("/proc")
_HIGHEST = 65_535
_ROOM = 1_000


def why_not(transport: Transport, endpoint: Endpoint) -> OSError | None:
    """Try to listen on `endpoint`; return what stands against it, or None."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as probe:
        try:
            if transport == "tcp":  # like asyncio: lingering connections do not count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((endpoint.host, endpoint.port))
            if transport == "tcp":
                probe.listen(1)
        except OSError as error:
            return error
    return None


def free_port(host: str, transports: Sequence[Transport], first: int = 0) -> int:
    """Return a port of `host` that is free for all `transports`: any, or the next from `first`."""
    while True:
        port = first or _any_port(host)
        if all(why_not(transport, Endpoint(host, port)) is None for transport in transports):
            return port
        first = first and first + 1


def _any_port(host: str) -> int:
    """Return a port that no connection going out will be given before we listen on it.

    Those come from `ip_local_port_range`; above it there is usually room.
    """
    try:
        highest = int((_PROC / "sys/net/ipv4/ip_local_port_range").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        highest = _HIGHEST
    if _HIGHEST - highest >= _ROOM:
        return random.randint(highest + 1, _HIGHEST)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def in_use(error: OSError) -> bool:
    """Whether `why_not` failed because another socket is there."""
    return error.errno == errno.EADDRINUSE


def holder_of(transport: Transport, port: int) -> tuple[int, str] | None:
    """Return process id and name of who listens on `port`; None when the kernel hides it."""
    inodes = _inodes_of(transport, port)
    if not inodes:
        return None
    for process in _PROC.iterdir():
        if process.name.isdigit() and _has_open(process, inodes):
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                name = "unknown"
            return int(process.name), name
    return None


def explain(
    error: OSError, transport: Transport, endpoint: Endpoint, option: str
) -> tuple[str, str]:
    """Say what stands against listening on `endpoint`, and how to mend it."""
    port = endpoint.port
    if in_use(error):
        holder = holder_of(transport, port)
        who = f"{holder[1]} (process {holder[0]})" if holder else "another program"
        remedy = f"Stop it, or choose another port with {option} HOST:PORT."
        return f"{transport.upper()} port {port} is in use by {who}", remedy
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"{endpoint.host} is not an address of this machine",
            f"Use one of its own, or 0.0.0.0 for all, in {option}.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"this user may not listen on {transport.upper()} port {port}",
            f"Choose a port above 1023 with {option}, or grant CAP_NET_BIND_SERVICE.",
        )
    return f"{endpoint} cannot be listened on: {error.strerror}", f"Choose another with {option}."


def _inodes_of(transport: Transport, port: int) -> set[str]:
    inodes = set()
    for table in (transport, f"{transport}6"):
        try:
            lines = (_PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local_port = int(fields[1].rpartition(":")[2], 16)
            if local_port == port and fields[3] == _LISTENING[transport]:
                inodes.add(fields[9])
    return inodes


def _has_open(process: Path, inodes: set[str]) -> bool:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
        except OSError:
            continue
        if found and found[1] in inodes:
            return True
    return False
