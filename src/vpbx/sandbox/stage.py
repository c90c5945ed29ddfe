"""The sandbox: a real PBX, and around it a carrier, customers and the company's phones."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from vpbx.app.certificate import outside_address
from vpbx.app.control import ControlFault, Question
from vpbx.app.datadir import DataDir, keep_private
from vpbx.app.fault import StartError
from vpbx.app.server import App
from vpbx.app.trial import start_trial
from vpbx.db import insert_or_ignore
from vpbx.directory import Invalid
from vpbx.history import WHENEVER, Query, call_history
from vpbx.sandbox import PLAY, STATE
from vpbx.sandbox.acts import Act, BadAct, read_act
from vpbx.sandbox.company import DOMAIN, LABELS, STAFF, Company, Kept, set_up
from vpbx.sandbox.past import Past
from vpbx.sandbox.recordings import record
from vpbx.sandbox.traffic import Traffic
from vpbx.sim import CallFailed, Carrier, Cast, Phone, Played
from vpbx.sip import Hop
from vpbx.tasks import watched

__all__ = ["Sandbox", "Wanted"]

_LOOPBACK = "127.0.0.1"
_CHUNK = 2000
"""Rows written at a time, so that the API answers meanwhile."""
_MOST_ACTS = 500
_ROW_WAIT_S, _LOOK_S = 2.0, 0.05


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the sandbox was asked to be."""

    data: Path
    seed: int | None = None
    """None: that of the last run in this directory, else 1."""
    calls: int | None = None
    """Of the year before; None: as the last run, else 50,000."""
    per_minute: float = 4.0
    crm_url: str = ""
    crm_token: str = ""
    crm_format: str = "auto"


