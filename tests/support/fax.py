"""A fax machine that calls: libspandsp sends pages of ours, over RTP or over T.38's UDPTL.

The library is the one that receives too; what it sends and what arrives is compared pixel by
pixel, so the two cannot agree on a fault of ours.
"""

from __future__ import annotations

import asyncio
import ctypes
import io
import random
import struct
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pikepdf
from PIL import Image

from vpbx.media import g711, spandsp, udptl

WIDTH = 1728
_RTP = struct.Struct("!BBHII")
_SAMPLES, _TICK_S = 160, 0.02


def page(seed: int, rows: int = 220) -> Image.Image:
    """Return a page nobody else has: words of bars, margins, and no two lines the same."""
    dice = random.Random(seed)
    image = Image.new("1", (WIDTH, rows), 1)
    for row in range(10, rows - 10):
        if row % 12 < 8:
            for _ in range(6):
                begin = dice.randrange(100, WIDTH - 200)
                for column in range(begin, begin + dice.randrange(4, 60)):
                    image.putpixel((column, row), 0)
    return image


def write_tiff(path: Path, pages: Sequence[Image.Image]) -> Path:
    """Write pages as a fax machine's scanner would, fine resolution."""
    first, *others = pages
    first.save(
        path, compression="group4", dpi=(204, 196), save_all=True, append_images=list(others)
    )
    return path


def pages_in(pdf: Path | bytes) -> list[Image.Image]:
    """Return the pictures of a PDF, one a page, black and white."""
    found = []
    with pikepdf.open(io.BytesIO(pdf) if isinstance(pdf, bytes) else pdf) as document:
        for sheet in document.pages:
            (picture,) = sheet.get_images().values()
            found.append(pikepdf.PdfImage(picture).as_pil_image().convert("1"))
    return found


def same_picture(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pages have the same size and the same dots."""
    return one.size == other.size and one.tobytes() == other.tobytes()


class Calling(asyncio.DatagramProtocol):
    """A calling fax machine at a UDP port of its own; it begins when it is told where to send."""

    def __init__(self, tiff: Path) -> None:
        self._tiff = tiff
        self._task: asyncio.Task[None] | None = None
        self.fax: Any = None
        self.remote: tuple[str, int] = ("", 0)
        self.received = 0
        self.pages_sent = 0

    @classmethod
    async def open(cls, tiff: Path, host: str = "127.0.0.1") -> Any:
        """Bind its port."""
        loop = asyncio.get_running_loop()
        _, machine = await loop.create_datagram_endpoint(lambda: cls(tiff), local_addr=(host, 0))
        return machine

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def error_received(self, exc: Exception) -> None:
        pass

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    def begin(self, remote: tuple[str, int]) -> None:
        """Call: from now on it speaks to `remote`."""
        self.remote = remote
        self.fax = self.machine(
            calling=True,
            keep=None,
            send=self._tiff,
            ident="+74951112233",
            most_pages=-1,
            paged=self._page_done,
        )
        self._task = asyncio.get_running_loop().create_task(self._run())

    def _page_done(self, result: int) -> None:
        self.pages_sent += 1

    def machine(self, **settings: Any) -> Any:
        raise NotImplementedError

    def tick(self) -> None:
        raise NotImplementedError

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self.fax.result is None:
            self.tick()
            due = max(due + _TICK_S, loop.time() - 0.5)
            await asyncio.sleep(max(0.0, due - loop.time()))
        for _ in range(60):  # what it still says, its goodbye
            self.tick()
            await asyncio.sleep(_TICK_S)

    async def done(self, timeout_s: float = 90.0) -> str:
        """Wait until it has sent all, or given up; return how it ended, "OK" for well."""
        assert self._task is not None
        await asyncio.wait_for(asyncio.shield(self._task), timeout_s)
        return str(self.fax.reason)

    def close(self) -> None:
        """Hang up its phone line."""
        if self._task is not None:
            self._task.cancel()
        self.transport.close()


class SoundCalling(Calling):
    """It speaks by RTP, A-law."""

    _sequence = 1
    _timestamp = 0
    _late = b""

    def machine(self, **settings: Any) -> spandsp.SoundFax:
        return spandsp.SoundFax(**settings)

    def tick(self) -> None:
        sound = array("h")
        sound.frombytes(self.fax.say(_SAMPLES))
        head = _RTP.pack(0x80, g711.PCMA, self._sequence, self._timestamp, 4711)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp += _SAMPLES
        packet = head + g711.encode(g711.PCMA, sound)
        if self._sequence % 20 == 0:
            self._late = packet  # the next one overtakes it
            return
        self.transport.sendto(packet, self.remote)
        if self._late:
            self.transport.sendto(self._late, self.remote)
            self._late = b""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received += 1
        if self.fax is not None and data[1] & 0x7F == g711.PCMA:
            sound = g711.decode(g711.PCMA, data[12:])
            self.fax.hear((ctypes.c_int16 * len(sound))(*sound))


class PacketCalling(Calling):
    """It speaks T.38. `lose(n)`: whether its n-th datagram is lost on the way."""

    lose: Callable[[int], bool] = staticmethod(lambda number: False)

    def machine(self, **settings: Any) -> spandsp.PacketFax:
        self._sender, self._arrivals, self._sent = udptl.Sender(), udptl.Arrivals(), 0
        return spandsp.PacketFax(self._send, **settings)

    def _send(self, ifp: bytes, times: int) -> None:
        data = self._sender.write(ifp)
        for _ in range(times):
            self._sent += 1
            if not self.lose(self._sent):
                self.transport.sendto(data, self.remote)

    def tick(self) -> None:
        self.fax.pass_time(_SAMPLES)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received += 1
        try:
            packets = self._arrivals.take(data)
        except udptl.Junk:
            return
        for number, ifp in packets:
            self.fax.hear(ifp, number)
