"""Strangers share budgets; whom we know has one of its own; what is ours always passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vpbx.clock import ManualClock
from vpbx.sip.budget import BudgetLimits, Budgets, Rate, Standing
from vpbx.sip.transport import Hop

LIMITS = BudgetLimits(
    stranger=Rate(10, 20),
    strangers_of_host=Rate(50, 60),
    strangers=Rate(100, 200),
    phone=Rate(20, 40),
    carrier=Rate(500, 500),
    sources=1000,
)
PHONE = Hop("udp", "192.0.2.1", 5062)
CARRIER = Hop("udp", "203.0.113.1", 5060)


@pytest.fixture
def known() -> dict[Hop, Standing]:
    return {PHONE: Standing.PHONE, CARRIER: Standing.CARRIER}


@pytest.fixture
def budgets(clock: ManualClock, known: dict[Hop, Standing]) -> Budgets:
    return Budgets(clock, LIMITS, lambda hop: known.get(hop, Standing.STRANGER))


def admitted(budgets: Budgets, hop: Hop, times: int = 1, size: int = 400) -> int:
    data = b"REGISTER".ljust(size)
    return sum(budgets.admit(hop, data, lambda _: False) is not None for _ in range(times))


def stranger(port: int = 40000, host: str = "198.51.100.7") -> Hop:
    return Hop("udp", host, port)


def test_one_port_that_floods_leaves_its_neighbours_alone(budgets: Budgets) -> None:
    assert admitted(budgets, stranger(), 10_000) == 20
    assert admitted(budgets, stranger(40001)) == 1
    assert budgets.dropped == 9_980


def test_what_was_spent_comes_back_with_time(budgets: Budgets, clock: ManualClock) -> None:
    admitted(budgets, stranger(), 100)
    clock.advance(1)
    assert admitted(budgets, stranger(), 100) == 10
    clock.advance(3600)
    assert admitted(budgets, stranger(), 100) == 20, "never more than a burst"


def test_strangers_cannot_spend_what_phones_and_carriers_have(budgets: Budgets) -> None:
    for number in range(10_000):
        admitted(budgets, stranger(1024 + number % 60_000, f"198.51.{number % 200}.9"))
    assert admitted(budgets, PHONE, 40) == 40
    assert admitted(budgets, CARRIER, 500) == 500


def test_a_phone_behind_a_flooding_host_is_served(budgets: Budgets) -> None:
    for port in range(1024, 3024):
        admitted(budgets, Hop("udp", PHONE.host, port))
    assert admitted(budgets, PHONE, 40) == 40


def test_answers_to_what_we_ask_leave_a_phone_its_budget(budgets: Budgets) -> None:
    """A phone that is notified often may call all the same."""
    for _ in range(1000):
        assert budgets.admit(PHONE, b"SIP/2.0 200 OK\r\n", lambda _: True) is Standing.PHONE
    assert admitted(budgets, PHONE, 100) == 40
    assert not budgets.admit(PHONE, b"SIP/2.0 200 OK\r\n", lambda _: False), "it answers nobody"


def test_a_phone_gone_wild_spends_its_own(budgets: Budgets) -> None:
    assert admitted(budgets, PHONE, 1000) == 40
    assert admitted(budgets, stranger()) == 1


def test_who_comes_again_passes_where_inventions_do_not(
    clock: ManualClock,
) -> None:
    """Forged sources are new each time; a phone that registers sends again."""
    limits = replace(LIMITS, sources=20_000)
    budgets = Budgets(clock, limits, lambda hop: Standing.STRANGER)
    office = stranger(5060, "203.0.113.77")
    for number in range(5000):
        admitted(budgets, Hop("udp", f"198.18.{number // 250}.{number % 250}", 5060))
    first = admitted(budgets, office)
    clock.advance(0.5)
    for number in range(5000, 10_000):
        admitted(budgets, Hop("udp", f"198.18.{number // 250}.{number % 250}", 5060))
    assert (first, admitted(budgets, office)) == (0, 1)


def test_a_flood_of_calls_keeps_no_new_phone_from_registering(budgets: Budgets) -> None:
    for number in range(10_000):
        hop = Hop("udp", f"198.18.{number // 250}.{number % 250}", 5060)
        budgets.admit(hop, b"INVITE", lambda _: False)
    assert admitted(budgets, stranger(5060, "203.0.113.78")) == 1
    assert budgets.admit(stranger(5060, "203.0.113.79"), b"OPTIONS", lambda _: False)


class Flood:
    """So many hosts that send in turn, 10,000 messages a second together, broken or not."""

    def __init__(self, clock: ManualClock, hosts: int, *, broken: bool = False) -> None:
        self.clock = clock
        limits = BudgetLimits(sources=6000)
        self.budgets = Budgets(clock, limits, lambda hop: Standing.STRANGER)
        self.hosts = hosts
        self.broken = broken
        self.read = 0

    def polite(self, seconds: float, *, hop: Hop, flood: bool = True) -> float:
        """Ask twenty times a second from `hop`; return the share that was read."""
        passed = 0
        for tick in range(int(seconds * 1000)):
            for number in range(10 if flood else 0):
                place = (tick * 10 + number) % self.hosts
                source = Hop("udp", f"198.18.{place // 250}.{place % 250}", 5060)
                if self._is_read(source):
                    self.read += 1
                    if self.broken:
                        self.budgets.malformed(source)
            if not tick % 50:
                passed += self._is_read(hop)
            self.clock.advance(0.001)
        return passed / (seconds * 20)

    def _is_read(self, hop: Hop) -> bool:
        return self.budgets.admit(hop, b"OPTIONS ".ljust(300), lambda _: False) is not None


PROBE = Hop("udp", "203.0.113.81", 5060)


@pytest.mark.parametrize("broken", [True, False])
@pytest.mark.parametrize("hosts", [1, 100, 200])
def test_who_asks_little_is_answered_beside_hosts_that_each_ask_much(
    clock: ManualClock, hosts: int, broken: bool
) -> None:
    """No single one of them is over its own budget."""
    flood = Flood(clock, hosts, broken=broken)
    flood.polite(3, hop=PROBE, flood=False)
    for _ in range(2):
        assert flood.polite(1, hop=PROBE) == 1
        flood.polite(3, hop=PROBE, flood=False)


def test_a_host_that_comes_amid_the_flood_is_answered_too(clock: ManualClock) -> None:
    flood = Flood(clock, 100, broken=True)
    flood.polite(1, hop=PROBE)
    late = Hop("udp", "203.0.113.82", 5060)
    flood.polite(0.05, hop=late)
    assert flood.polite(2, hop=late) == 1


def test_regulars_are_answered_beside_thousands_of_hosts_that_ask_little(
    clock: ManualClock,
) -> None:
    flood = Flood(clock, 5000)
    flood.polite(3, hop=PROBE, flood=False)
    assert flood.polite(1, hop=PROBE) == 1


def test_a_regular_is_known_at_another_port_and_after_more_hosts_than_are_remembered(
    clock: ManualClock,
) -> None:
    flood = Flood(clock, 250 * 250)
    flood.polite(3, hop=PROBE, flood=False)
    flood.polite(0.8, hop=Hop("udp", "203.0.113.83", 5060))
    assert flood.polite(0.5, hop=Hop("udp", PROBE.host, 5099)) == 1


def test_what_a_flood_leaves_unused_is_nobodys(clock: ManualClock) -> None:
    """Those who flood get all that the polite do not ask for, and no more than there is."""
    flood = Flood(clock, 100)
    flood.polite(2, hop=PROBE)
    assert 1900 <= flood.read <= 2300


def test_large_messages_cost_more(budgets: Budgets) -> None:
    assert admitted(budgets, stranger(), 100, size=20_000) == 2
    assert admitted(budgets, stranger(40001), 100, size=400) == 20


def test_malformed_messages_cost_more(budgets: Budgets) -> None:
    count = 0
    while admitted(budgets, stranger()):
        budgets.malformed(stranger())
        count += 1
    assert count == 4


def test_what_belongs_to_us_passes_over_any_budget(budgets: Budgets) -> None:
    admitted(budgets, stranger(), 100)
    assert budgets.admit(stranger(), b"INVITE", lambda _: True)


def test_a_stranger_who_registers_is_a_phone_from_then_on(
    budgets: Budgets, known: dict[Hop, Standing]
) -> None:
    hop = stranger()
    admitted(budgets, hop, 100)
    assert budgets.admit(hop, b"INVITE", lambda _: True) is Standing.STRANGER
    known[hop] = Standing.PHONE
    budgets.changed(hop)
    assert admitted(budgets, hop, 100) == 40
    assert budgets.admit(hop, b"INVITE", lambda _: True) is Standing.PHONE


def test_who_leaves_is_a_stranger_again(
    budgets: Budgets, known: dict[Hop, Standing], clock: ManualClock
) -> None:
    admitted(budgets, PHONE)
    del known[PHONE]
    clock.advance(6)
    assert admitted(budgets, PHONE, 100) == 20


def test_a_connection_waits_instead(budgets: Budgets, clock: ManualClock) -> None:
    hop = Hop("tcp", "198.51.100.7", 40000, 7)
    taken = 0
    while not (wait_s := budgets.wait_s(hop, b"OPTIONS")):
        taken += 1
    assert taken == 20
    assert wait_s == pytest.approx(0.1)
    clock.advance(wait_s)
    assert budgets.wait_s(hop, b"OPTIONS") == 0
    huge = Hop("tcp", "198.51.100.8", 40000, 8)
    assert budgets.wait_s(huge, b"OPTIONS".ljust(40_000)) == 0, (
        "a message larger than any burst passes when full"
    )


def test_connections_that_can_wait_leave_room_for_datagrams(budgets: Budgets) -> None:
    for number in range(200):
        hop = Hop("tcp", f"198.18.0.{number}", 40_000, number + 1)
        while not budgets.wait_s(hop, b"REGISTER"):
            pass
    assert admitted(budgets, stranger(5060, "203.0.113.80")) == 0, "a port that is new"
    assert admitted(budgets, stranger(5060, "203.0.113.80")) == 1, "one that comes again"


def test_memory_is_bounded(budgets: Budgets) -> None:
    for number in range(5000):
        admitted(budgets, Hop("udp", f"198.18.{number // 250}.{number % 250}", 5060))
    assert len(budgets._sources) <= 1000
    assert len(budgets._hosts) <= 1000
