"""A PBX for the tests of a CRM, in the same process: nothing is installed, nothing is called.

pbx = FakePbx()
pbx.add_user("olga", name="Olga", ext="702")
client = pbx.client()                       # a real Client, answered by the fake
made = client(api.make_call(phone="79101234567", user="olga"))
pbx.customer_calls(receiver, phone="79101234567", user="olga", talk_s=20, transfer_to="ivan")
assert client.each(api.history.external())  # the calls are in its history
Poller(client, receiver, cursor="c").once() # what was told can be fetched, too
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import httpx

from vpbx_sdk.client import Client
from vpbx_sdk.numbers import normalize
from vpbx_sdk.receiver import Receiver

__all__ = ["FakePbx", "signature"]

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
    secret: str = ""
    """Where commands are signed."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """Every command, as GET /events has it."""
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
        receiver: Receiver | None = None,
        *,
        phone: str,
        user: str,
        talk_s: int = 0,
        transfer_to: str = "",
        at: datetime | None = None,
    ) -> str:
        """Play a call: a customer calls, the employee talks for `talk_s` (0: takes it not).

        `transfer_to`: they then pass it on to this employee, who talks as long; that call has a
        callid of its own. Tells `receiver` every command, in order (None: they can only be
        fetched); returns the first callid. AssertionError when a command is not taken.
        """
        callid, start = self._callid(), at or datetime.now(timezone.utc)
        common = {"phone": normalize(phone), "diversion": self.number}
        self.tell(receiver, {"cmd": "contact", "callid": callid, **common})
        second = self._callid() if talk_s and transfer_to else ""
        self._play(receiver, callid, common, user, start, talk_s, second)
        if second:
            on = start + timedelta(seconds=talk_s)
            self._play(receiver, second, common, transfer_to, on, talk_s)
        return callid

    def _play(
        self,
        receiver: Receiver | None,
        callid: str,
        common: dict[str, str],
        user: str,
        start: datetime,
        talk_s: int,
        second: str = "",
    ) -> None:
        passed_on = ["TRANSFERRED"] if second else []
        steps = ["ACCEPTED", *passed_on, "COMPLETED"] if talk_s else ["CANCELLED"]
        for step in ["INCOMING", *steps]:
            late = talk_s if step in ("TRANSFERRED", "COMPLETED") else 0
            event = {"cmd": "event", "type": step, "callid": callid, "user": user}
            event |= {"direction": "in", "start": f"{start:{_TIME}}"}
            event |= {"second_callid": second} if step == "TRANSFERRED" else {}
            event["time"] = f"{start + timedelta(seconds=late):{_TIME}}"
            self.tell(receiver, {**event, **common})
        status = "Success" if talk_s else "Missed"
        self._keep(callid, "in", status.lower(), common["phone"], user, start, talk_s)
        history = {"cmd": "history", "type": "in", "status": status, "user": user}
        history |= {"start": f"{start:{_TIME}}", "duration": str(talk_s), "wait": "0"}
        self.tell(receiver, {**history, "callid": callid, **common})

    def tell(self, receiver: Receiver | None, fields: dict[str, str]) -> dict[str, str]:
        """Tell one command, as the PBX does; return what is answered."""
        sent = {
            "id": f"{len(self.told) + 1}",
            "cmd": fields["cmd"],
            "callid": fields.get("callid", ""),
            "time": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}Z",
            "command": dict(fields),
        }
        self.told.append(sent)
        if receiver is None:
            return {}
        body = urlencode({**fields, "crm_token": self.token}).encode()
        headers = {"X-CRM-Token": self.token, "X-VPBX-Delivery": str(sent["id"])}
        if self.secret:
            headers["X-VPBX-Signature"] = signature(self.secret, body)
        status, answer = receiver.handle("application/x-www-form-urlencoded", body, headers)
        if status != 200:
            raise AssertionError(f"the receiver answered {status}: {answer}")
        return answer

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
        if path == "/events":
            return httpx.Response(200, json=self._events(request.url.params))
        if path == "/history/json":
            return httpx.Response(200, json=self.rows)
        return _refused(404, "Not found")

    def _events(self, params: httpx.QueryParams) -> list[dict[str, Any]]:
        after, limit = params.get("after"), int(params.get("limit", 100))
        if after is None:
            return self.told[-limit:]
        return [sent for sent in self.told if int(sent["id"]) > int(after)][:limit]

    def _make(self, asked: dict[str, Any]) -> httpx.Response:
        if asked.get("user") not in self.users:
            return _refused(400, "Validation error", "user")
        callid = self._callid()
        self.made.append(asked)
        now = datetime.now(timezone.utc)
        self._keep(callid, "out", "success", normalize(asked["phone"]), asked["user"], now, 0)
        return httpx.Response(200, json={"callid": callid})


def _refused(status: int, message: str, wrong: str = "") -> httpx.Response:
    body: dict[str, Any] = {"message": message}
    if wrong:
        body["errors"] = [{"field": wrong, "message": "is not known"}]
    return httpx.Response(status, json=body)


def signature(secret: str, body: bytes) -> str:
    """Return the header X-VPBX-Signature of a body, as the PBX makes it."""
    at = str(int(time.time()))
    made = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"
