"""Two stacks talk to each other: offers that meet, registration, and a soak."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence

import pytest

from vpbx.clock import LoopClock, ManualClock
from vpbx.sip import (
    Authenticator,
    AuthResult,
    Binding,
    Credentials,
    Ha1,
    Hop,
    Listen,
    Registration,
    RegistrationState,
    Response,
    ServerTransaction,
    Session,
    SessionAdapter,
    SessionState,
    SipStack,
    StackConfig,
    Target,
    ha1,
    make_response,
    register,
)

from .ladder import LOOPBACK, OURS, THEIRS, Owner, sdp, timers


class Pair:
    """A caller's and a callee's stack on one clock."""

    def __init__(self, caller: SipStack, callee: SipStack, clock: ManualClock) -> None:
        self.caller = caller
        self.callee = callee
        self.clock = clock

    @property
    def callee_hop(self) -> Hop:
        return Hop("udp", "127.0.0.1", self.callee.listens[0].port)

    def call(self, listener: Owner, headers: Sequence[tuple[str, str]] = ()) -> Session:
        session = self.caller.invite(
            Target("sip:bob@acme.example", self.callee_hop),
            from_="<sip:ann@acme.example>",
            to="<sip:bob@acme.example>",
            sdp=OURS,
            listener=listener,
            headers=headers,
        )
        listener.sessions.append(session)
        return session


async def pair_of(caller: Owner, callee: object) -> Pair:
    clock = ManualClock()
    config = StackConfig(listens=LOOPBACK)
    stacks = [SipStack(config, app, clock=clock) for app in (caller, callee)]  # type: ignore[arg-type]
    for stack in stacks:
        await stack.start()
    return Pair(stacks[0], stacks[1], clock)


@pytest.fixture
async def ann() -> Owner:
    return Owner()


@pytest.fixture
async def bob() -> Owner:
    owner = Owner()
    owner.on_call = lambda session: session.accept(THEIRS)
    return owner


@pytest.fixture
async def pair(ann: Owner, bob: Owner) -> AsyncIterator[Pair]:
    made = await pair_of(ann, bob)
    yield made
    await made.caller.stop(0)
    await made.callee.stop(0)


async def test_offers_that_meet_pass_each_other_after_their_pauses(
    pair: Pair, ann: Owner, bob: Owner
) -> None:
    pair.call(ann)
    await ann.hears("answer")
    await bob.hears("established")
    for owner in (ann, bob):
        owner.on_event = _answer_offers
    ann.session.reinvite(sdp(1, 2))
    bob.session.reinvite(sdp(2, 2))
    for _ in range(100):
        await asyncio.sleep(0.001)
        pair.clock.advance(0.05)
    assert await ann.hears("reanswer") == ("reanswer", 200, sdp(9))
    assert await bob.hears("reanswer") == ("reanswer", 200, sdp(9))
    # Who owns the Call-ID waits longer, so the callee went first.
    assert ann.names().index("offer") < ann.names().index("reanswer")
    assert bob.names().index("reanswer") < bob.names().index("offer")


def _answer_offers(name: str, session: Session) -> None:
    if name == "offer":
        session.answer(sdp(9))


async def test_both_hang_up_at_the_same_time(pair: Pair, ann: Owner, bob: Owner) -> None:
    pair.call(ann)
    await ann.hears("answer")
    await bob.hears("established")
    ann.session.hangup()
    bob.session.hangup()
    for _ in range(20):
        await asyncio.sleep(0.001)
    for stack in (pair.caller, pair.callee):
        assert stack.sessions == stack.under_way == 0
        assert not len(stack.dialogs)


async def test_call_over_tcp_keeps_its_connection(ann: Owner, bob: Owner) -> None:
    listens = (Listen("tcp", "127.0.0.1", 0),)
    stacks = [SipStack(StackConfig(listens=listens), owner) for owner in (ann, bob)]
    for stack in stacks:
        await stack.start()
    caller, callee = stacks
    port = callee.listens[0].port
    try:
        session = caller.invite(
            Target(f"sip:bob@127.0.0.1:{port};transport=tcp", Hop("tcp", "127.0.0.1", port)),
            from_="<sip:ann@acme.example>",
            to="<sip:bob@acme.example>",
            sdp=OURS,
            listener=ann,
        )
        await ann.hears("answer")
        await bob.hears("established")
        assert session.state is SessionState.CONFIRMED
        bob.session.hangup()
        assert await ann.hears("end") == ("end", "bye")
    finally:
        for stack in stacks:
            await stack.stop(1)


class Registrar:
    """A server application that takes registrations of 701."""

    def __init__(self) -> None:
        self.authenticator = Authenticator(b"0123456789abcdef", clock=LoopClock())
        self.bindings: tuple[Binding, ...] = ()
        self.answers: list[int] = []

    def lookup(self, username: str) -> Ha1 | None:
        return ha1("701", "acme.example", "sesame") if username == "701" else None

    def on_invite(self, session: Session) -> None:
        session.reject(404)

    def on_request(self, tx: ServerTransaction) -> None:
        verdict = self.authenticator.verify(tx.request, "acme.example", self.lookup)
        if verdict.ok:
            now = LoopClock().time()
            result = register(self.bindings, tx.request, tx.hop, now=now, date=now)
            self.bindings = result.bindings
            self._answer(tx, result.code, result.headers)
        else:
            stale = verdict.result is AuthResult.STALE
            values = self.authenticator.challenges("acme.example", stale=stale)
            self._answer(tx, 401, tuple(("WWW-Authenticate", value) for value in values))

    def _answer(
        self, tx: ServerTransaction, code: int, headers: tuple[tuple[str, str], ...]
    ) -> None:
        self.answers.append(code)
        tx.respond(make_response(tx.request, code, headers=headers))


async def test_client_registers_renews_and_leaves(ann: Owner) -> None:
    registrar = Registrar()
    pair = await pair_of(ann, registrar)
    try:
        states: list[RegistrationState] = []
        registration = Registration(
            pair.caller,
            Target("sip:acme.example", pair.callee_hop),
            "sip:701@acme.example",
            credentials=Credentials("701", "sesame"),
            expires_s=30,  # too short: the registrar wants sixty
            on_change=lambda state, code: states.append(state),
        )
        registration.start()
        assert await registration.settled() is RegistrationState.REGISTERED
        assert registrar.answers == [401, 423, 401, 200]
        (binding,) = registrar.bindings
        assert binding.contact == registration.contact
        assert binding.hop.port == pair.caller.listens[0].port
        pair.clock.advance(31)
        assert registration.state is RegistrationState.REGISTERING
        assert await registration.settled() is RegistrationState.REGISTERED
        assert registrar.bindings[0].cseq > binding.cseq
        registration.stop()
        assert await registration.settled() is RegistrationState.IDLE
        assert registrar.bindings == ()
        assert RegistrationState.FAILED not in states
    finally:
        await pair.caller.stop(0)
        await pair.callee.stop(0)


async def test_client_with_a_wrong_password_tries_again_later(ann: Owner) -> None:
    registrar = Registrar()
    pair = await pair_of(ann, registrar)
    try:
        registration = Registration(
            pair.caller,
            Target("sip:acme.example", pair.callee_hop),
            "sip:701@acme.example",
            credentials=Credentials("701", "wrong"),
        )
        registration.start()
        assert await registration.settled() is RegistrationState.FAILED
        assert (registration.code, registrar.answers) == (401, [401, 401])
        pair.clock.advance(7)
        assert registration.state is RegistrationState.REGISTERING
        await registration.settled()
        registration.stop()
        await registration.settled()
        pair.clock.advance(1000)
        assert registration.state is RegistrationState.IDLE
    finally:
        await pair.caller.stop(0)
        await pair.callee.stop(0)


KINDS = ("we hang up", "they hang up", "we cancel", "they are busy", "we hold")


def kind(session: Session) -> str:
    return KINDS[int(session.request.headers["X-Kind"])]


def take(session: Session) -> None:
    session.ring()
    if kind(session) == "they are busy":
        session.reject(486)
    elif kind(session) != "we cancel":
        session.accept(THEIRS)


def caller_goes_on(event: str, session: Session) -> None:
    if (event, kind(session)) in (
        ("progress", "we cancel"),
        ("answer", "we hang up"),
        ("reanswer", "we hold"),
    ):
        session.hangup()
    elif (event, kind(session)) == ("answer", "we hold"):
        session.reinvite(sdp(1, 2))


def callee_goes_on(event: str, session: Session) -> None:
    if (event, kind(session)) == ("established", "they hang up"):
        session.hangup()
    elif event == "offer":
        session.answer(sdp(2, 2))


def left(pair: Pair) -> list[Session]:
    """Return the sessions of these stacks that are still in memory; others' tests have theirs."""
    found = (one for one in gc.get_objects() if isinstance(one, Session))
    return [one for one in found if one.stack in (pair.caller, pair.callee)]


