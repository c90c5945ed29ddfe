"""Trunks that register here: they prove a password, are called where they are, and call in."""

from __future__ import annotations

import time
from typing import Any

from tests.calls.world import ANN, CUSTOMER, DOMAIN, OFFICE, Agent, World
from vpbx.calls.gateways import Gateways
from vpbx.clock import ManualClock
from vpbx.directory import Directory
from vpbx.sip import Credentials, Response

LOGIN, SECRET = "gw-1", "gateway secret"


async def gateway(world: World) -> Agent:
    """A gateway that may register; it is the only trunk."""
    await world.directory.trunk_rules.delete("carrier")
    await world.directory.trunk_rules.add(
        "lines", mode="accept", username=LOGIN, password=SECRET, max_calls=4
    )
    return await world.agent("gateway")


async def registers(world: World, agent: Agent, password: str = SECRET, **options: Any) -> Response:
    headers = [
        ("Contact", f"<sip:{LOGIN}@127.0.0.1:{agent.port}>"),
        ("Expires", str(options.pop("expires", 300))),
    ]
    own = f"<sip:{LOGIN}@{options.pop('host', '127.0.0.1')}>"
    return await agent.send(
        "REGISTER",
        "sip:127.0.0.1",
        world.hop(),
        from_=own,
        to=own,
        headers=headers,
        credentials=Credentials(LOGIN, password),
    )


async def state(world: World) -> str:
    return world.service.connections.carriers.states()[0].state


async def test_it_takes_calls_while_it_is_registered(world: World) -> None:
    agent = await gateway(world)
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    assert (await call.ended()).code == 503
    assert await state(world) == "waiting"
    assert (await registers(world, agent)).code == 200
    assert await state(world) == "ok"
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await agent.incoming()
    assert customer.session is not None
    assert customer.session.request.uri.user == CUSTOMER
    await customer.answer()
    await call.answered()
    call.hangup()
    await world.ended(2)
    assert (await registers(world, agent, expires=0)).code == 200
    assert await state(world) == "waiting"


async def test_a_wrong_password_registers_nothing_and_an_employee_is_still_an_employee(
    world: World,
) -> None:
    agent = await gateway(world)
    assert (await registers(world, agent, "wrong")).code == 401
    assert await state(world) == "waiting"
    assert (await world.register(await world.agent(ANN))).code == 200


async def test_its_calls_prove_the_password_and_reach_numbers_only(world: World) -> None:
    agent = await gateway(world)
    await registers(world, agent)
    phone = await world.phone(ANN)
    good = Credentials(LOGIN, SECRET)
    from_ = f"<sip:{CUSTOMER}@127.0.0.1>"
    call = await agent.invite(f"sip:{OFFICE}@127.0.0.1", world.hop(), from_=from_, credentials=good)
    (await phone.incoming()).reject(486)
    assert (await call.ended()).code == 486
    assert (await world.ended()).call.client == CUSTOMER
    for credentials, called, code in (
        (None, OFFICE, 401),
        (Credentials(LOGIN, "wrong"), OFFICE, 401),
        (Credentials(ANN, "correct horse 42"), OFFICE, 401),
        (good, "701", 404),
        (good, CUSTOMER, 404),
    ):
        call = await agent.invite(
            f"sip:{called}@{DOMAIN}", world.hop(), from_=from_, credentials=credentials
        )
        assert (await call.ended()).code == code, (credentials, called)
    stranger = await world.agent("stranger")
    call = await stranger.invite(f"sip:{OFFICE}@{DOMAIN}", world.hop(), from_=from_)
    assert (await call.ended()).code in (401, 403)


async def test_where_it_is_outlives_a_restart_but_not_its_time(world: World) -> None:
    agent = await gateway(world)
    await registers(world, agent)
    (trunk,) = world.directory.trunks()

    clock = ManualClock(time.time())
    directory: Directory = world.directory
    after = Gateways(directory, clock, b"another process!")
    await after.load()
    assert [hop.port for hop in after.hops(trunk)] == [agent.port]
    clock.advance(301)
    assert after.hops(trunk) == ()
