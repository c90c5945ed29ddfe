"""A PBX for the tests of a CRM, in the same process: nothing is installed, nothing is called.

pbx = FakePbx()
pbx.add_user("olga", name="Olga", ext="702")
client = pbx.client()                       # a real Client, answered by the fake
made = client(api.make_call(phone="79101234567", user="olga"))
pbx.customer_calls(receiver, phone="79101234567", user="olga", talk_s=20)
assert client.each(api.history.external())  # the call is in its history
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx

from vpbx_sdk.client import Client
from vpbx_sdk.numbers import normalize
from vpbx_sdk.receiver import Receiver

__all__ = ["FakePbx"]

_TIME = "%Y%m%dT%H%M%SZ"


@dataclass
class FakePbx:
    """Employees, makecall and history, in memory; and calls told to a `Receiver`."""

    token: str = "TOKEN"  # noqa: S105 - the test's own
    number: str = "74951234567"
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)
    """What makecall was asked."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """History, newest first."""
    _serial: int = 0

    def add_user(self, login: str, *, name: str = "", ext: str = "") -> None:
        """Add an employee."""
        self.users[login] = {"login": login, "name": name or login, "ext": ext}

    def client(self) -> Client:
        """Return a client whose requests are answered here."""
        client = Client("http://fake.invalid", "KEY")
        client._http = httpx.Client(
            transport=httpx.MockTransport(self._answer), headers=client._headers
        )
        return client

    def customer_calls(
        self,
        receiver: Receiver,
        *,
        phone: str,
        user: str,
        talk_s: int = 0,
        at: datetime | None = None,
    ) -> str:
        """Play a call: a customer calls, the employee talks for `talk_s` (0: takes it not).

        Tells `receiver` every command of it, in order; returns the callid.
        """
        callid, start = self._callid(), at or datetime.now(UTC)
        common = {"callid": callid, "phone": normalize(phone), "diversion": self.number}
        _tell(receiver, self.token, {"cmd": "contact", **common})
        steps = ["INCOMING", "ACCEPTED", "COMPLETED"] if talk_s else ["INCOMING", "CANCELLED"]
        for step in steps:
            time = start + timedelta(seconds=talk_s if step == "COMPLETED" else 0)
            event = {"cmd": "event", "type": step, "user": user, "direction": "in"}
            _tell(receiver, self.token, {**common, **event, "time": f"{time:{_TIME}}"})
        status = "Success" if talk_s else "Missed"
        self._keep(callid, "in", status.lower(), common["phone"], user, start, talk_s)
        history = {
            "cmd": "history",
            "type": "in",
            "status": status,
            "user": user,
            "start": f"{start:{_TIME}}",
            "duration": str(talk_s),
            "wait": "0",
        }
        _tell(receiver, self.token, {**common, **history})
        return callid

    def _callid(self) -> str:
        self._serial += 1
        return f"{100_000_000_000_000 + self._serial}"

    def _keep(
        self, callid: str, kind: str, status: str, phone: str, user: str, at: datetime, talk_s: int
    ) -> None:
        row: dict[str, Any] = {
            "uid": callid,
            "type": kind,
            "status": status,
            "client": phone,
            "account": user,
        }
        row |= {"user": user, "start": f"{at:%Y-%m-%dT%H:%M:%SZ}", "duration": talk_s, "wait": 0}
        self.rows.insert(0, {**row, "diversion": self.number})

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/crmapi/v1")
        if path == "/users":
            items = [*self.users.values()]
            info = {"search": "", "total": len(items), "start": 0, "limit": len(items)}
            return httpx.Response(200, json={"items": items, "info": info})
        if found := re.fullmatch(r"/users/([^/]+)", path):
            user = self.users.get(found[1])
            return httpx.Response(200, json=user) if user else _refused(404, "Not found")
        if path == "/makecall":
            return self._make(json.loads(request.content))
        if path == "/history/json":
            return httpx.Response(200, json=self.rows)
        return _refused(404, "Not found")

    def _make(self, asked: dict[str, Any]) -> httpx.Response:
        if asked.get("user") not in self.users:
            return _refused(400, "Validation error", "user")
        callid = self._callid()
        self.made.append(asked)
        now = datetime.now(UTC)
        self._keep(callid, "out", "success", normalize(asked["phone"]), asked["user"], now, 0)
        return httpx.Response(200, json={"callid": callid})


def _refused(status: int, message: str, wrong: str = "") -> httpx.Response:
    body: dict[str, Any] = {"message": message}
    if wrong:
        body["errors"] = [{"field": wrong, "message": "is not known"}]
    return httpx.Response(status, json=body)


def _tell(receiver: Receiver, token: str, fields: dict[str, str]) -> None:
    body = urlencode({**fields, "crm_token": token}).encode()
    status, answer = receiver.handle("application/x-www-form-urlencoded", body)
    if status != 200:
        raise AssertionError(f"the receiver answered {status}: {answer}")
