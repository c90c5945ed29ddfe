"""Whoever sends a fax: a SIP leg of ours around a calling machine of libspandsp."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from pathlib import Path
from typing import Any

from tests.paths.scene import ANN, CUSTOMER, Scene
from tests.support.fax import PacketCalling, SoundCalling
from tests.support.mail import MailServer
from vpbx.sip import Hop, Response, Sdp, Session, SessionAdapter, Target

__all__ = ["FaxCaller", "FaxScene", "Way"]

_T38 = (
    "a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\n"
    "a=T38FaxMaxBuffer:2000\r\na=T38FaxMaxDatagram:400\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
)


class Way(Enum):
    """What the other side does about T.38."""

    REFUSES = auto()
    """It knows sound only, and says 488."""
    TAKES = auto()
    """It takes our offer."""
    OFFERS = auto()
    """It offers as soon as it was answered."""
    ONLY = auto()
    """Its first offer has nothing else."""
    LATE = auto()
    """Its INVITE has no offer, and it knows sound only."""
    BACK = auto()
    """It offers as soon as it was answered, and then wants sound after all."""


class FaxCaller(SessionAdapter):
    """One call with a fax; `begin` it with a SIP stack."""

    def __init__(self, way: Way, tiff: Path) -> None:
        self.way = way
        self._tiff = tiff
        self.sound: Any = None
        self.packets: Any = None
        self.machine: Any = None
        """The machine that sends, once it does."""
        self.began = asyncio.Event()
        self.over = asyncio.Event()
        self.code = 0
        self.offers: list[str] = []
        self._version = 1

    async def begin(self, stack: Any, number: str, hop: Hop, caller: str) -> None:
        """Call."""
        self.sound = await SoundCalling.open(self._tiff)
        self.packets = await PacketCalling.open(self._tiff)
        self.session = stack.invite(
            Target(f"sip:{number}@{hop.host}:{hop.port}", hop),
            from_=f"<sip:{caller}@127.0.0.1>",
            to=f"<sip:{number}@{hop.host}>",
            sdp=self._first_offer(),
            listener=self,
        )

    def _first_offer(self) -> str | None:
        if self.way is Way.LATE:
            return None
        return self._image() if self.way is Way.ONLY else self._audio()

    def _head(self) -> str:
        self._version += 1
        origin = f"v=0\r\no=- 77 {self._version} IN IP4 127.0.0.1\r\ns=-\r\n"
        return f"{origin}c=IN IP4 127.0.0.1\r\nt=0 0\r\n"

    def _audio(self) -> str:
        """Its sound: A-law, which it would rather not speak."""
        return (
            self._head() + f"m=audio {self.sound.port} RTP/AVP 9 8 0 101\r\n"
            "a=rtpmap:101 telephone-event/8000\r\n"
        )

    def _image(self) -> str:
        return self._head() + f"m=image {self.packets.port} udptl t38\r\n{_T38}"

    def on_answer(self, session: Session, response: Response, sdp: str | None) -> None:
        if self.way is Way.ONLY:
            self._send(self.packets, sdp, "image")
            return
        if self.way in (Way.OFFERS, Way.BACK):
            session.reinvite(self._image())
            return
        if self.way is Way.LATE:
            session.ack(self._audio())
        self._send(self.sound, sdp, "audio")

    def on_offer(self, session: Session, sdp: str | None) -> None:
        self.offers.append(sdp or "")
        if self.way is not Way.TAKES or sdp is None:
            session.refuse(488)
            return
        self.sound.close()
        session.answer(self._image())
        self._send(self.packets, sdp, "image")

    def on_reanswer(self, session: Session, code: int, sdp: str | None) -> None:
        kind = Sdp.parse(sdp or "").media[0].kind
        if self.way is Way.BACK and kind == "image":
            session.reinvite(self._audio())
            return
        self._send(self.sound if kind == "audio" else self.packets, sdp, kind)

    def _send(self, machine: Any, sdp: str | None, kind: str) -> None:
        media = next(m for m in Sdp.parse(sdp or "").media if m.kind == kind and m.port)
        assert kind == "image" or media.formats[0] == "8", media
        self.machine = machine
        machine.begin((media.address, media.port))
        self.began.set()

    def on_failure(
        self, session: Session, code: int, reason: str, response: Response | None
    ) -> None:
        self.code = code
        self.over.set()

    def on_end(self, session: Session, cause: str) -> None:
        self.over.set()

    async def done(self) -> str:
        """Wait until the machine has sent all, or given up; return how it ended."""
        async with asyncio.timeout(30):
            await self.began.wait()
            while self.machine is self.sound and self.way is Way.TAKES:
                await asyncio.sleep(0.02)
        return str(await self.machine.done())

    async def until_pages(self, count: int) -> None:
        """Wait until so many pages were acknowledged."""
        async with asyncio.timeout(60):
            while self.machine is None or self.machine.pages_sent < count:
                await asyncio.sleep(0.02)

    def close(self) -> None:
        """Hang up."""
        self.session.hangup()
        self.sound.close()
        self.packets.close()


class FaxScene(Scene):
    """The office number takes faxes for ann, who has an address."""

    mail: MailServer

    async def start(self) -> None:
        await super().start()
        domain = await self.domain()
        await self.app.directory.users.edit(domain, ANN, {"email": "ann@acme.example"})
        await self.number(self.office, type="fax", user=ANN)
        self.callers: list[FaxCaller] = []

    async def stop(self) -> None:
        for caller in self.callers:
            caller.close()
        await super().stop()

    async def fax(self, way: Way, tiff: Path, caller: str = CUSTOMER) -> FaxCaller:
        """Somebody sends a fax to the office."""
        made = FaxCaller(way, tiff)
        self.callers.append(made)
        await made.begin(self.carrier.stack, self.office, self.hop, caller)
        return made

    async def download(self, link: str) -> tuple[str, bytes]:
        """Return type and content of what a link of the CRM leads to."""
        path = link.partition("/crmapi/")[2]
        assert self.app.config.http is not None
        url = f"http://127.0.0.1:{self.app.config.http.port}/crmapi/{path}"
        async with self._http.get(url) as got:
            assert got.status == 200, await got.text()
            return got.headers["Content-Type"], await got.read()
