"""How long the server takes, seen from outside: timestamps of packets on loopback.

Run as a program (root): `python -m bench.wire SIP_PORT CARRIER_PORT PHONES_PORT CRM_PORT`
captures until end of input and prints the delays as JSON, in milliseconds.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import sys
from collections import defaultdict, deque

ETH_P_IP = 0x0800
SO_TIMESTAMPNS = 35
PACKET_HOST = 0
INVITE_USER = re.compile(rb"^INVITE sips?:([^@;>\s]+)@")
FROM_USER = re.compile(rb"\r\n(?:From|f):[^\r]*?<?sips?:([^@;>]+)@", re.IGNORECASE)
CALL_ID = re.compile(rb"\r\n(?:Call-ID|i): *([^\r]+)", re.IGNORECASE)
POSTED_PHONE = re.compile(rb"\bphone=([^&]+)")

Delays = dict[str, list[float]]


class Delay:
    """Pairs what comes in with what goes out for the same name, in order."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, deque[float]] = defaultdict(deque)
        self.milliseconds: list[float] = []

    def begins(self, name: bytes, at: float) -> None:
        self._waiting[name].append(at)

    def ends(self, name: bytes, at: float) -> None:
        if self._waiting[name]:
            self.milliseconds.append((at - self._waiting[name].popleft()) * 1000)


class Observer:
    """Reads packets of one server's SIP and of its CRM."""

    def __init__(self, sip: int, carrier: int, phones: int, crm: int) -> None:
        self.sip, self.carrier, self.phones, self.crm = sip, carrier, phones, crm
        self.invite, self.accepted, self.incoming = Delay(), Delay(), Delay()
        self._seen: set[bytes] = set()

    def udp(self, at: float, source: int, target: int, data: bytes) -> None:
        """Take one datagram."""
        if target == self.sip and source == self.carrier and self._new_invite(data, b"in"):
            if user := INVITE_USER.match(data):
                self.invite.begins(user[1], at)
        elif source == self.sip and target == self.phones and self._new_invite(data, b"out"):
            if user := INVITE_USER.match(data):
                self.invite.ends(user[1], at)
        elif source == self.phones and target == self.sip and data.startswith(b"SIP/2.0 "):
            self._phone_says(at, data)

    def _new_invite(self, data: bytes, way: bytes) -> bool:
        if not data.startswith(b"INVITE"):
            return False
        found = CALL_ID.search(data)
        key = way + (found[1] if found else b"")
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _phone_says(self, at: float, data: bytes) -> None:
        caller = FROM_USER.search(data)
        if caller is None or b" INVITE\r\n" not in data:
            return
        if data.startswith(b"SIP/2.0 180"):
            self.incoming.begins(caller[1], at)
        elif data.startswith(b"SIP/2.0 200"):
            self.accepted.begins(caller[1], at)

    def tcp(self, at: float, target: int, data: bytes) -> None:
        """Take one segment towards the CRM."""
        if target != self.crm:
            return
        for body in data.split(b"cmd=event")[1:]:
            caller = POSTED_PHONE.search(body)
            if caller is None:
                continue
            if b"type=INCOMING" in body:
                self.incoming.ends(caller[1], at)
            elif b"type=ACCEPTED" in body:
                self.accepted.ends(caller[1], at)

    def report(self) -> Delays:
        """Return all delays, in milliseconds."""
        return {
            "invite": self.invite.milliseconds,
            "ringing_to_crm": self.incoming.milliseconds,
            "answer_to_crm": self.accepted.milliseconds,
        }


def observe(observer: Observer) -> None:
    """Capture until standard input ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        tap.bind(("lo", ETH_P_IP))
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([tap, sys.stdin], [], [])
            if sys.stdin in readable and not sys.stdin.readline():
                return
            if tap in readable:
                _take(tap, observer)


def _take(tap: socket.socket, observer: Observer) -> None:
    packet, ancillary, _, address = tap.recvmsg(65535, 64)
    if address[2] != PACKET_HOST:
        return  # loopback shows every packet twice: going out and coming in
    seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
    at = seconds + nanoseconds / 1e9
    start = (packet[0] & 15) * 4
    source, target = struct.unpack_from("!HH", packet, start)
    if packet[9] == socket.IPPROTO_UDP:
        observer.udp(at, source, target, packet[start + 8 :])
    elif packet[9] == socket.IPPROTO_TCP:
        observer.tcp(at, target, packet[start + (packet[start + 12] >> 4) * 4 :])


if __name__ == "__main__":
    watcher = Observer(*(int(word) for word in sys.argv[1:5]))
    observe(watcher)
    print(json.dumps(watcher.report()))