async def test_two_hundred_calls_leave_nothing_behind(pair: Pair, ann: Owner, bob: Owner) -> None:
    bob.on_call, bob.on_event, ann.on_event = take, callee_goes_on, caller_goes_on
    gc.collect()
    gc.disable()  # ended sessions go without its help: they are in no cycle
    try:
        for number in range(200):
            pair.call(ann, headers=[("X-Kind", str(number % 5))])
            if number % 20 == 19:
                await asyncio.sleep(0.002)
        async with asyncio.timeout(20):
            while pair.caller.sessions or pair.callee.sessions or pair.caller.under_way:
                await asyncio.sleep(0.005)
        ends = [event for event in ann.heard if event[0] in ("end", "failure")]
        assert sorted({end[1] for end in ends}, key=str) == [486, 487, "bye"]
        assert len(ends) == 120  # the other eighty ended by our own hangup
        for owner in (ann, bob):
            owner.sessions.clear()
            owner.transactions.clear()
        for _ in range(20):
            pair.clock.advance(10)
            await asyncio.sleep(0.001)
        for stack in (pair.caller, pair.callee):
            assert stack.sessions == stack.under_way == 0
            assert not len(stack.dialogs)
            assert stack.layer.transactions == 0
        assert timers(pair.clock) == 0
        assert not left(pair)
    finally:
        gc.enable()


