"""What an administrator reads in the log at `info`: calls, registrations, refusals."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from structlog.testing import capture_logs

from vpbx.app.server import App
from vpbx.config import ServeConfig
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop
from vpbx.sparing import Sparing

PASSWORD = "correct horse 5"
NUMBER = "74951234567"


async def test_calls_registrations_and_refusals_are_a_line_each(
    config: ServeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What other tests have had refused in this process is not to count against this one.
    monkeypatch.setattr("vpbx.sip.incoming._refusals", Sparing("vpbx.sip"))
    monkeypatch.setattr("vpbx.api.gate._refusals", Sparing("vpbx.api"))
    app = App(config)
    await app.start()
    assert app.config.sip is not None
    sip = Hop("udp", "127.0.0.1", app.config.sip.port)
    async with Carrier(sip) as carrier:
        made = await app.directory.companies.add("acme.example", password=PASSWORD)
        await app.directory.trunk_rules.add("main", carrier.address)
        await app.directory.telnums.add(made.domain, NUMBER, trunk="main", user="admin")
        with capture_logs() as entries:
            await (await carrier.call("74959999999")).ended()
            await (await carrier.call(NUMBER)).ended()  # nobody has a phone
            async with Phone("admin", PASSWORD, "acme.example", sip, behaviour=answering(1000)):
                call = await carrier.call(NUMBER)
                await call.answered()
                call.hangup()
                async with asyncio.timeout(30):
                    while len([e for e in entries if e["event"] == "call"]) < 2:
                        await asyncio.sleep(0.01)
            url = f"http://{app.config.http}/crmapi/v1"
            async with aiohttp.ClientSession() as session:
                headers = {"X-API-KEY": "guess"}
                (await session.get(f"{url}/users?secret=1", headers=headers)).close()
                (await session.get(f"{url}/records/1/a-signature.mp3")).close()
    await app.stop()
    lines = {event: [e for e in entries if e["event"] == event] for event in EVENTS}
    (refused,) = lines["a call was refused"]
    assert (refused["code"], refused["source"]) == (404, "udp:127.0.0.1")
    assert "74959999999" in refused["called"]
    missed, talked = lines["call"]
    assert (missed["status"], missed["why"], missed["talk_s"]) == (
        "missed",
        "nobody was free or registered",
        0,
    )
    assert (talked["status"], talked["why"], talked["user"]) == ("success", "", "admin")
    assert talked["callid"].isdigit()
    assert (talked["direction"], talked["number"]) == ("in", NUMBER)
    (begun,), (ended,) = lines["a registration begins"], lines["a registration ends"]
    assert begun["login"] == ended["login"] == "admin"
    wrong, hidden = lines["an API request was refused"]
    assert (wrong["status"], wrong["reason"], wrong["source"]) == (
        401,
        "Invalid token",
        "127.0.0.1",
    )
    assert "secret" not in str(wrong)
    assert hidden["status"] == 404
    assert "signature" not in str(hidden)
    assert all(e["log_level"] == "info" for event in EVENTS for e in lines[event])


EVENTS = (
    "call",
    "a call was refused",
    "a registration begins",
    "a registration ends",
    "an API request was refused",
)
