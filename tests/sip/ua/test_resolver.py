"""Where a name is reached (RFC 3263), asked of a name server that speaks real DNS."""

from __future__ import annotations

import asyncio
import collections
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dns import NameServer
from vpbx.clock import LoopClock
from vpbx.outside import is_public
from vpbx.sip import Hop
from vpbx.sip.followed import Followed
from vpbx.sip.resolver import Resolver, Unresolved


@pytest.fixture
async def dns() -> AsyncIterator[NameServer]:
    async with NameServer() as server:
        yield server


@pytest.fixture
def resolver(dns: NameServer, tmp_path: Path) -> Resolver:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.99 pbx.local other # a remark\nbroken line\n")
    return Resolver(nameservers=[dns.address], hosts=hosts)


async def hops(resolver: Resolver, host: str, port: int = 0, transport: str = "") -> list[Hop]:
    return list((await resolver.find(host, port, transport)).order())


async def test_an_address_is_itself_and_nobody_is_asked(
    resolver: Resolver, dns: NameServer
) -> None:
    assert await hops(resolver, "192.0.2.1") == [Hop("udp", "192.0.2.1", 5060)]
    assert await hops(resolver, "[2001:db8::1]", 5070) == [Hop("udp", "2001:db8::1", 5070)]
    assert await hops(resolver, "192.0.2.1", 0, "tls") == [Hop("tls", "192.0.2.1", 5061)]
    assert dns.asked == []


async def test_a_port_is_looked_up_by_addresses_only(resolver: Resolver, dns: NameServer) -> None:
    dns.put("carrier.test", "A", ["192.0.2.1", "192.0.2.2"])
    dns.put("carrier.test", "AAAA", ["2001:db8::1"])
    dns.put("_sip._udp.carrier.test", "SRV", ["1 1 5062 elsewhere.test."])
    assert sorted(await hops(resolver, "Carrier.Test.", 5070), key=str) == [
        Hop("udp", "192.0.2.1", 5070),
        Hop("udp", "192.0.2.2", 5070),
        Hop("udp", "2001:db8::1", 5070),
    ]


async def test_naptr_says_which_transport_and_srv_where(
    resolver: Resolver, dns: NameServer
) -> None:
    dns.put(
        "carrier.test",
        "NAPTR",
        [
            '20 10 "s" "SIP+D2U" "" _sip._udp.carrier.test.',
            '10 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.test.',
            '10 20 "s" "E2U+email" "" mail.carrier.test.',
        ],
    )
    dns.put(
        "_sips._tcp.carrier.test", "SRV", ["5 0 5071 b.carrier.test.", "1 0 5072 a.carrier.test."]
    )
    dns.put("_sip._udp.carrier.test", "SRV", ["1 0 5060 a.carrier.test."])
    dns.put("a.carrier.test", "A", ["192.0.2.1"])
    dns.put("b.carrier.test", "A", ["192.0.2.2"])
    assert await hops(resolver, "carrier.test") == [
        Hop("tls", "192.0.2.1", 5072, name="carrier.test"),
        Hop("tls", "192.0.2.2", 5071, name="carrier.test"),
        Hop("udp", "192.0.2.1", 5060),
    ]


async def test_without_naptr_srv_of_each_transport_is_asked_for(
    resolver: Resolver, dns: NameServer
) -> None:
    dns.put("_sip._tcp.carrier.test", "SRV", ["1 0 5080 a.carrier.test."])
    dns.put("carrier.test", "A", ["192.0.2.9"])
    dns.put("a.carrier.test", "A", ["192.0.2.1"])
    assert await hops(resolver, "carrier.test") == [Hop("tcp", "192.0.2.1", 5080)]
    assert await hops(resolver, "carrier.test", 0, "udp") == [Hop("udp", "192.0.2.9", 5060)]


async def test_weights_share_the_calls_out_and_priorities_come_first(
    resolver: Resolver, dns: NameServer
) -> None:
    dns.put(
        "_sip._udp.carrier.test",
        "SRV",
        ["1 90 5060 big.test.", "1 10 5060 small.test.", "2 0 5060 spare.test."],
    )
    for number, name in enumerate(("big", "small", "spare"), 1):
        dns.put(f"{name}.test", "A", [f"192.0.2.{number}"])
    found = await resolver.find("carrier.test", 0, "udp")
    rng = random.Random(7)
    orders = [found.order(rng) for _ in range(1000)]
    first = collections.Counter(order[0].host for order in orders)
    assert 850 < first["192.0.2.1"] < 950
    assert first["192.0.2.1"] + first["192.0.2.2"] == 1000
    assert {order[2].host for order in orders} == {"192.0.2.3"}


async def test_a_target_without_address_is_left_out(resolver: Resolver, dns: NameServer) -> None:
    dns.put("_sip._udp.carrier.test", "SRV", ["1 0 5060 lost.test.", "2 0 5060 here.test."])
    dns.put("here.test", "A", ["192.0.2.2"])
    assert await hops(resolver, "carrier.test", 0, "udp") == [Hop("udp", "192.0.2.2", 5060)]


