"""Calls and transfers between two connected PBXs, with SIP over TLS between them (crm-api §16).

Where a customer calls the first office, what its CRM and both histories say afterwards is all
there is to say: the CRM of the other office hears of nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.crm import Receiver
from tests.support.offices import Namespace, NoNamespaces, Office, connect, namespace
from tests.support.pbx import VPBX, Pbx
from vpbx.sim import Carrier
from vpbx.sim.call import Call

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUSTOMER = "79101234567"
OUTSIDE, FROM_TWO = f"{CUSTOMER}@one.example", f"{CUSTOMER}@two.example"
"""The customer as the other office knows them, and as they come back from there."""
CUSTOMER_HZ, ANN_HZ, BOB_HZ, CARL_HZ = 440, 880, 660, 1020
ANN, EVE, BOB, CARL = "731", "732", "711", "712"
FIRST = ["I(u731)", "A(u731)", "T(u731→2)", "E(u731)", "H(Success, u731)"]
"""The customer's call as ann has passed it on."""
AT_BOB = [
    *("I(u711@two.example)", "A(u711@two.example)", "E(u711@two.example)"),
    "H(Success, u711@two.example)",
]
"""And as bob had it."""


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file of authorities that the servers started now trust for SIP."""
    bundle = tmp_path_factory.mktemp("trust") / "authorities.pem"
    bundle.touch()
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(bundle)
    yield bundle
    if before is None:
        del os.environ["SSL_CERT_FILE"]
    else:
        os.environ["SSL_CERT_FILE"] = before


@pytest.fixture(scope="module")
def cable() -> Iterator[Namespace | str]:
    """The network of the second office; why there is none, where it cannot be made."""
    with ExitStack() as stack:
        made: Namespace | str
        try:
            made = stack.enter_context(namespace())
        except NoNamespaces as why:
            made = str(why)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def offices(
    tmp_path_factory: pytest.TempPathFactory, trusted: Path, cable: Namespace | str
) -> AsyncIterator[tuple[Office, Office]]:
    """731 and 732 at one.example, 711 and 712 at two.example, which is another machine for the
    network where that can be."""
    folder = tmp_path_factory.mktemp("offices")
    here, there, under = "127.0.0.1", "127.0.0.1", ()
    if isinstance(cable, Namespace):
        here, there, under = cable.here, cable.there, cable.under
    near = Pbx(folder / "one", host=here)
    far = Pbx(folder / "two", host=there, under=under)
    try:
        near.start()
        far.start()
        async with Receiver() as crm, Receiver(here) as others:
            one = Office(near, "one.example", crm, f"https://{near.https}", here)
            two = Office(far, "two.example", others, f"https://{far.https}", here)
            trusted.write_text(one.authority + two.authority)
            await asyncio.gather(one.found(ANN, EVE), two.found(BOB, CARL))
            await connect(one, two)
            yield one, two
    finally:
        near.kill()
        far.kill()


class Scene:
    """The phones of both offices, and the customer."""

    def __init__(self, one: Office, two: Office) -> None:
        self.one, self.two = one, two
        self.ann, self.eve = one.phone(ANN), one.phone(EVE)
        self.bob, self.carl = two.phone(BOB), two.phone(CARL)
        self.carrier = Carrier(one.hop, host=one.phones, port=one.trunk_port)

    async def talk(self) -> tuple[Call, Call]:
        """The customer talks to ann."""
        customer = await self.carrier.call("74951234567", caller=CUSTOMER, tone_hz=CUSTOMER_HZ)
        call = await self.ann.incoming(30)
        await call.answer(ANN_HZ)
        await asyncio.gather(customer.heard(ANN_HZ), call.heard(CUSTOMER_HZ))
        return customer, call

    async def told(self, count: int = 1) -> list[list[str]]:
        """What the first office's CRM was told of each call, once `count` of them are over."""
        crm = self.one.crm
        await crm.until(lambda: len(crm.of("history")) >= count, timeout_s=30)
        assert self.two.crm.commands == []
        words = {"INCOMING": "I", "ACCEPTED": "A", "CANCELLED": "X", "COMPLETED": "E"}
        told: dict[str, list[str]] = {}
        for command in crm.commands:
            of_call = told.setdefault(command["callid"], [])
            if command["cmd"] == "event":
                kind, second = command["type"], "→2" if command.get("second_callid") else ""
                of_call.append(f"{words.get(kind, 'T')}({command['user']}{second})")
            elif command["cmd"] == "history":
                of_call.append(f"H({command['status']}, {command['user']})")
        return [told[callid] for callid in sorted(told)]

    async def says(self, office: Office, *calls: tuple[str, str]) -> None:
        """Wait until the last inner calls of an office are these successes: from whom (who is
        outside by number and office), for whom; in the order in which they began."""
        path, seen = "/history/inner/json?period=today", []
        try:
            async with asyncio.timeout(30):
                while seen != [(*call, "success") for call in calls]:
                    rows = sorted(await office.api("GET", path), key=lambda row: row["uid"])
                    seen = [(r["from_name"] or r["from"], r["to_name"], r["status"]) for r in rows]
                    seen = seen[-len(calls) :]
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"the history says {seen}") from None


