"""What the scenes of the demo are made of: everybody who takes part, and what they do often."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import av

from vpbx.cli.demo.company import Company
from vpbx.cli.demo.narrator import Narrator
from vpbx.media.rtp import dominant_frequency
from vpbx.sim import Call, Carrier, Command, Crm, Phone

__all__ = ["CLOSE_HZ", "CUSTOMER_HZ", "MANAGER_HZ", "Story", "curl", "measure"]

CUSTOMER_HZ = 440.0
MANAGER_HZ = 1000.0
CLOSE_HZ = 15.0
_TALK_S = 1.5


@dataclass(slots=True)
class Story:
    """Everybody who takes part, and what they do."""

    company: Company
    carrier: Carrier
    phone: Phone
    crm: Crm
    api: str
    """Base URL of the API as this process reaches it."""
    console: str
    """Invites the administrator to the console."""
    narrator: Narrator
    keep: Path
    """Where the recording is put."""
    callids: list[str] = field(default_factory=list)
    """The calls of this day whose end was told, oldest first."""

    async def call_in(self, number: str, caller: str) -> Call:
        """A customer calls a number of the company, and says their tone."""
        return await self.carrier.call(number, caller=caller, tone_hz=CUSTOMER_HZ)

    async def talk(self, manager: Call, customer: Call, who: str) -> None:
        """Olga answers, and both hear each other."""
        self.narrator.say(f"Olga answers, and says a tone of {MANAGER_HZ:.0f} Hz")
        await manager.answer(MANAGER_HZ)
        await customer.answered()
        await self.hear_each_other(manager, customer, who)

    async def hear_each_other(self, manager: Call, customer: Call, who: str) -> None:
        """Measure what each of two who talk hears."""
        await customer.heard(MANAGER_HZ)
        await manager.heard(CUSTOMER_HZ)
        await asyncio.sleep(_TALK_S)
        at_customer, at_manager = customer.hears_hz, manager.hears_hz
        self.narrator.check(
            abs(at_customer - MANAGER_HZ) < CLOSE_HZ and abs(at_manager - CUSTOMER_HZ) < CLOSE_HZ,
            f"{who} hears {at_customer:.0f} Hz, Olga's phone hears {at_manager:.0f} Hz",
        )

    async def begun(self, phone: str) -> str:
        """Wait until the CRM is asked about a customer who calls; return the call's callid."""
        return (await self.crm.received("contact", phone=phone))["callid"]

    async def told(self, callid: str, *events: str, status: str = "Success") -> Command:
        """Wait for the end of a call as the CRM hears it; see that all was told.

        By its callid: the CRM may hear of calls that an earlier demo left in the middle.
        """
        self.callids.append(callid)
        history = await self.crm.received("history", timeout_s=10, callid=callid)
        told = tuple(command["type"] for command in self.crm.of("event", callid=callid))
        listed = ", ".join((*told, "")) if told else "no event "
        self.narrator.check(
            told == events and history["status"] == status,
            f"the CRM heard {listed.rstrip(', ')} and history: {history['status']}",
        )
        return history

    async def fetch(self, link: str) -> tuple[float, float, float]:
        """Get a recording by the link that the CRM got; return what `measure` finds."""
        path = urlsplit(link).path
        async with aiohttp.ClientSession() as session, session.get(self.api + path) as answer:
            sound = await answer.read()
            kind = answer.content_type
            self.narrator.check(
                answer.status == 200 and kind == "audio/mpeg",
                f"the link answers {answer.status} {kind}, {len(sound)} bytes",
            )
        await asyncio.to_thread(self.keep.write_bytes, sound)
        return await asyncio.to_thread(measure, self.keep)

    async def ask(self, method: str, what: str, fields: dict[str, str] | None = None) -> Any:
        """Ask the API; OSError when it refuses."""
        headers = {"X-API-KEY": self.company.key, "Host": self.company.domain}
        url = f"{self.api}/crmapi/v1/{what}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, url, data=fields) as answer,
        ):
            if answer.status != 200:
                raise OSError(f"{method} {what} answered {answer.status}: {await answer.text()}")
            return await answer.json()


def curl(api: str, key: str, what: str, fields: dict[str, str] | None = None) -> str:
    """Return a command to be pasted into a shell."""
    words = ["curl", "-H", f"X-API-KEY: {key}", f"{api}/crmapi/v1/{what}"]
    for name, value in (fields or {}).items():
        words += ["-d", f"{name}={value}"]
    return shlex.join(words)


def measure(path: Path) -> tuple[float, float, float]:
    """Return seconds, and the loudest frequency left and right, of a stereo MP3."""
    left: list[int] = []
    right: list[int] = []
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        rate = stream.rate
        resampler = av.AudioResampler(format="s16", layout="stereo", rate=rate)
        for frame in container.decode(stream):
            for part in resampler.resample(frame):
                samples = memoryview(bytes(part.planes[0])).cast("h")[: part.samples * 2]
                left.extend(samples[::2])
                right.extend(samples[1::2])
    middle = len(left) // 2
    window = slice(max(0, middle - 4096), middle + 4096)
    return (
        len(left) / rate,
        dominant_frequency(left[window], rate=rate),
        dominant_frequency(right[window], rate=rate),
    )
