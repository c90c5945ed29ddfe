"""The attacker of `make bench attack`, in a process of its own: bounded in time, on loopback.

`python -m bench.flood KIND PORT SECONDS` sends to 127.0.0.1 and prints how much it sent.
Sources are addresses of 127/8 other than 127.0.0.1, as forged ones would be.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import resource
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator

from bench import flood_http

RATE = 10_000
"""Messages a second of the floods of small ones."""
_ESCAPES = 'Contact: "' + '\\"' * 30_000 + '" <sip:a@b>\r\n'
_PARAMETERS = "Contact: <sip:a@b>" + ";a=b" * 15_000 + "\r\n"


def message(method: str, more: str = "", transport: str = "UDP") -> bytes:
    """A fair request of a stranger, new each time."""
    name = os.urandom(6).hex()
    return (
        f"{method} sip:7{random.randrange(10**6)}@bench.example SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} 127.9.9.9:5;branch=z9hG4bK{name};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:e{name}@bench.example>;tag=1\r\nTo: <sip:e{name}@bench.example>\r\n"
        f"Call-ID: {name}\r\nCSeq: 1 {method}\r\nContact: <sip:a@127.9.9.9>\r\n{more}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def forged() -> bytes:
    """A REGISTER with credentials that are made up."""
    return message(
        "REGISTER",
        'Authorization: Digest username="e1", realm="bench.example", '
        f'nonce="{os.urandom(14).hex()}", uri="sip:bench.example", response="{"0" * 32}", '
        'qop=auth, nc=00000001, cnonce="c"\r\n',
    )


def sockets(count: int, hosts: int) -> list[socket.socket]:
    """UDP sockets on so many addresses."""
    found = []
    for number in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.66.{number % hosts // 250}.{number % hosts % 250 + 1}", 0))
        sock.setblocking(False)
        found.append(sock)
    return found


def paced(seconds: float, rate: float) -> Iterator[int]:
    """Count up so fast, for so long."""
    start = time.monotonic()
    count = 0
    while (passed := time.monotonic() - start) < seconds:
        if count >= passed * rate:
            time.sleep(0.001)
            continue
        yield count
        count += 1


def datagrams(
    make: Callable[[], bytes], *, sources: int = 1, hosts: int = 1, rate: float = RATE
) -> Callable[[int, float], int]:
    """A flood of datagrams; made before, so that sending is all it costs."""

    def flood(port: int, seconds: float) -> int:
        ready = [make() for _ in range(2000 if rate >= RATE else 50)]
        socks = sockets(sources, hosts)
        sent = 0
        for number in paced(seconds, rate):
            with contextlib.suppress(OSError):
                data, sock = ready[number % len(ready)], socks[number % len(socks)]
                sock.sendto(data, ("127.0.0.1", port))
                sent += 1
        return sent

    return flood


def stream(make: Callable[[], bytes], connections: int) -> Callable[[int, float], int]:
    """Connections that send as fast as they may."""

    def flood(port: int, seconds: float) -> int:
        ready = b"".join(make() for _ in range(100))
        socks = []
        for number in range(connections):
            sock = socket.socket()
            sock.bind((f"127.66.0.{number % 250 + 1}", 0))
            sock.connect(("127.0.0.1", port))
            sock.setblocking(False)
            socks.append(sock)
        end, sent = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            before = sent
            for sock in socks:
                with contextlib.suppress(OSError):
                    sent += sock.send(ready)
                    sock.recv(1 << 20)
            if sent == before:
                time.sleep(0.002)
        return sent // (len(ready) // 100)

    return flood


def half_messages(port: int, seconds: float) -> int:
    """Three hundred connections that never end their first message."""
    socks = []
    for _ in range(300):
        with contextlib.suppress(OSError):
            sock = socket.create_connection(("127.0.0.1", port), 2)
            sock.sendall(message("OPTIONS", transport="TCP")[:-4])
            socks.append(sock)
    time.sleep(seconds)
    return len(socks)


def guesses(port: int, seconds: float) -> int:
    """Wrong passwords for one account, each with a fresh challenge, from forty addresses."""
    socks = sockets(40, 40)
    for sock in socks:
        sock.setblocking(True)
        sock.settimeout(0.05)
    count = 0
    for number in paced(seconds, 400):
        sock = socks[number % len(socks)]
        sock.sendto(message("REGISTER").replace(b"sip:7", b"sip:x"), ("127.0.0.1", port))
        with contextlib.suppress(OSError):
            found = re.search(rb'nonce="([^"]+)"', sock.recv(4096))
            if found:
                nonce = found[1].decode()
                second = hashlib.md5(b"REGISTER:sip:bench.example").hexdigest()
                response = hashlib.md5(f"{number}:{nonce}:00000001:c:auth:{second}".encode())
                more = (
                    f'Authorization: Digest username="e74990000001", realm="bench.example", '
                    f'nonce="{nonce}", uri="sip:bench.example", response="{response.hexdigest()}", '
                    'qop=auth, nc=00000001, cnonce="c"\r\n'
                )
                request = message("REGISTER", more)
                request = re.sub(rb"^REGISTER \S+", b"REGISTER sip:bench.example", request)
                sock.sendto(request, ("127.0.0.1", port))
                count += 1
    return count


def handshakes(port: int, seconds: float) -> int:
    """TLS connections from many addresses, each closed when its handshake is done."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    counts = [0] * 8
    end = time.monotonic() + seconds

    def work(worker: int) -> None:
        while time.monotonic() < end:
            place = counts[worker] * len(counts) + worker
            with contextlib.suppress(OSError), socket.socket() as sock:
                sock.bind((f"127.67.{place // 250 % 250}.{place % 250 + 1}", 0))
                sock.settimeout(2)
                sock.connect(("127.0.0.1", port))
                context.wrap_socket(sock).close()
            counts[worker] += 1

    return _by_all(work, len(counts), counts)


