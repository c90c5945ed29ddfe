"""What the console says a call would do now is what a call then does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.calls.world import ANN, BOB, EVE, OFFICE, SALES, Agent, World
from vpbx.console.route_tree import tree
from vpbx.console.texts import texts
from vpbx.events import Destination, Entered, Ringing

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PLACES = {
    Destination.AM: "Voicemail",
    Destination.IVR: "Menu",
    Destination.OFFTIME: "Message: we are closed",
}
_EVE, _CLOSED = {"subtype": "user", "user": EVE}, {"subtype": "message"}
_MENU = {"name": "Welcome", "items": [{"button": "1", "type": "user", "user": BOB}]}


def by_hours(
    *, opened: bool, work: dict[str, Any] = _EVE, other: dict[str, Any] = _CLOSED
) -> dict[str, Any]:
    hours = {"start": 0, "end": 86_400} if opened else {"holiday": True}
    return {
        "type": "scheduler",
        "greeting": False,
        "work": work,
        "other": other,
        "schedule": dict.fromkeys(_DAYS, hours),
    }


async def route(world: World, values: dict[str, Any]) -> None:
    await world.directory.telnums.edit(await world.domain(), OFFICE, values)


async def not_disturbed(world: World) -> None:
    await world.directory.users.set_dnd(await world.domain(), ANN, False)


async def with_voicemail(world: World) -> None:
    await not_disturbed(world)
    await world.directory.companies.edit(await world.domain(), {"am_all": True})


async def switched_off(world: World) -> None:
    await world.directory.telnums.set_enabled(await world.domain(), OFFICE, False)


async def special(world: World) -> None:
    """Open the year round, but for these two hours."""
    await route(world, by_hours(opened=True))
    domain = await world.domain()
    now = datetime.now(UTC).astimezone(domain.zone).replace(tzinfo=None, microsecond=0)
    hour = timedelta(hours=1)
    day = {"start": (now - hour).isoformat(), "end": (now + hour).isoformat()}
    await world.directory.telnums.add_special_day(domain, OFFICE, {**day, "route_name": "Party"})


async def nobody_in_it(world: World) -> None:
    timeout = {"time": 60, "target": "user", "user": EVE}
    await world.edit_group(users=[], timeout=timeout)


_CASES: dict[str, tuple[Callable[[World], Awaitable[None]], str, str]] = {
    "an employee": (lambda world: world.settings(), OFFICE, "Ann"),
    "a department": (lambda world: world.settings(), SALES, "Sales"),
    "a number that is off": (switched_off, OFFICE, "Calls are refused"),
    "not to be disturbed": (not_disturbed, OFFICE, "Nobody takes it"),
    "not to be disturbed, with voicemail": (with_voicemail, OFFICE, "Voicemail"),
    "open": (lambda world: route(world, by_hours(opened=True)), OFFICE, "Eve"),
    "closed": (
        lambda world: route(world, by_hours(opened=False)),
        OFFICE,
        "Message: we are closed",
    ),
    "closed, with voicemail": (
        lambda world: route(world, by_hours(opened=False, other={"subtype": "voicemail"})),
        OFFICE,
        "Voicemail",
    ),
    "open, with a menu": (
        lambda world: route(world, by_hours(opened=True, work={"subtype": "ivr", "ivr": _MENU})),
        OFFICE,
        "Menu",
    ),
    "a special day": (special, OFFICE, "Message: we are closed"),
    "a department of nobody": (nobody_in_it, SALES, "Eve"),
}


async def told(world: World, telnum: str) -> str:
    """Return where the console says a call goes for sure."""
    domain = await world.domain()
    node = tree(domain, domain.numbers[telnum], datetime.now(UTC), texts("en"))
    while on := next((edge for edge in node.edges if edge.holds), None):
        node = on.node
    return node.title


async def rings(phone: Agent) -> None:
    """Let the next call ring."""
    (await phone.incoming()).ring()


async def done(world: World, telnum: str) -> str:
    """Return where a call goes: whose phones ring, what it hears, or that nobody takes it."""
    bells = [asyncio.ensure_future(rings(await world.phone(who))) for who in (ANN, BOB, EVE)]
    call = await world.customer_calls(telnum)

    def place() -> str | None:
        for event in world.events:
            if isinstance(event, Ringing):
                return event.group.name if event.group else event.user.name
            if isinstance(event, Entered) and event.place in _PLACES:
                return _PLACES[event.place]
        return None

    seen, ended = asyncio.ensure_future(world.seen(place)), asyncio.ensure_future(call.ended())
    await asyncio.wait((seen, ended), return_when=asyncio.FIRST_COMPLETED)
    found = place() or ("Nobody takes it" if world.events else "Calls are refused")
    for task in (seen, ended, *bells):
        task.cancel()
    return found


@pytest.mark.parametrize("case", _CASES)
async def test_a_call_does_what_the_console_says(world: World, case: str) -> None:
    arrange, telnum, expected = _CASES[case]
    await arrange(world)
    assert await told(world, telnum) == expected
    assert await done(world, telnum) == expected
