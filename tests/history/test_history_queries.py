"""History as crm-api §4 shows it: JSON rows, CSV lines, filters, order, paging."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator

import pytest

from tests.history.world import ANN, BOB, NOW, SALES, World, new_call, query
from vpbx.events import CallStarted, Destination, Direction, Rated, RecordingReady, Status
from vpbx.history import InvalidQuery, Period


async def text(parts: AsyncIterator[bytes]) -> str:
    return b"".join([part async for part in parts]).decode()


async def test_an_answered_call_in_json(world: World) -> None:
    info = world.call(destination=Destination.USER, account="ann", recorded=True)
    (row,) = await world.external(query())
    assert list(row) == [
        *("uid", "type", "status", "client", "account", "diversion", "telnum_name"),
        *("destination", "user", "user_name", "group_name", "start", "wait", "duration"),
        "record",
    ]
    assert row == {
        "uid": info.callid,
        "type": "in",
        "status": "success",
        "client": "79101234567",
        "account": "ann",
        "diversion": "74957654321",
        "telnum_name": "Main line",
        "destination": "user",
        "user": "ann",
        "user_name": "Ann Smith",
        "group_name": "",
        "start": "2024-05-15T19:06:40Z",
        "wait": 5,
        "duration": 23,
        "record": world.links.url("d1.example", 1, info.callid),
    }


async def test_a_call_missed_in_a_department_names_the_department_and_no_employee(
    world: World,
) -> None:
    world.call(Direction.IN, Status.MISSED, group=SALES, destination=Destination.GROUP)
    (row,) = await world.external(query())
    assert (row["status"], row["account"], row["destination"]) == ("missed", "g_1", "group")
    assert (row["user"], row["user_name"]) == ("", "")
    assert row["group_name"] == "Sales department"
    assert (row["wait"], row["duration"], row["record"]) == (13, 0, "")


async def test_rating_is_there_only_if_rated(world: World) -> None:
    world.bus.publish(Rated(world.call(), NOW + 60, ANN, 4))
    (row,) = await world.external(query())
    assert row["rating"] == 4
    world.call(at=NOW + 1)
    await world.writer.flush()
    lines = (await text(world.history.external_csv(query(has_ratings=True)))).splitlines()
    assert [line.count(",") for line in lines] == [9, 9]
    assert lines[1].endswith(",,4")
    assert lines[0].endswith(",,")
    assert (await text(world.history.external_csv(query()))).count(",") == 16


async def test_external_csv_lines(world: World) -> None:
    won = world.call(recorded=True)
    lost = world.call(Direction.IN, Status.MISSED, at=NOW - 1, user=BOB)
    out = world.call(Direction.OUT, Status.BUSY, at=NOW - 2)
    nobody = world.call(
        *(Direction.IN, Status.MISSED), at=NOW - 3, user=None, client="", account="ivr"
    )
    await world.writer.flush()
    link = world.links.url("d1.example", 1, won.callid)
    assert await text(world.history.external_csv(query())) == (
        f"{won.callid},in,79101234567,ann@d1.example,74957654321,"
        f"2024-05-15T19:06:40Z,5,23,{link}\r\n"
        f"{lost.callid},missed,79101234567,bob@d1.example,74957654321,2024-05-15T19:06:39Z,13,0,\r\n"
        f"{out.callid},out,79101234567,ann@d1.example,74957654321,2024-05-15T19:06:38Z,13,0,\r\n"
        f"{nobody.callid},missed,,ivr@d1.example,74957654321,2024-05-15T19:06:37Z,13,0,\r\n"
    )


async def test_inner_calls_in_json_and_csv(world: World) -> None:
    won = world.call(Direction.INNER, user=BOB, caller=ANN)
    lost = world.call(Direction.INNER, Status.NOANSWER, at=NOW - 1, user=ANN, caller=BOB)
    to_all = world.call(
        *(Direction.INNER, Status.NOANSWER), at=NOW - 2, user=BOB, caller=ANN, group=SALES
    )
    rows = await world.inner(query())
    assert rows == [
        {
            "uid": won.callid,
            "status": "success",
            "from": "ann",
            "to": "bob",
            "from_name": "Ann Smith",
            "to_name": "Bob Brown",
            "start": "2024-05-15T19:06:40Z",
            "wait": 5,
            "duration": 23,
            "record": "",
        },
        {
            "uid": lost.callid,
            "status": "noanswer",
            "from": "bob",
            "to": "ann",
            "from_name": "Bob Brown",
            "to_name": "Ann Smith",
            "start": "2024-05-15T19:06:39Z",
            "wait": 13,
            "duration": 0,
            "record": "",
        },
        {
            "uid": to_all.callid,
            "status": "noanswer",
            "from": "ann",
            "to": "g_1",
            "from_name": "Ann Smith",
            "to_name": "Sales department",
            "start": "2024-05-15T19:06:38Z",
            "wait": 13,
            "duration": 0,
            "record": "",
        },
    ]
    lines = (await text(world.history.inner_csv(query()))).split("\r\n")
    assert lines[0] == (
        f"{won.callid},success,ann@d1.example,bob@d1.example,2024-05-15T19:06:40Z,5,23,"
    )
    assert lines[3:] == [""]
    assert await world.external(query()) == []


async def test_external_types(world: World) -> None:
    world.call()
    world.call(Direction.IN, Status.MISSED, at=NOW + 1)
    world.call(Direction.OUT, at=NOW + 2)
    world.call(Direction.OUT, Status.CANCEL, at=NOW + 3)

    async def statuses(kind: str) -> list[str]:
        return [row["status"] for row in await world.external(query(type=kind))]

    assert await statuses("all") == ["noanswer", "success", "missed", "success"]
    assert await statuses("in") == ["missed", "success"]
    assert await statuses("out") == ["noanswer", "success"]
    assert await statuses("missed") == ["missed"]


async def test_inner_types(world: World) -> None:
    world.call(Direction.INNER, caller=BOB)
    world.call(Direction.INNER, Status.NOANSWER, caller=BOB)
    world.call(Direction.INNER, Status.NOANSWER, caller=BOB)
    found = {
        kind: len(await world.inner(query(type=kind)))
        for kind in ("all", "success", "noanswer", "missed")
    }
    assert found == {"all": 3, "success": 1, "noanswer": 2, "missed": 2}


async def test_unknown_types_are_refused_before_the_first_row(world: World) -> None:
    with pytest.raises(InvalidQuery) as external:
        world.history.external_csv(query(type="success"))
    with pytest.raises(InvalidQuery) as inner:
        world.history.inner_json(query(type="in"))
    assert (external.value.field, inner.value.field) == ("type", "type")


async def test_filters_by_employee_number_and_customer_work_together(world: World) -> None:
    world.call(client="70000000001", diversion="74950000001")
    world.call(client="70000000002", diversion="74950000001", user=BOB)
    world.call(client="70000000001", diversion="74950000002", user=BOB)
    world.call(Direction.IN, Status.MISSED, user=BOB, group=SALES, client="70000000003")

    async def clients(**filters: str) -> set[tuple[str, str]]:
        rows = await world.external(query(**filters))
        return {(row["client"], row["diversion"]) for row in rows}

    assert await clients(user="bob") == {
        ("70000000002", "74950000001"),
        ("70000000001", "74950000002"),
    }
    assert await clients(client="70000000001") == {
        ("70000000001", "74950000001"),
        ("70000000001", "74950000002"),
    }
    assert await clients(diversion="74950000001", user="bob") == {("70000000002", "74950000001")}
    assert await clients(user="g_1") == set()
    assert await clients(user="nobody") == set()


async def test_inner_calls_of_an_employee_are_those_made_and_those_taken(world: World) -> None:
    world.call(Direction.INNER, user=BOB, caller=ANN)
    world.call(Direction.INNER, user=ANN, caller=BOB)
    world.call(Direction.INNER, user=BOB, caller=BOB)
    assert len(await world.inner(query(user="ann"))) == 2
    assert len(await world.inner(query(user="bob"))) == 3


async def test_the_period_includes_its_start_and_not_its_end(world: World) -> None:
    at = [NOW - 0.001, NOW, NOW + 9.999, NOW + 10]
    infos = [world.call(at=moment) for moment in at]
    period = Period(int(NOW * 1000), int((NOW + 10) * 1000))
    found = [row["uid"] for row in await world.external(query(period=period))]
    assert found == [infos[2].callid, infos[1].callid]


async def test_domains_see_only_their_own(world: World) -> None:
    mine, theirs = world.call(), world.call(domain_id=2)
    assert [row["uid"] for row in await world.external(query())] == [mine.callid]
    assert [row["uid"] for row in await world.external(query(domain_id=2))] == [theirs.callid]
    assert await world.external(query(domain_id=3)) == []


async def test_calls_going_on_are_not_history_yet(world: World) -> None:
    world.bus.publish(CallStarted(new_call(), NOW, ANN))
    assert await world.external(query()) == []


async def test_newest_first_over_many_pages_with_each_call_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbx.history.history.PAGE", 7)
    infos = [world.call(at=NOW + (n // 5)) for n in range(50)]  # five calls in each second
    found = [row["uid"] for row in await world.external(query())]
    assert found == [i.callid for i in sorted(infos, key=lambda i: (-i.started_at, -int(i.callid)))]
    limited = [row["uid"] for row in await world.external(query(limit=16))]
    assert limited == found[:16]
    assert await world.external(query(limit=0)) == []
    rows = json.loads(await text(world.history.external_json(query())))
    assert [row["uid"] for row in rows] == found
    lines = list(csv.reader(io.StringIO(await text(world.history.external_csv(query())))))
    assert [line[0] for line in lines] == found


async def test_nothing_found_is_an_empty_array_and_an_empty_csv(world: World) -> None:
    assert await text(world.history.external_json(query())) == "[]"
    assert await text(world.history.inner_json(query())) == "[]"
    assert await text(world.history.external_csv(query())) == ""


async def test_odd_characters_survive_json_and_csv(world: World) -> None:
    odd = 'a"b,c\r\nd'
    world.call(client=odd, account="вася", user=None)
    await world.writer.flush()
    (row,) = json.loads(await text(world.history.external_json(query())))
    assert (row["client"], row["account"]) == (odd, "вася")
    line = await text(world.history.external_csv(query()))
    ((_, _, client, account, *_),) = csv.reader(io.StringIO(line, newline=""))
    assert (client, account) == (odd, "вася@d1.example")


async def test_a_slow_reader_holds_up_no_writing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbx.history.history.PAGE", 5)
    for n in range(20):
        world.call(at=NOW + n)
    await world.writer.flush()
    pages = world.history.external_csv(query())
    first = await anext(pages)
    late = world.call(at=NOW + 100)
    early = world.call(at=NOW - 100)
    async with asyncio.timeout(30):
        await world.writer.flush()
    rest = [line.partition(",")[0] async for page in pages for line in page.decode().split()]
    assert len(first.decode().split()) == 5
    assert len(rest) == 16
    assert early.callid in rest
    assert late.callid not in rest


async def test_a_recording_is_found_when_it_is_there(world: World) -> None:
    info = world.call(recorded=True)
    silent = world.call()
    lost = world.call(recorded=True)
    world.bus.publish(RecordingReady(info, NOW + 30, True))
    world.bus.publish(RecordingReady(lost, NOW + 30, False))
    await world.writer.flush()
    found = await world.history.recording(info.callid)
    assert found is not None
    assert (found.domain_id, found.ready) == (1, True)
    assert found.path.parts[-5:] == ("1", "2024", "05", "15", f"{info.callid}.mp3")
    assert await world.history.recording(silent.callid) is None
    assert await world.history.recording(lost.callid) is None
    assert (await world.external(query()))[0]["record"] == ""


async def test_no_callid_breaks_the_search_for_a_recording(world: World) -> None:
    for callid in ("", "1", "x", "٣", "-5", "05", "9" * 19, "9" * 40, "1.0", "%"):
        assert await world.history.recording(callid) is None


async def test_a_recording_in_the_making_is_waited_for(world: World) -> None:
    info = world.call(recorded=True)
    await world.writer.flush()
    unready = await world.history.recording(info.callid, wait_s=0.01)
    assert unready is not None
    assert not unready.ready
    waiting = asyncio.create_task(world.history.recording(info.callid, wait_s=10))
    await asyncio.sleep(0.02)
    unready.path.parent.mkdir(parents=True)
    unready.path.write_bytes(b"ID3")
    world.bus.publish(RecordingReady(info, NOW + 30, True))
    async with asyncio.timeout(30):
        found = await waiting
    assert found is not None
    assert found.ready


async def test_a_recording_that_another_node_makes_is_waited_for_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vpbx.history.history._LOOK_AGAIN_S", 0.01)
    info = world.call(recorded=True)
    await world.writer.flush()
    world.encoding.end(info.callid)  # as if it were not ours
    waiting = asyncio.create_task(world.history.recording(info.callid, wait_s=10))
    await asyncio.sleep(0.03)
    world.bus.publish(RecordingReady(info, NOW + 30, True))
    async with asyncio.timeout(30):
        found = await waiting
    assert found is not None
    assert found.ready


async def test_when_employees_last_talked_is_known_from_external_calls_that_were_answered(
    world: World,
) -> None:
    world.call(at=NOW - 500)
    last = world.call(at=NOW - 100)
    world.call(Direction.IN, Status.MISSED, at=NOW - 50)
    world.call(Direction.INNER, at=NOW - 10)
    world.call(Direction.IN, Status.MISSED, at=NOW - 50, user=BOB, account="bob")
    await world.writer.flush()
    began_ms = round(last.started_at * 1000)
    talks = await world.history.last_talks(1, dict.fromkeys(["ann", "bob", "eve"], 0))
    assert talks == {"ann": last.started_at + 28}
    assert await world.history.last_talks(2, {"ann": 0}) == {}
    for since_ms, known in ((0, True), (began_ms, True), (began_ms + 1, False)):
        found = await world.history.last_talks(1, {"ann": since_ms})
        assert ("ann" in found) is known, since_ms