def half_handshakes(port: int, seconds: float) -> int:
    """First messages of TLS without end: each makes the other side sign, and is left alone."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    hello = context.wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    first = outgoing.read()
    count, end = 0, time.monotonic() + seconds
    open_ones: list[socket.socket] = []
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            sock = socket.socket()
            sock.bind((f"127.67.{count // 250 % 250}.{count % 250 + 1}", 0))
            sock.settimeout(2)
            sock.connect(("127.0.0.1", port))
            sock.send(first)
            open_ones.append(sock)
        count += 1
        if len(open_ones) > 200:
            open_ones.pop(0).close()
    return count


def websockets(port: int, seconds: float) -> int:
    """WebSocket upgrades on /sip, each closed when it is answered."""
    counts = [0] * 8
    end = time.monotonic() + seconds
    ask = (
        b"GET /sip HTTP/1.1\r\nHost: bench.example\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    def work(worker: int) -> None:
        while time.monotonic() < end:
            place = counts[worker] * len(counts) + worker
            with contextlib.suppress(OSError), socket.socket() as sock:
                sock.bind((f"127.68.{place // 250 % 250}.{place % 250 + 1}", 0))
                sock.settimeout(2)
                sock.connect(("127.0.0.1", port))
                sock.sendall(ask)
                sock.recv(4096)
            counts[worker] += 1

    return _by_all(work, len(counts), counts)


def _by_all(work: Callable[[int], None], workers: int, counts: list[int]) -> int:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def stun() -> bytes:
    """A Binding request (RFC 8489)."""
    return b"\x00\x01\x00\x00\x21\x12\xa4\x42" + os.urandom(12)


KINDS: dict[str, tuple[str, Callable[[int, float], int]]] = {
    "options": ("OPTIONS from one port", datagrams(lambda: message("OPTIONS"))),
    "invites": (
        "INVITEs from 500 ports of one address",
        datagrams(lambda: message("INVITE"), sources=500),
    ),
    "invites-anywhere": (
        "INVITEs from 2,000 addresses",
        datagrams(lambda: message("INVITE"), sources=2000, hosts=2000),
    ),
    "anywhere": (
        "REGISTERs from 2,000 addresses",
        datagrams(lambda: message("REGISTER"), sources=2000, hosts=2000),
    ),
    "forged": (
        "made-up credentials from 2,000 addresses",
        datagrams(forged, sources=2000, hosts=2000),
    ),
    "broken": (
        "broken messages from 100 addresses",
        datagrams(lambda: message("OPTIONS")[:90] + os.urandom(200), sources=100, hosts=100),
    ),
    "stun": (
        "STUN requests from 2,000 addresses",
        datagrams(stun, sources=2000, hosts=2000),
    ),
    "escapes": (
        "headers of 30,000 escapes, 100 a second",
        datagrams(lambda: message("OPTIONS", _ESCAPES), rate=100),
    ),
    "parameters": (
        "headers of 15,000 parameters, 150 a second",
        datagrams(lambda: message("OPTIONS", _PARAMETERS), rate=150),
    ),
    "stream": ("one connection at full speed", stream(lambda: message("OPTIONS"), 1)),
    "streams": ("200 connections at full speed", stream(lambda: message("REGISTER"), 200)),
    "half": ("300 connections with half a message", half_messages),
    "guesses": ("passwords of one account from 40 addresses", guesses),
    "tls": ("TLS handshakes of SIP", handshakes),
    "https": ("TLS handshakes that stop half way, of HTTPS", half_handshakes),
    "websockets": ("WebSocket upgrades", websockets),
}

BY_SIP = [kind for kind in KINDS if kind not in ("tls", "https", "websockets")]
"""What any switch can be sent that takes SIP over UDP and TCP."""


def main() -> None:
    """Send one flood."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    kind, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    print((KINDS | flood_http.KINDS)[kind][1](port, seconds), flush=True)


if __name__ == "__main__":
    main()