@pytest_asyncio.fixture(loop_scope="module")
async def scene(offices: tuple[Office, Office]) -> AsyncIterator[Scene]:
    one, two = offices
    made = Scene(one, two)
    one.crm.commands.clear()
    two.crm.commands.clear()
    async with made.carrier, made.ann, made.eve, made.bob, made.carl:
        yield made
    async with asyncio.timeout(30):
        for office in offices:
            while await office.api("GET", "/calls"):
                await asyncio.sleep(0.05)


async def hear_each_other(one: Call, one_hz: float, other: Call, other_hz: float) -> None:
    await asyncio.gather(one.heard(other_hz, timeout_s=30), other.heard(one_hz, timeout_s=30))


async def test_the_other_office_is_another_machine_for_the_network(
    scene: Scene, cable: Namespace | str
) -> None:
    """So nothing of what follows is a matter of loopback."""
    if isinstance(cable, str):
        pytest.skip(cable)
    assert (scene.one.hop.host, scene.two.hop.host) == (cable.here, cable.there)
    assert scene.two.url.startswith(f"https://{cable.there}:")


async def test_calls_between_the_two_go_by_tls(scene: Scene) -> None:
    """Both ways: what the servers keep of the wire."""
    callids = []
    for caller, called, office, ext in (
        (scene.ann, scene.bob, scene.one, BOB),
        (scene.bob, scene.ann, scene.two, ANN),
    ):
        call = await caller.call(ext, tone_hz=ANN_HZ)
        taken = await called.incoming(30)
        await taken.answer(BOB_HZ)
        await hear_each_other(call, ANN_HZ, taken, BOB_HZ)
        callids.append(max(live["callid"] for live in await office.api("GET", "/calls")))
        call.hangup()
        await taken.ended()
    of_one, of_two = await asyncio.gather(
        traced(scene.one, callids[0]), traced(scene.two, callids[1])
    )
    for messages, ext in ((of_one, BOB), (of_two, ANN)):
        across = [
            message
            for message in messages
            if message["sent"] and message["message"].startswith(f"INVITE sip:{ext}@")
        ]
        assert across
        assert all(message["peer"].startswith("tls:") for message in across)
        by_tls = [m["message"] for m in messages if m["peer"].startswith("tls:")]
        described = [text for text in by_tls if "\r\nm=audio " in text]
        assert len(described) >= 2  # the offer and its answer: encrypted as signalling is
        assert all(" RTP/SAVP " in text and "a=crypto:" in text for text in described)


async def traced(office: Office, callid: str) -> list[dict[str, Any]]:
    """The SIP messages of a call that is over, as `vpbx calls trace` shows them."""
    process = await asyncio.create_subprocess_exec(
        *(str(VPBX), "calls", "trace", callid, "--json", "--data", str(office.pbx.data)),
        stdout=asyncio.subprocess.PIPE,
    )
    shown, _ = await process.communicate()
    return [json.loads(line) for line in shown.splitlines()]


