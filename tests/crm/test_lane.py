"""Order, pauses, bounds and recovery of one domain's commands, with the clock in hand."""

from __future__ import annotations

import itertools

import pytest

from vpbx.clock import ManualClock
from vpbx.crm.commands import Fields
from vpbx.crm.lane import PAUSES_S, Command, Lane, Limits, Tally


class Bench:
    """A lane, and a database that never loses a row."""

    def __init__(self, limits: Limits | None = None, *, tally: Tally | None = None) -> None:
        self.clock = ManualClock()
        self.tally = tally or Tally()
        self.woken = 0
        self.lane = Lane(1, self.clock, self._ready, limits or Limits(), self.tally)
        self.rows: dict[int, Command] = {}
        self.next_id = 0

    def _ready(self) -> None:
        self.woken += 1

    def put(self, callid: str, *, held: bool = False) -> int:
        self.next_id += 1
        clock = self.clock
        fields: Fields = {"cmd": "event"}
        command = Command(
            self.next_id, 1, callid, fields, clock.time(), since=clock.now(), held=held
        )
        self.rows[command.id] = command
        self.lane.put(command)
        return command.id

    def read(self) -> None:
        """Read rows back as the outbox does."""
        limit = min(self.lane.limits.refill, self.lane.room)
        after = sorted(i for i in self.rows if i > self.lane.last_id)
        commands = [self.rows[i] for i in after[:limit]]
        self.lane.take_rows(commands, newest_id=self.lane.newest_id, all_read=len(commands) < limit)

    def taken(self, command: Command) -> bool:
        del self.rows[command.id]
        return self.lane.taken(command)

    def send_all(self) -> list[int]:
        sent = []
        while True:
            if self.lane.wants_rows:
                self.read()
            command = self.lane.take()
            if command is None:
                return sent
            sent.append(command.id)
            self.taken(command)


def take(lane: Lane) -> Command:
    command = lane.take()
    assert command is not None
    return command


def test_commands_of_one_call_go_one_after_the_other() -> None:
    bench = Bench()
    first, second = bench.put("a"), bench.put("a")
    command = take(bench.lane)
    assert command.id == first
    assert bench.lane.take() is None
    bench.taken(command)
    assert take(bench.lane).id == second


def test_calls_do_not_wait_for_each_other() -> None:
    bench = Bench()
    a, a2, b = bench.put("a"), bench.put("a"), bench.put("b")
    first, other = take(bench.lane), take(bench.lane)
    assert (first.id, other.id) == (a, b)
    bench.lane.refused(first)
    bench.taken(other)
    assert bench.lane.take() is None
    bench.clock.advance(1)
    bench.taken(take(bench.lane))
    assert take(bench.lane).id == a2


def test_pauses_grow_and_the_command_is_given_up_after_a_day() -> None:
    bench = Bench()
    bench.put("a")
    behind = bench.put("a")
    start = bench.clock.time()
    moments = []
    while True:
        command = take(bench.lane)
        moments.append(bench.clock.time() - start)
        if not bench.lane.refused(command):
            break
        assert bench.lane.take() is None
        pause = PAUSES_S[min(command.attempts, len(PAUSES_S)) - 1]
        bench.clock.advance(pause - 0.001)
        assert bench.lane.take() is None
        bench.clock.advance(0.001)
    assert [round(m) for m in moments[:7]] == [0, 1, 3, 8, 18, 48, 108]
    assert 24 * 3600 <= moments[-1] <= 24 * 3600 + 600
    assert max(b - a for a, b in itertools.pairwise(moments)) == pytest.approx(600)
    assert take(bench.lane).id == behind


def test_a_command_given_up_lets_the_next_one_go() -> None:
    bench = Bench(Limits(keep_trying_s=0))
    bench.put("a")
    second = bench.put("a")
    assert bench.lane.refused(take(bench.lane)) is False
    assert take(bench.lane).id == second
    assert bench.lane.kept == 1


def test_the_first_success_after_trouble_sends_everything_that_waits() -> None:
    bench = Bench()
    for callid in "abcde":
        bench.put(callid)
    for _ in range(5):
        bench.lane.refused(take(bench.lane))
    assert bench.lane.troubled
    bench.put("f")
    woken = bench.woken
    assert bench.taken(take(bench.lane)) is True
    assert bench.woken > woken
    assert [take(bench.lane).callid for _ in range(5)] == list("abcde")
    assert not bench.lane.troubled
    bench.clock.advance(3600)  # their timers are gone
    assert bench.lane.take() is None


def test_one_command_the_crm_cannot_take_is_no_trouble() -> None:
    bench = Bench()
    bench.put("bad")
    for number in range(10):
        bench.clock.advance(600)
        bad = take(bench.lane)
        assert bad.callid == "bad"
        bench.lane.refused(bad)
        bench.put(f"good{number}")
        assert bench.taken(take(bench.lane)) is False


