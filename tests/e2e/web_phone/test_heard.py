"""What a page hears: whoever speaks, and while the network drops."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import quote, urlsplit

import pytest
from playwright.async_api import (
    Browser,
)

from tests.e2e.conftest import Company
from tests.support.web_phone import PEAK, VOICE_HZ, desk_phone, logged_in, supervising
from vpbx.media.rtp import goertzel
from vpbx.sim.call import Call
from vpbx.sim.carrier import Carrier
from vpbx.sip import Hop

pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One browser for all of them: each person has a profile of their own in it."""


async def test_a_supervisor_whispers_to_an_employee_at_a_browser(
    browser: Browser, company: Company
) -> None:
    ann, eve = await company.employee("711"), await company.employee("712")
    async with company.directory() as (directory, domain):
        await directory.users.edit(domain, eve, {"role": "admin"})
    await company.route(company.number, ann)
    host, _, port = company.pbx.sip.partition(":")
    async with (
        Carrier(Hop("udp", host, int(port)), port=company.trunk_port) as carrier,
        desk_phone(company, eve) as supervisor,
        logged_in(browser, company, ann) as (web, _),
        supervising(company, eve) as mode,
    ):
        customer = await carrier.call(company.number, caller="79101234567", tone_hz=440)
        await web.call("incoming")
        await web.press("Answer")
        await asyncio.gather(web.hears(440), customer.heard(VOICE_HZ))
        await mode("listen")
        at_eve = await supervisor.incoming()
        await at_eve.answer(620)
        await at_eve.heard(VOICE_HZ if at_eve.hears_hz > 700 else 440)
        customer.say(20)  # next to nothing: what is heard now is who whispers
        assert abs(await web.page.evaluate(PEAK) - 620) > 15
        await mode("whisper")
        await asyncio.gather(web.hears(620), customer.heard(VOICE_HZ))
        await mode("barge")
        await web.hears(620)
        assert customer.rtp is not None
        async with asyncio.timeout(30):
            while goertzel(customer.rtp.pcm(0.25), 620) < 0.1:
                await customer.rtp.hear(5)
        await mode("listen")
        await customer.heard(VOICE_HZ)
        at_eve.hangup()
        customer.say(440)
        await asyncio.gather(web.hears(440), customer.heard(VOICE_HZ))
        await web.press("Hang up")
        await customer.ended()


STREAMS = """async () => {
  const connection = window.vpbxPhone.calls[0].session.connection;
  const stats = [...(await connection.getStats()).values()];
  const [signalled] = connection.remoteDescription.sdp.match(/(?<=a=ssrc:)[0-9]+/);
  const streams = stats.filter((each) => each.type === "inbound-rtp").map((each) => each.ssrc);
  return [streams, Number(signalled)];
}"""
"""The SSRCs that a page was sent in its call, and the one that its description names."""


async def test_a_page_hears_one_stream_whoever_speaks(browser: Browser, company: Company) -> None:
    """Browsers play by track: after music, or another one's voice, it would be silent."""
    ann, bob, eve = [await company.employee(ext) for ext in ("711", "712", "713")]
    async with (
        desk_phone(company, bob) as desk,
        desk_phone(company, eve) as other,
        logged_in(browser, company, ann) as (web, _),
    ):
        await web.dial("712")
        call = await desk.incoming()
        await call.answer(660)
        await asyncio.gather(web.hears(660), call.heard(VOICE_HZ))
        assert await call.hold() == 200
        async with asyncio.timeout(30):  # the company's music instead
            while abs(await web.page.evaluate(PEAK) - 660) < 15:
                await asyncio.sleep(0.1)
        assert await call.resume() == 200
        await asyncio.gather(web.hears(660), call.heard(VOICE_HZ))
        assert await call.transfer(f"sip:713@{company.domain}") == 202
        passed = await other.incoming()
        call.hangup()
        await passed.answer(880)
        await asyncio.gather(web.hears(880), passed.heard(VOICE_HZ))
        asked = await other.call("712")
        again = await desk.incoming()
        await again.answer(550)
        await asked.answered()
        assert await passed.transfer(replacing(asked, company.domain)) == 202
        await asyncio.gather(web.hears(550), again.heard(VOICE_HZ))
        streams, signalled = await web.page.evaluate(STREAMS)
        assert streams == [signalled]
        again.hangup()
        await web.over()


def replacing(call: Call, domain: str) -> str:
    """Return whom to refer somebody to, to take this call's place (RFC 3891)."""
    assert call.session is not None
    dialog = call.session.dialog
    assert dialog is not None
    tags = f"to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
    wanted = quote(f"{dialog.call_id};{tags}", safe="")
    return f"sip:712@{domain}?Replaces={wanted}"


class Network:
    """What lies between a browser and the server's HTTPS port; it can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_up = True
        self._open: set[asyncio.StreamWriter] = set()
        self.refused = 0
        """Connections since it was cut."""

    async def __aenter__(self) -> Network:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        self._is_up, self.refused = False, 0
        for writer in tuple(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        self._is_up = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._is_up:
            self.refused += 1
            writer.transport.abort()
            return
        there, towards = await asyncio.open_connection("127.0.0.1", self._port)
        self._open |= {writer, towards}
        await asyncio.gather(self._carry(reader, towards), self._carry(there, writer))
        self._open -= {writer, towards}

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def test_a_talk_outlives_a_network_that_drops_and_ends_at_both_sides(
    browser: Browser, company: Company
) -> None:
    """Its sound goes its own way; who hangs up meanwhile or afterwards is heard of."""
    ann, bob = await company.employee("711"), await company.employee("712")
    made = await asyncio.to_thread(company.pbx.vpbx, "user", "invite", company.domain, bob)
    port = urlsplit(made["link"]).port
    assert port is not None
    async with (
        Network(port) as network,
        desk_phone(company, bob) as desk,
        logged_in(
            browser, company, ann, by=lambda link: link.replace(f":{port}/", f":{network.port}/")
        ) as (web, _),
    ):
        for meanwhile in (True, False):
            call = await desk.call("711")
            await web.call("incoming")
            await web.press("Answer")
            await call.answered()
            call.say(440)
            await asyncio.gather(web.hears(440), call.heard(VOICE_HZ))
            network.cut()
            await web.state("connecting")
            await asyncio.gather(web.hears(440), call.heard(VOICE_HZ))
            if meanwhile:
                call.hangup()
            network.mend()
            await web.state("ready")
            call.hangup()
            await web.over()
