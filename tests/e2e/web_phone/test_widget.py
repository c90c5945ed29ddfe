"""The phone in another site's page: two origins in a real Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Frame, FrameLocator, Page, expect

from tests.e2e.conftest import Company
from tests.support.web_phone import VOICE_HZ, WebPhone, desk_phone, logged_in
from vpbx.sim.phone import Phone

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLE = Path(__file__).parents[3] / "docs/widget-example.html"
TOLD = """window.told = [];
for (const type of ["ready", "ringing", "answered", "ended", "error"])
  addEventListener(`vpbx:${type}`, (event) => told.push({ type, ...event.detail }));
addEventListener("message", (event) => told.push({ type: "message", from: event.origin }));"""


EVIL = '<img src=x onerror="top.evil = 1">'
FORGERY = """<script>
for (const frame of [...Array(parent.length).keys()].map((n) => parent[n])) {
  frame.postMessage({ source: "vpbx-page", type: "dial", number: "712" }, "*");
}
parent.postMessage({ source: "vpbx-phone", type: "ringing", phone: "1" }, "*");
parent.postMessage("forged", "*");
</script>"""
"""What somebody else's frame beside the phone might say: an advertisement's, say."""


@asynccontextmanager
async def site(home: str) -> AsyncIterator[str]:
    """Another site, with the phone in its page (the one in docs); yields its origin."""
    example = await asyncio.to_thread(EXAMPLE.read_text)
    assert "https://pbx.example:8443/widget.js" in example

    async def page(request: web.Request) -> web.Response:
        text = example.replace("https://pbx.example:8443", home)
        return web.Response(text=text, content_type="text/html")

    app = web.Application()

    async def forge(request: web.Request) -> web.Response:
        return web.Response(text=FORGERY, content_type="text/html")

    app.router.add_get("/", page)
    app.router.add_get("/forge", forge)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def allow(of: Company, context: BrowserContext, home: str, origin: str) -> None:
    async with of.directory() as (directory, domain):
        await directory.companies.edit(domain, {"widget_origins": [origin]})
    async with asyncio.timeout(30):  # another process has changed it
        page = await context.new_page()
        while (await page.goto(f"{home}/widget?origin={quote(origin)}")).status != 200:
            await asyncio.sleep(0.2)
        await page.close()


async def told(page: Page, kind: str) -> dict[str, Any]:
    handle = await page.wait_for_function(
        "kind => told.find((each) => each.type === kind)", arg=kind, timeout=30_000
    )
    found: dict[str, Any] = await handle.json_value()
    return found


async def let_in(context: BrowserContext, page: Page, origin: str) -> FrameLocator:
    """Log in from the frame: in a tab of our own, where somebody is logged in already."""
    frame = page.frame_locator("iframe").first
    digits = await frame.locator("p.hint strong").inner_text()
    async with context.expect_page() as opened:
        await frame.get_by_role("link", name="Log in").click()
    own = await opened.value
    await expect(own.locator("main")).to_contain_text(origin)
    await expect(own.locator("main")).to_contain_text(digits)
    await own.get_by_role("button", name="Let it have my phone").click()
    await expect(own.locator("h1")).to_have_text("Done")
    await own.close()
    return frame


async def test_another_site_dials_and_is_told_what_happens(
    browser: Browser,
    company: Company,
) -> None:
    ann, bob = await company.employee("711"), await company.employee("712")
    async with (
        desk_phone(company, bob) as desk,
        logged_in(browser, company, ann) as (phone, context),
    ):
        home = "{0.scheme}://{0.netloc}".format(urlsplit(phone.page.url))
        async with site(home) as origin, site(home) as other:
            async with company.directory() as (directory, domain):
                await directory.users.edit(domain, bob, {"name": EVIL})
            await allow(company, context, home, origin)
            await phone.page.goto("about:blank")
            page = await context.new_page()
            await page.add_init_script(TOLD)
            await page.goto(origin)
            frame = await let_in(context, page, origin)
            await told(page, "ready")
            await page.evaluate("VpbxPhone.dial('712')")
            call = await desk.incoming()
            call.ring()
            rang = await told(page, "ringing")
            assert (rang["phone"], rang["direction"]) == ("712", "out")
            assert rang["callid"].isdigit()
            await call.answer(440)
            assert (await told(page, "answered"))["callid"] == rang["callid"]
            await call.heard(VOICE_HZ)
            await page.evaluate("VpbxPhone.hangup()")
            await call.ended()
            assert (await told(page, "ended"))["callid"] == rang["callid"]
            await page.evaluate("told.length = 0")
            back = await desk.call("711")
            rang = await told(page, "ringing")
            assert (rang["phone"], rang["direction"], rang["name"]) == ("712", "in", EVIL)
            await expect(frame.locator(".phone-call strong")).to_have_text(EVIL)
            assert await frame.locator("img[src=x]").count() == 0
            await frame.get_by_role("button", name="Answer").click()
            await back.answered()
            back.hangup()
            await told(page, "ended")
            await page.locator("[data-vpbx-dial]").click()  # a number in the page
            call = await desk.incoming()
            call.reject(603)
            await one_of_a_browser_is_heard(context, page, home, desk)
            await told(page, "ended")
            await page.evaluate("told.length = 0")
            await page.evaluate(
                """url => document.body.append(
                     Object.assign(document.createElement("iframe"), { src: url }))""",
                f"{other}/forge",
            )
            await page.wait_for_function("url => told.some((each) => each.from === url)", arg=other)
            assert {each["type"] for each in await page.evaluate("told")} == {"message"}
            await expect(frame.locator(".phone-call")).to_have_count(0)
            await stranger_is_refused(context, home, origin, other)


RUNG = """window.rung = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) {
  window.rung += 1;
  return start.apply(this, when);
};
0;"""


async def rings(where: Page | Frame) -> None:
    """Wait for a sound; asked from outside, as our pages let no script make scripts."""
    async with asyncio.timeout(30):
        while not await where.evaluate("rung"):
            await asyncio.sleep(0.1)


async def one_of_a_browser_is_heard(
    context: BrowserContext, page: Page, home: str, desk: Phone
) -> None:
    """The console and the phone in a CRM's page both show a call; who is looked at makes the
    sound, and answered in one it is over in the other. Should who makes it be closed, the other
    one does."""
    frame = next(each for each in page.frames if "/widget" in each.url)
    await frame.evaluate(RUNG)
    console = WebPhone(await context.new_page())
    await console.page.add_init_script(RUNG)
    await console.page.goto(f"{home}/me")
    await console.state("ready")
    in_page = page.frame_locator("iframe").first.locator(".phone-call")
    for looked, other in ((frame, console.page), (console.page, frame)):
        await (console.page if looked is console.page else page).bring_to_front()
        for each in (looked, other):
            await each.evaluate("rung = 0")
        async with (
            console.page.expect_response("**/phone/seen")
            if looked is console.page
            else (page.expect_response("**/phone/seen"))
        ):
            await looked.locator("[data-phone=toggle]").click()
        call = await desk.call("711")
        await asyncio.gather(console.call("incoming"), expect(in_page).to_have_count(1))
        await rings(looked)
        assert await other.evaluate("rung") == 0
        await looked.get_by_role("button", name="Answer").click()
        await call.answered()
        await expect(looked.locator(".phone-call[data-state=talking]")).to_have_count(1)
        await expect(other.locator(".phone-call")).to_have_count(0)
        call.hangup()
        await asyncio.gather(console.over(), expect(in_page).to_have_count(0))
    await frame.evaluate("rung = 0")  # the console was looked at last
    call = await desk.call("711")
    await asyncio.gather(console.call("incoming"), expect(in_page).to_have_count(1))
    await rings(console.page)
    assert await frame.evaluate("rung") == 0
    await console.page.close()
    await rings(frame)
    call.hangup()
    await expect(in_page).to_have_count(0)


async def stranger_is_refused(context: BrowserContext, home: str, allowed: str, other: str) -> None:
    """A site that is not allowed has no phone, also not in the name of one that is; and what it
    says to a frame counts for nothing."""
    page = await context.new_page()
    await page.add_init_script(TOLD)
    await page.goto(other)
    await expect(page.locator("iframe")).to_have_count(1)
    await page.evaluate(
        """async (url) => {
            const frame = document.createElement("iframe");
            const message = { type: "dial", number: "712" };
            frame.src = url;
            document.body.append(frame);
            await new Promise((resolve) => { frame.onload = resolve; });
            frame.contentWindow.postMessage({ source: "vpbx-page", ...message }, "*");
        }""",
        f"{home}/widget?origin={quote(allowed)}",
    )
    await page.evaluate("VpbxPhone.dial('712')")
    for each in page.frames[1:]:
        assert await each.locator("#phone, [data-widget-ask]").count() == 0
    assert await page.evaluate("told") == []
    refused = await page.goto(f"{home}/widget?origin={quote(other)}")
    assert refused is not None
    assert refused.status == 403
    assert "frame-ancestors 'none'" in refused.headers["content-security-policy"]
