"""Click to call over HTTP (crm-api §5), as the clients that exist send it; phones really ring."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.api.conftest import Api, Server
from tests.api.raw import ask_raw
from tests.calls.world import (
    ANN,
    BOB,
    CUSTOMER,
    DOMAIN,
    OFFICE,
    Agent,
    World,
    found_company,
    media_config,
)
from vpbx.accounts import Audit
from vpbx.api import ApiConfig, ApiServices, create_app
from vpbx.api.rates import Rates
from vpbx.clock import LoopClock, ManualClock
from vpbx.history import Encoding, History, RecordingLinks
from vpbx.media import MediaEngine
from vpbx.media.rtp import goertzel
from vpbx.sim.call import Call as SimCall

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def switch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("makecall")
    media = MediaEngine(media_config(folder / "media"))
    await media.start()
    company = folder / "company.sqlite3"
    await found_company(company)
    world = World(folder, media, company)
    await world.start()
    yield world
    await world.stop()
    await media.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def changes(switch: World) -> Audit:
    return Audit(switch.database, switch.directory)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(switch: World, changes: Audit) -> AsyncIterator[Api]:
    history = History(
        switch.database, RecordingLinks(b"0123456789abcdef"), switch.folder, Encoding()
    )
    config = ApiConfig(makecalls_per_second=1000)
    services = ApiServices(
        switch.directory, history, switch.service, LoopClock(), config, changes=changes
    )
    key = (await switch.directory.keys.add(await switch.domain())).key
    async with Server(create_app(services)) as base, aiohttp.ClientSession() as session:
        yield Api(base, key, session, DOMAIN)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phone(switch: World) -> Phone:
    return Phone(switch, await switch.phone(ANN))


class Phone:
    """Ann's phone, which tells who it was rung for and takes no call."""

    def __init__(self, switch: World, agent: Agent) -> None:
        self._switch = switch
        self.agent = agent

    async def incoming(self) -> SimCall:
        """Wait for a call and let it ring."""
        return await self.agent.incoming()

    async def rings(self) -> str:
        """Wait for a call, refuse it, and return the number it was shown."""
        call = await self.agent.incoming()
        assert call.session is not None
        shown: str = call.session.from_.uri.user
        call.session.hangup(486)
        async with asyncio.timeout(30):
            while self._switch.service.active():
                await asyncio.sleep(0.01)
        return shown


async def test_the_answer_comes_while_the_phone_still_rings(api: Api, phone: Phone) -> None:
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN, "clid": OFFICE})
    assert made == {"callid": made["callid"], "clid": OFFICE}
    assert made["callid"].isdigit()
    assert await phone.rings() == OFFICE


async def test_a_clid_that_may_not_be_used_is_left_out(api: Api, phone: Phone) -> None:
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN, "clid": "79990000000"})
    assert made.keys() == {"callid"}
    await phone.rings()


async def test_php_sends_multipart(api: Api, phone: Phone) -> None:
    """`CURLOPT_POSTFIELDS => ['phone' => …]`: multipart, true as 1, false as nothing."""
    fields = {"phone": "8 (910) 123-45-67", "user": "702", "show_phone": "1", "clid": ""}
    body = b"".join(
        f'--------------------------d74496d66958873e\r\nContent-Disposition: form-data; name="{k}"'
        f"\r\n\r\n{v}\r\n".encode()
        for k, v in fields.items()
    )
    body += b"--------------------------d74496d66958873e--\r\n"
    head = (
        f"POST /crmapi/v1/makecall HTTP/1.1\r\nHost: {DOMAIN}\r\nAccept: */*\r\n"
        f"X-API-KEY: {api.key}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=------------------------d74496d66958873e\r\n"
        "\r\n"
    )
    answer = await ask_raw(api.base, head.encode() + body)
    assert answer.status == 200
    assert answer.json().keys() == {"callid"}
    assert await phone.rings() == CUSTOMER
    form = aiohttp.FormData({**fields, "show_phone": ""}, default_to_multipart=True)
    assert (await api("POST", "/makecall", data=form)).status == 200
    assert await phone.rings() == OFFICE


