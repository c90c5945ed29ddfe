"""POST over aiohttp's connections, without its session.

What connects (names, TLS), keeps connections and reads answers is aiohttp. Left out is
`ClientSession`, which for each request prepares redirections, cookies, proxies and traces, and
makes a task for the body: nothing that a command wants, and half of what it cost. Of what is
used here, all but the connector's and the request's faces is aiohttp's own business and may
change with a minor version; so `pyproject.toml` lets in no version that was not tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from yarl import URL

MAX_ANSWER = 65_536

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)
_SWITCHING_PROTOCOLS = 101


class Target:
    """An address to post to, with what is the same in each request to it.

    Raises ValueError for an address that cannot stand in a request.
    """

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        self.request = aiohttp.ClientRequest("POST", url, headers=headers, loop=loop)
        """Says whom to connect to, and how."""
        lines = [f"POST {url.raw_path_qs} HTTP/1.1"]
        for name, value in self.request.headers.items():
            if name != "Content-Length":  # of each body its own
                lines.append(f"{name}: {value}")
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise ValueError("no address for a request")
        self._head = "\r\n".join(lines)

    def message(self, body: bytes) -> bytes:
        """Return the whole request, to be sent at once."""
        return f"{self._head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def post(connector: aiohttp.TCPConnector, target: Target, body: bytes) -> tuple[int, bytes]:
    """Return the status and the body of the answer, of which at most `MAX_ANSWER` bytes are read.

    Raises aiohttp.ClientError, aiohttp.http.HttpProcessingError or OSError.
    """
    connection = await connector.connect(target.request, [], _NO_TIMEOUT)
    try:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        transport.write(target.message(body))
        head, content = await protocol.read()
        while head.code < 200 and head.code != _SWITCHING_PROTOCOLS:
            head, content = await protocol.read()
        answer = await _read(content)
    except BaseException:
        connection.close()
        raise
    connection.release()  # kept for the next request, or closed where there can be none
    return head.code, answer


async def _read(content: aiohttp.StreamReader) -> bytes:
    answer = b""
    while len(answer) < MAX_ANSWER and not content.at_eof():
        answer += await content.read(MAX_ANSWER - len(answer))
    return answer
