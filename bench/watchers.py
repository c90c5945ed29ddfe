"""Phones that watch lines: `python -m bench.watchers HOST:PORT LINES LOGIN…`.

Each login watches the same LINES lines of the bench's company. Reads words from its standard
input: `on` subscribes, `off` ends all subscriptions; answers each with a line that counts the
NOTIFYs that have come since the last one.
"""

from __future__ import annotations

import asyncio
import sys

from bench.company import DOMAIN, numbers
from tests.support.watcher import Subscribed, Watcher
from vpbx.sip import Hop

_COPIED = (b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:")


class _Phone(Watcher):
    """Answers NOTIFYs without reading them: it shares the machine with what is measured."""

    count = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.startswith(b"NOTIFY"):
            super().datagram_received(data, addr)
            return
        self.count += 1
        lines = data.split(b"\r\n\r\n", 1)[0].split(b"\r\n")[1:]
        kept = [line for line in lines if line.startswith(_COPIED)]
        answer = [b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]
        self.transport.sendto(b"\r\n".join(answer), addr)


async def _run(hop: Hop, lines: list[str], logins: list[str]) -> None:
    phones = [await _Phone(login, hop, DOMAIN, "bench-password").start() for login in logins]
    held: list[tuple[_Phone, Subscribed]] = []
    loop = asyncio.get_running_loop()
    while word := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if word == "on":
            for phone in phones:
                for line in lines:
                    made = await phone.subscribe(line)
                    assert made.code == 200, made.response
                    held.append((phone, made))
        else:
            for phone, made in held:
                await phone.again(made, 0)
            held.clear()
        await asyncio.sleep(0.5)
        print(sum(phone.count for phone in phones), len(held), flush=True)
        for phone in phones:
            phone.count = 0


def main() -> None:
    """Watch as the arguments say, until the standard input ends."""
    place, lines, *logins = sys.argv[1:]
    host, _, port = place.rpartition(":")
    watched = [f"e{telnum}" for telnum in numbers()[: int(lines)]]
    asyncio.run(_run(Hop("udp", host, int(port)), watched, logins))


if __name__ == "__main__":
    main()
