"""Sockets that RTPProxy owns in this process: found by their port, given filters, counted.

They are spoken to by their numbers alone: a Python socket around one would close it one day.
Linux only; elsewhere nothing is found, and RTPProxy guards its ports by itself.
"""

from __future__ import annotations

import ctypes
import heapq
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator

_SO_ATTACH_FILTER, _SO_MEMINFO = 26, 55
_DROPS = 8
_INSTRUCTION_BYTES = 8
_FRONTIER = 64
_PATIENCE = 8
"""So often a number is looked at in vain before it counts as taken by somebody else."""
_LAST_RESORT = 65536

_libc = ctypes.CDLL(None, use_errno=True)
_value = (ctypes.c_uint32 * 9)()
_value_size = ctypes.c_uint32(0)
_address = ctypes.create_string_buffer(28)


def attach_filter(number: int, program: bytes) -> bool:
    """Put a filter (see `packet_filter`) on a socket instead of the one it has."""
    lines = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // _INSTRUCTION_BYTES, ctypes.addressof(lines))
    done: int = _libc.setsockopt(number, socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog, len(fprog))
    return done == 0


def allow_second_socket(number: int) -> None:
    """Let another socket be bound to the same port."""
    one = struct.pack("@i", 1)
    _libc.setsockopt(number, socket.SOL_SOCKET, socket.SO_REUSEADDR, one, len(one))


def send_from(number: int, data: bytes, address: tuple[str, int]) -> None:
    """Send a datagram from a socket; one that cannot be sent is lost, as on any network."""
    where = struct.pack("=H", socket.AF_INET) + struct.pack("!H", address[1])
    where += socket.inet_aton(address[0]) + bytes(8)
    _libc.sendto(number, data, len(data), socket.MSG_DONTWAIT, where, len(where))


def dropped(number: int) -> int:
    """Return how many packets a socket's filter (or its full buffer) has dropped."""
    _value_size.value = ctypes.sizeof(_value)
    _libc.getsockopt(number, socket.SOL_SOCKET, _SO_MEMINFO, _value, ctypes.byref(_value_size))
    return int(_value[_DROPS])


def _port(number: int) -> int:
    """Return the port of a UDP socket over IPv4, 0 when that is none."""
    _value_size.value = len(_address)
    if _libc.getsockname(number, _address, ctypes.byref(_value_size)) != 0:
        return 0
    family, port = struct.unpack_from("=H", _address)[0], struct.unpack_from("!H", _address, 2)[0]
    if family != socket.AF_INET or not port:
        return 0
    _value_size.value = 4
    _libc.getsockopt(number, socket.SOL_SOCKET, socket.SO_TYPE, _value, ctypes.byref(_value_size))
    return port if _value[0] == socket.SOCK_DGRAM else 0


class Sockets:
    """Finds the numbers of sockets by their ports.

    A new socket gets the lowest number that is free: as a rule one that a socket of an ended
    call had, else one above all of them. Those are tried first, then every number there is.
    """

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._freed: list[int] = []
        self._vain: dict[int, int] = {}
        self._top = 2

    def find(self, ports: Iterable[int]) -> dict[int, int]:
        """Return port → number; without those that were not found."""
        wanted, found = set(ports), dict[int, int]()
        if not sys.platform.startswith("linux"):
            return found
        passed = []
        for number in self._candidates():
            port = _port(number)
            if port in wanted:
                wanted.remove(port)
                found[port] = number
                self._held.add(number)
                self._vain.pop(number, None)
                self._top = max(self._top, number)
                if not wanted:
                    break
            else:
                passed.append(number)
        self._keep(passed)
        return found

    def _candidates(self) -> Iterator[int]:
        while self._freed:
            yield heapq.heappop(self._freed)
        yield from range(self._top + 1, self._top + 1 + _FRONTIER)
        yield from (n for n in range(3, self._highest() + 1) if n not in self._held)

    def _highest(self) -> int:
        try:
            return max(map(int, os.listdir("/proc/self/fd")))
        except (OSError, ValueError):
            return _LAST_RESORT

    def _keep(self, passed: list[int]) -> None:
        """Look again at what was freed and is not closed yet, or somebody else's for a while."""
        for number in passed:
            if number in self._vain:
                self._vain[number] += 1
                if self._vain[number] > _PATIENCE:
                    del self._vain[number]
                else:
                    heapq.heappush(self._freed, number)

    def release(self, numbers: Iterable[int]) -> None:
        """Note that these are about to be closed."""
        for number in numbers:
            if number in self._held:
                self._held.remove(number)
                self._vain[number] = 0
                heapq.heappush(self._freed, number)
