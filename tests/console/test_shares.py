"""One person has so many exports and live pages going on at once, and no more; others all theirs.

What another process ends ends here within seconds.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.console.conftest import PASSWORD, Console, said
from vpbx.accounts import Accounts
from vpbx.clock import LoopClock
from vpbx.console.shares import EXPORTS, LIVE, Crowded, Share, Shares
from vpbx.db import Database
from vpbx.directory import Directory


def test_a_tab_too_many_is_told_so_and_may_come_when_another_has_closed(console: Console) -> None:
    browser = console.as_("head")
    tabs = [browser.client.stream("GET", "/live/stream") for _ in range(LIVE.each)]
    answers = [tab.__enter__() for tab in tabs]
    try:
        assert {answer.status_code for answer in answers} == {200}
        refused = browser.get("/live/stream")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert "as many of these open as can be" in said(refused.text)
        with console.as_("admin").client.stream("GET", "/live/stream") as other:
            assert other.status_code == 200, "others have theirs"
    finally:
        for tab in tabs:
            tab.__exit__(None, None, None)
    until = time.monotonic() + 60
    while True:  # the server hears of it a moment later
        with browser.client.stream("GET", "/live/stream") as opened:
            if opened.status_code == 200:
                break
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_export_that_is_sent_leaves_room_for_the_next(console: Console) -> None:
    browser = console.as_("admin")
    for path in ("/history/export", "/history/export?as=xlsx", "/reports/export", "/audit/export"):
        for _ in range(EXPORTS.each + 1):
            assert browser.get(path).status_code == 200, path
            assert browser.get(path.split("?")[0], params={"period": "nonsense"}).status_code < 400


def test_shares_are_counted_by_account_and_altogether() -> None:
    shares, share = Shares(), Share("kind", 2, 3)
    first, second = shares.take(share, 1), shares.take(share, 1)
    with pytest.raises(Crowded):
        shares.take(share, 1)
    other = shares.take(share, 2)
    with pytest.raises(Crowded):
        shares.take(share, 3)
    first()
    first()
    again = shares.take(share, 3)
    with pytest.raises(Crowded):
        shares.take(share, 1)
    for release in (second, other, again):
        release()
    assert not shares._counts


async def test_what_another_process_ends_is_found_out(sqlite_database: Database) -> None:
    here = Accounts(sqlite_database, Directory(sqlite_database), LoopClock())
    there = Accounts(sqlite_database, Directory(sqlite_database), LoopClock())
    account = await here.accept((await here.invite_operator("root")).token, PASSWORD)
    numbers = []
    for _ in range(3):
        token = await here.open(account, pending=False, address="192.0.2.1", agent="")
        session = await here.session(token)
        assert session is not None
        numbers.append(session.id)
    ended: list[int] = []
    here.on_ended(ended.append)
    here.watch.also(lambda: numbers[1:])
    with here.watch.hold(numbers[0]) as first_has_ended:
        await here.watch.look()
        assert (ended, first_has_ended()) == ([], False)
        await there.end(account, numbers[2])
        await here.watch.look()
        assert (ended, first_has_ended()) == ([numbers[2]], False)
        await there.remove(account)
        await here.watch.look()
        assert (sorted(set(ended)), first_has_ended()) == (numbers, True)


async def test_an_unreachable_database_is_looked_at_again(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbx.accounts.watch._LOOK_S", 0.01)
    accounts = Accounts(sqlite_database, Directory(sqlite_database), LoopClock())
    looks = asyncio.Queue[None]()

    def source() -> list[int]:
        looks.put_nowait(None)
        raise OSError("the disk is away")

    accounts.watch.also(source)
    task = asyncio.create_task(accounts.watch.run())
    async with asyncio.timeout(30):
        for _ in range(3):
            await looks.get()
    task.cancel()
