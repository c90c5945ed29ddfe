"""From call events to the journal and to history; what a crash leaves becomes history too."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from tests.history.world import ANN, BOB, NOW, SALES, World, new_call, running_world
from vpbx.db import Database
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallEvent,
    CallStarted,
    Completed,
    Destination,
    Dialing,
    Direction,
    Entered,
    Rated,
    RecordingReady,
    RingEnded,
    Ringing,
    Status,
    Taken,
    Transferred,
)
from vpbx.history import Browser, call_journal
from vpbx.history.tables import NO_RECORD, RECORD_ENCODING, RECORD_FAILED, RECORD_READY


async def test_a_call_is_journaled_when_it_starts_and_becomes_one_row_when_it_ends(
    world: World,
) -> None:
    info = new_call()
    world.bus.publish(CallStarted(info, NOW, ANN))
    assert [row.callid for row in await world.journal()] == [int(info.callid)]
    assert await world.rows() == []

    world.bus.publish(Ringing(info, NOW + 1, ANN, SALES))
    world.bus.publish(Answered(info, NOW + 5, ANN, SALES))
    world.bus.publish(Completed(info, NOW + 28, ANN, SALES))
    world.bus.publish(
        CallEnded(
            info,
            NOW + 28,
            Status.SUCCESS,
            ANN,
            SALES,
            answered_at=NOW + 5,
            destination=Destination.USER,
            account="ann",
        )
    )
    assert await world.journal() == []
    (row,) = await world.rows()
    assert (row.callid, row.domain_id, row.direction) == (int(info.callid), 1, "in")
    assert (row.started_ms, row.answered_ms, row.ended_ms) == (
        int(NOW * 1000),
        int((NOW + 5) * 1000),
        int((NOW + 28) * 1000),
    )
    assert (row.status, row.destination, row.account) == ("success", "user", "ann")
    assert (row.user_login, row.user_name, row.user_ext) == ("ann", "Ann Smith", "701")
    assert (row.group_id, row.group_name) == ("g_1", "Sales department")
    assert (row.client, row.diversion, row.telnum_name) == (
        "79101234567",
        "74957654321",
        "Main line",
    )
    assert (row.record, row.rating, row.ended_by) == (NO_RECORD, None, "")


async def test_a_call_published_as_ended_twice_is_one_row(world: World) -> None:
    info = world.call()
    world.bus.publish(CallEnded(info, NOW + 90, Status.MISSED, BOB))
    (row,) = await world.rows()
    assert row.status == "success"


@pytest.mark.parametrize(
    ("direction", "status", "user", "group", "account"),
    [
        (Direction.IN, Status.SUCCESS, ANN, SALES, "ann"),
        (Direction.IN, Status.MISSED, ANN, SALES, "g_1"),
        (Direction.IN, Status.MISSED, ANN, None, "ann"),
        (Direction.OUT, Status.CANCEL, ANN, None, "ann"),
        (Direction.IN, Status.MISSED, None, None, ""),
    ],
)
async def test_account_is_who_talked_else_the_department_else_who_was_to_get_it(
    sqlite_world: World,
    direction: Direction,
    status: Status,
    user: object,
    group: object,
    account: str,
) -> None:
    sqlite_world.call(direction, status, user=user, group=group)  # type: ignore[arg-type]
    (row,) = await sqlite_world.rows()
    assert row.account == account


async def test_the_account_that_the_call_names_is_taken(world: World) -> None:
    world.call(Direction.IN, Status.MISSED, account="ivr", destination=Destination.IVR)
    (row,) = await world.rows()
    assert (row.account, row.destination) == ("ivr", "ivr")


async def test_a_rating_before_the_end_is_in_the_row(world: World) -> None:
    info = new_call()
    world.bus.publish(CallStarted(info, NOW, ANN))
    world.bus.publish(Rated(info, NOW + 20, ANN, 4))
    world.bus.publish(CallEnded(info, NOW + 28, Status.SUCCESS, ANN, answered_at=NOW + 5))
    (row,) = await world.rows()
    assert row.rating == 4


async def test_a_rating_after_the_end_is_added(world: World) -> None:
    info = world.call()
    world.bus.publish(Rated(info, NOW + 40, ANN, 5))
    (row,) = await world.rows()
    assert row.rating == 5


async def test_a_recording_goes_from_encoding_to_ready_or_failed(world: World) -> None:
    good, bad = world.call(recorded=True), world.call(recorded=True)
    assert [row.record for row in await world.rows()] == [RECORD_ENCODING, RECORD_ENCODING]
    assert world.encoding.knows(good.callid)
    world.bus.publish(RecordingReady(good, NOW + 30, True))
    world.bus.publish(RecordingReady(bad, NOW + 30, False))
    assert [row.record for row in await world.rows()] == [RECORD_READY, RECORD_FAILED]
    assert not world.encoding.knows(good.callid)


async def restart(world: World, tmp_path: Path, **more: object) -> tuple[World, list[CallEvent]]:
    """The process is killed (its memory is gone), and starts again ten minutes later."""
    await world.writer.flush()
    again = World(world.database, tmp_path, writer=world.writer)
    events = await again.recorder.close_open_journal(again.database, NOW + 600, **more)  # type: ignore[arg-type]
    seen: list[CallEvent] = []
    again.bus.subscribe(lambda event: seen.append(event) or ())
    for event in events:
        again.bus.publish(event)
    return again, seen


@pytest.mark.parametrize("apart", [False, True])
async def test_calls_cut_off_by_a_crash_end_at_the_restart_with_one_row_each(
    world: World, tmp_path: Path, apart: bool
) -> None:
    """However the events are spread over transactions."""
    talking, ringing, dialing, talked_out, inner, over = (
        new_call(),
        new_call(),
        new_call(Direction.OUT),
        new_call(Direction.OUT),
        new_call(Direction.INNER),
        world.call(),
    )
    for event in (
        CallStarted(talking, NOW, None),
        Ringing(talking, NOW + 1, ANN, SALES),
        Ringing(talking, NOW + 1, BOB, SALES),
        Answered(talking, NOW + 5, ANN, SALES),
        RingEnded(talking, NOW + 5, BOB, SALES),
        CallStarted(ringing, NOW, None),
        Ringing(ringing, NOW + 1, ANN, SALES),
        Ringing(ringing, NOW + 2, BOB, SALES),
        RingEnded(ringing, NOW + 3, ANN, SALES),
        CallStarted(dialing, NOW, BOB),
        Dialing(dialing, NOW + 1, BOB),
        CallStarted(talked_out, NOW, BOB),
        Dialing(talked_out, NOW + 1, BOB),
        Answered(talked_out, NOW + 4, BOB),
        CallStarted(inner, NOW, BOB, None, ANN),
    ):
        world.bus.publish(event)
        if apart:
            await world.writer.flush()

    again, seen = await restart(world, tmp_path)
    now = NOW + 600
    assert [(type(e), e.call, getattr(e, "user", None)) for e in seen] == [
        (Completed, talking, ANN),
        (CallEnded, talking, ANN),
        (RingEnded, ringing, BOB),
        (CallEnded, ringing, BOB),
        (AttemptEnded, dialing, BOB),
        (CallEnded, dialing, BOB),
        (Completed, talked_out, BOB),
        (CallEnded, talked_out, BOB),
        (CallEnded, inner, BOB),
    ]
    rows = {str(row.callid): row for row in await again.rows()}
    assert await again.journal() == []
    assert len(rows) == 6
    cut = [rows[i.callid] for i in (talking, ringing, dialing, talked_out, inner)]
    assert [row.status for row in cut] == ["success", "missed", "cancel", "success", "noanswer"]
    assert {row.ended_ms for row in cut} == {int(now * 1000)}
    assert {row.ended_by for row in cut} == {"restart"}
    assert rows[over.callid].ended_by == ""
    assert [row.account for row in cut] == ["ann", "g_1", "bob", "bob", "bob"]
    assert rows[talking.callid].answered_ms == int((NOW + 5) * 1000)
    assert rows[ringing.callid].destination == "group"
    assert rows[inner.callid].caller_login == "ann"
    assert [row.record for row in cut] == [NO_RECORD] * 5

    assert (await restart(again, tmp_path))[1] == []


async def test_a_cut_off_call_has_its_recording_where_sound_was_found(
    world: World, tmp_path: Path
) -> None:
    info = new_call()
    world.bus.publish(CallStarted(info, NOW, ANN))
    world.bus.publish(Answered(info, NOW + 5, ANN))
    again, _ = await restart(world, tmp_path, recorded=lambda call: call.callid == info.callid)
    (row,) = await again.rows()
    assert row.record == RECORD_ENCODING
    assert [call.callid for call in await again.history.recordings_in_the_making(1)] == [
        info.callid
    ]


@pytest.mark.parametrize(
    ("told", "heard", "row"),
    [
        ([("entered", Destination.HELLO)], False, "missed hello g_1 ann"),
        ([("entered", Destination.IVR)], False, "missed ivr ivr ann"),
        ([("rung", BOB), ("entered", Destination.AM)], False, "missed am g_1 bob"),
        ([("rung", BOB), ("entered", Destination.AM)], True, "missed vm g_1 bob"),
        ([("entered", Destination.TELNUM)], True, "missed telnum g_1 ann"),
        ([("taken", Destination.TELNUM)], False, "success telnum ann ann"),
        ([("rung", BOB), ("taken", Destination.TELNUM)], True, "success telnum bob bob"),
        ([("entered", Destination.ONDUTY), ("rung", BOB)], False, "missed onduty g_1 bob"),
    ],
)
async def test_where_a_cut_off_call_was_is_told_as_at_any_end(
    world: World, tmp_path: Path, told: list[tuple[str, object]], heard: bool, row: str
) -> None:
    info = new_call()
    world.bus.publish(CallStarted(info, NOW, ANN, SALES))
    for what, which in told:
        if what == "rung":
            world.bus.publish(Ringing(info, NOW + 1, which, SALES))  # type: ignore[arg-type]
            world.bus.publish(RingEnded(info, NOW + 2, which, SALES))  # type: ignore[arg-type]
        elif what == "taken":
            world.bus.publish(Taken(info, NOW + 3, which))  # type: ignore[arg-type]
        else:
            account = "ivr" if which is Destination.IVR else ""
            group = None if which is Destination.IVR else SALES
            world.bus.publish(
                Entered(info, NOW + 3, which, None, group, account)  # type: ignore[arg-type]
            )
    again, _ = await restart(world, tmp_path, recorded=lambda call: heard)
    (found,) = await again.rows()
    assert f"{found.status} {found.destination} {found.account} {found.user_login}" == row
    has_record = heard and ("vm" in row or "success" in row)
    assert found.record == (RECORD_ENCODING if has_record else NO_RECORD)


async def test_calls_of_another_node_are_left_alone(world: World, tmp_path: Path) -> None:
    async with running_world(world.database, tmp_path, node=2) as other:
        theirs = new_call()
        other.bus.publish(CallStarted(theirs, NOW, ANN))
        await other.writer.flush()
        _, seen = await restart(world, tmp_path)
        assert seen == []
        assert len(await other.journal()) == 1


async def test_an_unreadable_journal_entry_still_becomes_a_row(
    world: World, tmp_path: Path
) -> None:
    info = new_call()
    world.bus.publish(CallStarted(info, NOW, ANN))
    await world.writer.flush()
    async with world.database.begin() as connection:
        await connection.execute(update(call_journal).values(state="{"))
    again, seen = await restart(world, tmp_path)
    assert len(seen) == 1
    (row,) = await again.rows()
    assert (row.callid, row.domain_id, row.ended_by) == (int(info.callid), 1, "restart")


async def test_no_number_a_caller_makes_up_costs_the_row(world: World) -> None:
    infos = [new_call(client=client) for client in ("7\0", "\ud800", "9" * 10_000, "вася")]
    for info in infos:
        world.bus.publish(CallStarted(info, NOW, ANN))
    assert len(await world.journal()) == 4
    for info in infos:
        world.bus.publish(CallEnded(info, NOW + 9, Status.MISSED, ANN))
    assert [row.client for row in await world.rows()] == ["7", "?", "9" * 128, "вася"]
    assert await world.journal() == []


async def test_many_calls_at_once_lose_nothing(world: World, database: Database) -> None:
    infos = [new_call(at=NOW + n / 100) for n in range(200)]
    for info in infos:
        world.bus.publish(CallStarted(info, info.started_at, ANN))
    for info in infos:
        world.bus.publish(Ringing(info, info.started_at + 1, ANN))
        world.bus.publish(Answered(info, info.started_at + 2, ANN))
    for info in reversed(infos):
        world.bus.publish(CallEnded(info, NOW + 9, Status.SUCCESS, ANN, answered_at=NOW + 8))
    assert len(await world.rows()) == 200
    assert await world.journal() == []


async def test_the_path_of_a_call_tells_who_rang_who_talked_and_who_passed_it_on(
    world: World,
) -> None:
    info = new_call()
    browser = Browser(world.database)
    for event in (
        CallStarted(info, NOW, ANN),
        Entered(info, NOW, Destination.IVR),
        Ringing(info, NOW + 1.5, ANN, SALES),
        Ringing(info, NOW + 1.5, BOB, SALES),
        RingEnded(info, NOW + 4, ANN, SALES),
        Answered(info, NOW + 4, BOB, SALES),
        Transferred(info, NOW + 9, BOB, "77", SALES),
        Completed(info, NOW + 9, BOB, SALES),
        CallEnded(info, NOW + 9, Status.SUCCESS, BOB, SALES, answered_at=NOW + 4),
    ):
        world.bus.publish(event)
    await world.writer.flush()
    call = await browser.get(1, info.callid, None)
    assert call is not None
    assert [(s.at_s, s.kind, s.who, s.key) for s in call.path] == [
        (0, "at", "ivr", "ivr"),
        (1.5, "in", "Sales department", "g_1"),
        (1.5, "ring", "Ann Smith", "ann"),
        (1.5, "ring", "Bob Brown", "bob"),
        (4, "stop", "Ann Smith", "ann"),
        (4, "talk", "Bob Brown", "bob"),
        (9, "passed", "Bob Brown", "77"),
        (9, "over", "Bob Brown", "bob"),
    ]


async def test_the_path_of_a_call_that_rings_for_hours_keeps_its_beginning_and_its_end(
    world: World,
) -> None:
    info = new_call()
    world.bus.publish(CallStarted(info, NOW))
    world.bus.publish(Entered(info, NOW, Destination.GROUP))
    for each in range(500):
        world.bus.publish(Ringing(info, NOW + 10 * each, ANN))
        world.bus.publish(RingEnded(info, NOW + 10 * each + 5, ANN))
    world.bus.publish(Ringing(info, NOW + 5000, BOB))
    world.bus.publish(CallEnded(info, NOW + 5001, Status.MISSED, BOB))
    await world.writer.flush()
    call = await Browser(world.database).get(1, info.callid, None)
    assert call is not None
    assert len(call.path) <= 120
    assert (call.path[0].kind, call.path[-1].key) == ("at", "bob")
