"""Another operator: a registrar with passwords that also places and takes calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.calls.world import Agent
from vpbx.clock import LoopClock
from vpbx.sip import (
    Authenticator,
    Binding,
    Ha1,
    Hop,
    Request,
    ServerTransaction,
    ha1,
    make_response,
    register,
)

__all__ = ["Operator"]


class Operator(Agent):
    """Keeps who registered; `answer` other than 0 is what every REGISTER gets instead."""

    def __init__(self, login: str = "100200", password: str = "pa$$word", **options: Any) -> None:
        super().__init__("operator", **options)
        self.realm = "operator.realm"
        self.login, self.password = login, password
        self.answer = 0
        self.headers: list[tuple[str, str]] = []
        """Added to each 200."""
        self.min_expires = 0
        self.requests: list[Request] = []
        self.answers: list[int] = []
        self.bindings: tuple[Binding, ...] = ()
        self.source: Hop | None = None
        self.authenticator = Authenticator(b"operator's secret", clock=LoopClock())
        self.algorithms = ("MD5", "SHA-256")

    def on_request(self, transaction: ServerTransaction) -> None:
        if transaction.request.method != "REGISTER":
            super().on_request(transaction)
            return
        self.requests.append(transaction.request)
        self.source = transaction.hop
        code, headers = self._judge(transaction)
        self.answers.append(code)
        self._bell.ring()
        transaction.respond(make_response(transaction.request, code, headers=headers))

    def _judge(self, tx: ServerTransaction) -> tuple[int, list[tuple[str, str]]]:
        request = tx.request
        if self.answer:
            return self.answer, []
        verdict = self.authenticator.verify(request, self.realm, self._known)
        if not verdict.ok:
            values = self.authenticator.challenges(self.realm)
            wanted = [v for v in values if any(f"algorithm={a}," in v for a in self.algorithms)]
            return 401, [("WWW-Authenticate", value) for value in wanted]
        expires = int(request.headers.get("Expires") or 0)
        if 0 < expires < self.min_expires:
            return 423, [("Min-Expires", str(self.min_expires))]
        now = LoopClock().time()
        result = register(self.bindings, request, tx.hop, now=now, date=now)
        if result.code == 200:
            self.bindings = result.bindings
        return result.code, [*result.headers, *self.headers]

    def _known(self, username: str) -> Ha1 | None:
        if username != self.login:
            return None
        return ha1(self.login, self.realm, self.password)

    @property
    def contact(self) -> str:
        """The Contact that is registered."""
        return self.bindings[0].contact

    async def until(self, condition: Callable[[], Any], timeout_s: float = 30) -> Any:
        """Wait until something is so."""
        async with asyncio.timeout(timeout_s):
            while not (found := condition()):
                await asyncio.sleep(0.02)
        return found