async def test_curl_d_sends_json_as_a_form(api: Api, phone: Phone) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b'{"phone": 79101234567, "user": "ann", "show_phone": "true"}'
    assert (await api("POST", "/makecall", data=body, headers=headers)).status == 200
    assert await phone.rings() == CUSTOMER


async def test_a_department_in_place_of_an_employee(api: Api, phone: Phone, switch: World) -> None:
    made = await api.post("/makecall", data={"phone": CUSTOMER, "group": switch.group_id})
    assert made.keys() == {"callid"}
    await phone.rings()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"user": ANN}, "phone"),
        ({"phone": "nobody", "user": ANN}, "phone"),
        ({"phone": "", "user": ANN}, "phone"),
        ({"phone": CUSTOMER}, "user"),
        ({"phone": CUSTOMER, "user": "nobody"}, "user"),
        ({"phone": CUSTOMER, "user": BOB}, "user"),
        ({"phone": CUSTOMER, "group": "none"}, "group"),
        ({"phone": CUSTOMER, "user": ANN, "show_phone": "maybe"}, "show_phone"),
    ],
)
async def test_what_cannot_be_called_is_refused(api: Api, sent: dict[str, str], field: str) -> None:
    assert await api.refused("POST", "/makecall", json=sent) == {field}


async def test_a_call_in_progress_is_shown_and_ended(
    api: Api, switch: World, phone: Phone, changes: Audit
) -> None:
    assert await api.get("/calls") == []
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
    (shown,) = await api.get("/calls")
    assert (shown["callid"], shown["direction"]) == (made["callid"], "out")
    assert (shown["phone"], shown["user"], shown["state"]) == (CUSTOMER, ANN, "ringing")
    call = await phone.agent.incoming()
    await call.answer(880)
    customer = await switch.carrier.incoming()
    assert (await api.get("/calls"))[0]["state"] == "dialing"
    await customer.answer(440)
    await customer.heard(880)
    (shown,) = await api.get("/calls")
    assert (shown["state"], shown["on_hold"], shown["recording"]) == ("talking", False, True)
    assert (shown["user_name"], shown["diversion"]) == ("Ann", OFFICE)
    assert shown["since"] <= shown["answered"]
    path = f"/calls/{made['callid']}/hangup"
    looks = (await switch.directory.keys.add(await switch.domain(), ["Employees:View"])).key
    assert (await api("POST", path, key=looks)).status == 403
    other = (await switch.directory.companies.add("other.example")).domain
    theirs = (await switch.directory.keys.add(other)).key
    stranger = Api(api.base, theirs, api.session, "other.example")
    assert await stranger.get("/calls") == []
    await stranger.refused("POST", path, 404)
    await api.post(path)
    assert await told(changes, switch, made["callid"]) == ["ended"]
    await asyncio.gather(call.ended(), customer.ended())
    await switch.quiet()
    assert await api.get("/calls") == []
    await api.refused("POST", path, 404)
    assert await told(changes, switch, made["callid"]) == ["ended"], "refusals change nothing"


async def told(changes: Audit, switch: World, callid: str) -> list[str]:
    """Return what the log of changes keeps of a call, by keys of the API."""
    found = await changes.find((await switch.domain()).id, search=f"calls.{callid}")
    assert all(entry.via == "api" and entry.actor.startswith("API key ") for entry in found)
    return [entry.after for entry in found]


