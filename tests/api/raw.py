"""Requests byte for byte as a client sends them."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tests.api.conftest import Answer


async def ask_raw(base: str, request: bytes) -> Answer:
    """Send `request` as it is and return the answer; the connection is closed afterwards."""
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        length = int(headers.get("content-length", 0))
        body = await reader.readexactly(length)
    finally:
        writer.close()
        await writer.wait_closed()
    return Answer(int(head[0].split()[1]), headers, body)
