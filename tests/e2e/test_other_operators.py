"""A number of another operator, whose registrar and proxy is Kamailio (crm-api §14, §17)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.calls.world import Agent
from tests.e2e.conftest import Company
from tests.support.kamailio import PASSWORD, Kamailio
from tests.support.pbx import free_port
from vpbx.sim import Phone
from vpbx.sip import Hop, Listen

pytestmark = pytest.mark.skipif(
    not Kamailio.installed(), reason="Kamailio is not installed (apt-get install kamailio)"
)

THERE = "operator.example"
LOGIN = "100200"
CUSTOMER = "79101234567"


class Peer(Agent):
    """The world beyond the operator, at a port of its own."""

    def __init__(self, port: int) -> None:
        super().__init__("peer")
        self._config = type(self._config)(
            listens=(Listen("udp", "127.0.0.1", port),), user_agent="peer"
        )


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer(free_port())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def operator(tmp_path: Path, peer: Peer) -> AsyncIterator[Kamailio]:
    async with Kamailio(tmp_path / "kamailio", THERE, free_port(), peer.port) as made:
        yield made


class Api:
    """The CRM API as a CRM uses it."""

    def __init__(self, company: Company, http: aiohttp.ClientSession) -> None:
        self._company, self._http = company, http

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-API-KEY": self._company.key}
        url = self._company.pbx.api + path
        async with self._http.request(method, url, json=body, headers=headers) as got:
            assert got.status in (200, 204), await got.text()
            return await got.json() if got.status == 200 else None

    async def status(self, telnum: str, wanted: str, timeout_s: float = 30) -> None:
        async with asyncio.timeout(timeout_s):
            while (found := await self("GET", f"/sip-registrations/{telnum}"))["status"] != wanted:
                await asyncio.sleep(0.1)
        assert "password" not in found
        assert "login" not in found


@pytest.fixture
async def api(company: Company) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        yield Api(company, http)


def registration(company: Company, operator: Kamailio, **values: Any) -> dict[str, Any]:
    return {
        "telnum": company.number.replace("7499", "7498"),
        "name": "The other one",
        "domain": THERE,
        "login": LOGIN,
        "password": PASSWORD,
        "proxy": f"127.0.0.1:{operator.port}",
        **values,
    }


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_calls_come_and_go_through_a_registrar_nobody_here_wrote(
    company: Company, operator: Kamailio, peer: Peer, api: Api, transport: str
) -> None:
    proxy = f"sip:127.0.0.1:{operator.port};transport={transport}"
    made = await api("POST", "/sip-registrations", registration(company, operator, proxy=proxy))
    telnum = made["telnum"]
    assert made["status"] == "waiting"
    await api.status(telnum, "success")

    login = await company.employee("711")
    await api("PUT", f"/telnums/{telnum}", {"type": "user", "user": login, "greeting": False})
    await api("POST", "/caller-ids/users", {"telnum": telnum, "login": login})
    host, _, port = company.pbx.sip.partition(":")
    registrar = Hop("udp", host, int(port))
    async with Phone(login, company.password, company.domain, registrar) as phone:
        # in: the operator finds us by the Contact we registered
        call = await peer.invite(
            f"sip:{LOGIN}@{THERE}",
            Hop("udp", "127.0.0.1", operator.port),
            from_=f"<sip:{CUSTOMER}@{THERE}>",
            tone_hz=440,
        )
        taken = await phone.incoming()
        await taken.answer(880)
        await call.answered()
        await asyncio.gather(call.heard(880), taken.heard(440))
        call.hangup()
        await taken.ended()
        history = await company.crm.gets("history", type="in")
        assert (history["phone"], history["diversion"]) == (CUSTOMER, telnum)
        # out: it wants the password (407), and stays in the path (Record-Route)
        call = await phone.call(CUSTOMER, tone_hz=440)
        customer = await peer.incoming()
        customer.ring()
        await customer.answer(880)
        await call.answered()
        await asyncio.gather(call.heard(880), customer.heard(440))
        assert customer.session is not None
        assert customer.session.from_.uri.user == LOGIN
        call.hangup()
        await customer.ended()
        history = await company.crm.gets("history", type="out")
        assert (history["phone"], history["status"]) == (CUSTOMER, "Success")

    await api("PUT", f"/sip-registrations/{telnum}", {"active": False})
    await api.status(telnum, "off")
    async with asyncio.timeout(30):
        while True:  # the operator has let go of us
            call = await peer.invite(
                f"sip:{LOGIN}@{THERE}",
                Hop("udp", "127.0.0.1", operator.port),
                from_=f"<sip:{CUSTOMER}@{THERE}>",
            )
            if (await call.ended()).code == 404:
                break


class Hook:
    """Takes webhooks, the first few of them badly."""

    def __init__(self, refuse: int = 0) -> None:
        self.refuse = refuse
        self.bodies: list[dict[str, Any]] = []
        self.url = ""

    async def __aenter__(self) -> Hook:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=503)
        assert request.content_type == "application/json"
        self.bodies.append(await request.json())
        return web.Response()

    async def number(self, count: int) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while len(self.bodies) < count:
                await asyncio.sleep(0.05)
        return self.bodies[count - 1]


async def test_a_failure_is_told_by_webhook_once_and_again_after_a_recovery(
    company: Company, operator: Kamailio, api: Api
) -> None:
    async with Hook(refuse=2) as hook:
        made = await api("POST", "/webhook", {"type": "sipregs_error", "url": hook.url})
        wrong = registration(company, operator, password="wrong")
        telnum = (await api("POST", "/sip-registrations", wrong))["telnum"]
        await api.status(telnum, "error")
        body = await hook.number(1)  # refused twice, taken then
        assert body == {
            "cmd": "webhook",
            "type": "sipregs_error",
            "crm_token": f"token-{company.domain}",
            "id": made["id"],
            "data": {"telnum": telnum, "name": "The other one", "domain": THERE},
        }
        await asyncio.sleep(8)  # it is tried again meanwhile, and fails again
        assert len(hook.bodies) == 1
        await api("PUT", f"/sip-registrations/{telnum}", {"password": PASSWORD})
        await api.status(telnum, "success")
        await api("PUT", f"/sip-registrations/{telnum}", {"password": "wrong"})
        await api.status(telnum, "error")
        await hook.number(2)
        await api("DELETE", f"/webhook/{made['id']}")
    assert "kam pass" not in company.pbx.log()