def test_memory_is_bounded_and_the_rest_is_read_back_in_order() -> None:
    bench = Bench(Limits(kept=50, refill=20, refill_below=5))
    ids = [bench.put(f"call{n % 70}") for n in range(300)]
    assert (bench.lane.kept, bench.tally.kept, bench.lane.spilled) == (50, 50, True)
    sent = bench.send_all()
    assert sorted(sent) == ids
    for call in range(70):
        mine = [i for i in sent if (i - 1) % 70 == call]
        assert mine == sorted(mine)
    assert (bench.lane.idle, bench.tally.kept) == (True, 0)


def test_hours_of_outage_keep_memory_bounded_and_lose_nothing() -> None:
    bench = Bench(Limits(kept=50, refill=20, refill_below=5))
    for number in range(2000):
        bench.put(f"call{number}")
        if bench.lane.wants_rows:
            bench.read()
        while (command := bench.lane.take()) is not None:
            assert bench.lane.refused(command)
        bench.clock.advance(5)
        assert bench.lane.kept <= 50
    assert len(bench.rows) == 2000
    bench.clock.advance(600)
    assert len(bench.send_all()) == 2000


def test_commands_that_will_not_go_do_not_keep_others_in_the_database() -> None:
    bench = Bench(Limits(kept=100, refill=20, refill_below=5))
    for number in range(60):
        bench.put(f"bad{number}")
    for number in range(100):
        bench.put(f"good{number}")
    sent = []
    for _ in range(400):
        if bench.lane.wants_rows:
            bench.read()
        command = bench.lane.take()
        if command is None:
            break
        if command.callid.startswith("bad"):
            bench.lane.refused(command)
            continue
        sent.append(command.callid)
        bench.taken(command)
    assert sent == [f"good{n}" for n in range(100)]


def test_a_row_that_comes_while_rows_are_read_is_not_forgotten() -> None:
    bench = Bench(Limits(kept=4, refill=4, refill_below=1))
    for number in range(5):
        bench.put(f"call{number}")
    for _ in range(4):
        bench.taken(take(bench.lane))
    assert bench.lane.wants_rows
    newest = bench.lane.newest_id
    found = [bench.rows[5]]  # what the reading saw…
    late = bench.put("late")  # …before this one came
    bench.lane.take_rows(found, newest_id=newest, all_read=True)
    assert bench.lane.spilled
    assert bench.send_all() == [5, late]
    assert bench.lane.idle


def test_a_crowded_house_leaves_each_domain_its_share() -> None:
    limits = Limits(kept=50, kept_in_all=60, fair_share=5)
    tally = Tally()
    big, small = Bench(limits, tally=tally), Bench(limits, tally=tally)
    for number in range(100):
        big.put(f"call{number}")
    for number in range(100):
        small.put(f"call{number}")
    assert (big.lane.kept, small.lane.kept) == (50, 10)
    third = Bench(limits, tally=tally)
    for number in range(100):
        third.put(f"call{number}")
    assert third.lane.kept == 5


def test_a_closed_lane_forgets_its_timers() -> None:
    bench = Bench()
    bench.put("a")
    bench.put("b")
    bench.lane.refused(take(bench.lane))
    bench.lane.close()
    bench.clock.advance(10)
    assert bench.lane.take() is None
    assert bench.tally.kept == 0


def test_a_held_command_waits_for_its_release_and_keeps_its_place() -> None:
    bench = Bench()
    first = bench.put("a")
    history = bench.put("a", held=True)
    assert bench.send_all() == [first]
    assert bench.lane.in_line == 0
    bench.put("b")
    assert len(bench.send_all()) == 1, "other calls do not wait"
    woken = bench.woken
    bench.lane.release(bench.rows[history])
    assert bench.woken > woken
    assert bench.send_all() == [history]
    assert bench.lane.idle


def test_a_command_released_behind_others_does_not_overtake_them() -> None:
    bench = Bench()
    first, history = bench.put("a"), bench.put("a", held=True)
    going = take(bench.lane)
    bench.lane.release(bench.rows[history])
    assert bench.lane.take() is None
    bench.lane.refused(going)
    assert bench.lane.take() is None
    bench.clock.advance(2)
    assert bench.send_all() == [first, history]


def test_a_held_command_that_had_no_room_is_read_back() -> None:
    bench = Bench(Limits(kept=4, refill_below=2))
    sent = [bench.put("a") for _ in range(4)]
    held = bench.put("a", held=True)
    bench.lane.release(bench.rows[held])
    assert bench.send_all() == [*sent, held]
    assert bench.lane.idle


def test_what_is_left_out_is_no_sign_of_life() -> None:
    bench = Bench()
    for callid in "abc":
        bench.put(callid)
        bench.lane.refused(take(bench.lane))
    bench.put("d")
    late = take(bench.lane)
    bench.lane.leave_out(late)
    assert bench.lane.troubled
    assert bench.lane.kept == 3


def test_a_clock_set_a_day_ahead_gives_nothing_up() -> None:
    bench = Bench()
    bench.put("a")
    command = take(bench.lane)
    command.created_at -= 25 * 3600  # as if the time of day had been set
    assert bench.lane.refused(command) is True
