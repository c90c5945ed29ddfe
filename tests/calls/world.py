"""A small world for call control: one PBX, a carrier, phones that do only what they are told.

The events the switch publishes are recorded; they are what a CRM and the history would see.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.ports import free_range
from vpbx.app.voicemail import VoiceMailbox
from vpbx.calls import CallsConfig, CallService, Parts
from vpbx.clock import LoopClock, Timer
from vpbx.db import Database
from vpbx.directory import Contact, Directory, DomainConfig, LocationRow, Secrets
from vpbx.events import (
    Answered,
    AttemptEnded,
    CallEnded,
    CallerReplaced,
    CallEvent,
    CallInfo,
    CallStarted,
    Completed,
    Dialing,
    Direction,
    Entered,
    EventBus,
    MessageLeft,
    RecordingReady,
    RingEnded,
    Ringing,
    Taken,
    Transferred,
)
from vpbx.mail import Mailboxes, MailQueue, MailRecorder
from vpbx.media import EncodeResult, MediaConfig, MediaEngine, Recording, Side
from vpbx.media.rtp import tone_frames
from vpbx.sim.agent import UserAgent
from vpbx.sim.bell import Bell
from vpbx.sim.call import G711, Call
from vpbx.sip import (
    AudioCodec,
    Credentials,
    Hop,
    Listen,
    Response,
    Session,
    SipStack,
    StackConfig,
    Target,
)
from vpbx.sip.resolver import Resolver

__all__ = [
    *("ANN", "BOB", "CUSTOMER", "DOMAIN", "EVE", "OFFICE", "PASSWORD", "SALES"),
    *("Agent", "RawPhone", "World", "found_company", "media_config"),
]

DOMAIN = "acme.example"
OFFICE = "74950000001"
SALES = "74950000002"
CUSTOMER = "79101234567"
ANN, BOB, EVE = "ann", "bob", "eve"
PASSWORD = "correct horse 42"


_NOBODYS = (RecordingReady, Entered, Taken, MessageLeft, CallerReplaced)
"""Events that are of no employee."""


class Agent(UserAgent):
    """A phone or a carrier whose calls neither ring nor are answered by themselves."""

    def __init__(self, name: str = "carrier", transport: str = "udp", **options: Any) -> None:
        super().__init__(listens=(Listen(transport, "127.0.0.1", 0),), user_agent=name, **options)
        self.name = name
        self.transport = transport
        self.mood: Callable[[Call], Coroutine[Any, Any, None]] | None = None
        """What it does with calls that come in; None: what the test says."""
        self.moods: set[asyncio.Task[None]] = set()

    def on_invite(self, session: Session) -> None:
        call = Call(media_host=self._media_host, codecs=self._codecs)
        call.session, session.listener = session, call
        self.calls.append(call)
        self._untaken.append(call)
        if self.mood is not None:
            task = asyncio.get_running_loop().create_task(self.mood(call))
            self.moods.add(task)
            task.add_done_callback(self.moods.discard)
        self._bell.ring()

    @property
    def port(self) -> int:
        return self.listen(self.transport).port

    async def send(self, method: str, uri: str, hop: Hop, **options: Any) -> Response:
        """Send a request outside of dialogs and return its final response."""
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        own = f"<sip:{self.name}@{DOMAIN}>"
        options = {"from_": own, "to": own, **options}
        self.stack.request(method, Target(uri, hop), on_response=done.set_result, **options)
        return await asyncio.wait_for(done, 20)


class RawPhone(asyncio.DatagramProtocol):
    """A device that is nothing but a socket: tests read and write its datagrams."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[str, tuple[str, int]]] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait((data.decode(), addr))

    async def expect(self, start: str) -> str:
        """Return the next message that begins so; others (retransmissions) are skipped."""
        async with asyncio.timeout(20):
            while True:
                text, self.peer = await self.received.get()
                if text.startswith(start):
                    return text

    def answer(self, request: str, status: str) -> None:
        """Answer a request, with a tag of ours."""
        kept = [
            line
            for line in request.split("\r\n\r\n")[0].split("\r\n")[1:]
            if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")
        ]
        lines = [f"{x};tag=raw" if x.startswith("To:") and "tag=" not in x else x for x in kept]
        contact = f"Contact: <sip:raw@127.0.0.1:{self.port}>"
        text = "\r\n".join([f"SIP/2.0 {status}", *lines, contact, "Content-Length: 0", "", ""])
        self.transport.sendto(text.encode(), self.peer)


