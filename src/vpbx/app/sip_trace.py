"""SIP as it goes over the wire: the last of it in memory, all of it in a file if that is wished.

`vpbx calls trace` shows the messages of one call, also of one that ended a moment ago; `--log-sip`
writes all messages as a pcap, each as a UDP packet of raw IP, whatever it came by. Credentials
and keys are made unreadable in both.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import structlog

from vpbx.app.control import ControlFault, Question
from vpbx.app.fault import StartError
from vpbx.app.outlet import Outlet
from vpbx.frozen import dataclass
from vpbx.sip import Hop

__all__ = ["PcapFile", "SipTrace", "without_credentials"]

_MEMORY_BYTES = 16 * 1024 * 1024
_KEEP_ALIVE_BYTES = 4
"""Two line ends (RFC 5626 §3.5.1)."""
_CALLS = 5000
_LEGS = 100
"""SIP calls of one call of ours."""
_FOLLOWED = 1000
"""Messages that wait for a reader who is slow."""
_AT_ONCE = 300
"""Messages looked at in one turn of the loop."""
_AFTERMATH_S = 1.0
"""For the answers to the last BYE."""
_SECRET = re.compile(
    rb'(?i)((?:[ \t,]|\b)response[ \t]*=[ \t]*"?)([0-9a-f]{16,})|(inline:)([A-Za-z0-9+/=]{8,})'
)
_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$")

log = structlog.get_logger("vpbx.sip")

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One message: `sent` by us to `peer`, or received from there."""

    at: float
    sent: bool
    peer: Hop
    data: bytes

    @property
    def call_id(self) -> str:
        found = _CALL_ID.search(self.data)
        return found[1].decode("utf-8", "replace") if found else ""

    def shown(self, legs: list[str]) -> dict[str, Any]:
        peer = self.peer
        host = f"[{peer.host}]" if ":" in peer.host else peer.host
        return {
            "time": self.at,
            "sent": self.sent,
            "peer": f"{peer.transport}:{host}:{peer.port}",
            "leg": legs.index(self.call_id) + 1 if self.call_id in legs else 0,
            "message": without_credentials(self.data).decode("utf-8", "replace"),
        }


class SipTrace:
    """Sees every SIP message; `is_live(callid)` says whether a call goes on."""

    def __init__(
        self,
        is_live: Callable[[str], bool],
        *,
        to_log: bool = False,
        file: PcapFile | None = None,
    ) -> None:
        self._is_live = is_live
        self._to_log = to_log
        self._file = file
        self._flat: deque[Any] = deque()
        """At, sent, peer and data of each message, oldest first. It is written for every message
        and hardly ever read, and holds tens of thousands: so what makes one up lies side by side,
        and the garbage collector has no object for it to look at."""
        self._bytes = 0
        self._legs: OrderedDict[str, list[str]] = OrderedDict()
        self._followers: set[asyncio.Queue[_Seen]] = set()

    def message(self, sent: bool, data: bytes, peer: Hop) -> None:
        """Take note of a message."""
        if len(data) <= _KEEP_ALIVE_BYTES:
            return
        at = time.time()
        self._flat.extend((at, sent, peer, data))
        self._bytes += len(data)
        if self._bytes > _MEMORY_BYTES:
            self._forget_oldest()
        if self._followers or self._file is not None or self._to_log:
            self._pass_on(_Seen(at, sent, peer, data))

    def _forget_oldest(self) -> None:
        flat = self._flat
        while self._bytes > _MEMORY_BYTES:
            for _ in ("at", "sent", "peer"):
                flat.popleft()
            self._bytes -= len(flat.popleft())

    def _remembered(self) -> Iterator[_Seen]:
        """Return what is in memory now, oldest first."""
        parts = iter(tuple(self._flat))
        return (_Seen(*parts_of_one) for parts_of_one in zip(*[parts] * 4, strict=True))

    def _pass_on(self, seen: _Seen) -> None:
        """Give a message to all who want each as it comes."""
        for follower in self._followers:
            if not follower.full():
                follower.put_nowait(seen)
        if self._file is not None:
            self._file.write(seen.at, seen.sent, seen.peer, without_credentials(seen.data))
        if self._to_log:
            shown = seen.shown([])
            log.debug("sent" if seen.sent else "received", peer=shown["peer"], sip=shown["message"])

    def leg(self, callid: str, call_id: str) -> None:
        """Know that the SIP call `call_id` is part of our call `callid`."""
        legs = self._legs.setdefault(callid, [])
        if call_id not in legs and len(legs) < _LEGS:
            legs.append(call_id)
        if len(self._legs) > _CALLS:
            self._legs.popitem(last=False)

    async def messages(self, callid: str) -> list[dict[str, Any]]:
        """Return the messages of a call that are still in memory, oldest first."""
        legs = self._legs.get(callid, [])
        found = []
        for number, seen in enumerate(self._remembered() if legs else ()):
            if seen.call_id in legs:
                found.append(seen.shown(legs))
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # calls go first
        return found

    async def follow(self, question: Question) -> AsyncIterator[dict[str, Any]]:
        """The verb `trace` (callid): the messages of a call so far, and on until it ends."""
        callid = str(question.get("callid", ""))
        legs = self._legs.get(callid)
        if legs is None:
            raise ControlFault(
                f"nothing is known of a call {callid}: it has not been here since the server "
                "began, or too long ago"
            )
        follower: asyncio.Queue[_Seen] = asyncio.Queue(_FOLLOWED)
        self._followers.add(follower)
        try:
            for seen in self._remembered():
                if seen.call_id in legs:
                    yield seen.shown(legs)
            ended_at: float | None = None
            while ended_at is None or time.monotonic() < ended_at + _AFTERMATH_S:
                if ended_at is None and not self._is_live(callid):
                    ended_at = time.monotonic()
                try:
                    seen = await asyncio.wait_for(follower.get(), 0.2)
                except TimeoutError:
                    continue
                if seen.call_id in legs:
                    yield seen.shown(legs)
        finally:
            self._followers.discard(follower)


