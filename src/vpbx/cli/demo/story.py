"""The script: a call comes in, a call goes out, both are recorded and told to the CRM."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import av

from vpbx.cli.demo.company import CUSTOMER, CUSTOMER_NAME, MANAGER, NUMBER, Company
from vpbx.cli.demo.narrator import Narrator
from vpbx.media.rtp import dominant_frequency
from vpbx.sim import Call, CallFailed, Carrier, Command, Crm, Phone, answering

__all__ = ["CUSTOMER_HZ", "MANAGER_HZ", "Story", "curl"]

CUSTOMER_HZ = 440.0
MANAGER_HZ = 1000.0
OTHER_CUSTOMER = "79104445566"
_TALK_S = 1.5
_CLOSE_HZ = 15.0


@dataclass(slots=True)
class Story:
    """Everybody who takes part, and what they do."""

    company: Company
    carrier: Carrier
    phone: Phone
    crm: Crm
    api: str
    """Base URL of the API as this process reaches it."""
    narrator: Narrator
    keep: Path
    """Where the recording is put."""

    async def tell(self) -> None:
        """Play all scenes; what goes wrong is told, and ends it."""
        try:
            history = await self._customer_calls()
            await self._click_to_call()
            await self._recording(history["link"])
            await self._history()
        except (TimeoutError, CallFailed, aiohttp.ClientError, OSError, KeyError) as error:
            self.narrator.bad(str(error) or type(error).__name__)

    # --- scenes --------------------------------------------------------------------------

    async def _customer_calls(self) -> Command:
        tell = self.narrator
        tell.step(f"A customer calls {NUMBER}; the carrier brings the call by SIP")
        tell.say(f"{CUSTOMER} calls, and says a tone of {CUSTOMER_HZ:.0f} Hz")
        customer = await self.carrier.call(NUMBER, caller=CUSTOMER, tone_hz=CUSTOMER_HZ)
        manager = await self.phone.rings()
        contact = await self.crm.received("contact")
        name, number = manager.caller
        tell.say(f"Olga's phone rings and shows [bold]{name or '(no name)'}[/bold], {number}")
        tell.check(
            name == CUSTOMER_NAME and contact["phone"] == CUSTOMER,
            "the CRM was asked who calls, and its answer is on the phone",
        )
        await customer.ringing()
        await asyncio.sleep(0.7)
        await self._talk(manager, customer, "The carrier")
        tell.say("The customer hangs up")
        customer.hangup()
        await manager.ended()
        return await self._told_to_crm("in", ("INCOMING", "ACCEPTED", "COMPLETED"))

    async def _click_to_call(self) -> None:
        tell = self.narrator
        tell.step("Click-to-call: the CRM asks the API to call a customer")
        answered_before = len(self.carrier.calls)
        self.carrier.behaviour = answering(CUSTOMER_HZ, after_s=0.7)
        fields = {"phone": OTHER_CUSTOMER, "user": MANAGER}
        tell.plain(curl(self.api, self.company.key, "makecall", fields))
        made = await self._api("POST", "makecall", fields)
        tell.say(f"The API answers [bold]{json.dumps(made)}[/bold]")
        manager = await self.phone.rings()
        tell.say("Olga's phone rings; when she takes it, the customer is called")
        await manager.answer(MANAGER_HZ)
        customer = await self.carrier.nth_call(answered_before)
        await customer.answered()
        tell.check(
            customer.called == OTHER_CUSTOMER and customer.caller[1] == NUMBER,
            f"{customer.called} is called and sees {customer.caller[1]}",
        )
        await self._hear_each_other(manager, customer, "The customer")
        tell.say("Olga hangs up")
        manager.hangup()
        await customer.ended()
        await self._told_to_crm("out", ("OUTGOING", "ACCEPTED", "COMPLETED"))

    async def _recording(self, link: str) -> None:
        tell = self.narrator
        tell.step("The first call was recorded; its link went to the CRM")
        tell.plain(link)
        path = urlsplit(link).path
        async with aiohttp.ClientSession() as session, session.get(self.api + path) as answer:
            sound = await answer.read()
            kind = answer.content_type
            tell.check(
                answer.status == 200 and kind == "audio/mpeg",
                f"the link answers {answer.status} {kind}, {len(sound)} bytes",
            )
        await asyncio.to_thread(self.keep.write_bytes, sound)
        seconds, left, right = await asyncio.to_thread(measure, self.keep)
        tell.check(
            abs(left - CUSTOMER_HZ) < _CLOSE_HZ and abs(right - MANAGER_HZ) < _CLOSE_HZ,
            f"{seconds:.1f} s of stereo: left the customer ({left:.0f} Hz), "
            f"right Olga ({right:.0f} Hz)",
        )
        tell.say(f"Play it: [bold]{self.keep}[/bold]")

    async def _history(self) -> None:
        tell = self.narrator
        tell.step("The history of today, from the API")
        tell.plain(curl(self.api, self.company.key, "history/json"))
        rows: list[dict[str, Any]] = []
        for _ in range(20):  # the last row is written within 20 ms
            rows = await self._api("GET", "history/json")
            if {"in", "out"} <= {row["type"] for row in rows[:2]}:
                break
            await asyncio.sleep(0.05)
        for row in rows[:2]:
            tell.say(
                f"{row['start']}  {row['type']:<3}  {row['client']}  {row['user_name']}  "
                f"{row['status']}  {row['duration']} s"
            )
        tell.check({"in", "out"} <= {row["type"] for row in rows[:2]}, "both calls are there")

    # --- parts of scenes -----------------------------------------------------------------

    async def _talk(self, manager: Call, customer: Call, who: str) -> None:
        self.narrator.say(f"Olga answers, and says a tone of {MANAGER_HZ:.0f} Hz")
        await manager.answer(MANAGER_HZ)
        await customer.answered()
        await self._hear_each_other(manager, customer, who)

    async def _hear_each_other(self, manager: Call, customer: Call, who: str) -> None:
        await customer.heard(MANAGER_HZ)
        await manager.heard(CUSTOMER_HZ)
        await asyncio.sleep(_TALK_S)
        at_customer, at_manager = customer.hears_hz, manager.hears_hz
        self.narrator.check(
            abs(at_customer - MANAGER_HZ) < _CLOSE_HZ and abs(at_manager - CUSTOMER_HZ) < _CLOSE_HZ,
            f"{who} hears {at_customer:.0f} Hz, Olga's phone hears {at_manager:.0f} Hz",
        )

    async def _told_to_crm(self, direction: str, events: tuple[str, ...]) -> Command:
        history = await self.crm.received("history", type=direction)
        callid = history["callid"]
        told = tuple(command["type"] for command in self.crm.of("event", callid=callid))
        self.narrator.check(
            told == events and history["status"] == "Success",
            f"the CRM heard {', '.join(told)} and history, in this order",
        )
        return history

    async def _api(self, method: str, what: str, fields: dict[str, str] | None = None) -> Any:
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
