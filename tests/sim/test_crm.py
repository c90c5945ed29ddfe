"""The simulated CRM: takes commands as a real one would, and misbehaves when told to."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from vpbx.sim import Crm


async def post(crm: Crm, timeout_s: float = 30, **fields: str) -> tuple[int, dict[str, str]]:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(crm.url, data=fields) as answer,
    ):
        return answer.status, await answer.json()


async def test_command_sent_as_a_form_is_kept_with_its_fields() -> None:
    async with Crm() as crm:
        assert await post(crm, cmd="event", crm_token="t", type="INCOMING") == (200, {})
        command = await crm.received("event", type="INCOMING")
        assert (command["type"], command.token) == ("INCOMING", "t")
        assert command.content_type == "application/x-www-form-urlencoded"


async def test_command_sent_as_json_is_kept_too() -> None:
    async with Crm() as crm, aiohttp.ClientSession() as session:
        body = {"cmd": "rating", "crm_token": "t", "rating": 5}
        async with session.post(crm.url, json=body) as answer:
            assert answer.status == 200
        assert (await crm.received("rating"))["rating"] == "5"


async def test_contact_is_answered_from_the_address_book() -> None:
    async with Crm(contacts={"79101112233": ("Anna", "olga")}) as crm:
        known = await post(crm, cmd="contact", phone="79101112233")
        assert known == (200, {"contact_name": "Anna", "responsible": "olga"})
        assert await post(crm, cmd="contact", phone="70000000000") == (200, {})


async def test_waiting_for_a_command_ends_when_it_comes() -> None:
    async with Crm() as crm:
        waiting = asyncio.create_task(crm.received("history", count=2))
        await post(crm, cmd="history", callid="1")
        await post(crm, cmd="history", callid="2")
        assert (await waiting)["callid"] == "2"


async def test_waiting_in_vain_says_what_came_instead() -> None:
    async with Crm() as crm:
        await post(crm, cmd="event", type="INCOMING")
        with pytest.raises(TimeoutError, match="event type=INCOMING"):
            await crm.received("history", timeout_s=0.05)


async def test_wrong_token_is_refused_and_not_counted_as_received() -> None:
    async with Crm(token="right") as crm:
        assert (await post(crm, cmd="event", crm_token="wrong"))[0] == 401
        assert not crm.commands
        assert crm.attempts[0].status == 401


async def test_json_only_crm_refuses_a_form() -> None:
    async with Crm() as crm:
        crm.json_only = True
        assert (await post(crm, cmd="event"))[0] == 415


async def test_crm_fails_hangs_drops_and_recovers_as_told() -> None:
    async with Crm() as crm:
        crm.answer_with(500)
        assert (await post(crm, cmd="event"))[0] == 500
        crm.hang()
        with pytest.raises(TimeoutError):
            await post(crm, timeout_s=0.1, cmd="event")
        crm.drop()
        with pytest.raises(aiohttp.ClientError):
            await post(crm, cmd="event")
        assert not crm.commands
        crm.recover()
        assert (await post(crm, cmd="event"))[0] == 200
        assert [attempt.status for attempt in crm.attempts] == [500, 0, 0, 200]


async def test_stopped_crm_refuses_connections_and_comes_back_on_the_same_port() -> None:
    async with Crm() as crm:
        url = crm.url
        await crm.stop()
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(crm, cmd="event")
        await crm.start()
        assert crm.url == url
        assert (await post(crm, cmd="event"))[0] == 200
