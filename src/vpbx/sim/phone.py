"""An employee's phone: registers, rings, answers, calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vpbx.sim.agent import UserAgent
from vpbx.sim.behaviours import Behaviour
from vpbx.sim.call import G711, Call, CallFailed
from vpbx.sip import (
    AudioCodec,
    Credentials,
    Hop,
    Listen,
    Registration,
    RegistrationState,
    Target,
)

__all__ = ["Phone"]


class Phone(UserAgent):
    """A device of employee `login` (or ext) of `domain`, at the server `pbx`."""

    def __init__(
        self,
        login: str,
        password: str,
        domain: str,
        pbx: Hop,
        *,
        host: str = "127.0.0.1",
        codecs: Sequence[AudioCodec] = G711,
        behaviour: Behaviour | None = None,
        expires_s: int = 300,
    ) -> None:
        listens = (Listen("udp" if pbx.transport == "udp" else "tcp", host, 0),)
        super().__init__(
            listens=listens,
            user_agent="vpbx-sim phone",
            media_host=host,
            codecs=codecs,
            behaviour=behaviour,
        )
        self.login = login
        self.domain = domain
        self.pbx = pbx
        self._credentials = Credentials(login, password)
        self._expires_s = expires_s
        self._registration: Registration | None = None

    @property
    def address(self) -> str:
        """The address of record."""
        return f"sip:{self.login}@{self.domain}"

    async def start(self) -> None:
        """Listen, and register; `CallFailed` when the server refuses."""
        await super().start()
        try:
            await self.register()
        except BaseException:
            await super().stop()
            raise

    async def stop(self) -> None:
        """Hang up, take the registration back, and close."""
        await self.unregister()
        await super().stop()

    async def register(self, timeout_s: float = 20.0) -> None:
        """Be reachable; `CallFailed` with the server's code when it refuses."""
        if self._registration is None:
            self._registration = Registration(
                self.stack,
                Target(f"sip:{self.domain}", self.pbx),
                self.address,
                credentials=self._credentials,
                expires_s=self._expires_s,
            )
        registration = self._registration
        registration.start()
        async with asyncio.timeout(timeout_s):
            state = await registration.settled()
        if state is not RegistrationState.REGISTERED:
            code = registration.code
            await self.unregister()
            raise CallFailed(code, "the server does not register this phone")

    async def unregister(self) -> None:
        """Be reachable no more."""
        registration, self._registration = self._registration, None
        if registration is not None:
            registration.stop()
            try:
                async with asyncio.timeout(1.0):
                    await registration.settled()
            except TimeoutError:
                pass  # the server is gone: so is the registration

    async def rings(self, timeout_s: float = 20.0) -> Call:
        """Wait until the phone rings; answer, reject or just watch the call returned."""
        return await self.incoming(timeout_s)

    async def call(
        self,
        number: str,
        *,
        tone_hz: float | None = None,
        offer: bool = True,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Call:
        """Dial an internal or outside number; returns at once."""
        return await self.invite(
            f"sip:{number}@{self.domain}",
            self.pbx,
            from_=f"<{self.address}>",
            tone_hz=tone_hz,
            credentials=self._credentials,
            offer=offer,
            headers=headers,
        )
