"""What a CRM and the history are told of each path a call can take: all commands, in order.

The table is call-events: what happens, the commands, whether a department is named, the row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from tests.paths.scene import ANN, BOB, CUSTOMER, EVE, Scene
from vpbx.directory import Invalid
from vpbx.sip import Response

Play: TypeAlias = Callable[[Scene], Awaitable[None]]
BEEP_HZ = 1000
FRIEND = "79260000000"
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OPEN, CLOSED = {"start": 0, "end": 86_400}, {"holiday": True}


@dataclass(frozen=True)
class Path:
    """One row of the table."""

    play: Play
    commands: str
    row: str
    department: bool = False


PATHS: dict[str, Path] = {}


def path(commands: str, row: str, *, department: bool = False) -> Callable[[Play], Play]:
    """Put what follows into the table."""

    def add(play: Play) -> Play:
        PATHS[play.__name__] = Path(play, commands, row, department)
        return play

    return add


# -- incoming -----------------------------------------------------------------------------------


@path("C I(ann) A(ann) E(ann) H(Success,ann)", "in success user ann")
async def answered(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    customer = await scene.customer()
    await (await ann.incoming()).answer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) A(ann) E(ann) H(Success,ann)", "in success user ann")
async def answered_and_ended_by_the_employee(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    customer = await scene.customer()
    call = await ann.incoming()
    await call.answer()
    await customer.answered()
    call.hangup()


@path("C I(ann) X(ann) H(Missed,ann)", "in missed user ann")
async def caller_gives_up(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    customer = await scene.customer()
    await ann.incoming()
    await customer.ringing()
    customer.hangup()


@path("C I(ann) X(ann) H(Missed,ann)", "in missed user ann")
async def employee_refuses(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    await scene.customer()
    (await ann.incoming()).reject(486)


@path("C H(Missed,ann)", "in missed user ann")
async def nobody_is_registered(scene: Scene) -> None:
    await (await scene.customer()).ended()


@path("C H(Missed,ann)", "in missed user ann")
async def employee_does_not_receive_calls(scene: Scene) -> None:
    await scene.app.directory.users.set_dnd(await scene.domain(), ANN, False)
    await scene.phone(ANN)
    await (await scene.customer()).ended()


@path("C H(Missed,ann)", "in missed hello ann")
async def gives_up_in_the_greeting(scene: Scene) -> None:
    await scene.number(scene.office, type="user", user=ANN, greeting=True)
    await scene.phone(ANN)
    customer = await scene.customer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) I(bob) X(ann) A(bob) E(bob) H(Success,bob)", "in success user bob", department=True)
async def department_b_answers(scene: Scene) -> None:
    ann, bob = await scene.phone(ANN), await scene.phone(BOB)
    customer = await scene.customer(scene.sales)
    await ann.incoming()
    call = await bob.incoming()
    await scene.crm.gets("event", type="INCOMING", user=BOB)
    await call.answer()
    await customer.answered()
    customer.hangup()


@path("C I(bob) X(bob) H(Missed,bob)", "in missed group sales", department=True)
async def gives_up_while_a_department_rings(scene: Scene) -> None:
    bob = await scene.phone(BOB)
    customer = await scene.customer(scene.sales)
    await bob.incoming()
    await customer.ringing()
    customer.hangup()


@path("C I(eve) X(eve) I(ann) A(ann) E(ann) H(Success,ann)", "in success user ann")
async def responsible_is_silent_fallback_answers(scene: Scene) -> None:
    scene.crm.contact = {"contact_name": "Customer", "responsible": EVE}
    await scene.app.directory.integrations.set_responsible(
        await scene.domain(), scene.office, enabled=True, fallback=ANN
    )
    ann, eve = await scene.phone(ANN), await scene.phone(EVE)
    customer = await scene.customer()
    (await eve.incoming()).reject(486)
    await (await ann.incoming()).answer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) A(ann) E(ann) H(Success,ann)", "in success user ann")
async def mobile_answers_for_an_employee(scene: Scene) -> None:
    redirect = {"mobile": FRIEND, "mobile_redirect": {"enabled": True, "forward": True}}
    await scene.app.directory.users.edit(await scene.domain(), ANN, redirect)
    customer = await scene.customer()
    await (await scene.carrier.incoming()).answer()
    await customer.answered()
    customer.hangup()


async def scheduled(scene: Scene, hours: dict[str, Any], work: Any, other: Any) -> None:
    await scene.number(
        scene.office,
        type="scheduler",
        work=work,
        other=other,
        schedule=dict.fromkeys(WEEK, hours),
    )


@path("C H(Success,eve)", "in success telnum eve")
async def schedule_to_an_outside_number_that_answers(scene: Scene) -> None:
    await scheduled(
        scene,
        CLOSED,
        {"subtype": "user", "user": EVE},
        {"subtype": "telnum", "telnum": FRIEND},
    )
    customer = await scene.customer()
    await (await scene.carrier.incoming()).answer()
    await customer.answered()
    customer.hangup()


@path("C H(Missed,eve)", "in missed telnum eve")
async def schedule_to_an_outside_number_that_is_busy(scene: Scene) -> None:
    await scheduled(
        scene,
        CLOSED,
        {"subtype": "user", "user": EVE},
        {"subtype": "telnum", "telnum": FRIEND},
    )
    customer = await scene.customer()
    (await scene.carrier.incoming()).reject(486)
    await customer.ended()


@path("C H(Missed,eve)", "in missed offtime eve")
async def schedule_to_the_message_of_closed_hours(scene: Scene) -> None:
    await scheduled(scene, CLOSED, {"subtype": "user", "user": EVE}, {"subtype": "message"})
    customer = await scene.customer()
    await customer.answered()
    customer.hangup()


@path("C I(eve) A(eve) E(eve) H(Success,eve)", "in success user eve")
async def attendant_outside_business_hours_answers(scene: Scene) -> None:
    attendant = {"subtype": "user", "user": EVE}
    await scheduled(scene, CLOSED, {"subtype": "message"}, attendant)
    eve = await scene.phone(EVE)
    customer = await scene.customer()
    await (await eve.incoming()).answer()
    await customer.answered()
    customer.hangup()


@path("C I(eve) X(eve) H(Missed,eve)", "in missed onduty eve")
async def attendant_outside_business_hours_misses_it(scene: Scene) -> None:
    attendant = {"subtype": "user", "user": EVE}
    await scheduled(scene, CLOSED, {"subtype": "message"}, attendant)
    eve = await scene.phone(EVE)
    customer = await scene.customer()
    await eve.incoming()
    await customer.ringing()
    customer.hangup()


# -- menus and departments ----------------------------------------------------------------------


async def department(scene: Scene, **values: Any) -> None:
    await scene.app.directory.groups.edit(await scene.domain(), scene.group, values)


async def menu(scene: Scene, *items: dict[str, Any]) -> None:
    ivr = {"name": "Main", "greeting": True, "items": list(items)}
    await scene.number(scene.office, type="ivr", ivr=ivr)


async def in_menu(scene: Scene) -> Any:
    customer = await scene.customer()
    await customer.answered()
    await customer.rtp.hear(20)
    return customer


@path("C H(Missed,admin)", "in missed ivr ivr")
async def gives_up_in_a_menu(scene: Scene) -> None:
    await menu(scene, {"button": "1", "type": "user", "user": ANN})
    (await in_menu(scene)).hangup()


@path("C I(eve) A(eve) E(eve) H(Success,eve)", "in success user eve")
async def chooses_in_a_menu_within_a_menu(scene: Scene) -> None:
    inner = {
        "name": "Inner",
        "greeting": True,
        "items": [{"button": "4", "type": "user", "user": EVE}],
    }
    await menu(scene, {"button": "2", "type": "ivr", "ivr": inner})
    eve = await scene.phone(EVE)
    customer = await in_menu(scene)
    customer.dial("24")
    await (await eve.incoming()).answer()
    await scene.crm.gets("event", type="ACCEPTED")
    customer.hangup()


@path("C I(bob) X(bob) H(Missed,bob)", "in missed group sales", department=True)
async def chooses_a_department_and_gives_up_there(scene: Scene) -> None:
    await menu(scene, {"button": "1", "type": "group", "group": scene.group})
    bob = await scene.phone(BOB)
    customer = await in_menu(scene)
    customer.dial("1")
    await bob.incoming()
    await scene.crm.gets("event", type="INCOMING")
    customer.hangup()


@path("C I(eve) X(eve) H(Missed,eve)", "in missed user eve")
async def dials_an_ext_in_a_menu_and_gives_up(scene: Scene) -> None:
    await menu(scene, {"button": "1", "type": "user", "user": ANN})
    eve = await scene.phone(EVE)
    customer = await in_menu(scene)
    customer.dial("704")
    await eve.incoming()
    await scene.crm.gets("event", type="INCOMING")
    customer.hangup()


@path("C I(ann) X(ann) I(bob) A(bob) E(bob) H(Success,bob)", "in success user bob", department=True)
async def one_by_one_a_is_silent_b_answers(scene: Scene) -> None:
    await department(scene, call_order="BYORDER", call_duration=5)
    ann, bob = await scene.phone(ANN), await scene.phone(BOB)
    customer = await scene.customer(scene.sales)
    await ann.incoming()
    await (await bob.incoming(timeout_s=20)).answer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) X(ann) I(bob) A(bob) E(bob) H(Success,bob)", "in success user bob", department=True)
async def evenly_a_refuses_b_answers(scene: Scene) -> None:
    await department(scene, call_order="EVENLY", call_duration=30)
    ann, bob = await scene.phone(ANN), await scene.phone(BOB)
    customer = await scene.customer(scene.sales)
    (await ann.incoming()).reject(486)
    await (await bob.incoming()).answer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) I(bob) X(ann) A(bob) E(bob) H(Success,bob)", "in success user bob", department=True)
async def waterfall_b_joins_and_answers_while_a_rings(scene: Scene) -> None:
    await department(scene, call_order="WATERFALL", call_duration=5)
    ann, bob = await scene.phone(ANN), await scene.phone(BOB)
    customer = await scene.customer(scene.sales)
    await ann.incoming()
    call = await bob.incoming(timeout_s=20)
    await scene.crm.gets("event", type="INCOMING", user=BOB)
    await call.answer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) I(eve) X(ann) A(eve) E(eve) H(Success,eve)", "in success user eve")
async def picked_up_by_a_colleague(scene: Scene) -> None:
    ann, eve = await scene.phone(ANN), await scene.phone(EVE)
    customer = await scene.customer()
    await ann.incoming()
    await scene.crm.gets("event", type="INCOMING", user=ANN)
    await (await eve.call("*8702")).answered()
    await customer.answered()
    customer.hangup()


@path("C H(Missed,ann)", "in missed group sales", department=True)
async def gives_up_in_the_queue_and_nobody_was_rung(scene: Scene) -> None:
    customer = await scene.customer(scene.sales)
    await customer.answered()
    customer.hangup()


@path("C I(bob) A(bob) E(bob) H(Success,bob)", "in success user bob", department=True)
async def waits_in_the_queue_until_b_registers(scene: Scene) -> None:
    customer = await scene.customer(scene.sales)
    await customer.answered()
    bob = await scene.phone(BOB)
    await (await bob.incoming(timeout_s=20)).answer()
    await scene.crm.gets("event", type="ACCEPTED")
    customer.hangup()


@path("C H(Missed,ann)", "in missed group sales", department=True)
async def asks_to_be_called_back(scene: Scene) -> None:
    await department(scene, advanced="callback")
    customer = await scene.customer(scene.sales)
    await customer.answered()
    await customer.rtp.hear(20)
    customer.dial("1")
    await customer.ended(timeout_s=20)


# -- one after the other -------------------------------------------------------------------------


async def nobody_in_the_department(scene: Scene, **timeout: Any) -> None:
    """It hands calls on at once."""
    await department(scene, users=[], timeout={"time": 15, **timeout})


async def in_the_department(scene: Scene) -> Any:
    customer = await scene.customer(scene.sales)
    await customer.answered()
    return customer


@path("C H(Missed,admin)", "in missed group sales", department=True)
async def department_to_a_message_that_it_is_busy(scene: Scene) -> None:
    await nobody_in_the_department(scene, target="msg_busy")
    (await in_the_department(scene)).hangup()


@path("C H(Missed,admin)", "in missed am sales", department=True)
async def department_to_its_voicemail_without_a_message(scene: Scene) -> None:
    await nobody_in_the_department(scene, target="voicemail")
    (await in_the_department(scene)).hangup()


@path("C H(Success,admin)", "in success telnum admin", department=True)
async def department_to_an_outside_number_that_answers(scene: Scene) -> None:
    await nobody_in_the_department(scene, target="telnum", telnum=FRIEND)
    customer = await scene.customer(scene.sales)
    await (await scene.carrier.incoming()).answer()
    await customer.answered()
    customer.hangup()


@path("C H(Missed,admin)", "in missed telnum sales", department=True)
async def department_to_an_outside_number_that_is_busy(scene: Scene) -> None:
    await nobody_in_the_department(scene, target="telnum", telnum=FRIEND)
    customer = await scene.customer(scene.sales)
    (await scene.carrier.incoming()).reject(486)
    await customer.ended()


@path("C I(eve) X(eve) H(Missed,eve)", "in missed am eve")
async def department_to_an_employee_and_their_voicemail(scene: Scene) -> None:
    await nobody_in_the_department(scene, target="user", user=EVE)
    await scene.app.directory.am_users.add(await scene.domain(), [EVE])
    eve = await scene.phone(EVE)
    customer = await scene.customer(scene.sales)
    (await eve.incoming()).reject(486)
    await customer.answered()
    customer.hangup()


@path("C I(eve) A(eve) E(eve) H(Success,eve)", "in success user eve")
async def department_to_the_menu_of_another_number(scene: Scene) -> None:
    await menu(scene, {"button": "1", "type": "user", "user": EVE})
    await nobody_in_the_department(scene, target="telnum", telnum=scene.office)
    eve = await scene.phone(EVE)
    customer = await in_the_department(scene)
    await customer.rtp.hear(20)
    customer.dial("1")
    await (await eve.incoming()).answer()
    await scene.crm.gets("event", type="ACCEPTED")
    customer.hangup()


@path("C I(ann) X(ann) H(Missed,ann)", "in missed onduty sales", department=True)
async def department_attends_outside_business_hours_and_misses_it(scene: Scene) -> None:
    attendant = {"subtype": "group", "group": scene.group}
    await scheduled(scene, CLOSED, {"subtype": "user", "user": EVE}, attendant)
    ann = await scene.phone(ANN)
    customer = await scene.customer()
    await ann.incoming()
    await scene.crm.gets("event", type="INCOMING")
    customer.hangup()


@path("C H(Missed,eve)", "in missed hello eve")
async def gives_up_in_the_greeting_of_a_route_of_the_schedule(scene: Scene) -> None:
    attendant = {"subtype": "user", "user": ANN, "greeting": True}
    await scheduled(scene, CLOSED, {"subtype": "user", "user": EVE}, attendant)
    await scene.phone(ANN)
    customer = await scene.customer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) X(ann) H(Missed,ann)", "in missed user ann")
async def mobile_does_not_answer_for_an_employee(scene: Scene) -> None:
    redirect = {"mobile": FRIEND, "mobile_redirect": {"enabled": True, "forward": True}}
    await scene.app.directory.users.edit(await scene.domain(), ANN, redirect)
    customer = await scene.customer()
    mobile = await scene.carrier.incoming()
    mobile.ring()
    await customer.ringing()
    mobile.reject(486)
    await customer.ended()


@path("C I(eve) X(eve) H(Missed,eve)", "in missed am eve")
async def responsible_is_silent_and_their_own_fallback(scene: Scene) -> None:
    scene.crm.contact = {"responsible": "704"}
    domain = await scene.domain()
    integrations = scene.app.directory.integrations
    await integrations.set_responsible(domain, scene.office, enabled=True, fallback=EVE)
    await scene.app.directory.am_users.add(await scene.domain(), [EVE])
    eve = await scene.phone(EVE)
    customer = await scene.customer()
    (await eve.incoming()).reject(486)
    await customer.answered()
    customer.hangup()
    assert len(eve.calls) == 1  # not rung again


@path("C I(ann) I(eve) X(ann) A(eve) E(eve) H(Success,eve)", "in success user eve", department=True)
async def picked_up_while_a_department_rings(scene: Scene) -> None:
    ann, eve = await scene.phone(ANN), await scene.phone(EVE)
    customer = await scene.customer(scene.sales)
    await ann.incoming()
    await scene.crm.gets("event", type="INCOMING", user=ANN)
    await (await eve.call("*8702")).answered()
    await customer.answered()
    customer.hangup()


# -- voicemail, rating ---------------------------------------------------------------------------


@path("C I(ann) X(ann) H(Missed,ann)", "in missed vm ann")
async def voicemail_with_a_message(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    await scene.app.directory.am_users.add(await scene.domain(), [ANN])
    customer = await scene.customer()
    (await ann.incoming()).reject(486)
    await customer.answered()
    await customer.heard(BEEP_HZ, timeout_s=20)
    customer.say(700)
    await asyncio.sleep(5)  # two seconds of sound are a message
    customer.hangup()


@path("C I(ann) X(ann) H(Missed,ann)", "in missed am ann")
async def voicemail_without_a_message(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    await scene.app.directory.am_users.add(await scene.domain(), [ANN])
    customer = await scene.customer()
    (await ann.incoming()).reject(486)
    await customer.answered()
    customer.hangup()


@path("C H(Missed,ann)", "in missed user fax")
async def fax_not_received(scene: Scene) -> None:
    """What is received: tests/fax."""
    await scene.number(scene.office, type="fax", user=ANN)
    customer = await scene.customer()
    await customer.answered()
    customer.hangup()


@path("C I(ann) A(ann) E(ann) R(4) H(Success,ann)", "in success user ann rated 4")
async def rated_after_the_employee_hung_up(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    domain = await scene.domain()
    await scene.app.directory.telnums.configure(domain, scene.office, {"rating": True})
    customer = await scene.customer()
    call = await ann.incoming()
    await call.answer()
    await customer.answered()
    call.hangup()
    await scene.crm.until(lambda: "COMPLETED" in str(scene.crm.commands))
    customer.dial("74")  # 7 is no mark
    await customer.ended()


@path("C I(ann) A(ann) E(ann) H(Success,ann)", "in success user ann")
async def customer_hangs_up_instead_of_rating(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    domain = await scene.domain()
    await scene.app.directory.telnums.configure(domain, scene.office, {"rating": True})
    customer = await scene.customer()
    call = await ann.incoming()
    await call.answer()
    await customer.answered()
    call.hangup()
    await scene.crm.until(lambda: "COMPLETED" in str(scene.crm.commands))
    customer.hangup()


# -- outgoing -----------------------------------------------------------------------------------


async def calls_out(scene: Scene) -> tuple[Any, Any]:
    """Ann calls the customer; what she hears, and the customer's end."""
    await scene.app.directory.caller_ids.set_main(await scene.domain(), {"telnum": scene.office})
    ann = await scene.phone(ANN)
    call = await ann.call(CUSTOMER)
    return call, await scene.carrier.incoming()


