"""The softphone in the console: a real Chromium, a real server, other people's phones."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import aiohttp
import pytest
from playwright.async_api import (
    Browser,
    Dialog,
    expect,
)

from tests.e2e.conftest import Company
from tests.support.rtcp import build_report
from tests.support.web_phone import PEAK, VOICE_HZ, WebPhone, desk_phone, logged_in, supervising
from vpbx.media.rtcp import parse
from vpbx.sim.call import Call

pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One browser for all of them: each person has a profile of their own in it."""


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
