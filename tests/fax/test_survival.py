"""A fax that a power cut interrupts: what its sender was told has arrived is there afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import Company, make_company
from tests.fax.caller import FaxCaller, Way
from tests.support.crm import Receiver
from tests.support.fax import page, pages_in, same_picture, write_tiff
from tests.support.mail import MailServer
from tests.support.pbx import Pbx
from vpbx.sim import Carrier
from vpbx.sip import Hop

CLIENT = "79101234567"


async def test_pages_of_before_a_power_cut_arrive_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = MailServer()
    await mail.start()
    monkeypatch.setenv("VPBX_SMTP", mail.url)
    monkeypatch.setenv("VPBX_MAIL_FROM", "pbx@vpbx.example")
    pbx = Pbx(tmp_path / "data")
    pages = [page(31, rows=80), page(32, rows=900)]
    try:
        await asyncio.to_thread(pbx.start)
        async with Receiver() as crm:
            company = await make_company(pbx, tmp_path, crm)
            login = await company.employee("710")
            await company.route(company.number, login)
            async with company.directory() as (directory, domain):
                await directory.users.edit(domain, login, {"email": "user@acme.example"})
                values = {"type": "fax", "user": login, "greeting": False}
                await directory.telnums.edit(domain, company.number, values)
            await _takes_faxes(company)
            host, _, port = pbx.sip.partition(":")
            hop = Hop("udp", host, int(port))
            async with Carrier(hop, port=company.trunk_port) as carrier:
                sender = FaxCaller(Way.ONLY, write_tiff(tmp_path / "two.tiff", pages))
                await sender.begin(carrier.stack, company.number, hop, CLIENT)
                await sender.until_pages(1)
                await asyncio.sleep(1)  # into the second page
                pbx.kill()
                sender.close()
            await asyncio.to_thread(pbx.start)
            history = await crm.gets("history")
            assert (history["status"], history["user"], history["phone"]) == (
                "Success",
                login,
                CLIENT,
            )
            url = pbx.api + history["link"].partition("/crmapi/v1")[2]
            async with aiohttp.ClientSession() as http, http.get(url) as got:
                assert got.status == 200, await got.text()
                content = await got.read()
            [arrived] = pages_in(content)
            assert same_picture(arrived, pages[0])
            await mail.until(1)
            assert mail.recipients == ["user@acme.example"]
            [attachment] = mail.letters[0].iter_attachments()
            assert attachment.get_content() == content
            spool = pbx.data / "sound"
            async with asyncio.timeout(30):
                while list(spool.rglob("*.tif")):
                    await asyncio.sleep(0.05)
    finally:
        pbx.kill()
        await mail.stop()


async def _takes_faxes(company: Company) -> None:
    """Wait until the server knows what was set beside it: it looks twice a second."""
    url, headers = f"{company.pbx.api}/telnums/{company.number}", {"X-API-KEY": company.key}
    async with asyncio.timeout(30), aiohttp.ClientSession(headers=headers) as http:
        while True:
            async with http.get(url) as got:
                if (await got.json())["type"] == "fax":
                    return
            await asyncio.sleep(0.2)