class Holder(SessionAdapter):
    """A listener that keeps its session, as the legs of calls do."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session

    def on_answer(self, session: Session, response: Response, sdp: str | None) -> None:
        session.hangup()


async def test_a_listener_that_keeps_its_session_is_in_no_circle_with_it_after_the_end(
    pair: Pair, ann: Owner, bob: Owner
) -> None:
    def answered(session: Session) -> None:
        session.listener = Holder(session)
        session.accept(THEIRS)

    def busy(session: Session) -> None:
        session.listener = Holder(session)
        session.reject(486)

    gc.collect()
    gc.disable()
    try:
        for bob.on_call in (answered, busy):
            ours = Holder()
            ours.session = pair.caller.invite(
                Target("sip:bob@acme.example", pair.callee_hop),
                from_="<sip:ann@acme.example>",
                to="<sip:bob@acme.example>",
                sdp=OURS,
                listener=ours,
            )
            async with asyncio.timeout(30):
                while pair.caller.sessions or pair.callee.sessions or pair.caller.under_way:
                    await asyncio.sleep(0.001)
            bob.sessions.clear()
        del ours
        pair.clock.advance(40)
        assert not [one for one in gc.get_objects() if isinstance(one, Holder)]
        assert not left(pair)
    finally:
        gc.enable()
