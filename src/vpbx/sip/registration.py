"""The client's side of registration: stay registered (RFC 3261 §10.2).

state          event              becomes
IDLE           start              REGISTERING
REGISTERING    200                REGISTERED     renewed well before its end
REGISTERING    423                REGISTERING    with the interval asked for
REGISTERING    anything else      FAILED         tried again after a growing pause
REGISTERED     time to renew      REGISTERING
FAILED         pause over         REGISTERING
any            stop               LEAVING        expires=0
LEAVING        any response       IDLE
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING

from vpbx.clock import Timer
from vpbx.sip.digest import Credentials
from vpbx.sip.grammar import parse_address
from vpbx.sip.message import Response, new_call_id
from vpbx.sip.session_timer import delta_seconds
from vpbx.sip.target import Target

if TYPE_CHECKING:
    from vpbx.sip.stack import SipStack

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 600.0


class RegistrationState(Enum):
    """Where a `Registration` stands."""

    IDLE = "idle"
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    LEAVING = "leaving"


class Registration:
    """One address of record, registered at `registrar` for as long as it is started.

    `aor` is a SIP URI. `user` is that of our Contact, the address of record's unless given.
    `on_change` hears each new state with the code that led to it (0 when none did).
    """

    def __init__(
        self,
        stack: SipStack,
        registrar: Target,
        aor: str,
        *,
        credentials: Credentials | None = None,
        user: str = "",
        expires_s: int = 600,
        headers: Sequence[tuple[str, str]] = (),
        on_change: Callable[[RegistrationState, int], None] | None = None,
    ) -> None:
        self.state = RegistrationState.IDLE
        self.code = 0
        """The last final response."""
        self._stack = stack
        self._registrar = registrar
        self._aor = aor
        self._credentials = credentials
        user = user or aor.partition(":")[2].partition("@")[0]
        self.contact = stack.local_uri(registrar.hop, user)
        """Our Contact URI."""
        self._expires_s = expires_s
        self._headers = tuple(headers)
        self._on_change = on_change
        self._call_id = new_call_id()
        self._cseq = count(1)
        self._serial = 0
        self._pause_s = _FIRST_PAUSE_S
        self._timer: Timer | None = None
        self._settled = asyncio.Event()

    def start(self) -> None:
        """Register, and stay registered."""
        if self.state is RegistrationState.IDLE:
            self._register()

    def stop(self) -> None:
        """Take our Contact out again."""
        self._set_timer(None)
        if self.state not in (RegistrationState.IDLE, RegistrationState.LEAVING):
            self._become(RegistrationState.LEAVING, 0)
            self._send(0)

    async def settled(self) -> RegistrationState:
        """Wait for the outcome of what is under way: REGISTERED, FAILED or IDLE."""
        await self._settled.wait()
        return self.state

    def _register(self) -> None:
        self._set_timer(None)
        self._become(RegistrationState.REGISTERING, 0)
        self._send(self._expires_s)

    def _send(self, expires_s: int) -> None:
        self._serial += 1
        serial = self._serial
        contact = f"<{self.contact}>;expires={expires_s}"
        self._stack.request(
            "REGISTER",
            self._registrar,
            from_=f"<{self._aor}>",
            to=f"<{self._aor}>",
            headers=(("Contact", contact), ("Expires", str(expires_s)), *self._headers),
            credentials=self._credentials,
            on_response=lambda response: self._answered(serial, response),
            call_id=self._call_id,
            cseq=self._cseq,
        )

    def _answered(self, serial: int, response: Response) -> None:
        if serial != self._serial:
            return
        self.code = response.code
        if self.state is RegistrationState.LEAVING:
            self._become(RegistrationState.IDLE, response.code)
        elif response.code < 300:
            self._pause_s = _FIRST_PAUSE_S
            self._become(RegistrationState.REGISTERED, response.code)
            granted_s = self._granted_s(response)
            self._set_timer(max(granted_s / 2, granted_s - 60.0))
        elif response.code == 423 and self._raised(response):
            self._register()
        else:
            self._become(RegistrationState.FAILED, response.code)
            self._set_timer(self._pause_s * random.uniform(0.8, 1.2))
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _raised(self, response: Response) -> bool:
        least = delta_seconds(response, "Min-Expires")
        if least is None or least <= self._expires_s:
            return False
        self._expires_s = least
        return True

    def _granted_s(self, response: Response) -> float:
        """How long the registrar keeps our Contact, by its list or its Expires."""
        for value in response.headers.getlist("Contact"):
            try:
                address = parse_address(value)
            except ValueError:
                continue
            expires = address.parameters.get("expires") or ""
            if str(address.uri) == self.contact and expires.isascii() and expires.isdigit():
                return float(max(1, int(expires[:9])))
        return float(delta_seconds(response, "Expires") or self._expires_s)

    def _set_timer(self, delay_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if delay_s is not None:
            self._timer = self._stack.clock.call_later(delay_s, self._register)

    def _become(self, state: RegistrationState, code: int) -> None:
        self.state = state
        if state in (RegistrationState.REGISTERING, RegistrationState.LEAVING):
            self._settled.clear()
        else:
            self._settled.set()
        if self._on_change is not None:
            self._on_change(state, code)