async def test_a_call_is_passed_on_by_the_api(
    api: Api, phone: Phone, switch: World, changes: Audit
) -> None:
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
    path = f"/calls/{made['callid']}/transfer"
    call = await phone.agent.incoming()
    assert "callid" in await api.refused("POST", path, 400, json={"to": "703"})  # nobody talks yet
    await call.answer(880)
    customer = await switch.carrier.incoming()
    await customer.answer(440)
    await customer.heard(880)
    for wrong in ("702", "no such name"):  # to themselves, to nobody
        assert "to" in await api.refused("POST", path, 400, json={"to": wrong})
    await customer.heard(880)
    bob = await switch.phone("bob")
    await api.post(path, json={"to": "703"})
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(customer.heard(660), at_bob.heard(440), call.ended())
    assert await told(changes, switch, made["callid"]) == ["passed on to 703"]
    (shown,) = await api.get("/calls")
    assert shown["callid"] != made["callid"]
    assert (shown["user"], shown["direction"], shown["phone"]) == ("bob", "out", CUSTOMER)
    await api.refused("POST", path, 404, json={"to": "703"})  # the old callid is over
    customer.hangup()
    await switch.quiet()


async def test_a_call_is_passed_on_after_a_talk_by_the_api(
    api: Api, phone: Phone, switch: World
) -> None:
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
    path = f"/calls/{made['callid']}/transfer"
    call = await phone.agent.incoming()
    await call.answer(880)
    customer = await switch.carrier.incoming()
    await customer.answer(440)
    await customer.heard(880)
    wrong = {"to": "703", "mode": "somehow"}
    assert "mode" in await api.refused("POST", path, 400, json=wrong)
    bob = await switch.phone("bob")
    await api.post(path, json={"to": "703", "mode": "attended"})
    at_bob = await bob.incoming()
    await at_bob.answer(660)
    await asyncio.gather(call.heard(660), at_bob.heard(880))
    call.hangup()
    await asyncio.gather(customer.heard(660), at_bob.heard(440))
    (shown,) = await api.get("/calls")
    assert (shown["callid"], shown["user"]) == (made["callid"], "bob")
    customer.hangup()
    await switch.quiet()


async def test_a_call_is_listened_to_by_the_api(api: Api, phone: Phone, switch: World) -> None:
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
    path = f"/calls/{made['callid']}/supervise"
    call = await phone.agent.incoming()
    await call.answer(880)
    customer = await switch.carrier.incoming()
    assert "callid" in await api.refused("POST", path, 400, json={"user": "admin"})
    await customer.answer(440)
    await customer.heard(880)
    assert "user" in await api.refused("POST", path, 400, json={"user": BOB})  # a plain user
    wrong = {"user": "admin", "mode": "spy"}
    assert "mode" in await api.refused("POST", path, 400, json=wrong)
    admin = await switch.phone("admin")
    theirs = await api.post(path, json={"user": "admin"})
    at_admin = await admin.incoming()
    await at_admin.answer(660)
    again = await api.post(path, json={"user": "admin", "mode": "barge"})
    assert again == theirs
    assert customer.rtp is not None
    async with asyncio.timeout(30):  # both voices are in what the customer hears
        while goertzel(customer.rtp.pcm(0.25), 660) < 0.15:
            await customer.rtp.hear(5)
    shown = {each["callid"]: each for each in await api.get("/calls")}
    assert shown[theirs["callid"]]["supervises"] == made["callid"]
    assert shown[theirs["callid"]]["mode"] == "barge"
    other = (await switch.directory.companies.add("elsewhere.example")).domain
    key = (await switch.directory.keys.add(other)).key
    stranger = Api(api.base, key, api.session, "elsewhere.example")
    await stranger.refused("POST", path, 404, json={"user": "admin"})
    await api.post(f"/calls/{theirs['callid']}/hangup")
    await at_admin.ended()
    await customer.heard(880)
    customer.hangup()
    await switch.quiet()


async def test_a_ringing_call_is_taken_by_the_api(
    api: Api, phone: Phone, switch: World, changes: Audit
) -> None:
    customer = await switch.customer_calls(tone_hz=440)
    ringing = await phone.agent.incoming()
    ringing.ring()
    await customer.ringing()
    (shown,) = await api.get("/calls")
    path = f"/calls/{shown['callid']}/pickup"
    admin = await switch.phone("admin")
    await api.post(path, json={"user": "admin"})
    at_admin = await admin.incoming()
    await at_admin.answer(660)
    await asyncio.gather(customer.heard(660), at_admin.heard(440), ringing.ended())
    assert "callid" in await api.refused("POST", path, 400, json={"user": "admin"})
    assert await told(changes, switch, shown["callid"]) == ["picked up for admin"]
    customer.hangup()
    await switch.quiet()