class Encoder:
    """An encoder that keeps what it is given."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Recording, Path, Side]] = []

    async def encode(self, recording: Recording, target: Path, *, left: Side) -> EncodeResult:
        self.jobs.append((recording, target, left))
        return EncodeResult(ok=True, seconds=1.0)


class Records:
    def path(self, call: CallInfo) -> Path:
        return Path(f"/records/{call.domain_id}/{call.callid}.mp3")


class HastyClock(LoopClock):
    """A clock of the loop that runs `speed` times as fast; what is shown and stored is as usual."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def now(self) -> float:
        return super().now() * self._speed

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        return super().call_later(delay_s / self._speed, callback)


async def nothing() -> None:
    """Happen to nobody."""


class World:
    """Everything, running."""

    def __init__(self, folder: Path, media: MediaEngine, company: Path) -> None:
        self.folder = folder
        self.media = media
        self._company = company
        self.events: list[CallEvent] = []
        self.encoder = Encoder()
        self.contact: Callable[..., Awaitable[Contact | None]] | None = None
        self.talked_before: dict[str, float] = {}
        """What history says: by login, when their last call ended."""
        self.while_history_is_asked: Callable[[], Awaitable[None]] = nothing
        self.speed = 1.0
        self.asked: list[tuple[str, str, str]] = []
        self._bell = Bell()
        self._agents: list[Agent] = []
        self._raw: list[RawPhone] = []
        self.logs: list[Any] = []
        self.faults_expected = False

    async def start(
        self, *, speed: float = 1.0, resolver: Resolver | None = None, **config: Any
    ) -> None:
        """Start it; `speed`: how many seconds of call control go by in one."""
        shutil.copy(self._company, self.folder / "vpbx.sqlite3")
        self.speed = speed
        await self._run(resolver or Resolver(), config)
        self.carrier = await self.agent("carrier")
        address = {"address": f"127.0.0.1:{self.carrier.port}"}
        await self.directory.trunk_rules.edit("carrier", address)
        self.group_id = next(iter((await self.domain()).departments))

    async def restart(self) -> None:
        """Stop it, and begin anew with what the database knows, as another process would."""
        await self._halt()
        await self._run(Resolver(), {})

    async def _run(self, resolver: Resolver, config: dict[str, Any]) -> None:
        self.database = Database.from_url(f"sqlite:///{self.folder / 'vpbx.sqlite3'}")
        secrets = Secrets.from_file(self.folder / "secret.key")
        self.directory = Directory(self.database, secrets=secrets)
        await self.directory.start()
        self.bus = bus = EventBus(self.directory.writer.submit)
        bus.subscribe(self._record)
        self.boxes = Mailboxes(self.database, self.directory.writer, self.directory.since_ms)
        letters = MailQueue(self.database, None, self.folder, clock=self.directory.clock)

        def changed(domain_id: int, login: str) -> None:
            self.boxes.changed(domain_id, login)

        def path(call: CallInfo) -> Path:
            return Path(f"{call.callid}.mp3")

        bus.subscribe(MailRecorder(letters, self.directory.cached, path, changed))
        parts = Parts(
            directory=self.directory,
            media=self.media,
            events=bus,
            contact=self._ask,
            records=Records(),
            encoder=self.encoder,
            mailbox=VoiceMailbox(self.boxes, self.folder, self.folder / "ready"),
            last_talks=self._talked,
            resolver=resolver,
            clock=HastyClock(self.speed),
        )
        calls_config = CallsConfig(secret=b"s" * 32, uploads=self.folder / "media", **config)
        self.service = CallService(calls_config, parts)
        self.stack = SipStack(
            StackConfig(listens=(Listen("udp", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0))),
            self.service,
        )
        self.boxes.changed = self.service.mailbox_changed
        self.service.attach(self.stack)
        await self.stack.start()
        await self.service.start()

    async def _halt(self) -> None:
        await self.service.stop(2)
        await self.stack.stop(1)
        await self.directory.stop()
        await self.database.close()

    async def _talked(self, domain_id: int, since: Mapping[str, int]) -> dict[str, float]:
        await self.while_history_is_asked()
        return {login: at for login, at in self.talked_before.items() if login in since}

    async def stop(self) -> None:
        for agent in self._agents:
            await agent.stop()
        for raw in self._raw:
            raw.transport.close()
        await self._halt()
        assert len(self.of(CallStarted)) == len(self.of(CallEnded)), self.story()
        self.check_balance()
        faults = [entry for entry in self.logs if entry["log_level"] in ("error", "critical")]
        assert self.faults_expected or not faults, faults

    # -- the pieces --------------------------------------------------------------------------

    async def domain(self) -> DomainConfig:
        found = await self.directory.domain(DOMAIN)
        assert found is not None
        return found

    def hop(self, transport: str = "udp") -> Hop:
        listen = next(item for item in self.stack.listens if item.transport == transport)
        return Hop(transport, "127.0.0.1", listen.port)

    async def agent(self, name: str, **options: Any) -> Agent:
        made = Agent(name, **options)
        await made.start()
        self._agents.append(made)
        return made

    async def phone(self, login: str, **options: Any) -> Agent:
        """A device of `login`, registered."""
        phone = await self.agent(login, **options)
        response = await self.register(phone)
        assert response.code == 200, response.code
        return phone

    async def register(
        self, phone: Agent, *, login: str = "", password: str = PASSWORD, **options: Any
    ) -> Response:
        login = login or phone.name
        headers = [("Contact", f"<sip:{login}@127.0.0.1:{phone.port}>"), ("Expires", "300")]
        return await phone.send(
            "REGISTER",
            f"sip:{DOMAIN}",
            self.hop(phone.transport),
            from_=f"<sip:{login}@{DOMAIN}>",
            to=f"<sip:{login}@{DOMAIN}>",
            headers=options.pop("headers", headers),
            credentials=Credentials(login, password),
            **options,
        )

    async def customer_calls(
        self, number: str = OFFICE, *, caller: str = CUSTOMER, name: str = "", **options: Any
    ) -> Call:
        """A call from outside comes in over the trunk."""
        shown = f'"{name}" ' if name else ""
        return await self.carrier.invite(
            f"sip:{number}@127.0.0.1",
            self.hop(),
            from_=options.pop("from_", f"{shown}<sip:{caller}@carrier.example>"),
            **options,
        )

    async def carrier_invites(
        self,
        number: str = OFFICE,
        *,
        uri: str = "",
        to: str = "",
        codecs: Sequence[AudioCodec] = G711,
        first_media: str = "",
    ) -> Call:
        """A call from outside with a request or description that is out of the ordinary."""
        call = Call(media_host="127.0.0.1", codecs=codecs)
        await call.open_sound()
        self.carrier.calls.append(call)
        uri = uri or f"sip:{number}@127.0.0.1"
        call.session = self.carrier.stack.invite(
            Target(uri, self.hop()),
            from_=f"<sip:{CUSTOMER}@carrier.example>",
            to=to or f"<{uri}>",
            sdp=call.offer().replace("m=audio", first_media + "m=audio"),
            listener=call,
        )
        return call

    @staticmethod
    def credentials(login: str, password: str = PASSWORD) -> Credentials:
        return Credentials(login, password)

    async def second_trunk(self) -> Agent:
        """One more carrier of the operator's."""
        second = await self.agent("second")
        await self.directory.trunk_rules.add("second", f"127.0.0.1:{second.port}")
        return second

    async def settings(self, **values: Any) -> None:
        """Change columns of the domain's row, limits of the rules notwithstanding."""
        async with self.directory.edit(await self.domain()) as tx:
            await tx.set_domain(**values)

    async def raw_phone(self, login: str) -> RawPhone:
        """A device of `login` that is nothing but a socket."""
        phone = RawPhone()
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: phone, local_addr=("127.0.0.1", 0))
        self._raw.append(phone)
        domain = await self.domain()
        row = LocationRow(
            contact=f"sip:{login}@127.0.0.1:{phone.port}",
            transport="udp",
            host="127.0.0.1",
            port=phone.port,
            connection=0,
            path="",
            call_id="raw",
            cseq=1,
            expires_at=self.directory.clock.now() + 300,
        )
        rows = self.directory.locations.bindings(domain.id, login)
        self.directory.locations.save(domain.id, login, [*rows, row])
        return phone

    async def phone_calls(self, phone: Agent, called: str, **options: Any) -> Call:
        """An employee dials."""
        login = options.pop("login", phone.name)
        return await phone.invite(
            f"sip:{called}@{options.pop('host', DOMAIN)}",
            self.hop(phone.transport),
            from_=f"<sip:{login}@{DOMAIN}>",
            credentials=Credentials(login, options.pop("password", PASSWORD)),
            **options,
        )

    async def responsible_first(self, telnum: str, fallback: str = "") -> None:
        """Switch "straight to the responsible employee" on for a number."""
        await self.directory.integrations.set_responsible(
            await self.domain(), telnum, enabled=True, fallback=fallback
        )

    async def edit_group(self, **values: Any) -> None:
        """Set something of the department Sales."""
        await self.directory.groups.edit(await self.domain(), self.group_id, values)

    async def own_sound(self, media_type: str, name: str, hz: float, seconds: float = 1.0) -> str:
        """Let the company have a sound of its own, a tone; return its id."""
        folder = self.folder / "media"
        folder.mkdir(exist_ok=True)
        for payload in (8, 0):
            tone = b"".join(tone_frames(hz, payload)[: int(seconds * 50)])
            (folder / f"{name}.{payload}").write_bytes(tone)
        domain = await self.domain()
        return (await self.directory.media.add(domain, name, media_type, name)).id

    async def crm_asked(self) -> None:
        """Wait until the CRM has been asked who calls."""
        await self._bell.until(lambda: self.asked or None, 5, lambda: "the CRM was not asked")

    # -- what the switch says ------------------------------------------------------------------

    def _record(self, event: CallEvent) -> Iterable[Any]:
        self.events.append(event)
        self._bell.ring()
        return ()

    async def _ask(
        self, domain: DomainConfig, phone: str, callid: str, diversion: str
    ) -> Contact | None:
        self.asked.append((phone, callid, diversion))
        self._bell.ring()
        return await self.contact(domain, phone) if self.contact is not None else None

    async def crm(self, contact: Callable[..., Awaitable[Contact | None]]) -> None:
        """Give the company a CRM that answers `contact` like this."""
        await self.directory.integrations.set(
            await self.domain(), {"url": "https://crm.example/", "token": "secret"}
        )
        self.contact = contact

    async def ended(self, count: int = 1) -> CallEnded:
        """Wait until `count` calls have ended; check that all events balance; return the last."""
        ends = await self._bell.until(
            lambda: found if len(found := self.of(CallEnded)) >= count else None,
            5,
            lambda: f"calls did not end: {self.story()}",
        )
        assert len(ends) == count
        self.check_balance()
        return ends[-1]

    async def until(self, kind: type, count: int = 1) -> Any:
        """Wait for the `count`-th event of a kind."""
        found = await self._bell.until(
            lambda: seen if len(seen := self.of(kind)) >= count else None,
            5,
            lambda: f"no {kind.__name__}: {self.story()}",
        )
        return found[count - 1]

    async def seen(self, look: Callable[[], Any]) -> Any:
        """Return what `look` finds in the events as soon as it is not None."""
        return await self._bell.until(look, 20, lambda: f"not seen: {self.story()}")

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def story(self, *, inner: bool = False) -> list[str]:
        """What a CRM would see, as short lines: `ringing ann`."""
        names = {
            Ringing: "ringing",
            RingEnded: "ring ended",
            Dialing: "dialing",
            AttemptEnded: "attempt ended",
            Answered: "answered",
            Completed: "completed",
        }
        return [
            f"{names[type(event)]} {event.user.login}"  # type: ignore[union-attr]
            for event in self.events
            if type(event) in names
        ]

    def check_balance(self) -> None:
        """Of every call that has ended, each event has its counterpart, in order, once."""
        closes = {Ringing: RingEnded, Dialing: AttemptEnded, Answered: Completed}
        for callid in {event.call.callid for event in self.of(CallEnded)}:
            events = [e for e in self.events if e.call.callid == callid]
            told = [e for e in events if not isinstance(e, _NOBODYS)]
            assert isinstance(told[0], CallStarted), told
            assert isinstance(told[-1], CallEnded), told
            assert len([e for e in told if isinstance(e, CallStarted | CallEnded)]) == 2
            open_: dict[str, type] = {}
            put_through = False
            for event in told[1:-1]:
                login, kind = event.user.login, type(event)  # type: ignore[union-attr]
                if isinstance(event, Transferred):
                    inner = event.call.direction is Direction.INNER
                    assert open_.get(login) is Answered or inner, self.story()
                    if not event.second_callid:  # somebody is put through in their place
                        # who calls inside is told of by no event
                        put_through = open_.pop(login, None) is not None or not inner
                elif put_through:
                    assert kind is Answered, self.story()
                    assert login not in open_, self.story()
                    open_[login], put_through = Answered, False
                elif kind in (Ringing, Dialing):
                    assert login not in open_, self.story()
                    open_[login] = kind
                elif kind is Answered:
                    assert open_[login] in (Ringing, Dialing), self.story()
                    open_[login] = Answered
                else:
                    assert closes[open_.pop(login)] is kind, self.story()
            assert not open_, self.story()

    async def quiet(self) -> None:
        """Wait until nothing of any call is left anywhere in the switch."""
        async with asyncio.timeout(20):
            while self.service.active() or self.media.sessions or self.stack.sessions:
                await asyncio.sleep(0.01)


