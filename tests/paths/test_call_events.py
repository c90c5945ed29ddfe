"""What a CRM and the history are told of each path a call can take: all commands, in order.

The table is call-events: what happens, the commands, whether a department is named, the row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from tests.paths.scene import ANN, BOB, CUSTOMER, EVE, Scene
from vpbx.directory import Invalid

Play: TypeAlias = Callable[[Scene], Awaitable[None]]
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


@pytest.mark.parametrize("name", PATHS)
async def test_path(scene: Scene, name: str) -> None:
    expected = PATHS[name]
    await expected.play(scene)
    assert await scene.told() == expected.commands
    assert scene.groups() == ({"Sales"} if expected.department else {""})
    assert await scene.row() == expected.row


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
