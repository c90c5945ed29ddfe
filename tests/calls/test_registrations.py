"""Numbers of other operators: registered there, called in and out (crm-api §14, §15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.calls.world import ANN, CUSTOMER, EVE, Agent, World
from tests.support.operator import Operator
from vpbx.calls.accounts import registration_key
from vpbx.directory import Invalid, RegistrationStatus, SipRegistration
from vpbx.sip import AuthResult, Session

TELNUM = "79001112233"
DOMAIN_THERE = "operator.example"


@pytest_asyncio.fixture(loop_scope="session")
async def operator(world: World) -> AsyncIterator[Operator]:
    made = Operator()
    await made.start()
    yield made
    await made.stop()


async def add(world: World, operator: Operator, **values: Any) -> SipRegistration:
    return await world.directory.sip_registrations.add(
        await world.domain(),
        {
            "telnum": TELNUM,
            "name": "Other",
            "domain": DOMAIN_THERE,
            "login": operator.login,
            "password": operator.password,
            "proxy": f"127.0.0.1:{operator.port}",
            **values,
        },
    )


async def status(world: World, wanted: RegistrationStatus) -> SipRegistration:
    """Wait until the API would show this status."""
    rules = world.directory.sip_registrations
    async with asyncio.timeout(20):
        while (found := await rules.get(await world.domain(), TELNUM)).status is not wanted:
            await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256",)])
async def test_it_registers_with_the_password_and_says_so(
    world: World, operator: Operator, algorithms: tuple[str, ...]
) -> None:
    operator.algorithms = algorithms
    made = await add(world, operator, expires=120)
    assert made.status is RegistrationStatus.WAITING
    await status(world, RegistrationStatus.SUCCESS)
    assert operator.answers == [401, 200]
    request = operator.requests[-1]
    assert str(request.uri) == f"sip:{DOMAIN_THERE}"
    for name in ("From", "To"):
        assert f"<sip:{operator.login}@{DOMAIN_THERE}>" in request.headers[name]
    assert request.headers["Expires"] == "120"
    assert len({each.headers["Call-ID"] for each in operator.requests}) == 1
    numbers = [each.cseq_number for each in operator.requests]
    assert numbers == sorted(set(numbers))


async def test_auth_name_is_the_digest_user_and_min_expires_is_heeded(
    world: World, operator: Operator
) -> None:
    operator.min_expires = 300
    await add(world, operator, login="number", auth_name=operator.login, expires=60)
    await status(world, RegistrationStatus.SUCCESS)
    request = operator.requests[-1]
    assert "<sip:number@" in request.headers["From"]
    assert f'username="{operator.login}"' in request.headers["Authorization"]
    assert request.headers["Expires"] == "300"


@pytest.mark.parametrize(
    "proxy", ["sip:127.0.0.1:{};transport=tcp", "<sip:127.0.0.1:{};transport=TCP>"]
)
async def test_the_proxys_uri_says_the_transport(world: World, proxy: str) -> None:
    operator = Operator(transport="tcp")
    await operator.start()
    try:
        await add(world, operator, proxy=proxy.format(operator.port))
        await status(world, RegistrationStatus.SUCCESS)
        assert operator.source is not None
        assert operator.source.transport == "tcp"
        assert "transport=tcp" in operator.contact
    finally:
        await operator.stop()


async def test_switching_it_off_unregisters_and_on_registers_again(
    world: World, operator: Operator
) -> None:
    rules, domain = world.directory.sip_registrations, await world.domain()
    await add(world, operator)
    await status(world, RegistrationStatus.SUCCESS)
    await rules.edit(domain, TELNUM, {"active": False})
    await operator.until(lambda: not operator.bindings)
    assert operator.requests[-1].headers["Expires"] == "0"
    assert (await rules.get(domain, TELNUM)).status is RegistrationStatus.OFF
    await rules.edit(domain, TELNUM, {"active": True})
    await operator.until(lambda: operator.bindings)
    await status(world, RegistrationStatus.SUCCESS)
    assert len({each.headers["Call-ID"] for each in operator.requests}) == 1
    await rules.delete(domain, TELNUM)
    await operator.until(lambda: not operator.bindings)


async def test_off_and_on_at_once_ends_registered(world: World, operator: Operator) -> None:
    rules, domain = world.directory.sip_registrations, await world.domain()
    await add(world, operator)
    await status(world, RegistrationStatus.SUCCESS)
    for _ in range(3):
        await rules.edit(domain, TELNUM, {"active": False})
        await asyncio.sleep(0.15)
        await rules.edit(domain, TELNUM, {"active": True})
    await asyncio.sleep(0.5)
    await operator.until(lambda: operator.bindings)
    await status(world, RegistrationStatus.SUCCESS)


@pytest.mark.parametrize("code", [403, 404, 503, 500])
async def test_a_failure_is_an_error_told_once_and_again_after_a_recovery(
    world: World, operator: Operator, code: int
) -> None:
    told: list[str] = []
    world.service.connections.failed = lambda domain, found: told.append(found.telnum)
    operator.answer = code
    await add(world, operator)
    found = await status(world, RegistrationStatus.ERROR)
    assert str(code) in found.reason
    assert told == [TELNUM]
    await operator.until(lambda: len(operator.requests) > 1, 15)  # tried again within 15 s
    assert told == [TELNUM]
    operator.answer = 0
    await world.directory.sip_registrations.edit(
        await world.domain(), TELNUM, {"password": operator.password}
    )
    await status(world, RegistrationStatus.SUCCESS)
    operator.answer = code
    await world.directory.sip_registrations.edit(await world.domain(), TELNUM, {"expires": 61})
    await status(world, RegistrationStatus.ERROR)
    assert told == [TELNUM, TELNUM]
    assert operator.password not in str(world.logs)


async def test_a_wrong_password_is_an_error(world: World, operator: Operator) -> None:
    await add(world, operator, password="wrong")
    found = await status(world, RegistrationStatus.ERROR)
    assert "401" in found.reason
    assert operator.answers[:2] == [401, 401]


async def test_a_name_that_does_not_resolve_is_an_error_that_says_so(
    world: World, operator: Operator
) -> None:
    await add(world, operator, proxy="nowhere.invalid")
    found = await status(world, RegistrationStatus.ERROR)
    assert "nowhere.invalid" in found.reason


@pytest.mark.parametrize("field", ["domain", "proxy"])
async def test_one_of_several_companies_cannot_register_inside(
    world: World, operator: Operator, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by an address nor by a name that leads to one; a trunk of the server's own may."""
    await world.directory.companies.add("second.example", password="Secret-pass-1")
    monkeypatch.setattr(world.directory, "_allow_private", False)
    for host in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"):
        for spelled in (host, f"{host}:{operator.port}"):
            with pytest.raises(Invalid) as refused:
                await add(world, operator, **{"proxy": "", field: spelled})
            assert [error.field for error in refused.value.errors] == [field]
    for host in ("2130706433", "127.1", "0177.0.0.1"):
        with pytest.raises(Invalid):
            await add(world, operator, **{"proxy": "", field: host})
    values = {"proxy": "", field: f"localhost:{operator.port}"}
    await add(world, operator, **values)
    found = await status(world, RegistrationStatus.ERROR)
    assert "private network" in found.reason
    assert "--allow-private-crm" in found.reason
    assert operator.answers == []
    await world.directory.trunk_rules.add(
        "own",
        f"127.0.0.1:{operator.port}",
        mode="register",
        username=operator.login,
        password=operator.password,
    )
    async with asyncio.timeout(20):
        while 200 not in operator.answers:
            await asyncio.sleep(0.02)


