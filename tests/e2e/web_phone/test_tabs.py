"""The softphone in pages: which tab has it, whom it shows, what it tells on the desktop."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import (
    Browser,
    expect,
)

from tests.e2e.conftest import Company
from tests.support.web_phone import VOICE_HZ, WebPhone, barriers_of, desk_phone, logged_in
from vpbx.sim.carrier import Carrier
from vpbx.sip import Hop

pytestmark = pytest.mark.asyncio(loop_scope="module")
"""One browser for all of them: each person has a profile of their own in it."""


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