@path("O(ann) A(ann) E(ann) H(Success,ann)", "out success ann")
async def called_and_answered(scene: Scene) -> None:
    call, customer = await calls_out(scene)
    await customer.answer()
    await call.answered()
    call.hangup()


@path("O(ann) X(ann) H(Cancel,ann)", "out noanswer cancel ann")
async def employee_gives_up(scene: Scene) -> None:
    call, _ = await calls_out(scene)
    await call.ringing()
    call.hangup()


def refused_with(code: int) -> Play:
    async def play(scene: Scene) -> None:
        call, customer = await calls_out(scene)
        customer.reject(code)
        await call.ended()

    return play


for _codes, _status, _reason in (
    ((486, 600), "Busy", "busy"),
    ((480, 408), "NotAvailable", "notavailable"),
    ((404, 484, 604), "NotFound", "notfound"),
    ((403, 603), "NotAllowed", "notallowed"),
):
    for _code in _codes:
        PATHS[f"carrier_answers_{_code}"] = Path(
            refused_with(_code), f"O(ann) X(ann) H({_status},ann)", f"out noanswer {_reason} ann"
        )


@path("O(ann) A(ann) E(ann) H(Success,ann)", "out success ann")
async def first_trunk_fails_second_answers(scene: Scene) -> None:
    await scene.app.directory.caller_ids.set_main(await scene.domain(), {"telnum": scene.office})
    second = await scene.another_carrier()
    await scene.carrier.stop()
    ann = await scene.phone(ANN)
    call = await ann.call(CUSTOMER)
    await (await second.incoming(timeout_s=20)).answer()
    await call.answered()
    call.hangup()


