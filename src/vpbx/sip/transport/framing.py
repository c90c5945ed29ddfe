"""Where a message ends in a stream (RFC 3261 §18.3), and keep-alives (RFC 5626 §3.5.1)."""

from __future__ import annotations

import re

MAX_HEAD_BYTES = 32768
"""Start line and headers together: far more than any fair message has."""
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:\s*([^\r\n]*)", re.IGNORECASE)


class Unframable(ValueError):
    """The end of a message cannot be found, so the stream cannot go on.

    `head` is what there is of the message, for an answer with `code`.
    """

    def __init__(self, head: bytes, code: int, reason: str) -> None:
        super().__init__(reason)
        self.head = head
        self.code = code
        self.reason = reason


class Framer:
    """Cuts a stream into messages, however it is cut into segments; no I/O.

    Content-Length is required. Line ends before a message are skipped; two of them are a ping,
    counted in `pings` for the owner to answer.
    """

    def __init__(self, max_bytes: int) -> None:
        self.pings = 0
        self._max_bytes = max_bytes
        self._max_head = min(max_bytes, MAX_HEAD_BYTES)
        self._buffer = bytearray()
        self._scanned = 0
        self._total = 0

    @property
    def inside(self) -> bool:
        """Whether a message has begun and is not complete."""
        return len(self._buffer) > 3 or bytes(self._buffer).strip(b"\r\n") != b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take a segment; return the messages it completes. Raises `Unframable`."""
        self.add(data)
        messages: list[bytes] = []
        while (message := self.take()) is not None:
            messages.append(message)
        return messages

    def add(self, data: bytes) -> None:
        """Take a segment, and do nothing with it yet."""
        self._buffer += data

    def take(self) -> bytes | None:
        """Return the next message that is complete, None when there is none. Raises
        `Unframable`, each time again."""
        buffer = self._buffer
        if not buffer or (not self._total and not self._find_end()) or len(buffer) < self._total:
            return None
        message = bytes(buffer[: self._total])
        del buffer[: self._total]
        self._scanned = self._total = 0
        return message

    def _find_end(self) -> bool:
        """Look for the end of the headers, and from there of the message."""
        buffer = self._buffer
        if not self._scanned:
            self._skip_line_ends()
        end = buffer.find(b"\r\n\r\n", self._scanned)
        if end < 0:
            if len(buffer) > self._max_head:
                head = bytes(buffer[: self._max_head])
                raise Unframable(head, 513, "headers without end")
            self._scanned = max(0, len(buffer) - 3)
            return False
        if end > self._max_head:
            raise Unframable(bytes(buffer[: self._max_head]), 513, "headers too long")
        head = bytes(buffer[: end + 4])
        lengths = _LENGTH.findall(head)
        if len(lengths) != 1 or not lengths[0].strip().isdigit() or len(lengths[0]) > 10:
            raise Unframable(head, 400, "no proper Content-Length")
        total = end + 4 + int(lengths[0])
        if total > self._max_bytes:
            raise Unframable(head, 513, "message too large")
        self._total = total
        return True

    def _skip_line_ends(self) -> None:
        buffer = self._buffer
        while buffer[:2] == b"\r\n":
            if buffer[2:4] == b"\r\n":
                self.pings += 1
                del buffer[:4]
            elif len(buffer) > 2 and buffer[2:] != b"\r":
                del buffer[:2]
            else:
                break
