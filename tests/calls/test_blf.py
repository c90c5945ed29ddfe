"""BLF: phones that watch colleagues' lines (RFC 4235), with real SIP and real calls."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from tests.calls.world import ANN, BOB, CUSTOMER, DOMAIN, EVE, PASSWORD, SALES, World
from tests.support.watcher import Make, Watcher
from vpbx.calls.config import SubscriptionLimits
from vpbx.directory import tables
from vpbx.events import Ringing
from vpbx.sip import Response


async def settings_known(world: World) -> None:
    """Let the switch hear of the settings as they are now."""
    await world.domain()


async def test_a_line_that_is_offline_idle_rung_and_talked_on(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    subscribed = await watcher.subscribe("702")
    assert subscribed.code == 200
    assert subscribed.response.headers["Expires"] == "600"
    assert subscribed.response.headers.getlist("Allow-Events") == ["dialog", "message-summary"]
    told = await watcher.told()
    assert told.state == "active;expires=600"
    assert told.request.headers["Event"] == "dialog"
    assert told.root.attrib["entity"] == f"sip:702@{DOMAIN}"
    assert (told.version, told.full, told.online, told.states) == (0, True, False, [])
    ann = await world.phone(ANN)
    told = await watcher.told()
    assert (told.version, told.full, told.online) == (1, True, True)
    assert set(told.states) <= {"terminated"}
    customer = await world.customer_calls(name="Customer")
    call = await ann.incoming()
    call.ring()
    told = await watcher.told()
    assert (told.version, told.full, told.states) == (2, False, ["early"])
    assert told.dialogs[0].get("direction") == "recipient"
    assert told.remote() == ("Customer", f"sip:{CUSTOMER}@{DOMAIN}")
    head = len(bytes(told.request)) - len(told.request.body)
    assert head <= 550, "with its documents it fits into a datagram of 1300 bytes"
    rung = told.dialogs[0].get("id")
    await call.answer()
    told = await watcher.told()
    assert (told.version, told.full, told.states) == (3, False, ["confirmed"])
    assert told.dialogs[0].get("id") == rung
    customer.hangup()
    told = await watcher.told()
    assert (told.version, told.full, told.states) == (4, False, ["terminated"])
    assert told.dialogs[0].get("id") == rung
    await world.register(ann, headers=[("Contact", "*"), ("Expires", "0")])
    told = await watcher.told()
    assert (told.version, told.full, told.online, told.states) == (5, True, False, [])
    assert watcher.notifies.empty()


async def test_the_dialog_told_is_that_of_the_phone_itself_while_it_rings(
    world: World, phone_of: Make
) -> None:
    """So that another phone can ask for it by Replaces (RFC 3891); for a talk none can."""
    watcher = await phone_of()
    ann = await world.phone(ANN)
    await watcher.subscribe("702")
    await watcher.told()
    await world.customer_calls()
    call = await ann.incoming()
    call.ring()
    told = (await watcher.told()).dialogs[0]
    session = call.session
    assert session is not None
    assert session.dialog is not None
    named = told.get("call-id"), told.get("local-tag"), told.get("remote-tag")
    assert named == session.dialog.key
    await call.answer()
    told = (await watcher.told()).dialogs[0]
    assert [told.get(name) for name in ("call-id", "local-tag", "remote-tag")] == [None] * 3
    eve = await world.phone(EVE)
    for one, two in ((named[1], named[2]), (named[2], named[1])):  # as either end knows them
        replaces = f"{named[0]};to-tag={one};from-tag={two}"
        headers = [("Require", "replaces"), ("Replaces", replaces)]
        taken = await world.phone_calls(eve, "702", headers=headers)
        assert (await taken.ended()).code == 486
    assert not call.is_over


async def test_a_watcher_takes_the_call_that_rings_by_what_it_was_told(
    world: World, phone_of: Make
) -> None:
    """A phone writes the tags of dialog-info as the phone that rings knows them (RFC 3891)."""
    watcher = await phone_of()
    ann, eve = await world.phone(ANN), await world.phone(EVE)
    await watcher.subscribe("702")
    await watcher.told()
    customer = await world.customer_calls(tone_hz=440)
    at_ann = await ann.incoming()
    at_ann.ring()
    told = (await watcher.told()).dialogs[0]
    replaces = (
        f"{told.get('call-id')};to-tag={told.get('local-tag')};from-tag={told.get('remote-tag')}"
    )
    headers = [("Require", "replaces"), ("Replaces", replaces + ";early-only")]
    taken = await world.phone_calls(eve, "702", tone_hz=880, headers=headers)
    await taken.answered()
    await customer.heard(880)
    assert (await at_ann.ended()).cause == "cancel"
    assert (await watcher.told()).states == ["terminated"]
    customer.hangup()
    assert (await world.ended()).account == EVE
    late = await world.phone_calls(eve, "702", headers=headers)
    assert (await late.ended()).code == 603


async def test_who_calls_is_busy_at_once_and_names_the_dialog_it_began(
    world: World, phone_of: Make
) -> None:
    watcher = await phone_of()
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    await watcher.subscribe("ann")
    await watcher.told()
    out = await world.phone_calls(ann, "703")
    told = await watcher.told()
    assert told.states == ["confirmed"]
    assert told.dialogs[0].get("direction") == "initiator"
    assert told.remote()[1] == f"sip:703@{DOMAIN}"
    call = await bob.incoming()
    await call.answer()
    await out.answered()
    out.hangup()
    while (told := await watcher.told()).states != ["terminated"]:
        assert told.states == ["confirmed"]


async def test_who_hides_is_not_shown_to_watchers(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    await watcher.subscribe("703")
    await watcher.told()
    out = await world.phone_calls(ann, "703", headers=[("Privacy", "id")])
    call = await bob.incoming()
    call.ring()
    told = await watcher.told()
    assert told.states == ["early"]
    assert told.remote() == ("", "")
    assert "702" not in told.body
    assert ANN not in told.body
    out.hangup()


async def test_two_calls_at_once_are_two_dialogs(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    await world.directory.users.set_call_waiting(await world.domain(), ANN, True)
    ann = await world.phone(ANN)
    subscribed = await watcher.subscribe("702")
    await watcher.told()
    lamps = Lamps(watcher)
    first = await world.customer_calls()
    one = await ann.incoming()
    await one.answer()
    await first.answered()
    await lamps.show("702", "confirmed")
    second = await world.customer_calls(caller="79101234568")
    two = await ann.incoming()
    two.ring()
    await lamps.show("702", "confirmed", "early")
    assert (await watcher.again(subscribed)).code == 200
    told = await watcher.told()
    assert told.full
    assert sorted(told.states) == ["confirmed", "early"]
    first.hangup()
    await lamps.show("702", "early")
    second.hangup()
    await lamps.show("702")
    await world.ended(2)


async def test_all_members_of_a_department_that_is_called_are_rung(
    world: World, phone_of: Make
) -> None:
    watcher = await phone_of()
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    for resource in ("702", "703"):
        await watcher.subscribe(resource)
        await watcher.told()
    await world.customer_calls(SALES)
    calls = [await phone.incoming() for phone in (ann, bob)]
    for call in calls:
        call.ring()
    await world.until(Ringing, 2)
    told = [await watcher.told() for _ in range(2)]
    assert [each.states for each in told] == [["early"]] * 2
    await calls[0].answer()
    told = [await watcher.told() for _ in range(2)]
    states = {each.root.attrib["entity"][4:7]: each.states for each in told}
    assert states == {"702": ["confirmed"], "703": ["terminated"]}


class Lamps:
    """The keys of a phone: what each shows, and has shown."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._open: dict[str, dict[str, str]] = {}
        self.shown: dict[str, list[str]] = {}

    async def show(self, ext: str, *states: str) -> None:
        """Wait until a key shows these; nothing: idle."""
        while sorted(self._open.get(ext, {}).values()) != sorted(states):
            told = await self._watcher.told()
            key = told.root.attrib["entity"][4:7]
            calls = self._open.setdefault(key, {})
            for dialog, state in zip(told.dialogs, told.states, strict=True):
                calls.pop(dialog.attrib["id"], None)
                if state != "terminated":
                    calls[dialog.attrib["id"]] = state
                    self.shown.setdefault(key, []).append(state)


