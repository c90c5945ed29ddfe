"""Sockets that RTPProxy owns in this process: found by their port, given filters, counted.

They are spoken to by their numbers alone: a Python socket around one would close it one day.
Linux only; elsewhere nothing is found, and RTPProxy guards its ports by itself.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

_SO_ATTACH_FILTER, _SO_MEMINFO = 26, 55
_DROPS = 8
_INSTRUCTION_BYTES = 8
_FRONTIER = 64
_A_CALL = 4
"""So many sockets a call has: RTP and RTCP for each of two sides."""
_LIKELY = 3 * _A_CALL
"""So many of the lowest free numbers are looked at before those that are closed late: four of
five sockets are there."""
_MANY = 64
"""So many calls may be about to have their sockets opened before the oldest is given up."""
_ENOUGH = 20
"""So often a number is looked at in vain before it is one of a file that stays open."""
_PATIENCE = 3
"""So many calls begin until a number that was to be closed is closed for sure."""
_BESIDE = (1, 2, 3)
_LAST_RESORT = 65536
_MOST_MET = 4096

_ONE = struct.pack("@i", 1)
_LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True)
_value = (ctypes.c_uint32 * 9)()
_value_size = ctypes.c_uint32(0)
_value_size_there = ctypes.byref(_value_size)
_address = ctypes.create_string_buffer(28)
_address_size = ctypes.c_uint32(0)
_address_size_there = ctypes.byref(_address_size)
_name = ctypes.c_uint32.from_buffer(_address)
"""Family and port, as they stand first in `_address`."""


def attach_filter(number: int, program: bytes) -> bool:
    """Put a filter (see `packet_filter`) on a socket instead of the one it has."""
    _, fprog = _program(program)
    done: int = _libc.setsockopt(number, socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog, len(fprog))
    return done == 0


@lru_cache(256)
def _program(program: bytes) -> tuple[object, bytes]:
    """Return a `struct sock_fprog`, and before it what it points to."""
    lines = ctypes.create_string_buffer(program, len(program))
    there = ctypes.addressof(lines)
    return lines, struct.pack("@HP", len(program) // _INSTRUCTION_BYTES, there)


def allow_second_socket(number: int) -> None:
    """Let another socket be bound to the same port."""
    _libc.setsockopt(number, socket.SOL_SOCKET, socket.SO_REUSEADDR, _ONE, len(_ONE))


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


@lru_cache(1 << 15)
def _named(port: int) -> int:
    """Return how the name of a socket over IPv4 at that port begins."""
    begins = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port)
    return int.from_bytes(begins, sys.byteorder)


def _name_of(number: int) -> int:
    """Return how the name of a socket begins; 0 where there is none."""
    _address_size.value = len(_address)
    if _libc.getsockname(number, _address, _address_size_there) != 0:
        return 0
    return _name.value


def _is_udp(number: int) -> bool:
    _value_size.value = 4
    _libc.getsockopt(number, socket.SOL_SOCKET, socket.SO_TYPE, _value, _value_size_there)
    return bool(_value[0] == socket.SOCK_DGRAM)


def _lowest_free(many: int, at_least: int = 0) -> list[int]:
    """Return the lowest numbers of files that are free, from `at_least` on."""
    numbers: list[int] = []
    try:
        probe = os.eventfd(0, os.EFD_CLOEXEC)
    except OSError:
        return numbers  # no more files may be opened
    if probe >= at_least:
        numbers.append(probe)
        at_least = probe + 1
    try:
        while len(numbers) < many:
            numbers.append(fcntl.fcntl(probe, fcntl.F_DUPFD_CLOEXEC, at_least))
            at_least = numbers[-1] + 1
            os.close(numbers[-1])
    except OSError:
        pass
    os.close(probe)
    return numbers


class Sockets:
    """Finds the numbers of sockets by their ports.

    A new socket gets the lowest number that is free. So what RTPProxy opens is at one of the
    numbers that were the lowest free ones before (`free`), or at a lower one that was closed
    meanwhile: as a rule one of its own, for it closes an ended call's sockets late, as it opens
    those of the next one. All other numbers are looked at only when that was not enough.

    Calls that begin at once are told of the same numbers; so each is told of as many more as
    those before it will have taken. And who looks for its own meets those of the others, and
    leaves word: so a number is looked at once by all of them together, and not once by each.
    """

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._late: dict[int, int] = {}
        """Numbers that are closed about now, and how many calls have begun since."""
        self._strange: dict[int, int] = {}
        """How often other numbers were looked at in vain."""
        self._top = 2
        self._opening: deque[list[int]] = deque(maxlen=_MANY)
        """What was told by `free` and not used by `find` yet."""
        self._met: dict[int, int] = {}
        """Where sockets of others were met, by how their names begin; perhaps so no more."""

    def free(self) -> list[int]:
        """Return the numbers that files opened next will get, the lowest first."""
        if not _LINUX:
            return []
        before = self._opening[-1] if self._opening else []
        numbers = {number for number in before if number not in self._held}
        seen = _lowest_free(_A_CALL)
        numbers.update(seen)
        if seen and self._opening:
            wanted = 2 * _A_CALL + _A_CALL * len(self._opening)
            more = _lowest_free(max(_A_CALL, wanted - len(numbers)), max(numbers) + 1)
            numbers.update(more)
            seen += more
        for number in seen:
            self._late.pop(number, None)
            self._strange.pop(number, None)
        told = sorted(numbers)
        self._opening.append(told)
        return told

    def give_up(self, free: Sequence[int]) -> None:
        """Note that nothing was opened of what `free` told of."""
        for place, told in enumerate(self._opening):
            if told is free:
                del self._opening[place]
                return

    def find(self, ports: Iterable[int], free: Sequence[int] = ()) -> dict[int, int]:
        """Return port → number; without those that were not found.

        `free` is what was free before they were opened.
        """
        self.give_up(free)
        wanted, found = {_named(port): port for port in ports}, dict[int, int]()
        if not _LINUX:
            return found
        met = self._met
        for name in tuple(wanted):
            if self._has(met.get(name, -1), name):
                self._take(met[name], wanted.pop(name), found)
        if wanted:
            self._search(wanted, free, found)
        self._late = {n: calls + 1 for n, calls in self._late.items() if calls < _PATIENCE}
        return found

    def _search(self, wanted: dict[int, int], free: Sequence[int], found: dict[int, int]) -> None:
        """Look at one number after the other until all that is `wanted` is found."""
        for number in self._candidates(free):
            name = _name_of(number)
            if name in wanted and _is_udp(number):
                self._take(number, wanted.pop(name), found)
                if not wanted:
                    break
                continue
            if name:
                self._met[name] = number
        if len(self._met) > _MOST_MET:
            self._met.clear()

    def _has(self, number: int, name: int) -> bool:
        """Say whether that is still a socket of that name, and nobody's yet."""
        free = number >= 0 and number not in self._held
        return free and _name_of(number) == name and _is_udp(number)

    def _take(self, number: int, port: int, found: dict[int, int]) -> None:
        self._met.pop(_named(port), None)
        found[port] = number
        self.hold(number)
        self._top = max(self._top, number)

    def _candidates(self, free: Sequence[int]) -> Iterator[int]:
        held, late, strange = self._held, self._late, self._strange
        likely = [number for number in free if number not in held]
        yield from likely[:_LIKELY]
        ended = sorted(late, key=lambda number: (late[number], number))
        yield from ended
        # Beside them is what else a call has open, the file with its recording; and beside the
        # lowest free numbers are others.
        beside = (number + step for number in (*likely[-1:], *ended) for step in _BESIDE)
        yield from dict.fromkeys(n for n in beside if n not in held and n not in late)
        yield from likely[_LIKELY:]
        for number in range(3, self._top + 1 + _FRONTIER):
            if number not in held and number not in late and strange.get(number, 0) < _ENOUGH:
                strange[number] = strange.get(number, 0) + 1
                yield number
        yield from (n for n in self._open() if n not in held)

    def lingering(self, many: int) -> list[tuple[int, int]]:
        """Return numbers and ports of some sockets that RTPProxy should have closed by now."""
        found: list[tuple[int, int]] = []
        for number in self._late:
            if _name_of(number) & 0xFFFF == socket.AF_INET and _is_udp(number):
                found.append((number, int.from_bytes(_address.raw[2:4], "big")))
            if len(found) == many:
                break
        return found

    def _open(self) -> Sequence[int]:
        try:
            return sorted(map(int, os.listdir("/proc/self/fd")))
        except (OSError, ValueError):
            return range(3, _LAST_RESORT)

    def hold(self, number: int) -> None:
        """Note whose a number is: a socket of RTPProxy's, or one of a gate's own."""
        self._held.add(number)
        self._late.pop(number, None)
        self._strange.pop(number, None)

    def release(self, numbers: Iterable[int]) -> None:
        """Note that these are closed now, or as soon as RTPProxy comes to it."""
        for number in numbers:
            if number in self._held:
                self._held.remove(number)
                self._late[number] = 0

    def closed(self, number: int) -> None:
        """Note that one of a gate's own is closed."""
        self._held.discard(number)