def put_through(call: Call, to: str) -> str:
    """The URI of a REFER that names the dialog of another call to be replaced."""
    assert call.session is not None
    dialog = call.session.dialog
    assert dialog is not None
    named = f"{dialog.call_id}%3Bto-tag%3D{dialog.remote_tag}%3Bfrom-tag%3D{dialog.local_tag}"
    return f"sip:{to}?Replaces={named}"


async def test_blind_to_the_other_office(scene: Scene) -> None:
    customer, call = await scene.talk()
    assert await call.transfer(f"sip:{BOB}@one.example") == 202
    at_bob = await scene.bob.incoming(30)
    assert at_bob.caller[1] == CUSTOMER
    await at_bob.answer(BOB_HZ)
    await hear_each_other(customer, CUSTOMER_HZ, at_bob, BOB_HZ)
    assert not customer.directions
    customer.hangup()
    await at_bob.ended()
    assert await scene.told(2) == [FIRST, AT_BOB]
    await scene.says(scene.two, (OUTSIDE, "two.example 711"))


async def test_blind_to_the_other_office_where_nobody_takes_it(scene: Scene) -> None:
    """It rings back at who passed it on."""
    customer, call = await scene.talk()
    assert await call.transfer(f"sip:{BOB}@one.example") == 202
    (await scene.bob.incoming(30)).reject(486)
    again = await scene.ann.nth_call(1, 30)
    await again.answer(ANN_HZ)
    await hear_each_other(customer, CUSTOMER_HZ, again, ANN_HZ)
    customer.hangup()
    back = ["I(u711@two.example)", "X(u711@two.example)"]
    back += ["I(u731)", "A(u731)", "E(u731)", "H(Success, u731)"]
    assert await scene.told(2) == [FIRST, back]


async def test_attended_to_the_other_office(scene: Scene) -> None:
    customer, call = await scene.talk()
    assert await call.hold() == 200
    second = await scene.ann.call(BOB, tone_hz=ANN_HZ)
    at_bob = await scene.bob.incoming(30)
    await at_bob.answer(BOB_HZ)
    await hear_each_other(second, ANN_HZ, at_bob, BOB_HZ)
    assert await call.transfer(put_through(second, f"{BOB}@one.example")) == 202
    await hear_each_other(customer, CUSTOMER_HZ, at_bob, BOB_HZ)
    await asyncio.gather(call.ended(), second.ended())
    at_bob.hangup()
    await customer.ended()
    [told] = await scene.told()
    assert told == ["I(u731)", "A(u731)", "T(u731)", *AT_BOB[1:]]
    asked = ("one.example 731", "two.example 711")
    await scene.says(scene.one, asked)
    await scene.says(scene.two, asked)


async def customer_at_bob(scene: Scene) -> tuple[Call, Call]:
    """Ann has passed the customer on to bob of the other office."""
    customer, call = await scene.talk()
    assert await call.transfer(f"sip:{BOB}@one.example") == 202
    at_bob = await scene.bob.incoming(30)
    await at_bob.answer(BOB_HZ)
    await hear_each_other(customer, CUSTOMER_HZ, at_bob, BOB_HZ)
    await call.ended()
    return customer, at_bob


async def test_and_blind_back_again(scene: Scene) -> None:
    """Bob passes the customer on to eve of the first office: what the first office's CRM knows
    of it is that the other office has the call."""
    customer, at_bob = await customer_at_bob(scene)
    assert await at_bob.transfer(f"sip:{EVE}@two.example") == 202
    at_eve = await scene.eve.incoming(30)
    await at_eve.answer(CARL_HZ)
    await hear_each_other(customer, CUSTOMER_HZ, at_eve, CARL_HZ)
    customer.hangup()
    await at_eve.ended()
    assert await scene.told(2) == [FIRST, AT_BOB]
    at_two = (OUTSIDE, "two.example 711"), (OUTSIDE, "one.example 732")
    await scene.says(scene.two, *at_two)
    await scene.says(scene.one, (FROM_TWO, "one.example 732"))


