import pytest

from vpbx.calls.callid import EPOCH_S, MAX_DIGITS, CallIds
from vpbx.clock import ManualClock


def test_ids_are_decimal_unique_and_grow() -> None:
    ids = CallIds(3, ManualClock())
    made = [ids.new() for _ in range(10_000)]
    assert all(text.isdigit() for text in made)
    numbers = [int(text) for text in made]
    assert numbers == sorted(set(numbers))


def test_ids_of_a_hundred_nodes_in_one_millisecond_differ() -> None:
    clock = ManualClock()
    nodes = [CallIds(node, clock) for node in range(100)]
    assert len({node.new() for node in nodes for _ in range(10)}) == 1000


def test_ids_of_any_node_sort_by_the_millisecond_they_were_given_out_in() -> None:
    clock = ManualClock(EPOCH_S + 1000.0)
    last, first = CallIds(99, clock), CallIds(0, clock)
    earlier = [int(last.new()) for _ in range(10)]
    clock.advance(0.0015)
    assert int(first.new()) > max(earlier)


def test_a_clock_set_back_repeats_no_id() -> None:
    clock = ManualClock(EPOCH_S + 1000.0)
    ids = CallIds(0, clock)
    first = int(ids.new())
    clock._now -= 500
    assert int(ids.new()) > first


def test_a_clock_set_back_while_the_server_was_off_repeats_no_id() -> None:
    clock = ManualClock(EPOCH_S + 10_000.0)
    before = [int(CallIds(node, clock).new()) for node in (0, 7)]
    clock._now -= 7200
    ids = CallIds(0, clock)
    ids.follow(max(before))
    assert min(int(ids.new()) for _ in range(100)) > max(before)


def test_an_id_of_before_does_not_hold_up_new_ones() -> None:
    ids = CallIds(0, ManualClock())
    ids.follow(2**62)
    assert len(ids.new()) <= MAX_DIGITS


def test_more_ids_than_a_millisecond_holds_borrow_from_the_next() -> None:
    clock = ManualClock()
    ids = CallIds(99, clock)
    before = [int(ids.new()) for _ in range(5000)]
    clock.advance(0.001)
    after = [int(ids.new()) for _ in range(5000)]
    assert sorted(set(before + after)) == before + after


@pytest.mark.parametrize("years", [1, 10, 31])
def test_ids_have_at_most_15_digits_and_survive_a_double(years: int) -> None:
    text = CallIds(99, ManualClock(EPOCH_S + years * 365.25 * 86400.0)).new()
    assert len(text) <= 15
    assert int(float(text)) == int(text)
    assert f"{float(text):.15g}" == text  # as a spreadsheet shows it


def test_a_node_that_has_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="99"):
        CallIds(100, ManualClock())