async def watching(watcher: Watcher, *exts: str) -> Lamps:
    for ext in exts:
        await watcher.subscribe(ext)
        await watcher.told()
    return Lamps(watcher)


async def test_lamps_follow_a_blind_transfer(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    lamps = await watching(watcher, "702", "703")
    customer = await world.customer_calls()
    call = await ann.incoming()
    call.ring()
    await lamps.show("702", "early")
    await call.answer()
    await lamps.show("702", "confirmed")
    session = call.session
    assert session is not None
    session.send("REFER", headers=[("Refer-To", f"<sip:703@{DOMAIN}>")])
    at_bob = await bob.incoming()
    at_bob.ring()
    await lamps.show("703", "early")
    await at_bob.answer()
    await lamps.show("703", "confirmed")
    await lamps.show("702")
    customer.hangup()
    await lamps.show("703")
    assert lamps.shown == {"702": ["early", "confirmed"], "703": ["early", "confirmed"]}
    await world.ended(2)


async def test_lamps_follow_a_click_to_call(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    ann = await world.phone(ANN)
    lamps = await watching(watcher, "702")
    await world.service.make_call(await world.domain(), phone=CUSTOMER, user=ANN)
    call = await ann.incoming()
    await lamps.show("702", "confirmed")
    await call.answer()
    there = await world.carrier.incoming()
    await there.answer()
    there.hangup()
    await lamps.show("702")
    assert set(lamps.shown["702"]) == {"confirmed"}
    await world.ended()


async def test_lamps_follow_a_call_to_ones_own_voicemail(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    ann = await world.phone(ANN)
    lamps = await watching(watcher, "702")
    call = await world.phone_calls(ann, "*97")
    await lamps.show("702", "confirmed")
    await call.answered()
    call.hangup()
    await lamps.show("702")


async def test_a_subscription_within_a_call_gets_489(world: World) -> None:
    ann = await world.phone(ANN)
    await world.customer_calls()
    call = await ann.incoming()
    await call.answer()
    session = call.session
    assert session is not None
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    session.send("SUBSCRIBE", headers=[("Event", "kpml")], on_response=done.set_result)
    answer = await asyncio.wait_for(done, 20)
    assert answer.code == 489
    assert answer.headers.getlist("Allow-Events") == ["dialog", "message-summary"]
    call.hangup()
    await world.ended()


async def test_only_who_is_on_the_list_may_watch(world: World, phone_of: Make) -> None:
    stranger = await phone_of(BOB, listed=False)
    assert (await stranger.subscribe("702")).code == 403
    watcher = await phone_of()
    assert (await watcher.subscribe("702")).code == 200
    assert (await stranger.subscribe("702")).code == 403
    assert stranger.notifies.empty()


async def test_who_is_taken_off_the_list_is_told_so_and_nothing_more(
    world: World, phone_of: Make
) -> None:
    watcher, other = await phone_of(), await phone_of(BOB)
    ann = await world.phone(ANN)
    for phone in (watcher, other):
        await phone.subscribe("702")
        await phone.told()
    await world.directory.blf.delete(await world.domain(), [EVE])
    await settings_known(world)
    told = await watcher.told()
    assert (told.state, told.body) == ("terminated;reason=rejected", "")
    await world.customer_calls()
    (await ann.incoming()).ring()
    assert (await other.told()).states == ["early"]
    assert watcher.notifies.empty()


@pytest.mark.parametrize(("resource", "host"), [("ANN", ""), ("702", "127.0.0.1")])
async def test_ways_to_name_a_colleague(
    world: World, phone_of: Make, resource: str, host: str
) -> None:
    """By login in any case, at the server's address too: some phones know no domain."""
    watcher = await phone_of()
    assert (await watcher.subscribe(resource, host=host)).code == 200


async def test_compact_headers_and_an_event_in_capitals(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    made = await watcher.subscribe("702", "", headers=["o: Dialog;id=1"])
    assert made.code == 200
    assert (await watcher.told()).request.headers["Event"] == "Dialog;id=1"


async def test_two_events_in_one_request_are_none(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    made = await watcher.subscribe("702", headers=["Event: message-summary"])
    assert made.code == 400


@pytest.mark.parametrize("resource", ["799", "nobody", "710", "Sales", "*8702", "", SALES])
async def test_what_is_no_employee_cannot_be_watched(
    world: World, phone_of: Make, resource: str
) -> None:
    watcher = await phone_of()
    assert (await watcher.subscribe(resource)).code == 404


async def test_nobody_watches_another_company(world: World, phone_of: Make) -> None:
    """By its domain in the Request-URI, in From, or by an ext that only it has."""
    other = "b.example"
    added = await world.directory.companies.add(other, "Europe/Moscow", PASSWORD)
    values = {"name": "Zoe", "login": "zoe", "ext": "799", "password": PASSWORD}
    await world.directory.users.add(added.domain, values)
    await world.directory.blf.add(added.domain, ["zoe"])
    eve, zoe = await phone_of(), await phone_of("zoe", listed=False, domain=other)
    assert (await eve.subscribe("799", host=other)).code == 403
    assert (await eve.subscribe("799")).code == 404
    assert (await eve.subscribe("702", host="elsewhere.example")).code == 404
    assert (await zoe.subscribe("702")).code == 404
    assert (await zoe.subscribe("702", host=DOMAIN)).code == 403
    assert (await zoe.subscribe("799")).code == 200
    await zoe.told()
    # an employee of the other company with the same ext moves no lamp here
    ann = await world.phone(ANN)
    await world.customer_calls()
    (await ann.incoming()).ring()
    await world.until(Ringing)
    await asyncio.sleep(0.05)
    assert zoe.notifies.empty()


async def test_nobody_subscribes_for_a_colleague(world: World, phone_of: Make) -> None:
    await world.directory.blf.add(await world.domain(), [ANN])
    eve = await phone_of(EVE, listed=False)
    assert (await eve.subscribe("703", sender=ANN)).code == 403


async def test_without_a_password_nothing_is_subscribed(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    assert (await watcher.subscribe("702", proves=False)).code == 401
    guesser = await phone_of(EVE, password="guess")
    assert (await guesser.subscribe("702")).code == 401
    assert len(world.stack.subscriptions) == 0
    assert watcher.notifies.empty()
    assert guesser.notifies.empty()


@pytest.mark.parametrize("event", ["presence", "conference", "reg", "", "dialog.winfo"])
async def test_other_events_get_489_and_the_list_of_those_there_are(
    world: World, phone_of: Make, event: str
) -> None:
    watcher = await phone_of()
    refused = await watcher.subscribe("702", event)
    assert refused.code == 489
    assert refused.response.headers.getlist("Allow-Events") == ["dialog", "message-summary"]


async def test_an_id_comes_back_in_every_notify(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    await watcher.subscribe("702", "dialog;id=key-7")
    assert (await watcher.told()).request.headers["Event"] == "dialog;id=key-7"


async def test_how_long_it_lasts(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    brief = await watcher.subscribe("702", expires_s=59)
    assert (brief.code, brief.response.headers["Min-Expires"]) == (423, "60")
    for asked, lasts in ((60, "60"), (1_000_000, "1800"), (None, "1800")):
        made = await watcher.subscribe("702", expires_s=asked)
        assert (made.code, made.response.headers["Expires"]) == (200, lasts)
        assert (await watcher.told()).state == f"active;expires={lasts}"


async def test_expires_0_fetches_once(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    await world.phone(ANN)
    made = await watcher.subscribe("702", expires_s=0)
    assert (made.code, made.response.headers["Expires"]) == (200, "0")
    told = await watcher.told()
    assert told.state == "terminated;reason=timeout"
    assert (told.full, told.online) == (True, True)


async def test_a_phone_that_cannot_read_dialog_info_gets_406(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    made = await watcher.subscribe("702", headers=["Accept: application/pidf+xml"])
    assert made.code == 406
    good = await watcher.subscribe("702", headers=["Accept: application/dialog-info+xml"])
    assert good.code == 200


async def test_a_refresh_from_the_same_place_needs_no_password_from_another_it_does(
    world: World, phone_of: Make
) -> None:
    watcher = await phone_of()
    made = await watcher.subscribe("702")
    await watcher.told()
    assert (await watcher.again(made, 300)).code == 200
    assert (await watcher.told()).state == "active;expires=300"
    moved = await phone_of()
    assert (await moved.again(made, 0)).code == 401
    assert (await moved.again(made, 600, proves=True)).code == 200
    told = await moved.told()
    assert told.full, "it is told at its new place"
    assert told.version == 2
    thief = await phone_of(BOB)
    made.from_ = made.from_.replace(EVE, BOB)
    assert (await thief.again(made, 0, proves=True)).code == 481
    assert watcher.notifies.empty()


@pytest.mark.parametrize("what", ["password", "deleted", "company off"])
async def test_it_ends_with_the_right_to_it(world: World, phone_of: Make, what: str) -> None:
    watcher = await phone_of()
    await watcher.subscribe("702")
    await watcher.told()
    domain = await world.domain()
    if what == "password":
        await world.directory.users.edit(domain, EVE, {"password": "another horse 43"})
    elif what == "deleted":
        await world.directory.users.delete(domain, EVE)
    else:
        await world.directory.companies.switch(domain, False)
    await settings_known(world)
    reason = "deactivated" if what == "password" else "rejected"
    assert (await watcher.told()).state == f"terminated;reason={reason}"
    assert (await watcher.subscribe("702")).code in (401, 403)


async def test_it_ends_with_the_employee_who_is_watched(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    await watcher.subscribe("703")
    await watcher.told()
    await world.directory.users.delete(await world.domain(), BOB)
    await settings_known(world)
    assert (await watcher.told()).state == "terminated;reason=noresource"


async def test_an_ext_that_becomes_somebody_elses_is_asked_for_anew(
    world: World, phone_of: Make
) -> None:
    watcher = await phone_of()
    await watcher.subscribe("703")
    await watcher.told()
    async with world.directory.edit(await world.domain()) as tx:
        for login, ext in ((BOB, "709"), (ANN, "703")):
            await tx.update(tables.users, tables.users.c.login == login, ext=ext)
    await settings_known(world)
    assert (await watcher.told()).state == "terminated;reason=deactivated"


async def test_it_ends_with_the_company(world: World, phone_of: Make) -> None:
    other = "b.example"
    added = await world.directory.companies.add(other, "Europe/Moscow", PASSWORD)
    admin = next(iter(added.domain.employees))
    await world.directory.blf.add(added.domain, [admin])
    watcher = await phone_of(admin, listed=False, domain=other)
    assert (await watcher.subscribe(admin)).code == 200
    await watcher.told()
    await world.directory.companies.delete(added.domain)
    assert (await watcher.told()).state == "terminated;reason=noresource"


async def test_a_phone_that_refuses_is_forgotten(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    watcher.answers = 481
    await watcher.subscribe("702")
    await watcher.told()
    async with asyncio.timeout(20):
        while len(world.stack.subscriptions):
            await asyncio.sleep(0.01)


async def test_the_bound_of_one_employee_leaves_room_for_others(
    small_bounds: World,
) -> None:
    world = small_bounds
    await world.directory.blf.add(await world.domain(), [ANN, EVE, BOB])
    ann = await Watcher(ANN, world.hop(), DOMAIN, PASSWORD).start()
    eve = await Watcher(EVE, world.hop(), DOMAIN, PASSWORD).start()
    bob = await Watcher(BOB, world.hop(), DOMAIN, PASSWORD).start()
    try:
        made = [await ann.subscribe("702") for _ in range(3)]
        assert [each.code for each in made] == [200, 200, 503]
        assert made[2].response.headers["Retry-After"] == "60"
        assert [(await eve.subscribe("702")).code for _ in range(2)] == [200, 503]
        assert (await bob.subscribe("702")).code == 503, "the company has three"
        await ann.again(made[0], 0)
        while not (await ann.told()).state.startswith("terminated"):
            pass
        assert (await bob.subscribe("702")).code == 200
    finally:
        for phone in (ann, eve, bob):
            phone.close()


@pytest_asyncio.fixture(loop_scope="session")
async def small_bounds(tmp_path, shared_media, company, logs):  # type: ignore[no-untyped-def]
    """A switch with room for two subscriptions of an employee, and three of a company."""
    made = World(tmp_path, shared_media, company)
    made.logs = logs
    await made.start(subscriptions=SubscriptionLimits(per_employee=2, per_company=3))
    try:
        yield made
    finally:
        await made.stop()


async def test_a_stop_tells_phones_to_come_again(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    await watcher.subscribe("702")
    await watcher.told()
    await world.stack.stop(0)
    assert (await watcher.told()).state.startswith("terminated;reason=probation;retry-after=")


async def test_a_subscription_of_before_a_restart_gets_481(world: World, phone_of: Make) -> None:
    watcher = await phone_of()
    made = await watcher.subscribe("702")
    await watcher.told()
    made.to = made.to.rpartition("=")[0] + "=of-another-life"
    assert (await watcher.again(made)).code == 481