@path("O(ann) X(ann) H(NotAvailable,ann)", "out noanswer notavailable ann")
async def all_trunks_are_down(scene: Scene) -> None:
    await scene.app.directory.caller_ids.set_main(await scene.domain(), {"telnum": scene.office})
    await scene.carrier.stop()
    ann = await scene.phone(ANN)
    await (await ann.call(CUSTOMER)).ended(timeout_s=40)


@path("O(ann) X(ann) H(NotAvailable,ann)", "out noanswer notavailable ann")
async def the_only_trunk_rings_and_then_fails(scene: Scene) -> None:
    call, customer = await calls_out(scene)
    customer.ring()
    await call.ringing()
    customer.reject(503)
    await call.ended()


@path("O(ann) A(ann) E(ann) H(Success,ann)", "out success ann")
async def first_trunk_rings_and_then_fails_second_answers(scene: Scene) -> None:
    second = await scene.another_carrier()
    call, customer = await calls_out(scene)
    customer.ring()
    await call.ringing()
    customer.reject(503)
    await (await second.incoming()).answer()
    await call.answered()
    call.hangup()


@path("H(NotAllowed,ann)", "out noanswer notallowed ann")
async def our_restrictions_refuse(scene: Scene) -> None:
    domain = await scene.domain()
    await scene.app.directory.caller_ids.set_main(domain, {"telnum": scene.office})
    await scene.app.directory.restrictions.add_users(domain, [{"login": ANN, "allowed": []}])
    ann = await scene.phone(ANN)
    call = await ann.call(CUSTOMER)
    await call.ended(timeout_s=20)
    assert not scene.carrier.calls


