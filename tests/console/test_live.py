"""What goes on now: seen as it happens, by whom it concerns, and ended or passed on."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import httpx

from tests.console.conftest import ACME, GLOBEX, PHONE_PASSWORD, Console, said
from vpbx.calls import ActiveCall
from vpbx.calls.registry import State
from vpbx.console import Live
from vpbx.console.look import Look
from vpbx.console.pages import live as live_page
from vpbx.directory import Employee
from vpbx.events import CallInfo, Direction, Party
from vpbx.media.rtp import goertzel
from vpbx.sim import Phone, answering
from vpbx.sim.call import Call
from vpbx.sip import Hop


def way(console: Console) -> Hop:
    host, port = console.pbx.sip.split(":")
    return Hop("udp", host, int(port))


@asynccontextmanager
async def board(console: Console, login: str) -> AsyncIterator[AsyncIterator[str]]:
    """Follow the live page as an employee's tab does."""
    browser = console.as_(login)
    async with (
        httpx.AsyncClient(
            base_url=console.base, cookies=browser.client.cookies, headers={"Host": ACME}
        ) as client,
        client.stream("GET", "/live/stream", timeout=30) as answer,
    ):
        assert answer.status_code == 200, answer
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield pieces(answer)


async def pieces(answer: httpx.Response) -> AsyncIterator[str]:
    lines: list[str] = []
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            lines.append(line.removeprefix("data: "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


async def until(seen: AsyncIterator[str], pattern: str) -> str:
    async with asyncio.timeout(20):
        async for piece in seen:
            if re.search(pattern, piece, re.S):
                return piece
    raise AssertionError(f"never saw {pattern}")


async def test_a_call_is_seen_as_it_happens_and_hung_up(console: Console) -> None:
    ann = Phone("ann", PHONE_PASSWORD, ACME, way(console), behaviour=answering(1000))
    bob = Phone("bob", PHONE_PASSWORD, ACME, way(console))
    async with ann, bob, board(console, "admin") as seen, board(console, "head") as heads:
        await until(seen, "Nobody is on the phone")
        call = await bob.call("703", tone_hz=440)
        await call.answered()
        shown = await until(seen, r"Bob.*Ann.*>talks<")
        await until(heads, r"Bob.*Ann.*>talks<")
        found = re.search(r'hx-post="/live/(\d+)/hangup"', shown)
        assert found is not None
        theirs = await ann.rings()
        path = f"/live/{found[1]}/hangup"
        for login in ("ann", "bob"):
            refused = await asyncio.to_thread(console.as_(login).post, path, {}, at="/me")
            assert refused.status_code == 403
        heads_browser = console.as_("head")
        nowhere = path.replace("hangup", "transfer"), {"to": "no-such-place"}
        why = await asyncio.to_thread(heads_browser.pressed, *nowhere)
        assert 'role="alert"' in why, "told on the page as it stands, not on the next one"
        assert "There is no such" in said(why)
        done = await asyncio.to_thread(heads_browser.pressed, path, {})
        assert said(done) == "The call is ended."
        await theirs.ended()
        changes = said(console.as_("admin").page("/audit"))
        assert f"calls.{found[1]} → ended" in changes, "who ends the calls of others is known"
        await until(seen, "Nobody is on the phone")
        path = f"/history/{found[1]}"
        while (
            answer := await asyncio.to_thread(console.as_("admin").get, path)
        ).status_code != 200:
            await asyncio.sleep(0.05)  # the row is written some ms after the end
        told = said(answer.text)
        assert re.search("rings at: Ann.*talks: Ann.*over: talked", told)
        ladder = said(console.as_("admin").page(f"{path}/sip"))
        assert re.search(r"INVITE sip:703@.*SIP/2.0 200 OK.*BYE sip:", ladder)
        assert not re.search(r'response="[0-9a-w]', ladder), "credentials are made unreadable"
        assert console.as_("bob").get(path).status_code == 200, "it is theirs"
        assert console.as_("bob").get(f"{path}/sip").status_code == 403
        assert console.as_("admin", GLOBEX).get(f"{path}/sip").status_code == 404


async def hears_both(call: Call, *tones: int) -> None:
    assert call.rtp is not None
    async with asyncio.timeout(30):
        while min(goertzel(call.rtp.pcm(0.25), hz) for hz in tones) < 0.15:
            await call.rtp.hear(5)


async def test_a_head_listens_to_a_colleague_and_the_log_of_changes_keeps_it(
    console: Console,
) -> None:
    """By click; a user, a restricted one and another company's administrator may not."""
    ann = Phone("ann", PHONE_PASSWORD, ACME, way(console), behaviour=answering(1000))
    bob = Phone("bob", PHONE_PASSWORD, ACME, way(console))
    head = Phone("head", PHONE_PASSWORD, ACME, way(console), behaviour=answering(660))
    async with ann, bob, head, board(console, "head") as seen:
        call = await bob.call("703", tone_hz=440)
        await call.answered()
        shown = await until(seen, r"Bob.*Ann.*>talks<")
        found = re.search(r'hx-post="/live/(\d+)/supervise"', shown)
        assert found is not None
        path = f"/live/{found[1]}/supervise"

        async def asks(login: str, host: str = ACME, mode: str = "listen") -> httpx.Response:
            browser = console.as_(login, host)
            return await asyncio.to_thread(browser.post, path, {"mode": mode}, at="/me")

        assert (await asks("ann")).status_code == 403
        assert (await asks("bob")).status_code == 403
        assert (await asks("admin", GLOBEX)).status_code == 404
        assert (await asks("head")).status_code == 303
        await until(seen, r"Bob.*Head listens")
        at_head = await head.rings()
        await hears_both(at_head, 440, 1000)
        assert (await asks("head", mode="whisper")).status_code == 303
        await until(seen, r"Bob.*Head whispers")
        told = said(console.as_("admin").page("/audit"))
        assert re.search(rf"whisper: Head \(head\) at Ann \(ann\), call {found[1]}", told)
        assert re.search(rf"listen: Head \(head\) at Ann \(ann\), call {found[1]}", told)
        call.hangup()
        await at_head.ended()


async def test_calls_that_are_not_theirs_are_not_seen_by_a_head(console: Console) -> None:
    bob = Phone("bob", PHONE_PASSWORD, ACME, way(console))
    async with bob, board(console, "admin") as seen, board(console, "head") as heads:
        call = await bob.call("*43")
        await call.answered()
        shown = await until(seen, "hangup")
        assert "hangup" not in await until(heads, "calls-now")
        found = re.search(r"/live/(\d+)/hangup", shown)
        assert found is not None
        path = f"/live/{found[1]}/hangup"
        refused = await asyncio.to_thread(console.as_("head").post, path, {}, at="/me")
        assert refused.status_code == 404
        call.hangup()


class _Board:
    """What viewers see: its number of times it was rendered, once `gate` lets it be."""

    def __init__(self) -> None:
        self.rendered = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def render(self) -> bytes:
        self.rendered += 1
        said = b"state %d" % self.rendered
        await self.gate.wait()
        return said


async def test_many_tabs_cost_one_rendering_and_get_the_newest() -> None:
    live, shown, other = Live(), _Board(), _Board()
    tabs = [live.follow(1, "everybody", shown.render) for _ in range(50)]
    assert {await anext(tab) for tab in tabs} == {b"state 1"}
    others = live.follow(2, "everybody", other.render)
    assert await anext(others) == b"state 1"
    for _ in range(200):
        live.touch(1)
    assert {await anext(tab) for tab in tabs} == {b"state 2"}
    assert (shown.rendered, other.rendered) == (2, 1)
    for tab in (*tabs, others):
        await tab.aclose()
    live.touch(1)
    await asyncio.sleep(0.4)
    assert shown.rendered == 2, "nobody looks any more"


async def test_a_tab_that_opens_while_the_board_is_rendered_waits_for_that_one() -> None:
    live, shown = Live(), _Board()
    shown.gate.clear()
    tabs = [live.follow(1, "everybody", shown.render) for _ in range(3)]
    opening = [asyncio.ensure_future(anext(tab)) for tab in tabs]
    await asyncio.sleep(0)
    opening[1].cancel()
    shown.gate.set()
    assert (await opening[0], await opening[2]) == (b"state 1", b"state 1")
    assert shown.rendered == 1


async def test_a_first_tab_that_goes_while_its_board_is_rendered_leaves_the_next_one_one() -> None:
    live, shown = Live(), _Board()
    shown.gate.clear()
    first, second = (live.follow(1, "everybody", shown.render) for _ in range(2))
    opening = asyncio.ensure_future(anext(first))
    other = asyncio.ensure_future(anext(second))
    await asyncio.sleep(0)
    opening.cancel()
    shown.gate.set()
    assert await other == b"state 2"


async def test_what_changes_while_the_board_is_rendered_is_seen() -> None:
    live, shown = Live(), _Board()
    shown.gate.clear()
    tab = live.follow(1, "everybody", shown.render)
    opening = asyncio.ensure_future(anext(tab))
    await asyncio.sleep(0)
    live.touch(1)
    await asyncio.sleep(0.5)  # it is due to be rendered anew, and waits for the one before
    assert shown.rendered == 1
    shown.gate.set()
    assert await opening == b"state 1"
    assert await anext(tab) == b"state 2"


async def test_a_board_of_many_calls_is_rendered_while_others_have_their_turns() -> None:
    """A hundred calls and employees take some milliseconds: calls do not wait for all of them."""
    people = [Employee(n, f"e{n}", str(700 + n), f"Employee {n}") for n in range(100)]
    start = 1_790_000_000.0
    calls = [
        ActiveCall(
            CallInfo(f"1{n:014}", 1, ACME, Direction.IN, start, f"7910{n:07}", "74951234567"),
            Party(login=person.login, ext=person.ext, name=person.name),
            start + n,
            State.TALKING,
        )
        for n, person in enumerate(people)
    ]
    rendering = Look([]).long_fragment(
        "live/board.html",
        "ru",
        listening={},
        can_listen=True,
        mode_words=live_page.MODE_WORDS,
        calls=calls,
        colleagues=[live_page.Colleague(person, "talking") for person in people],
        states=Counter({"talking": 100}),
        waiting={},
        state_words=live_page.STATE_WORDS,
        colleague_words=live_page.COLLEAGUE_WORDS,
        zone=ZoneInfo("Europe/Moscow"),
    )
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other_work = asyncio.create_task(others())
    board = await rendering
    other_work.cancel()
    assert turns > 5
    assert len(re.findall(r'hx-post="/live/\d+/hangup"', board)) == 100
    assert board.count("Employee 99") == 2, "in the call, and among the employees"
