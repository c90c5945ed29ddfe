"""Notifications go back the way the SUBSCRIBE came: connections, NATs, phones that move."""

from __future__ import annotations

import asyncio

from tests.calls.world import ANN, DOMAIN, EVE, PASSWORD, World
from tests.support.watcher import Make, StreamWatcher, Watcher
from vpbx.sip import Hop


async def over_tcp(world: World) -> StreamWatcher:
    await world.directory.blf.add(await world.domain(), [EVE])
    await world.domain()
    return await StreamWatcher(EVE, world.hop("tcp"), DOMAIN, PASSWORD).start()


async def gone(world: World) -> None:
    """Wait until the server has forgotten all subscriptions."""
    async with asyncio.timeout(20):
        while len(world.stack.subscriptions):
            await asyncio.sleep(0.01)


async def test_over_tcp_notifications_come_by_the_phones_own_connection(world: World) -> None:
    """Its Contact names a port where nobody listens: that of the connection."""
    phone = await over_tcp(world)
    made = await phone.subscribe("702")
    assert made.code == 200
    assert not (await phone.told()).online
    await world.phone(ANN)
    told = await phone.told()
    assert told.online
    assert "transport=tcp" in told.request.headers["Contact"]
    await phone.again(made, 0)
    assert (await phone.told()).state == "terminated;reason=timeout"
    phone.close()
    await gone(world)


async def test_a_contact_elsewhere_changes_nothing_about_the_way(world: World) -> None:
    phone = await over_tcp(world)
    for contact in ("sip:x@198.51.100.7:5060", "sip:x@127.0.0.1:9;transport=udp"):
        await phone.subscribe("702", contact=f"Contact: <{contact}>")
        told = await phone.told()
        assert told.request.raw_uri == contact
    phone.close()


async def test_a_connection_that_is_gone_ends_its_subscriptions(world: World) -> None:
    phone = await over_tcp(world)
    await phone.subscribe("702")
    await phone.told()
    phone.close()
    await world.phone(ANN)
    await gone(world)


async def test_a_phone_that_listens_is_reached_when_its_connection_is_gone(world: World) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    phone = await over_tcp(world)
    await phone.subscribe("702", contact=f"Contact: <sip:eve@127.0.0.1:{port};transport=tcp>")
    await phone.told()
    phone.close()
    async with asyncio.timeout(20):
        while world.stack.layer.reaches(Hop("tcp", "127.0.0.1", phone.port)):
            await asyncio.sleep(0.01)
    await world.phone(ANN)
    head = await asyncio.wait_for(heard.get(), 20)
    assert head.startswith(b"NOTIFY sip:eve@127.0.0.1")
    server.close()
    await gone(world)


async def test_a_phone_behind_a_nat_is_notified_through_it(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    for contact in ("sip:eve@10.11.12.13:5060", "sip:eve@192.168.0.7", "sip:eve@phone.invalid"):
        made = await watcher.subscribe("702", contact=f"Contact: <{contact}>")
        assert made.code == 200
        assert (await watcher.told()).request.raw_uri == contact


async def test_a_phone_that_moved_is_told_at_its_new_place_only(
    world: World, phone_of: Make
) -> None:
    old, new = await phone_of(), await phone_of()
    made = await old.subscribe("702")
    await old.told()
    assert (await new.again(made, proves=True)).code == 200
    await new.told()
    await world.phone(ANN)
    assert (await new.told()).online
    assert old.notifies.empty()


async def test_a_silent_phone_keeps_nobody_else_waiting(world: World, phone_of: Make) -> None:
    silent, awake = await phone_of(), await phone_of()
    silent.answers = 0
    for phone in (silent, awake):
        await phone.subscribe("702")
        await phone.told()
    ann = await world.phone(ANN)
    assert (await awake.told()).online
    await world.register(ann, headers=[("Contact", "*"), ("Expires", "0")])
    assert not (await awake.told()).online


async def test_a_hundred_changes_are_a_few_notifications_for_a_slow_phone(
    world: World, phone_of: Make
) -> None:
    """It is told how things are in the end, not everything that was."""
    slow: Watcher = await phone_of()
    ann = await world.agent(ANN)
    await slow.subscribe("702")
    first = await slow.told()
    slow.answers = 0
    for _ in range(100):
        await world.register(ann)
        await world.register(ann, headers=[("Contact", "*"), ("Expires", "0")])
    under_way = await slow.told()
    assert slow.notifies.empty()
    slow.answers = 200
    slow.respond(under_way.request, 200)
    last = await slow.told()
    assert under_way.online
    assert not last.online
    assert last.version == first.version + 2
    assert slow.notifies.empty()