async def test_a_registration_inside_ends_when_a_second_company_comes(
    world: World, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.directory, "_allow_private", False)
    await add(world, operator)
    await status(world, RegistrationStatus.SUCCESS)
    assert world.service.connections.accounts.hops(registration_key(1, TELNUM))
    await world.directory.companies.add("second.example", password="Secret-pass-1")
    assert not world.service.connections.accounts.hops(registration_key(1, TELNUM))


async def test_calls_come_in_by_the_contact_that_was_registered(
    world: World, operator: Operator
) -> None:
    await add(world, operator)
    await world.directory.telnums.edit(
        await world.domain(), TELNUM, {"type": "user", "user": ANN, "greeting": False}
    )
    await status(world, RegistrationStatus.SUCCESS)
    phone = await world.phone(ANN)
    call = await operator.invite(
        operator.contact, world.hop(), from_=f"<sip:{CUSTOMER}@{DOMAIN_THERE}>"
    )
    taken = await phone.incoming()
    await taken.answer()
    await call.answered()
    call.hangup()
    end = await world.ended()
    assert (end.call.diversion, end.call.client) == (TELNUM, CUSTOMER)


async def test_an_operators_other_address_may_bring_them_and_strangers_may_not(
    world: World, operator: Operator
) -> None:
    await add(world, operator)
    await status(world, RegistrationStatus.SUCCESS)
    phone = await world.phone("bob")
    await world.directory.telnums.edit(
        await world.domain(), TELNUM, {"type": "user", "user": "bob", "greeting": False}
    )
    sbc = await world.agent("sbc")
    call = await sbc.invite(operator.contact, world.hop(), from_=f"<sip:{CUSTOMER}@{DOMAIN_THERE}>")
    (await phone.incoming()).reject(486)
    assert (await call.ended()).code == 486
    # the same host, but neither our Contact nor the registrar's own port: nobody we know
    for uri in (f"sip:{TELNUM}@127.0.0.1", f"sip:{operator.login}@127.0.0.1", "sip:r-00@127.0.0.1"):
        call = await sbc.invite(uri, world.hop(), from_=f"<sip:{CUSTOMER}@{DOMAIN_THERE}>")
        assert (await call.ended()).code in (401, 403, 404)
    # the registrar itself may write the number, as some do
    call = await operator.invite(
        f"sip:+{TELNUM}@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@{DOMAIN_THERE}>"
    )
    (await phone.incoming()).reject(486)
    assert (await call.ended()).code == 486
    # but reaches no other number by it
    call = await operator.invite(
        "sip:74950000001@127.0.0.1", world.hop(), from_=f"<sip:{CUSTOMER}@{DOMAIN_THERE}>"
    )
    assert (await call.ended()).code in (401, 403, 404)
    await world.ended(2)


