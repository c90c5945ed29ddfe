"""One company on a running server, and what its CRM and its history are told of a call.

What the CRM got is written as in call-events: `C I(ann) A(ann) E(ann) H(Success, ann)`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.support.crm import Receiver
from vpbx.app.server import App
from vpbx.directory import DomainConfig
from vpbx.sim import Carrier, Phone
from vpbx.sim.call import Call
from vpbx.sip import Hop

__all__ = ["ANN", "BOB", "CUSTOMER", "EVE", "Scene"]

ANN, BOB, EVE = "ann", "bob", "eve"
CUSTOMER = "79101234567"
PASSWORD = "correct horse 42"
LETTERS = {
    "INCOMING": "I",
    "OUTGOING": "O",
    "ACCEPTED": "A",
    "CANCELLED": "X",
    "COMPLETED": "E",
    "TRANSFERRED": "T",
}


class Scene:
    """Use its phones and carrier; then ask what was told."""

    def __init__(self, app: App, crm: Receiver, http: aiohttp.ClientSession, serial: int) -> None:
        self.app = app
        self.crm = crm
        self.name = f"acme-{serial}.example"
        self.office, self.sales = f"7495{serial:03d}0001", f"7495{serial:03d}0002"
        self.group = ""
        self.untrue: list[str] = []
        """What the CRM did not find when it asked in the handler of a command."""
        self.carrier: Carrier
        self._http = http
        self._phones: list[Phone] = []
        self._carriers: list[Carrier] = []
        self._trunks: list[str] = []

    async def start(self) -> None:
        directory = self.app.directory
        new = await directory.companies.add(self.name, "Europe/Moscow", PASSWORD)
        domain = new.domain
        for login, ext in ((ANN, "702"), (BOB, "703"), (EVE, "704")):
            values = {"name": login.title(), "login": login, "ext": ext, "password": PASSWORD}
            await directory.users.add(domain, values)
        members = [{"login": login, "calls_enable": True} for login in (ANN, BOB)]
        group = await directory.groups.add(
            domain, {"name": "Sales", "ext": "710", "call_order": "ALL", "users": members}
        )
        self.group = group.id
        await directory.integrations.set(domain, {"url": self.crm.url, "token": "secret"})
        self._key = (await directory.keys.add(domain)).key
        self.crm.asks = self._ask
        self.carrier = await self.another_carrier("first")
        await directory.telnums.add(
            domain, self.office, user=ANN, name="Office", trunk=self.trunk("first")
        )
        await directory.telnums.add(
            domain, self.sales, group=group.id, name="Sales line", trunk=self.trunk("first")
        )

    async def stop(self) -> None:
        for agent in (*self._phones, *self._carriers):
            await agent.stop()
        async with asyncio.timeout(20):
            while any(call.info.domain == self.name for call in self.app.calls.active()):
                await asyncio.sleep(0.02)
        for name in self._trunks:
            await self.app.directory.trunk_rules.delete(name)

    def trunk(self, name: str) -> str:
        return f"{name}-{self.name.partition('.')[0]}"

    async def another_carrier(self, name: str = "second") -> Carrier:
        """One more carrier, gone when the test is over."""
        carrier = Carrier(self.hop)
        await carrier.start()
        self._carriers.append(carrier)
        await self.app.directory.trunk_rules.add(self.trunk(name), carrier.address)
        self._trunks.append(self.trunk(name))
        return carrier

    @property
    def hop(self) -> Hop:
        assert self.app.config.sip is not None
        return Hop("udp", "127.0.0.1", self.app.config.sip.port)

    async def domain(self) -> DomainConfig:
        found = await self.app.directory.domain(self.name)
        assert found is not None
        return found

    async def phone(self, login: str) -> Phone:
        """A registered device; it rings by itself."""
        phone = Phone(login, PASSWORD, self.name, self.hop)
        await phone.start()
        self._phones.append(phone)
        return phone

    async def customer(self, number: str = "", **options: Any) -> Call:
        """A customer calls."""
        return await self.carrier.call(number or self.office, caller=CUSTOMER, **options)

    async def number(self, telnum: str, **values: Any) -> None:
        await self.app.directory.telnums.edit(
            await self.domain(), telnum, {"greeting": False, **values}
        )

    # -- what was told --------------------------------------------------------------------------

    async def told(self, histories: int = 1) -> str:
        """Wait for the end of a call; return all its commands, once each was looked at."""
        await self.crm.until(lambda: len(self.crm.of("history")) >= histories)
        await asyncio.sleep(0.1)  # for whatever should not come after the end
        return " ".join(self._short(command) for command in self.crm.commands)

    def _short(self, command: dict[str, str]) -> str:
        self._check(command)
        return self.short(command)

    def short(self, command: dict[str, str]) -> str:
        """Write a command as call-events does."""
        match command["cmd"]:
            case "contact":
                return "C"
            case "event":
                return f"{LETTERS[command['type']]}({command['user']})"
            case "history":
                return f"H({command['status']},{command['user']})"
            case "rating":
                return f"R({command['rating']})"
        return command["cmd"]

    def _check(self, command: dict[str, str]) -> None:
        """Every documented field of a command says what it should."""
        history = next(h for h in self.crm.of("history") if h["callid"] == command["callid"])
        assert command["callid"].isdigit()
        assert len(command["callid"]) <= 15
        assert command["crm_token"] == "secret"
        assert command["phone"] == CUSTOMER
        if command["cmd"] == "rating":
            assert command["user"] == history["user"]
            assert command.get("ext") == history["ext"]
            return
        assert command["diversion"] in (self.office, self.sales)
        if command["cmd"] == "contact":
            return
        direction = command.get("direction") or command["type"]
        assert direction == history["type"]
        exts = {"admin": "701", ANN: "702", BOB: "703", EVE: "704"}
        assert command.get("ext") == exts[command["user"]]
        assert command["telnum_name"] in ("Office", "Sales line")
        if command["cmd"] == "event":
            assert _moment(command["start"]) == _moment(history["start"])
            assert _moment(command["start"]) <= _moment(command["time"])
        else:
            assert int(command["duration"]) >= 0
            assert int(command["wait"]) >= 0
            assert command["status"] == "Success" or command["duration"] == "0"

    async def chapters(self, histories: int = 2) -> list[str]:
        """Wait for the ends; return what was told of each callid, each command looked at, in the
        order they began."""
        await self.crm.until(lambda: len(self.crm.of("history")) >= histories)
        await asyncio.sleep(0.1)  # for whatever should not come after the end
        found: dict[str, list[str]] = {}
        for command in self.crm.commands:
            found.setdefault(command["callid"], []).append(self._short(command))
        return [" ".join(told) for told in found.values()]

    def groups(self) -> set[str]:
        """The departments that events and history name ("" for none)."""
        told = self.crm.of("event") + self.crm.of("history")
        return {command.get("groupRealName", "") for command in told}

    async def row(self) -> str:
        """The one history row, as `in success user ann`."""
        [row] = await self.rows()
        history = self.crm.of("history")[0]
        assert row["uid"] == history["callid"]
        assert row["client"] == CUSTOMER
        assert row["diversion"] == history["diversion"]
        assert (row["record"] != "") == ("link" in history)
        assert str(row["duration"]) == history["duration"]
        assert str(row["wait"]) == history["wait"]
        account = "sales" if row["account"] == self.group else row["account"]
        reason = row.get("reason", "")
        rated = f"rated {row['rating']}" if "rating" in row else ""
        assert str(row.get("rating", "")) == history.get("rating", "")
        words = (row["type"], row["status"], reason, row["destination"], account, rated)
        return " ".join(word for word in words if word)

    async def rows(self, path: str = "json") -> list[dict[str, Any]]:
        """All history rows of today, as the API gives them; `inner/json`: of inner calls."""
        rows: list[dict[str, Any]] = await self.api("GET", f"/history/{path}")
        return rows

    async def live(self) -> dict[str, dict[str, Any]]:
        """The calls in progress by callid, as the API gives them."""
        return {call["callid"]: call for call in await self.api("GET", "/calls")}

    async def api(self, method: str, path: str, **options: Any) -> Any:
        """Ask the company's API; the JSON of its answer."""
        url, headers = f"{self._base}/crmapi/v1{path}", {"X-API-KEY": self._key, "Host": self.name}
        async with self._http.request(method, url, headers=headers, **options) as got:
            assert got.status == 200, await got.text()
            return await got.json()

    @property
    def _base(self) -> str:
        assert self.app.config.http is not None
        return f"http://127.0.0.1:{self.app.config.http.port}"

    async def _ask(self, command: dict[str, str]) -> None:
        """Whoever is told that a call is over finds all of it, in the very handler."""
        if command["cmd"] not in ("history", "rating"):
            return
        uid = command["callid"]
        found = await self.rows(f"json?uid={uid}")
        if [row["uid"] for row in found] != [uid]:
            self.untrue.append(f"{command['cmd']} {uid}: no row")
        if uid.encode() not in await self._text(f"/crmapi/v1/history/csv?uid={uid}"):
            self.untrue.append(f"{command['cmd']} {uid}: no line of CSV")
        if uid in await self.live():
            self.untrue.append(f"{command['cmd']} {uid}: still shown as a call in progress")
        if "link" in command and not await self._text(urlsplit(command["link"]).path):
            self.untrue.append(f"{command['cmd']} {uid}: nothing behind the link")

    async def _text(self, path: str) -> bytes:
        headers = {"X-API-KEY": self._key, "Host": self.name}
        async with self._http.get(f"{self._base}{path}", headers=headers) as got:
            return await got.read() if got.status == 200 else b""


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
