"""Ports for tests: nobody else's, in this process, in another worker, or in another checkout.

Below the ports that the kernel hands out by itself (32768 and up) the machine's test processes
divide 10000-32399 into regions. A process takes one with a lock on a file, which the kernel drops
when the process ends; single ports and ranges for sound come from it.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["free_port", "free_range", "rtp_ports"]

_FIRST, _REGION, _REGIONS = 10_000, 2_800, 8
_SINGLE = 1_200
"""Of a region: for `free_port`; the rest is for `free_range`."""
_WIDE = 100
_HELD: list[int] = []
"""Open lock files."""
_next: dict[str, int] = {}


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free with the next, for UDP and TCP.

    It is another each time, until hundreds were given: servers that live through many tests
    know carriers by their port.
    """
    low, _ = _region()
    place = _next.setdefault("single", random.randrange(0, _SINGLE, 2))
    while True:
        place = (place + 2) % _SINGLE
        _next["single"] = place
        port = low + place
        if all(
            _is_free(kind, one)
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
            for one in (port, port + 1)
        ):
            return port


def free_range(count: int = 400) -> tuple[int, int]:
    """Return the first port, and the one after the last, of `count` UDP ports.

    A few ports of a wide range may be taken: a media engine steps over them. A narrow one is
    free throughout.
    """
    low, high = _region()
    may_be_taken = count // 10 if count >= _WIDE else 0
    # In turn, so that ranges which are still in use, though not every port of them, are spared.
    for _ in range(2 * _REGION):
        first = _next.setdefault("range", low + _SINGLE)
        if first + count > high:
            first = low + _SINGLE
        taken = sum(not _is_free(socket.SOCK_DGRAM, first + place) for place in range(count))
        _next["range"] = first + (count if taken <= may_be_taken else 2)
        if taken <= may_be_taken:
            return first, first + count
    raise RuntimeError(f"no {count} UDP ports are free in {low}-{high}")


def rtp_ports(count: int = 400) -> str:
    """Return `free_range` as `--rtp-ports` takes it."""
    first, end = free_range(count)
    return f"{first}-{end - 1}"


@cache
def _region() -> tuple[int, int]:
    """Take a region for as long as this process lives; by chance when there is none left."""
    folder = Path(tempfile.gettempdir()) / "vpbx-test-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    numbers = list(range(_REGIONS))
    random.shuffle(numbers)
    for number in numbers:
        lock = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            _HELD.append(lock)
            break
    low = _FIRST + number * _REGION
    return low, low + _REGION


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
