"""The softphone in the console, as an employee has it before them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
)

from tests.e2e.conftest import Company
from tests.support.chromium import AXE
from vpbx.sim.phone import Phone
from vpbx.sip import Hop

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