class Asking(Operator):
    """Wants the password on INVITE too."""

    def __init__(self) -> None:
        super().__init__()
        self.judged: list[AuthResult] = []

    def on_invite(self, session: Session) -> None:
        verdict = self.authenticator.verify(session.request, self.realm, self._known)
        self.judged.append(verdict.result)
        if verdict.ok:
            super().on_invite(session)
        else:
            values = self.authenticator.challenges(self.realm)
            session.reject(407, headers=[("Proxy-Authenticate", value) for value in values])


async def test_calls_that_show_its_number_leave_by_it(world: World) -> None:
    operator = Asking()
    operator.headers = [("Service-Route", "<sip:127.0.0.1;lr>"), ("Path", "<sip:192.0.2.1;lr>")]
    await operator.start()
    try:
        await add(world, operator)
        await status(world, RegistrationStatus.SUCCESS)
        domain = await world.domain()
        await world.directory.caller_ids.set_user(domain, {"login": EVE, "telnum": TELNUM})
        phone = await world.phone(EVE)
        call = await world.phone_calls(phone, CUSTOMER)
        customer = await operator.incoming()
        assert operator.judged == [AuthResult.MISSING, AuthResult.OK]
        assert customer.session is not None
        request = customer.session.request
        assert str(request.uri) == f"sip:{CUSTOMER}@{DOMAIN_THERE}"
        assert request.from_address.uri.user == operator.login
        assert request.from_address.uri.host == DOMAIN_THERE
        assert TELNUM in request.headers["P-Asserted-Identity"]
        assert request.headers["Route"] == "<sip:127.0.0.1;lr>"
        await customer.answer()
        await call.answered()
        call.hangup()
        await world.ended()
        assert not world.carrier.calls
        await world.directory.sip_registrations.edit(domain, TELNUM, {"outgoing": False})
        call = await world.phone_calls(phone, CUSTOMER)
        (await world.carrier.incoming()).reject(486)  # its number may not be shown any more
        await call.ended()
        await world.ended(2)
    finally:
        await operator.stop()


