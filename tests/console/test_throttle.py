"""Guessing at the console: who is stopped, when, and who is not."""

from __future__ import annotations

import pytest

from vpbx.accounts import Accounts, Refused, TooMany
from vpbx.accounts.throttle import CODES_A_DAY, DAY_S, WINDOW_S, Throttle
from vpbx.clock import LoopClock, ManualClock
from vpbx.db import Database
from vpbx.directory import Directory


def address(number: int) -> str:
    return f"2001:db8:{number:x}::1"


def test_codes_are_few_a_day_from_all_sources_together() -> None:
    """With the password and a /48 somebody had one chance in six a day."""
    clock = ManualClock()
    throttle = Throttle(clock)
    for number in range(CODES_A_DAY):
        throttle.attempt_code("code:1", address(number))
        clock.advance(WINDOW_S / 100)
    with pytest.raises(TooMany) as refused:
        throttle.attempt_code("code:1", address(9999))
    assert refused.value.wait_s > DAY_S / 2
    throttle.attempt_code("code:1", address(9999), known=True)  # where its owner has been
    throttle.attempt_code("code:2", address(9999))
    throttle.right("code:1", address(9999))
    throttle.attempt_code("code:1", address(10_000))


def test_the_day_of_codes_ends() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for number in range(CODES_A_DAY):
        throttle.attempt_code("code:1", address(number))
    clock.advance(DAY_S)
    throttle.attempt_code("code:1", address(1))


@pytest.mark.parametrize("secret", ["", "A" * 31, "=" * 32, "a" * 200_000])
async def test_no_secret_is_kept_that_is_none(sqlite_database: Database, secret: str) -> None:
    directory = Directory(sqlite_database)
    accounts = Accounts(sqlite_database, directory, LoopClock())
    token = (await accounts.invite_operator("root")).token
    account = await accounts.accept(token, "correct horse staple")
    second = accounts.second
    assert second.sound(secret) != secret
    proposed = second.propose()
    assert second.sound(proposed) == proposed
    with pytest.raises(Refused):
        await second.confirm(account, secret, "000000", "::1")
