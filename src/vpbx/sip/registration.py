"""The client's side of registration: stay registered (RFC 3261 §10.2).

state          event                     becomes
IDLE           start                     REGISTERING
REGISTERING    200                       REGISTERED     renewed well before its end
REGISTERING    423                       REGISTERING    with the interval asked for
REGISTERING    silence, 503              REGISTERING    at the next target, while there is one
REGISTERING    anything else             FAILED         tried again after a growing pause
REGISTERED     time to renew             REGISTERING
REGISTERED     its connection is gone    REGISTERING
FAILED         pause over                REGISTERING
any            stop                      LEAVING        expires=0
LEAVING        any response              IDLE

The pauses grow faster for a registrar that refuses (403, 404, a wrong password) than for one in
trouble (5xx, silence): to ask it often would look like guessing. Retry-After is heeded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING

from vpbx.clock import Timer
from vpbx.sip.digest import Credentials
from vpbx.sip.exchange import NoResponse
from vpbx.sip.grammar import parse_address
from vpbx.sip.message import Response, new_call_id
from vpbx.sip.session_timer import delta_seconds
from vpbx.sip.target import Target
from vpbx.sip.transport import Hop

if TYPE_CHECKING:
    from vpbx.sip.stack import SipStack

_FIRST_PAUSE_S = 5.0
_GROWTH_IN_TROUBLE, _GROWTH_REFUSED = 2.0, 4.0
_LONGEST_PAUSE_S = 600.0
_LONGEST_EXPIRES_S = 86_400
_LEAST_REFRESH_S = 5.0
"""However short a registrar keeps us: it is not asked more often."""
_MAX_ROUTES = 8


class RegistrationState(Enum):
    """Where a `Registration` stands."""

    IDLE = "idle"
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    LEAVING = "leaving"


class Registration:
    """One address of record, registered at a registrar for as long as it is started.

    `aor` is a SIP URI. `registrar` is where to register, or gives the targets to try in order
    each time it is asked (none: the name leads nowhere). `user` is that of our Contact, the
    address of record's unless given. `on_change` hears each new state with the code that led
    to it (0 when none did). `call_id` and `cseq` continue an earlier series at the registrar.
    `keep_alive_s`: how often something is sent so that a NAT keeps the way open; 0: never.
    """

    code = 0
    """The last final response; 0 when there was nowhere to send to."""
    reason = ""
    """What that response said, or why there is none."""
    service_route: tuple[str, ...] = ()
    """Route of requests by way of the registrar (RFC 3608)."""
    path: tuple[str, ...] = ()
    """The proxies between the registrar and us, as it told (RFC 3327)."""
    expires_at = 0.0
    """Until when the registrar keeps our Contact (monotonic)."""

    def __init__(
        self,
        stack: SipStack,
        registrar: Target | Callable[[], Sequence[Target]],
        aor: str,
        *,
        credentials: Credentials | None = None,
        user: str = "",
        expires_s: int = 600,
        headers: Sequence[tuple[str, str]] = (),
        on_change: Callable[[RegistrationState, int], None] | None = None,
        call_id: str = "",
        cseq: Iterator[int] | None = None,
        keep_alive_s: float = 0.0,
    ) -> None:
        self.state = RegistrationState.IDLE
        self._stack = stack
        self._targets = registrar if callable(registrar) else lambda: (registrar,)
        self._order: list[Target] = []
        self._target: Target | None = registrar if isinstance(registrar, Target) else None
        self._aor = aor
        self._credentials = credentials
        self._user = user or aor.partition(":")[2].partition("@")[0]
        self._expires_s = expires_s
        self._headers = tuple(headers)
        self._on_change = on_change
        self._call_id = call_id or new_call_id()
        self._cseq = cseq or count(1)
        self._serial = 0
        self._pause_s = _FIRST_PAUSE_S
        self._keep_alive_s = keep_alive_s
        self._timer: Timer | None = None
        self._keeper: Timer | None = None
        self._settled = asyncio.Event()

    @property
    def contact(self) -> str:
        """Our Contact URI, as it is towards the target in use."""
        hop = self._target.hop if self._target is not None else Hop("udp", "127.0.0.1", 5060)
        return self._stack.local_uri(hop, self._user)

    @property
    def hop(self) -> Hop | None:
        """Where the registrar is that keeps our Contact; None before the first answer."""
        return self._target.hop if self._target is not None else None

    def start(self) -> None:
        """Register, and stay registered."""
        if self.state is RegistrationState.IDLE:
            self._register()

    def refresh(self) -> None:
        """Register now, whatever the plan was: the way there has changed."""
        if self.state in (RegistrationState.REGISTERED, RegistrationState.FAILED):
            self._register()

    def stop(self) -> None:
        """Take our Contact out again."""
        self._set_timer(None)
        self._keep_alive(False)
        if self.state in (RegistrationState.IDLE, RegistrationState.LEAVING):
            return
        if self._target is None:
            self._become(RegistrationState.IDLE, 0)
            return
        self._become(RegistrationState.LEAVING, 0)
        self._send(0)

    def abandon(self) -> None:
        """Leave it as it stands, telling nobody: the program ends."""
        self._set_timer(None)
        self._keep_alive(False)
        self._serial += 1

    async def settled(self) -> RegistrationState:
        """Wait for the outcome of what is under way: REGISTERED, FAILED or IDLE."""
        await self._settled.wait()
        return self.state

    def _register(self) -> None:
        self._set_timer(None)
        self._order = list(self._targets())
        if self._target in self._order:  # the one that knows us, first
            self._order.remove(self._target)
            self._order.insert(0, self._target)
        self._become(RegistrationState.REGISTERING, 0)
        if self._order:
            self._target = self._order.pop(0)
            self._send(self._expires_s)
        else:
            self.reason = "the name does not resolve"
            self._fail(0, _GROWTH_IN_TROUBLE, 0.0)

    def _send(self, expires_s: int) -> None:
        assert self._target is not None
        self._serial += 1
        serial = self._serial
        contact = f"<{self.contact}>;expires={expires_s}"
        self._stack.request(
            "REGISTER",
            self._target,
            from_=f"<{self._aor}>",
            to=f"<{self._aor}>",
            headers=(
                ("Contact", contact),
                ("Expires", str(expires_s)),
                ("Supported", "path"),
                *self._headers,
            ),
            credentials=self._credentials,
            on_response=lambda response: self._answered(serial, response),
            call_id=self._call_id,
            cseq=self._cseq,
        )

    def _answered(self, serial: int, response: Response) -> None:
        if serial != self._serial:
            return
        self.code = response.code
        silent = isinstance(response, NoResponse)
        self.reason = _SILENCE[response.code] if silent else f"{response.code} {response.phrase}"
        if self.state is RegistrationState.LEAVING:
            self._become(RegistrationState.IDLE, response.code)
        elif response.code < 300:
            self._registered(response)
        elif response.code == 423 and self._raised(response):
            self._send(self._expires_s)
        elif (silent or response.code == 503) and self._order:
            self._target = self._order.pop(0)
            self._send(self._expires_s)
        else:
            trouble = silent or response.code >= 500 or response.code == 408
            growth = _GROWTH_IN_TROUBLE if trouble else _GROWTH_REFUSED
            self._fail(response.code, growth, float(delta_seconds(response, "Retry-After") or 0))

    def _registered(self, response: Response) -> None:
        self._pause_s = _FIRST_PAUSE_S
        routes = response.headers.getlist("Service-Route")[:_MAX_ROUTES]
        self.service_route = tuple(routes)
        self.path = tuple(response.headers.getlist("Path")[:_MAX_ROUTES])
        granted_s = self._granted_s(response)
        self.expires_at = self._stack.clock.now() + granted_s
        self._become(RegistrationState.REGISTERED, response.code)
        self._set_timer(max(granted_s / 2, granted_s - 60.0, _LEAST_REFRESH_S))
        self._keep_alive(True)

    def _fail(self, code: int, growth: float, at_least_s: float) -> None:
        """Try again after a pause; the next one is `growth` times as long."""
        self._keep_alive(False)
        self._become(RegistrationState.FAILED, code)
        pause_s = self._pause_s * random.uniform(0.8, 1.2)
        self._pause_s = min(growth * self._pause_s, _LONGEST_PAUSE_S)
        self._set_timer(max(pause_s, min(at_least_s, _LONGEST_PAUSE_S)))

    def _raised(self, response: Response) -> bool:
        least = delta_seconds(response, "Min-Expires")
        if least is None or not self._expires_s < least <= _LONGEST_EXPIRES_S:
            return False
        self._expires_s = least
        return True

    def _granted_s(self, response: Response) -> float:
        """How long the registrar keeps our Contact, by its list or its Expires.

        Some write it in their own way, or with the address that a NAT or a border controller
        between us gave it: then by its user, which is nobody else's, or as the only one there is.
        """
        listed: list[tuple[str, str, int]] = []
        for value in response.headers.getlist("Contact"):
            try:
                address = parse_address(value)
            except ValueError:
                continue
            expires = address.parameters.get("expires") or ""
            if expires.isascii() and expires.isdigit():
                listed.append((str(address.uri), address.uri.user or "", int(expires[:9])))
        ours = (
            [s for uri, _, s in listed if uri == self.contact]
            or [s for _, user, s in listed if user == self._user]
            or ([s for _, _, s in listed] if len(listed) == 1 else [])
        )
        told = ours[0] if ours else delta_seconds(response, "Expires")
        granted_s = self._expires_s if told is None else told
        return float(min(max(1, granted_s), _LONGEST_EXPIRES_S))

    # Keeping the way open

    def _keep_alive(self, wanted: bool) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None
        if wanted and self._keep_alive_s:
            pause_s = self._keep_alive_s * random.uniform(0.8, 1.0)  # RFC 5626 §4.4.1
            self._keeper = self._stack.clock.call_later(pause_s, self._ping)

    def _ping(self) -> None:
        """Send what RFC 5626 §3.5.1 calls a ping; register anew by a new connection."""
        self._keeper = None
        if self.state not in (RegistrationState.REGISTERED, RegistrationState.REGISTERING):
            return
        hop = self.hop
        if hop is None or self._stack.layer.ping(hop):
            self._keep_alive(True)
        elif self.state is RegistrationState.REGISTERED:
            self._register()

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


_SILENCE = {408: "it does not answer", 503: "it cannot be reached"}
