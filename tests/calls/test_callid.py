import pytest

from vpbx.calls.callid import EPOCH_S, CallIds
from vpbx.clock import ManualClock


def test_ids_are_decimal_unique_and_grow() -> None:
    ids = CallIds(3, ManualClock())
    made = [ids.new() for _ in range(10_000)]
    assert all(text.isdigit() for text in made)
    numbers = [int(text) for text in made]
    assert numbers == sorted(set(numbers))


def test_ids_of_two_nodes_in_one_millisecond_differ() -> None:
    clock = ManualClock()
    assert not {CallIds(1, clock).new() for _ in range(1)} & {CallIds(2, clock).new()}


def test_a_clock_set_back_repeats_no_id() -> None:
    clock = ManualClock(EPOCH_S + 1000.0)
    ids = CallIds(0, clock)
    first = int(ids.new())
    clock._now -= 500
    assert int(ids.new()) > first


def test_more_ids_than_a_millisecond_holds_borrow_from_the_next() -> None:
    clock = ManualClock()
    ids = CallIds(1023, clock)
    before = [int(ids.new()) for _ in range(5000)]
    clock.advance(0.001)
    after = [int(ids.new()) for _ in range(5000)]
    assert sorted(set(before + after)) == before + after


def test_ids_fit_a_signed_64_bit_column_and_say_when() -> None:
    clock = ManualClock(EPOCH_S + 60 * 365 * 86400.0)
    value = int(CallIds(1023, clock).new())
    assert value < 2**63
    assert value >> 22 == 60 * 365 * 86400 * 1000


def test_a_node_that_has_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="1024"):
        CallIds(1024, ManualClock())