def media_config(folder: Path, **changes: Any) -> MediaConfig:
    low, end = free_range()
    return MediaConfig(
        **changes,
        spool_dir=folder / "spool",
        record_dir=folder / "pcap",
        prompts_dir=folder / "prompts",
        listen_host="127.0.0.1",
        port_min=low,
        port_max=end,
    )


async def found_company(file: Path) -> None:
    """Make the database that each world begins with: acme.example, three employees, Sales."""
    database = Database.from_url(f"sqlite:///{file}")
    await database.migrate()
    directory = Directory(database)
    await directory.start()
    domain = (await directory.companies.add(DOMAIN, "Europe/Moscow", PASSWORD)).domain
    for login, ext in ((ANN, "702"), (BOB, "703"), (EVE, "704")):
        values = {"name": login.title(), "login": login, "ext": ext, "password": PASSWORD}
        await directory.users.add(domain, values)
    members = [{"login": login, "calls_enable": True} for login in (ANN, BOB)]
    group = await directory.groups.add(
        domain, {"name": "Sales", "ext": "710", "call_order": "ALL", "users": members}
    )
    await directory.trunk_rules.add("carrier", "127.0.0.1:5060")
    await directory.telnums.add(domain, OFFICE, user=ANN, name="Office")
    await directory.telnums.add(domain, SALES, group=group.id, name="Sales")
    await directory.stop()
    await database.close()
