"""What becomes of missed calls (crm-api §4 missedStatus), and the filters that are ours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.history.world import ANN, BOB, NOW, SALES, World, query
from vpbx.events import CallEnded, CallStarted, Direction, Status
from vpbx.history import WHENEVER
from vpbx.history.tables import call_history

MISSED = (Direction.IN, Status.MISSED)
TRIED = (Direction.OUT, Status.NOTAVAILABLE)


async def states(world: World, **more: Any) -> list[int | None]:
    """`missedStatus` of all calls, oldest first."""
    return [row.get("missedStatus") for row in reversed(await world.external(query(**more)))]


@pytest.mark.parametrize(
    ("later", "state"),
    [
        ([], 3),
        ([(Direction.IN, Status.SUCCESS)], 1),
        ([(Direction.OUT, Status.SUCCESS)], 2),
        ([TRIED], 4),
        ([(Direction.OUT, Status.CANCEL)], 4),
        ([TRIED, (Direction.OUT, Status.SUCCESS)], 2),
        ([TRIED, (Direction.IN, Status.SUCCESS)], 1),
        ([(Direction.OUT, Status.SUCCESS), TRIED], 2),
        ([(Direction.IN, Status.SUCCESS), (Direction.OUT, Status.SUCCESS)], 1),
        ([(Direction.OUT, Status.SUCCESS), (Direction.IN, Status.SUCCESS)], 2),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_later_calls_say_what_became_of_a_missed_one(
    world: World, later: list[tuple[Direction, Status]], state: int, at_once: bool
) -> None:
    world.call(*MISSED)
    for number, (direction, status) in enumerate(later):
        if not at_once:
            await world.writer.flush()
        world.call(direction, status, at=NOW + 60 * (number + 1), user=BOB)
    assert (await states(world))[0] == state


async def test_all_missed_calls_of_a_customer_are_answered_by_one_and_nobody_elses(
    world: World,
) -> None:
    for number in range(3):
        world.call(*MISSED, at=NOW + number, diversion=f"7495000000{number}")
    world.call(*MISSED, at=NOW + 3, client="79990000000")
    world.call(*MISSED, at=NOW + 4, domain_id=2)
    world.call(Direction.OUT, at=NOW + 60)
    world.call(*MISSED, at=NOW + 90)
    assert await states(world) == [2, 2, 2, 3, None, 3]
    assert await states(world, domain_id=2) == [3]


async def test_a_customer_who_got_through_on_another_line_meanwhile_counts(world: World) -> None:
    """The missed call began first and ended last."""
    world.call(Direction.IN, at=NOW + 10, ended_at=NOW + 40)
    await world.writer.flush()
    world.call(*MISSED, at=NOW, ended_at=NOW + 60)
    world.call(*MISSED, at=NOW + 50, ended_at=NOW + 70)
    assert await states(world) == [1, None, 3]


async def test_whoever_hides_their_number_is_never_called_back(world: World) -> None:
    world.call(*MISSED, client="")
    world.call(Direction.IN, at=NOW + 60, client="")
    assert await states(world) == [3, None]


async def test_the_rule_is_the_same_in_whatever_order_calls_end_and_are_written(
    world: World,
) -> None:
    """Every order of four overlapping calls, one transaction each or all in one."""
    import itertools

    def last_word(calls: list[tuple[float, Direction, Status]], at: float) -> int:
        after = [(d, s) for start, d, s in sorted(calls, key=lambda c: c[0]) if start > at]
        for direction, status in after:
            if status is Status.SUCCESS:
                return 1 if direction is Direction.IN else 2
        return 4 if any(direction is Direction.OUT for direction, _ in after) else 3

    calls = [
        (NOW, *MISSED),
        (NOW + 1, *TRIED),
        (NOW + 2, *MISSED),
        (NOW + 3, Direction.IN, Status.SUCCESS),
        (NOW + 4, *MISSED),
    ]
    wanted = [last_word(calls, at) if status is Status.MISSED else None for at, _, status in calls]
    assert wanted == [1, None, 1, None, 3]
    for number, order in enumerate(itertools.permutations(calls)):
        for at, direction, status in order:
            world.call(direction, status, at=at, client=f"7900{number}", ended_at=at + 9)
            if number % 2:
                await world.writer.flush()
        assert await states(world, client=f"7900{number}") == wanted, order


async def test_filters_of_ours(world: World) -> None:
    back = world.call(*MISSED, at=NOW, group=SALES)
    out = world.call(Direction.OUT, at=NOW + 1)
    lost = world.call(*MISSED, at=NOW + 2, client="79990000000")
    won = world.call(Direction.IN, at=NOW + 3, group=SALES, client="79990000001")

    async def found(**more: Any) -> list[str]:
        return [row["uid"] for row in reversed(await world.external(query(**more)))]

    assert await found(missed=(2,)) == [back.callid]
    assert await found(missed=(3, 4)) == [lost.callid]
    assert await found(missed=(2, 3)) == [back.callid, lost.callid]
    assert await found(missed=(1,)) == []
    assert await found(groups=("g_1",)) == [back.callid, won.callid]
    assert await found(groups=("g_0", "g_1", "g_2"), missed=(2,)) == [back.callid]
    assert await found(uids=(int(won.callid),)) == [won.callid]
    three = (int(won.callid), int(out.callid), 7)
    assert await found(uids=three, type="out") == [out.callid]
    assert await found(uids=tuple(range(1000))) == []


async def test_a_call_is_found_by_its_uid_whenever_it_was(world: World) -> None:
    old = world.call(at=NOW - 400 * 86_400)
    inner = world.call(Direction.INNER, at=NOW - 400 * 86_400, caller=BOB)
    rows = await world.external(query(period=WHENEVER, uids=(int(old.callid),)))
    assert [row["uid"] for row in rows] == [old.callid]
    rows = await world.inner(query(period=WHENEVER, uids=(int(inner.callid),)))
    assert [row["uid"] for row in rows] == [inner.callid]
    assert await world.external(query(period=WHENEVER, uids=(int(inner.callid),))) == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.CANCEL, "cancel"),
        (Status.BUSY, "busy"),
        (Status.NOTAVAILABLE, "notavailable"),
        (Status.NOTALLOWED, "notallowed"),
        (Status.NOTFOUND, "notfound"),
        (Status.NOANSWER, "notavailable"),
    ],
)
async def test_an_outgoing_call_that_nobody_answered_is_one_word_and_its_reason(
    world: World, status: Status, reason: str
) -> None:
    world.call(Direction.OUT, status)
    (row,) = await world.external(query())
    assert (row["status"], row["reason"]) == ("noanswer", reason)
    assert "missedStatus" not in row


async def test_status_has_three_words_whatever_happened(world: World) -> None:
    for direction in (Direction.IN, Direction.OUT):
        for status in Status:
            world.call(direction, status)
    rows = await world.external(query(limit=100))
    assert len(rows) == 2 * len(Status)
    assert {row["status"] for row in rows} == {"success", "missed", "noanswer"}
    for row in rows:
        assert ("reason" in row) == (row["status"] == "noanswer")
        assert ("missedStatus" in row) == (row["status"] == "missed")


async def test_the_figures_of_the_row_are_those_of_the_event(world: World) -> None:
    """Milliseconds that would make the one 7 and the other 6."""
    info = world.call(at=NOW + 0.9996, answered_at=NOW + 7.9994, ended_at=NOW + 15.0001)
    end = CallEnded(info, NOW + 15.0001, Status.SUCCESS, ANN, answered_at=NOW + 7.9994)
    (row,) = await world.external(query())
    assert (row["wait"], row["duration"]) == end.lengths == (6, 7)


async def test_many_missed_calls_are_settled_without_looking_at_all_calls(world: World) -> None:
    """What a busy customer's answered call costs does not grow with their history."""
    statement = (
        "UPDATE call_history SET missed_status = 1 WHERE domain_id = 1 AND client = 'x' "
        "AND missed_status >= 3 AND missed_status <= 4 AND started_ms < 5"
    )
    if world.database.dialect != "sqlite":
        pytest.skip("plans of small tables on PostgreSQL say nothing")
    async with world.database.connect() as connection:
        plan = (await connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement)).all()
    assert "ix_call_history_unreturned" in str(plan)


async def test_a_call_begun_and_ended_in_one_transaction_is_in_one_piece(world: World) -> None:
    for number in range(50):
        info = world.call(*(MISSED if number % 2 else (Direction.OUT, Status.SUCCESS)), at=NOW)
        world.bus.publish(CallStarted(info, NOW))  # once more: changes nothing
    assert len(await world.rows()) == 50
    assert call_history.c.missed_status is not None
