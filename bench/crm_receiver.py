"""A CRM that costs next to nothing: answers `{}` to every command and counts.

Run as a program: prints its port, then serves until it is ended. `GET /` answers the counts
of commands and event types so far, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
COMMAND = re.compile(rb"\bcmd=(\w+)")

counts: Counter[str] = Counter()


class Connection(asyncio.Protocol):
    """One kept connection; requests may come in pieces."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET"):
            text = json.dumps(counts).encode()
            head_out = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text)
            self._transport.write(head_out + text)
            return
        found = COMMAND.search(body)
        counts[found[1].decode() if found else "?"] += 1
        self._transport.write(ANSWER)


async def serve() -> None:
    """Listen on a free port of loopback, say which, and go on for ever."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
