"""The softphone in the console: a real Chromium, a real server, other people's phones."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import pi, sin
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    Dialog,
    Page,
    async_playwright,
    expect,
)

from tests.e2e.conftest import Company, make_company
from tests.support.chromium import AXE, ROOT, program
from tests.support.crm import Receiver
from tests.support.pbx import Pbx
from tests.support.rtcp import build_report
from vpbx.media.rtcp import parse
from vpbx.media.rtp import goertzel
from vpbx.sim.call import Call
from vpbx.sim.carrier import Carrier
from vpbx.sim.phone import Phone
from vpbx.sip import Hop

pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One browser for all of them: each person has a profile of their own in it."""

PASSWORD = "correct horse staple"
VOICE_HZ = 1000
PEAK = """async () => {
  const stream = document.querySelector("[data-phone-audio]").srcObject;
  if (!stream?.getAudioTracks().length) return 0;
  const context = new AudioContext();
  await context.resume();
  const analyser = new AnalyserNode(context, { fftSize: 8192 });
  context.createMediaStreamSource(stream).connect(analyser);
  await new Promise((resolve) => setTimeout(resolve, 350));
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  await context.close();
  const loudest = levels.indexOf(Math.max(...levels));
  return levels[loudest] > -60 ? loudest * context.sampleRate / 8192 : 0;
}"""
"""The tone that a page hears, 0 where it is silent."""


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's microphone hears: a tone."""
    path = tmp_path_factory.mktemp("voice") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        samples = (int(9000 * sin(2 * pi * VOICE_HZ * n / 48000)) for n in range(48000))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


@pytest.fixture(scope="module", autouse=True)
def bundled() -> None:
    if not AXE.exists():  # a tree that was not set up by make
        subprocess.run([sys.executable, ROOT / "scripts/assets.py"], check=True)


@pytest_asyncio.fixture(loop_scope="module")
async def company(pbx: Pbx, tmp_path: Path) -> AsyncIterator[Company]:
    """A company of this test's own."""
    async with Receiver() as crm:
        yield await make_company(pbx, tmp_path, crm)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(voice: Path) -> AsyncIterator[Browser]:
    arguments = (
        *("--no-sandbox", "--disable-gpu", "--ignore-certificate-errors"),
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={voice}",
        "--autoplay-policy=no-user-gesture-required",
    )
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program(), args=[*arguments])
        yield opened
        await opened.close()


class WebPhone:
    """A tab of somebody who is logged in."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator("#phone")

    async def state(self, wanted: str) -> None:
        await expect(self.panel).to_have_attribute("data-state", wanted, timeout=20_000)

    async def open(self) -> None:
        if not await self.page.locator("#phone-panel").is_visible():
            await self.page.locator("[data-phone=toggle]").click()

    async def dial(self, number: str) -> None:
        await self.open()
        await self.page.locator("[data-phone-dial] input").fill(number)
        await self.page.locator("[data-phone-dial] button").click()

    async def press(self, button: str) -> None:
        await self.panel.get_by_role("button", name=button, exact=True).click()

    async def call(self, state: str) -> None:
        """Wait for a call in this state."""
        await expect(self.page.locator(f".phone-call[data-state={state}]")).to_have_count(
            1, timeout=20_000
        )

    async def over(self) -> None:
        await expect(self.page.locator(".phone-call")).to_have_count(0, timeout=20_000)

    async def hears(self, hz: float) -> None:
        async with asyncio.timeout(20):
            while abs(await self.page.evaluate(PEAK) - hz) > 15:
                await asyncio.sleep(0.1)


@asynccontextmanager
async def logged_in(
    browser: Browser, company: Company, login: str, *, by: Callable[[str], str] = str
) -> AsyncIterator[tuple[WebPhone, BrowserContext]]:
    """Let an employee take up their invitation in a browser of their own, `by` which link."""
    async with company.directory() as (directory, domain):
        await directory.companies.edit(domain, {"language": "en"})
    made = await asyncio.to_thread(company.pbx.vpbx, "user", "invite", company.domain, login)
    context = await browser.new_context(ignore_https_errors=True)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(by(made["link"]))
    for field in await page.locator("input[type=password]").all():
        await field.fill(PASSWORD)
    await page.locator("button.primary").first.click()
    phone = WebPhone(page)
    await phone.state("ready")
    yield phone, context
    await context.close()
    assert faults == []


def desk_phone(company: Company, login: str) -> Phone:
    host, _, port = company.pbx.sip.partition(":")
    return Phone(login, company.password, company.domain, Hop("udp", host, int(port)))


async def test_calls_go_from_the_page_to_a_phone_and_back_with_sound(
    browser: Browser, company: Company
) -> None:
    ann, bob = await company.employee("711"), await company.employee("712")
    async with desk_phone(company, bob) as desk, logged_in(browser, company, ann) as (web, _):
        await web.dial("712")
        call = await desk.incoming()
        assert call.caller == ("Manager 711", "711")
        await web.call("ringing")
        await call.answer(440)
        await web.call("talking")
        await asyncio.gather(web.hears(440), call.heard(VOICE_HZ))
        await web.page.locator("[data-phone-key='7']").click()
        await call.heard_digits("7")
        await _report_to_each_other(web, call)
        await web.press("Hang up")
        await call.ended()
        await web.over()
        await _both_are_kept(company, ann, bob)

        call = await desk.call("711")
        await web.call("incoming")
        await expect(web.page.locator(".phone-call strong")).to_have_text("Manager 712")
        await web.press("Answer")
        await call.answered()
        call.say(660)
        await asyncio.gather(web.hears(660), call.heard(VOICE_HZ))
        call.hangup()
        await web.over()


REMOTE_REPORT = """async () => {
  const report = await window.vpbxPhone.calls[0].session.connection.getStats();
  return [...report.values()].some((one) => one.type === "remote-outbound-rtp");
}"""
"""Whether a page has heard the other side's sender reports."""


