"""Call history and recordings over HTTP (crm-api §4)."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import DOMAIN, Api, World
from vpbx.db import Writer
from vpbx.events import (
    CallEnded,
    CallInfo,
    CallStarted,
    Destination,
    Direction,
    Group,
    Party,
    Rated,
    RecordingReady,
    Status,
)
from vpbx.history import HistoryRecorder, recording_path

ADMIN = Party("admin", "Administrator", "701")
BOB = Party("bob", "Bob", "702")
T0 = 1_700_000_000  # 2023-11-14T22:13:20Z


class Past:
    """Puts calls into history."""

    def __init__(self, world: World, domain_id: int) -> None:
        self.world = world
        self.domain_id = domain_id
        self.recorder = HistoryRecorder(0, world.encoding)
        self.writer = Writer(world.database)
        self.count = 100

    async def call(
        self,
        direction: Direction,
        status: Status = Status.SUCCESS,
        *,
        at: float = T0,
        talk_s: int = 23,
        rating: int | None = None,
        recorded: bool = False,
        **more: Any,
    ) -> CallInfo:
        self.count += 1
        info = CallInfo(
            str(self.count),
            self.domain_id,
            DOMAIN,
            direction,
            at,
            client="" if direction is Direction.INNER else more.pop("client", "79008003396"),
            diversion="" if direction is Direction.INNER else "79001112233",
            telnum_name="" if direction is Direction.INNER else "Main line",
        )
        answered = status is Status.SUCCESS
        user = more.pop("user", ADMIN)
        events: list[Any] = [CallStarted(info, at, user)]
        if rating is not None:
            events.append(Rated(info, at + 6, ADMIN, rating))
        ended = CallEnded(
            info,
            at + 5 + (talk_s if answered else 0),
            status,
            user,
            answered_at=at + 5 if answered else None,
            recorded=recorded,
            **more,
        )
        for event in [*events, ended]:
            self.writer.submit(list(self.recorder(event)))
        await self.writer.flush()
        return info

    async def ready(self, info: CallInfo) -> None:
        event = RecordingReady(info, info.started_at + 60, True)
        self.writer.submit(list(self.recorder(event)))
        await self.writer.flush()

    def path(self, info: CallInfo) -> Path:
        root = self.world.records_dir
        path = recording_path(root, self.domain_id, info.callid, info.started_at)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@pytest.fixture
async def past(world: World) -> Any:
    made = Past(world, (await world.domain()).id)
    await made.writer.start()
    yield made
    await made.writer.stop()


SPAN = "start=20231114T000000Z&end=2023-11-15T23:59:59Z"


async def test_external_calls_in_json(api: Api, past: Past) -> None:
    await past.call(Direction.IN, rating=5, destination=Destination.USER)
    sales = Group("sales", "Sales department")
    missed = {"user": None, "group": sales, "destination": Destination.GROUP}
    await past.call(Direction.IN, Status.MISSED, at=T0 + 60, **missed)
    await past.call(Direction.INNER, caller=ADMIN, user=BOB)
    rows = await api.get(f"/history/json?{SPAN}")
    assert rows == [
        {
            "uid": "102",
            "type": "in",
            "status": "missed",
            "missedStatus": 3,
            "client": "79008003396",
            "account": "sales",
            "diversion": "79001112233",
            "telnum_name": "Main line",
            "destination": "group",
            "user": "",
            "user_name": "",
            "group_name": "Sales department",
            "start": "2023-11-14T22:14:20Z",
            "wait": 5,
            "duration": 0,
            "record": "",
        },
        {
            "uid": "101",
            "type": "in",
            "status": "success",
            "client": "79008003396",
            "account": "admin",
            "diversion": "79001112233",
            "telnum_name": "Main line",
            "destination": "user",
            "user": "admin",
            "user_name": "Administrator",
            "group_name": "",
            "start": "2023-11-14T22:13:20Z",
            "wait": 5,
            "duration": 23,
            "record": "",
            "rating": 5,
        },
    ]


async def test_external_calls_in_csv(api: Api, past: Past) -> None:
    await past.call(Direction.OUT, Status.BUSY)
    await past.call(Direction.IN, at=T0 + 60, rating=4)
    answer = await api("GET", f"/history/csv?{SPAN}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(answer.body.decode()))) == [
        f"102,in,79008003396,admin@{DOMAIN},79001112233,2023-11-14T22:14:20Z,5,23,".split(","),
        f"101,out,79008003396,admin@{DOMAIN},79001112233,2023-11-14T22:13:20Z,5,0,".split(","),
    ]


async def test_calls_between_employees(api: Api, past: Past) -> None:
    await past.call(Direction.INNER, caller=ADMIN, user=BOB)
    (row,) = await api.get(f"/history/inner/json?{SPAN}")
    assert row == {
        "uid": "101",
        "status": "success",
        "from": "admin",
        "to": "bob",
        "from_name": "Administrator",
        "to_name": "Bob",
        "start": "2023-11-14T22:13:20Z",
        "wait": 5,
        "duration": 23,
        "record": "",
    }
    answer = await api("GET", f"/history/inner/csv?{SPAN}")
    line = f"101,success,admin@{DOMAIN},bob@{DOMAIN},2023-11-14T22:13:20Z,5,23,\r\n"
    assert answer.body.decode() == line


async def test_history_of_today_is_the_default_and_may_be_empty(api: Api, past: Past) -> None:
    await past.call(Direction.IN)
    assert await api.get("/history/json") == []
    assert (await api("GET", "/history/csv")).body == b""
    await past.call(Direction.IN, at=time.time() - 1, talk_s=0)
    assert [row["uid"] for row in await api.get("/history/json")] == ["102"]


@pytest.mark.parametrize("way", ["query", "json"])
async def test_filters(api: Api, past: Past, way: str) -> None:
    await api.post("/users", json={"name": "Bob", "login": "bob", "ext": "702"})
    await past.call(Direction.IN, Status.MISSED)
    await past.call(Direction.OUT, user=BOB, at=T0 + 1)
    await past.call(Direction.IN, client="79101234567", at=T0 + 2)
    span = {"start": "20231114T000000Z", "end": "20231115T000000Z"}

    async def found(**filters: Any) -> list[str]:
        asked = {**span, **filters}
        sent = {"params": asked} if way == "query" else {"json": asked}
        return [row["uid"] for row in await api.get("/history/json", **sent)]

    assert await found() == ["103", "102", "101"]
    assert await found(type="missed") == ["101"]
    assert await found(type="out") == ["102"]
    assert await found(type="in", limit=1) == ["103"]
    assert await found(user="702") == ["102"]
    assert await found(user="former") == []
    assert await found(client="8 (910) 123-45-67") == ["103"]
    assert await found(diversion="+79001112233", limit="2") == ["103", "102"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("type=lost", "type"),
        ("period=century", "period"),
        ("start=yesterday", "start"),
        ("end=2023-13-01T00:00:00Z", "end"),
        ("start=20240101T000000Z&end=20230101T000000Z", "start"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("client=nobody", "client"),
        ("start=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z&type=x", "type"),
    ],
)
@pytest.mark.parametrize("form", ["json", "csv"])
async def test_wrong_filters_name_the_field(api: Api, query: str, field: str, form: str) -> None:
    assert await api.refused("GET", f"/history/{form}?{query}") == {field}


async def test_a_big_answer_streams_and_is_whole(api: Api, past: Past) -> None:
    rows: list[Any] = []
    for number in range(800):
        info = CallInfo(str(10_000 + number), past.domain_id, DOMAIN, Direction.IN, T0 + number)
        ended = CallEnded(info, T0 + number + 9, Status.MISSED, ADMIN)
        rows += past.recorder(CallStarted(info, T0, ADMIN))
        rows += past.recorder(ended)
    past.writer.submit(rows)
    await past.writer.flush()
    answer = await api("GET", f"/history/json?{SPAN}")
    assert answer.headers.get("Transfer-Encoding") == "chunked"
    assert len(answer.json()) == 800
    assert (await api("GET", f"/history/csv?{SPAN}")).body.count(b"\r\n") == 800


async def ask(api: Api, link: str, method: str = "GET", **headers: str) -> Any:
    path = link.partition("/crmapi/v1")[2]
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api(method, path, key=None, headers=sent)


async def recorded(api: Api, past: Past, sound: bytes = b"0123456789") -> str:
    info = await past.call(Direction.IN, recorded=True)
    past.path(info).write_bytes(sound)
    await past.ready(info)
    (row,) = await api.get(f"/history/json?{SPAN}")
    assert row["record"].startswith(f"https://{DOMAIN}/crmapi/v1/records/")
    link: str = row["record"]
    return link


async def test_links_lead_to_the_host_and_port_the_request_came_to(api: Api, past: Past) -> None:
    await recorded(api, past)
    query = "start=20231114T000000Z&end=20231116T000000Z"
    (row,) = await api.get(f"/history/json?{query}", host="127.0.0.1:8080")
    assert row["record"].startswith("http://127.0.0.1:8080/crmapi/v1/records/")
    assert (await ask(api, row["record"])).status == 200
    csv = (await api("GET", f"/history/csv?{query}", host="pbx.example")).body.decode()
    assert ",https://pbx.example/crmapi/v1/records/" in csv


async def test_a_recording_plays_without_a_key_and_with_any(api: Api, past: Past) -> None:
    link = await recorded(api, past)
    answer = await ask(api, link)
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert (await ask(api, link, X_API_KEY="whatever")).status == 200


async def test_a_recording_answers_ranges_and_head(api: Api, past: Past) -> None:
    link = await recorded(api, past)
    part = await ask(api, link, Range="bytes=2-5")
    assert (part.status, part.body) == (206, b"2345")
    assert part.headers["Content-Range"] == "bytes 2-5/10"
    assert (await ask(api, link, Range="bytes=-3")).body == b"789"
    beyond = await ask(api, link, Range="bytes=20-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */10")
    head = await ask(api, link, "HEAD")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "10", b"")


async def test_a_recording_that_is_known_is_not_sent_again(api: Api, past: Past) -> None:
    link = await recorded(api, past)
    first = await ask(api, link)
    tag, changed = first.headers["ETag"], first.headers["Last-Modified"]
    assert (await ask(api, link, If_None_Match=tag)).status == 304
    assert (await ask(api, link, If_None_Match=f'"x", W/{tag}')).status == 304
    assert (await ask(api, link, If_None_Match='"x"')).status == 200
    assert (await ask(api, link, If_Modified_Since=changed)).status == 304
    assert (await ask(api, link, If_Modified_Since="rubbish")).status == 200
    assert (await ask(api, link, Range="bytes=0-0", If_Range=tag)).status == 206
    assert (await ask(api, link, Range="bytes=0-0", If_Range='"x"')).status == 200


async def test_a_link_that_was_tampered_with_is_not_found(api: Api, past: Past) -> None:
    link = await recorded(api, past)
    signature = link.rpartition("/")[2]
    for wrong in (
        link.replace("/101/", "/102/"),
        link.replace(signature, "0" * 32 + ".mp3"),
        link.replace(signature, "é.mp3"),
        link.replace("/101/", "/101x/"),
    ):
        answer = await ask(api, wrong)
        assert (answer.status, answer.json()) == (404, {"message": "Not found"})
    assert (await ask(api, link, "POST")).headers["Allow"] == "GET, HEAD"


async def test_a_recording_whose_file_is_gone_is_not_found(api: Api, past: Past) -> None:
    info = await past.call(Direction.IN, recorded=True)
    await past.ready(info)
    (row,) = await api.get(f"/history/json?{SPAN}")
    assert (await ask(api, row["record"])).status == 404


async def test_a_recording_still_being_encoded_is_waited_for(api: Api, past: Past) -> None:
    info = await past.call(Direction.IN, recorded=True)
    (row,) = await api.get(f"/history/json?{SPAN}")
    asking = asyncio.create_task(ask(api, row["record"]))
    while not past.world.encoding._running.get(info.callid):
        await asyncio.sleep(0.005)
    past.path(info).write_bytes(b"sound")
    await past.ready(info)
    answer = await asking
    assert (answer.status, answer.body) == (200, b"sound")
