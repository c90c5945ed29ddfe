"""Passwords of a few minutes for softphones in pages."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.calls.world import ANN, BOB, DOMAIN, PASSWORD, Agent, World
from vpbx.calls.passes import LIFE_S, Pass, Passes
from vpbx.clock import ManualClock
from vpbx.sip import Credentials, Hop, Response


async def register(
    world: World,
    page: Agent,
    made: Pass,
    *,
    login: str = ANN,
    password: str = "",
    expires: int = 120,
) -> Response:
    """REGISTER `login` with what a page was given."""
    own = f"<sip:{login}@{DOMAIN}>"
    return await page.send(
        "REGISTER",
        f"sip:{DOMAIN}",
        world.hop(page.transport),
        from_=own,
        to=own,
        headers=[("Contact", f"<sip:{login}@127.0.0.1:{page.port}>"), ("Expires", str(expires))],
        credentials=Credentials(made.username, password or made.password),
    )


async def test_a_page_registers_and_calls_as_who_is_logged_in(world: World) -> None:
    domain = await world.domain()
    made = world.service.passes.issue(domain, ANN, "session 1")
    page, bob = await world.agent(ANN), await world.phone(BOB)
    assert (await register(world, page, made)).code == 200
    assert world.directory.users.is_online(domain, ANN)
    ext = domain.employees[BOB].ext
    call = await page.invite(
        f"sip:{ext}@{DOMAIN}",
        world.hop(page.transport),
        from_=f"<sip:{ANN}@{DOMAIN}>",
        credentials=Credentials(made.username, made.password),
    )
    await (await bob.incoming()).answer(440)
    await call.answered()
    call.hangup()
    await world.ended()


@pytest.mark.parametrize(
    ("why", "code"),
    [("withdrawn", 401), ("another password", 401), ("a colleague's name", 403)],
)
async def test_it_counts_for_nothing_else(world: World, why: str, code: int) -> None:
    made = world.service.passes.issue(await world.domain(), ANN, "session 1")
    page = await world.agent(ANN)
    if why == "withdrawn":
        world.service.passes.withdraw("session 1")
    login = BOB if why == "a colleague's name" else ANN
    password = made.password + "x" if why == "another password" else ""
    assert (await register(world, page, made, login=login, password=password)).code == code
    assert not world.directory.users.is_online(await world.domain(), login)


async def test_what_was_registered_with_it_ends_with_it_and_with_its_session(world: World) -> None:
    """Who took a session over is not rung any more when it is ended, whatever they asked for."""
    domain = await world.domain()
    own = await world.phone(ANN)
    page = await world.agent(ANN)
    made = world.service.passes.issue(domain, ANN, "session 1")
    assert (await register(world, page, made, expires=3600)).code == 200
    found = world.directory.locations.bindings(domain.id, ANN)
    assert {row.port for row in found} == {own.port, page.port}
    until = next(row.expires_at for row in found if row.port == page.port)
    assert until <= asyncio.get_running_loop().time() + LIFE_S
    world.service.passes.withdraw("session 2")
    assert len(world.directory.locations.bindings(domain.id, ANN)) == 2
    world.service.passes.withdraw("session 1")
    (left,) = world.directory.locations.bindings(domain.id, ANN)
    assert left.port == own.port


async def test_it_lasts_minutes_and_a_session_has_few(world: World) -> None:
    domain, clock = await world.domain(), ManualClock()
    passes = Passes(clock)
    first = passes.issue(domain, ANN, "1")
    assert passes.secret(domain, first.username) is not None
    assert first.password not in repr(first)
    clock.advance(LIFE_S - 1)
    assert passes.secret(domain, first.username) is not None
    clock.advance(1)
    assert passes.secret(domain, first.username) is None
    for _ in range(50):
        last = passes.issue(domain, ANN, "1")
    assert len(passes) <= 8
    assert passes.secret(domain, last.username) is not None
    passes.withdraw("2")
    assert passes.secret(domain, last.username) is not None
    passes.withdraw("1")
    assert len(passes) == 0


async def test_another_company_does_not_know_it(world: World) -> None:
    other = (await world.directory.companies.add("other.example")).domain
    passes = world.service.passes
    made = passes.issue(await world.domain(), ANN, "1")
    assert passes.secret(other, made.username) is None


async def test_of_several_pages_in_one_browser_one_is_heard(world: World) -> None:
    """The one that was looked at last, of those that may make a sound; another browser's, and
    a desk phone, are their own."""
    clock = ManualClock()
    passes, domain = Passes(clock), await world.domain()
    hops = {}
    for number, (session, page, browser) in enumerate(
        [("1", "console", "at work"), ("2", "widget", "at work"), ("3", "console", "at home")]
    ):
        made = passes.issue(domain, ANN, session, page=page, browser=browser)
        hops[session] = Hop("wss", "192.0.2.1", 40000 + number, number + 1)
        passes.registered(made.username, hops[session])
        clock.advance(1)
    every = [*hops.values(), Hop("udp", "192.0.2.9", 5060)]
    assert passes.quiet(every) == {hops["1"]}
    passes.seen("1", "console", loud=True)
    assert passes.quiet(every) == {hops["2"]}
    passes.seen("2", "widget", loud=True, looked=False)
    assert passes.quiet(every) == {hops["2"]}
    clock.advance(1)
    passes.seen("2", "widget", loud=False)
    assert passes.quiet(every) == {hops["2"]}, "its browser would not let it be heard"
    passes.seen("2", "console", loud=True)  # nobody's
    passes.seen("2", "widget", loud=True)
    renewed = passes.issue(domain, ANN, "2", page="widget", browser="at work")
    passes.registered(renewed.username, hops["2"])
    assert passes.quiet(every) == {hops["1"]}
    passes.withdraw("2")
    assert passes.quiet(every) == set()
    clock.advance(LIFE_S)
    passes.issue(domain, ANN, "9")
    assert passes.quiet(every) == set()


async def test_a_page_that_is_gone_silences_none(world: World) -> None:
    """Its registration outlives it for a while. Who is quiet is heard once nobody else is."""
    domain, passes = await world.domain(), world.service.passes
    ann = domain.employees[ANN]
    page = await world.agent(ANN)
    made = passes.issue(domain, ANN, "1", page="widget", browser="at work")
    assert (await register(world, page, made)).code == 200
    other = passes.issue(domain, ANN, "2", page="console", browser="at work")
    locations = world.directory.locations
    (own,) = locations.bindings(domain.id, ANN)
    beside = await world.agent(ANN)
    assert (await register(world, beside, other)).code == 200
    passes.seen("1", "widget", loud=False)
    assert not world.service.is_heard(domain, ann, "1", "widget")
    assert world.service.is_heard(domain, ann, "2", "console")
    assert world.service.is_heard(domain, ann, "1", "console"), "none of that session's"
    bob = await world.phone(BOB)
    await bob.invite(
        f"sip:{ann.ext}@{DOMAIN}",
        world.hop(bob.transport),
        from_=f"<sip:{BOB}@{DOMAIN}>",
        credentials=Credentials(BOB, PASSWORD),
    )
    shown = await page.incoming()
    assert shown.session.request.headers["Alert-Info"] == "<urn:x-vpbx:quiet>"
    gone = Hop("ws", "127.0.0.1", beside.port, 1 << 40)
    passes.registered(other.username, gone)
    left = replace(own, transport=gone.transport, port=gone.port, connection=gone.connection)
    locations.save(domain.id, ANN, [own, replace(left, contact="sip:ann@gone.invalid")])
    assert world.service.is_heard(domain, ann, "1", "widget")
