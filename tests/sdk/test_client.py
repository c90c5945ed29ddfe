"""The SDK against a running server: every operation is known, typed, and says what went wrong."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import httpx
import pytest

from tests.sdk.conftest import DOMAIN, Cloud
from vpbx_sdk import (
    Client,
    NotFound,
    RateLimited,
    Unauthorized,
    Unreachable,
    ValidationFault,
    api,
    normalize,
)
from vpbx_sdk.operation import OPERATIONS

NOT_FOR_THE_SDK = {
    ("GET", "/history/csv"),
    ("GET", "/history/inner/csv"),
    ("GET", "/events/stream"),
    ("GET", "/records/{callid}/{signature}.mp3"),
}
"""The same as JSON, for spreadsheets; events as they come, for what reads server-sent events;
and what a row's `record` links to."""


async def test_sdk_knows_every_operation_that_the_server_documents(cloud: Cloud) -> None:
    url = f"{cloud.url}/crmapi/v1/openapi.json"
    async with aiohttp.ClientSession() as session, session.get(url) as got:
        paths: dict[str, dict[str, Any]] = (await got.json())["paths"]
    documented = {
        (method.upper(), path.removeprefix("/crmapi/v1"))
        for path, operations in paths.items()
        for method in operations
        if method in ("get", "post", "put", "delete")
    }
    assert documented - NOT_FOR_THE_SDK - OPERATIONS == set(), "the SDK lacks these"
    assert OPERATIONS - documented == set(), "the server does not have these"


async def test_employees_departments_and_numbers_are_typed(cloud: Cloud) -> None:
    async with cloud.async_client() as pbx:
        olga = await pbx(api.users.get("702", status=True))
        assert (olga.login, olga.status, olga.telnum) == ("olga", "offline", "74951234567")
        made = await pbx(api.users.add(name="Иван", mobile="8 910 123-45-67"))
        assert len(made.password) >= 8
        assert made.password not in repr(made)
        assert made.mobile == "79101234567"
        group = await pbx(
            api.groups.add(
                name="Sales", users=[{"login": "olga", "calls_enable": True}], call_order="EVENLY"
            )
        )
        await pbx(api.groups.change_users(group.id, add=[made.login], position=0))
        group = await pbx(api.groups.get(group.id))
        assert [user.login for user in group.users] == [made.login, "olga"]
        number = await pbx(api.telnums.edit("74951234567", type="group", group=group.id))
        assert (number.type, number.group_name) == ("group", "Sales")
        logins = [user.login async for user in pbx.each(api.users.list())]
        assert logins == ["admin", "olga", made.login]
        await pbx(api.users.receive("olga", on=False))
        assert not (await pbx(api.users.receives("olga"))).state
        await pbx(api.blacklist.add("7900800*", comment="spam"))
        assert [entry.telnum async for entry in pbx.each(api.blacklist.list())] == ["7900800*"]
        await pbx(api.blacklist.delete("7900800*"))
        assert (await pbx(api.domain())).timezone["name"] == "Europe/Moscow"
        await pbx(api.users.delete(made.login))


async def test_long_lists_come_page_after_page(cloud: Cloud, monkeypatch: Any) -> None:
    monkeypatch.setattr("vpbx_sdk.client._PAGE", 3)
    async with cloud.async_client() as pbx:
        for number in range(8):
            await pbx(api.users.add(name=f"Employee {number}"))
        found = [user.login async for user in pbx.each(api.users.list(search="Employee"))]
    assert len(found) == len(set(found)) == 8


async def test_the_same_without_await(cloud: Cloud) -> None:
    def work() -> tuple[str, list[str]]:
        with cloud.client() as pbx:
            return pbx(api.users.get("olga")).name, [u.login for u in pbx.each(api.users.list())]

    assert await asyncio.to_thread(work) == ("Olga", ["admin", "olga"])


async def test_what_went_wrong_has_a_type_and_names_the_field(cloud: Cloud) -> None:
    async with cloud.async_client() as pbx:
        with pytest.raises(NotFound):
            await pbx(api.users.get("nobody"))
        with pytest.raises(ValidationFault) as refused:
            await pbx(api.users.add(name="X", role="boss"))
        assert [fault.field for fault in refused.value.fields] == ["role"]
        assert "admin" in refused.value.fields[0].message
        with pytest.raises(ValidationFault, match="user"):
            await pbx(api.make_call(phone="79101234567", user="nobody"))

    def wrong_key() -> None:
        with cloud.client("wrong") as pbx:
            pbx(api.users.get("olga"))

    with pytest.raises(Unauthorized, match="Invalid token"):
        await asyncio.to_thread(wrong_key)


async def test_history_is_read_with_aware_times(cloud: Cloud) -> None:
    async with cloud.async_client() as pbx:
        since = datetime.now(UTC) - timedelta(days=1)
        assert [call async for call in pbx.each(api.history.external(start=since))] == []
        assert [call async for call in pbx.each(api.history.inner(period="this_week"))] == []
        with pytest.raises(ValidationFault, match="period"):
            _ = [call async for call in pbx.each(api.history.external(period="sometime"))]


def test_what_is_safe_is_tried_again_and_a_call_never_is() -> None:
    asked: list[str] = []
    answers = iter(
        [
            httpx.Response(503, json={"message": "away"}),
            httpx.Response(429, json={"message": "slowly"}, headers={"Retry-After": "0"}),
            httpx.Response(200, json={"login": "olga", "from_a_newer_cloud": 1}),
            httpx.Response(503, json={"message": "away"}),
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return next(answers)

    client = Client("http://pbx.invalid", "KEY")
    client._http = httpx.Client(transport=httpx.MockTransport(answer))
    assert client(api.users.get("olga")).model_extra == {"from_a_newer_cloud": 1}
    assert asked == ["GET"] * 3
    with pytest.raises(Exception, match="503"):
        client(api.make_call(phone="1", user="olga"))
    assert asked == ["GET"] * 3 + ["POST"]


def test_pbx_that_is_away_is_unreachable_and_patience_has_an_end() -> None:
    with Client("http://127.0.0.1:9", "KEY", retries=1) as pbx, pytest.raises(Unreachable):
        pbx(api.users.get("olga"))
    slow = Client("http://pbx.invalid", "KEY", retries=1)
    slow._http = httpx.Client(
        transport=httpx.MockTransport(
            lambda request: httpx.Response(429, json={}, headers={"Retry-After": "0"})
        )
    )
    with pytest.raises(RateLimited):
        slow(api.users.get("olga"))


def test_numbers_are_compared_as_the_pbx_writes_them() -> None:
    for text in (
        "+7 (910) 123-45-67",
        "8 910 123 45 67",
        "7910-123-45-67",
        "\u202a+79101234567\u202c",
    ):
        assert normalize(text) == "79101234567"
    assert normalize("00 44 20 7946 0958") == "442079460958"
    assert DOMAIN
