"""Tabs that show the Live page: `python -m bench.tabs HOST:PORT HOST_NAME TABS COOKIE…`.

The cookies are shared out among the tabs. Reads words from its standard input: `on` opens all
tabs, `off` closes them; answers each with a line that counts the boards and bytes that have come
since the last one.
"""

from __future__ import annotations

import asyncio
import sys


class _Tab:
    """A connection to the stream, read and thrown away: it shares the machine with the server."""

    boards = 0
    size = 0

    async def open(self, place: str, name: str, cookie: str) -> None:
        host, _, port = place.rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        head = f"GET /live/stream HTTP/1.1\r\nHost: {name}\r\nCookie: {cookie}\r\n\r\n"
        self._writer.write(head.encode())
        status = await self._reader.readline()
        assert b" 200 " in status, status
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while piece := await self._reader.read(1 << 18):
            self.size += len(piece)
            self.boards += piece.count(b"\n\n")

    def close(self) -> None:
        self._task.cancel()
        self._writer.close()


async def _run(place: str, name: str, count: int, cookies: list[str]) -> None:
    tabs: list[_Tab] = []
    loop = asyncio.get_running_loop()
    while word := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        counts = sum(tab.boards for tab in tabs), sum(tab.size for tab in tabs)
        for tab in tabs:
            tab.close()
        tabs = [_Tab() for _ in range(count if word == "on" else 0)]
        for number, tab in enumerate(tabs):
            await tab.open(place, name, cookies[number % len(cookies)])
        print(*counts, flush=True)


def main() -> None:
    """Follow as the arguments say, until the standard input ends."""
    place, name, count, *cookies = sys.argv[1:]
    asyncio.run(_run(place, name, int(count), cookies))


if __name__ == "__main__":
    main()
