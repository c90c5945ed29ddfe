"""Carriers with passwords, names in DNS, several addresses, limits; which one takes a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.calls.world import ANN, CUSTOMER, OFFICE, Agent, World
from tests.support.dns import NameServer
from tests.support.ports import free_port
from vpbx.clock import LoopClock
from vpbx.media import MediaEngine
from vpbx.sip import Authenticator, AuthResult, Ha1, Hop, Session, ha1
from vpbx.sip.resolver import Resolver

LOGIN, SECRET, REALM = "100200", "s3cret word", "carrier.example"


@pytest_asyncio.fixture(loop_scope="session")
async def dns() -> AsyncIterator[NameServer]:
    async with NameServer() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def named(
    tmp_path: Path, shared_media: MediaEngine, company: Path, logs: list[Any], dns: NameServer
) -> AsyncIterator[World]:
    """A world with a name server of its own."""
    made = World(tmp_path, shared_media, company)
    made.logs = logs
    hosts = tmp_path / "hosts"
    hosts.write_text("")
    resolver = Resolver(nameservers=[dns.address], hosts=hosts)
    await made.start(resolver=resolver, trunk_silence_s=0.4)
    try:
        yield made
    finally:
        await made.stop()


class StrictCarrier(Agent):
    """A carrier that wants a password for INVITE, by 401 or 407, by one algorithm or both."""

    def __init__(self, code: int = 407, algorithms: str = "MD5,SHA-256", **options: Any) -> None:
        super().__init__("strict", **options)
        self.code = code
        self.algorithms = algorithms.split(",")
        self.asked: list[tuple[str, AuthResult]] = []
        self.authenticator = Authenticator(b"carrier's secret", clock=LoopClock())

    def on_invite(self, session: Session) -> None:
        verdict = self.authenticator.verify(session.request, REALM, self._known)
        self.asked.append((session.request.method, verdict.result))
        if verdict.ok:
            super().on_invite(session)
            return
        name = "WWW-Authenticate" if self.code == 401 else "Proxy-Authenticate"
        values = self.authenticator.challenges(REALM)
        wanted = [v for v in values if any(f"algorithm={a}," in v for a in self.algorithms)]
        session.reject(self.code, headers=[(name, value) for value in wanted])

    def _known(self, username: str) -> Ha1 | None:
        return ha1(username, REALM, SECRET) if username == LOGIN else None


async def strict(world: World, **options: Any) -> StrictCarrier:
    carrier = StrictCarrier(**options)
    await carrier.start()
    world._agents.append(carrier)
    await world.directory.trunk_rules.edit(
        "carrier",
        {"address": f"127.0.0.1:{carrier.port}", "username": LOGIN, "password": SECRET},
    )
    return carrier


@pytest.mark.parametrize("code", [401, 407])
@pytest.mark.parametrize("algorithms", ["MD5", "SHA-256", "MD5,SHA-256"])
async def test_a_carrier_that_asks_for_a_password_gets_it(
    world: World, code: int, algorithms: str
) -> None:
    carrier = await strict(world, code=code, algorithms=algorithms)
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER, tone_hz=440)
    customer = await carrier.incoming()
    assert [result for _, result in carrier.asked] == [AuthResult.MISSING, AuthResult.OK]
    await customer.answer(880)
    await call.answered()
    await asyncio.gather(call.heard(880), customer.heard(440))
    call.hangup()
    ended = await customer.ended()
    assert ended.cause == "bye"
    assert customer.session is not None
    bye = customer.session.bye
    assert bye is not None
    assert carrier.authenticator.verify(bye, REALM, carrier._known).ok
    await world.ended()
    await world.quiet()


async def test_a_wrong_password_sends_the_call_to_the_next_trunk(world: World) -> None:
    carrier = await strict(world)
    await world.directory.trunk_rules.edit("carrier", {"password": "wrong"})
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    customer = await second.incoming()
    await customer.answer()
    await call.answered()
    assert [result for _, result in carrier.asked] == [AuthResult.MISSING, AuthResult.WRONG]
    call.hangup()
    await world.ended()


async def test_the_password_is_not_in_any_log(world: World) -> None:
    await strict(world)
    await world.directory.trunk_rules.edit("carrier", {"password": "wr0ng-s3cret"})
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    await call.ended()
    await world.ended()
    assert "s3cret" not in str(world.logs)


async def test_a_name_is_followed_through_srv_and_its_targets_back_each_other_up(
    named: World, dns: NameServer
) -> None:
    """The first target answers 503, the second does not exist any more, the third takes it."""
    world = named
    third = await world.agent("third")
    records = [
        f"1 0 {world.carrier.port} a.carrier.test.",
        f"2 0 {free_port()} a.carrier.test.",
        f"3 0 {third.port} a.carrier.test.",
    ]
    dns.put("_sip._udp.carrier.test", "SRV", records)
    dns.put("a.carrier.test", "A", ["127.0.0.1"])
    await world.directory.trunk_rules.edit(
        "carrier", {"address": "carrier.test", "transport": "auto"}
    )
    await resolved(world)
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(503)
    customer = await third.incoming()
    assert customer.session is not None
    assert str(customer.session.request.uri) == f"sip:{CUSTOMER}@carrier.test"
    await customer.answer()
    await call.answered()
    call.hangup()
    await world.ended()
    # and calls come in from every target of the name
    for agent in (third, world.carrier):
        ann = asyncio.ensure_future(phone.incoming())
        came = await agent.invite(
            f"sip:{OFFICE}@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@carrier.test>"
        )
        taken = await ann
        await taken.answer()
        await came.answered()
        came.hangup()
    await world.ended(3)


async def resolved(world: World, state: str = "ok") -> None:
    async with asyncio.timeout(20):
        while world.service.connections.carriers.states()[0].state != state:
            await asyncio.sleep(0.02)


async def test_a_name_that_does_not_resolve_is_a_state_and_no_hang(
    named: World, dns: NameServer
) -> None:
    world = named
    await world.directory.trunk_rules.edit("carrier", {"address": "nowhere.test"})
    await resolved(world, "unresolved")
    (state,) = world.service.connections.carriers.states()
    assert "there is no" in state.reason
    assert "nowhere.test" in state.reason
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    async with asyncio.timeout(20):
        assert (await call.ended()).code == 503
    await world.ended()
    assert "a name does not resolve" in [entry["event"] for entry in world.logs]
    second = await world.second_trunk()
    call = await world.phone_calls(phone, CUSTOMER)
    await (await second.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended(2)


async def test_a_name_server_that_is_silent_holds_nobody_up(named: World, dns: NameServer) -> None:
    world = named
    dns.silent = True
    await world.directory.trunk_rules.edit("carrier", {"address": "slow.test"})
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    async with asyncio.timeout(20):
        assert (await call.ended()).code == 503
    await world.ended()


async def test_a_carrier_that_moves_is_followed(named: World, dns: NameServer) -> None:
    world = named
    dns.put("_sip._udp.carrier.test", "SRV", [f"1 0 {world.carrier.port} a.test."], ttl=1)
    dns.put("a.test", "A", ["127.0.0.1"], ttl=1)
    await world.directory.trunk_rules.edit(
        "carrier", {"address": "carrier.test", "transport": "auto"}
    )
    await resolved(world)
    phone = await world.phone(ANN)
    talk = await world.phone_calls(phone, CUSTOMER, tone_hz=880)
    there = await world.carrier.incoming()
    await there.answer(440)
    await there.heard(880)
    moved = await world.agent("moved")
    dns.put("_sip._udp.carrier.test", "SRV", [f"1 0 {moved.port} a.test."], ttl=1)
    carriers = world.service.connections.carriers
    async with asyncio.timeout(20):
        while f":{moved.port}/" not in str(carriers.states()[0].addresses):
            await asyncio.sleep(0.02)
    assert carriers.source(Hop("udp", "127.0.0.1", moved.port)) is not None
    assert carriers.source(Hop("udp", "127.0.0.1", world.carrier.port)) is None
    assert await there.hold() == 200  # a talk goes on where it was, though nothing new comes there
    assert await there.resume() == 200
    await asyncio.gather(there.heard(880), talk.heard(440))
    late = await world.customer_calls()
    assert (await late.ended()).code in (401, 403, 407)
    there.hangup()
    assert (await talk.ended()).cause == "bye"
    call = await world.phone_calls(phone, CUSTOMER)
    await (await moved.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended(2)


async def test_a_trunk_that_failed_three_times_is_left_alone(world: World) -> None:
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    for number in range(4):
        call = await world.phone_calls(phone, CUSTOMER)
        if number < 3:
            (await world.carrier.incoming()).reject(503)
        await (await second.incoming()).answer()
        await call.answered()
        call.hangup()
        await world.ended(number + 1)
    assert len(world.carrier.calls) == 3
    states = {t.name: t.state for t in world.service.connections.carriers.states()}
    assert states == {"carrier": "resting", "second": "ok"}
    assert [e["event"] for e in world.logs].count("a trunk fails and rests") == 1


async def test_the_only_trunk_is_tried_though_it_rests(world: World) -> None:
    phone = await world.phone(ANN)
    for number in range(3):
        call = await world.phone_calls(phone, CUSTOMER)
        (await world.carrier.incoming()).reject(503)
        await call.ended()
        await world.ended(number + 1)
    call = await world.phone_calls(phone, CUSTOMER)
    await (await world.carrier.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended(4)
    assert world.service.connections.carriers.states()[0].state == "ok"


async def test_a_full_trunk_is_passed_over_and_a_call_that_comes_in_counts(world: World) -> None:
    await world.directory.trunk_rules.edit("carrier", {"max_calls": 1})
    second = await world.second_trunk()
    phone = await world.phone(ANN)
    came = await world.customer_calls()
    taken = await phone.incoming()
    await taken.answer()
    await came.answered()
    bob = await world.phone("bob")
    call = await world.phone_calls(bob, CUSTOMER)
    await (await second.incoming()).answer()
    await call.answered()
    states = {t.name: t.calls for t in world.service.connections.carriers.states()}
    assert states == {"carrier": 1, "second": 1}
    # what comes in is never refused for it
    again = await world.customer_calls()
    assert (await again.ended()).code == 486  # ann talks
    for each in (call, came):
        each.hangup()
    await world.ended(3)
    assert not any(t.calls for t in world.service.connections.carriers.states())


async def test_calls_of_a_network_come_from_any_port_and_others_do_not(world: World) -> None:
    stranger = await world.agent("stranger")
    call = await stranger.invite(
        f"sip:{OFFICE}@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@carrier.test>"
    )
    assert (await call.ended()).code in (401, 403)
    phone = await world.phone(ANN)
    await world.directory.trunk_rules.edit("carrier", {"networks": ["127.0.0.0/8"]})
    call = await stranger.invite(
        f"sip:{OFFICE}@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@carrier.test>"
    )
    (await phone.incoming()).reject(486)
    assert (await call.ended()).code == 486
    await world.ended()


async def test_several_addresses_of_one_trunk_back_each_other_up(patient_world: World) -> None:
    world = patient_world
    second = await world.agent("second")
    await world.directory.trunk_rules.edit(
        "carrier",
        {"address": [f"127.0.0.1:{free_port()}", f"127.0.0.1:{second.port}"]},
    )
    phone = await world.phone(ANN)
    call = await world.phone_calls(phone, CUSTOMER)
    async with asyncio.timeout(30):  # ICMP says it at once
        await (await second.incoming()).answer()
    await call.answered()
    call.hangup()
    await world.ended()


async def test_options_of_a_carrier_are_answered(world: World) -> None:
    """Carriers ask whether we live; an address that is theirs needs no password for that."""
    response = await world.carrier.send("OPTIONS", "sip:127.0.0.1", world.hop())
    assert response.code == 200