async def _both_are_kept(company: Company, browsers: str, phones: str) -> None:
    """The sound of both legs is in history: the browser says what it heard."""
    headers, uids = {"X-API-KEY": company.key}, list[str]()
    async with aiohttp.ClientSession(headers=headers) as http, asyncio.timeout(20):
        while not uids:
            async with http.get(company.pbx.api + "/history/inner/json") as got:
                rows = await got.json()
            uids = [row["uid"] for row in rows if (row["from"], row["to"]) == (browsers, phones)]
            await asyncio.sleep(0.1)
    uid = uids[0]
    told = await asyncio.to_thread(company.pbx.vpbx, "history", "show", company.domain, uid)
    legs = {leg["user"]: leg for leg in told["legs"]}
    assert set(legs) == {browsers, phones}
    assert all(leg["received"]["packets"] > 50 for leg in legs.values())
    assert legs[browsers]["sent"]["packets"] > 10
    assert 0 <= legs[browsers]["rtt_ms"] < 2000
    assert legs[phones]["sent"] is None, "this phone reports nothing of what it hears"


async def _report_to_each_other(web: WebPhone, call: Call) -> None:
    """Send sender reports as the phone of a call, until the browser has answered one: by the
    port of its sound (RFC 5761), encrypted, while the phone has a port of its own for RTCP."""
    assert call.rtp is not None
    assert call.rtp.remote is not None
    (host, port), (to, at) = call.rtp.local, call.rtp.remote
    ssrc = call.rtp._ssrc
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.setblocking(False)
        sock.bind((host, port + 1))
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while True:
                sock.sendto(build_report(ssrc, ntp=time.time() + 2_208_988_800), (to, at + 1))
                with contextlib.suppress(TimeoutError):
                    data = await asyncio.wait_for(loop.sock_recv(sock, 1500), 0.5)
                    reports = parse(data)
                    assert reports is not None
                    if any(block.ssrc == ssrc and block.lsr for block in reports.blocks):
                        break
    await web.page.wait_for_function(REMOTE_REPORT, timeout=20_000)


MICROPHONE = """(label) => {
  const [sender] = window.vpbxPhone.calls[0].session.connection.getSenders();
  window.spoken = sender.track;
  return sender.track.label === label && sender.track.readyState === "live";
}"""
"""Whether a page's call speaks into this microphone."""


