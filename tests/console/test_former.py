"""Who gets the login of somebody who is gone gets nothing that was theirs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.console.calls import call_of
from tests.console.conftest import ACME, PASSWORD, PHONE_PASSWORD, Browser, Console
from vpbx.db import Database
from vpbx.directory.tables import domains
from vpbx.history import call_history
from vpbx.mail.tables import voicemail

LOGIN = "olga"
CLIENT = "79035550"


async def _keep(console: Console, number: int) -> None:
    """Keep a call that Olga took just now, and a message that was left for her."""
    database = Database.for_data_dir(console.pbx.data)
    now_ms = int(time.time() * 1000)
    async with database.begin() as connection:
        found = await connection.scalar(select(domains.c.id).where(domains.c.name == ACME))
        assert found is not None
        row: dict[str, Any] = call_of(found, LOGIN, number, now_ms, f"{CLIENT}{number}")
        await connection.execute(call_history.insert().values(**row))
        message = {name: row[name] for name in ("domain_id", "callid", "client")}
        message |= {"login": LOGIN, "left_ms": now_ms, "name": "", "path": ""}
        await connection.execute(voicemail.insert().values(seconds=9, heard=0, **message))
    await database.close()


async def _forget(data: Path) -> None:
    database = Database.for_data_dir(data)
    async with database.begin() as connection:
        await connection.execute(call_history.delete().where(call_history.c.user_login == LOGIN))
        await connection.execute(voicemail.delete().where(voicemail.c.login == LOGIN))
    await database.close()


@pytest.fixture(autouse=True)
def leave_as_found(console: Console) -> Iterator[None]:
    """Other tests count the calls of this server."""
    yield
    asyncio.run(_forget(console.pbx.data))


def hire(console: Console) -> Browser:
    """Add Olga, and let her in."""
    admin = console.as_("admin")
    data: dict[str, object] = {"name": "Olga", "login": LOGIN, "role": "user"}
    assert admin.post("/employees/new", data).status_code == 200
    page = admin.post(f"/employees/{LOGIN}/invite", {}, at=f"/employees/{LOGIN}").text
    token = re.search(r"/invite/([\w-]+)", page)
    assert token is not None
    browser = console.browser()
    typed: dict[str, object] = {"password": PASSWORD, "again": PASSWORD}
    assert browser.post(f"/invite/{token[1]}", typed).status_code == 303
    return browser


def shown(browser: Browser) -> tuple[set[str], set[str]]:
    """Return whose calls and whose messages somebody sees, by the last digit of their number."""
    return tuple(  # type: ignore[return-value]
        set(re.findall(CLIENT + r"(\d)\b", re.sub(r"[ ()+-]", "", browser.page(path))))
        for path in ("/history?kind=all", "/voicemail")
    )


def recents(browser: Browser) -> list[str]:
    """Return whom somebody's phone says they had calls with."""
    return [call["number"] for call in browser.get("/phone/recents").json()]


def test_calls_and_messages_stay_with_who_had_them(console: Console) -> None:
    first, admin = hire(console), console.as_("admin")
    asyncio.run(_keep(console, 1))
    assert shown(first) == ({"1"}, {"1"})
    assert recents(first) == [f"{CLIENT}1"]
    messages = set(re.findall(rf"/voicemail/of/{LOGIN}/\d+/sound", first.page("/voicemail")))
    calls = set(re.findall(r"/history/\d+", first.page("/history?kind=all")))
    assert messages
    assert calls
    assert admin.post(f"/employees/{LOGIN}/delete", {}, at=f"/employees/{LOGIN}").status_code == 303
    assert first.get("/history").status_code == 303, "nobody's session goes on"
    second = hire(console)
    assert shown(second) == (set(), set())
    assert recents(second) == []
    for path in messages | calls:
        assert second.get(path).status_code == 404, path
    assert PHONE_PASSWORD not in second.page("/me")
    asyncio.run(_keep(console, 2))
    assert shown(second) == ({"2"}, {"2"})
    assert recents(second) == [f"{CLIENT}2"]
    assert {"1", "2"} <= shown(admin)[0], "who sees all calls still does"
    boxes = admin.page(f"/voicemail/of/{LOGIN}")
    assert re.findall(rf"/voicemail/of/{LOGIN}/\d+/sound", boxes), "the new one's is there"
    assert not messages & set(re.findall(rf"/voicemail/of/{LOGIN}/\d+/sound", boxes))
    assert admin.post(f"/employees/{LOGIN}/delete", {}, at=f"/employees/{LOGIN}").status_code == 303