async def test_a_call_is_parked_by_the_api(api: Api, phone: Phone, switch: World) -> None:
    made = await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
    call = await phone.agent.incoming()
    await call.answer(880)
    customer = await switch.carrier.incoming()
    await customer.answer(440)
    await customer.heard(880)
    await api.post(f"/calls/{made['callid']}/transfer", json={"to": "*5"})
    async with asyncio.timeout(30):
        while [each["parked"] for each in await api.get("/calls")] != ["51"]:
            await asyncio.sleep(0.05)
    bob = await switch.phone("bob")
    taken = await switch.phone_calls(bob, "51", tone_hz=660)
    await asyncio.gather(customer.heard(660), taken.heard(440))
    assert [each["parked"] for each in await api.get("/calls")] == [""]
    del call
    customer.hangup()
    await switch.quiet()


async def test_the_older_version_makes_calls_too(api: Api, phone: Phone) -> None:
    fields = {
        "cmd": "makeCall",
        "token": api.key,
        "phone": f"+{CUSTOMER}",
        "user": f"{ANN}@{DOMAIN}",
    }
    url = api.base + "/sys/crm_api.wcgp"
    async with api.session.post(url, data=fields, headers={"Host": DOMAIN}) as reply:
        made = await reply.json()
    assert reply.status == 200
    assert made["CallID"] == made["callid"] == (await api.get("/calls"))[0]["callid"]
    assert await phone.rings() == OFFICE


async def test_an_employee_has_at_most_four_calls_made_at_once(
    api: Api, phone: Phone, switch: World
) -> None:
    ringing = []
    for _ in range(4):
        await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
        ringing.append(await phone.incoming())
    refused = await api("POST", "/makecall", json={"phone": CUSTOMER, "user": "702"})
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "4 calls" in refused.json()["message"]
    for call in ringing:
        call.hangup()
    await switch.quiet()
    await api.post("/makecall", json={"phone": CUSTOMER, "user": ANN})
    await phone.rings()


async def test_a_key_may_ask_for_so_many_calls_a_second(switch: World) -> None:
    clock = ManualClock()
    history = History(
        switch.database, RecordingLinks(b"0123456789abcdef"), switch.folder, Encoding()
    )
    services = ApiServices(
        switch.directory, history, switch.service, clock, ApiConfig(makecalls_per_second=2)
    )
    keys = [(await switch.directory.keys.add(await switch.domain())).key for _ in range(2)]
    call = {"json": {"phone": CUSTOMER, "user": ANN}}
    async with Server(create_app(services)) as base, aiohttp.ClientSession() as session:
        one, other = (Api(base, key, session, DOMAIN) for key in keys)
        for _ in range(2):
            await one.post("/makecall", **call)
        refused = await one("POST", "/makecall", **call)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        await other.post("/makecall", **call)
        clock.advance(0.5)
        await one.post("/makecall", **call)
    for live in switch.service.active():
        switch.service.hang_up(DOMAIN, live.info.callid)
    await switch.quiet()


async def test_rates_are_regained_by_and_by_and_each_has_its_own() -> None:
    clock = ManualClock()

    def take(rates: Rates, who: str) -> int:
        if wait_s := rates.wait_s(who):
            return wait_s
        rates.count(who)
        return 0

    rates = Rates(clock, 2)
    assert [take(rates, "a") for _ in range(3)] == [0, 0, 1]
    assert take(rates, "b") == 0
    clock.advance(0.5)
    assert [take(rates, "a") for _ in range(2)] == [0, 1]
    clock.advance(60)
    assert [take(rates, "a") for _ in range(3)] == [0, 0, 1]
    slow = Rates(clock, 0.1)
    assert [take(slow, "a") for _ in range(2)] == [0, 10]
    free = Rates(clock, 0)
    assert [take(free, "a") for _ in range(1000)] == [0] * 1000
