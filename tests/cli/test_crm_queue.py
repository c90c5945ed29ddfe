"""What the CRM has not taken is visible to the administrator."""

from __future__ import annotations

import asyncio

from tests.support.ports import rtp_ports
from vpbx.app.server import App
from vpbx.config import ServeConfig
from vpbx.sim import Carrier, Crm
from vpbx.sip import Hop

from .conftest import Cli


async def test_commands_that_a_broken_crm_refuses_are_shown_with_the_reason(cli: Cli) -> None:
    app = App(
        ServeConfig.parse(
            data=cli.data,
            http="127.0.0.1:0",
            https="off",
            sip="127.0.0.1:0",
            sip_tls="off",
            rtp_ports=rtp_ports(),
        )
    )
    await app.start()
    assert app.config.sip is not None
    directory = app.directory
    async with Crm(token="t") as crm, Carrier(Hop("udp", "127.0.0.1", app.config.sip.port)) as c:
        crm.answer_with(500)
        made = await directory.companies.add("acme.example")
        await directory.trunk_rules.add("main", c.address)
        await directory.telnums.add(made.domain, "74951234567", trunk="main")
        await directory.integrations.set(made.domain, {"url": crm.url, "token": "t"})
        await (await c.call("74951234567")).ended()  # nobody has a phone
        async with asyncio.timeout(30):
            while not any(attempt.cmd == "history" for attempt in crm.attempts):
                await asyncio.sleep(0.02)
        (row,) = await asyncio.to_thread(cli.json, "crm", "queue", "acme.example")
        assert (row["cmd"], row["reason"]) == ("history", "HTTP 500")
        assert await asyncio.to_thread(cli.json, "crm", "queue", "acme.example", "--failed") == []
    await app.stop()
