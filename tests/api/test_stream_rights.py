"""Who follows the commands of a company is told no more once they may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request

from vpbx.api.events import lines
from vpbx.api.gate import AUTHORITY, CLIENT
from vpbx.api.operation import Call
from vpbx.api.services import ApiServices
from vpbx.db import Database
from vpbx.directory import Directory

EVENT = {"id": "1", "cmd": "history", "command": {}}


@pytest.mark.parametrize("what", ["nothing", "key", "company", "networks"])
async def test_a_stream_tells_a_revoked_key_nothing_more(
    sqlite_database: Database, what: str
) -> None:
    directory = Directory(sqlite_database)
    await directory.refresh()
    company = (await directory.companies.add("acme.example")).domain
    made = await directory.keys.add(company, ["Main settings:View"])
    scope = {
        "type": "http",
        "headers": [(b"x-api-key", made.key.encode())],
        CLIENT: "192.0.2.1",
        AUTHORITY: "acme.example",
    }
    identity = await directory.authenticate_key(made.key, "acme.example", "192.0.2.1")
    services = cast(ApiServices, SimpleNamespace(directory=directory))
    call = Call(services, Request(scope), identity, {})

    async def events() -> AsyncIterator[list[dict[str, Any]]]:
        yield [EVENT]
        if what == "key":
            await directory.keys.revoke(company, made.id)
        elif what == "company":
            await directory.companies.switch(company, False)
        elif what == "networks":
            crm = {"url": "https://crm.example/", "token": "t", "networks": ["198.51.100.0/24"]}
            await directory.integrations.set(company, crm)
        yield [EVENT]

    told = [piece async for piece in lines(call, events())]
    assert sum(b"event: history" in piece for piece in told) == (2 if what == "nothing" else 1)