class PcapFile:
    """Writes packets to a file of its own, never waiting for the disk.

    `local` tells the address that a peer sees of us. `StartError`: it cannot be written.
    """

    def __init__(self, path: Path, local: Callable[[Hop], Address]) -> None:
        self._local = local
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            is_new = os.fstat(self._descriptor).st_size == 0
        except OSError as error:
            raise StartError(f"--log-sip {path} cannot be written: {error.strerror}.") from error
        self._outlet = Outlet(self._descriptor, lambda _dropped: "")
        if is_new:
            self._outlet.put(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))

    def write(self, at: float, sent: bool, peer: Hop, data: bytes) -> None:
        """Add a message."""
        ours, theirs = self._local(peer), (peer.host, peer.port)
        packet = _packet(*((ours, theirs) if sent else (theirs, ours)), data[:65000])
        seconds, fraction = divmod(at, 1)
        head = struct.pack("<IIII", int(seconds), int(fraction * 1e6), len(packet), len(packet))
        self._outlet.put(head + packet)

    def close(self) -> None:
        """Write what is left."""
        self._outlet.close()
        os.close(self._descriptor)


def without_credentials(message: bytes) -> bytes:
    """Return a SIP message whose digest responses and media keys cannot be read.

    It stays as long as it was, so that what Content-Length says holds.
    """
    return _SECRET.sub(
        lambda found: (found[1] or found[3]) + b"x" * len(found[2] or found[4]), message
    )


def _packet(source: Address, target: Address, data: bytes) -> bytes:
    """Return an IP packet that bears UDP."""
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0) + data
    addresses = [_ip(source[0]), _ip(target[0])]
    if any(isinstance(address, IPv6Address) for address in addresses):
        packed = b"".join(
            address.packed if isinstance(address, IPv6Address) else bytes(12) + address.packed
            for address in addresses
        )
        return struct.pack("!IHBB", 0x60000000, len(udp), socket.IPPROTO_UDP, 64) + packed + udp
    head = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0
    ) + b"".join(address.packed for address in addresses)
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + udp


def _ip(host: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:  # a name
        return IPv4Address("0.0.0.0")  # noqa: S104


def _checksum(head: bytes) -> int:
    total = sum(_words(head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _words(head: bytes) -> Iterator[int]:
    return (word for (word,) in struct.iter_unpack("!H", head))