@dataclass(slots=True)
class Sandbox:
    """`async with Sandbox(wanted, say) as sandbox:` while it runs.

    `say` hears what happens in words; `command` each command to the CRM, as it is made.
    """

    wanted: Wanted
    say: Callable[[str], None]
    command: Callable[[Mapping[str, str | int]], None] = lambda fields: None
    app: App = field(init=False)
    company: Company = field(init=False)
    kept: Kept = field(init=False)
    cast: Cast | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _traffic: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Sandbox:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        keep_private()
        data = DataDir(self.wanted.data)
        self.kept = self._what_was_kept(data)

        def prepare(app: App) -> None:
            app.more_follows[PLAY] = self._play
            app.more_answers[STATE] = self._state

        self.app = await start_trial(self.wanted.data, self.say, prepare)
        self._stack.push_async_callback(self.app.stop)
        assert self.app.config.sip is not None
        pbx = Hop("udp", _LOOPBACK, self.app.config.sip.port)
        carrier = Carrier(pbx)
        await self._stack.enter_async_context(carrier)
        self.company = await self._make_company(carrier.address)
        self.kept.write(data)
        await self._fill_history(data)
        self.cast = Cast(carrier, await self._register(pbx), self.company.exts)
        self._spawn(self._tell_commands())
        if self.wanted.per_minute > 0:
            self._spawn(Traffic(self.cast, self.kept.seed, self.wanted.per_minute).run())

    def _what_was_kept(self, data: DataDir) -> Kept:
        wanted, kept = self.wanted, Kept.read(data)
        if kept is None:
            if data.is_used:
                raise StartError(
                    f"{data.root} holds a server's data and no sandbox; name another directory "
                    "with --data DIR."
                )
            calls = 50_000 if wanted.calls is None else wanted.calls
            return Kept(1 if wanted.seed is None else wanted.seed, calls)
        for name, asked, had in (
            ("--seed", wanted.seed, kept.seed),
            ("--history", wanted.calls, kept.calls),
        ):
            if asked is not None and asked != had:
                raise StartError(
                    f"The sandbox in {data.root} was made with {name} {had}. Name another "
                    f"directory with --data DIR, or remove this one first."
                )
        return kept

    async def _make_company(self, carrier: str) -> Company:
        wanted = self.wanted
        if wanted.crm_token or not self.kept.token:
            self.kept.token = wanted.crm_token or secrets.token_hex(8)
        crm = {
            "url": wanted.crm_url,
            "token": self.kept.token,
            "enabled": True,
            "format": wanted.crm_format,
        }
        try:
            return await set_up(self.app.directory, self.kept, carrier=carrier, crm=crm)
        except Invalid as error:
            raise StartError(f"--crm-url: {error}") from error

    async def _fill_history(self, data: DataDir) -> None:
        """Make the year before at the first start, and at later ones the days since then."""
        kept, domain = self.kept, self.company.domain
        zone = ZoneInfo(domain.timezone)
        today = datetime.now(zone).date()
        since = date.fromisoformat(kept.filled_to) + timedelta(days=1) if kept.filled_to else None
        if not kept.calls or (since is not None and since >= today):
            return
        began_at = time.monotonic()
        groups = dict(self.company.groups)
        past = Past(kept.seed, kept.calls, domain.id, groups, zone, domain.country)
        rows = await asyncio.to_thread(past.rows, today, since)
        recorded = await asyncio.to_thread(record, rows, data.records)
        statement = insert_or_ignore(call_history, ["callid"])
        for start in range(0, len(rows), _CHUNK):
            await self.app.database.write([(statement, rows[start : start + _CHUNK])])
        kept.filled_to = (today - timedelta(days=1)).isoformat()
        kept.write(data)
        took_s = time.monotonic() - began_at
        self.say(
            f"History: {len(rows):,} calls, the last {recorded} with recordings ({took_s:.1f} s)"
        )

    async def _register(self, pbx: Hop) -> dict[str, Phone]:
        phones = {}
        for person in STAFF:
            if person.login not in self.company.domain.employees:
                continue  # whoever tries the API has let them go
            phone = Phone(person.login, self.kept.passwords[person.login], DOMAIN, pbx)
            try:
                await self._stack.enter_async_context(phone)
            except (CallFailed, TimeoutError) as error:
                raise StartError(f"{person.login}'s phone is not registered: {error}") from error
            phones[person.login] = phone
        return phones

    def _spawn(self, work: Any) -> None:
        task = watched(asyncio.create_task(work))

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)

    async def _tell_commands(self) -> None:
        async for fields in self.app.commands(self.company.domain.id):
            self.command(fields)

    # --- what may be asked -----------------------------------------------------------------

    async def _state(self, question: Question) -> dict[str, Any]:
        self._playing()
        return self.state()

    def state(self) -> dict[str, Any]:
        """Return what a developer needs to know, as names and values."""
        config, domain = self.app.config, self.company.domain
        assert config.http is not None
        assert config.https is not None
        assert config.sip is not None
        return {
            "api": f"http://{config.http}/crmapi/v1",
            "https": f"https://{outside_address()}:{config.https.port}/crmapi/v1",
            "docs": f"http://{config.http}/crmapi/v1/docs",
            "domain": DOMAIN,
            "key": self.kept.key,
            "crm_url": self.wanted.crm_url,
            "crm_token": self.kept.token,
            "sip": f"{outside_address()}:{config.sip.port}",
            "seed": self.kept.seed,
            "calls_per_minute": self.wanted.per_minute,
            "employees": [
                {
                    "login": person.login,
                    "ext": domain.employees[person.login].ext,
                    "name": domain.employees[person.login].name,
                    "department": person.department,
                    "password": self.kept.passwords[person.login],
                }
                for person in STAFF
                if person.login in domain.employees
            ],
            "numbers": [{"telnum": number, "name": name} for number, name in LABELS.items()],
        }

    async def _play(self, question: Question) -> AsyncIterator[dict[str, Any]]:
        """Play acts, each at its time; give what is told of them, and what each came to."""
        cast = self._playing()
        domain = await self.app.directory.current(self.company.domain)
        asked = question.get("acts")
        if not isinstance(asked, list) or not asked or len(asked) > _MOST_ACTS:
            raise ControlFault(f"acts: from 1 to {_MOST_ACTS} calls")
        acts: list[Act] = []
        for number, values in enumerate(asked, 1):
            try:
                acts.append(read_act(domain, values if isinstance(values, dict) else {}))
            except BadAct as bad:
                where = f"call {number}: " if len(asked) > 1 else ""
                raise ControlFault(f"{where}{bad}") from bad
        told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        async def play_all() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for place, act in enumerate(acts, 1):
                        group.create_task(self._play_one(cast, act, place, told))
            finally:
                told.put_nowait(None)

        playing = asyncio.create_task(play_all())
        try:
            while (item := await told.get()) is not None:
                yield item
            await playing
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)

    async def _play_one(
        self, cast: Cast, act: Act, place: int, told: asyncio.Queue[dict[str, Any] | None]
    ) -> None:
        await asyncio.sleep(act.at_s)
        client = act.plan.caller if act.plan is not None else act.number
        callids: list[str] = []
        began_at = self.app.clock.time()

        def tell(text: str) -> None:
            for call in self.app.calls.active():
                info = call.info
                mine = client == info.client or (act.login and act.login == _login(call.caller))
                if mine and info.started_at >= began_at - 1 and info.callid not in callids:
                    callids.append(info.callid)
            told.put_nowait({"call": place, "tell": text})

        if cast.plays(client):
            result = Played(problem=f"{client} is in another call; try another number, or later")
        elif act.plan is not None:
            tell(f"{client} calls {act.plan.number}")
            result = await cast.customer_calls(act.plan, tell)
        else:
            tell(f"{act.login} calls {client}")
            result = await cast.employee_calls(
                act.login,
                act.number,
                act.part,
                act.answer,
                patience_s=act.patience_s,
                tell=tell,
            )
        rows = [row for callid in callids if (row := await self._history(callid)) is not None]
        problem = result.problem or _problem(act, rows)
        answered_by = list(result.answered_by)
        told.put_nowait(
            {"call": place, "answered_by": answered_by, "problem": problem, "history": rows}
        )

    async def _history(self, callid: str) -> dict[str, Any] | None:
        """Return the row of a call that is over; None when there is none after a while."""
        domain = self.company.domain
        query = Query(domain.id, domain.name, WHENEVER, uids=(int(callid),))
        for _ in range(int(_ROW_WAIT_S / _LOOK_S)):
            for pages in (self.app.history.external_json, self.app.history.inner_json):
                found = json.loads(b"".join([page async for page in pages(query)]))
                if found:
                    row: dict[str, Any] = found[0]
                    return row
            await asyncio.sleep(_LOOK_S)
        return None

    def _playing(self) -> Cast:
        if self.cast is None:
            raise ControlFault("the sandbox is still starting; try again in a moment")
        return self.cast


def _login(party: Any) -> str:
    return party.login if party is not None else ""


def _problem(act: Act, rows: list[dict[str, Any]]) -> str:
    """Say what of an act history knows otherwise."""
    wants_message = act.plan is not None and act.plan.message_s > 0
    if wants_message and not any(row.get("destination") == "vm" for row in rows):
        return "the call did not come to a voice mailbox; `to` a number that leads there"
    return ""