async def test_a_domain_that_says_it_takes_no_sip_is_believed(
    resolver: Resolver, dns: NameServer
) -> None:
    dns.put("_sip._udp.carrier.test", "SRV", ["0 0 0 ."])
    dns.put("carrier.test", "A", ["192.0.2.2"])
    with pytest.raises(Unresolved, match="takes no SIP"):
        await resolver.find("carrier.test", 0, "udp")


async def test_a_name_of_the_hosts_file_and_localhost_need_no_server(
    resolver: Resolver, dns: NameServer
) -> None:
    assert await hops(resolver, "PBX.local", 5070) == [Hop("udp", "192.0.2.99", 5070)]
    assert (await hops(resolver, "localhost"))[0] == Hop("udp", "127.0.0.1", 5060)
    assert dns.asked == []


async def test_what_is_not_there_is_told_from_what_does_not_answer(
    resolver: Resolver, dns: NameServer
) -> None:
    with pytest.raises(Unresolved) as error:
        await resolver.find("nowhere.test")
    assert error.value.gone
    assert "nowhere.test" in str(error.value)
    dns.rcode = 2  # SERVFAIL
    with pytest.raises(Unresolved) as error:
        await resolver.find("nowhere.test")
    assert not error.value.gone
    dns.silent = True
    began = time.monotonic()
    with pytest.raises(Unresolved) as error:
        await resolver.find("nowhere.test", 5060)
    assert not error.value.gone
    assert time.monotonic() - began < 30


async def test_a_server_that_chokes_on_naptr_does_not_matter(
    resolver: Resolver, dns: NameServer
) -> None:
    dns.put("_sip._udp.carrier.test", "SRV", ["1 0 5062 a.test."])
    dns.put("a.test", "A", ["192.0.2.1"])
    whole = dns.datagram_received

    def choking(data: bytes, addr: tuple[str, int]) -> None:
        dns.rcode = 4 if b"\x00\x23\x00\x01" in data else 0
        whole(data, addr)

    dns.datagram_received = choking  # type: ignore[method-assign]
    assert await hops(resolver, "carrier.test") == [Hop("udp", "192.0.2.1", 5062)]


async def until(condition: object) -> None:
    async with asyncio.timeout(30):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def test_a_name_is_followed_by_its_ttl(resolver: Resolver, dns: NameServer) -> None:
    dns.put("carrier.test", "A", ["192.0.2.1"], ttl=1)
    followed = Followed(resolver, LoopClock(), "carrier.test", 5060)
    assert followed.pending
    await followed.ready(5)
    assert [hop.host for hop in followed.order()] == ["192.0.2.1"]
    dns.put("carrier.test", "A", ["192.0.2.2"], ttl=1)
    await until(lambda: [hop.host for hop in followed.hops] == ["192.0.2.2"])
    dns.silent = True
    await until(lambda: followed.problem)
    assert [hop.host for hop in followed.hops] == ["192.0.2.2"]  # silence is no news
    dns.silent = False
    await until(lambda: not followed.problem)
    dns.remove("carrier.test")
    await until(lambda: followed.problem)
    assert followed.hops == ()
    dns.put("carrier.test", "A", ["192.0.2.3"])
    await until(lambda: followed.hops)
    followed.stop()


@pytest.mark.parametrize("by", ["naptr", "srv", "address"])
async def test_a_name_that_leads_inside_leads_nowhere_at_any_time(
    resolver: Resolver, dns: NameServer, by: str
) -> None:
    """Whatever kind of record does it, and also when it does so only later (DNS rebinding)."""
    if by == "naptr":
        dns.put("op.test", "NAPTR", ['1 1 "s" "SIP+D2T" "" _here.op.test.'])
        dns.put("_here.op.test", "SRV", ["1 1 6379 one.test.", "2 1 6379 two.test."], ttl=1)
    elif by == "srv":
        dns.put("_sip._udp.op.test", "SRV", ["1 1 6379 one.test.", "2 1 6379 two.test."], ttl=1)
    inside, outside = ("op.test", "op.test") if by == "address" else ("one.test", "two.test")
    dns.put(inside, "A", ["10.0.0.7", "127.0.0.1"], ttl=1)
    dns.put(inside, "AAAA", ["::1", "::ffff:10.0.0.7", "fd00::1"], ttl=1)
    if by != "address":
        dns.put(outside, "A", ["93.184.216.34"], ttl=1)
    followed = Followed(resolver, LoopClock(), "op.test", usable=lambda hop: is_public(hop.host))
    await followed.ready(5)
    if by == "address":
        assert followed.order() == ()
        assert followed.shut
        dns.put("op.test", "A", ["93.184.216.34"], ttl=1)
        dns.put("op.test", "AAAA", [], ttl=1)
        await until(lambda: followed.order())
    assert {hop.host for hop in followed.order()} == {"93.184.216.34"}
    dns.put(outside, "A", ["192.168.1.1"], ttl=1)
    await until(lambda: followed.shut)
    assert followed.order() == ()
    assert followed.hops == ()
    followed.stop()


async def test_nobody_waits_long_for_a_name(resolver: Resolver, dns: NameServer) -> None:
    dns.silent = True
    followed = Followed(resolver, LoopClock(), "carrier.test", 5060)
    answering = asyncio.create_task(resolver.find("carrier.test", 5060))
    await followed.ready(0.2)
    assert not answering.done(), "others still ask"
    answering.cancel()
    assert followed.order() == ()
    followed.stop()