async def test_a_call_goes_on_while_pages_change_and_is_held_muted_and_passed_on(
    browser: Browser, company: Company
) -> None:
    ann, bob, eve = [await company.employee(ext) for ext in ("711", "712", "713")]
    async with (
        desk_phone(company, bob) as desk,
        desk_phone(company, eve) as other,
        logged_in(browser, company, ann) as (web, _),
    ):
        await web.dial("712")
        call = await desk.incoming()
        await call.answer(440)
        await web.hears(440)
        await web.page.get_by_role("link", name="VPBX").click()
        await web.page.wait_for_url("**/")
        await web.page.locator("a.who").click()
        await web.page.wait_for_url("**/me")
        await asyncio.gather(web.hears(440), call.heard(VOICE_HZ))
        await web.press("Hold")
        await web.call("held")
        async with asyncio.timeout(30):
            while abs(call.hears_hz - VOICE_HZ) < 30:  # the company's music instead
                await asyncio.sleep(0.1)
        await web.press("Resume")
        await web.call("talking")
        await call.heard(VOICE_HZ)
        await web.page.get_by_text("Sound", exact=True).click()
        devices = web.page.locator("[data-phone-device=audioinput]")
        await devices.select_option(label="Fake Audio Input 2")
        await web.page.wait_for_function(MICROPHONE, arg="Fake Audio Input 2")
        await call.heard(VOICE_HZ)
        await web.press("Mute")
        await expect(web.panel.get_by_role("button", name="Unmute")).to_be_visible()
        await web.press("Unmute")
        await call.heard(VOICE_HZ)
        await web.page.locator("[data-phone-dial] input").fill("713")
        await web.press("Transfer")
        passed = await other.incoming()
        await passed.answer(880)
        await web.over()
        await asyncio.gather(call.heard(880), passed.heard(440))
        call.hangup()
        await web.page.wait_for_function("spoken.readyState === 'ended'")  # no microphone in use


async def test_two_calls_at_once_are_connected_with_each_other(
    browser: Browser, company: Company
) -> None:
    ann, bob, eve = [await company.employee(ext) for ext in ("711", "712", "713")]
    async with (
        desk_phone(company, bob) as desk,
        desk_phone(company, eve) as other,
        logged_in(browser, company, ann) as (web, _),
    ):
        call = await desk.call("711")
        await web.call("incoming")
        await web.press("Answer")
        await call.answered()
        call.say(440)
        await web.dial("713")
        asked = await other.incoming()
        await web.call("held")
        await asked.answer(880)
        await web.hears(880)
        await web.panel.get_by_role("button", name="Connect them").first.click()
        await web.over()
        await asyncio.gather(call.heard(880), asked.heard(440))
        call.hangup()


async def test_one_tab_has_the_phone_and_the_next_gets_it(
    browser: Browser, company: Company
) -> None:
    ann, bob = await company.employee("711"), await company.employee("712")
    async with desk_phone(company, bob) as desk, logged_in(browser, company, ann) as (web, context):
        second = WebPhone(await context.new_page())
        await second.page.goto(web.page.url)
        await second.state("elsewhere")
        await second.open()
        await second.press("Use the phone here")
        await second.state("ready")
        await web.state("elsewhere")
        call = await desk.call("711")
        await second.call("incoming")
        assert await web.page.locator(".phone-call").count() == 0
        await web.open()
        await expect(web.page.locator("[data-phone-status]")).to_contain_text("Manager 712")
        await web.press("Answer here")
        await asyncio.gather(web.call("talking"), second.over(), second.state("elsewhere"))
        await call.answered()
        call.say(440)
        await asyncio.gather(web.hears(440), call.heard(VOICE_HZ))
        await second.press("Take the call over here")
        await asyncio.gather(second.call("talking"), web.over())
        await expect(second.page.locator(".phone-call strong")).to_have_text("Manager 712")
        await asyncio.gather(second.hears(440), call.heard(VOICE_HZ))
        call.hangup()
        await second.over()
        await second.page.close()
        await web.state("ready")
        await web.page.reload()
        await web.state("ready")
        call = await desk.call("711")
        await web.call("incoming")
        await web.press("Decline")
        assert (await call.ended()).code in (480, 486)