async def test_a_registration_that_failed_leaves_its_calls_to_the_trunk(
    world: World, operator: Operator
) -> None:
    operator.answer = 403
    await add(world, operator)
    await status(world, RegistrationStatus.ERROR)
    domain = await world.domain()
    await world.directory.caller_ids.set_user(domain, {"login": EVE, "telnum": TELNUM})
    phone = await world.phone(EVE)
    call = await world.phone_calls(phone, CUSTOMER)
    (await world.carrier.incoming()).reject(486)
    await call.ended()
    await world.ended()
    assert not operator.calls


async def test_a_trunk_registers_and_takes_calls_by_its_contact(
    world: World, operator: Operator
) -> None:
    await world.directory.trunk_rules.edit(
        "carrier",
        {
            "address": f"127.0.0.1:{operator.port}",
            "mode": "register",
            "username": operator.login,
            "password": operator.password,
        },
    )
    await operator.until(lambda: operator.bindings)
    carriers = world.service.connections.carriers
    await operator.until(lambda: carriers.states()[0].state == "ok")
    phone = await world.phone(ANN)
    sbc = await world.agent("sbc")
    call = await sbc.invite(
        operator.contact,
        world.hop(),
        from_=f"<sip:{CUSTOMER}@{DOMAIN_THERE}>",
        headers=[("P-Called-Party-ID", "<sip:74950000001@op.example>")],
    )
    (await phone.incoming()).reject(486)
    assert (await call.ended()).code == 486
    call = await world.phone_calls(phone, CUSTOMER)
    (await operator.incoming()).reject(486)
    await call.ended()
    await world.ended(2)
    operator.answer = 403
    await world.directory.trunk_rules.edit("carrier", {"password": "other"})
    await operator.until(lambda: carriers.states()[0].state == "error")
    assert "403" in carriers.states()[0].reason


# -- §15 ------------------------------------------------------------------------------------------


async def sipuri(world: World) -> str:
    domain = await world.domain()
    made = await world.directory.sipuri_transfers.add(domain, {"telnum": TELNUM})
    await world.directory.telnums.edit(
        domain, TELNUM, {"type": "user", "user": ANN, "greeting": False}
    )
    return f"sip:{made.uri}"


async def test_anybody_may_call_the_address_of_a_number_and_nothing_else(world: World) -> None:
    uri = await sipuri(world)
    phone = await world.phone(ANN)
    stranger = await world.agent("stranger")
    for target in (uri, uri.upper().replace("SIP:", "sip:"), f"{uri.partition('@')[0]}@127.0.0.1"):
        call = await stranger.invite(
            target, world.hop(), from_=f"<sip:{CUSTOMER}@elsewhere.example>"
        )
        (await phone.incoming()).reject(486)
        assert (await call.ended()).code == 486
    end = await world.ended(3)
    assert (end.call.diversion, end.call.client) == (TELNUM, CUSTOMER)
    # To names another number, the URI a made-up one, the domain alone: no way further
    for target in ("sip:pbx-AAAAAAAAAAAA@acme.example", "sip:74950000001@acme.example"):
        call = await stranger.invite(
            target, world.hop(), from_=f"<sip:{CUSTOMER}@elsewhere.example>"
        )
        assert (await call.ended()).code in (401, 403, 404)
    await world.directory.sipuri_transfers.edit(await world.domain(), TELNUM, {"active": False})
    call = await stranger.invite(uri, world.hop(), from_=f"<sip:{CUSTOMER}@elsewhere.example>")
    assert (await call.ended()).code == 404


async def test_a_flood_of_calls_to_an_address_is_refused_and_others_still_get_through(
    world: World,
) -> None:
    uri = await sipuri(world)
    stranger: Agent = await world.agent("stranger")
    codes = []
    for _ in range(30):
        call = await stranger.invite(uri, world.hop(), from_="<sip:79990000000@flood.example>")
        codes.append((await call.ended()).code)
    assert codes[0] == 480  # nobody is registered
    assert codes[-1] == 503
    phone = await world.phone(ANN)
    call = await world.customer_calls(TELNUM)
    (await phone.incoming()).reject(486)
    assert (await call.ended()).code == 486
    await world.ended(len([code for code in codes if code == 480]) + 1)
