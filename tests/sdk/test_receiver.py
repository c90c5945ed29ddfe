"""What a CRM receives from a running PBX, typed, once, and only with the right token."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.sdk.conftest import Cloud
from tests.support.ports import free_port
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop
from vpbx_sdk import (
    Contact,
    ContactAnswer,
    Event,
    HandlerFailed,
    History,
    Poller,
    Rating,
    Receiver,
    api,
)
from vpbx_sdk.testing import FakePbx

FORM = "application/x-www-form-urlencoded"
TOKEN = "crm-token"


class Crm:
    """A CRM that keeps what it is told."""

    def __init__(self) -> None:
        self.receiver = receiver = Receiver(TOKEN)
        self.told: list[Any] = []
        receiver.on_contact(self.who)
        receiver.on_event(self.told.append)
        receiver.on_history(self.told.append)
        receiver.on_rating(self.told.append)

    def who(self, contact: Contact) -> ContactAnswer:
        self.told.append(contact)
        return ContactAnswer("Customer & Co", "olga")


async def test_real_pbx_tells_an_asgi_receiver_everything_of_a_call(cloud: Cloud) -> None:
    crm, port = Crm(), free_port()
    server = uvicorn.Server(
        uvicorn.Config(crm.receiver.asgi(), port=port, log_config=None, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    app, directory = cloud.app, cloud.app.directory
    assert app.config.sip is not None
    hop = Hop("udp", "127.0.0.1", app.config.sip.port)
    domain = await directory.domain("acme.example")
    assert domain is not None
    await directory.integrations.set(
        domain, {"url": f"http://127.0.0.1:{port}/pbx", "token": TOKEN}
    )
    async with (
        Carrier(hop) as carrier,
        Phone("olga", "correct horse 42", "acme.example", hop, behaviour=answering(1000)),
    ):
        await directory.trunk_rules.add("main", carrier.address)
        call = await carrier.call("74951234567", caller="79101112233")
        await call.answered()
        call.hangup()
        async with asyncio.timeout(30):
            while not any(isinstance(each, History) for each in crm.told):
                await asyncio.sleep(0.05)
    server.should_exit = True
    await serving

    contact, *events, history = crm.told
    assert (contact.phone, contact.diversion) == ("79101112233", "74951234567")
    assert [event.type for event in events] == ["INCOMING", "ACCEPTED", "COMPLETED"]
    assert {event.user for event in events} == {"olga"}
    assert all(event.time is not None and event.time.tzinfo for event in events)
    assert (history.status, history.user, history.type) == ("Success", "olga", "in")
    assert {each.callid for each in crm.told} == {history.callid}
    async with cloud.async_client() as pbx:
        [row] = [row async for row in pbx.each(api.history.external())]
    assert (row.uid, row.duration, row.wait) == (history.callid, history.duration, history.wait)
    assert row.start == history.start


def form(**fields: str) -> bytes:
    from urllib.parse import urlencode

    return urlencode({"crm_token": TOKEN, **fields}).encode()


def test_command_that_comes_twice_is_handed_on_once() -> None:
    crm = Crm()
    event = form(cmd="event", type="INCOMING", callid="1", user="olga", time="20260101T000000Z")
    history = form(cmd="history", callid="1", type="in", user="olga", duration="5")
    for body in (event, event, history, history):
        assert crm.receiver.handle(FORM, body) == (200, {})
    again = form(cmd="event", type="INCOMING", callid="1", user="olga", time="20260101T000020Z")
    crm.receiver.handle(FORM, again)
    assert [type(each) for each in crm.told] == [Event, History, Event]


def test_handler_that_fails_gets_the_command_again() -> None:
    receiver, tried = Receiver(TOKEN), []

    @receiver.on_history
    def keep(call: History) -> None:
        tried.append(call.callid)
        if len(tried) == 1:
            raise RuntimeError("the database is away")

    body = form(cmd="history", callid="1")
    assert receiver.handle(FORM, body)[0] == 500
    assert receiver.handle(FORM, body)[0] == 200
    assert tried == ["1", "1"]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (FORM, b"cmd=history&callid=1", 403),
        (FORM, b"cmd=history&callid=1&crm_token=wrong", 403),
        ("application/json", b"{nonsense", 400),
        ("application/json", b"[1]", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b'{"crm_token": "\\ud800"}', 400),
        (FORM, b"\xff\xfe", 400),
        (FORM, form(cmd="from-a-newer-cloud"), 200),
    ],
)
def test_what_is_not_for_us_changes_nothing(kind: str, body: bytes, status: int) -> None:
    crm = Crm()
    assert crm.receiver.handle(kind, body)[0] == status
    assert crm.told == []


def test_contact_and_rating_by_wsgi_and_json() -> None:
    crm = Crm()

    def post(fields: dict[str, Any], method: str = "POST") -> tuple[str, Any]:
        body = json.dumps({"crm_token": TOKEN, **fields}).encode()
        environ = {
            "REQUEST_METHOD": method,
            "CONTENT_TYPE": "application/json; charset=utf-8",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        status: list[str] = []
        answer = crm.receiver.wsgi()(environ, lambda line, headers: status.append(line))
        return status[0], json.loads(b"".join(answer))

    assert post({"cmd": "contact", "phone": "7910", "callid": "1"}) == (
        "200 OK",
        {"contact_name": "Customer & Co", "responsible": "olga"},
    )
    post({"cmd": "rating", "callid": "1", "phone": "7910", "rating": 5, "user": "olga"})
    assert isinstance(crm.told[-1], Rating)
    assert crm.told[-1].rating == 5
    assert post({}, "GET")[0] == "405 Method Not Allowed"


def test_fake_pbx_speaks_both_ways_in_process() -> None:
    crm, pbx = Crm(), FakePbx(token=TOKEN)
    pbx.add_user("olga", name="Olga", ext="702")
    client = pbx.client()
    made = client(api.make_call(phone="8 910 123-45-67", user="olga"))
    callid = pbx.customer_calls(crm.receiver, phone="+79101112233", user="olga", talk_s=20)
    rows = list(client.each(api.history.external()))
    assert [row.uid for row in rows] == [callid, made.callid]
    assert [type(each).__name__ for each in crm.told] == [
        *("Contact", "Event", "Event", "Event"),
        "History",
    ]
    assert (crm.told[-1].duration, rows[0].duration) == (20, 20)
    assert rows[1].client == "79101234567"


def signed(body: bytes, secret: str = "whsec_1", age_s: int = 0) -> dict[str, str]:
    at = str(int(time.time()) - age_s)
    made = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-vpbx-signature": f"t={at},v1={made}"}


def test_where_a_secret_is_set_only_what_is_signed_and_fresh_is_taken() -> None:
    told: list[History] = []
    receiver = Receiver(TOKEN, secret="whsec_1")
    receiver.on_history(told.append)
    body = form(cmd="history", callid="1")
    wrong = [
        {},
        {"X-VPBX-Signature": "nonsense"},
        {"X-VPBX-Signature": "t=,v1="},
        {"X-VPBX-Signature": "t=é,v1=é"},
        {"X-VPBX-Signature": f"t={'9' * 5000},v1=0"},
        signed(body, "another"),
        signed(body + b"x"),
        signed(body, age_s=301),
        signed(body, age_s=-301),
    ]
    for headers in wrong:
        assert receiver.handle(FORM, body, headers)[0] == 403
    assert told == []
    assert receiver.handle(FORM, body, signed(body)) == (200, {})
    assert [call.callid for call in told] == ["1"]


def test_deliveries_are_told_apart_by_their_id_where_there_is_one() -> None:
    """The same delivery twice is dropped; the same command asked for again is not."""
    crm = Crm()
    body = form(cmd="history", callid="1")
    for delivery in ("7", "7", "8"):
        assert crm.receiver.handle(FORM, body, {"X-VPBX-Delivery": delivery}) == (200, {})
    assert len(crm.told) == 2


def test_what_comes_again_while_it_is_handled_is_put_off() -> None:
    receiver, inside, go = Receiver(TOKEN), threading.Event(), threading.Event()
    seen: list[str] = []

    @receiver.on_history
    def slow(call: History) -> None:
        seen.append(call.callid)
        inside.set()
        go.wait(10)

    body = form(cmd="history", callid="1")
    first = threading.Thread(target=receiver.handle, args=(FORM, body))
    first.start()
    assert inside.wait(10)
    assert receiver.handle(FORM, body)[0] == 503
    go.set()
    first.join(10)
    assert receiver.handle(FORM, body)[0] == 200
    assert seen == ["1"]


async def test_handlers_may_be_coroutines_everywhere() -> None:
    receiver, seen = Receiver(TOKEN), []

    @receiver.on_contact
    async def who(contact: Contact) -> ContactAnswer:
        await asyncio.sleep(0)
        return ContactAnswer("Ivan")

    @receiver.on_history
    async def over(call: History) -> None:
        await asyncio.sleep(0)
        seen.append(call.callid)
        if len(seen) == 1:
            raise RuntimeError("not now")

    question, history = form(cmd="contact", callid="1"), form(cmd="history", callid="1")
    assert await receiver.handle_async(FORM, question) == (200, {"contact_name": "Ivan"})
    assert [(await receiver.handle_async(FORM, history))[0] for _ in range(3)] == [500, 200, 200]
    assert seen == ["1", "1"]
    answered = await asyncio.to_thread(receiver.handle, FORM, question)
    assert answered == (200, {"contact_name": "Ivan"})


def test_webhook_and_unknown_fields_are_there() -> None:
    receiver, told = Receiver(TOKEN), []
    receiver.on_webhook(told.append)
    fields = {"cmd": "webhook", "type": "sipregs_error", "id": "1", "data": {"telnum": "7900"}}
    body = json.dumps({"crm_token": TOKEN, "news": 1, **fields}).encode()
    assert receiver.handle("application/JSON; charset=utf-8", body) == (200, {})
    assert (told[0].type, told[0].data, told[0].fields["news"]) == (
        "sipregs_error",
        {"telnum": "7900"},
        "1",
    )


def test_a_body_without_end_is_not_read() -> None:
    app = Crm().receiver.wsgi()
    said: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": "99999999999",
        "wsgi.input": io.BytesIO(b""),
    }
    list(app(environ, lambda line, headers: said.append(line)))
    assert said == ["413 Content Too Large"]


def test_a_poller_goes_on_where_it_was_left_and_misses_nothing(tmp_path: Path) -> None:
    pbx, cursor = FakePbx(token=TOKEN), tmp_path / "cursor"
    before = pbx.customer_calls(phone="79101112233", user="olga", talk_s=5)
    told: list[Any] = []
    broken = True

    def poller() -> Poller:
        """A process of its own: what it knows is in the file."""
        receiver = Receiver(TOKEN)
        receiver.on_event(lambda event: told.append(event.callid))

        @receiver.on_history
        def keep(call: History) -> None:
            if broken:
                raise RuntimeError("the database is away")
            told.append(call)

        return Poller(pbx.client(), receiver, cursor=cursor)

    assert poller().once() == 0  # from now on
    missed = pbx.customer_calls(phone="79101112233", user="olga")
    with pytest.raises(HandlerFailed):
        poller().once()
    assert told == [missed, missed]
    broken = False
    assert poller().once() == 1  # the history alone
    assert told[-1].status == "Missed"
    assert before not in told
    for number in range(100):
        pbx.customer_calls(phone=f"7910{number:07}", user="olga")
    assert poller().once() == 400
    assert len([each for each in told if isinstance(each, History)]) == 101
    everything = Poller(pbx.client(), Receiver(TOKEN), cursor=tmp_path / "new", from_start=True)
    assert everything.once() == len(pbx.told)
