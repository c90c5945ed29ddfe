"""Subscriptions, the notifier's side (RFC 6665): every row of the table, and what comes between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.sip.ua.ladder import Stage, stage
from tests.sip.ua.messages import request
from vpbx.sip import EventType, Request, ServerTransaction, Subscription, accepts, wanted_s
from vpbx.sip.subscription import Subscription as _Subscription


class Counter:
    """Something to watch: a number. Partial documents say by how much it has changed."""

    content_type = "text/plain"

    def __init__(self) -> None:
        self.value = 0
        self._told = 0

    def document(self, *, full: bool) -> bytes | None:
        change, self._told = self.value - self._told, self.value
        if full:
            return b"%d" % self.value
        return b"%+d" % change if change else None


class Desk:
    """Takes every SUBSCRIBE."""

    def __init__(self, s: Stage) -> None:
        self.s = s
        self.view = Counter()
        self.over: list[int] = []
        s.stack.subscriptions.packages = "counter"

    async def opens(self, expires_s: int = 600) -> Subscription:
        tx = await self.asked()
        made = self.s.stack.subscriptions.open(tx, EventType("counter"), self.view, self)
        made.renew(tx, expires_s)
        self.turn()
        return made

    async def asked(self, times: int = 1) -> ServerTransaction:
        await self.s.owner.hears("request", times)
        return self.s.owner.transactions[-1]

    def turn(self) -> None:
        """Let the next turn of the loop come."""
        self.s.clock.advance(0)

    def on_subscribe(self, subscription: _Subscription, tx: ServerTransaction) -> None:
        expires_s = wanted_s(tx.request, 600)
        subscription.renew(tx, expires_s)

    def on_over(self, subscription: _Subscription, code: int) -> None:
        self.over.append(code)


class Phone:
    """The peer as a subscriber."""

    def __init__(self, s: Stage) -> None:
        self.s = s
        self.to = "<sip:701@acme.example>"
        self.cseq = 0

    def subscribe(self, expires_s: int | None = 600, *headers: str, **more: str) -> None:
        self.cseq += 1
        lasting = [] if expires_s is None else [f"Expires: {expires_s}"]
        self.s.peer.request(
            "SUBSCRIBE",
            cseq=self.cseq,
            to=self.to,
            headers=[self.s.peer.contact, "Event: counter", *lasting, *headers],
            **more,
        )

    async def accepted(self) -> int:
        """The 200 comes; return how long it lasts."""
        ok = await self.s.peer.gets_response(200)
        self.to = ok.headers["To"]
        assert ok.headers["Allow-Events"] == "counter"
        return int(ok.headers["Expires"])

    async def told(self, code: int = 200) -> tuple[str, str]:
        """A NOTIFY comes: its Subscription-State and its body."""
        notify = await self.s.peer.gets_request("NOTIFY")
        self.answer(notify, code)
        await self.s.quiet()
        self.s.clock.advance(0)
        return notify.headers["Subscription-State"], notify.body.decode()

    def answer(self, notify: Request, code: int) -> None:
        self.s.peer.respond(notify, code)


@pytest.fixture
async def s() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


async def subscribed(s: Stage) -> tuple[Desk, Phone, Subscription]:
    desk, phone = Desk(s), Phone(s)
    phone.subscribe()
    made = await desk.opens()
    assert await phone.accepted() == 600
    assert await phone.told() == ("active;expires=600", "0")
    return desk, phone, made


async def test_who_subscribes_is_told_at_once_and_of_each_change(s: Stage) -> None:
    desk, phone, made = await subscribed(s)
    s.clock.advance(100)
    for total, change in ((1, "+1"), (4, "+3")):
        desk.view.value = total
        made.changed()
        desk.turn()
        assert await phone.told() == ("active;expires=500", change)
    assert made.active


async def test_a_notify_is_a_proper_request_in_the_dialog(s: Stage) -> None:
    desk, phone = Desk(s), Phone(s)
    phone.subscribe()
    await desk.opens()
    await phone.accepted()
    notify = await s.peer.gets_request("NOTIFY")
    assert notify.raw_uri == f"sip:peer@127.0.0.1:{s.peer.port}"
    assert notify.headers["Event"] == "counter"
    assert notify.headers["Content-Type"] == "text/plain"
    assert notify.headers["To"] == "<sip:peer@acme.example>;tag=their"
    assert notify.headers["From"] == phone.to
    assert notify.call_id == "call-1"
    assert f"127.0.0.1:{s.stack.listens[0].port}" in notify.headers["Contact"]


async def test_one_notify_at_a_time_and_then_the_newest(s: Stage) -> None:
    """What changes while the phone has not answered is one NOTIFY, and nothing comes twice."""
    desk, phone, made = await subscribed(s)
    for value in (1, 2, 3):
        desk.view.value = value
        made.changed()
        desk.turn()
    first = await s.peer.gets_request("NOTIFY")
    assert first.body == b"+1"
    await s.quiet()
    s.peer.gets_nothing()
    phone.answer(first, 200)
    await s.quiet()
    desk.turn()
    assert await phone.told() == ("active;expires=600", "+2")
    await s.quiet()
    s.peer.gets_nothing()


async def test_a_change_that_is_undone_before_its_turn_is_not_told(s: Stage) -> None:
    desk, _, made = await subscribed(s)
    desk.view.value = 1
    made.changed()
    desk.view.value = 0
    desk.turn()
    await s.quiet()
    s.peer.gets_nothing()


async def test_a_refresh_is_told_everything_and_lasts_from_then(s: Stage) -> None:
    desk, phone, made = await subscribed(s)
    s.clock.advance(500)
    phone.subscribe(300)
    assert await phone.accepted() == 300
    desk.turn()
    assert await phone.told() == ("active;expires=300", "0")
    s.clock.advance(299)
    assert made.active
    s.clock.advance(1)
    desk.turn()
    assert await phone.told() == ("terminated;reason=timeout", "0")
    assert desk.over == [0]
    await s.nothing_left()


async def test_without_expires_it_goes_on_as_usual(s: Stage) -> None:
    _, phone, _ = await subscribed(s)
    phone.subscribe(None)
    assert await phone.accepted() == 600


async def test_unsubscribing_is_told_once_and_leaves_nothing(s: Stage) -> None:
    desk, phone, made = await subscribed(s)
    desk.view.value = 7
    phone.subscribe(0)
    assert await phone.accepted() == 0
    desk.turn()
    assert await phone.told() == ("terminated;reason=timeout", "7")
    made.changed()
    desk.turn()
    phone.subscribe(600)
    await s.peer.gets_response(481)
    assert desk.over == [0]
    assert len(s.stack.subscriptions) == 0
    await s.nothing_left()


async def test_expires_0_at_first_fetches_the_state_once(s: Stage) -> None:
    desk, phone = Desk(s), Phone(s)
    phone.subscribe(0)
    await desk.opens(0)
    assert await phone.accepted() == 0
    assert await phone.told() == ("terminated;reason=timeout", "0")
    assert desk.over == [0]
    await s.nothing_left()


async def test_unsubscribing_waits_for_the_notify_under_way(s: Stage) -> None:
    desk, phone, made = await subscribed(s)
    desk.view.value = 1
    made.changed()
    desk.turn()
    under_way = await s.peer.gets_request("NOTIFY")
    phone.subscribe(0)
    await phone.accepted()
    desk.turn()
    await s.quiet()
    s.peer.gets_nothing()
    phone.answer(under_way, 200)
    await s.quiet()
    desk.turn()
    assert await phone.told() == ("terminated;reason=timeout", "1")
    assert desk.over == [0]


async def test_who_loses_the_right_is_told_why_and_nothing_else(s: Stage) -> None:
    desk, phone, made = await subscribed(s)
    desk.view.value = 9
    made.changed()
    made.end("rejected")
    made.end("noresource")
    desk.turn()
    assert await phone.told() == ("terminated;reason=rejected", "")
    assert desk.over == [0]
    await s.nothing_left()


@pytest.mark.parametrize("code", [481, 404, 408, 480, 489, 500, 503, 603, 302])
async def test_a_notify_that_is_refused_ends_it(s: Stage, code: int) -> None:
    desk, phone, made = await subscribed(s)
    desk.view.value = 1
    made.changed()
    desk.turn()
    await phone.told(code)
    assert desk.over == [code]
    desk.view.value = 2
    made.changed()
    desk.turn()
    phone.subscribe(600)
    await s.peer.gets_response(481)
    await s.nothing_left()


async def test_a_phone_that_is_gone_is_given_up_after_32_seconds(s: Stage) -> None:
    desk, _, made = await subscribed(s)
    desk.view.value = 1
    made.changed()
    desk.turn()
    await s.peer.gets_request("NOTIFY")
    for _ in range(32):
        assert desk.over == []
        s.clock.advance(1)
        await asyncio.sleep(0)
    s.clock.advance(1)
    assert desk.over == [408]
    await s.nothing_left()


async def test_a_provisional_answer_ends_nothing(s: Stage) -> None:
    desk, phone, made = await subscribed(s)
    desk.view.value = 1
    made.changed()
    desk.turn()
    notify = await s.peer.gets_request("NOTIFY")
    phone.answer(notify, 100)
    await s.quiet()
    assert desk.over == []
    phone.answer(notify, 200)
    await s.quiet()
    assert made.active


async def test_a_forged_answer_to_a_notify_ends_nothing(s: Stage) -> None:
    """Who does not see our messages cannot know the branch of one."""
    desk, phone, made = await subscribed(s)
    desk.view.value = 1
    made.changed()
    desk.turn()
    notify = await s.peer.gets_request("NOTIFY")
    via = notify.headers["Via"]
    forged = notify.headers["Via"].partition("branch=")[0] + "branch=z9hG4bKforged"
    notify.headers.set("Via", forged)
    phone.answer(notify, 481)
    await s.quiet()
    assert desk.over == []
    notify.headers.set("Via", via)
    phone.answer(notify, 200)
    await s.quiet()
    assert made.active


async def test_what_is_not_of_its_dialog_gets_481(s: Stage) -> None:
    desk, phone, _ = await subscribed(s)
    right = phone.to
    phone.to = right.partition(";tag=")[0] + ";tag=guessed"
    phone.subscribe(0)
    await s.peer.gets_response(481)
    phone.to = right
    s.peer.request("SUBSCRIBE", cseq=50, to=right, headers=["Event: counter;id=2", s.peer.contact])
    await s.peer.gets_response(481)
    s.peer.request("SUBSCRIBE", cseq=51, to=right, headers=["Event: other", s.peer.contact])
    await s.peer.gets_response(481)
    s.peer.request("BYE", cseq=52, to=right)
    assert (await s.peer.gets_response(405)).headers["Allow"] == "SUBSCRIBE"
    s.peer.request("SUBSCRIBE", cseq=3, to=right, headers=["Event: counter", s.peer.contact])
    await s.peer.gets_response(500)
    assert desk.over == []


async def test_who_begins_again_with_the_same_tag_has_one_subscription(s: Stage) -> None:
    """A phone that has lost our answer, or its memory."""
    desk, phone, first = await subscribed(s)
    phone.to = "<sip:701@acme.example>"
    phone.subscribe()
    tx = await desk.asked(2)
    second = s.stack.subscriptions.open(tx, EventType("counter"), Counter(), desk)
    second.renew(tx, 600)
    desk.turn()
    await phone.accepted()
    await phone.told()
    assert not first.active
    assert second.active
    assert desk.over == [0]
    assert len(s.stack.subscriptions) == 1


async def test_two_subscriptions_of_one_phone_live_beside_each_other(s: Stage) -> None:
    desk, phone, first = await subscribed(s)
    other = Phone(s)
    other.subscribe(call_id="call-2", from_="<sip:peer@acme.example>;tag=second")
    tx = await desk.asked(2)
    second = s.stack.subscriptions.open(tx, EventType("counter"), Counter(), desk)
    second.renew(tx, 600)
    desk.turn()
    await other.accepted()
    await other.told()
    phone.subscribe(0)
    await phone.accepted()
    desk.turn()
    await phone.told()
    assert not first.active
    assert second.active


async def test_many_are_told_in_turns_and_each_of_them_is(s: Stage) -> None:
    """No turn of the loop is taken up by a change that many watch."""
    desk = Desk(s)
    made = []
    for number in range(11):
        phone = Phone(s)
        phone.subscribe(call_id=f"call-{number}")
        tx = await desk.asked(number + 1)
        one = s.stack.subscriptions.open(tx, EventType("counter"), Counter(), desk)
        one.renew(tx, 600)
        desk.turn()
        await phone.accepted()
        await phone.told()
        made.append(one)
    for one in made:
        one.view.value = 1  # type: ignore[attr-defined]
        one.changed()
    sent = []
    for _ in range(3):
        before = s.stack.under_way
        turn_once(s)
        sent.append(s.stack.under_way - before)
    assert sent == [4, 4, 3]


def turn_once(s: Stage) -> None:
    """Make the calls that are due now, and none that they make due."""
    due = [entry for entry in s.clock._heap if entry[0] <= s.clock.now()]
    for entry in due:
        callback, entry[2].callback = entry[2].callback, None
        if callback is not None:
            callback()


async def test_a_stop_says_when_to_come_again(s: Stage) -> None:
    await subscribed(s)
    await s.stack.stop(0)
    notify = await s.peer.gets_request("NOTIFY")
    state = notify.headers["Subscription-State"]
    assert state.startswith("terminated;reason=probation;retry-after=")
    assert 10 <= int(state.rpartition("=")[2]) <= 30
    assert len(s.stack.subscriptions) == 0


async def test_a_contact_elsewhere_brings_no_notify_there(s: Stage) -> None:
    """Nobody can have others notified: it goes back where the SUBSCRIBE came from."""
    desk, phone = Desk(s), Phone(s)
    phone.cseq = 1
    s.peer.request(
        "SUBSCRIBE",
        cseq=1,
        headers=["Event: counter", "Expires: 600", "Contact: <sip:victim@198.51.100.7:5060>"],
    )
    await desk.opens()
    await phone.accepted()
    assert (await phone.told())[1] == "0"


@pytest.mark.parametrize(
    ("header", "read"),
    [
        ("dialog", EventType("dialog")),
        (" dialog ; id=a7", EventType("dialog", "a7")),
        ("dialog;sla;id=3", EventType("dialog", "3")),
        ("message-summary", EventType("message-summary")),
        ("", None),
        (";id=3", None),
        ("dialog;id=" + "x" * 200, None),
        ('dialog;id="a b"', None),
        ("dia log", None),
        ("dialog;;;=", None),
    ],
)
def test_event_headers(header: str, read: EventType | None) -> None:
    assert EventType.of(request("SUBSCRIBE", headers=[f"Event: {header}"])) == read


def test_no_event_header_is_no_event() -> None:
    assert EventType.of(request("SUBSCRIBE")) is None


@pytest.mark.parametrize(
    ("accept", "can"),
    [
        ((), True),
        (("application/dialog-info+xml",), True),
        (("text/plain, Application/Dialog-Info+XML;q=0.5",), True),
        (("application/*",), True),
        (("text/plain", "*/*"), True),
        (("application/pidf+xml",), False),
        (("text/*",), False),
    ],
)
def test_accept(accept: tuple[str, ...], can: bool) -> None:
    asked = request("SUBSCRIBE", headers=[f"Accept: {value}" for value in accept])
    assert accepts(asked, "application/dialog-info+xml") is can


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [("0", 0), ("59", 59), ("99999999999999999999", 86_400), ("soon", 5), ("-1", 5), ("", 5)],
)
def test_expires(expires: str, seconds: int) -> None:
    assert wanted_s(request("SUBSCRIBE", headers=[f"Expires: {expires}"]), 5) == seconds
    assert wanted_s(request("SUBSCRIBE"), 5) == 5
