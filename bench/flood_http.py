"""HTTP attackers of `make bench attack` (see `bench.flood`), from addresses of 127/8."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

__all__ = ["KINDS"]

_HEAD = b"GET /crmapi/v1/users HTTP/1.1\r\nHost: bench.example\r\n"
_ANSWERS = 1 << 20


def _open(number: int, port: int) -> socket.socket:
    sock = socket.socket()
    sock.bind((f"127.77.{number // 250 % 250}.{number % 250 + 1}", 0))
    sock.settimeout(2)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def _endless(
    first: bytes, block: bytes, connections: int, *, reads: bool = False
) -> Callable[[int, float], int]:
    """Connections that send `block` for ever after `first`; new ones where they are closed."""

    def flood(port: int, seconds: float) -> int:
        end, sent = time.monotonic() + seconds, 0
        socks: list[socket.socket] = []
        number = 0
        while time.monotonic() < end:
            while len(socks) < connections:
                number += 1
                with contextlib.suppress(OSError):
                    sock = _open(number, port)
                    sock.send(first or block)
                    socks.append(sock)
            before = sent
            for sock in tuple(socks):
                try:
                    sent += sock.send(block)
                    if reads:
                        sock.recv(_ANSWERS)
                except BlockingIOError:
                    pass
                except OSError:
                    sock.close()
                    socks.remove(sock)
            if sent == before:
                time.sleep(0.002)
        return sent // len(block)

    return flood


def _half_heads(port: int, seconds: float) -> int:
    """Fifteen hundred requests that stop one byte before their end."""
    held = []
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 290) for number in range(190))
    for number in range(1500):
        with contextlib.suppress(OSError):
            sock = _open(number, port)
            sock.setblocking(True)
            sock.sendall(_HEAD + lines)
            held.append(sock)
    time.sleep(seconds / 2)
    return len(held)


def _connections(port: int, seconds: float) -> int:
    """Connections that are closed at once."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            _open(count, port).close()
            count += 1
    return count


KINDS: dict[str, tuple[str, Callable[[int, float], int]]] = {
    "http-header": (
        "20 HTTP connections with a header without end",
        _endless(_HEAD + b"X: ", b"x" * 65536, 20),
    ),
    "http-headers": (
        "20 HTTP connections with headers without end",
        _endless(_HEAD, b"X-A: y\r\n" * 4000, 20),
    ),
    "http-chunks": (
        "20 HTTP connections with chunks of one byte without end",
        _endless(
            _HEAD.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n" * 4000,
            20,
        ),
    ),
    "http-requests": (
        "50 HTTP connections that ask without a key and read what comes",
        _endless(b"", (_HEAD + b"\r\n") * 20, 50, reads=True),
    ),
    "http-deaf": (
        "50 HTTP connections that ask and read nothing",
        _endless(b"", (_HEAD + b"\r\n") * 100, 50),
    ),
    "http-half": ("1,500 HTTP requests of 57 KB that never end", _half_heads),
    "http-connections": ("HTTP connections that are closed at once", _connections),
}
