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
"""So often a number that was freed is looked at in vain before it is left to others."""
_FEW = 50
"""So many numbers of others may be looked at each time."""
_LAST_RESORT = 65536

_libc = ctypes.CDLL(None, use_errno=True)
_value = (ctypes.c_uint32 * 9)()
_value_size = ctypes.c_uint32(0)
_value_size_there = ctypes.byref(_value_size)
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
    _libc.getsockopt(number, socket.SOL_SOCKET, _SO_MEMINFO, _value, _value_size_there)
    return int(_value[_DROPS])


def _port(number: int, wanted: set[int]) -> int:
    """Return the port of a UDP socket over IPv4, if it is a wanted one; else 0."""
    _value_size.value = len(_address)
    if _libc.getsockname(number, _address, _value_size_there) != 0:
        return 0
    family, port = struct.unpack_from("=H", _address)[0], struct.unpack_from("!H", _address, 2)[0]
    if port not in wanted or family != socket.AF_INET:
        return 0
    _value_size.value = 4
    _libc.getsockopt(number, socket.SOL_SOCKET, socket.SO_TYPE, _value, _value_size_there)
    return port if _value[0] == socket.SOCK_DGRAM else 0


class Sockets:
    """Finds the numbers of sockets by their ports.

    A new socket gets the lowest number that is free. So of those opened after `lowest_free` was
    asked none has a lower one, but numbers that RTPProxy was just about to close then: these are
    looked at first, then upwards from there, past what is known to be somebody's; in the end,
    which is seldom, every number there is.
    """

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._freed: list[int] = []
        self._vain: dict[int, int] = {}
        """Numbers in `_freed`, and how often they were looked at."""
        self._doubted: set[int] = set()
        self._strange: set[int] = set()
        """Numbers of others' files and connections, as far as they came up: twice."""
        self._top = 2

    def lowest_free(self) -> int:
        """Return the number that the next file or socket of this process would get."""
        if not sys.platform.startswith("linux"):
            return 0
        try:
            number = os.eventfd(0, os.EFD_CLOEXEC)
        except OSError:
            return 0
        os.close(number)
        self._forget(number)
        return number

    def find(self, ports: Iterable[int], lowest: int = 0) -> dict[int, int]:
        """Return port → number; without those that were not found.

        `lowest` is what `lowest_free` was before they were opened.
        """
        wanted, found = set(ports), dict[int, int]()
        if not sys.platform.startswith("linux"):
            return found
        passed = set()
        for number in self._candidates(lowest):
            port = _port(number, wanted)
            if port:
                wanted.remove(port)
                found[port] = number
                self.hold(number)
                self._top = max(self._top, number)
                if not wanted:
                    break
            else:
                passed.add(number)
        self._keep(passed, max(found.values(), default=0))
        return found

    def _candidates(self, lowest: int) -> Iterator[int]:
        held = self._held
        while self._freed:
            number = heapq.heappop(self._freed)
            if number not in held:
                yield number
        known = self._strange if len(self._strange) > _FEW else set[int]()
        for number in range(max(3, lowest), self._top + 1 + _FRONTIER):
            if number not in held and number not in self._vain and number not in known:
                yield number
        yield from (n for n in range(3, self._highest() + 1) if n not in held)

    def _highest(self) -> int:
        try:
            return max(map(int, os.listdir("/proc/self/fd")))
        except (OSError, ValueError):
            return _LAST_RESORT

    def _keep(self, passed: set[int], highest: int) -> None:
        """Look again at what was freed and is not closed yet; what else lies below a number that
        was found has been taken by somebody else before."""
        for number in passed:
            if number not in self._vain:
                if number < highest:  # the first time it may be one of a call just beginning
                    (self._strange if number in self._doubted else self._doubted).add(number)
                continue
            self._vain[number] += 1
            if self._vain[number] > _PATIENCE:
                del self._vain[number]
            else:
                heapq.heappush(self._freed, number)

    def hold(self, number: int) -> None:
        """Note whose a number is: a socket of RTPProxy's, or one of a gate's own."""
        self._held.add(number)
        self._vain.pop(number, None)
        self._forget(number)

    def _forget(self, number: int) -> None:
        self._doubted.discard(number)
        self._strange.discard(number)

    def let_go(self, number: int) -> None:
        """Note that a socket of a gate's own was closed."""
        self._held.discard(number)

    def release(self, numbers: Iterable[int]) -> None:
        """Note that these are about to be closed."""
        for number in numbers:
            if number in self._held:
                self._held.remove(number)
                self._vain[number] = 0
                heapq.heappush(self._freed, number)