async def test_a_number_from_a_link_is_in_the_tab_that_has_the_phone(
    browser: Browser, company: Company
) -> None:
    """The browser opens `tel:` links in a tab of their own; nothing is called by that."""
    ann = await company.employee("711")
    async with logged_in(browser, company, ann) as (web, context):
        link = WebPhone(await context.new_page())
        await link.page.goto(web.page.url)
        await link.page.goto(link.page.url.rsplit("/", 1)[0] + "/phone?call=tel:%2B79101234567")
        await link.state("elsewhere")
        await expect(web.page.locator("[data-phone-dial] input")).to_have_value("+79101234567")
        await expect(web.page.locator("#phone-panel")).to_be_visible()
        assert await web.page.locator(".phone-call").count() == 0
        await web.page.close()
        await link.state("ready")
        await expect(link.page.locator("[data-phone-dial] input")).to_have_value("+79101234567")


async def test_two_browsers_talk_and_are_listened_to_and_who_logs_out_has_no_phone(
    browser: Browser, company: Company
) -> None:
    ann, bob, eve = [await company.employee(ext) for ext in ("711", "712", "713")]
    async with company.directory() as (directory, domain):
        await directory.users.edit(domain, eve, {"role": "admin"})
    async with (
        logged_in(browser, company, ann) as (one, _),
        logged_in(browser, company, bob) as (two, _),
        desk_phone(company, eve) as desk,
        supervising(company, eve) as supervise,
    ):
        await one.dial("712")
        await two.call("incoming")
        await two.press("Answer")
        await asyncio.gather(one.hears(VOICE_HZ), two.hears(VOICE_HZ))
        await supervise("listen")
        at_eve = await desk.incoming()
        await at_eve.answer(620)
        await at_eve.heard(VOICE_HZ)
        await asyncio.gather(one.press("Mute"), two.press("Mute"))
        await supervise("whisper")
        heard = 0
        async with asyncio.timeout(30):
            while not heard:
                tones = [await each.page.evaluate(PEAK) for each in (one, two)]
                heard = sum(abs(hz - 620) < 15 for hz in tones)
        assert heard == 1, "the other one hears nothing of it"
        await supervise("barge")
        await asyncio.gather(one.hears(620), two.hears(620))
        at_eve.hangup()
        await asyncio.gather(one.press("Unmute"), two.press("Unmute"))
        await asyncio.gather(one.hears(VOICE_HZ), two.hears(VOICE_HZ))
        await two.press("Hang up")
        await one.over()
        await two.page.locator("form[action='/logout'] button").click()
        await two.page.wait_for_url("**/login**")
        async with asyncio.timeout(20):
            while (await (await desk.call("712")).ended()).code != 480:
                await asyncio.sleep(0.3)


async def test_a_customer_is_called_by_the_name_in_the_crm_with_a_link_to_their_card(
    browser: Browser, company: Company
) -> None:
    """While it rings, in the last calls, and among people; a name is text and nothing else."""
    ann, name = await company.employee("711"), '<img src=x onerror="alert(1)">'
    customers = "79101234567"
    company.crm.contact = {"contact_name": name}
    async with company.directory() as (directory, domain):
        await directory.companies.edit(
            domain, {"crm_card_url": "https://crm.example/c?p={phone}&id={callid}&n={name}"}
        )
    await company.route(company.number, ann)
    host, _, port = company.pbx.sip.partition(":")
    hop = Hop("udp", host, int(port))
    async with (
        Carrier(hop, port=company.trunk_port) as carrier,
        logged_in(browser, company, ann) as (web, _),
    ):
        customer = await carrier.call(company.number, caller=customers)
        await web.call("incoming")
        await expect(web.page.locator(".phone-call strong")).to_have_text(name)
        link = web.page.locator(".phone-call a.phone-card")
        await expect(link).to_have_attribute("rel", "noopener noreferrer")
        address = urlsplit(await link.get_attribute("href") or "")
        asked = parse_qs(address.query)
        assert (address.hostname, asked["p"], asked["n"]) == (
            "crm.example",
            ["79101234567"],
            [name],
        )
        assert asked["id"][0].isdigit()
        await web.press("Decline")
        await customer.ended()
        await web.over()
        await web.page.get_by_text("Last calls", exact=True).click()
        last = web.page.locator("[data-phone-recents] li").first
        await expect(last).to_contain_text(name, timeout=20_000)
        await expect(last).to_contain_text("Missed")
        await expect(last.locator("a.phone-card")).to_have_count(1)
        await web.page.locator("[data-phone-dial] input").fill("onerror")
        await expect(web.page.locator("[data-phone-contacts] li")).to_contain_text([name])
        await web.page.locator("[data-phone-dial] input").fill("")
        await last.locator("button").click()
        back = await carrier.incoming()
        assert back.called == customers
        await web.press("Hang up")
        await web.over()
        assert await web.page.locator("img[src=x]").count() == 0
        assert await barriers_of(web.page) == []