@pytest.mark.parametrize("how", ["blind", "attended", "*2"])
async def test_a_colleague_of_the_other_office_passes_on_who_called_from_here(
    scene: Scene, how: str
) -> None:
    """Ann has called bob, and bob passes her on to carl: she stays the caller in the rows."""
    call = await scene.ann.call(BOB, tone_hz=ANN_HZ)
    at_bob = await scene.bob.incoming(30)
    await at_bob.answer(BOB_HZ)
    await hear_each_other(call, ANN_HZ, at_bob, BOB_HZ)
    if how == "attended":
        assert await at_bob.hold() == 200
        second = await scene.bob.call(CARL, tone_hz=BOB_HZ)
        at_carl = await scene.carl.incoming(30)
        await at_carl.answer(CARL_HZ)
        await hear_each_other(second, BOB_HZ, at_carl, CARL_HZ)
        assert await at_bob.transfer(put_through(second, f"{CARL}@two.example")) == 202
    else:
        if how == "blind":
            assert await at_bob.transfer(f"sip:{CARL}@two.example") == 202
        else:
            at_bob.dial(f"*2{CARL}")
        at_carl = await scene.carl.incoming(30)
        await at_carl.answer(CARL_HZ)
    await hear_each_other(call, ANN_HZ, at_carl, CARL_HZ)
    call.hangup()
    await at_carl.ended()
    ann, bob, carl = "one.example 731", "two.example 711", "two.example 712"
    await scene.says(scene.one, (ann, bob))
    if how == "attended":  # what bob asked carl was a call of its own
        await scene.says(scene.two, (ann, carl), (bob, carl))
    else:
        await scene.says(scene.two, (ann, bob), (ann, carl))
    assert scene.one.crm.commands == scene.two.crm.commands == []


async def test_a_member_across_passes_a_customer_on_by_star_two(scene: Scene) -> None:
    """Their own PBX serves that; the one the customer called hears `*2` too, and leaves it."""
    member = {"login": "u711", "branch_domain": "two.example", "calls_enable": True}
    made = await scene.one.api("POST", "/groups", {"name": "Both", "users": [member]})
    try:
        customer, call = await scene.talk()
        assert await call.transfer(f"sip:{made['ext']}@one.example") == 202
        at_bob = await scene.bob.incoming(30)
        await at_bob.answer(BOB_HZ)
        await hear_each_other(customer, CUSTOMER_HZ, at_bob, BOB_HZ)
        at_bob.dial(f"*2{CARL}")
        at_carl = await scene.carl.incoming(30)
        await at_carl.answer(CARL_HZ)
        await hear_each_other(customer, CUSTOMER_HZ, at_carl, CARL_HZ)
        customer.hangup()
        await at_carl.ended()
    finally:
        await scene.one.api("DELETE", f"/groups/{made['id']}")


async def test_who_has_called_from_there_is_free_again_for_the_department_here(
    scene: Scene,
) -> None:
    """A colleague who has talked is to be had as a member of a department of the other office."""
    member = {"login": "u731", "branch_domain": "one.example", "calls_enable": True}
    made = await scene.two.api("POST", "/groups", {"name": "Both", "users": [member]})
    try:
        call = await scene.ann.call(BOB, tone_hz=ANN_HZ)
        at_bob = await scene.bob.incoming(30)
        await at_bob.answer(BOB_HZ)
        await hear_each_other(call, ANN_HZ, at_bob, BOB_HZ)
        call.hangup()
        await at_bob.ended()
        asks = await scene.carl.call(made["ext"], tone_hz=CARL_HZ)
        at_ann = await scene.ann.incoming(30)
        await at_ann.answer(ANN_HZ)
        await hear_each_other(asks, CARL_HZ, at_ann, ANN_HZ)
        asks.hangup()
        await at_ann.ended()
    finally:
        await scene.two.api("DELETE", f"/groups/{made['id']}")


async def test_nobody_is_passed_on_to_whom_they_talk_to_across(scene: Scene) -> None:
    call = await scene.ann.call(BOB, tone_hz=ANN_HZ)
    at_bob = await scene.bob.incoming(30)
    await at_bob.answer(BOB_HZ)
    await hear_each_other(call, ANN_HZ, at_bob, BOB_HZ)
    assert await call.transfer(f"sip:{BOB}@one.example") == 400
    await hear_each_other(call, ANN_HZ, at_bob, BOB_HZ)
    call.hangup()
    await at_bob.ended()