async def makes_a_call(scene: Scene) -> None:
    domain = await scene.domain()
    await scene.app.directory.caller_ids.set_main(domain, {"telnum": scene.office})
    await scene.app.calls.make_call(await scene.domain(), phone=CUSTOMER, user=ANN)


@path("O(ann) A(ann) E(ann) H(Success,ann)", "out success ann")
async def makecall_answered(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    await makes_a_call(scene)
    call = await ann.incoming()
    await call.answer()
    customer = await scene.carrier.incoming()
    await customer.answer()
    await scene.crm.gets("event", type="ACCEPTED")
    customer.hangup()


@path("H(Cancel,ann)", "out noanswer cancel ann")
async def makecall_that_the_employee_does_not_take(scene: Scene) -> None:
    ann = await scene.phone(ANN)
    await makes_a_call(scene)
    (await ann.incoming()).reject(486)


@path("O(ann) X(ann) H(NotFound,ann)", "out noanswer notfound ann")
async def makecall_to_a_number_that_does_not_exist(scene: Scene) -> None:
    """The employee hangs up while it is explained: that changes nothing."""
    ann = await scene.phone(ANN)
    await makes_a_call(scene)
    call = await ann.incoming()
    await call.answer()
    (await scene.carrier.incoming()).reject(404)
    await scene.crm.gets("event", type="CANCELLED")
    call.hangup()


@pytest.mark.parametrize("name", PATHS)
async def test_path(scene: Scene, name: str) -> None:
    expected = PATHS[name]
    await expected.play(scene)
    assert await scene.told() == expected.commands
    assert scene.groups() == ({"Sales"} if expected.department else {""})
    assert await scene.row() == expected.row


async def test_a_customer_who_asked_for_it_is_called_back(scene: Scene) -> None:
    """The first call is missed; the second goes out, for the department."""
    await PATHS["asks_to_be_called_back"].play(scene)
    await scene.crm.gets("history")
    scene.crm.commands.clear()
    ann = await scene.phone(ANN)
    await (await ann.incoming(timeout_s=20)).answer()
    customer = await scene.carrier.incoming()
    await customer.answer()
    await scene.crm.gets("event", type="ACCEPTED")
    customer.hangup()
    assert await scene.told() == "O(ann) A(ann) E(ann) H(Success,ann)"
    assert scene.groups() == {"Sales"}
    assert {command["diversion"] for command in scene.crm.commands} == {scene.sales}
    back, asked = await scene.rows()
    assert (back["type"], back["status"], back["account"]) == ("out", "success", ANN)
    assert (asked["type"], asked["status"], asked["destination"]) == ("in", "missed", "group")
    assert asked["missedStatus"] == 2, "we called back"


async def test_after_its_time_a_department_hands_a_call_on_under_one_callid(scene: Scene) -> None:
    """One row, one history command, each department named while it had the call."""
    users = [{"login": EVE, "calls_enable": True}]
    night = await scene.app.directory.groups.add(
        await scene.domain(), {"name": "Night", "users": users}
    )
    await department(scene, timeout={"time": 15, "target": "group", "group": night.id})
    ann, eve = await scene.phone(ANN), await scene.phone(EVE)
    customer = await scene.customer(scene.sales)
    await ann.incoming()
    await (await eve.incoming(timeout_s=25)).answer()
    await customer.answered()
    customer.hangup()
    assert await scene.told() == "C I(ann) X(ann) I(eve) A(eve) E(eve) H(Success,eve)"
    assert scene.groups() == {"Sales", "Night"}
    [row] = await scene.rows()
    assert (row["status"], row["account"], row["group_name"]) == ("success", EVE, "Night")


# -- what leaves no trace ------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["black list", "anonymous", "number off", "domain off", "unknown"])
async def test_nothing_is_told_of_a_call_that_is_not_let_in(scene: Scene, why: str) -> None:
    directory, domain = scene.app.directory, await scene.domain()
    options: dict[str, Any] = {"caller": CUSTOMER}
    number, code = scene.office, 480
    match why:
        case "black list":
            await directory.blacklist.add(domain, [{"telnum": "7910*"}])
            code = 603
        case "anonymous":
            await directory.blacklist.set_block_anonymous(domain, True)
            options["caller"], code = "anonymous", 603
        case "number off":
            await directory.telnums.set_enabled(domain, scene.office, False)
        case "domain off":
            await directory.companies.switch(domain, False)
        case "unknown":
            number, code = "74959999999", 404
    await scene.phone(ANN) if why != "domain off" else None
    call = await scene.carrier.call(number, **options)
    assert (await call.ended()).code == code
    assert scene.crm.commands == []
    if why != "domain off":
        assert await scene.rows() == []


async def test_makecall_of_a_forbidden_direction_is_no_call(scene: Scene) -> None:
    domain = await scene.domain()
    await scene.app.directory.restrictions.add_users(domain, [{"login": ANN, "allowed": []}])
    await scene.phone(ANN)
    with pytest.raises(Invalid):
        await makes_a_call(scene)
    assert scene.crm.commands == []
    assert await scene.rows() == []


# -- transfers ------------------------------------------------------------------------------------


async def refer(call: Any, to: str) -> None:
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    call.session.send("REFER", headers=[("Refer-To", to)], on_response=done.set_result)
    assert (await asyncio.wait_for(done, 20)).code == 202


async def taken_by_ann(scene: Scene) -> tuple[Any, Any, Any]:
    ann = await scene.phone(ANN)
    customer = await scene.customer()
    call = await ann.incoming()
    await call.answer()
    await customer.answered()
    await scene.crm.gets("event", type="ACCEPTED")
    return ann, call, customer


def ended_at(rows: list[dict[str, Any]]) -> list[str]:
    """Each row as `success user ann`, in the order the calls began."""
    words = ((row["status"], row["destination"], row["account"]) for row in reversed(rows))
    return [" ".join(word for word in each if word) for each in words]


FIRST = "C I(ann) A(ann) T(ann) E(ann) H(Success,ann)"


async def links(scene: Scene) -> None:
    """TRANSFERRED names the callid the call goes on under, by who passed it on."""
    for passed in scene.crm.of("event", type="TRANSFERRED"):
        at = [history["callid"] for history in scene.crm.of("history")]
        assert passed["second_callid"] == at[at.index(passed["callid"]) + 1]


async def test_blind_transfer(scene: Scene) -> None:
    _, call, customer = await taken_by_ann(scene)
    bob = await scene.phone(BOB)
    await refer(call, f"<sip:703@{scene.name}>")
    await (await bob.incoming()).answer()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    customer.hangup()
    assert await scene.chapters() == [FIRST, "I(bob) A(bob) E(bob) H(Success,bob)"]
    await links(scene)
    assert ended_at(await scene.rows()) == ["success user ann", "success user bob"]


@pytest.mark.parametrize("how", ["busy", "not there"])
async def test_blind_transfer_that_comes_back(scene: Scene, how: str) -> None:
    ann, call, customer = await taken_by_ann(scene)
    rung = ""
    if how == "busy":
        bob = await scene.phone(BOB)
        rung = "I(bob) X(bob) "
    await refer(call, f"<sip:703@{scene.name}>")
    if how == "busy":
        (await bob.incoming()).reject(486)
    again = await ann.incoming()
    await again.answer()
    await scene.crm.until(lambda: len(scene.crm.of("event", type="ACCEPTED", user=ANN)) == 2)
    customer.hangup()
    assert await scene.chapters() == [FIRST, f"{rung}I(ann) A(ann) E(ann) H(Success,ann)"]
    await links(scene)
    assert ended_at(await scene.rows()) == ["success user ann", "success user ann"]


async def test_blind_transfer_that_nobody_takes(scene: Scene) -> None:
    ann, call, customer = await taken_by_ann(scene)
    bob = await scene.phone(BOB)
    await refer(call, f"<sip:703@{scene.name}>")
    (await bob.incoming()).reject(486)
    await ann.incoming()
    await scene.crm.until(lambda: len(scene.crm.of("event", type="INCOMING", user=ANN)) == 2)
    customer.hangup()
    assert await scene.chapters() == [FIRST, "I(bob) X(bob) I(ann) X(ann) H(Missed,ann)"]
    assert ended_at(await scene.rows()) == ["success user ann", "missed user ann"]


async def test_blind_transfer_of_a_customer_who_was_called(scene: Scene) -> None:
    """The second part has the direction of the first one."""
    call, customer = await calls_out(scene)
    await customer.answer()
    await call.answered()
    bob = await scene.phone(BOB)
    await refer(call, f"<sip:703@{scene.name}>")
    await (await bob.incoming()).answer()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    customer.hangup()
    first, second = await scene.chapters()
    assert first == "O(ann) A(ann) T(ann) E(ann) H(Success,ann)"
    assert second == "I(bob) A(bob) E(bob) H(Success,bob)"
    await links(scene)
    assert [row["type"] for row in await scene.rows()] == ["out", "out"]


async def test_who_took_a_transferred_call_is_rated(scene: Scene) -> None:
    """Under its own callid; what the first employee had is not."""
    domain = await scene.domain()
    await scene.app.directory.telnums.configure(domain, scene.office, {"rating": True})
    _, call, customer = await taken_by_ann(scene)
    bob = await scene.phone(BOB)
    await refer(call, f"<sip:703@{scene.name}>")
    at_bob = await bob.incoming()
    await at_bob.answer()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    at_bob.hangup()
    await scene.crm.gets("event", type="COMPLETED", user=BOB)
    customer.dial("5")
    await customer.ended()
    assert await scene.chapters() == [FIRST, "I(bob) A(bob) E(bob) R(5) H(Success,bob)"]
    await links(scene)
    assert [row.get("rating") for row in await scene.rows()] == [5, None]


async def consults_bob(scene: Scene, ann: Any) -> tuple[Any, Any, str]:
    """Ann calls bob; the call, his end of it, and the Refer-To that puts through to him."""
    bob = await scene.phone(BOB)
    second = await ann.call("703")
    at_bob = await bob.incoming()
    await second.ringing()
    dialog = second.session.dialog
    assert dialog is not None
    told = f"{dialog.call_id}%3Bto-tag%3D{dialog.remote_tag}%3Bfrom-tag%3D{dialog.local_tag}"
    return bob, at_bob, f"<sip:703@{scene.name}?Replaces={told}>"


async def test_semi_attended_transfer(scene: Scene) -> None:
    """The phone's transfer key while bob still rings: as a blind one."""
    ann, call, customer = await taken_by_ann(scene)
    bob, _, put_through = await consults_bob(scene, ann)
    await refer(call, put_through)
    await bob.incoming()
    again = bob.calls[-1]
    await again.answer()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    customer.hangup()
    assert await scene.chapters() == [FIRST, "I(bob) A(bob) E(bob) H(Success,bob)"]
    await links(scene)


async def test_semi_attended_transfer_by_hanging_up(scene: Scene) -> None:
    """Asked for by the API; the employee hangs up while bob still rings."""
    _, call, customer = await taken_by_ann(scene)
    bob = await scene.phone(BOB)
    callid = scene.crm.of("event")[0]["callid"]
    assert scene.app.calls.transfer(await scene.domain(), callid, "703", attended=True)
    await bob.incoming()
    call.hangup()
    again = await bob.incoming()
    await again.answer()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    customer.hangup()
    assert await scene.chapters() == [FIRST, "I(bob) A(bob) E(bob) H(Success,bob)"]
    await links(scene)


@pytest.mark.parametrize("how", ["by REFER", "by the API"])
async def test_attended_transfer(scene: Scene, how: str) -> None:
    """One external row, bob's; the consultation keeps its own inner row."""
    ann, call, customer = await taken_by_ann(scene)
    if how == "by REFER":
        _, at_bob, put_through = await consults_bob(scene, ann)
        await at_bob.answer()
        await refer(call, put_through)
    else:
        bob = await scene.phone(BOB)
        callid = scene.crm.of("event")[0]["callid"]
        assert scene.app.calls.transfer(await scene.domain(), callid, "703", attended=True)
        at_bob = await bob.incoming()
        await at_bob.answer(660)
        await call.heard(660)
        call.hangup()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    customer.hangup()
    told = await scene.chapters(1)
    assert told == ["C I(ann) A(ann) T(ann) A(bob) E(bob) H(Success,bob)"]
    [passed] = scene.crm.of("event", type="TRANSFERRED")
    assert "second_callid" not in passed
    assert ended_at(await scene.rows()) == ["success user bob"]
    [inner] = await scene.rows("inner/json")
    assert inner["status"] == "success"


async def test_who_is_told_of_a_consultation_s_end_finds_its_inner_row(scene: Scene) -> None:
    """The CRM asks for inner history in the handlers of TRANSFERRED's call: the consultation is
    over with the transfer, and what follows tells so."""
    ask = scene.crm.asks
    seen: list[list[str]] = []
    assert ask is not None

    async def ask_inside(command: dict[str, str]) -> None:
        await ask(command)
        if command["cmd"] == "history":
            seen.append([row["status"] for row in await scene.rows("inner/json")])

    scene.crm.asks = ask_inside
    ann, call, customer = await taken_by_ann(scene)
    _, at_bob, put_through = await consults_bob(scene, ann)
    await at_bob.answer()
    await refer(call, put_through)
    customer.hangup()
    await scene.crm.until(lambda: seen)
    assert seen == [["success"]]


# -- live calls -----------------------------------------------------------------------------------


async def test_what_an_event_tells_is_to_be_seen_among_live_calls(scene: Scene) -> None:
    """The CRM asks for the calls in progress in the handler of each event."""
    shown: list[str] = []

    async def ask(command: dict[str, str]) -> None:
        live = (await scene.live()).get(command["callid"])
        state = f"{live['state']} {live['user']}" if live is not None else "gone"
        shown.append(f"{scene.short(command)} {state}")

    async def sees(line: str) -> None:
        await scene.crm.until(lambda: line in shown)

    scene.crm.asks = ask
    ann, bob = await scene.phone(ANN), await scene.phone(BOB)
    customer = await scene.customer()
    await sees("C waiting ann")
    call = await ann.incoming()
    await sees("I(ann) ringing ann")
    await call.answer()
    await sees("A(ann) talking ann")
    await refer(call, f"<sip:703@{scene.name}>")
    await sees("H(Success,ann) gone")
    await sees("I(bob) ringing bob")
    await (await bob.incoming()).answer()
    await sees("A(bob) talking bob")
    customer.hangup()
    await sees("H(Success,bob) gone")


@pytest.mark.parametrize("phone", [CUSTOMER, "703"])
async def test_a_makecall_s_callid_is_a_live_call_and_then_a_row(scene: Scene, phone: str) -> None:
    """Outside and inside: the answer names a call that can be seen at once."""
    domain = await scene.domain()
    await scene.app.directory.caller_ids.set_main(domain, {"telnum": scene.office})
    ann = await scene.phone(ANN)
    for _ in range(10):
        made = await scene.api("POST", "/makecall", json={"phone": phone, "user": ANN})
        assert made["callid"] in await scene.live()
        (await ann.incoming()).reject(486)
        async with asyncio.timeout(20):
            while made["callid"] in await scene.live():
                await asyncio.sleep(0.01)
    rows = await scene.rows("json" if phone == CUSTOMER else "inner/json")
    assert made["callid"] in {row["uid"] for row in rows}


async def test_blind_transfer_to_a_department(scene: Scene) -> None:
    _, call, customer = await taken_by_ann(scene)
    await department(scene, users=[{"login": login, "calls_enable": True} for login in (BOB, EVE)])
    bob, eve = await scene.phone(BOB), await scene.phone(EVE)
    await refer(call, f"<sip:710@{scene.name}>")
    await bob.incoming()
    await (await eve.incoming()).answer()
    await scene.crm.gets("event", type="ACCEPTED", user=EVE)
    customer.hangup()
    first, second = await scene.chapters()
    assert first == FIRST
    assert second in (
        "I(bob) I(eve) X(bob) A(eve) E(eve) H(Success,eve)",
        "I(eve) I(bob) X(bob) A(eve) E(eve) H(Success,eve)",
    )
    await links(scene)
    named = {
        c.get("groupRealName", "") for c in scene.crm.commands if c["callid"] != call_of(scene)
    }
    assert named == {"Sales"}
    assert ended_at(await scene.rows()) == ["success user ann", "success user eve"]


def call_of(scene: Scene) -> str:
    """The callid that everything began with."""
    return scene.crm.commands[0]["callid"]


async def test_blind_transfer_to_a_menu(scene: Scene) -> None:
    item = {"button": "1", "type": "user", "user": BOB}
    ivr = {"name": "Main", "greeting": True, "items": [item]}
    await scene.number(scene.sales, type="ivr", ivr=ivr)
    _, call, customer = await taken_by_ann(scene)
    bob = await scene.phone(BOB)
    await refer(call, f"<sip:{scene.sales}@{scene.name}>")
    await scene.crm.gets("history")
    await customer.rtp.hear(40)
    customer.dial("1")
    await (await bob.incoming()).answer()
    await scene.crm.gets("event", type="ACCEPTED", user=BOB)
    customer.hangup()
    assert await scene.chapters() == [FIRST, "I(bob) A(bob) E(bob) H(Success,bob)"]
    await links(scene)
    assert ended_at(await scene.rows()) == ["success user ann", "success user bob"]


async def test_a_customer_gives_up_in_the_menu_they_were_passed_to(scene: Scene) -> None:
    item = {"button": "1", "type": "user", "user": BOB}
    ivr = {"name": "Main", "greeting": True, "items": [item]}
    await scene.number(scene.sales, type="ivr", ivr=ivr)
    _, call, customer = await taken_by_ann(scene)
    await refer(call, f"<sip:{scene.sales}@{scene.name}>")
    await scene.crm.gets("history")
    customer.hangup()
    assert await scene.chapters() == [FIRST, "H(Missed,admin)"]
    assert ended_at(await scene.rows()) == ["success user ann", "missed ivr ivr"]


@pytest.mark.parametrize("answers", [True, False])
async def test_blind_transfer_to_an_outside_number(scene: Scene, answers: bool) -> None:
    """No employee is told of it; it is the call of who passed it on, as is one that fails."""
    await scene.app.directory.caller_ids.set_main(await scene.domain(), {"telnum": scene.office})
    ann, call, customer = await taken_by_ann(scene)
    await refer(call, f"<sip:79260000001@{scene.name}>")
    friend = await scene.carrier.incoming()
    if answers:
        await friend.answer(660)
        await customer.heard(660)
        friend.hangup()
        assert await scene.chapters() == [FIRST, "H(Success,ann)"]
        assert ended_at(await scene.rows()) == ["success user ann", "success telnum ann"]
    else:
        friend.reject(486)
        await (await ann.incoming()).answer()
        await scene.crm.until(lambda: len(scene.crm.of("event", type="ACCEPTED", user=ANN)) == 2)
        customer.hangup()
        assert await scene.chapters() == [FIRST, "I(ann) A(ann) E(ann) H(Success,ann)"]
    await links(scene)


@pytest.mark.parametrize("end", ["taken back", "given up"])
async def test_parked(scene: Scene, end: str) -> None:
    """As a blind transfer: nobody is rung until somebody dials the place."""
    _, call, customer = await taken_by_ann(scene)
    await refer(call, f"<sip:*5@{scene.name}>")
    async with asyncio.timeout(20):
        while not [c for c in scene.app.calls.active() if c.parked and c.info.domain == scene.name]:
            await asyncio.sleep(0.02)
    if end == "taken back":
        eve = await scene.phone(EVE)
        await (await eve.call("51")).answered()
        await scene.crm.gets("event", type="ACCEPTED", user=EVE)
        customer.hangup()
        assert await scene.chapters() == [FIRST, "I(eve) A(eve) E(eve) H(Success,eve)"]
        assert ended_at(await scene.rows()) == ["success user ann", "success user eve"]
    else:
        customer.hangup()
        assert await scene.chapters() == [FIRST, "H(Missed,ann)"]
        assert ended_at(await scene.rows()) == ["success user ann", "missed user ann"]
    await links(scene)


async def test_replaced_by_a_colleague_s_phone(scene: Scene) -> None:
    """INVITE with Replaces of an answered dialog: an attended transfer."""
    _, call, customer = await taken_by_ann(scene)
    eve = await scene.phone(EVE)
    dialog = call.session.dialog
    place = f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
    await (await eve.call("702", headers=[("Replaces", place)])).answered()
    await scene.crm.gets("event", type="ACCEPTED", user=EVE)
    customer.hangup()
    assert await scene.chapters(1) == ["C I(ann) A(ann) T(ann) A(eve) E(eve) H(Success,eve)"]
    assert ended_at(await scene.rows()) == ["success user eve"]