async def barriers_of(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("() => axe.run('#phone')")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]


@asynccontextmanager
async def supervising(
    company: Company, supervisor: str
) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Yield how a supervisor is at the company's one call, or changes what they do there."""
    async with aiohttp.ClientSession(headers={"X-API-KEY": company.key}) as http:
        found: list[str] = []

        async def mode(wanted: str) -> None:
            if not found:
                async with http.get(company.pbx.api + "/calls") as answer:
                    found.extend(each["callid"] for each in await answer.json())
            path = f"{company.pbx.api}/calls/{found[0]}/supervise"
            async with http.post(path, json={"user": supervisor, "mode": wanted}) as answer:
                assert answer.status == 200, await answer.text()

        yield mode


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


async def test_a_second_call_waits_and_a_page_that_is_loaded_anew_leaves_nobody_hanging(
    browser: Browser, company: Company
) -> None:
    ann = await company.employee("711")
    async with company.directory() as (directory, domain):
        await directory.users.set_call_waiting(domain, ann, True)
    bob, eve = await company.employee("712"), await company.employee("713")
    async with (
        desk_phone(company, bob) as desk,
        desk_phone(company, eve) as other,
        logged_in(browser, company, ann) as (web, _),
    ):
        first = await desk.call("711")
        await web.call("incoming")
        await web.press("Answer")
        await first.answered()
        first.say(660)
        await web.hears(660)
        second = await other.call("711")
        await web.call("incoming")
        await asyncio.gather(web.hears(660), first.heard(VOICE_HZ))  # nothing is cut by it
        await web.press("Answer")
        await second.answered()
        await web.page.evaluate("vpbxPhone.panel.freshen()")  # as it does every few seconds
        await expect(web.page.locator("[data-phone-contacts] .dot.busy")).to_have_count(2)
        second.say(880)
        await asyncio.gather(web.hears(880), second.heard(VOICE_HZ), web.call("held"))
        second.hangup()
        await expect(web.page.locator(".phone-call")).to_have_count(1)
        await web.press("Resume")
        await asyncio.gather(web.hears(660), first.heard(VOICE_HZ))
        asked: list[str] = []

        async def leave(dialog: Dialog) -> None:
            asked.append(dialog.type)
            await dialog.accept()

        web.page.on("dialog", leave)
        await web.page.reload()
        assert asked == ["beforeunload"]
        await first.ended()
        await web.state("ready")


DESKTOP = """async () => {
  const worker = await navigator.serviceWorker.ready;
  return (await worker.getNotifications()).map(({ title, body, tag }) => [title, body, tag]);
}"""
CHOOSE = """async (action) => {
  const [notification] = await self.registration.getNotifications();
  self.dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
}"""


async def test_a_call_is_told_of_on_the_desktop_and_answered_or_declined_there(
    browser: Browser, company: Company
) -> None:
    """While the page is not looked at; a name is text there too."""
    ann, bob = await company.employee("711"), await company.employee("712")
    name = "<b>Bob</b> & Co"
    async with company.directory() as (directory, domain):
        await directory.users.edit(domain, bob, {"name": name})
    async with desk_phone(company, bob) as desk, logged_in(browser, company, ann) as (web, context):
        await context.grant_permissions(["notifications"])
        await web.page.evaluate("document.hasFocus = () => false")
        shown: list[list[str]] = []
        for action in ("decline", "answer"):
            call = await desk.call("711")
            await web.call("incoming")
            async with asyncio.timeout(20):
                while not (shown := await web.page.evaluate(DESKTOP)):
                    await asyncio.sleep(0.05)
            assert [each[:2] for each in shown] == [["Incoming call", f"{name} 712"]]
            worker = context.service_workers[0]
            await worker.evaluate(CHOOSE, action)
            if action == "decline":
                await call.ended()
            else:
                await call.answered()
                await web.call("talking")
                call.hangup()
            await web.over()
            async with asyncio.timeout(20):
                while await web.page.evaluate(DESKTOP):
                    await asyncio.sleep(0.05)


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
