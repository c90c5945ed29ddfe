"""The day of the demo's company, scene by scene, and the CRM's view of it."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from vpbx.cli.demo.company import (
    CUSTOMER,
    CUSTOMER_NAME,
    HOTLINE,
    MANAGER,
    NUMBER,
    OLGA_DIRECT,
)
from vpbx.cli.demo.parts import CLOSE_HZ, CUSTOMER_HZ, MANAGER_HZ, Story, curl
from vpbx.sim import Call, CallFailed, Command, answering

__all__ = ["tell"]

ASKED_FOR = "79104445566"
MENU_CUSTOMER = "79161110001"
FIRST, SECOND = "79161110002", "79161110003"
SPEAKER = "79161110004"
_MESSAGE_S = 3.0
_BEEP_HZ = 1000.0
_RATING = "5"


async def tell(story: Story) -> None:
    """Play all scenes; what goes wrong is told, and ends it."""
    try:
        first = await _department(story)
        await _recording(story, first["link"])
        await _click_to_call(story)
        await _menu(story)
        await _queue_and_rating(story)
        await _message(story)
        _crm_view(story)
        await _history(story)
    except (TimeoutError, CallFailed, aiohttp.ClientError, OSError, KeyError) as error:
        story.narrator.bad(str(error) or type(error).__name__)


async def _department(story: Story) -> Command:
    tell = story.narrator
    tell.step(
        f"A customer calls {NUMBER}, the department Sales; the carrier brings the call by SIP"
    )
    tell.say(f"{CUSTOMER} calls, and says a tone of {CUSTOMER_HZ:.0f} Hz")
    customer = await story.call_in(NUMBER, CUSTOMER)
    manager = await story.phone.rings()
    contact = await story.crm.received("contact")
    name, number = manager.caller
    tell.say(f"Olga's phone rings and shows [bold]{name or '(no name)'}[/bold], {number}")
    tell.check(
        name == CUSTOMER_NAME and contact["phone"] == CUSTOMER,
        "the CRM was asked who calls, and its answer is on the phone",
    )
    await customer.ringing()
    await asyncio.sleep(0.7)
    await story.talk(manager, customer, "The carrier")
    tell.say("The customer hangs up")
    customer.hangup()
    await manager.ended()
    return await story.told(contact["callid"], "INCOMING", "ACCEPTED", "COMPLETED")


async def _recording(story: Story, link: str) -> None:
    tell = story.narrator
    tell.step("The call was recorded; its link went to the CRM")
    tell.plain(link)
    seconds, left, right = await story.fetch(link)
    tell.check(
        abs(left - CUSTOMER_HZ) < CLOSE_HZ and abs(right - MANAGER_HZ) < CLOSE_HZ,
        f"{seconds:.1f} s of stereo: left the customer ({left:.0f} Hz), "
        f"right Olga ({right:.0f} Hz)",
    )


async def _click_to_call(story: Story) -> None:
    tell = story.narrator
    tell.step("Click-to-call: the CRM asks the API to call a customer")
    answered_before = len(story.carrier.calls)
    story.carrier.behaviour = answering(CUSTOMER_HZ, after_s=0.7)
    fields = {"phone": ASKED_FOR, "user": MANAGER}
    tell.plain(curl(story.api, story.company.key, "makecall", fields))
    made = await story.ask("POST", "makecall", fields)
    tell.say(f"The API answers [bold]{json.dumps(made)}[/bold]")
    manager = await story.phone.rings()
    tell.say("Olga's phone rings; when she takes it, the customer is called")
    await manager.answer(MANAGER_HZ)
    customer = await story.carrier.nth_call(answered_before)
    await customer.answered()
    tell.check(
        customer.called == ASKED_FOR and customer.caller[1] == NUMBER,
        f"{customer.called} is called and sees {customer.caller[1]}",
    )
    await story.hear_each_other(manager, customer, "The customer")
    tell.say("Olga hangs up")
    manager.hangup()
    await customer.ended()
    await story.told(made["callid"], "OUTGOING", "ACCEPTED", "COMPLETED")


async def _menu(story: Story) -> None:
    tell = story.narrator
    tell.step(f"A customer calls the hotline {HOTLINE} and walks its menu")
    customer = await story.call_in(HOTLINE, MENU_CUSTOMER)
    await customer.answered()
    await _hears_speech(customer)
    tell.say(
        "The menu is being said; the customer does not hear it out, and presses [bold]2[/bold]"
    )
    customer.dial("2")
    manager = await story.phone.rings()
    tell.good(f"the button leads to Olga: her phone rings for {manager.caller[1]}")
    await story.talk(manager, customer, "The customer")
    tell.say("The customer hangs up")
    customer.hangup()
    await manager.ended()
    await story.told(await story.begun(MENU_CUSTOMER), "INCOMING", "ACCEPTED", "COMPLETED")


async def _queue_and_rating(story: Story) -> None:
    tell = story.narrator
    tell.step("Two customers, one Olga: the second one waits in the queue")
    first = await story.call_in(NUMBER, FIRST)
    manager = await story.phone.rings()
    await manager.answer(MANAGER_HZ)
    await first.answered()
    tell.say(f"{FIRST} talks to Olga, when {SECOND} calls the same department")
    second = await story.call_in(NUMBER, SECOND)
    await second.answered()
    await _hears_speech(second)
    tell.good("nobody is free: the second customer is answered, and hears music and their place")
    tell.say("The first customer hangs up")
    first.hangup()
    await manager.ended()
    freed_at = asyncio.get_running_loop().time()
    manager = await story.phone.rings(5)
    waited_s = asyncio.get_running_loop().time() - freed_at
    tell.check(
        manager.caller[1] == SECOND,
        f"Olga is free, and after {waited_s:.1f} s her phone rings for {manager.caller[1]}",
    )
    await story.talk(manager, second, "The second customer")
    await story.told(await story.begun(FIRST), "INCOMING", "ACCEPTED", "COMPLETED")
    tell.step("Olga hangs up first, and the customer is asked to rate her")
    manager.hangup()
    await story.crm.received("event", type="COMPLETED", phone=SECOND)
    tell.say(f"The customer hears the question, and presses [bold]{_RATING}[/bold]")
    second.dial(_RATING)
    await second.ended(20)
    rated = await story.crm.received("rating", phone=SECOND)
    tell.check(rated["rating"] == _RATING, f"the CRM knows: Olga got {rated['rating']} of 5")
    await story.told(await story.begun(SECOND), "INCOMING", "ACCEPTED", "COMPLETED")


async def _message(story: Story) -> None:
    tell = story.narrator
    tell.step(f"Olga is busy when {OLGA_DIRECT} is called: the customer leaves a message")
    customer = await story.carrier.call(OLGA_DIRECT, caller=SPEAKER)
    manager = await story.phone.rings()
    tell.say("Olga's phone says that she is busy (486); her voicemail answers")
    manager.reject(486)
    await customer.answered()
    await _hears_speech(customer)
    customer.dial("#")  # who knows the greeting skips it
    await customer.heard(_BEEP_HZ, timeout_s=15)
    tell.say(f"After the tone the customer says {CUSTOMER_HZ:.0f} Hz for {_MESSAGE_S:.0f} seconds")
    customer.say(CUSTOMER_HZ)
    await asyncio.sleep(_MESSAGE_S)
    customer.hangup()
    callid = await story.begun(SPEAKER)
    history = await story.told(callid, "INCOMING", "CANCELLED", status="Missed")
    seconds, left, _ = await story.fetch(history["link"])
    tell.check(
        abs(left - CUSTOMER_HZ) < CLOSE_HZ and seconds > _MESSAGE_S - 1,
        f"the message is kept: {seconds:.1f} s, {left:.0f} Hz; Olga hears it by *97 or as e-mail",
    )


async def _hears_speech(customer: Call) -> None:
    """Wait until the customer hears something of ours: speech, or music."""
    assert customer.rtp is not None
    async with asyncio.timeout(10):
        while not customer.hears_hz:
            await customer.rtp.hear(10, 10)


def _crm_view(story: Story) -> None:
    tell, crm = story.narrator, story.crm
    tell.step("The day as the CRM saw it")
    complete = True
    for callid in story.callids:
        events = [command["type"] for command in crm.of("event", callid=callid)]
        asked = ["contact"] if crm.of("contact", callid=callid) else []
        rated = [f"rating {command['rating']}" for command in crm.of("rating", callid=callid)]
        histories = crm.of("history", callid=callid)
        complete = complete and len(histories) == 1
        for history in histories:
            link = " with a link" if history.get("link") else ""
            told = ", ".join([*asked, *events, *rated])
            tell.say(
                f"{history['type']:<3} {history['phone']}  {told}; "
                f"[bold]{history['status']}[/bold] {history['duration']} s{link}"
            )
    calls = len(story.callids)
    tell.check(complete, f"{calls} calls, and one history command for each of them")


async def _history(story: Story) -> None:
    tell = story.narrator
    tell.step("The same from the API, for whoever was not listening")
    tell.plain(curl(story.api, story.company.key, "history/json"))
    found = await story.ask("GET", "history/json")
    rows = [row for row in found if row["uid"] in story.callids]
    for row in rows:
        rated = f"  rated {row['rating']}" if "rating" in row else ""
        tell.say(
            f"{row['start']}  {row['type']:<3}  {row['client']}  {row['user_name']:<12}  "
            f"{row['status']}  {row['destination']:<5} {row['duration']} s{rated}"
        )
    there = {row["uid"] for row in rows} == set(story.callids)
    tell.check(there and len(rows) == len(story.callids), "all calls of the day are there")
